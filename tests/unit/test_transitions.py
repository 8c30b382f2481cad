"""The state machine as tables: from which status to which, for executions and attempts, and who may write."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    Lease,
    PipelineId,
    StalledExecution,
    StepExecutionId,
    StepStatus,
)
from ia_modules.transitions import (
    Claim,
    Decision,
    ExecutionState,
    ExecutionUpdate,
    Failure,
    InteractionState,
    Known,
    LogLine,
    NewExecution,
    OwnershipChange,
    Recovery,
    RequestCancel,
    StepStart,
    StepState,
    StepUpdate,
    TakeOver,
    Transition,
    WakeUp,
    decide,
    recovery_of,
)

PENDING, RUNNING, WAITING, COMPLETED, FAILED, CANCELLED = ExecutionStatus
EXECUTION, ATTEMPT = ExecutionId("e"), StepExecutionId("a")


def execution(status: ExecutionStatus = RUNNING, **changes: Any) -> ExecutionState:
    state = ExecutionState(
        execution_id=EXECUTION,
        status=status,
        owner="me",
        epoch=1,
        recoveries=0,
        sequence=7,
        cancel_requested=False,
        total_steps=0,
        completed_steps=0,
        failed_steps=0,
        completed_at=None,
    )
    return replace(state, **changes)


def question(status: str) -> InteractionState:
    return InteractionState(
        interaction_id="q", execution_id=EXECUTION, step_execution_id=ATTEMPT, status=status, actor=None
    )


def step(status: StepStatus = StepStatus.RUNNING, **changes: Any) -> StepState:
    state = StepState(
        step_execution_id=ATTEMPT, execution_id=EXECUTION, step_id="s", iteration=1, attempt=1, status=status
    )
    return replace(state, **changes)


def known(row: ExecutionState | None, *steps: StepState, **more: Any) -> Known:
    latest = {each.step_id: each for each in steps}
    return Known(execution=row, steps={each.step_execution_id: each for each in steps}, latest=latest, **more)


def write(**parts: Any) -> Transition:
    return Transition(writer="me", execution_id=EXECUTION, **parts)


def start(step_execution_id: str = "b", step_id: str = "s", **changes: Any) -> StepStart:
    made = StepStart(
        step_execution_id=StepExecutionId(step_execution_id), step_id=step_id, step_name="S", step_type="task"
    )
    return replace(made, **changes)


def become(before: ExecutionState, status: ExecutionStatus) -> Decision:
    return decide(write(change=ExecutionUpdate(status=status)), known(before))


EXECUTIONS: dict[ExecutionStatus, set[ExecutionStatus]] = {
    PENDING: {RUNNING, FAILED, CANCELLED},
    RUNNING: {PENDING, WAITING, COMPLETED, FAILED, CANCELLED},
    WAITING: {PENDING, RUNNING, COMPLETED, FAILED, CANCELLED},
    COMPLETED: set(),
    FAILED: set(),
    CANCELLED: set(),
}


@pytest.mark.parametrize("before", EXECUTIONS)
@pytest.mark.parametrize("after", ExecutionStatus)
def test_an_execution_goes_where_the_table_says_and_nowhere_else(
    before: ExecutionStatus, after: ExecutionStatus
) -> None:
    if after in EXECUTIONS[before]:
        decision = become(execution(before), after)
        assert (decision.execution.status, decision.execution.sequence, decision.changed) == (after, 8, True)
        assert bool(decision.closings) is after.is_terminal
    elif after is before:
        decision = become(execution(before), after)
        assert (decision.execution, decision.changed) == (execution(before), False), "the same again changes nothing"
    else:
        refusal = AlreadyFinished if before.is_terminal else InvalidTransition
        with pytest.raises(refusal, match=f"{before}.*become {after}"):
            become(execution(before), after)


@pytest.mark.parametrize("before", StepStatus)
@pytest.mark.parametrize("after", StepStatus)
def test_an_attempt_ends_once_and_never_goes_back_to_pending(before: StepStatus, after: StepStatus) -> None:
    transition = write(updates=(StepUpdate(step_execution_id=ATTEMPT, status=after),))
    if before.is_terminal and after is not before:
        with pytest.raises(AlreadyFinished, match=f"already {before}.*become {after}"):
            decide(transition, known(execution(), step(before)))
    elif after is StepStatus.PENDING and before is not StepStatus.PENDING:
        with pytest.raises(InvalidTransition, match=f"{before} and cannot become pending"):
            decide(transition, known(execution(), step(before)))
    else:
        decision = decide(transition, known(execution(), step(before)))
        assert decision.changed is not before.is_terminal
        if decision.changed:
            assert decision.steps[ATTEMPT].status is after


@pytest.mark.parametrize(
    ("owner", "epoch", "lease"),
    [("you", 1, None), ("you", 1, 1), ("me", 2, 1), ("me", 1, 2), (None, 1, None)],
)
def test_who_does_not_own_an_execution_writes_nothing(owner: str | None, epoch: int, lease: int | None) -> None:
    transition = write(
        lease=None if lease is None else Lease(EXECUTION, lease), change=ExecutionUpdate(status=COMPLETED)
    )
    with pytest.raises(LeaseLost) as lost:
        decide(transition, known(execution(owner=owner, epoch=epoch)))
    assert (lost.value.owner, lost.value.epoch) == (owner, epoch)


@pytest.mark.parametrize(
    ("status", "owner", "epoch"), [(RUNNING, "me", 1), (PENDING, None, 0)], ids=["begins here", "is queued"]
)
def test_a_new_execution_is_its_writers_unless_it_is_queued(
    status: ExecutionStatus, owner: str | None, epoch: int
) -> None:
    new = NewExecution(pipeline_id=PipelineId("p"), status=status, total_steps=3)
    made = decide(write(new=new), known(None)).execution
    assert (made.status, made.owner, made.epoch, made.sequence, made.total_steps) == (status, owner, epoch, 1, 3)
    assert not decide(write(new=new), known(made)).changed, "an answer that was lost: the row is there already"


def test_an_execution_that_is_not_there_is_not_written() -> None:
    with pytest.raises(ExecutionNotFound):
        decide(write(change=ExecutionUpdate(status=COMPLETED)), known(None))


def test_an_attempt_of_another_execution_is_not_found() -> None:
    foreign = step(execution_id=ExecutionId("another"))
    update = write(updates=(StepUpdate(step_execution_id=ATTEMPT, status=StepStatus.COMPLETED),))
    for line in (update, write(logs=(LogLine(log_id="l", message="m", step_execution_id=ATTEMPT),))):
        for rows in (known(execution(), foreign), known(execution())):
            with pytest.raises(StepExecutionNotFound):
                decide(line, rows)


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        (None, (1, 1)),
        (StepStatus.FAILED, (2, 4)),
        (StepStatus.LOST, (2, 4)),
        (StepStatus.COMPLETED, (3, 1)),
        (StepStatus.SKIPPED, (3, 1)),
        (StepStatus.CANCELLED, (3, 1)),
    ],
)
def test_a_start_is_the_next_attempt_after_a_failure_and_the_next_iteration_otherwise(
    newest: StepStatus | None, expected: tuple[int, int]
) -> None:
    steps = [] if newest is None else [step(newest, iteration=2, attempt=3)]
    [started] = decide(write(starts=(start(),)), known(execution(), *steps)).started
    assert (started.iteration, started.attempt) == expected


def test_an_iteration_that_is_said_stands() -> None:
    [started] = decide(write(starts=(start(iteration=9),)), known(execution(), step(StepStatus.FAILED))).started
    assert (started.iteration, started.attempt) == (9, 1)


def test_an_attempt_under_a_known_id_is_recognised_or_refused() -> None:
    again = decide(write(starts=(start("a"),)), known(execution(), step()))
    assert (again.changed, again.started) == (False, ())
    with pytest.raises(StepConflict, match="recorded as s but now comes as another"):
        decide(write(starts=(start("a", "another"),)), known(execution(), step()))


def test_counters_count_step_runs_by_their_latest_attempt() -> None:
    failed = decide(
        write(updates=(StepUpdate(step_execution_id=ATTEMPT, status=StepStatus.FAILED),)), known(execution(), step())
    )
    assert (failed.execution.completed_steps, failed.execution.failed_steps) == (0, 1)
    retried = decide(write(starts=(start(),)), known(failed.execution, step(StepStatus.FAILED)))
    assert (retried.execution.completed_steps, retried.execution.failed_steps) == (0, 0)
    second = retried.steps[StepExecutionId("b")]
    done = decide(
        write(updates=(StepUpdate(step_execution_id=StepExecutionId("b"), status=StepStatus.COMPLETED),)),
        known(retried.execution, second),
    )
    assert (done.execution.completed_steps, done.execution.failed_steps) == (1, 0)


def test_ending_an_attempt_and_beginning_the_next_is_one_transition() -> None:
    update = StepUpdate(step_execution_id=ATTEMPT, status=StepStatus.FAILED)
    decision = decide(write(updates=(update,), starts=(start(),)), known(execution(), step()))
    assert (decision.execution.sequence, decision.execution.failed_steps) == (8, 0)
    assert [(each.iteration, each.attempt) for each in decision.started] == [(1, 2)]


@pytest.mark.parametrize("at_rest", [PENDING, WAITING])
def test_a_cancelled_execution_does_not_come_to_rest(at_rest: ExecutionStatus) -> None:
    """Nobody runs what rests, so nobody would stop it."""
    assert become(execution(cancel_requested=True), at_rest).execution.status is CANCELLED


@pytest.mark.parametrize("status", [COMPLETED, FAILED, CANCELLED])
def test_an_ended_execution_takes_nothing_new_and_knows_again_what_it_has(status: ExecutionStatus) -> None:
    line = write(logs=(LogLine(log_id="l", message="late"),))
    with pytest.raises(AlreadyFinished, match="cannot become changed any more"):
        decide(line, known(execution(status)))
    assert not decide(line, known(execution(status), already_recorded={"l"})).changed


def test_a_question_that_was_answered_does_not_expire() -> None:
    with pytest.raises(AnsweredInTime):
        decide(write(expires=("q",)), known(execution(), interactions={"q": question("answered")}))
    for status, changed in (("pending", True), ("expired", False)):
        decision = decide(write(expires=("q",)), known(execution(), interactions={"q": question(status)}))
        assert decision.changed is changed


def test_released_executions_belong_to_nobody() -> None:
    change = ExecutionUpdate(status=PENDING, released=True)
    assert decide(write(change=change), known(execution())).execution.owner is None


STEPS = st.lists(st.sampled_from([each for each in StepStatus if each is not StepStatus.PENDING]), max_size=4)


@given(st.sampled_from(ExecutionStatus), STEPS)
def test_what_is_decided_twice_changes_something_only_once(status: ExecutionStatus, news: list[StepStatus]) -> None:
    """Whatever became of the first answer: sending the transition again is always safe."""
    steps = [step(step_execution_id=StepExecutionId(f"a{number}"), step_id=f"s{number}") for number in range(len(news))]
    transition = write(
        change=ExecutionUpdate(status=status),
        updates=tuple(
            StepUpdate(step_execution_id=each.step_execution_id, status=after)
            for each, after in zip(steps, news, strict=True)
        ),
    )
    first = decide(transition, known(execution(), *steps))
    if not first.execution.status.is_terminal:
        return
    ended = [first.steps.get(each.step_execution_id, each) for each in steps]
    if all(each.status.is_terminal for each in ended):
        again = decide(transition, known(first.execution, *ended))
        assert (again.changed, again.execution) == (False, first.execution)


def test_an_exception_becomes_text_that_both_databases_can_store() -> None:
    try:
        raise ValueError("nul \0 and \ud800")
    except ValueError as error:
        failure = Failure.of(error)
    assert (failure.type, failure.message) == ("ValueError", "nul \ufffd and \ufffd\ufffd\ufffd")
    assert "ValueError" in (failure.traceback or "")
    assert Failure.of(KeyError()).message == "KeyError", "an error without words has its name"


def own(
    state: ExecutionState, change: OwnershipChange, *, writer: str = "heir", is_owner_gone: bool = True
) -> Decision:
    known = Known(execution=state, steps={}, latest={}, is_owner_gone=is_owner_gone)
    return decide(Transition(lease=Lease(EXECUTION, 1), writer=writer, ownership=change), known)


PUT_BACK = Recovery(status=PENDING, counted=True)
OWNERSHIP: list[tuple[OwnershipChange, dict[ExecutionStatus, ExecutionStatus]]] = [
    (Claim(), {PENDING: RUNNING}),
    (TakeOver(), {PENDING: PENDING, RUNNING: RUNNING, WAITING: WAITING}),
    (TakeOver(reopen=True), dict.fromkeys((PENDING, RUNNING, WAITING, FAILED, CANCELLED), RUNNING)),
    (RequestCancel(), {PENDING: CANCELLED, RUNNING: RUNNING, WAITING: CANCELLED}),
    (PUT_BACK, {RUNNING: PENDING}),
    (Recovery(status=FAILED), {RUNNING: FAILED}),
]


@pytest.mark.parametrize(("change", "table"), OWNERSHIP)
@pytest.mark.parametrize("before", ExecutionStatus)
def test_an_execution_changes_hands_where_the_table_says_and_nowhere_else(
    change: OwnershipChange, table: dict[ExecutionStatus, ExecutionStatus], before: ExecutionStatus
) -> None:
    if before in table:
        decision = own(execution(before), change)
        assert (decision.execution.status, decision.execution.sequence) == (table[before], 8)
        raises_epoch = not isinstance(change, RequestCancel)
        assert decision.execution.epoch == 1 + raises_epoch, "every new owner is fenced from the one before"
        assert any(closing.has_ended for closing in decision.closings) is decision.execution.status.is_terminal
    else:
        with pytest.raises((AlreadyFinished, InvalidTransition, LeaseLost)):
            own(execution(before), change)


@pytest.mark.parametrize("before", ExecutionStatus)
def test_only_what_waits_for_people_is_woken(before: ExecutionStatus) -> None:
    decision = own(execution(before), WakeUp())
    assert (decision.execution.status, decision.changed) == ((PENDING, True) if before is WAITING else (before, False))


def test_only_what_nobody_runs_any_more_is_recovered() -> None:
    with pytest.raises(LeaseLost, match="'me'"):
        own(execution(), PUT_BACK, is_owner_gone=False)
    with pytest.raises(LeaseLost, match="epoch 2"):
        own(execution(epoch=2), PUT_BACK)
    assert own(execution(), PUT_BACK, writer="me", is_owner_gone=False).execution.owner is None


def test_what_is_to_be_cancelled_is_not_put_back() -> None:
    assert own(execution(cancel_requested=True), PUT_BACK).execution.status is CANCELLED


def test_reopening_forgets_recoveries_and_the_wish_to_cancel() -> None:
    after = own(execution(FAILED, recoveries=5, cancel_requested=True), TakeOver(reopen=True)).execution
    assert (after.recoveries, after.cancel_requested, after.owner) == (0, False, "heir")


@pytest.mark.parametrize(
    ("changes", "died", "status", "error"),
    [
        ({}, True, PENDING, None),
        ({"recoveries": 5}, True, FAILED, "CrashLoop"),
        ({"recoveries": 5}, False, PENDING, None),
        ({"managed": False}, True, FAILED, "ProcessLost"),
        ({"cancel_requested": True, "managed": False, "recoveries": 9}, True, CANCELLED, None),
    ],
)
def test_what_becomes_of_what_is_stalled(
    changes: dict[str, Any], died: bool, status: ExecutionStatus, error: str | None
) -> None:
    stalled = StalledExecution(execution_id=EXECUTION, epoch=1, managed=True, recoveries=0, cancel_requested=False)
    recovery = recovery_of(replace(stalled, **changes), recovery_limit=5, died=died)
    assert (recovery.status, recovery.failure and recovery.failure.type) == (status, error)
    assert recovery.counted is (died and status is PENDING)
