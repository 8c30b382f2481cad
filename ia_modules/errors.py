"""Every error ia_modules raises on purpose.

IAModulesError
├── PayloadError                 a value that JSON cannot carry, or too much of it; nothing was written
├── InvalidStatus                a word that does not exist for a status or a level
├── InvalidArgument              a number or a text that cannot be right
│   ├── NestingTooDeep           runs within runs, more of them than a path can name
│   ├── InvalidAnswer            not what the question asks for, or not from whom; nothing was stored
│   └── QuestionsDiffer          one answer for many questions that are not alike; nothing was stored
├── OtherEventLoop               a tracker is at work on another event loop
├── InvalidValue                 one value of a document is wrong; the loader adds where it stands
├── PipelineError                a pipeline cannot be run, or a run of it failed; names the step
│   ├── PipelineDefinitionError  the definition is wrong; nothing has run
│   ├── PipelineInputError       the input breaks the pipeline's contract; nothing was recorded as started
│   ├── PipelineOutputError      the steps have run, but the output cannot be kept or breaks ``output_schema``
│   ├── StepError                a step failed; __cause__ is its own exception, where there is one
│   │   ├── StepInputError       an input does not resolve or breaks its schema; the step did not run
│   │   │   └── LostUpdate       branches that join have written one key, and ``merge`` says ``error`` for it
│   │   ├── StepOutputError      the result breaks the step's ``output_schema``, or cannot be merged into the state
│   │   ├── StepTimeout          also a TimeoutError
│   │   ├── HumanInputTimeout    not enough people answered in time
│   │   ├── ConditionError       the function that a path's condition calls failed
│   │   ├── LoopLimitExceeded    a loop ran too often or too long
│   │   ├── StepExited           it called ``sys.exit``, or cancelled itself
│   │   └── StepAbandoned        it did not stop when cancelled, and may still run
│   ├── ExecutionCancelled       the execution was cancelled
│   └── ExecutionFailed          the execution that a caller's id stands for failed; its error as it is on record
├── ServiceNotFound              no service of this name is registered
├── TrackerError
│   ├── PipelineNotFound
│   ├── PipelineConflict         the slug already stands for another definition
│   ├── StaleVersion             somebody else stored a version meanwhile
│   ├── PipelineVersionNotFound
│   ├── SlugMismatch             a new version names another pipeline
│   ├── PipelineArchived         it starts no more executions
│   ├── PipelineNotRunnable      there is no definition that could be run
│   ├── PipelineInUse            executions of it have not ended, or are pinned; it is not deleted
│   ├── PipelineHasHistory       it has executions, and its history was not to be deleted
│   ├── ExecutionNotFound
│   ├── ExecutionIdConflict      a caller's id of an execution stands for another request; also a PipelineError
│   ├── AlreadyStarted           a caller's id stands for an execution that was started before
│   ├── RerunRefused             what a re-run would copy does not fit the version that is to run
│   ├── AlreadyResumed           the execution has not ended: it goes on already
│   ├── CodeNotFound             workers would not find the code of a version here
│   ├── ExecutionIsCopy          it came from a run file: it is read, compared and run again, never gone on with
│   ├── ExecutionKept            it has not ended, or is pinned; it is not deleted
│   ├── NothingToCompareWith     no execution of the pipeline completed before this one
│   ├── StepExecutionNotFound
│   ├── LeaseLost                another process owns the execution now; nothing was written
│   ├── AlreadyFinished          a terminal status stands and is never rewritten
│   ├── InvalidTransition        this status cannot follow the current one
│   ├── IdempotencyConflict      the key of a request already stands for another one
│   ├── FailureGroupNotFound
│   ├── InteractionNotFound
│   ├── AlreadyAnswered          somebody else answered first
│   ├── TooFewUsers              those that a question is to be assigned to could never decide it
│   ├── AnsweredInTime           the question that was to expire has been answered; nothing was written
│   └── StepConflict             the recorded step is not the one being recorded now; also a PipelineError
├── BlockingCallOnLoop           a synchronous call where it would block an event loop
└── DatabaseError                __cause__ is the driver's exception, where there is one
    ├── InvalidDatabaseUrl
    ├── DatabaseUnavailable      the server or the file cannot be reached; trying again may help
    │   ├── DatabaseRefused      a wrong password, name or folder; waiting does not help, changing it does
    │   └── DatabaseClosed       this manager was closed; trying again never helps
    ├── DatabaseBusy             a lock, a deadlock or a conflict with others; trying again may help
    ├── ReadTooLong              a read of very many rows exceeded its limit
    ├── DatabaseFull             there is no room on its disk; nothing was written
    ├── DatabaseReadOnly
    ├── ConstraintViolated       a constraint of the schema was violated
    ├── InvalidQuery             the SQL or its parameters are wrong
    ├── FileRefused              a run file is not what it should be; nothing of it was used
    ├── TransactionMisuse        the manager was used where the transaction's handle must be
    └── SchemaError              the schema is missing, changed, or needs a newer program
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


class IAModulesError(Exception):
    """The root: catch this to catch everything ia_modules raises on purpose."""


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


class InvalidValue(IAModulesError, ValueError):
    """One value of a document is wrong.

    Attributes:
        found, expected, hint: as in :class:`Problem`.
        inside: keys and indexes from the value down to the wrong part.
    """

    def __init__(self, found: str, expected: str, hint: str = "", *, inside: tuple[str | int, ...] = ()) -> None:
        super().__init__(f"found {found}; expected {expected}.")
        self.found, self.expected, self.hint, self.inside = found, expected, hint, inside


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document.

    Attributes:
        where: JSON path, such as ``$.steps[2].inputs``; ``line 3, column 7`` where the text is not even JSON or YAML.
        hint: what to do, a whole sentence; empty when ``expected`` says it.
        line, column: in the file, counting from 1; None when it came from no file.
    """

    where: str
    found: str
    expected: str
    hint: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"

    @property
    def place(self) -> str:
        """``where``, with line and column where there are any."""
        is_path = self.line is not None and self.where.startswith("$")
        return f"{self.where}, line {self.line}, column {self.column}" if is_path else self.where

    @property
    def text(self) -> str:
        """What was found and expected, and the hint, without the place."""
        return f"found {self.found}; expected {self.expected}.{' ' if self.hint else ''}{self.hint}"


_MAY_BE_OLDER = "if this file was written for 0.2, run it with --format 0.2"
FORMAT_HINT = f"I{_MAY_BE_OLDER[1:]}."
"""What to do about a problem that a file of the 0.2 format would not have."""


def _listed(headline: str, problems: Sequence[Problem]) -> str:
    return "\n- ".join([headline, *map(str, problems)])


class InvalidAnswer(InvalidArgument):
    """An answer is not what its question asks for, or not from one who may give it; nothing was stored.

    Attributes:
        interaction_id: the question.
        problems: at least one; ``where`` is ``response`` and the path in it, or ``actor``.
    """

    def __init__(self, interaction_id: str, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.where, first.found, f"{first.expected}{' ' if first.hint else ''}{first.hint}")
        self.args = (_listed(f"The answer to interaction {interaction_id!r} was not taken:", problems),)
        self.interaction_id, self.problems = interaction_id, tuple(problems)


class QuestionsDiffer(InvalidArgument):
    """One answer was given to many questions, which are not of the same pipeline, version, step and schema.

    Attributes:
        interaction_id: one that is not like the first.
    """

    def __init__(self, interaction_id: str, differs_in: str) -> None:
        expected = "questions of the same pipeline, version, step and schema. Answer that one by itself"
        super().__init__("interaction_ids", f"{interaction_id!r}, which has another {differs_in}", expected)
        self.interaction_id = interaction_id


class PipelineError(IAModulesError):
    """A pipeline cannot be run, or a run of it failed.

    Attributes:
        step_id: the step that is to blame; None where none is.
    """

    step_id: str | None = None


class _Problems(PipelineError):
    """Everything that is wrong, at once.

    Attributes:
        problems: at least one.
        found, expected, where, hint: of the first problem.
    """

    def __init__(self, headline: str, problems: Sequence[Problem]) -> None:
        super().__init__(_listed(headline, problems))
        self.problems = tuple(problems)
        first = problems[0]
        self.found, self.expected, self.where, self.hint = first.found, first.expected, first.where, first.hint


class PipelineDefinitionError(_Problems):
    """The definition is wrong; nothing has run. ``problems`` has everything that is."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("The pipeline definition is wrong:", problems)


class PipelineInputError(_Problems, ValueError):  # pyright: ignore[reportUnsafeMultipleInheritance]
    """The input breaks the pipeline's contract; nothing was recorded as started."""

    def __init__(self, pipeline: str, problems: Sequence[Problem]) -> None:
        headline = f"The input of pipeline {pipeline!r} does not fit its parameters"
        super().__init__(f"{headline} ({_MAY_BE_OLDER}):", problems)
        self.pipeline = pipeline


class PipelineOutputError(_Problems):
    """The steps have run, but the output cannot be kept, or breaks the pipeline's ``output_schema``."""

    def __init__(self, pipeline: str, problems: Sequence[Problem], *, by_schema: bool = True) -> None:
        """``by_schema``: it breaks the schema, which a file of the 0.2 format may do."""
        hint = f" ({_MAY_BE_OLDER})" if by_schema else ""
        super().__init__(f"The output of pipeline {pipeline!r} is not what it must be{hint}:", problems)
        self.pipeline = pipeline


class StepError(PipelineError):
    """A step failed; ``__cause__`` is its own exception, where there is one."""

    def __init__(self, step_id: str, what: str) -> None:
        super().__init__(f"Step {step_id!r} failed: {what}")
        self.step_id = step_id


class StepInputError(StepError):
    """An input does not resolve or breaks its schema; the step did not run."""

    def __init__(self, step_id: str, problems: Sequence[Problem], *, what: str | None = None) -> None:
        """``what``: the sentence of an error that is of another kind."""
        inputs = f"its inputs cannot be put together ({_MAY_BE_OLDER}):"
        super().__init__(step_id, what or _listed(inputs, problems))
        self.problems = tuple(problems)


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
        what = f"does not fit its output_schema ({_MAY_BE_OLDER})" if by_schema else "cannot be merged into the state"
        super().__init__(step_id, _listed(f"its result {what}:", problems))
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


class TrackerError(IAModulesError):
    """The operation does not fit the recorded state."""


class PipelineNotFound(TrackerError):
    """No pipeline has this id, or this slug."""

    def __init__(self, pipeline_id: str) -> None:
        super().__init__(
            f"No pipeline has the id {pipeline_id!r}. Register it first; those there are: ia-modules pipelines list."
        )
        self.pipeline_id = pipeline_id


class PipelineConflict(TrackerError):
    """The slug already stands for another definition; ``new_version=True`` stores this one as its next version."""

    def __init__(self, slug: str, current_version: int) -> None:
        super().__init__(
            f"Pipeline {slug!r} exists with another definition (version {current_version}). "
            "Store this one as its next version, or choose another slug."
        )
        self.slug, self.current_version = slug, current_version


class StaleVersion(TrackerError):
    """Somebody else stored a version meanwhile; nothing was stored.

    Attributes:
        base_version: the version that the new one was made from.
        current_version: the one that is current now; None = none.
    """

    def __init__(self, slug: str, *, base_version: int, current_version: int | None) -> None:
        now = "has no version" if current_version is None else f"is at version {current_version}"
        super().__init__(
            f"Pipeline {slug!r} {now}, not at version {base_version} that this one was made from. "
            "Look at what has changed, and store it again on top of that."
        )
        self.slug, self.base_version, self.current_version = slug, base_version, current_version


class PipelineVersionNotFound(TrackerError):
    """The pipeline has no such version; ``version`` None: it has no definition at all."""

    def __init__(self, slug: str, version: int | None) -> None:
        found = "no definition" if version is None else f"no version {version}"
        super().__init__(f"Pipeline {slug!r} has {found}. Choose one of the versions that it has.")
        self.slug, self.version = slug, version


class SlugMismatch(TrackerError):
    """A new version names another pipeline."""

    def __init__(self, slug: str, found: str) -> None:
        super().__init__(f"The definition has the slug {found!r}; expected {slug!r}. A slug is never changed.")
        self.slug, self.found = slug, found


class PipelineArchived(TrackerError):
    """An archived pipeline starts no more executions."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"Pipeline {slug!r} is archived. Store a version, an old one too, and it is active again.")
        self.slug = slug


class PipelineNotRunnable(TrackerError):
    """There is no definition that could be run."""

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"Pipeline {slug!r} has no definition on record for this: another program runs it. "
            "Start it there, or store a definition first."
        )
        self.slug = slug


class PipelineInUse(TrackerError):
    """Executions of the pipeline have not ended, or are pinned: it is not deleted."""

    def __init__(self, slug: str, *, active: int, pinned: int = 0) -> None:
        found = f"{active} executions that have not ended" if active else f"{pinned} pinned executions"
        advice = "Cancel them first, or archive" if active else "Archive"
        super().__init__(f"Pipeline {slug!r} has {found}. {advice} the pipeline: that keeps its history.")
        self.slug, self.active, self.pinned = slug, active, pinned


class PipelineHasHistory(TrackerError):
    """The pipeline has executions, and its history was not to be deleted with it."""

    def __init__(self, slug: str, executions: int) -> None:
        super().__init__(
            f"Pipeline {slug!r} has {executions} executions on record. "
            "Delete it with its history, or archive it: that keeps its history."
        )
        self.slug, self.executions = slug, executions


class ExecutionNotFound(TrackerError):
    """No execution has this id."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"No execution has the id {execution_id!r}. List what there is: ia-modules executions list.")
        self.execution_id = execution_id


class ExecutionIdConflict(TrackerError, PipelineError):
    """A caller's id of an execution stands for another request; nothing was started.

    Attributes:
        alias: the caller's id.
        execution_id: the execution that has it.
    """

    def __init__(self, alias: str, *, execution_id: str, found: str, advice: str) -> None:
        super().__init__(f"The execution id {alias!r} {found}. {advice}")
        self.alias, self.execution_id = alias, execution_id


class AlreadyStarted(TrackerError):
    """A caller's id stands for an execution that was started before, with the same input; no second one was.

    Attributes:
        alias: the caller's id.
        execution_id: the execution that has it.
        status: as it stood.
    """

    def __init__(self, alias: str, *, execution_id: str, status: str) -> None:
        super().__init__(
            f"The execution id {alias!r} stands for execution {execution_id!r}, which is {status}. "
            "Wait for that one, or run() it, which does; resume=True goes on with one that failed or was cancelled."
        )
        self.alias, self.execution_id, self.status = alias, execution_id, status


class RerunRefused(TrackerError):
    """What a re-run would copy does not fit the version that is to run; nothing was recorded.

    Attributes:
        problems: what does not fit, by step.
        fits_from: the earliest step from which a re-run would fit; None: only a re-run of all of it does.
    """

    def __init__(self, problems: Mapping[str, str], *, fits_from: str | None) -> None:
        found = "; ".join(f"step {step_id!r} {problem}" for step_id, problem in problems.items())
        where = (
            "whole, without a step to begin from" if fits_from is None else f"from step {fits_from!r} or an earlier one"
        )
        super().__init__(f"The version does not fit what would be copied: {found}. Run it again {where}.")
        self.problems, self.fits_from = dict(problems), fits_from


class AlreadyResumed(TrackerError):
    """The execution has not ended: it goes on already, so it was not resumed once more.

    Attributes:
        status: as it stood.
        actor: who resumed it last; None: nobody has.
        resumed_at: when that was.
    """

    def __init__(
        self, execution_id: str, *, status: str, actor: str | None = None, resumed_at: datetime | None = None
    ) -> None:
        when = "" if resumed_at is None else f" at {resumed_at:%Y-%m-%d %H:%M:%S} UTC"
        since = "" if actor is None else f" {actor} resumed it{when}."
        super().__init__(f"Execution {execution_id!r} is {status}: there is nothing to resume.{since}")
        self.execution_id, self.status, self.actor, self.resumed_at = execution_id, status, actor, resumed_at


class CodeNotFound(TrackerError):
    """Workers with this server's code folders cannot run a version: they would not find its code."""

    def __init__(self, pipeline: str, version: int, *, execution_id: str) -> None:
        super().__init__(
            f"The code of pipeline {pipeline!r}, version {version}, is not where workers may take code from. Name its "
            f"folder with --pipelines or its modules with --allow, or go on in its own program: "
            f"ia-modules executions resume {execution_id} --code MODULE:FLOW"
        )
        self.pipeline, self.version, self.execution_id = pipeline, version, execution_id


class ExecutionIsCopy(TrackerError):
    """An execution came from a run file, so another database goes on with it, or could.

    Attributes:
        execution_id: of the copy.
    """

    def __init__(self, execution_id: str) -> None:
        super().__init__(
            f"Execution {execution_id} came from a run file: it is a copy, and only where it ran can it go on. Run it "
            "again here, from a step if need be; completed steps are copied then."
        )
        self.execution_id = execution_id


class ExecutionKept(TrackerError):
    """The execution has not ended, or is pinned: it is not deleted."""

    def __init__(self, execution_id: str, *, status: str, pinned: bool) -> None:
        why = "is pinned, so that it is kept" if pinned else f"is {status}: cancel it first"
        super().__init__(f"Execution {execution_id!r} {why}. It was not deleted.")
        self.execution_id, self.status, self.pinned = execution_id, status, pinned


class NothingToCompareWith(TrackerError):
    """No execution of the same pipeline completed before this one."""

    def __init__(self, execution_id: str, pipeline_name: str) -> None:
        super().__init__(
            f"No execution of {pipeline_name!r} completed before {execution_id!r}. Name another one to compare it with."
        )
        self.execution_id, self.pipeline_name = execution_id, pipeline_name


class StepExecutionNotFound(TrackerError):
    """No step execution has this id."""

    def __init__(self, step_execution_id: str) -> None:
        super().__init__(
            f"No step execution has the id {step_execution_id!r}; expected the id of a step execution that was started."
        )
        self.step_execution_id = step_execution_id


class LeaseLost(TrackerError):
    """Another process owns the execution now, or this one owns it anew; nothing was written.

    Attributes:
        owner: the owner of the execution; None: it has none.
        epoch: how often the execution has been claimed.
    """

    def __init__(self, execution_id: str, *, owner: str | None, epoch: int, writer: str) -> None:
        holder = f"belongs to {owner!r}" if owner else "belongs to nobody"
        super().__init__(
            f"Execution {execution_id!r} {holder} (epoch {epoch}), not to the writer {writer!r}: nothing was written. "
            "Stop working on it. If the other process is gone, take the execution over."
        )
        self.execution_id, self.owner, self.epoch = execution_id, owner, epoch


class AlreadyFinished(TrackerError):
    """A terminal status stands and is never rewritten.

    Attributes:
        what: ``execution`` or ``step execution``.
        status: the status that stands.
        wanted: the status that came too late, or what was to be done.
        ended_at: when it ended; None where that is not known.
    """

    def __init__(
        self, what: str, identifier: str, *, status: str, wanted: str, ended_at: datetime | None = None
    ) -> None:
        since = "" if ended_at is None else f", since {ended_at:%Y-%m-%d %H:%M:%S} UTC"
        super().__init__(f"The {what} {identifier!r} is already {status}{since}; it cannot become {wanted}.")
        self.what, self.identifier, self.status, self.wanted, self.ended_at = what, identifier, status, wanted, ended_at


class InvalidTransition(TrackerError):
    """This status cannot follow the current one."""

    def __init__(self, what: str, identifier: str, *, status: str, wanted: str, allowed: Iterable[str]) -> None:
        super().__init__(
            f"The {what} {identifier!r} is {status} and cannot become {wanted}; expected one of: {', '.join(allowed)}."
        )
        self.what, self.identifier, self.status, self.wanted = what, identifier, status, wanted


class IdempotencyConflict(TrackerError):
    """The key of a request already stands for another one; nothing was queued.

    Attributes:
        execution_id: the execution of the first request.
    """

    def __init__(self, key: str, *, execution_id: str) -> None:
        super().__init__(
            f"The idempotency key {key!r} was used for another request, whose execution is {execution_id!r}. "
            "Send the same request again, or give this one a key of its own."
        )
        self.key, self.execution_id = key, execution_id


class FailureGroupNotFound(TrackerError):
    """No pipeline has failed so."""

    def __init__(self, failure_id: str) -> None:
        super().__init__(
            f"No failures are known as {failure_id!r}; expected the id of a group, such as nightly.0f3a9c2b7d4e1856: "
            "ia-modules failures list"
        )
        self.failure_id = failure_id


class InteractionNotFound(TrackerError):
    """No question to a person has this id."""

    def __init__(self, interaction_id: str) -> None:
        super().__init__(
            f"No interaction has the id {interaction_id!r}; expected one of a step that waits for a person."
        )
        self.interaction_id = interaction_id


class AlreadyAnswered(TrackerError):
    """The question is not open any more.

    Attributes:
        status: ``answered``, ``expired`` or ``cancelled``.
        actor: the person whose answer decided it; None: nobody's did.
        closed_at: since when; None where that is not known.
    """

    def __init__(
        self, interaction_id: str, *, status: str, actor: str | None, closed_at: datetime | None = None
    ) -> None:
        by = f" by {actor}" if actor else ""
        since = "" if closed_at is None else f", since {closed_at:%Y-%m-%d %H:%M:%S} UTC"
        super().__init__(f"Interaction {interaction_id!r} is already {status}{by}{since}; nothing of it was changed.")
        self.interaction_id, self.status, self.actor, self.closed_at = interaction_id, status, actor, closed_at


class TooFewUsers(TrackerError):
    """Those that a question is to be assigned to could never decide it; nothing was changed."""

    def __init__(self, interaction_id: str, found: str, expected: str) -> None:
        super().__init__(f"Interaction {interaction_id!r} cannot be assigned to {found}; expected {expected}.")
        self.interaction_id = interaction_id


class AnsweredInTime(TrackerError):
    """An answer came before it was on record that the time of its question is over: it counts."""

    def __init__(self, interaction_id: str) -> None:
        super().__init__(f"Interaction {interaction_id!r} has been answered, and cannot expire. Take the answer.")
        self.interaction_id = interaction_id


class StepConflict(TrackerError, PipelineError):
    """The recorded step is not the one being recorded now."""

    def __init__(self, step_id: str, *, recorded: str, replayed: str) -> None:
        found = f"Step {step_id!r} was recorded as {recorded} but now comes as {replayed}."
        super().__init__(f"{found} Continue the execution with the version of the program that started it.")
        self.step_id, self.recorded, self.replayed = step_id, recorded, replayed


class BlockingCallOnLoop(IAModulesError, RuntimeError):
    """A synchronous call where it would block an event loop."""

    def __init__(self, called: str, instead: str) -> None:
        super().__init__(
            f"{called}() was called on a running event loop, which it would block. Use: await {instead}()."
        )
        self.called, self.instead = called, instead


class DatabaseError(IAModulesError):
    """The database failed; ``__cause__`` is the driver's exception, where there is one."""


class InvalidDatabaseUrl(DatabaseError, ValueError):
    """The database URL cannot be understood. No password is ever in the message."""


class DatabaseUnavailable(DatabaseError):
    """The server or the file cannot be reached; trying again may help."""


class DatabaseRefused(DatabaseUnavailable):
    """The user, the password, the database's name, the folder or the file is wrong; waiting does not help."""


class DatabaseClosed(DatabaseUnavailable):
    """The manager was closed here; trying again never helps, a new manager does."""


class DatabaseBusy(DatabaseError):
    """Others blocked this one, and nothing was written; trying again may help.

    They held a lock or all connections for too long, or two transactions collided (a deadlock, a serialization failure)
    and the server ended this one.
    """


class ReadTooLong(DatabaseError):
    """A read of very many rows took longer than its limit and was stopped; the rows are intact."""

    def __init__(self, what: str, limit_seconds: float, advice: str) -> None:
        super().__init__(f"Reading {what} took longer than its limit of {limit_seconds:g} seconds. {advice}")
        self.limit_seconds = limit_seconds


class DatabaseFull(DatabaseError):
    """There is no room on the database's disk; nothing was written. Trying again helps when somebody has made room."""


class DatabaseReadOnly(DatabaseError):
    """The database may be read but not written."""


PASSING_DATABASE_ERRORS = (DatabaseUnavailable, DatabaseBusy, DatabaseFull, DatabaseReadOnly)
"""What a write may meet and what may end by itself: it is tried again for a limited time."""


class ConstraintViolated(DatabaseError):
    """A constraint of the schema was violated.

    Attributes:
        constraint: its name, None when the database does not name it.
    """

    def __init__(self, message: str, *, constraint: str | None = None) -> None:
        super().__init__(message)
        self.constraint = constraint


class InvalidQuery(DatabaseError):
    """The SQL or its parameters are wrong."""


class FileRefused(DatabaseError):
    """A run file is damaged, was changed, or is none; nothing of it was used.

    Attributes:
        file: its name.
        found: what is wrong, and what to do.
    """

    def __init__(self, file: str, found: str) -> None:
        super().__init__(f"The file {file} cannot be used: {found.removesuffix('.')}.")
        self.file, self.found = file, found


class TransactionMisuse(DatabaseError):
    """A transaction's rules were broken; everything in it was rolled back.

    The manager was used inside it, its handle after its end or after a failed statement, or it took too long.
    """


class SchemaError(DatabaseError):
    """The schema is missing, was changed, or needs a newer program."""
