"""What may change, and what a change does: the state machine of executions and steps, as pure functions.

A :class:`Transition` is the unit of writing: everything that becomes true of one execution at once. Its owner writes
what it does; a change of ownership (claim, take over, recover, cancel, wake) and an answer come from anybody.
:func:`decide` says what a transition does to the rows as they are known. It is the only place that knows the rules; the
in-memory journal and the tracker's committer both apply it, so that they cannot differ. One SQL sentence repeats a
rule, for speed: ``claim`` in ``database/sql/<dialect>/ownership.sql``, which the conformance suite holds to ``Claim``.
"""

from asyncio import CancelledError
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from traceback import format_exception
from typing import Self

from ia_modules.errors import (
    AlreadyAnswered,
    AlreadyFinished,
    AnsweredInTime,
    ExecutionNotFound,
    InteractionNotFound,
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

PROCESS_LOST = Failure(
    type="ProcessLost",
    message="The process that ran this attempt is gone: it has ended, or was silent for longer than its lease.",
)
"""Stands at an attempt that nobody runs any more; such a step is lost, and made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """An execution that begins to exist: ``running``, owned by the writer, or ``pending`` until somebody claims it.

    Attributes:
        alias: the caller's own id of it; no two executions have the same.
        pipeline_name: None = the name that the pipeline is registered under.
        managed: workers run it; otherwise it is somebody's own program.
        priority: of what waits for a worker, the highest is taken first.
        run_at: no worker claims it before this time; None: at once.
        rerun_of: the execution that this one repeats.
        idempotency_key: what a caller names the request by; a pipeline has no two executions of one key.
        request_hash: tells whether two requests of one key are the same.
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

    ``age_seconds``: how long ago it was logged, when it is written later than that.
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


@dataclass(frozen=True, slots=True)
class Claim:
    """The writer takes a ``pending`` execution from the queue, and runs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    """The writer becomes the owner of an unfinished execution.

    ``reopen``: it runs from here on, also when it had failed or was cancelled. Under a lease, only while that is the
    newest one.
    """

    reopen: bool = False


@dataclass(frozen=True, slots=True)
class RequestCancel:
    """An execution is to be stopped: by its owner when it runs, here and now when nobody runs it."""


@dataclass(frozen=True, slots=True)
class WakeUp:
    """An execution that waits for people only may be claimed again: the time of a question is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What becomes of a stalled execution: ``pending`` for the next worker, or an end with its reason.

    Attributes:
        counted: putting it back counts as a recovery; too many of them are a crash loop.
        lost: stands at the attempts that were still open.
    """

    status: ExecutionStatus
    failure: Failure | None = None
    counted: bool = False
    lost: Failure = PROCESS_LOST


OwnershipChange = Claim | TakeOver | RequestCancel | WakeUp | Recovery
"""Who runs an execution from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person answers; an execution that waits for people only may be claimed again."""

    interaction_id: str
    actor: str
    response: JsonText


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Everything that becomes true of one execution at once, under one sequence number.

    Attributes:
        writer: who writes; must own the execution, unless ``ownership`` or ``answer`` is all that it writes.
        execution_id: the lease's, when there is one; None when only ``updates`` say which execution is meant.
        lease: what it is written under; None = whichever lease the writer holds.
        updates: applied before ``starts``, so that one transition ends an attempt and begins the next.
        expires: interactions whose time is over.
        ownership: a change of who runs the execution; comes alone.
        answer: an answer of a person; comes alone.
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
    ownership: OwnershipChange | None = None
    answer: Answer | None = None

    def __post_init__(self) -> None:
        if self.lease is not None:
            object.__setattr__(self, "execution_id", self.lease.execution_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a transition: lease, sequence and status of the execution afterwards, and whether it changed.

    ``changed`` False: all of it had been recorded before, by this writer or by a lost answer's first try.
    """

    lease: Lease
    sequence: int
    status: ExecutionStatus
    changed: bool

    @property
    def execution_id(self) -> ExecutionId:
        return self.lease.execution_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionState(Record):
    """What a decision needs to know of an execution's row.

    ``completed_at`` is also None when it ended in a decision whose time is not on record yet.
    """

    execution_id: ExecutionId
    status: ExecutionStatus
    owner: str | None
    epoch: int
    recoveries: int
    sequence: int
    cancel_requested: bool
    total_steps: int
    completed_steps: int
    failed_steps: int
    completed_at: datetime | None


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
class InteractionState(Record):
    """What a decision needs to know of a question's row."""

    interaction_id: str
    execution_id: ExecutionId
    step_execution_id: StepExecutionId
    status: str
    actor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The rows that a transition is decided on.

    Attributes:
        execution: its row; None when there is none.
        steps: the rows of the attempts that the transition updates, starts or logs for, where they exist.
        latest: for each step id that the transition starts, the row of its newest attempt, where there is one.
        interactions: the rows of the questions that the transition asks, answers or lets expire, where they exist. When
            it brings the execution to rest also those that are answered while their attempts, which ``steps`` has then,
            still wait.
        already_recorded: ids of the transition's log lines that are stored. Only filled for an ended execution.
        is_owner_gone: the owner counts as gone. Only filled for a recovery.
    """

    execution: ExecutionState | None
    steps: Mapping[StepExecutionId, StepState]
    latest: Mapping[str, StepState]
    interactions: Mapping[str, InteractionState] = field(default_factory=dict[str, InteractionState])
    already_recorded: Container[str] = ()
    is_owner_gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What becomes of the open attempts of an execution that nobody goes on with.

    ``has_ended``: also of those that wait for a person, and of their questions.
    """

    status: StepStatus
    failure: Failure
    has_ended: bool

    def closed(self, step: StepState) -> StepState:
        """A step as it is afterwards."""
        is_open = not step.status.is_terminal and (self.has_ended or step.status is not StepStatus.WAITING)
        return replace(step, status=self.status) if is_open else step

    def closed_question(self, question: InteractionState) -> InteractionState:
        """A question as it is afterwards."""
        is_open = self.has_ended and question.status == "pending"
        return replace(question, status="cancelled") if is_open else question


_END = Closing(status=StepStatus.CANCELLED, failure=ENDED_EARLY, has_ended=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be written: the rows afterwards, and of the transition only what really changes something.

    Attributes:
        execution: its row afterwards.
        steps: the rows afterwards of the attempts that are written, closed ones left out.
        started: the attempts that begin, with iteration and attempt filled in.
        updated: the updates that say something new.
        interactions: the rows afterwards of the questions that are asked, answered or expire.
        closings: what becomes of what is still open, in this order; empty while the execution goes on.
        failure: why the execution ended badly; None leaves what is on record.
        reopened: a bad end is left behind, so what is on record of it goes.
        changed: False when everything had been recorded before.
    """

    execution: ExecutionState
    steps: Mapping[StepExecutionId, StepState] = field(default_factory=dict[StepExecutionId, StepState])
    started: tuple[StepStart, ...] = ()
    updated: tuple[StepUpdate, ...] = ()
    interactions: Mapping[str, InteractionState] = field(default_factory=dict[str, InteractionState])
    closings: tuple[Closing, ...] = ()
    failure: Failure | None = None
    reopened: bool = False
    changed: bool = True

    @property
    def recorded(self) -> Recorded:
        after = self.execution
        lease = Lease(after.execution_id, after.epoch)
        return Recorded(lease=lease, sequence=after.sequence, status=after.status, changed=self.changed)


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
        InteractionNotFound: an answered question does not exist.
        LeaseLost: the writer does not own the execution, or not under this lease.
        AlreadyFinished: the execution or the attempt has ended differently.
        InvalidTransition: the status cannot follow the one that stands.
        StepConflict: an attempt with this id is recorded for another step.
        AlreadyAnswered: the question is not open any more.
        AnsweredInTime: a question that was to expire has been answered.
    """
    if known.execution is None:
        return _decide_work(transition, known, _created(transition))
    if transition.new is not None:
        return _nothing_new(known.execution)
    if transition.ownership is not None:
        return _decide_ownership(transition, known, known.execution, transition.ownership)
    if transition.answer is not None:
        return _decide_answer(transition.answer, known, known.execution)
    _refuse_strangers(transition, known.execution)
    return _decide_work(transition, known, known.execution)


def _decide_work(transition: Transition, known: Known, before: ExecutionState) -> Decision:
    """What the owner writes: attempts that end and begin, questions, lines, and where the execution stands."""
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
        numbered = _with_attempt(start, previous)
        if previous is not None and previous.iteration == numbered.iteration:
            retried += previous.status is StepStatus.FAILED
        newest[start.step_id] = steps[start.step_execution_id] = _state_of(numbered, before.execution_id)
        started.append(numbered)
    interactions = _new_and_expired(transition, known, before)

    ended = [update.status for update in updated]
    after = replace(
        before,
        completed_steps=before.completed_steps + ended.count(StepStatus.COMPLETED),
        failed_steps=max(0, before.failed_steps + ended.count(StepStatus.FAILED) - retried),
    )
    _check_lines(transition, before, known.steps)
    change = transition.change if _changes(transition.change, before) else None
    if change is not None:
        comes_to_rest = change.status is ExecutionStatus.WAITING_FOR_HUMAN
        is_answered = comes_to_rest and _has_unheard_answer(before.execution_id, known, steps)
        after = _apply_change(change, after, is_answered=is_answered)
    if after.completed_steps > before.completed_steps:  # progress: what comes after it is no crash loop
        after = replace(after, recoveries=0)
    lines = [line.log_id for line in transition.logs if line.log_id not in known.already_recorded]
    if not (transition.new or updated or started or change or lines or interactions):
        return _nothing_new(before)
    if before.status.is_terminal:
        wanted = "changed any more" if transition.change is None else str(transition.change.status)
        raise _already_finished(before, wanted)
    return Decision(
        execution=replace(after, sequence=after.sequence + 1),
        steps=steps,
        started=tuple(started),
        updated=updated,
        interactions=interactions,
        closings=(_END,) if after.status.is_terminal else (),
        failure=None if change is None else change.failure,
    )


def _decide_ownership(
    transition: Transition, known: Known, before: ExecutionState, change: OwnershipChange
) -> Decision:
    """Who runs the execution from here on. A new owner raises the epoch, so that older leases write nothing more."""
    after, closings, failure, reopened = before, (), None, False
    match change:
        case Claim():
            after = _claimed(before, transition.writer)
        case TakeOver():
            if not _is_current(transition.lease, before):
                raise _lease_lost(transition, before)
            after = _taken_over(before, transition.writer, reopen=change.reopen)
            reopened = change.reopen
        case RequestCancel():
            after = _to_be_cancelled(before)
        case WakeUp():
            after = _woken(before)
        case Recovery():
            _refuse_what_is_not_stalled(transition, before, is_owner_gone=known.is_owner_gone)
            after = _recovered(before, change)
            lost = Closing(status=StepStatus.LOST, failure=change.lost, has_ended=False)
            closings, failure = (lost,), change.failure
    if after == before:
        return _nothing_new(before)
    return Decision(
        execution=replace(after, sequence=after.sequence + 1),
        closings=(*closings, _END) if after.status.is_terminal else closings,
        failure=failure,
        reopened=reopened,
    )


def _claimed(before: ExecutionState, writer: str) -> ExecutionState:
    if before.status is not ExecutionStatus.PENDING:
        raise _not_allowed(before, ExecutionStatus.RUNNING, _NEXT.get(before.status, ()))
    return replace(before, status=ExecutionStatus.RUNNING, owner=writer, epoch=before.epoch + 1)


def _taken_over(before: ExecutionState, writer: str, *, reopen: bool) -> ExecutionState:
    if before.status is ExecutionStatus.COMPLETED or (before.status.is_terminal and not reopen):
        raise _already_finished(before, f"owned by {writer}")
    taken = replace(before, owner=writer, epoch=before.epoch + 1)
    if not reopen:
        return taken
    running = ExecutionStatus.RUNNING
    return replace(taken, status=running, cancel_requested=False, recoveries=0, completed_at=None)


def _to_be_cancelled(before: ExecutionState) -> ExecutionState:
    if before.status.is_terminal:
        raise _already_finished(before, "cancelled")
    status = ExecutionStatus.CANCELLED if before.status in _AT_REST else before.status
    return replace(before, status=status, cancel_requested=True)


def _woken(before: ExecutionState) -> ExecutionState:
    waits = before.status is ExecutionStatus.WAITING_FOR_HUMAN
    return replace(before, status=ExecutionStatus.PENDING) if waits else before


def _recovered(before: ExecutionState, recovery: Recovery) -> ExecutionState:
    status = _rest(recovery.status, before)
    return replace(
        before,
        status=status,
        owner=before.owner if status.is_terminal else None,
        epoch=before.epoch + 1,
        recoveries=before.recoveries + recovery.counted,
    )


def _refuse_what_is_not_stalled(transition: Transition, before: ExecutionState, *, is_owner_gone: bool) -> None:
    """It has ended, somebody else was faster, or its owner is heard again."""
    if before.status.is_terminal:
        raise _already_finished(before, "recovered")
    is_stalled = before.owner == transition.writer or is_owner_gone
    if before.status is not ExecutionStatus.RUNNING or not is_stalled or not _is_current(transition.lease, before):
        raise _lease_lost(transition, before)


def _decide_answer(answer: Answer, known: Known, before: ExecutionState) -> Decision:
    question = known.interactions.get(answer.interaction_id)
    if question is None:
        raise InteractionNotFound(answer.interaction_id)
    if question.status != "pending":
        raise AlreadyAnswered(answer.interaction_id, status=question.status, actor=question.actor)
    answered = replace(question, status="answered", actor=answer.actor)
    return Decision(
        execution=replace(_woken(before), sequence=before.sequence + 1),
        interactions={answer.interaction_id: answered},
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
        recoveries=0,
        sequence=0,
        cancel_requested=False,
        total_steps=new.total_steps,
        completed_steps=0,
        failed_steps=0,
        completed_at=None,
    )


def _nothing_new(execution: ExecutionState) -> Decision:
    return Decision(execution=execution, changed=False)


def _is_current(lease: Lease | None, execution: ExecutionState) -> bool:
    return lease is None or lease.epoch == execution.epoch


def _lease_lost(transition: Transition, execution: ExecutionState) -> LeaseLost:
    owner, epoch = execution.owner, execution.epoch
    return LeaseLost(execution.execution_id, owner=owner, epoch=epoch, writer=transition.writer)


def _already_finished(execution: ExecutionState, wanted: str) -> AlreadyFinished:
    status, ended_at = execution.status, execution.completed_at
    return AlreadyFinished("execution", execution.execution_id, status=status, wanted=wanted, ended_at=ended_at)


def _not_allowed(
    execution: ExecutionState, wanted: ExecutionStatus, allowed: Iterable[ExecutionStatus]
) -> InvalidTransition:
    status = execution.status
    return InvalidTransition("execution", execution.execution_id, status=status, wanted=wanted, allowed=allowed)


def _refuse_strangers(transition: Transition, execution: ExecutionState) -> None:
    if execution.owner != transition.writer or not _is_current(transition.lease, execution):
        raise _lease_lost(transition, execution)


def _new_and_expired(transition: Transition, known: Known, execution: ExecutionState) -> dict[str, InteractionState]:
    """The questions that close or begin to be asked, as they are then."""
    expiring = [known.interactions[id_] for id_ in transition.expires if id_ in known.interactions]
    for question in expiring:
        if question.status == "answered":
            raise AnsweredInTime(question.interaction_id)
    expired = [replace(question, status="expired") for question in expiring if question.status == "pending"]
    new = [
        InteractionState(
            interaction_id=ask.interaction_id,
            execution_id=execution.execution_id,
            step_execution_id=ask.step_execution_id,
            status="pending",
            actor=None,
        )
        for ask in transition.asks
        if ask.interaction_id not in known.interactions
    ]
    return {question.interaction_id: question for question in (*expired, *new)}


def _has_unheard_answer(execution_id: ExecutionId, known: Known, steps: Mapping[StepExecutionId, StepState]) -> bool:
    """Whether an attempt waits for an answer that came while other steps still ran; ``steps``: as they are by now."""
    answered = [
        question.step_execution_id
        for question in known.interactions.values()
        if question.execution_id == execution_id and question.status == "answered"
    ]
    waiting = [steps.get(attempt) or known.steps.get(attempt) for attempt in answered]
    return any(step is not None and step.status is StepStatus.WAITING for step in waiting)


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


def _with_attempt(start: StepStart, previous: StepState | None) -> StepStart:
    """The start with iteration and attempt: as given, else what follows the step's newest attempt."""
    if start.iteration is not None:
        return replace(start, attempt=start.attempt or 1)
    if previous is None:
        return replace(start, iteration=1, attempt=1)
    if previous.status in (StepStatus.FAILED, StepStatus.LOST):
        return replace(start, iteration=previous.iteration, attempt=previous.attempt + 1)
    return replace(start, iteration=previous.iteration + 1, attempt=1)


def _state_of(start: StepStart, execution_id: ExecutionId) -> StepState:
    return StepState(
        step_execution_id=start.step_execution_id,
        execution_id=execution_id,
        step_id=start.step_id,
        iteration=start.iteration or 1,
        attempt=start.attempt or 1,
        status=start.status,
    )


def _changes(change: ExecutionUpdate | None, execution: ExecutionState) -> bool:
    """Whether a change says anything new. An ended execution that is ended the same way again has nothing new."""
    if change is None:
        return False
    if change.status is None or change.status is execution.status:
        return change != ExecutionUpdate(status=change.status) and not (change.status and execution.status.is_terminal)
    if execution.status.is_terminal:
        raise _already_finished(execution, str(change.status))
    if change.status not in _NEXT[execution.status]:
        raise _not_allowed(execution, change.status, _NEXT[execution.status])
    return True


def _rest(status: ExecutionStatus, execution: ExecutionState) -> ExecutionStatus:
    """What is to be cancelled does not come to rest: nobody would run it, and so nobody would stop it."""
    return ExecutionStatus.CANCELLED if execution.cancel_requested and status in _AT_REST else status


def _apply_change(change: ExecutionUpdate, execution: ExecutionState, *, is_answered: bool) -> ExecutionState:
    def new(value: int | None, otherwise: int) -> int:
        return otherwise if value is None else value

    status = _rest(change.status or execution.status, execution)
    if is_answered and status is ExecutionStatus.WAITING_FOR_HUMAN:
        status = ExecutionStatus.PENDING  # the answer was given while other steps ran: it may be claimed at once
    return replace(
        execution,
        status=status,
        owner=None if change.released else execution.owner,
        total_steps=new(change.total_steps, execution.total_steps),
        completed_steps=new(change.completed_steps, execution.completed_steps),
        failed_steps=new(change.failed_steps, execution.failed_steps),
    )


def recovery_of(stalled: StalledExecution, *, recovery_limit: int, died: bool) -> Recovery:
    """What becomes of an execution that nobody runs.

    Args:
        recovery_limit: how often one is put back before a step of it has completed.
        died: its owner was seen to die. False when its owner lives, and only could not go on with it or was never told
            that it had claimed it: that is no sign of a crash loop.
    """
    if stalled.cancel_requested:
        return Recovery(status=ExecutionStatus.CANCELLED)
    resume = f"ia-modules executions resume {stalled.execution_id}"
    if not stalled.managed:
        message = (
            "The process that ran it is gone: it has ended, or was silent for longer than its lease. Go on: "
            f"{resume}, or start its program again with recover=True"
        )
        return Recovery(status=ExecutionStatus.FAILED, failure=Failure(type="ProcessLost", message=message))
    if died and stalled.recoveries >= recovery_limit:
        message = (
            f"Its worker died {stalled.recoveries + 1} times, and no step completed in between: it may be what kills "
            f"them. When that is repaired, go on: {resume}"
        )
        return Recovery(status=ExecutionStatus.FAILED, failure=Failure(type="CrashLoop", message=message))
    return Recovery(status=ExecutionStatus.PENDING, counted=died)


def recovery_from_blocked_loop(
    stalled: StalledExecution, *, step_id: str | None, is_suspect: bool, blocked_seconds: float, recovery_limit: int
) -> Recovery:
    """What becomes of an execution whose worker lives, while the worker's event loop does not answer.

    Args:
        step_id: the step that blocks the loop; None: not known.
        is_suspect: that step is, or may be, one of this execution; others only ran beside it.
        recovery_limit: how often a suspect is put back before a step of it has completed.
    """
    why = f"The event loop of its worker did not answer for {blocked_seconds:.0f} s"
    who = "which step blocked it is not known" if step_id is None else f"step {step_id!r} blocked it"
    lost = Failure(type="EventLoopBlocked", message=f"{why}: {who}.")
    if stalled.cancel_requested:
        return Recovery(status=ExecutionStatus.CANCELLED, lost=lost)
    if is_suspect and stalled.recoveries >= recovery_limit:
        message = (
            f"{why}: {who}. It was taken over {stalled.recoveries + 1} times, and no step completed in between. "
            "A plain def runs in a thread of its own and blocks nothing. When that is repaired, go on: "
            f"ia-modules executions resume {stalled.execution_id}"
        )
        return Recovery(
            status=ExecutionStatus.FAILED, failure=Failure(type="EventLoopBlocked", message=message), lost=lost
        )
    return Recovery(status=ExecutionStatus.PENDING, counted=is_suspect, lost=lost)
