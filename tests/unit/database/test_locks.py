"""Other processes hold locks: the caller waits, the event loop does not."""

import asyncio

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseBusy
from tests.unit.database.processes import lock_held_elsewhere
from tests.unit.database.test_driver import added
from tests.unit.database.test_manager import ADD, ids


async def write_alone(database: DatabaseManager) -> None:
    await database.execute_async(ADD, {"event_id": "1"})


async def write_in_a_script(database: DatabaseManager) -> None:
    await database.run(added("2"))


async def write_in_a_transaction(database: DatabaseManager) -> None:
    async with database.transaction() as handle:
        await handle.execute(ADD, {"event_id": "3"})


WRITES = (write_alone, write_in_a_script, write_in_a_transaction)


async def test_the_loop_keeps_ticking_while_writes_wait_for_another_process(
    database: DatabaseManager, database_url: str
) -> None:
    with lock_held_elsewhere(database_url):
        writing = asyncio.gather(*(write(database) for write in WRITES))
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert not writing.done()
    await writing
    assert await ids(database) == ["1", "2", "3"]


async def test_a_lock_held_for_too_long_is_an_error_and_nothing_is_lost(database_url: str) -> None:
    async with DatabaseManager(database_url, busy_timeout_seconds=0.2) as database:
        with lock_held_elsewhere(database_url):
            for write in WRITES:
                with pytest.raises(DatabaseBusy, match=r"lock .*[Tt]ry again"):
                    await write(database)
        await write_alone(database)
        assert await ids(database) == ["1"]


async def test_a_run_may_wait_less_than_the_others(database: DatabaseManager, database_url: str) -> None:
    with lock_held_elsewhere(database_url), pytest.raises(DatabaseBusy, match=r"lock .*[Tt]ry again"):
        await database.run(added("1"), lock_timeout_seconds=0.1)
    with lock_held_elsewhere(database_url):
        running = asyncio.ensure_future(database.run(added("2")))  # on the same connection, with the usual limit
        await asyncio.sleep(0.3)
    await running
    assert await ids(database) == ["2"]


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_on_sqlite_readers_do_not_wait_for_a_writer(database: DatabaseManager, database_url: str) -> None:
    with lock_held_elsewhere(database_url):
        writing = asyncio.ensure_future(write_alone(database))
        for _ in range(20):
            assert await ids(database) == []
        assert not writing.done()
    await writing


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_when_every_connection_is_in_use_for_too_long_it_says_so(database_url: str) -> None:
    url = f"{database_url}&connect_timeout=1"
    async with DatabaseManager(url, pool_size=2, busy_timeout_seconds=0.1) as database:
        inside, end = asyncio.Barrier(3), asyncio.Event()

        async def hold() -> None:
            async with database.transaction():
                await inside.wait()
                await end.wait()

        holding = [asyncio.create_task(hold()) for _ in range(2)]
        await inside.wait()
        with pytest.raises(DatabaseBusy, match="All 2 connections to .* were in use for too long"):
            await ids(database)
        end.set()
        await asyncio.gather(*holding)
        assert await ids(database) == []


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_two_transactions_that_wait_for_each_other_are_told_apart(database: DatabaseManager) -> None:
    await database.execute_many_async(ADD, [{"event_id": "1"}, {"event_id": "2"}])
    met = asyncio.Barrier(2)

    async def change(first: str, second: str) -> None:
        async with database.transaction() as handle:
            sql = "UPDATE events SET actor = :by WHERE event_id = :event_id"
            await handle.execute(sql, {"by": first, "event_id": first})
            await met.wait()
            await handle.execute(sql, {"by": first, "event_id": second})

    results = await asyncio.gather(change("1", "2"), change("2", "1"), return_exceptions=True)
    (loser,) = [result for result in results if result]
    assert isinstance(loser, DatabaseBusy)
    assert "two transactions waited for each other" in str(loser)
