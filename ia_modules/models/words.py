"""Words of the rows: statuses, levels, effects, origins."""

from enum import StrEnum
from typing import Final, Literal, Self, get_args

from ia_modules.errors import InvalidStatus

Effect = Literal["pure", "read", "write", "external"]
"""What a step does outside of its execution, as its author says: nothing, and its result depends on its input alone
(``pure``); it only reads; it writes what is ours; or it does what nobody here can take back (``external``)."""

EFFECTS: tuple[Effect, ...] = get_args(Effect)


def may_have_effects(effect: Effect | None) -> bool:
    """Whether running a step once more may do something outside once more; so it may where nobody said (None)."""
    return effect not in ("pure", "read")


def effect_text(effect: Effect | None) -> str:
    """An effect in words for people."""
    return "not said: may have effects" if effect is None else effect


class _Word(StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> Self:
        raise InvalidStatus(value, expected=list(cls), what="level" if cls.__name__ == "LogLevel" else "status")


class ExecutionStatus(_Word):
    """Status of an execution.

    ``waiting``: nobody runs it until its time has come. ``waiting_for_human``: nothing of it can run until a person
    answers, or the time for that is over.
    """

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    WAITING_FOR_HUMAN = "waiting_for_human"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    def __init__(self, word: str) -> None:
        self.is_terminal: Final = word in ("completed", "failed", "cancelled")

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing runs until somebody does something: it has ended, or waits for a person."""
        return self.is_terminal or self is ExecutionStatus.WAITING_FOR_HUMAN


class StepStatus(_Word):
    """Status of one attempt of a step. ``lost``: the process that ran it died."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    LOST = "lost"

    def __init__(self, word: str) -> None:
        self.is_terminal: Final = word not in ("pending", "running", "waiting")


class LogLevel(_Word):
    """Level of a log line. ``output``: a piece of what a step gives as it comes, which is no more or less severe."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    OUTPUT = "output"


SEVERITIES = (LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR)
"""The levels of what is logged, the least severe first."""

GAP_LOGGER = "ia_modules.left_out"
"""The logger of a line that stands for what is left out; of lines, their count is ``left_out`` in its data."""

VersionOrigin = Literal["file", "page", "api", "program"]
"""Where a version came from: a pipeline file, the pages, another client over HTTP, or a program's own code."""
