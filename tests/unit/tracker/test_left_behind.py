"""What programs left behind: found when their process is silent for its lease, and never while it is heard of."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, LeftExecution, PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker


@pytest.fixture
async def other(database: DatabaseManager) -> AsyncIterator[ExecutionTracker]:
    """The tracker of a process that lives, and beats ten times a second."""
    async with ExecutionTracker(database, lease_seconds=0.5) as tracker:
        yield tracker


async def all_left(tracker: ExecutionTracker, slug: str = "nightly") -> list[LeftExecution]:
    return [each async for each in tracker.left_behind(slug)]


async def begun(tracker: ExecutionTracker, pipeline_id: PipelineId) -> ExecutionId:
    return await tracker.start_execution(pipeline_id)


async def test_a_process_that_is_heard_of_again_lives(
    tracker: ExecutionTracker, other: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await begun(other, pipeline_id)
    (left,) = await all_left(tracker)
    assert (left.lease.execution_id, left.owner, left.is_alive) == (execution_id, other.owner, True)


async def test_a_process_that_is_silent_is_waited_for_until_its_lease_is_over(
    database: DatabaseManager, tracker: ExecutionTracker, other: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await begun(other, pipeline_id)
    assert other.heartbeat is not None
    await other.heartbeat.end()
    await database.execute_async("UPDATE workers SET stopped_at = NULL, heartbeat_at = ia_now()")
    looking = asyncio.create_task(all_left(tracker))
    await asyncio.sleep(0.05)
    assert not looking.done()
    (left,) = await looking
    assert (left.lease.execution_id, left.is_alive) == (execution_id, False)


async def test_a_process_that_died_with_the_clock_ahead_is_gone_by_the_clock_of_who_looks(
    database: DatabaseManager, tracker: ExecutionTracker, other: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    await begun(other, pipeline_id)
    assert other.heartbeat is not None
    await other.heartbeat.end()
    await database.execute_async("UPDATE workers SET stopped_at = NULL, heartbeat_at = ia_now(3600)")
    (left,) = await all_left(tracker)
    assert not left.is_alive


async def test_what_ended_as_lost_is_left_behind_and_what_failed_or_is_managed_or_is_ones_own_is_not(
    database: DatabaseManager, tracker: ExecutionTracker, other: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    await begun(tracker, pipeline_id)
    failed, lost, managed = [await begun(other, pipeline_id) for _ in range(3)]
    for execution_id in (failed, lost):
        await other.update_execution_status(execution_id, "failed", error_message="why")
    await database.execute_async(
        "UPDATE pipeline_executions SET error_type = 'ProcessLost' WHERE execution_id = :id", {"id": lost}
    )
    await database.execute_async(
        "UPDATE pipeline_executions SET managed = (1 = 1) WHERE execution_id = :id", {"id": managed}
    )
    await other.close()
    assert [left.lease.execution_id for left in await all_left(tracker)] == [lost]
    assert await all_left(tracker, "another pipeline") == []


async def test_what_was_never_heard_of_is_left_out(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    async with ExecutionTracker(database, lease_seconds=None) as mute:
        await begun(mute, pipeline_id)
        assert await all_left(tracker) == []
