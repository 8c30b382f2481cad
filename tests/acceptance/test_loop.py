"""The event loop is never blocked, whatever the database does."""

import asyncio
import sys

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import BlockingCallOnLoop
from ia_modules.models import ExecutionStatus
from ia_modules.tracker.execution_tracker import ExecutionTracker

LOCK_SQLITE = """
import sys, time, apsw
connection = apsw.Connection(sys.argv[1])
connection.set_busy_timeout(10_000)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(2)
connection.execute("COMMIT")
"""
LOCK_POSTGRESQL = """
import asyncio, sys, asyncpg
async def main():
    connection = await asyncpg.connect(sys.argv[1])
    async with connection.transaction():
        await connection.execute("LOCK TABLE pipeline_executions, step_executions IN ACCESS EXCLUSIVE MODE")
        print("locked", flush=True)
        await asyncio.sleep(2)
asyncio.run(main())
"""


async def test_the_loop_ticks_on_while_another_process_holds_the_database_locked(
    database: DatabaseManager, database_url: str
) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("work", "Work")
        execution_id = await tracker.start_execution(pipeline_id, "Work")
        program, target = (
            (LOCK_SQLITE, database_url.removeprefix("sqlite:///"))
            if database.dialect == "sqlite"
            else (LOCK_POSTGRESQL, database_url)
        )
        locker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, target, stdout=asyncio.subprocess.PIPE
        )
        assert locker.stdout is not None
        assert await locker.stdout.readline() == b"locked\n"

        ticker = asyncio.create_task(tick())
        step_id = await tracker.start_step_execution(execution_id, "wait", "Wait", "task")
        while_locked = ticks
        assert await locker.wait() == 0
        await tracker.complete_step_execution(step_id, "completed", {"after": "the lock"})
        await tracker.update_execution_status(execution_id, "completed")
        ticker.cancel()
        assert while_locked >= 150
        execution = await tracker.get_execution(execution_id)
        assert execution is not None
        assert (execution.status, execution.completed_steps) == (ExecutionStatus.COMPLETED, 1)


@pytest.mark.parametrize(
    ("called", "instead"),
    [("execute", "execute_async"), ("fetch_one", "fetch_one_async"), ("fetch_all", "fetch_all_async")],
)
async def test_a_synchronous_call_on_a_running_loop_names_the_async_twin(
    database: DatabaseManager, called: str, instead: str
) -> None:
    with pytest.raises(BlockingCallOnLoop, match=instead):
        getattr(database, called)("SELECT 1 AS one")
    await getattr(database, instead)("SELECT 1 AS one")


def test_a_synchronous_call_without_a_loop_works(database_url: str) -> None:
    database = DatabaseManager(database_url)
    try:
        assert database.fetch_one("SELECT COUNT(*) AS n FROM pipelines") == {"n": 0}
        assert database.fetch_all("SELECT id FROM pipelines") == []
        assert database.execute("DELETE FROM pipelines") == 0
    finally:
        asyncio.run(database.close())
