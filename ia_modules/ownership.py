"""Who runs an execution from here on, and what becomes of one that nobody runs."""

from msgspec.structs import replace

from ia_modules.models import ExecutionStatus, StalledExecution
from ia_modules.states import (
    AT_REST,
    NEXT,
    WAITING,
    ExecutionState,
    already_finished,
    at_rest,
    is_current,
    lease_lost,
    not_allowed,
)
from ia_modules.transitions import (
    Claim,
    Failure,
    OwnershipChange,
    Recovery,
    RequestCancel,
    Requeue,
    TakeOver,
    Transition,
    WakeUp,
)


def handed_over(
    transition: Transition, change: OwnershipChange, before: ExecutionState, *, is_owner_gone: bool
) -> ExecutionState:
    """The execution as it is afterwards. A new owner raises the epoch, so that older leases write nothing more.

    Raises:
        LeaseLost: somebody else was faster, or its owner is heard again.
        AlreadyFinished: it has ended.
        InvalidTransition: it is not in the queue.
    """
    match change:
        case Claim():
            return _claimed(before, transition.writer)
        case TakeOver():
            if not is_current(transition.lease, before):
                raise lease_lost(transition, before)
            return _taken_over(before, transition.writer, reopen=change.reopen)
        case Requeue():
            return _requeued(before)
        case RequestCancel():
            return _to_be_cancelled(before)
        case WakeUp():
            return woken(before)
        case Recovery():
            _refuse_what_is_not_stalled(transition, before, is_owner_gone=is_owner_gone)
            return _recovered(before, change)


def _claimed(before: ExecutionState, writer: str) -> ExecutionState:
    if before.status is not ExecutionStatus.PENDING:
        raise not_allowed(before, ExecutionStatus.RUNNING, NEXT.get(before.status, ()))
    return replace(before, status=ExecutionStatus.RUNNING, owner=writer, epoch=before.epoch + 1)


def _taken_over(before: ExecutionState, writer: str, *, reopen: bool) -> ExecutionState:
    if before.status is ExecutionStatus.COMPLETED or (before.status.is_terminal and not reopen):
        raise already_finished(before, f"owned by {writer}")
    taken = replace(before, owner=writer, epoch=before.epoch + 1)
    if not reopen:
        return taken
    running = ExecutionStatus.RUNNING
    return replace(taken, status=running, cancel_requested=False, recoveries=0, completed_at=None)


def _requeued(before: ExecutionState) -> ExecutionState:
    if before.status not in (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED):
        raise (
            already_finished(before, "resumed")
            if before.status.is_terminal
            else not_allowed(before, ExecutionStatus.PENDING, (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED))
        )
    return replace(
        before,
        status=ExecutionStatus.PENDING,
        owner=None,
        epoch=before.epoch + 1,
        cancel_requested=False,
        recoveries=0,
        completed_at=None,
    )


def _to_be_cancelled(before: ExecutionState) -> ExecutionState:
    if before.status.is_terminal:
        raise already_finished(before, "cancelled")
    status = ExecutionStatus.CANCELLED if before.status in AT_REST else before.status
    return replace(before, status=status, cancel_requested=True)


def woken(before: ExecutionState) -> ExecutionState:
    """What waits may be claimed again."""
    return replace(before, status=ExecutionStatus.PENDING) if before.status in WAITING else before


def _recovered(before: ExecutionState, recovery: Recovery) -> ExecutionState:
    status = at_rest(recovery.status, before)
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
        raise already_finished(before, "recovered")
    is_stalled = before.owner == transition.writer or is_owner_gone
    if before.status is not ExecutionStatus.RUNNING or not is_stalled or not is_current(transition.lease, before):
        raise lease_lost(transition, before)


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
    counts = died and not stalled.is_elsewhere  # what outlives its workers does not kill them
    if counts and stalled.recoveries >= recovery_limit:
        message = (
            f"Its worker died {stalled.recoveries + 1} times, and no step completed in between: it may be what kills "
            f"them. When that is repaired, go on: {resume}"
        )
        return Recovery(status=ExecutionStatus.FAILED, failure=Failure(type="CrashLoop", message=message))
    return Recovery(status=ExecutionStatus.PENDING, counted=counts)


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
