"""Behind a pooler in transaction mode, a session is ours until the transaction ends; nothing may be left on it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import asyncpg
import pytest

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import ConstraintViolated, DatabaseBusy, DatabaseUnavailable, InvalidQuery
from tests.conftest import new_name, postgresql_database
from tests.pooler import Pooler, pooler_before
from tests.unit.database.test_driver import added
from tests.unit.database.test_manager import ADD, ids
from tests.unit.database.test_signals import soon

SESSION = """SELECT current_setting('lock_timeout') AS lock_timeout, current_setting('work_mem') AS work_mem,
    (SELECT count(*) FROM pg_prepared_statements) AS prepared,
    (SELECT count(*) FROM pg_listening_channels()) AS listening,
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
    (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors"""
CLEAN = {"lock_timeout": "0", "work_mem": "4MB", "prepared": 0, "listening": 0, "locks": 0, "cursors": 0}


@pytest.fixture
async def pooled(pooler: Pooler) -> AsyncGenerator[DatabaseManager]:
    async with DatabaseManager(pooler.url) as database:
        yield database


async def assert_clean(pooler: Pooler) -> None:
    """Every session of the pooler is as a new one, and no statement was prepared by name."""
    looking = await asyncpg.connect(pooler.url, statement_cache_size=0)
    for _ in range(6):  # each transaction has the next session
        assert dict((await looking.fetch(SESSION))[0]) == CLEAN
    await looking.close()
    assert pooler.prepared == set()


async def test_every_kind_of_statement_works_and_leaves_nothing(pooled: DatabaseManager, pooler: Pooler) -> None:
    assert await pooled.run(added("1"), lock_timeout_seconds=0.5) == 1
    await pooled.execute_async(ADD, {"event_id": "2"})
    await pooled.execute_many_async(f"{ADD} RETURNING event_id", [{"event_id": f"m{n:04}"} for n in range(2000)])
    async with pooled.transaction() as handle:
        await handle.execute(ADD, {"event_id": "3"})
        assert await handle.fetch_one("SELECT count(*) AS n FROM events") == {"n": 2003}
    await pooled.notify("something")
    with pytest.raises(ConstraintViolated):
        await pooled.execute_async(ADD, {"event_id": "1"})
    with pytest.raises(InvalidQuery):
        await pooled.fetch_all_async("SELECT nothing_there")

    def counted() -> Script[int]:
        return (yield Statement("SELECT count(*) AS n FROM events"))[0]["n"]

    assert await pooled.read(counted()) == 2003
    assert await asyncio.gather(*(pooled.fetch_one_async("SELECT CAST(:n AS INT) AS n", {"n": n}) for n in range(40)))
    await assert_clean(pooler)


@pytest.mark.parametrize(
    "leave_something",
    [
        "SET work_mem = '3MB'",
        "SELECT set_config('work_mem', '3MB', false)",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_advisory_lock(1), 1 / (SELECT count(*) FROM events)",
        "LISTEN ia_modules",
        "DECLARE all_of_it CURSOR WITH HOLD FOR SELECT 1",
    ],
)
async def test_a_session_is_clean_before_others_get_it(
    pooled: DatabaseManager, pooler: Pooler, leave_something: str
) -> None:
    with suppress(InvalidQuery):  # a division by zero
        await pooled.execute_async(leave_something)
    await assert_clean(pooler)


async def test_one_session_is_enough_to_notice_the_pooler(direct_url: str) -> None:
    with pooler_before(direct_url, sessions=1) as pooler:
        async with DatabaseManager(pooler.url) as database:
            assert await database.run(added("1")) == 1
        await assert_clean(pooler)


def test_a_new_database_is_migrated_by_two_at_once(embedded_postgresql: str) -> None:
    async def migrate(pooler: Pooler) -> None:
        one, other = DatabaseManager(pooler.url), DatabaseManager(pooler.url)
        await asyncio.gather(one.initialize(), other.initialize())
        assert {each.state for each in await one.migration_status()} == {"applied"}
        await asyncio.gather(one.close(), other.close())
        await assert_clean(pooler)

    with postgresql_database(embedded_postgresql, new_name()) as url, pooler_before(url) as pooler:
        asyncio.run(migrate(pooler))


async def test_settings_of_the_url_hold_in_each_transaction(direct_url: str, pooler: Pooler) -> None:
    async with DatabaseManager(direct_url) as direct:
        await direct.execute_async('CREATE SCHEMA "it\'s"')
    options = "search_path=%22it's%22,public&options=-c%20work_mem%3D5MB%20--statement-timeout%3D7s"
    expected = {"search_path": '"it\'s",public', "work_mem": "5MB", "statement_timeout": "7s", "lock_timeout": "3s"}
    settings = ", ".join(f"current_setting('{name}') AS {name}" for name in expected)
    async with DatabaseManager(f"{pooler.url}?{options}", busy_timeout_seconds=3) as database:
        for _ in range(4):
            assert await database.fetch_one_async(f"SELECT {settings}") == expected
        async with database.transaction() as handle:
            assert await handle.fetch_one(f"SELECT {settings}") == expected
    assert pooler.refused == []
    await assert_clean(pooler)
    at = "&" if "?" in direct_url else "?"
    async with DatabaseManager(f"{direct_url}{at}{options}", busy_timeout_seconds=3) as database:
        assert await database.fetch_one_async(f"SELECT {settings}") == expected


async def test_a_lock_is_waited_for_only_so_long(pooler: Pooler, pooled: DatabaseManager) -> None:
    async with (
        DatabaseManager(pooler.url, busy_timeout_seconds=0.1) as waiting,
        pooled.transaction() as handle,
    ):
        await handle.execute(ADD, {"event_id": "1"})
        with pytest.raises(DatabaseBusy):
            await waiting.execute_async(ADD, {"event_id": "1"})


async def test_a_statement_at_its_limit_is_cancelled_in_the_server(pooler: Pooler, direct_url: str) -> None:
    running = "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    async with DatabaseManager(pooler.url, statement_timeout_seconds=0.3) as database:
        with pytest.raises(DatabaseUnavailable, match="did not answer in time"):
            await database.fetch_all_async("SELECT pg_sleep(30)")
    async with DatabaseManager(direct_url) as direct, asyncio.timeout(60):
        while await direct.fetch_one_async(running) != {"n": 0}:
            pass


async def test_sessions_that_the_server_ended_are_replaced(pooled: DatabaseManager, direct_url: str) -> None:
    await pooled.execute_async(ADD, {"event_id": "1"})
    async with DatabaseManager(direct_url) as direct:
        ended = await direct.fetch_all_async(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    assert ended
    assert await ids(pooled) == ["1"]
    assert await pooled.run(added("2")) == 1


async def test_commits_of_others_are_signalled_without_listening(
    pooled: DatabaseManager, pooler: Pooler, direct_url: str
) -> None:
    async with aclosing(pooled.signals()) as signals, DatabaseManager(direct_url) as direct:
        assert await soon(signals) is None
        await direct.execute_async(ADD, {"event_id": "1"})
        assert await soon(signals) is None
        await assert_clean(pooler)


async def test_who_listens_without_the_pooler_is_seen_and_notified_through_it(
    pooled: DatabaseManager, pooler: Pooler, direct_url: str
) -> None:
    async with aclosing(pooled.signals()) as looking, DatabaseManager(direct_url) as direct:
        assert await soon(looking) is None
        assert not await pooled.has_listeners()  # who only looks needs no message
        async with aclosing(direct.signals()) as listening:
            assert await soon(listening) is None
            assert await pooled.has_listeners()
            await pooled.notify("written")
            assert await soon(listening) == "written"
    await assert_clean(pooler)


async def test_a_pooler_that_is_called_a_session_pooler_is_found_out_when_it_matters(pooler: Pooler) -> None:
    with pytest.raises(DatabaseUnavailable, match="Add pooler=transaction to the options of the URL"):
        async with DatabaseManager(f"{pooler.url}?pooler=session") as database:
            for number in range(8):
                await database.fetch_one_async("SELECT CAST(:n AS INT) AS n", {"n": number})
    async with DatabaseManager(f"{pooler.url}?pooler=transaction") as database:
        assert await database.run(added("1")) == 1
