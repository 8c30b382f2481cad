"""Rows and transitions of one execution, for the tests of what is decided on them."""

from typing import Any

from msgspec.structs import replace

from ia_modules.deciding import Decision, decide
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    StepExecutionId,
    StepStatus,
)
from ia_modules.paths import GRAPH
from ia_modules.states import ExecutionState, InteractionState, Known, StepState
from ia_modules.transitions import (
    ExecutionUpdate,
    StepStart,
    Transition,
)

PENDING, RUNNING, RESTING, WAITING, COMPLETED, FAILED, CANCELLED = ExecutionStatus
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


def question(status: str, **changes: Any) -> InteractionState:
    state = InteractionState(
        interaction_id="q",
        execution_id=EXECUTION,
        step_execution_id=ATTEMPT,
        status=status,
        assigned_users=[],
        assigned_role=None,
        answers=1,
        decided_by=None,
        completed_at=None,
    )
    return replace(state, **changes)


def step(status: StepStatus = StepStatus.RUNNING, **changes: Any) -> StepState:
    state = StepState(
        step_execution_id=ATTEMPT,
        execution_id=EXECUTION,
        within=GRAPH,
        step_id="s",
        iteration=1,
        attempt=1,
        status=status,
    )
    return replace(state, **changes)


def known(row: ExecutionState | None, *steps: StepState, **more: Any) -> Known:
    latest = {(each.within, each.step_id, nth): each for each in steps for nth in (None, each.iteration)}
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
