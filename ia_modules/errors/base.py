"""The root of all errors, its branches, and those that belong to no part alone."""

from collections.abc import Iterable

REMOTE_TRACEBACK = "__remote_traceback__"
"""The attribute of an exception that was raised in another process: its traceback there, as text."""


class IAModulesError(Exception):
    """The root: catch this to catch everything ia_modules raises on purpose."""


class PipelineError(IAModulesError):
    """A pipeline cannot be run, or a run of it failed.

    Attributes:
        step_id: the step that is to blame; None where none is.
    """

    step_id: str | None = None


class TrackerError(IAModulesError):
    """The operation does not fit the recorded state."""


class DatabaseError(IAModulesError):
    """The database failed; ``__cause__`` is the driver's exception, where there is one."""


class PayloadError(IAModulesError):
    """A value cannot be stored as JSON.

    Attributes:
        where: what the value was meant for, such as ``output of step 'score'``.
        path: JSON path of the culprit inside the value, ``$`` for the value itself.
        found, expected: as in :class:`Problem`.
    """

    def __init__(self, where: str, path: str, found: str, expected: str) -> None:
        super().__init__(f"The {where} cannot be stored: at {path} found {found}; expected {expected}.")
        self.where, self.path, self.found, self.expected = where, path, found, expected


class InvalidStatus(IAModulesError, ValueError):
    """A word that does not exist for a status or a level.

    Attributes:
        found: the unknown word.
    """

    def __init__(self, found: object, expected: Iterable[str], *, what: str = "status") -> None:
        super().__init__(f"Unknown {what} {found!r}; expected one of: {', '.join(expected)}.")
        self.found = found


class InvalidArgument(IAModulesError, ValueError):
    """A number or a text that cannot be right.

    Attributes:
        where: which argument.
    """

    def __init__(self, where: str, found: str, expected: str) -> None:
        super().__init__(f"The {where} cannot be used: found {found}; expected {expected}.")
        self.where = where


class NestingTooDeep(InvalidArgument):
    """A run that is a part of too many others, or of ones with too long names.

    Attributes:
        path: the address that it would have.
    """

    def __init__(self, path: str, limit: int) -> None:
        super().__init__(
            "path of a run",
            f"{len(path):,} characters ({path[:60]!r}…)",
            f"at most {limit:,}. Put fewer runs within each other, or give their steps shorter ids",
        )
        self.path = path


class OtherEventLoop(IAModulesError, RuntimeError):
    """A tracker is at work on another event loop."""

    def __init__(self) -> None:
        super().__init__(
            "This tracker is writing on another event loop, and cannot serve two at once. "
            "Give each loop a tracker of its own; they may share one DatabaseManager."
        )


class OtherProcess(IAModulesError, RuntimeError):
    """A database manager, or what works with it, in a child of the process that made it."""

    def __init__(self, made_in: int, here: int) -> None:
        super().__init__(
            f"This DatabaseManager was made in process {made_in}, and process {here} is its child, where its threads "
            "and connections are not. Make a DatabaseManager here, and a tracker or client over it."
        )


class BlockingCallOnLoop(IAModulesError, RuntimeError):
    """A synchronous call where it would block an event loop."""

    def __init__(self, called: str, instead: str) -> None:
        """``called``, ``instead``: names of functions, or what else stands there, such as ``async with f(...)``."""
        sentence = called if called.endswith(")") else f"{called}()"
        use = instead if instead.endswith(")") else f"await {instead}()"
        super().__init__(f"{sentence} was called on a running event loop, which it would block. Use: {use}.")
        self.called, self.instead = called, instead


def refuse_on_loop(called: str, instead: str) -> None:
    """Raise BlockingCallOnLoop when an event loop runs in this thread."""
    import asyncio  # here, since nearly every import of this library comes through this module

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise BlockingCallOnLoop(called, instead)
