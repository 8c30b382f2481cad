"""While the database cannot write: a transition is tried again until its deadline, then its writer gets the reason."""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from ia_modules.database import postgresql_session
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseBusy, DatabaseFull, DatabaseReadOnly, DatabaseUnavailable
from ia_modules.models import ExecutionStatus
from ia_modules.tracker import committer
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.database.proxy import proxy_to

REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '{state}'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON pipeline_executions FOR EACH ROW EXECUTE FUNCTION refuse()
"""
STATES: dict[type[Exception], str] = {DatabaseFull: "53100", DatabaseReadOnly: "25006"}
PRAGMAS: dict[type[Exception], tuple[str, str]] = {
    DatabaseFull: ("max_page_count = 1", "max_page_count = 1000000"),  # SQLite takes what the file has for the least
    DatabaseReadOnly: ("query_only = 1", "query_only = 0"),
}


@asynccontextmanager
async def unwritable(database: DatabaseManager, error: type[Exception]) -> AsyncGenerator[None]:
    """No execution can be inserted while the block lasts."""
    if database.dialect == "postgresql":
        for sql in REFUSE.format(state=STATES[error]).split(";\n"):
            await database.execute_async(sql)
        try:
            yield
        finally:
            await database.execute_async("DROP FUNCTION refuse CASCADE")
        return
    begin, end = PRAGMAS[error]
    await pragma(database, begin)
    yield
    await pragma(database, end)


async def pragma(database: DatabaseManager, setting: str) -> None:
    async with database.transaction() as handle:  # on the writer
        await handle.fetch_all(f"PRAGMA {setting}")


LARGE = {"text": "x" * 100_000}


@pytest.mark.parametrize("error", [DatabaseFull, DatabaseReadOnly])
async def test_a_result_is_tried_again_while_there_is_no_room_or_no_permission(
    database: DatabaseManager, error: type[Exception]
) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("work", "Work")
        async with unwritable(database, error):
            starting = asyncio.gather(*(tracker.start_execution(pipeline_id, "Work", LARGE) for _ in range(3)))
            await asyncio.wait([starting], timeout=0.3)
        execution_ids = await starting
        assert len(set(execution_ids)) == 3
        assert len(await tracker.get_recent_executions()) == 3


@pytest.mark.parametrize(
    ("dialect", "error"),
    [("sqlite", DatabaseFull), ("postgresql", DatabaseFull), ("postgresql", DatabaseReadOnly)],
    indirect=["dialect"],  # on SQLite the next try opens the file anew, which ends the pragma
)
async def test_what_cannot_be_written_until_the_deadline_is_told_as_what_it_is(
    database: DatabaseManager, error: type[Exception]
) -> None:
    async with ExecutionTracker(database, give_up_seconds=0) as tracker:
        pipeline_id = await tracker.register_pipeline("work", "Work")
        async with unwritable(database, error):
            with pytest.raises(error):
                await tracker.start_execution(pipeline_id, "Work", LARGE)
        assert await tracker.start_execution(pipeline_id, "Work")


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_writers_that_wait_for_locks_are_all_told_when_their_time_is_over(database: DatabaseManager) -> None:
    """One is tried after the other, and there are more than can be tried in that time."""
    async with ExecutionTracker(database, give_up_seconds=0.5) as tracker:
        pipeline_id = await tracker.register_pipeline("work", "Work")
        ids = await asyncio.gather(*(tracker.start_execution(pipeline_id, "Work") for _ in range(100)))
        async with DatabaseManager(database.safe_url) as other, other.transaction() as handle, asyncio.timeout(25):
            await handle.fetch_all("SELECT 1 FROM pipeline_executions FOR UPDATE")
            outcomes = await asyncio.gather(*(tracker.log(each, "line") for each in ids), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {DatabaseBusy}


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_what_is_under_way_when_connections_fall_silent_is_written_once(
    database: DatabaseManager, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "_STATEMENT_SECONDS", 3.0)  # a lock of the silent must be met as one: 1 s
    monkeypatch.setattr(postgresql_session, "_BEGIN_SECONDS", 3.0)
    async with (
        proxy_to(database_url) as proxy,
        DatabaseManager(proxy.url) as through,
        ExecutionTracker(through, give_up_seconds=60) as tracker,
    ):
        pipeline_id = await tracker.register_pipeline("work", "Work")
        started: set[str] = set()

        async def work() -> None:
            execution_id = await tracker.start_execution(pipeline_id, "Work")
            step = await tracker.start_step_execution(execution_id, "step", "Step", "task")
            await tracker.complete_step_execution(step, "completed")
            await tracker.update_execution_status(execution_id, "completed")
            started.add(execution_id)

        async def go_silent_now_and_then() -> None:
            for _ in range(3):
                await asyncio.sleep(0.05)
                proxy.go_silent()

        await asyncio.gather(go_silent_now_and_then(), *(work() for _ in range(30)))
        proxy.abort()
    async with ExecutionTracker(database) as reader:
        stored = await reader.get_recent_executions()
        assert {execution.execution_id for execution in stored} == started
        assert {(execution.status, execution.completed_steps) for execution in stored} == {
            (ExecutionStatus.COMPLETED, 1)
        }


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_closing_ends_while_the_database_is_silent_and_leaves_no_writer_waiting(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "_STATEMENT_SECONDS", 0.3)
    monkeypatch.setattr(postgresql_session, "_BEGIN_SECONDS", 0.3)
    async with proxy_to(database_url) as proxy, DatabaseManager(proxy.url, statement_timeout_seconds=0.5) as database:
        async with asyncio.timeout(20), ExecutionTracker(database, give_up_seconds=0.5) as tracker:
            pipeline_id = await tracker.register_pipeline("work", "Work")
            proxy.refuses = math.inf
            proxy.go_silent()
            starting = asyncio.create_task(tracker.start_execution(pipeline_id, "Work"))
            await asyncio.sleep(0)
        with pytest.raises(DatabaseUnavailable):
            await starting
