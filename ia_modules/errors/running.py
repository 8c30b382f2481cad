"""Why a run of a pipeline failed: the step that is to blame, or the execution as a whole."""

import signal
from collections.abc import Sequence

from ia_modules.errors.base import IAModulesError, PipelineError
from ia_modules.errors.documents import MAY_BE_OLDER, Problem, listed


def failure_sentence(step_id: str, cause: str) -> str:
    """That a step failed, and why, as its execution has it on record."""
    return f"Step {step_id!r} failed: {cause}"


class StepError(PipelineError):
    """A step failed; ``__cause__`` is its own exception, where there is one."""

    def __init__(self, step_id: str, what: str) -> None:
        super().__init__(failure_sentence(step_id, what))
        self.step_id = step_id


class StepInputError(StepError):
    """An input does not resolve or breaks its schema; the step did not run."""

    def __init__(self, step_id: str, problems: Sequence[Problem], *, what: str | None = None) -> None:
        """``what``: the sentence of an error that is of another kind."""
        inputs = f"its inputs cannot be put together ({MAY_BE_OLDER}):"
        super().__init__(step_id, what or listed(inputs, problems))
        self.problems = tuple(problems)


class MapTooLarge(StepInputError):
    """The list of a map has too many entries; none of them ran."""

    def __init__(self, step_id: str, count: int, most: int) -> None:
        found = f"a list of {count:,} entries"
        super().__init__(step_id, [Problem("map.over", found, f"at most {most:,}", "Map over a part at a time.")])
        self.count = count


class MapItemFailed(StepError):
    """More items of a map have failed for good than may; ``__cause__`` is the last one's own exception.

    Attributes:
        item: the number of the last one, from 1.
        key: what it is called.
        failed: how many have failed.
    """

    def __init__(self, step_id: str, item: int, key: str, what: str, *, failed: int) -> None:
        others = "" if failed == 1 else f" ({failed:,} items have failed)"
        named = f"item {item}" if key == str(item) else f"item {item} ({key})"
        super().__init__(step_id, f"{named} failed: {what}{others}")
        self.item, self.key, self.failed = item, key, failed


class LostUpdate(StepInputError):
    """Branches that join in the step have written one key of the state, and ``merge`` says ``error`` for it.

    Attributes:
        runs: two runs that wrote it, neither before the other, as (step id, iteration).
    """

    def __init__(self, step_id: str, key: str, runs: tuple[tuple[str, int], tuple[str, int]]) -> None:
        found = both_wrote(key, runs)
        super().__init__(
            step_id, [Problem(f"state.{key}", found, "one of them", KEEP_BOTH)], what=f"{found}. {KEEP_BOTH}"
        )
        self.key, self.runs = key, runs


KEEP_BOTH = (
    "Let one of them write another key, or give merge a rule for it that keeps both: append, extend, sum or update."
)


def both_wrote(key: str, runs: tuple[tuple[str, int], tuple[str, int]]) -> str:
    """What has happened to a key of the state, as a clause without its full stop."""
    one, other = (f"{step_id!r}" if number == 1 else f"{step_id!r} (iteration {number})" for step_id, number in runs)
    return f"the steps {one} and {other} ran at the same time, and both wrote {key!r}"


class StepOutputError(StepError):
    """The result breaks the step's ``output_schema``, or cannot be merged into the state."""

    def __init__(self, step_id: str, problems: Sequence[Problem], *, by_schema: bool = True) -> None:
        """``by_schema``: it breaks the schema, which a file of the 0.2 format may do."""
        what = f"does not fit its output_schema ({MAY_BE_OLDER})" if by_schema else "cannot be merged into the state"
        super().__init__(step_id, listed(f"its result {what}:", problems))
        self.problems = tuple(problems)


class StepTimeout(StepError, TimeoutError):  # pyright: ignore[reportUnsafeMultipleInheritance]
    """The step took longer than its ``timeout_seconds``."""

    def __init__(self, step_id: str, timeout_seconds: float) -> None:
        super().__init__(step_id, f"it took longer than its timeout_seconds, {timeout_seconds:g}.")
        self.timeout_seconds = timeout_seconds


class HumanInputTimeout(StepError):
    """Not enough people answered in time, and ``on_timeout`` is ``fail``.

    Attributes:
        answered_by: how many people did.
    """

    def __init__(self, step_id: str, timeout_seconds: float, *, answered_by: int = 0) -> None:
        found = "nobody answered" if answered_by == 0 else f"the answers ({answered_by}) did not decide it"
        super().__init__(
            step_id,
            f"{found} within {timeout_seconds:g} seconds. "
            "To go on without an answer, set on_timeout to a default answer or to a step.",
        )
        self.timeout_seconds, self.answered_by = timeout_seconds, answered_by


class ConditionError(StepError):
    """The function that a path's condition calls failed; ``__cause__`` is its exception."""

    def __init__(self, step_id: str, function: str, what: str) -> None:
        super().__init__(step_id, f"the condition {function} after it {what}")
        self.function = function


class LoopLimitExceeded(StepError):
    """A loop ran too often or too long.

    Attributes:
        limit: the exceeded key of ``loop_config``, or of the step itself.
        allowed: its value.
        is_final: the execution fails also where the step has ``continue_on_error``: its loop went on after this error.
    """

    def __init__(
        self, step_id: str, *, limit: str, allowed: float, found: str, is_own: bool = False, is_final: bool = False
    ) -> None:
        hint, whose = "Give the loop a way out, or raise the limit.", "its " if is_own else "loop_config."
        super().__init__(step_id, f"{found}, and {whose}{limit} allows {allowed:g}. {hint}")
        self.limit, self.allowed, self.is_final = limit, allowed, is_final


class StepExited(StepError):
    """It called ``sys.exit``, or cancelled itself; the process lives on."""

    def __init__(self, step_id: str, code: object) -> None:
        super().__init__(step_id, f"it ended itself ({code!r}). A step returns its result, or raises.")


class StepAbandoned(StepError):
    """It did not stop when it was cancelled, and may still run; its result is not recorded."""

    def __init__(self, step_id: str) -> None:
        super().__init__(
            step_id, "it did not stop when it was cancelled, and may still run; its result does not count."
        )


class StepKilled(StepError):
    """It did not stop when it was cancelled, so its process was ended."""

    def __init__(self, step_id: str) -> None:
        super().__init__(step_id, "it did not stop when it was cancelled, so its process was ended.")


class StepProcessEnded(StepError):
    """The process that ran it ended in the middle: it crashed, or somebody ended it.

    Attributes:
        exit_status: of the process; a signal's number, negative, where it died of one.
    """

    def __init__(self, step_id: str, exit_status: int) -> None:
        super().__init__(step_id, f"the process that ran it ended in the middle: {_exit_words(exit_status)}")
        self.exit_status = exit_status


class StepLost(StepError):
    """What ran it on a cluster is gone: the attempt is lost, and made again.

    Attributes:
        reason: what is known of that, a sentence.
        times: how often in a row, where nothing that it calls has completed in between. Above 1 the step has failed.
    """

    def __init__(self, step_id: str, reason: str, *, times: int = 1) -> None:
        if times == 1:
            super(StepError, self).__init__(f"Step {step_id!r} was lost: {reason}")
        else:
            found = f"it was lost {times} times in a row, and nothing that it calls completed in between. The last time"
            super().__init__(step_id, f"{found}: {reason}")
        self.step_id, self.reason, self.times = step_id, reason, times


def _exit_words(exit_status: int) -> str:
    if exit_status >= 0:
        return f"exit status {exit_status}. Its code, or a library that it uses, has ended it."
    try:
        name = signal.Signals(-exit_status).name
    except ValueError:
        name = f"signal {-exit_status}"
    hints = {
        "SIGKILL": "Somebody ended it, or the system did because memory ran out: look at the log of the kernel.",
        "SIGSEGV": "A library that it uses has crashed.",
        "SIGABRT": "A library that it uses has given up.",
    }
    return f"{name}. {hints.get(name, 'Somebody ended it.')}"


class ExecutionCancelled(PipelineError):
    """The execution was cancelled; its status is ``cancelled``."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"Execution {execution_id!r} was cancelled. Go on with it: ia-modules executions resume.")
        self.execution_id = execution_id


class ExecutionFailed(PipelineError):
    """The execution that a caller's id stands for failed, before or in another process.

    Attributes:
        error_type: class name of the error on record; None: there was no exception.
        error_message: as it is on record.
        step_id: the step that failed last; None: none did.
    """

    def __init__(
        self, execution_id: str, *, error_type: str | None, error_message: str | None, step_id: str | None
    ) -> None:
        kind = "" if error_type is None else f"{error_type}: "
        super().__init__(
            f"Execution {execution_id!r} failed: {kind}{error_message or 'it has no message.'}\n"
            f"Go on with it: resume=True, or ia-modules executions resume {execution_id}"
        )
        self.execution_id, self.step_id = execution_id, step_id
        self.error_type, self.error_message = error_type, error_message


class ServiceNotFound(IAModulesError, LookupError):
    """No service of this name is registered."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"No service {name!r} is registered; there are: {', '.join(known) or 'none'}.")
        self.name = name
