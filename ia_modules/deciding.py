"""What a change does: the state machine of executions and steps, as pure functions.

:func:`decide` says what a transition does to the rows as they are known. It is the only place that knows the rules; the
in-memory journal and the tracker's committer both apply it, so that they cannot differ. Two sentences of SQL
repeat a rule, for speed: ``claim`` and ``wake_due`` in ``database/sql/<dialect>/ownership.sql``; the conformance suite
holds them to ``Claim`` and ``WakeUp``.
"""

from collections.abc import Container, Iterable, Mapping

import orjson
from msgspec import Struct, field
from msgspec.structs import replace

from ia_modules.answering import answered, assigned
from ia_modules.closing import END, Closing, around, lost
from ia_modules.errors import (
    AlreadyFinished,
    AnsweredInTime,
    ExecutionNotFound,
    InteractionNotFound,
    InvalidTransition,
    StepConflict,
    StepExecutionNotFound,
)
from ia_modules.failure_groups import FailureGroup, group_of
from ia_modules.models import ExecutionId, ExecutionStatus, Lease, LogLevel, RunPath, StepExecutionId, StepStatus
from ia_modules.ownership import handed_over, woken
from ia_modules.paths import GRAPH
from ia_modules.states import (
    NEXT,
    WAITING,
    ExecutionState,
    InteractionState,
    Known,
    StepState,
    already_finished,
    at_rest,
    is_current,
    lease_lost,
    not_allowed,
)
from ia_modules.transitions import (
    Answer,
    Assignment,
    ExecutionUpdate,
    Failure,
    LogLine,
    NewInteraction,
    OwnershipChange,
    Recorded,
    Recovery,
    StepCopy,
    StepStart,
    StepUpdate,
    Transition,
)
from ia_modules.usage import Spent


class Decision(Struct, kw_only=True, frozen=True):
    """What is to be written: the rows afterwards, and of the transition only what really changes something.

    Attributes:
        execution: its row afterwards.
        copied: the copies that are not on record yet.
        steps: the rows afterwards of the attempts that the transition updates or starts.
        started: the attempts that begin, with iteration and attempt filled in.
        iterations: of all attempts that the transition begins, also of those that are on record already.
        updated: the updates that say something new.
        spent: by what the sums of the execution rise; None: no attempt has told more.
        interactions: the rows afterwards of the questions that are asked, answered or assigned, or expire.
        logs: the lines, each at the level of its attempt.
        dropped: the attempts whose lines of level ``output`` are deleted.
        closings: what becomes of what is still open, in this order.
        failure: why the execution ended badly; None leaves what is on record.
        group: of its failure, where it fails; where its step is to be found on record, as if none had failed.
        reopened: a bad end is left behind, so what is on record of it goes.
        rests: it waits from here on, and nobody owns it: when it goes on is for the rows to say, and whether that has
            come already.
        changed: False when everything had been recorded before.
    """

    execution: ExecutionState
    copied: tuple[StepCopy, ...] = ()
    steps: Mapping[StepExecutionId, StepState] = field(default_factory=dict[StepExecutionId, StepState])
    started: tuple[StepStart, ...] = ()
    iterations: tuple[int, ...] = ()
    updated: tuple[StepUpdate, ...] = ()
    spent: Spent | None = None
    interactions: Mapping[str, InteractionState] = field(default_factory=dict[str, InteractionState])
    logs: tuple[LogLine, ...] = ()
    dropped: tuple[StepExecutionId, ...] = ()
    closings: tuple[Closing, ...] = ()
    failure: Failure | None = None
    group: FailureGroup | None = None
    reopened: bool = False
    rests: bool = False
    changed: bool = True

    @property
    def recorded(self) -> Recorded:
        after = self.execution
        lease = Lease(after.execution_id, after.epoch)
        return Recorded(
            lease=lease,
            sequence=after.sequence,
            status=after.status,
            changed=self.changed,
            iterations=self.iterations,
        )


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
        AnsweredInTime: a question that was to expire has been answered, or has more answers than were seen.
        TooFewUsers: those that a question is to be assigned to could never decide it.
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
    copied = transition.copies and tuple(c for c in transition.copies if c.step_execution_id not in known.steps)
    news, steps, closings = _news(transition, known, before)
    spent = _spend(news, known.steps, steps)
    updated = tuple([_closed_with(closings, update, steps) for update in news]) if closings else tuple(news)
    newest: dict[tuple[RunPath, str, int | None], StepState] = {}
    for key, step in known.latest.items():
        newest[key] = _after(closings, steps.get(step.step_execution_id, step))
    retried = 0
    started: list[StepStart] = []
    iterations: list[int] = []
    for start in transition.starts:
        if _is_recorded(start, known.steps):
            iterations.append(known.steps[start.step_execution_id].iteration)
            continue
        previous = newest.get(start.follows) if start.follows else None
        numbered = _with_attempt(start, previous)
        if previous is not None and previous.iteration == numbered.iteration and start.within == GRAPH:
            retried += previous.status is StepStatus.FAILED
        state = steps[start.step_execution_id] = _state_of(numbered, before.execution_id)
        newest[start.within, start.step_id, None] = newest[start.within, start.step_id, state.iteration] = state
        started.append(numbered)
        iterations.append(state.iteration)
    interactions = _new_and_expired(transition, known, before) if transition.asks or transition.expires else {}

    completed = failed = 0
    for update in updated:
        if steps[update.step_execution_id].within == GRAPH:
            completed += update.status is StepStatus.COMPLETED
            failed += update.status is StepStatus.FAILED
    after = before.with_counts(
        sequence=before.sequence + 1,
        completed_steps=before.completed_steps + completed,
        failed_steps=max(0, before.failed_steps + failed - retried),
    )
    dropped = tuple(
        [each.step_execution_id for each in updated if each.drops_output and each.status is StepStatus.COMPLETED]
    )
    logs = _placed_lines(transition, before, known.steps, steps, dropped) if transition.logs else ()
    change = transition.change
    if change is not None:
        change = change if _changes(change, before) else None
        after = after if change is None else _apply_change(change, after)
    if after.recoveries and any(update.status is StepStatus.COMPLETED for update in updated):
        after = replace(after, recoveries=0)  # progress: what comes after is no crash loop
    lines = logs and [line.log_id for line in logs if line.log_id not in known.already_recorded]
    if not (transition.new or copied or updated or started or change or lines or interactions):
        return _nothing_new(before, tuple(iterations))
    if before.status.is_terminal:
        wanted = "changed any more" if transition.change is None else str(transition.change.status)
        raise already_finished(before, wanted)
    if after.status.is_terminal:
        closings = (*closings, _end(change))
        steps = {id_: END.closed(step) for id_, step in steps.items()}
        interactions = {id_: END.closed_question(question, steps) for id_, question in interactions.items()}
    return Decision(
        execution=after,
        copied=copied,
        steps=steps,
        started=tuple(started),
        iterations=tuple(iterations),
        updated=updated,
        spent=spent,
        interactions=interactions,
        logs=logs,
        dropped=dropped,
        closings=closings,
        failure=None if change is None else change.failure,
        group=_group(before, after, change),
        rests=change is not None and change.released and after.status in WAITING,
    )


def _news(
    transition: Transition, known: Known, before: ExecutionState
) -> tuple[list[StepUpdate], dict[StepExecutionId, StepState], tuple[Closing, ...]]:
    """The updates that say something new, the rows of their attempts afterwards, and what these close around them."""
    news: list[StepUpdate] = []
    steps: dict[StepExecutionId, StepState] = {}
    closings: tuple[Closing, ...] = ()
    for update in transition.updates:
        if not _is_news(update, before, known.steps):
            continue
        news.append(update)
        was = known.steps[update.step_execution_id]
        step = was if update.status is None else was.with_status(update.status)
        step = step if update.awaits is None else replace(step, awaits=update.awaits)
        steps[update.step_execution_id] = step
        if step.status.is_terminal and (known.has_inner or was.status is StepStatus.WAITING):
            closings = (*closings, around(step, update.failure))
    return news, steps, closings


def _spend(
    news: list[StepUpdate],
    before: Mapping[StepExecutionId, StepState],
    steps: dict[StepExecutionId, StepState],
) -> Spent | None:
    """By what the sums of the execution rise; the rows have it afterwards, and the updates no usage that is older.

    Every attempt counts, at all levels and however it ends: what was used was used.
    """
    total: Spent | None = None
    so_far: dict[StepExecutionId, Spent] = {}
    for number, update in enumerate(news):
        id_ = update.step_execution_id
        if update.usage is None:  # as most
            continue
        more = update.usage.spent.since(so_far[id_] if id_ in so_far else before[id_].spent)
        if more is None:
            news[number] = replace(update, usage=None)
            continue
        so_far[id_] = update.usage.spent
        total = more if total is None else total.plus(more)
    for id_, spent in so_far.items():
        steps[id_] = steps[id_].with_spent(spent)
    return total


def _end(change: ExecutionUpdate | None) -> Closing:
    """What becomes of what is open at the end, with the reason of the end where it gives one."""
    return END if change is None or change.open_steps is None else replace(END, failure=change.open_steps)


def _group(
    before: ExecutionState, after: ExecutionState, change: ExecutionUpdate | Recovery | None
) -> FailureGroup | None:
    """What the failure of an execution that fails now has in common with others."""
    if change is None or after.status is not ExecutionStatus.FAILED or before.status is ExecutionStatus.FAILED:
        return None
    if isinstance(change, ExecutionUpdate) and change.failed_step is not None:
        return grouped(change.failed_step.step_id, change.failed_step.failure)
    return grouped("", change.failure)


def grouped(step_id: str, failure: Failure | None) -> FailureGroup:
    """The group of a failure of a step; empty: of none."""
    return group_of(step_id, None if failure is None else failure.type, "" if failure is None else failure.message)


def _decide_ownership(
    transition: Transition, known: Known, before: ExecutionState, change: OwnershipChange
) -> Decision:
    """Who runs the execution from here on."""
    after = handed_over(transition, change, before, is_owner_gone=known.is_owner_gone)
    if after == before:
        return _nothing_new(before)
    closings, failure = (), None
    if isinstance(change, Recovery):
        closings, failure = (lost(change.lost),), change.failure
    return Decision(
        execution=replace(after, sequence=after.sequence + 1),
        closings=(*closings, END) if after.status.is_terminal else closings,
        failure=failure,
        group=_group(before, after, change if isinstance(change, Recovery) else None),
        reopened=before.status.is_terminal and not after.status.is_terminal,
    )


def _decide_answer(change: Answer | Assignment, known: Known, before: ExecutionState) -> Decision:
    """What a person does to a question; when that decides it, the execution goes on.

    Among the questions within one run it is the last one: until then nothing could follow from the others.
    """
    question = known.interactions.get(change.interaction_id)
    if question is None:
        raise InteractionNotFound(change.interaction_id)
    after = answered(question, change) if isinstance(change, Answer) else assigned(question, change)
    if after is question:
        return _nothing_new(before)
    goes_on = after.status != "pending" and change.interaction_id not in known.others_open
    execution = woken(before) if goes_on else before
    return Decision(
        execution=replace(execution, sequence=before.sequence + 1), interactions={change.interaction_id: after}
    )


def _created(transition: Transition) -> ExecutionState:
    new = transition.new
    if new is None or transition.execution_id is None:
        raise ExecutionNotFound(transition.execution_id or "")
    claimed = new.status is ExecutionStatus.RUNNING
    return ExecutionState(
        execution_id=transition.execution_id,
        status=new.status,
        owner=transition.writer if claimed else None,
        epoch=1
        if claimed or transition.copies
        else 0,  # what is copied was an owner's: its first owner here is the second
        recoveries=0,
        sequence=0,
        cancel_requested=False,
        total_steps=new.total_steps,
        completed_steps=sum(copy.status is StepStatus.COMPLETED for copy in transition.copies),
        failed_steps=sum(copy.status is StepStatus.FAILED for copy in transition.copies),
        completed_at=None,
    )


def _nothing_new(execution: ExecutionState, iterations: tuple[int, ...] = ()) -> Decision:
    return Decision(execution=execution, iterations=iterations, changed=False)


def _refuse_strangers(transition: Transition, execution: ExecutionState) -> None:
    if execution.owner != transition.writer or not is_current(transition.lease, execution):
        raise lease_lost(transition, execution)


def _new_and_expired(transition: Transition, known: Known, execution: ExecutionState) -> dict[str, InteractionState]:
    """The questions that close or begin to be asked, as they are then."""
    expiring = [
        (known.interactions[each.interaction_id], each.seen)
        for each in transition.expires
        if each.interaction_id in known.interactions
    ]
    for question, seen in expiring:
        if question.status == "answered" or (question.status == "pending" and len(question.responses) > seen):
            raise AnsweredInTime(question.interaction_id)
    expired = [replace(question, status="expired") for question, _ in expiring if question.status == "pending"]
    new = [
        _asked(ask, execution.execution_id) for ask in transition.asks if ask.interaction_id not in known.interactions
    ]
    return {question.interaction_id: question for question in (*expired, *new)}


def _asked(ask: NewInteraction, execution_id: ExecutionId) -> InteractionState:
    return InteractionState(
        interaction_id=ask.interaction_id,
        execution_id=execution_id,
        step_execution_id=ask.step_execution_id,
        status="pending",
        assigned_users=None if ask.assigned_users is None else orjson.loads(ask.assigned_users),
        assigned_role=ask.assigned_role,
        answers=ask.answers,
        decided_by=ask.decided_by,
        completed_at=None,
    )


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


def _placed_lines(
    transition: Transition,
    execution: ExecutionState,
    known: Mapping[StepExecutionId, StepState],
    named: Mapping[StepExecutionId, StepState],
    dropped: Container[StepExecutionId],
) -> tuple[LogLine, ...]:
    """The lines at the levels of their attempts; a line may only stand at an attempt of its own execution."""
    lines: list[LogLine] = []
    for line in transition.logs:
        if (attempt := line.step_execution_id) is not None:
            was = known.get(attempt)
            step = named.get(attempt) or was
            if step is None or step.execution_id != execution.execution_id:
                raise StepExecutionNotFound(attempt)
            has_ended = was is not None and was.status.is_terminal
            if line.level is LogLevel.OUTPUT and (has_ended or attempt in dropped):
                continue
            line = line if line.within == step.within else replace(line, within=step.within)
        lines.append(line)
    return tuple(lines)


def _after(closings: Iterable[Closing], step: StepState) -> StepState:
    for closing in closings:
        step = closing.closed(step)
    return step


def _closed_with(
    closings: Iterable[Closing], update: StepUpdate, steps: dict[StepExecutionId, StepState]
) -> StepUpdate:
    """The update of an attempt, which ends where the same transition ends what it is a part of."""
    for closing in closings:
        step = steps[update.step_execution_id]
        closed = steps[update.step_execution_id] = closing.closed(step)
        if closed is not step:
            update = replace(update, status=closed.status, failure=closing.failure)
    return update


def _is_recorded(start: StepStart, steps: Mapping[StepExecutionId, StepState]) -> bool:
    recorded = steps.get(start.step_execution_id)
    if recorded is not None and (recorded.within, recorded.step_id) != (start.within, start.step_id):
        raise StepConflict(start.step_execution_id, recorded=recorded.step_id, replayed=start.step_id)
    return recorded is not None


def _with_attempt(start: StepStart, previous: StepState | None) -> StepStart:
    """The start with iteration and attempt: as given, else what follows the step's newest attempt."""
    if start.iteration is not None:
        return start if start.attempt else replace(start, attempt=1)
    if previous is None:
        return replace(start, iteration=1, attempt=1)
    if previous.status in (StepStatus.FAILED, StepStatus.LOST):
        return replace(start, iteration=previous.iteration, attempt=previous.attempt + 1)
    return replace(start, iteration=previous.iteration + 1, attempt=1)


def _state_of(start: StepStart, execution_id: ExecutionId) -> StepState:
    return StepState(
        step_execution_id=start.step_execution_id,
        execution_id=execution_id,
        within=start.within,
        step_id=start.step_id,
        iteration=start.iteration or 1,
        attempt=start.attempt or 1,
        status=start.status,
        awaits=start.awaits,
    )


def _changes(change: ExecutionUpdate, execution: ExecutionState) -> bool:
    """Whether a change says anything new. An ended execution that is ended the same way again has nothing new."""
    if change.status is None or change.status is execution.status:
        return change != ExecutionUpdate(status=change.status) and not (change.status and execution.status.is_terminal)
    if execution.status.is_terminal:
        raise already_finished(execution, str(change.status))
    if change.status not in NEXT[execution.status]:
        raise not_allowed(execution, change.status, NEXT[execution.status])
    return True


def _apply_change(change: ExecutionUpdate, execution: ExecutionState) -> ExecutionState:
    def new(value: int | None, otherwise: int) -> int:
        return otherwise if value is None else value

    status = at_rest(change.status or execution.status, execution)
    return replace(
        execution,
        status=status,
        owner=None if change.released else execution.owner,
        total_steps=new(change.total_steps, execution.total_steps),
        completed_steps=new(change.completed_steps, execution.completed_steps),
        failed_steps=new(change.failed_steps, execution.failed_steps),
    )
