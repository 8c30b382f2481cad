"""What may change, and what a change does: the state machine of executions and steps, as pure functions.

A :class:`Transition` is the unit of writing: everything that becomes true of one execution at once. :func:`decide` says
what a transition does to the rows as they are known. It is the only place that knows the rules; the in-memory journal
and the tracker's committer both apply it, so that they cannot differ.
"""

from asyncio import CancelledError
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from traceback import format_exception
from typing import Self

from ia_modules.errors import (
    AlreadyFinished,
    AnsweredInTime,
    ExecutionNotFound,
    InvalidTransition,
    LeaseLost,
    StepConflict,
    StepExecutionNotFound,
)
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    JsonText,
    Lease,
    LogLevel,
    PipelineId,
    Record,
    StalledExecution,
    StepExecutionId,
    StepStatus,
)
from ia_modules.payload import clean_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
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
        return cls(type=kind, message=clean_text(error) or kind, traceback=clean_text("".join(format_exception(error))))


ENDED_EARLY = Failure(type="ExecutionEnded", message="The execution ended before this step did.")
"""Stands at a step that was still open when its execution ended; such a step is cancelled."""

PROCESS_LOST = Failure(type="ProcessLost", message="The process that ran this attempt ended before it did.")
"""Stands at an attempt that nobody runs any more; such a step is lost, and made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """An execution that begins to exist: ``running``, owned by the writer, or ``pending`` until somebody claims it.

    Attributes:
        pipeline_name: None = the name that the pipeline is registered under.
        managed: workers run it; otherwise it is somebody's own program.
        priority: of what waits for a worker, the highest is taken first.
        run_at: no worker claims it before this time; None: at once.
        rerun_of: the execution that this one repeats.
        idempotency_key: what a caller names the request by; a pipeline has no two executions of one key.
        request_hash: tells whether two requests of one key are the same.
    """

    pipeline_id: PipelineId
    pipeline_name: str | None = None
    pipeline_version: int | None = None
    status: ExecutionStatus = ExecutionStatus.RUNNING
    managed: bool = False
    trigger: str = "program"
    priority: int = 0
    run_at: datetime | None = None
    rerun_of: ExecutionId | None = None
    idempotency_key: str | None = None
    request_hash: str | None = None
    total_steps: int = 0
    input_data: JsonText | None = None
    metadata: JsonText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStart:
    """An attempt that begins to exist.

    Without ``iteration`` and ``attempt`` it is the next attempt of the step's latest iteration when that failed or was
    lost, and the first attempt of the next iteration otherwise.
    """

    step_execution_id: StepExecutionId
    step_id: str
    step_name: str
    step_type: str
    iteration: int | None = None
    attempt: int | None = None
    status: StepStatus = StepStatus.RUNNING
    worker: str | None = None
    input_data: JsonText | None = None
    input_refs: JsonText | None = None
    metadata: JsonText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpdate:
    """News of an attempt. None leaves a field as it is; progress that comes after the end is dropped."""

    step_execution_id: StepExecutionId
    status: StepStatus | None = None
    output_data: JsonText | None = None
    routes: JsonText | None = None
    failure: Failure | None = None
    retry_count: int | None = None
    progress: float | None = None
    progress_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionUpdate:
    """News of the execution itself. None leaves a field as it is; given counts replace what was counted.

    ``released``: nobody owns it from here on, so that whoever claims it goes on with it.
    """

    status: ExecutionStatus | None = None
    total_steps: int | None = None
    completed_steps: int | None = None
    failed_steps: int | None = None
    output_data: JsonText | None = None
    failure: Failure | None = None
    released: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line to keep; ``step_execution_id`` None = of the execution itself.

    ``age_seconds``: how long ago it was said, when it is written later than that.
    """

    log_id: str
    message: str
    age_seconds: float = 0.0
    level: LogLevel = LogLevel.INFO
    step_execution_id: StepExecutionId | None = None
    data: JsonText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInteraction:
    """A question to a person, which the attempt waits for.

    Attributes:
        ui_schema: JSON Schema of the answer.
        data: what led to the question, for the person to see.
        on_timeout: what happens when nobody answers within ``timeout_seconds`` (None: for ever).
    """

    interaction_id: str
    step_execution_id: StepExecutionId
    ui_schema: JsonText
    prompt: str | None = None
    data: JsonText | None = None
    assigned_users: JsonText | None = None
    on_timeout: JsonText | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Everything that becomes true of one execution at once, under one sequence number.

    Attributes:
        writer: who writes; must own the execution.
        execution_id: the lease's, when there is one; None when only ``updates`` say which execution is meant.
        lease: what it is written under; None = whichever lease the writer holds.
        updates: applied before ``starts``, so that one transition ends an attempt and begins the next.
        expires: interactions whose time is over.
    """

    writer: str
    execution_id: ExecutionId | None = None
    lease: Lease | None = None
    new: NewExecution | None = None
    updates: tuple[StepUpdate, ...] = ()
    starts: tuple[StepStart, ...] = ()
    change: ExecutionUpdate | None = None
    logs: tuple[LogLine, ...] = ()
    asks: tuple[NewInteraction, ...] = ()
    expires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.lease is not None:
            object.__setattr__(self, "execution_id", self.lease.execution_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a transition: the execution's sequence and status after it, and whether it changed anything.

    ``changed`` False: all of it had been recorded before, by this writer or by a lost answer's first try.
    """

    execution_id: ExecutionId
    sequence: int
    status: ExecutionStatus
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionState(Record):
    """What a decision needs to know of an execution's row."""

    execution_id: ExecutionId
    status: ExecutionStatus
    owner: str | None
    epoch: int
    sequence: int
    cancel_requested: bool
    total_steps: int
    completed_steps: int
    failed_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState(Record):
    """What a decision needs to know of a step execution's row."""

    step_execution_id: StepExecutionId
    execution_id: ExecutionId
    step_id: str
    iteration: int
    attempt: int
    status: StepStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The rows that a transition is decided on.

    Attributes:
        execution: its row; None when there is none.
        steps: the rows of the attempts that the transition updates, starts or logs for, where they exist.
        latest: for each step id that the transition starts, the row of its newest attempt, where there is one.
        beside: of an execution that has ended, those of the transition's log lines and questions that are on record.
        answered: those of the questions that the transition lets expire that have an answer.
    """

    execution: ExecutionState | None
    steps: Mapping[StepExecutionId, StepState]
    latest: Mapping[str, StepState]
    beside: Container[str] = ()
    answered: Container[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be written: the rows afterwards, and of the transition only what really changes something.

    Attributes:
        execution: its state afterwards.
        steps: the states of the attempts that changed, as they are afterwards.
        started: the starts, each with its iteration and attempt settled.
        closes_open_steps: the execution ends here, so what still runs in it is cancelled.
        changed: False when everything had been recorded before.
    """

    execution: ExecutionState
    steps: Mapping[StepExecutionId, StepState]
    started: tuple[StepStart, ...]
    updated: tuple[StepUpdate, ...]
    closes_open_steps: bool
    changed: bool


_AT_REST = (ExecutionStatus.PENDING, ExecutionStatus.WAITING_FOR_HUMAN)
_NEXT: Mapping[ExecutionStatus, tuple[ExecutionStatus, ...]] = {
    ExecutionStatus.PENDING: (ExecutionStatus.RUNNING, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED),
    ExecutionStatus.RUNNING: tuple(status for status in ExecutionStatus if status is not ExecutionStatus.RUNNING),
    ExecutionStatus.WAITING_FOR_HUMAN: tuple(
        status for status in ExecutionStatus if status is not ExecutionStatus.WAITING_FOR_HUMAN
    ),
}


def decide(transition: Transition, known: Known) -> Decision:
    """What a transition does to the rows as they are known.

    Raises:
        ExecutionNotFound: there is no such execution.
        StepExecutionNotFound: an updated attempt does not exist in this execution.
        LeaseLost: the writer does not own the execution, or not under this epoch.
        AlreadyFinished: the execution or the attempt has ended differently.
        InvalidTransition: the status cannot follow the one that stands.
        StepConflict: an attempt with this id is recorded for another step.
        AnsweredInTime: a question that was to expire has been answered.
    """
    if known.execution is None:
        before = _created(transition)
    elif transition.new is not None:
        return _nothing_new(known.execution)
    else:
        before = known.execution
        _refuse_strangers(transition, before)
        _refuse_to_expire_answers(transition, known.answered)

    updated = tuple(update for update in transition.updates if _is_news(update, before, known.steps))
    steps = {
        update.step_execution_id: replace(known.steps[update.step_execution_id], status=update.status)
        for update in updated
        if update.status is not None
    }
    newest = {step_id: steps.get(step.step_execution_id, step) for step_id, step in known.latest.items()}
    retried = 0
    started: list[StepStart] = []
    for start in transition.starts:
        if _is_recorded(start, known.steps):
            continue
        previous = newest.get(start.step_id)
        settled = _settle_attempt(start, previous)
        if previous is not None and previous.iteration == settled.iteration:
            retried += previous.status is StepStatus.FAILED
        newest[start.step_id] = steps[start.step_execution_id] = _state_of(settled, before.execution_id)
        started.append(settled)

    ended = [update.status for update in updated]
    after = replace(
        before,
        completed_steps=before.completed_steps + ended.count(StepStatus.COMPLETED),
        failed_steps=max(0, before.failed_steps + ended.count(StepStatus.FAILED) - retried),
    )
    _check_lines(transition, before, known.steps)
    change = transition.change if _changes(transition.change, before) else None
    if change is not None:
        after = _apply_change(change, after)
    ids = [line.log_id for line in transition.logs] + [ask.interaction_id for ask in transition.asks]
    beside = [id_ for id_ in ids if id_ not in known.beside]
    if not (transition.new or updated or started or change or beside or transition.expires):
        return _nothing_new(before)
    if before.status.is_terminal:
        wanted = "changed any more" if transition.change is None else str(transition.change.status)
        raise AlreadyFinished("execution", before.execution_id, status=before.status, wanted=wanted)
    return Decision(
        execution=replace(after, sequence=after.sequence + 1),
        steps=steps,
        started=tuple(started),
        updated=updated,
        closes_open_steps=after.status.is_terminal,
        changed=True,
    )


def _created(transition: Transition) -> ExecutionState:
    new = transition.new
    if new is None or transition.execution_id is None:
        raise ExecutionNotFound(transition.execution_id or "")
    claimed = new.status is not ExecutionStatus.PENDING
    return ExecutionState(
        execution_id=transition.execution_id,
        status=new.status,
        owner=transition.writer if claimed else None,
        epoch=1 if claimed else 0,
        sequence=0,
        cancel_requested=False,
        total_steps=new.total_steps,
        completed_steps=0,
        failed_steps=0,
    )


def _nothing_new(execution: ExecutionState) -> Decision:
    return Decision(execution=execution, steps={}, started=(), updated=(), closes_open_steps=False, changed=False)


def _refuse_strangers(transition: Transition, execution: ExecutionState) -> None:
    is_lease_current = transition.lease is None or transition.lease.epoch == execution.epoch
    if execution.owner != transition.writer or not is_lease_current:
        raise LeaseLost(execution.execution_id, owner=execution.owner, epoch=execution.epoch, writer=transition.writer)


def _refuse_to_expire_answers(transition: Transition, answered: Container[str]) -> None:
    for interaction_id in transition.expires:
        if interaction_id in answered:
            raise AnsweredInTime(interaction_id)


def _is_news(update: StepUpdate, execution: ExecutionState, steps: Mapping[StepExecutionId, StepState]) -> bool:
    """Whether an update says anything that the attempt's row does not say already."""
    step = steps.get(update.step_execution_id)
    if step is None or step.execution_id != execution.execution_id:
        raise StepExecutionNotFound(update.step_execution_id)
    if step.status.is_terminal:
        if update.status in (None, step.status):
            return False
        raise AlreadyFinished("step execution", step.step_execution_id, status=step.status, wanted=str(update.status))
    if update.status is StepStatus.PENDING and step.status is not StepStatus.PENDING:
        allowed = [status for status in StepStatus if status is not StepStatus.PENDING]
        raise InvalidTransition(
            "step execution", step.step_execution_id, status=step.status, wanted=update.status, allowed=allowed
        )
    return True


def _check_lines(transition: Transition, execution: ExecutionState, steps: Mapping[StepExecutionId, StepState]) -> None:
    """A line may only stand at an attempt of its own execution."""
    begins = {start.step_execution_id for start in transition.starts}
    attempts = {line.step_execution_id for line in transition.logs if line.step_execution_id is not None}
    for attempt in attempts - begins:
        step = steps.get(attempt)
        if step is None or step.execution_id != execution.execution_id:
            raise StepExecutionNotFound(attempt)


def _is_recorded(start: StepStart, steps: Mapping[StepExecutionId, StepState]) -> bool:
    recorded = steps.get(start.step_execution_id)
    if recorded is not None and recorded.step_id != start.step_id:
        raise StepConflict(start.step_execution_id, recorded=recorded.step_id, replayed=start.step_id)
    return recorded is not None


def _settle_attempt(start: StepStart, previous: StepState | None) -> StepStart:
    """The start with iteration and attempt: as given, else what follows the step's newest attempt."""
    if start.iteration is not None:
        return replace(start, attempt=start.attempt or 1)
    if previous is None:
        return replace(start, iteration=1, attempt=1)
    if previous.status in (StepStatus.FAILED, StepStatus.LOST):
        return replace(start, iteration=previous.iteration, attempt=previous.attempt + 1)
    return replace(start, iteration=previous.iteration + 1, attempt=1)


def _state_of(settled: StepStart, execution_id: ExecutionId) -> StepState:
    return StepState(
        step_execution_id=settled.step_execution_id,
        execution_id=execution_id,
        step_id=settled.step_id,
        iteration=settled.iteration or 1,
        attempt=settled.attempt or 1,
        status=settled.status,
    )


def _changes(change: ExecutionUpdate | None, execution: ExecutionState) -> bool:
    """Whether a change says anything new. An ended execution that is ended the same way again has nothing new."""
    if change is None:
        return False
    if change.status is None or change.status is execution.status:
        return change != ExecutionUpdate(status=change.status) and not (change.status and execution.status.is_terminal)
    if execution.status.is_terminal:
        raise AlreadyFinished("execution", execution.execution_id, status=execution.status, wanted=str(change.status))
    if change.status not in _NEXT[execution.status]:
        raise InvalidTransition(
            "execution",
            execution.execution_id,
            status=execution.status,
            wanted=change.status,
            allowed=_NEXT[execution.status],
        )
    return True


def _apply_change(change: ExecutionUpdate, execution: ExecutionState) -> ExecutionState:
    def given(value: int | None, otherwise: int) -> int:
        return otherwise if value is None else value

    status = change.status or execution.status
    if execution.cancel_requested and status in _AT_REST:
        status = ExecutionStatus.CANCELLED  # nobody would run it, and so nobody would stop it
    return replace(
        execution,
        status=status,
        owner=None if change.released else execution.owner,
        total_steps=given(change.total_steps, execution.total_steps),
        completed_steps=given(change.completed_steps, execution.completed_steps),
        failed_steps=given(change.failed_steps, execution.failed_steps),
    )


@dataclass(frozen=True, slots=True)
class Recovery:
    """What becomes of a stalled execution: ``pending`` for the next worker, or an end with its reason."""

    status: ExecutionStatus
    failure: Failure | None = None


def recovery_of(stalled: StalledExecution, *, recovery_limit: int, died: bool = True) -> Recovery:
    """What becomes of an execution whose owner is gone.

    Args:
        recovery_limit: how often one is put back before a step of it has completed.
        died: False when its owner lives and only could not write: that is no sign of a crash loop.
    """
    if stalled.cancel_requested:
        return Recovery(ExecutionStatus.CANCELLED)
    if not stalled.managed:
        message = (
            f"The process that ran it ended before it did. Go on: ia-modules executions resume {stalled.execution_id}"
        )
        return Recovery(ExecutionStatus.FAILED, Failure(type="ProcessLost", message=message))
    if died and stalled.recoveries >= recovery_limit:
        message = (
            f"Its worker died {stalled.recoveries + 1} times, and no step completed in between: it may be what kills "
            f"them. When that is repaired, go on: ia-modules executions resume {stalled.execution_id}"
        )
        return Recovery(ExecutionStatus.FAILED, Failure(type="CrashLoop", message=message))
    return Recovery(ExecutionStatus.PENDING)
