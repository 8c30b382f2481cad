"""Workers and what runs on a cluster: who is joined to it goes on with it, and the others say that they do not."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from ia_modules.models import ExecutionId, ExecutionStatus, LeftExecution, StepStatus
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.recovery import Recovered, recover
from ia_modules.pipeline.runner import Runner
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.system import SystemReader
from ia_modules.transitions import ELSEWHERE
from ia_modules.worker.queue import enqueue
from tests.unit.pipeline.elsewhere import CLUSTERS, Cluster, OnCluster, pipeline_elsewhere
from tests.unit.worker.queue import until, until_status
from tests.unit.worker.workers import COMPLETED, PENDING, database_of, gone, working

HERE = AllowedCode(modules=("tests.*",))


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    there = Cluster()
    yield there
    there.forget()
    CLUSTERS.clear()


async def queued(tracker: ExecutionTracker) -> ExecutionId:
    definition = pipeline_elsewhere().definition
    registered = await tracker.register_version(definition.slug, definition.name, definition.to_json())
    stored = await tracker.get_pipeline_version(registered.pipeline_id, registered.version)
    assert stored is not None
    return (await enqueue(tracker, stored, {"cluster": "there"}, trigger="test")).execution_id


async def notes(tracker: ExecutionTracker) -> list[str]:
    """What the workers that are at work say of themselves."""
    workers = await SystemReader(database_of(tracker)).list_workers()
    return [each.note for each in workers if each.note is not None and each.state == "alive"]


async def test_what_a_drained_worker_leaves_on_a_cluster_waits_for_one_that_is_joined_to_it(
    database_url: str, tracker: ExecutionTracker, cluster: Cluster
) -> None:
    execution_id = await queued(tracker)
    async with working(database_url, executor=OnCluster(cluster), allowed=HERE, grace_seconds=0.0):
        attempt = await cluster.arrived.get()
    record = await until_status(tracker, execution_id, PENDING)
    assert record.recoveries == 0
    (step,) = await tracker.get_execution_steps(execution_id)
    assert (step.step_execution_id, step.status, step.awaits) == (attempt, StepStatus.RUNNING, f"{ELSEWHERE}there")

    later = OnCluster(None)
    async with working(database_url, executor=later, allowed=HERE):
        (note,) = await until(lambda: notes(tracker), bool)
        assert f"step 'work' of execution '{execution_id}' runs on Ray cluster 'there'" in note
        assert await tracker.get_execution_summary(execution_id) is not None
        (step,) = await tracker.get_execution_steps(execution_id)
        assert step.status is StepStatus.RUNNING
        later.there = cluster  # it joins
        cluster.gate("go").set()
        await until_status(tracker, execution_id, COMPLETED)
    assert cluster.calls["trains"] == 1
    assert cluster.released == [attempt]


async def test_what_a_dead_worker_leaves_on_a_cluster_goes_on_once(
    database_url: str, tracker: ExecutionTracker, cluster: Cluster
) -> None:
    execution_id = await queued(tracker)
    async with working(database_url, executor=OnCluster(cluster), allowed=HERE) as dying:
        attempt = await cluster.arrived.get()
        assert dying.running == 1
        async with gone(database_url) as dead:  # as if it had been another process's, which is gone
            await dead.take_over(execution_id, owner=dead.owner)
        async with working(database_url, executor=OnCluster(cluster), allowed=HERE):
            record = await until(lambda: recorded(tracker, execution_id), lambda status: status is not PENDING)
            cluster.gate("go").set()
            await until_status(tracker, execution_id, COMPLETED)
            assert record is ExecutionStatus.RUNNING
    (work, after) = await tracker.get_execution_steps(execution_id)
    assert (work.step_execution_id, work.attempt, work.status) == (attempt, 1, StepStatus.COMPLETED)
    assert after.status is StepStatus.COMPLETED
    assert (cluster.calls["trains"], cluster.calls["counted 3"]) == (1, 1)


async def recorded(tracker: ExecutionTracker, execution_id: ExecutionId) -> ExecutionStatus:
    record = await tracker.get_execution_summary(execution_id)
    assert record is not None
    return record.status


async def test_what_a_dead_program_leaves_on_a_cluster_is_gone_on_with_by_one_that_is_joined_to_it(
    database_url: str, tracker: ExecutionTracker, cluster: Cluster
) -> None:
    pipeline = pipeline_elsewhere()
    async with gone(database_url) as dead:
        started = await Runner(dead, executor=OnCluster(cluster)).start(pipeline, {"cluster": "there"})
        run = asyncio.create_task(started.to_end())
        attempt = await cluster.arrived.get()

    async def recovered(there: Cluster | None) -> Recovered:
        runner = Runner(tracker, executor=OnCluster(there))

        async def go_on(left: LeftExecution) -> dict[str, Any]:
            resumed = await runner.resume(pipeline, left.lease.execution_id, epoch=left.lease.epoch)
            cluster.gate("go").set()
            return await resumed.to_end()

        return await recover(tracker, pipeline, go_on)

    refused = await recovered(None)
    assert (refused.results, refused.errors) == ({}, {})
    assert "runs on Ray cluster 'there'" in refused.left[started.execution_id]
    assert (await recovered(cluster)).results[started.execution_id]["output"]["sum"] == 106
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    work, _ = await tracker.get_execution_steps(started.execution_id)
    assert (work.step_execution_id, work.attempt, work.status) == (attempt, 1, StepStatus.COMPLETED)
    assert cluster.calls["trains"] == 1
