import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseClosed
from tests.unit.database.processes import other_process
from tests.unit.database.test_driver import added
from tests.unit.database.test_manager import ADD, ids

WRITE_ONCE = """
import asyncio, sys
from ia_modules.database import postgresql_listener
from ia_modules.database.manager import DatabaseManager

async def main():
    async with DatabaseManager(sys.argv[1]) as database:
        print("ready", flush=True)
        sys.stdin.readline()
        await database.execute_async(
            "INSERT INTO events (event_id, actor, address, created_at) VALUES ('x', 'a', 'b', ia_now())"
        )
        await database.notify("written")
        sys.stdin.read()

asyncio.run(main())
"""


async def soon(signals: AsyncGenerator[str | None]) -> str | None:
    async with asyncio.timeout(60):
        return await anext(signals)


async def test_another_processs_write_is_signalled(database: DatabaseManager, database_url: str) -> None:
    async with aclosing(database.signals()) as signals:
        with other_process(WRITE_ONCE, database_url) as (_, commands):
            assert await soon(signals) is None  # listens
            commands.write("write\n")
            commands.flush()
            assert await soon(signals) == (None if database.dialect == "sqlite" else "written")
            assert await ids(database) == ["x"]


async def test_its_own_write_is_signalled_too(database: DatabaseManager) -> None:
    async with aclosing(database.signals()) as signals:
        assert await soon(signals) is None
        await database.run(added("1"))
        await database.notify("1")
        assert await soon(signals) == (None if database.dialect == "sqlite" else "1")


async def test_in_memory_a_write_is_signalled() -> None:
    memory = DatabaseManager("sqlite:///:memory:", poll_seconds=0.01)
    async with memory as database, aclosing(database.signals()) as signals:
        assert await soon(signals) is None
        await database.execute_async(ADD, {"event_id": "1"})
        assert await soon(signals) is None


async def test_without_a_write_nothing_is_signalled(database_url: str) -> None:
    async with DatabaseManager(database_url, poll_seconds=0.01) as database, aclosing(database.signals()) as signals:
        assert await soon(signals) is None
        await ids(database)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await anext(signals)


async def test_several_listeners_each_hear_everything(database: DatabaseManager) -> None:
    async with aclosing(database.signals()) as one, aclosing(database.signals()) as other:
        assert [await soon(one), await soon(other)] == [None, None]
        await database.run(added("1"))
        await database.notify("1")
        assert await soon(one) == await soon(other)


async def test_closing_the_manager_ends_them(database_url: str) -> None:
    database = DatabaseManager(database_url)
    signals = database.signals()
    assert await soon(signals) is None
    waiting = asyncio.create_task(anext(signals, "the end"))
    await asyncio.sleep(0)
    await database.close()
    async with asyncio.timeout(60):
        assert await waiting == "the end"


async def test_listeners_that_come_and_go_leave_no_thread_behind(database: DatabaseManager) -> None:
    """Cancelled after ever more turns of the loop: before it opened, while it did, while it listened."""
    await ids(database)  # the workers that stay
    before = threading.active_count()
    for turns in range(60):
        signals = database.signals()
        listening = asyncio.ensure_future(anext(signals))
        for _ in range(turns):
            await asyncio.sleep(0)
        listening.cancel()
        await asyncio.wait([listening])
        await signals.aclose()
    await database.close()
    assert threading.active_count() <= before - (4 if database.dialect == "sqlite" else 0)


async def test_a_listener_of_a_closed_manager_is_refused_and_starts_no_thread(database_url: str) -> None:
    database = DatabaseManager(database_url)
    await database.initialize()
    await database.close()
    before = threading.active_count()
    with pytest.raises(DatabaseClosed):
        await anext(database.signals())
    assert threading.active_count() == before
