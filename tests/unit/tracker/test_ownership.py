"""What one owner claims and recovers while others keep rows locked. The rules are in the suite of all journals."""

import asyncio

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    PipelineId,
    StalledExecution,
    StepExecutionId,
    StepStatus,
    new_id,
)
from ia_modules.payload import encode
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import (
    ANSWER,
    ExecutionUpdate,
    NewExecution,
    NewInteraction,
    Recovery,
    StepStart,
    StepUpdate,
    Transition,
)

PUT_BACK = Recovery(status=ExecutionStatus.PENDING)


async def two_stalled(tracker: ExecutionTracker, pipeline_id: PipelineId) -> list[StalledExecution]:
    new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.PENDING, managed=True)
    for _ in range(2):
        await tracker.record(Transition(execution_id=ExecutionId(new_id()), writer=tracker.owner, new=new))
    await tracker.ownership.claim(2)
    return await tracker.ownership.owned()


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_row_that_a_lost_process_keeps_locked_holds_up_no_recovery_of_others(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database_url: str
) -> None:
    locked, free = await two_stalled(tracker, pipeline_id)
    async with DatabaseManager(database_url) as lost, lost.transaction() as transaction:
        lock = "UPDATE pipeline_executions SET sequence = sequence WHERE execution_id = :id"
        await transaction.execute(lock, {"id": locked.execution_id})
        assert [await tracker.ownership.recover(each, PUT_BACK) for each in (locked, free)] == [False, True]
    assert await tracker.ownership.recover(locked, PUT_BACK)


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_row_that_a_lost_process_keeps_locked_holds_up_no_question_of_others(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database_url: str
) -> None:
    stalled = await two_stalled(tracker, pipeline_id)
    for execution in stalled:
        attempt = StepExecutionId(new_id())
        start = StepStart(step_execution_id=attempt, step_id="ask", step_name="Ask", step_type="human_input")
        update = StepUpdate(step_execution_id=attempt, status=StepStatus.WAITING, wake_after_seconds=0.3, awaits=ANSWER)
        question = NewInteraction(interaction_id=new_id(), step_execution_id=attempt, ui_schema=encode({}, "schema"))
        rest = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN, released=True)
        writer, lease = tracker.owner, execution.lease
        await tracker.record(Transition(writer=writer, lease=lease, starts=(start,)))
        await tracker.record(Transition(writer=writer, lease=lease, updates=(update,), asks=(question,), change=rest))
    locked, free = [execution.execution_id for execution in stalled]
    deadlines = [question.deadline_at for id_ in (locked, free) for question in await tracker.get_interactions(id_)]
    while await tracker.now() < max(filter(None, deadlines)):  # noqa: ASYNC110 - asks the records
        await asyncio.sleep(0.01)
    async with DatabaseManager(database_url) as lost, lost.transaction() as transaction:
        lock = "UPDATE pipeline_executions SET sequence = sequence WHERE execution_id = :id"
        await transaction.execute(lock, {"id": locked})
        await tracker.ownership.wake_due()
        statuses = [(await tracker.get_execution(id_)) for id_ in (locked, free)]
        assert [each and each.status for each in statuses] == [
            ExecutionStatus.WAITING_FOR_HUMAN,
            ExecutionStatus.PENDING,
        ]
    await tracker.ownership.wake_due()
    woken = await tracker.get_execution(locked)
    assert woken is not None
    assert woken.status is ExecutionStatus.PENDING


async def test_attempts_are_open_until_they_have_ended(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    id_, attempts = ExecutionId(new_id()), [StepExecutionId(new_id()) for _ in range(4)]
    states = (StepStatus.RUNNING, StepStatus.PENDING, StepStatus.RUNNING)
    starts = tuple(
        StepStart(step_execution_id=attempt, step_id=f"s{number}", step_name="S", step_type="task", status=status)
        for number, (attempt, status) in enumerate(zip(attempts, states, strict=False))
    )
    new = NewExecution(pipeline_id=pipeline_id)
    await tracker.record(Transition(execution_id=id_, writer=tracker.owner, new=new, starts=starts))
    ended = StepUpdate(step_execution_id=attempts[2], status=StepStatus.COMPLETED)
    await tracker.record(Transition(execution_id=id_, writer=tracker.owner, updates=(ended,)))
    assert await tracker.ownership.open_attempts(attempts) == set(attempts[:2])
    assert await tracker.ownership.open_attempts([]) == set()


async def test_a_database_is_told_apart_by_when_it_was_made(tracker: ExecutionTracker, database_url: str) -> None:
    one = await tracker.ownership.installation()
    assert one.isdigit()
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as other:
        assert await other.ownership.installation() == one
