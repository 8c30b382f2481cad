"""What is written: everything that becomes true of one execution at once.

A :class:`Transition` is the unit of writing. Its owner writes what it does; a change of ownership (claim, take over,
recover, cancel, wake) and an answer come from anybody. What it does to the rows says ``ia_modules.deciding``.
"""

from asyncio import CancelledError
from datetime import datetime
from traceback import format_exception
from typing import Self

from msgspec import Struct, field
from msgspec.structs import force_setattr

from ia_modules.errors import REMOTE_TRACEBACK, InvalidArgument
from ia_modules.models import (
    Attribute,
    Effect,
    ExecutionId,
    ExecutionStatus,
    JsonText,
    Lease,
    LogLevel,
    PipelineId,
    RunPath,
    StepExecutionId,
    StepPlace,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH
from ia_modules.payload import clean_text
from ia_modules.usage import Usage


class Failure(Struct, kw_only=True, frozen=True):
    """Why something failed, as text for people; ``type`` is the exception's class name, None when there was none."""

    type: str | None
    message: str
    traceback: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """What an exception says, as both databases can store it."""
        kind = type(error).__qualname__
        if isinstance(error, CancelledError):
            return cls(type=kind, message=clean_text(error) or "cancelled")
        traceback = getattr(error, REMOTE_TRACEBACK, None) or clean_text("".join(format_exception(error)))
        return cls(type=kind, message=clean_text(error) or kind, traceback=traceback)


class FailedStep(Struct, kw_only=True, frozen=True):
    """The step that an execution failed for, with the step's own failure."""

    step_id: str
    failure: Failure


ENDED_EARLY = Failure(type="ExecutionEnded", message="The execution ended before this step did.")
"""Stands at a step that was still open when its execution ended; such a step is cancelled."""

PART_OF_WHAT_ENDED = Failure(type="RunEnded", message="The run that this one was a part of ended before it did.")
"""Stands at an attempt that was still open when the attempt around it ended; such a step is cancelled."""

PROCESS_LOST = Failure(
    type="ProcessLost",
    message="The process that ran this attempt is gone: it has ended, or was silent for longer than its lease.",
)
"""Stands at an attempt that nobody runs any more; such a step is lost, and made again."""

REMOTE_GIVEN_UP = Failure(
    type="RemoteGivenUp",
    message="Somebody went on without it: it ran on a Ray cluster, and was not asked for any more.",
)
"""Stands at an attempt elsewhere that an operator gave up; such a step is lost, and made again."""


class StepCopy(Struct, kw_only=True, frozen=True):
    """An attempt that has ended and is copied from another execution, with its payloads and its answered question.

    It stands at the level where the other does: of the graph in an execution that begins, or within a run.

    Attributes:
        copied_from: the attempt of the execution before.
        status: of both.
        routes: where the copy leads; the same as the other does, by the places of the paths in the version that runs.
            None: nowhere, as an item.
        interaction_id: of the copy of its question; used only where there is one.
        iteration: of the copy; None: that of the other.
    """

    step_execution_id: StepExecutionId
    copied_from: StepExecutionId
    status: StepStatus
    routes: JsonText | None
    interaction_id: str
    iteration: int | None = None


class NewExecution(Struct, kw_only=True, frozen=True):
    """An execution that begins to exist: ``running`` and the writer's, ``pending`` for anybody, or ``waiting``.

    Attributes:
        alias: the caller's own id of it; no two executions have the same.
        pipeline_name: None = the name that the pipeline is registered under.
        managed: workers run it; otherwise it is somebody's own program.
        priority: of what waits for a worker, the highest is taken first.
        run_at: of a ``waiting`` one, when it becomes ``pending``; None otherwise.
        rerun_of: the execution that this one repeats.
        unless_repeated: refused where another re-run of that one, or of one of its re-runs, goes on or has completed.
        idempotency_key: what a caller names the request by; a pipeline has no two executions of one key.
        request_hash: tells whether two requests of one key are the same.
        overrides: what stands in the place of single step runs, as :mod:`ia_modules.pipeline.overrides` writes it.
        attributes: what it is found by, each key once.
        traceparent: the span of another program that it was begun in, as W3C has it; None: of none.
        age_seconds: how long ago it began, when it is written later than that.
    """

    pipeline_id: PipelineId
    alias: str | None = None
    pipeline_name: str | None = None
    pipeline_version: int | None = None
    status: ExecutionStatus = ExecutionStatus.RUNNING
    managed: bool = False
    trigger: str = "program"
    priority: int = 0
    run_at: datetime | None = None
    rerun_of: ExecutionId | None = None
    unless_repeated: bool = False
    idempotency_key: str | None = None
    request_hash: str | None = None
    total_steps: int = 0
    input_data: JsonText | None = None
    metadata: JsonText | None = None
    overrides: JsonText | None = None
    attributes: tuple[Attribute, ...] = ()
    traceparent: str | None = None
    age_seconds: float = 0.0

    def __post_init__(self) -> None:
        if (self.status is ExecutionStatus.WAITING) != (self.run_at is not None):
            found = f"{self.run_at} of one that begins as {self.status}"
            raise InvalidArgument("run_at", found, "a time of one that begins as waiting, and of no other")


class StepStart(Struct, kw_only=True, frozen=True):
    """An attempt that begins to exist, of a step of the graph or, with ``within``, of one inside a run.

    A pending one with ``wake_after_seconds`` begins so long after it is on record, by the clock of the records.

    Without ``iteration`` and ``attempt`` it is the next attempt of the step's latest iteration when that failed or was
    lost, and the first attempt of the next iteration otherwise. Each level counts for itself. ``effect`` None: nobody
    said. ``awaits``: of one that begins within an attempt elsewhere, the same as there. ``age_seconds``: how long ago
    it began, when it is written later than that.
    """

    step_execution_id: StepExecutionId
    step_id: str
    step_name: str
    step_type: str
    within: RunPath = GRAPH
    iteration: int | None = None
    attempt: int | None = None
    status: StepStatus = StepStatus.RUNNING
    worker: str | None = None
    input_data: JsonText | None = None
    input_refs: JsonText | None = None
    metadata: JsonText | None = None
    effect: Effect | None = None
    wake_after_seconds: float | None = None
    awaits: str | None = None
    age_seconds: float = 0.0

    @property
    def follows(self) -> tuple[RunPath, str, int | None] | None:
        """Which newest attempt must be known: of a step, or of one iteration of it.

        None: of none, since it says itself which attempt it is, and no failure before it is taken out of the counters.
        """
        if self.iteration is None:
            return self.within, self.step_id, None
        if (self.attempt or 1) > 1 and self.within == GRAPH:
            return self.within, self.step_id, self.iteration
        return None


class StepUpdate(Struct, kw_only=True, frozen=True):
    """News of an attempt. None leaves a field as it is; progress that comes after the end is dropped.

    Attributes:
        worker: where an attempt begins that was ``pending``; another process may have put it on record.
        wake_after_seconds: it waits for so long at most, from its writing on, by the clock of the records.
        awaits: what it waits for: ``ANSWER``, without an end where there are no ``wake_after_seconds``, whatever it
            waited for before. Or where it runs: ``ELSEWHERE`` and the cluster's identity, which leaves its time as it
            is. All of it stays on record when that is over.
        metadata: in the place of what was said at its start.
        drops_output: where it completes with this, its lines of level ``output`` are deleted.
        usage: all that it has told so far; what is older than what is on record is left out.
        place: where on a cluster it runs from here on, in the place of one before.
        age_seconds: how long ago it ended, when it is written later than that.
    """

    step_execution_id: StepExecutionId
    status: StepStatus | None = None
    worker: str | None = None
    output_data: JsonText | None = None
    routes: JsonText | None = None
    failure: Failure | None = None
    retry_count: int | None = None
    progress: float | None = None
    progress_message: str | None = None
    wake_after_seconds: float | None = None
    awaits: str | None = None
    metadata: JsonText | None = None
    drops_output: bool = False
    usage: Usage | None = None
    place: StepPlace | None = None
    age_seconds: float = 0.0


ANSWER = "answer"
"""What an attempt awaits that has asked a person."""

ELSEWHERE = "ray:"
"""What an attempt awaits begins with this where it runs on a Ray cluster and outlives its process; then comes which."""


def cluster_in(awaits: str | None) -> str | None:
    """The identity of the Ray cluster that an attempt runs on, by what it awaits; None: it runs on none."""
    return awaits.removeprefix(ELSEWHERE) if awaits is not None and awaits.startswith(ELSEWHERE) else None


class ExecutionUpdate(Struct, kw_only=True, frozen=True):
    """News of the execution itself. None leaves a field as it is; given counts replace what was counted.

    Attributes:
        output_refs: in place of an output that is rebuilt when it is read (``ia_modules.pipeline.outputs``).
        released: nobody owns it from here on, so that whoever claims it goes on with it. One that waits then goes on at
            the earliest time that its attempts wait for; it is ``pending`` at once where that has passed, or where an
            answer has come that an attempt waits for.
        open_steps: stands at the steps that are still open when it ends; None: :data:`ENDED_EARLY`.
        failed_step: what it failed for, by which its failure is grouped; None: no step, but ``failure`` itself.
        finds_failed_step: that is the first step on record whose last attempt failed, where there is one.
        metadata: in the place of what was said when it began.
        age_seconds: how long ago it ended, when it is written later than that.
    """

    status: ExecutionStatus | None = None
    total_steps: int | None = None
    completed_steps: int | None = None
    failed_steps: int | None = None
    output_data: JsonText | None = None
    output_refs: JsonText | None = None
    failure: Failure | None = None
    released: bool = False
    open_steps: Failure | None = None
    failed_step: FailedStep | None = None
    finds_failed_step: bool = False
    metadata: JsonText | None = None
    age_seconds: float = 0.0


class LogLine(Struct, kw_only=True, frozen=True):
    """One line to keep; ``step_execution_id`` None = of the execution itself.

    One of level ``output`` that comes when its attempt has ended is dropped: it is on record, or was deleted.

    ``age_seconds``: how long ago it was logged, when it is written later than that. ``within``: its attempt's; whoever
    writes a line leaves it out. ``logger``: the name of the logger; None: it is logged for the record.
    """

    log_id: str
    message: str
    within: RunPath = GRAPH
    age_seconds: float = 0.0
    level: LogLevel = LogLevel.INFO
    step_execution_id: StepExecutionId | None = None
    logger: str | None = None
    data: JsonText | None = None


class NewInteraction(Struct, kw_only=True, frozen=True):
    """A question to a person, which the attempt waits for.

    Attributes:
        ui_schema: JSON Schema of the answer.
        data: what led to the question, for the person to see.
        assigned_users: the names of those who may answer, a list; None or an empty one: it names nobody.
        assigned_role: whoever has this role may answer too.
        answers: of how many people it needs answers; None: of all that it is assigned to.
        decided_by: the field of an answer by which it is decided when so many agree on it; None: by their number.
        carries: a re-run with an edit in front of it keeps its answer.
        on_timeout: what happens when it is not decided by the time that the attempt waits for.
    """

    interaction_id: str
    step_execution_id: StepExecutionId
    ui_schema: JsonText
    prompt: str | None = None
    data: JsonText | None = None
    assigned_users: JsonText | None = None
    assigned_role: str | None = None
    answers: int | None = 1
    decided_by: str | None = None
    carries: bool = False
    on_timeout: JsonText | None = None


class Claim(Struct, frozen=True):
    """The writer takes a ``pending`` execution from the queue, and runs it."""


class TakeOver(Struct, kw_only=True, frozen=True):
    """The writer becomes the owner of an unfinished execution.

    ``reopen``: it runs from here on, also when it had failed or was cancelled. Under a lease, only while that is the
    newest one.
    """

    reopen: bool = False


class Deed(Struct, kw_only=True, frozen=True):
    """Somebody does something: a row for the audit log, written with what it makes true.

    Attributes:
        action: object and verb, such as ``execution.resume``.
        detail: further facts, such as a reason; None: there are none.
        audit_id: of the row, so that a transition that is written again has it once.
    """

    actor: str
    action: str
    detail: JsonText | None = None
    audit_id: str = field(default_factory=new_id)


class Requeue(Struct, frozen=True):
    """An execution that failed or was cancelled goes back into the queue, from where it stopped; workers run it now.

    ``deed``: whose; None: nobody's, and the audit log has nothing of it.
    """

    deed: Deed | None = None


class RequestCancel(Struct, frozen=True):
    """An execution is to be stopped: by its owner when it runs, here and now when nobody runs it.

    ``deed``: whose, also where it is to be stopped already; None: nobody's, and the audit log has nothing of it.
    """

    deed: Deed | None = None


class WakeUp(Struct, frozen=True):
    """An execution that waits may be claimed again: its time has come."""


class Recovery(Struct, kw_only=True, frozen=True):
    """What becomes of a stalled execution: ``pending`` for the next worker, or an end with its reason.

    Attributes:
        counted: putting it back counts as a recovery; too many of them are a crash loop.
        lost: stands at the attempts that were still open.
    """

    status: ExecutionStatus
    failure: Failure | None = None
    counted: bool = False
    lost: Failure = PROCESS_LOST


OwnershipChange = Claim | TakeOver | Requeue | RequestCancel | WakeUp | Recovery
"""Who runs an execution from here on."""


class Answer(Struct, kw_only=True, frozen=True):
    """What a person answers; when that decides it, an execution that waits for people only may be claimed again.

    Attributes:
        verified: the name is that of a key, which was checked; otherwise it is what was said.
        deed: for the audit log, where it changes something; None: that has nothing of it.
    """

    interaction_id: str
    actor: str
    response: JsonText
    verified: bool = False
    deed: Deed | None = None


class Assignment(Struct, kw_only=True, frozen=True):
    """Who may answer a question from here on, by name; nobody: it is assigned to nobody by name.

    ``deed``: for the audit log, where it changes something; None: that has nothing of it.
    """

    interaction_id: str
    users: tuple[str, ...]
    deed: Deed | None = None


class Expiry(Struct, kw_only=True, frozen=True):
    """The time of a question is over.

    ``seen``: how many answers were on record when that was found. When more have come, it does not expire so: what
    follows from it was decided without them.
    """

    interaction_id: str
    seen: int = 0


class Transition(Struct, kw_only=True, frozen=True):
    """Everything that becomes true of one execution at once, under one sequence number.

    Attributes:
        writer: who writes; must own the execution, unless ``ownership`` or ``answer`` is all that it writes.
        execution_id: the lease's, when there is one; None when only ``updates`` say which execution is meant.
        lease: what it is written under; None = whichever lease the writer holds.
        copies: attempts of the execution before that are its own, too: of the graph's as it begins, of items later.
        updates: applied before ``starts``, so that one transition ends an attempt and begins the next. What is open
            within an attempt that ends is closed in between.
        expires: questions whose time is over.
        ownership: a change of who runs the execution; comes alone.
        answer: an answer of a person, or who may answer; comes alone.
    """

    writer: str
    execution_id: ExecutionId | None = None
    lease: Lease | None = None
    new: NewExecution | None = None
    copies: tuple[StepCopy, ...] = ()
    updates: tuple[StepUpdate, ...] = ()
    starts: tuple[StepStart, ...] = ()
    change: ExecutionUpdate | None = None
    logs: tuple[LogLine, ...] = ()
    asks: tuple[NewInteraction, ...] = ()
    expires: tuple[Expiry, ...] = ()
    ownership: OwnershipChange | None = None
    answer: Answer | Assignment | None = None

    def __post_init__(self) -> None:
        if self.lease is not None:
            force_setattr(self, "execution_id", self.lease.execution_id)


class Recorded(Struct, kw_only=True, frozen=True):
    """What became of a transition: lease, sequence and status of the execution afterwards, and whether it changed.

    ``changed`` False: all of it had been recorded before, by this writer or by a lost answer's first try.
    ``iterations``: of the attempts that begin with it, in their order.
    """

    lease: Lease
    sequence: int
    status: ExecutionStatus
    changed: bool
    iterations: tuple[int, ...] = ()

    @property
    def execution_id(self) -> ExecutionId:
        return self.lease.execution_id
