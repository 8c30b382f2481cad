"""The machine room by the rows: sizes, the queue, the workers."""

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus, PipelineId, new_id
from ia_modules.tracker import system
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.system import SystemReader

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
