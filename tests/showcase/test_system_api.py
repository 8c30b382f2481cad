import asyncio
from datetime import UTC, datetime

import httpx
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from ia_modules import __version__
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MIGRATIONS_FOLDER, find_migrations
from ia_modules.models import ClusterNode, ExecutionStatus, JoinedCluster, PipelineId, new_id
from ia_modules.testing.places_contract import THERE, runs_at
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.showcase.server import PATIENCE_SECONDS, Server, running

QUEUE_ONE = """
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, status, managed, trigger, sequence, created_at)
VALUES (:execution_id, :pipeline_id, 'Nightly import', 'pending', TRUE, 'api', 1, ia_now(-90))
"""


async def test_the_machine_room_shows_database_and_server(
    api: httpx.AsyncClient, database: DatabaseManager, dialect: str
) -> None:
    answer = (await api.get("/api/system")).json()

    assert answer["version"] == __version__
    assert datetime.fromisoformat(answer["started_at"]) <= datetime.now(UTC)
    shown = answer["database"]
    assert (shown["dialect"], shown["url"]) == (dialect, database.safe_url)
    assert shown["version"][0].isdigit()
    assert shown["size_bytes"] > 10_000
    tables = {table["name"]: table for table in shown["tables"]}
    assert {"pipelines", "pipeline_executions", "step_executions", "workers", "ia_migrations"} <= tables.keys()
    assert all(table["bytes"] > 0 for table in tables.values())
    assert all(table["rows"] is not None for table in tables.values())
    versions = [migration.version for migration in find_migrations(MIGRATIONS_FOLDER / "sqlite")]
    assert [(one["version"], one["state"]) for one in shown["migrations"]] == [(each, "applied") for each in versions]


async def test_rows_are_estimated_for_every_table(api: httpx.AsyncClient, database: DatabaseManager) -> None:
    sql = (
        "INSERT INTO audit_log (audit_id, actor, action, subject, created_at)"
        " VALUES (:id, 'somebody', 'looked', 'nothing', ia_now())"
    )
    async with database.transaction() as handle:
        for _ in range(300):
            await handle.execute(sql, {"id": new_id()})
        if database.dialect == "postgresql":  # or its own count of them comes when they were counted already
            await handle.fetch_all("SELECT pg_stat_force_next_flush()")
    if database.dialect == "postgresql":
        await database.execute_async("ANALYZE")  # which the server does by itself after a while

    tables = {table["name"]: table["rows"] for table in (await api.get("/api/system")).json()["database"]["tables"]}
    assert tables["audit_log"] == 300
    assert tables["execution_logs"] == 0


async def test_workers_are_alive_silent_or_stopped_by_the_databases_clock(
    api: httpx.AsyncClient, database: DatabaseManager
) -> None:
    for worker_id, ago, stopped in (("quick", 1, False), ("frozen", 60, False), ("ended", 1, True)):
        await database.execute_async(
            "INSERT INTO workers (worker_id, host, pid, version, slots, started_at, heartbeat_at, stopped_at)"
            " VALUES (:worker_id, 'elsewhere', 7, '0.1.0', 2, ia_now(-100), ia_now(:ago),"
            " CASE WHEN CAST(:stopped AS BOOLEAN) THEN ia_now() END)",
            {"worker_id": worker_id, "ago": -float(ago), "stopped": stopped},
        )

    workers = {worker["worker_id"]: worker for worker in (await api.get("/api/system")).json()["workers"]}
    assert {name: workers[name]["state"] for name in ("quick", "frozen", "ended")} == {
        "quick": "alive",
        "frozen": "silent",
        "ended": "stopped",
    }
    assert workers["frozen"]["heartbeat_age_seconds"] >= 60
    [own] = [worker for worker in workers.values() if worker["is_this_server"]]
    assert (own["state"], own["slots"], own["running"]) == ("alive", 4, 0)


async def test_a_cluster_shows_its_nodes_and_what_holds_them(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    assert (await api.get("/api/system")).json()["clusters"] == []
    execution_id = await tracker.start_execution(pipeline_id)
    attempt = await tracker.start_step_execution(execution_id, "train", "Train", "task")
    await tracker.record(replace(runs_at(execution_id, attempt, THERE), writer=tracker.owner))
    node = ClusterNode(node=THERE.node, total={"CPU": 4.0, "GPU": 1.0}, free={"CPU": 3.0})
    await tracker.ownership.tell_cluster(JoinedCluster(cluster=THERE.cluster, nodes=(node,)))

    [cluster] = (await api.get("/api/system")).json()["clusters"]
    assert cluster["cluster"] == THERE.cluster
    assert cluster["nodes"] == [{"node": THERE.node, "total": {"CPU": 4.0, "GPU": 1.0}, "free": {"CPU": 3.0}}]
    [held] = cluster["held"]
    assert (held["execution_id"], held["step_execution_id"], held["step_name"]) == (execution_id, attempt, "Train")
    assert (held["node"], held["pid"], held["resources"]) == (THERE.node, THERE.pid, THERE.resources)
    assert datetime.fromisoformat(held["since"]).tzinfo is not None


async def test_the_queue_is_what_workers_may_claim(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    oldest, newest = new_id(), new_id()
    for execution_id in (oldest, newest):
        await database.execute_async(QUEUE_ONE, {"execution_id": execution_id, "pipeline_id": pipeline_id})
    await tracker.start_execution(pipeline_id)

    with running(Server(database_url, slots=0)) as server:  # nobody here who would claim them
        async with server.client() as api:
            queue = (await api.get("/api/system")).json()["queue"]
            numbers = _numbers((await api.get("/metrics")).text)

    assert (queue["pending"], queue["running"], queue["waiting_for_human"], queue["capped"]) == (2, 1, 0, False)
    first = await tracker.get_execution(oldest)
    assert first is not None
    assert datetime.fromisoformat(queue["oldest_pending_at"]) == first.created_at
    assert numbers["ia_executions_active", "pending"] == 2
    assert numbers["ia_executions_active", "running"] == 1
    assert numbers["ia_queue_oldest_pending_seconds", ""] >= 90


async def test_subscribers_are_counted(
    server: Server, api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    nobody, one = ({"execution_subscribers": count, "list_subscribers": 0} for count in (0, 1))
    assert (await api.get("/api/system")).json()["feed"] == nobody

    async with server.watch(execution_id) as client:
        await client.recv()
        assert (await api.get("/api/system")).json()["feed"] == one
        assert _numbers((await api.get("/metrics")).text)["ia_subscribers", "execution"] == 1
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await api.get("/api/system")).json()["feed"] != nobody:
            pass


async def test_prometheus_finds_the_last_hour_the_workers_and_the_process(
    api: httpx.AsyncClient, database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    for status in (ExecutionStatus.COMPLETED, ExecutionStatus.COMPLETED, ExecutionStatus.FAILED):
        await tracker.update_execution_status(await tracker.start_execution(pipeline_id), status)
    old = await tracker.start_execution(pipeline_id)
    await tracker.update_execution_status(old, ExecutionStatus.COMPLETED)
    await database.execute_async(
        "UPDATE pipeline_executions SET started_at = ia_now(-7200) WHERE execution_id = :old", {"old": old}
    )

    answer = await api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    numbers = _numbers(answer.text)
    assert numbers["ia_executions_last_hour", "completed"] == 2
    assert numbers["ia_executions_last_hour", "failed"] == 1
    assert numbers["ia_workers", "alive"] >= 1
    assert numbers["ia_modules_info", __version__] == 1
    assert numbers["process_resident_memory_bytes", ""] > 1_000_000


def _numbers(text: str) -> dict[tuple[str, str], float]:
    """Every number by its name and the value of its label."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
