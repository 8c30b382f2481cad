import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ia_modules.database.driver import Dialect
from ia_modules.database.manager import DatabaseManager, Transaction
from ia_modules.errors import ConstraintViolated, InvalidQuery, TransactionMisuse
from tests.unit.database.test_driver import SLOW, added
from tests.unit.database.test_manager import ADD, IDS, ids


async def test_a_transaction_is_committed_when_its_block_ends(database: DatabaseManager) -> None:
    async with database.transaction() as handle:
        assert await handle.execute(ADD, {"event_id": "1"}) == 1
        await handle.execute_many(ADD, [{"event_id": "2"}, {"event_id": "3"}])
        assert await handle.fetch_one(IDS) == {"event_id": "1"}
        assert len(await handle.fetch_all(IDS)) == 3
        assert await handle.fetch_one("SELECT 1 AS one WHERE 1 = 0") is None
    assert await ids(database) == ["1", "2", "3"]


async def test_nobody_sees_it_before(database: DatabaseManager, database_url: str) -> None:
    async with DatabaseManager(database_url) as other:
        async with database.transaction() as handle:
            await handle.execute(ADD, {"event_id": "1"})
            assert await ids(other) == []
        assert await ids(other) == ["1"]


async def test_a_block_that_raises_leaves_nothing(database: DatabaseManager) -> None:
    with pytest.raises(LookupError):
        async with database.transaction() as handle:
            await handle.execute(ADD, {"event_id": "1"})
            raise LookupError
    assert await ids(database) == []


async def test_a_cancelled_block_leaves_nothing(database: DatabaseManager) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with database.transaction() as handle:
            await handle.execute(ADD, {"event_id": "1"})
            inside.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await inside.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await ids(database) == []
    assert await database.run(added("2")) == 1


async def test_cancelled_while_it_waits_for_its_turn(database: DatabaseManager, dialect: Dialect) -> None:
    async def work() -> None:
        async with database.transaction():
            pytest.fail("it was never its turn")

    async with database.transaction() as handle:
        await handle.execute(ADD, {"event_id": "1"})
        if dialect == "sqlite":  # the only writer; PostgreSQL gives a connection of its own
            working = contextvars.Context().run(asyncio.create_task, work())
            await asyncio.sleep(0.05)
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
    assert await ids(database) == ["1"]


async def test_the_manager_is_out_of_bounds_inside_also_in_tasks_started_there(database: DatabaseManager) -> None:
    async def elsewhere() -> None:
        await database.execute_async(ADD, {"event_id": "1"})

    async with database.transaction() as handle:
        for attempt in (
            database.execute_async(ADD, {"event_id": "1"}),
            database.fetch_one_async(IDS),
            database.fetch_all_async(IDS),
            database.execute_many_async(ADD, [{"event_id": "1"}]),
            database.run(added("1")),
            database.read(added("1")),
            database.initialize(),
            asyncio.create_task(elsewhere()),
            asyncio.to_thread(database.execute, ADD, {"event_id": "1"}),
        ):
            with pytest.raises(TransactionMisuse, match="Use the handle that `async with database.transaction"):
                await attempt
        with pytest.raises(TransactionMisuse, match=r"transaction\(\) was called inside a transaction"):
            database.transaction()
        with pytest.raises(TransactionMisuse, match=r"record_step\(\) was called .*: the handle's own verbs\."):
            database.refuse_inside_transaction("record_step()", "the handle's own verbs")
        assert await handle.fetch_all(IDS) == []
    assert await ids(database) == []


async def test_the_manager_cannot_be_closed_inside(database: DatabaseManager) -> None:
    async with asyncio.timeout(60), database.transaction() as handle:
        await handle.execute(ADD, {"event_id": "1"})
        for attempt in (database.close(), asyncio.to_thread(database.close_sync)):
            with pytest.raises(TransactionMisuse, match=r"close\(\) was called inside a transaction"):
                await attempt
    assert await ids(database) == ["1"]


async def test_a_statement_that_is_cancelled_while_it_waits_for_its_turn_spoils_it_too(
    database: DatabaseManager,
) -> None:
    with pytest.raises(TransactionMisuse, match="failed or was cancelled"):
        async with database.transaction() as handle:
            statements = [asyncio.create_task(handle.execute(ADD, {"event_id": event_id})) for event_id in "12"]
            await asyncio.sleep(0)
            statements[1].cancel()
            await asyncio.wait(statements)
    assert await ids(database) == []


async def test_what_runs_elsewhere_meanwhile_is_not_refused(database: DatabaseManager) -> None:
    async with database.transaction():
        outside = contextvars.Context().run(asyncio.create_task, ids(database))
        assert await outside == []


async def test_a_task_that_outlives_the_block_may_use_the_manager_again(database: DatabaseManager) -> None:
    ended = asyncio.Event()

    async def later() -> list[str]:
        await ended.wait()
        return await ids(database)

    async with database.transaction() as handle:
        task = asyncio.create_task(later())
        await handle.execute(ADD, {"event_id": "1"})
    ended.set()
    assert await task == ["1"]


async def test_another_database_may_be_used_inside(database: DatabaseManager) -> None:
    async with DatabaseManager("sqlite:///:memory:") as other, database.transaction():
        assert await ids(other) == []
        async with other.transaction() as handle:
            await handle.execute(ADD, {"event_id": "1"})


async def test_the_handle_ends_with_its_block(database: DatabaseManager) -> None:
    async with database.transaction() as handle:
        pass
    with pytest.raises(TransactionMisuse, match="cannot be used after its block"):
        await handle.execute(ADD, {"event_id": "1"})
    assert await ids(database) == []


async def test_after_a_failed_statement_the_transaction_cannot_be_saved(database: DatabaseManager) -> None:
    """On both databases alike, though SQLite alone would go on."""
    with pytest.raises(TransactionMisuse, match="all of it is rolled back"):
        async with database.transaction() as handle:
            await handle.execute(ADD, {"event_id": "1"})
            with pytest.raises(ConstraintViolated):
                await handle.execute(ADD, {"event_id": "1"})
            with pytest.raises(TransactionMisuse):
                await handle.execute(ADD, {"event_id": "2"})
    assert await ids(database) == []


async def test_after_a_cancelled_statement_it_cannot_be_saved_either(
    database: DatabaseManager, dialect: Dialect
) -> None:
    with pytest.raises(TransactionMisuse, match="failed or was cancelled"):
        async with database.transaction() as handle:
            await handle.execute(ADD, {"event_id": "1"})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await handle.fetch_all(SLOW[dialect])
    assert await ids(database) == []
    async with asyncio.timeout(60):
        assert await database.run(added("3")) == 1


async def test_a_transaction_may_not_be_ended_by_hand(database: DatabaseManager) -> None:
    with pytest.raises(InvalidQuery, match="begins or ends a transaction"):
        async with database.transaction() as handle:
            await handle.execute(ADD, {"event_id": "1"})
            await handle.execute("ROLLBACK")
    assert await ids(database) == []


async def test_a_handle_may_be_used_by_several_tasks(database: DatabaseManager) -> None:
    async with database.transaction() as handle:
        await asyncio.gather(*(handle.execute(ADD, {"event_id": str(number)}) for number in range(10)))
    assert len(await ids(database)) == 10


async def test_a_statement_that_is_still_running_at_the_end_is_waited_for(database: DatabaseManager) -> None:
    async with database.transaction() as handle:
        late = [asyncio.create_task(handle.execute(ADD, {"event_id": event_id})) for event_id in "12"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    results = await asyncio.gather(*late, return_exceptions=True)
    assert results[0] == 1
    assert isinstance(results[1], TransactionMisuse)
    assert await ids(database) == ["1"]


async def _wait_for_nothing(_: Transaction, __: str) -> None:
    await asyncio.Event().wait()


async def _run_a_slow_statement(handle: Transaction, dialect: str) -> None:
    await handle.fetch_all(SLOW[dialect])


async def _block_the_loop(_: Transaction, __: str) -> None:
    time.sleep(0.4)  # noqa: ASYNC251 - as careless code does
    await asyncio.sleep(0.01)


async def _keep_asking_after_its_cancellation(handle: Transaction, _: str) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0.1)
        await handle.execute(ADD, {"event_id": "2"})


@pytest.mark.parametrize(
    "work", [_wait_for_nothing, _run_a_slow_statement, _block_the_loop, _keep_asking_after_its_cancellation]
)
async def test_a_transaction_ends_at_its_time_limit(
    database: DatabaseManager, dialect: Dialect, work: Callable[[Transaction, str], Awaitable[None]]
) -> None:
    with pytest.raises(TransactionMisuse, match=r"longer than its limit of 0\.3 s"):
        async with database.transaction(timeout_seconds=0.3) as handle:
            await handle.execute(ADD, {"event_id": "1"})
            await work(handle, dialect)
    assert await ids(database) == []
    async with asyncio.timeout(60):
        assert await database.run(added("3")) == 1


async def test_a_statement_that_ends_by_the_time_limit_says_so_also_where_the_loop_knows_it_later(
    database: DatabaseManager, dialect: Dialect
) -> None:
    asyncio.get_running_loop().call_soon(time.sleep, 0.2)  # a busy machine: it has begun before the loop hears of it
    with pytest.raises(TransactionMisuse, match=r"longer than its limit of 0\.3 s"):
        async with database.transaction(timeout_seconds=0.3) as handle:
            await _run_a_slow_statement(handle, dialect)


async def test_a_timeout_of_the_users_own_stays_theirs(database: DatabaseManager) -> None:
    with pytest.raises(TimeoutError):
        async with database.transaction() as handle:
            await handle.execute(ADD, {"event_id": "1"})
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
    assert await ids(database) == []


async def test_a_time_limit_frees_the_database_while_the_loop_is_blocked(database_url: str, dialect: Dialect) -> None:
    """The one who waits is another manager, on a loop of its own: it gets the lock although the first loop hangs."""
    holding, waiting = DatabaseManager(database_url), DatabaseManager(database_url)

    await holding.execute_async(ADD, {"event_id": "1"})
    with ThreadPoolExecutor() as threads, pytest.raises(TransactionMisuse):
        async with holding.transaction(timeout_seconds=0.2) as handle:
            await handle.execute("UPDATE events SET actor = 'bob' WHERE event_id = '1'")
            write = "UPDATE events SET actor = 'eve' WHERE event_id = '1'"
            threads.submit(waiting.execute, write).result(timeout=30)  # blocks the loop, as careless code does
    assert await waiting.fetch_one_async("SELECT actor FROM events") == {"actor": "eve"}
    await holding.close()
    await waiting.close()
