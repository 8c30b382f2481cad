"""The mission's testing checklist, a test by name for each line, on SQLite and on PostgreSQL.

"No memory leak" is ``test_no_memory_leak_over_twenty_thousand_executions`` in tests/acceptance/test_memory.py.
"""

import asyncio
import json

import httpx
from websockets.asyncio.client import connect

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MIGRATIONS_FOLDER, find_migrations
from ia_modules.models import ExecutionId, ExecutionStatus, PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.showcase.server import Server

TABLES = {
    "audit_log",
    "execution_logs",
    "ia_migrations",
    "interaction_responses",
    "interactions",
    "pipeline_executions",
    "pipeline_versions",
    "pipelines",
    "step_executions",
    "workers",
}


async def record_one(tracker: ExecutionTracker, pipeline_id: PipelineId) -> ExecutionId:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly import", {"day": 1}, total_steps=1)
    step_id = await tracker.start_step_execution(execution_id, "load", "Load", "task", {"file": "a.csv"})
    await tracker.complete_step_execution(step_id, "completed", {"rows": 3})
    await tracker.update_execution_status(execution_id, "completed", output_data={"rows": 3})
    return execution_id


async def test_tracker_starts_and_updates_with_postgresql_and_sqlite(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution = await tracker.get_execution(await record_one(tracker, pipeline_id))
    assert execution is not None
    assert (execution.status, execution.completed_steps) == (ExecutionStatus.COMPLETED, 1)


async def test_list_api_from_the_database(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    ids = [await record_one(tracker, pipeline_id) for _ in range(3)]
    listed = (await api.get("/api/executions")).json()["items"]
    assert [item["execution_id"] for item in listed] == ids[::-1]


async def test_detail_api_with_step_data(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await record_one(tracker, pipeline_id)
    detail = (await api.get(f"/api/executions/{execution_id}")).json()
    (step,) = detail["steps"]
    assert (detail["input_data"], detail["output_data"], detail["status"]) == ({"day": 1}, {"rows": 3}, "completed")
    assert (step["input_data"], step["output_data"], step["status"]) == ({"file": "a.csv"}, {"rows": 3}, "completed")
    assert (step["attempt"], step["iteration"]) == (1, 1)
    assert step["started_at"] <= step["completed_at"]


async def test_real_time_updates_over_the_socket(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    url = server.url.replace("http", "ws", 1)
    async with asyncio.timeout(60), connect(f"{url}/ws/executions/{execution_id}?after=1") as socket:
        assert json.loads(await socket.recv())["messages"] == []  # nothing was missed
        await tracker.start_step_execution(execution_id, "load", "Load", "task")
        frame = json.loads(await socket.recv())
    assert (frame["type"], frame["after"], frame["upto"]) == ("changes", 1, 2)
    assert [(message["type"], message["sequence"]) for message in frame["messages"]] == [
        ("step_update", 2),
        ("execution_update", 2),
    ]
    assert frame["messages"][0]["data"]["status"] == "running"


async def test_health_check(api: httpx.AsyncClient) -> None:
    health = (await api.get("/health")).json()
    assert health["status"] == "healthy", health
    assert all(health["services"].values())
    assert (await api.get("/health/ready")).status_code == 200


async def test_migration_creates_all_tables(empty_database_url: str) -> None:
    async with DatabaseManager(empty_database_url) as database:
        for table in TABLES:
            counted = await database.fetch_one_async(f"SELECT COUNT(*) AS n FROM {table}")
            migrations = len(find_migrations(MIGRATIONS_FOLDER / database.dialect))
            assert counted == {"n": migrations if table == "ia_migrations" else 0}
