import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseError
from ia_modules.models import ExecutionId, ExecutionStatus, new_id
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import NewExecution, Transition
from tests.unit.database.proxy import proxy_to
from tests.unit.worker.queue import PATIENCE_SECONDS, until

WORKERS = "SELECT worker_id, slots, note, lease_seconds, heartbeat_at, stopped_at FROM workers"


async def workers(database: DatabaseManager) -> list[dict[str, Any]]:
    return await database.fetch_all_async(WORKERS)


async def test_who_only_looks_or_queues_gives_no_signs_of_life(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("program", "A program")
        new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.PENDING, managed=True)
        await tracker.record(Transition(execution_id=ExecutionId(new_id()), writer=tracker.owner, new=new))
        await tracker.list_executions()
    assert await workers(database) == []


async def test_who_runs_something_is_on_record_until_it_is_closed(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("program", "A program")
        ids = await asyncio.gather(*(tracker.start_execution(pipeline_id) for _ in range(10)))
        (row,) = await workers(database)
        assert (row["worker_id"], row["slots"], row["lease_seconds"], row["stopped_at"]) == (tracker.owner, 0, 15, None)
        for execution_id in ids:
            await tracker.update_execution_status(execution_id, "completed")
    (row,) = await workers(database)
    assert row["stopped_at"] is not None
    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


async def test_a_program_that_closes_only_its_database_leaves_no_worker_that_never_stopped(
    database: DatabaseManager, database_url: str
) -> None:
    async with DatabaseManager(database_url) as closed:
        tracker = ExecutionTracker(closed)
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly import")
        async with tracker.execution(pipeline_id) as execution, execution.step("download") as step:
            step.output = {"rows": 3}
    assert [row["stopped_at"] is not None for row in await workers(database)] == [True]
    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


def test_a_program_without_a_loop_of_its_own_at_the_end_leaves_none_either(tmp_path: Path) -> None:
    """On SQLite: connections to PostgreSQL belong to the loop that made them, and must be closed in it."""
    database_url = f"sqlite:///{tmp_path / 'ia.db'}"
    database = DatabaseManager(database_url)
    database.initialize_sync()

    async def record() -> None:
        tracker = ExecutionTracker(database)
        async with tracker.execution(await tracker.register_pipeline("nightly", "Nightly import")):
            pass

    asyncio.run(record())
    database.close_sync()
    with DatabaseManager(database_url) as again:
        assert [row["stopped_at"] is not None for row in again.fetch_all(WORKERS)] == [True]


async def test_who_takes_over_is_on_record_too(database: DatabaseManager) -> None:
    async with ExecutionTracker(database, lease_seconds=None) as silent:
        execution_id = await silent.start_execution(await silent.register_pipeline("program", "A program"))
    assert await workers(database) == []
    async with ExecutionTracker(database) as tracker:
        await tracker.take_over(execution_id)
        assert [row["worker_id"] for row in await workers(database)] == [tracker.owner]


def note_on_record(database_url: str) -> str:
    """What the only worker's row says, asked in a thread, so that the event loop of the caller goes on hanging."""

    def ask() -> str:
        with DatabaseManager(database_url) as database:
            row = database.fetch_one("SELECT note FROM workers")
        assert row is not None
        return row["note"]

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(ask).result()


async def test_it_beats_while_the_event_loop_hangs_and_tells_its_watch_for_how_long(
    database: DatabaseManager, database_url: str
) -> None:
    heard: list[float] = []
    over_the_lease = threading.Event()

    async def watch(database: DatabaseManager, blocked_seconds: float) -> None:
        heard.append(blocked_seconds)
        if blocked_seconds > lease_seconds:
            over_the_lease.set()

    lease_seconds = 0.5
    async with ExecutionTracker(database, lease_seconds=lease_seconds) as tracker:
        assert tracker.heartbeat is not None
        tracker.heartbeat.watch = watch
        await tracker.heartbeat.begin()
        assert over_the_lease.wait(PATIENCE_SECONDS)  # the loop hangs
        tracker.heartbeat.note = "it lives"
        while note_on_record(database_url) != "it lives":
            assert heard[-1] < PATIENCE_SECONDS

        async def latest() -> float:
            return heard[-1]

        await until(latest, lambda seconds: seconds == 0)


async def test_who_cannot_be_put_on_record_as_alive_owns_nothing(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("program", "A program")
        await database.execute_async("ALTER TABLE workers RENAME TO elsewhere")
        with pytest.raises(DatabaseError, match="workers"):
            await tracker.start_execution(pipeline_id)
        await database.execute_async("ALTER TABLE elsewhere RENAME TO workers")
        assert (await tracker.list_executions()).items == []
        execution_id = await tracker.start_execution(pipeline_id)
        assert [row["worker_id"] for row in await workers(database)] == [tracker.owner]
        await tracker.update_execution_status(execution_id, "completed")


async def test_the_first_beat_is_tried_again_while_the_database_is_busy(
    database: DatabaseManager, database_url: str
) -> None:
    async with (
        DatabaseManager(database_url, busy_timeout_seconds=0.1) as impatient,
        ExecutionTracker(impatient) as tracker,
    ):
        pipeline_id = await tracker.register_pipeline("program", "A program")
        async with database.transaction() as handle:
            lock = "UPDATE pipelines SET name = name" if database.dialect == "sqlite" else "LOCK TABLE workers"
            await handle.execute(lock)
            starting = asyncio.create_task(tracker.start_execution(pipeline_id))
            await asyncio.sleep(0.3)  # longer than one try
        await tracker.update_execution_status(await starting, "completed")


async def test_a_database_in_memory_has_nobody_to_tell() -> None:
    async with DatabaseManager("sqlite:///:memory:") as database, ExecutionTracker(database) as tracker:
        await tracker.start_execution(await tracker.register_pipeline("program", "A program"))
        assert await workers(database) == []


def test_a_tracker_that_serves_one_event_loop_after_the_other_gives_signs_of_life_in_each(tmp_path: Path) -> None:
    """On SQLite: connections to PostgreSQL belong to the loop that made them, and must be closed in it."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}") as database:
        tracker = ExecutionTracker(database, lease_seconds=0.5)
        heartbeat = tracker.heartbeat
        assert heartbeat is not None

        async def run(note: str) -> None:
            await tracker.start_execution(await tracker.register_pipeline("program", "A program"))
            heartbeat.note = note
            await until(lambda: workers(database), lambda rows: rows[0]["note"] == note)

        asyncio.run(run("first"))
        asyncio.run(run("second"))
        asyncio.run(tracker.close())


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_connection_that_falls_silent_costs_a_beat_and_not_the_lease(
    database: DatabaseManager, database_url: str
) -> None:
    """With the database's own limit of 30 s, it would be silent for twenty leases."""
    async with (
        proxy_to(database_url) as proxy,
        DatabaseManager(proxy.url) as through,
        ExecutionTracker(through, lease_seconds=1.5) as tracker,
    ):
        assert tracker.heartbeat is not None
        await tracker.heartbeat.begin()
        (first,) = await workers(database)
        await until(lambda: workers(database), lambda rows: rows[0]["heartbeat_at"] > first["heartbeat_at"])
        proxy.go_silent()
        tracker.heartbeat.note = "heard again"
        await until(lambda: workers(database), lambda rows: rows[0]["note"] == "heard again")
        proxy.abort()
