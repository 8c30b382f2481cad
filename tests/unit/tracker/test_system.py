"""The machine room by the rows: sizes, the queue, the workers."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import (
    ClusterNode,
    ExecutionId,
    ExecutionStatus,
    JoinedCluster,
    PipelineId,
    StepExecutionId,
    StepPlace,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.testing.contract_transitions import runs_on
from ia_modules.testing.places_contract import THERE, runs_at
from ia_modules.tracker import system
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.system import SystemReader
from ia_modules.transitions import StepStart, Transition

INSERT_EXECUTION = """
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, status, managed, trigger, sequence, created_at)
VALUES (:execution_id, :pipeline_id, 'Nightly import', 'pending', TRUE, 'test', 1, ia_now(:ago))
"""
INSERT_WORKER = """
INSERT INTO workers (worker_id, host, pid, version, slots, started_at, heartbeat_at, lease_seconds, stopped_at)
VALUES (:worker_id, 'elsewhere', 7, '0.1.0', 2, ia_now(-100), ia_now(:ago), 15,
        CASE WHEN CAST(:stopped AS BOOLEAN) THEN ia_now() END)
"""


@pytest.fixture
def reader(database: DatabaseManager) -> SystemReader:
    return SystemReader(database)


async def queue_one(database: DatabaseManager, pipeline_id: PipelineId, ago: float = -10.0) -> str:
    execution_id = new_id()
    row = {"execution_id": execution_id, "pipeline_id": pipeline_id, "ago": ago}
    await database.execute_async(INSERT_EXECUTION, row)
    return execution_id


async def test_an_empty_queue_has_waited_for_nothing(reader: SystemReader, pipeline_id: PipelineId) -> None:
    queue = await reader.measure_queue()
    assert (queue.pending, queue.running, queue.waiting_for_human, queue.capped) == (0, 0, 0, False)
    assert (queue.oldest_pending_at, queue.oldest_pending_seconds) == (None, 0.0)


async def test_the_queue_counts_what_waits_and_what_runs(
    reader: SystemReader, tracker: ExecutionTracker, database: DatabaseManager, pipeline_id: PipelineId
) -> None:
    ids = [await queue_one(database, pipeline_id, ago) for ago in (-30.0, -20.0)]
    for status in (status for status in ExecutionStatus if status is not ExecutionStatus.PENDING):
        execution_id = await tracker.start_execution(pipeline_id)
        await tracker.update_execution_status(execution_id, status)
    queue = await reader.measure_queue()
    assert (queue.pending, queue.running, queue.waiting, queue.waiting_for_human) == (2, 1, 1, 1)
    oldest = await tracker.get_execution(ids[0])
    assert oldest is not None
    assert queue.oldest_pending_at == oldest.created_at


async def test_a_long_queue_is_counted_to_the_cap_and_says_so(
    reader: SystemReader, database: DatabaseManager, pipeline_id: PipelineId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "QUEUE_CAP", 2)
    for _ in range(3):
        await queue_one(database, pipeline_id)
    queue = await reader.measure_queue()
    assert (queue.pending, queue.capped) == (2, True)


async def test_workers_are_alive_silent_or_stopped(reader: SystemReader, database: DatabaseManager) -> None:
    for worker_id, ago, stopped in (("quick", -1.0, False), ("frozen", -60.0, False), ("ended", -90.0, True)):
        await database.execute_async(INSERT_WORKER, {"worker_id": worker_id, "ago": ago, "stopped": stopped})
    workers = await reader.list_workers()
    assert [worker.worker_id for worker in workers] == ["quick", "frozen", "ended"], "the newest heartbeat first"
    assert [worker.state for worker in workers] == ["alive", "silent", "stopped"]


async def test_no_more_workers_are_shown_than_a_page_holds(
    reader: SystemReader, database: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "WORKERS_SHOWN", 2)
    for number in range(3):
        worker = {"worker_id": f"w{number}", "ago": -float(number), "stopped": False}
        await database.execute_async(INSERT_WORKER, worker)
    assert [worker.worker_id for worker in await reader.list_workers()] == ["w0", "w1"]


async def test_a_worker_owns_what_it_runs(
    reader: SystemReader, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    await tracker.start_execution(pipeline_id)
    [worker] = await reader.list_workers()
    assert (worker.worker_id, worker.state, worker.running) == (tracker.owner, "alive", 1)


async def test_the_size_of_a_database_names_its_tables(reader: SystemReader, pipeline_id: PipelineId) -> None:
    size = await reader.measure_database()
    assert size.size_bytes > 0
    assert size.version[0].isdigit()
    assert {"pipelines", "pipeline_executions", "step_executions"} <= {table.name for table in size.tables}
    assert all(table.bytes is None or table.bytes >= 0 for table in size.tables)


NODE = ClusterNode(node="1dba27", total={"CPU": 4.0, "GPU": 1.0}, free={"CPU": 3.0})
JOINED = JoinedCluster(cluster=THERE.cluster, nodes=(NODE,))


async def running_at(
    tracker: ExecutionTracker, execution_id: ExecutionId, place: StepPlace, *, outlives: bool
) -> StepExecutionId:
    """An attempt that runs there; an item of a map does not outlive its owner."""
    attempt = StepExecutionId(new_id())
    within = GRAPH if outlives else run_path(GRAPH, "train", 1)
    start = StepStart(step_execution_id=attempt, step_id="train", step_name="Train", step_type="task", within=within)
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, starts=(start,)))
    if outlives:
        await tracker.record(replace(runs_on(execution_id, attempt, place.cluster), writer=tracker.owner))
    await tracker.record(replace(runs_at(execution_id, attempt, place), writer=tracker.owner))
    return attempt


async def test_where_nothing_is_joined_and_nothing_runs_there_is_no_cluster(
    reader: SystemReader, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    await tracker.start_step_execution(execution_id, "here", "Here", "task")
    assert await reader.list_clusters() == []


async def test_a_cluster_has_the_nodes_that_a_living_worker_saw_last(
    reader: SystemReader, tracker: ExecutionTracker, database: DatabaseManager, pipeline_id: PipelineId
) -> None:
    await tracker.ownership.tell_cluster(JOINED)
    assert await reader.list_clusters() == [], "it has given no sign of life: nobody would know of its end"
    await tracker.start_execution(pipeline_id)
    later = replace(JOINED, nodes=(replace(NODE, free={}),))
    for joined in (JOINED, JOINED, later):
        await tracker.ownership.tell_cluster(joined)
        [cluster] = await reader.list_clusters()
        assert (cluster.cluster, cluster.nodes, cluster.held) == (joined.cluster, joined.nodes, [])
    await database.execute_async("UPDATE workers SET heartbeat_at = ia_now(-3600)")
    assert await reader.list_clusters() == []
    await database.execute_async("UPDATE workers SET heartbeat_at = ia_now()")
    await tracker.ownership.tell_cluster(None)
    assert await reader.list_clusters() == []


async def test_what_runs_on_a_cluster_holds_what_it_has_of_it_until_it_ends(
    reader: SystemReader, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id, elsewhere = await tracker.start_execution(pipeline_id), replace(THERE, cluster="session_2")
    attempt = await running_at(tracker, execution_id, THERE, outlives=True)
    item = await running_at(tracker, execution_id, THERE, outlives=False)
    other = await running_at(tracker, await tracker.start_execution(pipeline_id), elsewhere, outlives=True)
    await tracker.ownership.tell_cluster(JOINED)
    first, second = await reader.list_clusters()
    assert (first.nodes, second.nodes) == ((NODE,), ()), "nobody has joined the second"
    assert [each.step_execution_id for each in first.held] == [attempt, item]
    assert [each.step_execution_id for each in second.held] == [other]
    held = first.held[0]
    assert held.narrow(StepPlace) == THERE
    assert (held.execution_id, held.step_id, held.within) == (execution_id, "train", GRAPH)
    assert held.since == held.started_at + timedelta(seconds=THERE.waited_seconds)
    await tracker.complete_step_execution(attempt, StepStatus.COMPLETED)  # the item ends with what it is a part of
    assert [cluster.held for cluster in await reader.list_clusters()] == [[], second.held]


async def test_what_runs_for_long_is_found_however_much_was_placed_since(
    reader: SystemReader, tracker: ExecutionTracker, pipeline_id: PipelineId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "_NEWEST_PLACES", 1)
    execution_id = await tracker.start_execution(pipeline_id)
    ids = [await running_at(tracker, execution_id, THERE, outlives=outlives) for outlives in (True, False, False)]
    [cluster] = await reader.list_clusters()
    assert [each.step_execution_id for each in cluster.held] == [ids[0], ids[2]]
    monkeypatch.setattr(system, "HELD_SHOWN", 1)
    [cluster] = await reader.list_clusters()
    assert [each.step_execution_id for each in cluster.held] == ids[:1]
