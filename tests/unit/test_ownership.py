"""Who runs an execution, as tables: which change of hands leads from which status to which."""

from typing import Any

import pytest
from msgspec.structs import replace

from ia_modules.deciding import Decision, decide
from ia_modules.errors import (
    AlreadyFinished,
    InvalidTransition,
    LeaseLost,
)
from ia_modules.models import (
    ExecutionStatus,
    Lease,
    StalledExecution,
)
from ia_modules.ownership import recovery_of
from ia_modules.states import ExecutionState, Known
from ia_modules.transitions import (
    Claim,
    OwnershipChange,
    Recovery,
    RequestCancel,
    Requeue,
    TakeOver,
    Transition,
    WakeUp,
)
from tests.unit.rows import (
    CANCELLED,
    EXECUTION,
    FAILED,
    PENDING,
    RESTING,
    RUNNING,
    WAITING,
    execution,
)


def own(
    state: ExecutionState, change: OwnershipChange, *, writer: str = "heir", is_owner_gone: bool = True
) -> Decision:
    known = Known(execution=state, steps={}, latest={}, is_owner_gone=is_owner_gone)
    return decide(Transition(lease=Lease(EXECUTION, 1), writer=writer, ownership=change), known)


PUT_BACK = Recovery(status=PENDING, counted=True)
OWNERSHIP: list[tuple[OwnershipChange, dict[ExecutionStatus, ExecutionStatus]]] = [
    (Claim(), {PENDING: RUNNING}),
    (TakeOver(), {PENDING: PENDING, RUNNING: RUNNING, RESTING: RESTING, WAITING: WAITING}),
    (TakeOver(reopen=True), dict.fromkeys((PENDING, RUNNING, RESTING, WAITING, FAILED, CANCELLED), RUNNING)),
    (Requeue(), {FAILED: PENDING, CANCELLED: PENDING}),
    (RequestCancel(), {PENDING: CANCELLED, RUNNING: RUNNING, RESTING: CANCELLED, WAITING: CANCELLED}),
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
def test_only_what_waits_is_woken(before: ExecutionStatus) -> None:
    decision = own(execution(before), WakeUp())
    assert (decision.execution.status, decision.changed) == (
        (PENDING, True) if before in (RESTING, WAITING) else (before, False)
    )


def test_only_what_nobody_runs_any_more_is_recovered() -> None:
    with pytest.raises(LeaseLost, match="'me'"):
        own(execution(), PUT_BACK, is_owner_gone=False)
    with pytest.raises(LeaseLost, match="epoch 2"):
        own(execution(epoch=2), PUT_BACK)
    assert own(execution(), PUT_BACK, writer="me", is_owner_gone=False).execution.owner is None


def test_what_is_to_be_cancelled_is_not_put_back() -> None:
    assert own(execution(cancel_requested=True), PUT_BACK).execution.status is CANCELLED


def test_reopening_forgets_recoveries_and_the_wish_to_cancel() -> None:
    ended = execution(FAILED, recoveries=5, cancel_requested=True)
    for change, owner in ((TakeOver(reopen=True), "heir"), (Requeue(), None)):
        decision = own(ended, change)
        after = decision.execution
        assert (after.recoveries, after.cancel_requested, after.owner) == (0, False, owner)
        assert decision.reopened
    assert not own(execution(RUNNING), TakeOver(reopen=True)).reopened, "it had not ended"


@pytest.mark.parametrize(
    ("changes", "died", "status", "error"),
    [
        ({}, True, PENDING, None),
        ({"recoveries": 5}, True, FAILED, "CrashLoop"),
        ({"recoveries": 5}, False, PENDING, None),
        ({"recoveries": 5, "is_elsewhere": True}, True, PENDING, None),
        ({"managed": False}, True, FAILED, "ProcessLost"),
        ({"cancel_requested": True, "managed": False, "recoveries": 9}, True, CANCELLED, None),
    ],
)
def test_what_becomes_of_what_is_stalled(
    changes: dict[str, Any], died: bool, status: ExecutionStatus, error: str | None
) -> None:
    stalled = StalledExecution(
        execution_id=EXECUTION, epoch=1, managed=True, recoveries=0, cancel_requested=False, is_elsewhere=False
    )
    recovery = recovery_of(replace(stalled, **changes), recovery_limit=5, died=died)
    assert (recovery.status, recovery.failure and recovery.failure.type) == (status, error)
    assert recovery.counted is (died and status is PENDING and not changes.get("is_elsewhere"))
