"""Transitions that the promises of a journal are tried with."""

from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    JsonText,
    Lease,
    PipelineId,
    StepExecutionId,
    StepStatus,
    new_id,
)
from ia_modules.payload import encode
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.transitions import (
    ANSWER,
    ELSEWHERE,
    ExecutionUpdate,
    Failure,
    NewExecution,
    NewInteraction,
    StepStart,
    StepUpdate,
    Transition,
)

OWNER = "owner"
"""Who writes, where nothing else is said."""


def starting(
    execution_id: ExecutionId, step_id: str, *, input_data: JsonText | None = None
) -> tuple[Transition, StepExecutionId]:
    step_execution_id = StepExecutionId(new_id())
    start = StepStart(
        step_execution_id=step_execution_id,
        step_id=step_id,
        step_name=step_id,
        step_type="task",
        input_data=input_data,
    )
    return Transition(execution_id=execution_id, writer=OWNER, starts=(start,)), step_execution_id


def ending(
    execution_id: ExecutionId,
    step_execution_id: StepExecutionId,
    status: StepStatus | None,
    *,
    output_data: JsonText | None = None,
    failure: Failure | None = None,
) -> Transition:
    update = StepUpdate(
        step_execution_id=step_execution_id,
        status=status,
        output_data=output_data,
        failure=failure,
    )
    return Transition(execution_id=execution_id, writer=OWNER, updates=(update,))


def becomes(execution_id: ExecutionId, status: ExecutionStatus | None) -> Transition:
    return Transition(execution_id=execution_id, writer=OWNER, change=ExecutionUpdate(status=status))


def question_of(
    attempt: StepExecutionId,
    *,
    users: tuple[str, ...] | None = None,
    answers: int | None = 1,
    decided_by: str | None = None,
) -> NewInteraction:
    return NewInteraction(
        interaction_id=new_id(),
        step_execution_id=attempt,
        ui_schema=encode({"type": "object"}, "schema"),
        prompt="Ship it?",
        assigned_users=None if users is None else encode(users, "assigned_users"),
        answers=answers,
        decided_by=decided_by,
    )


def asks(execution_id: ExecutionId, attempt: StepExecutionId, *, timeout_seconds: float | None) -> Transition:
    update = StepUpdate(
        step_execution_id=attempt, status=StepStatus.WAITING, wake_after_seconds=timeout_seconds, awaits=ANSWER
    )
    return Transition(execution_id=execution_id, writer=OWNER, updates=(update,), asks=(question_of(attempt),))


def runs_on(execution_id: ExecutionId, attempt: StepExecutionId, cluster: str) -> Transition:
    """The mark of an attempt that runs elsewhere."""
    update = StepUpdate(step_execution_id=attempt, awaits=f"{ELSEWHERE}{cluster}")
    return Transition(execution_id=execution_id, writer=OWNER, updates=(update,))


async def claimed_of(journal: OperatorJournal, pipeline_id: PipelineId) -> Lease:
    """A managed execution that this journal's owner runs."""
    execution_id = ExecutionId(new_id())
    new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.PENDING, managed=True)
    await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
    (claimed,) = await journal.ownership.claim(1)
    return claimed.lease
