import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ia_modules.database import postgresql, postgresql_session
from ia_modules.database.driver import Rows
from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import (
    DatabaseBusy,
    DatabaseReadOnly,
    DatabaseUnavailable,
)
from tests.conftest import closing_manager
from tests.unit.database.proxy import Proxy, proxy_to
from tests.unit.database.test_driver import added
from tests.unit.database.test_manager import ADD, IDS, ids

pytestmark = pytest.mark.parametrize("dialect", ["postgresql"])


async def test_a_script_costs_one_round_trip_for_each_statement_and_two_for_its_transaction(database_url: str) -> None:
    def script() -> Script[None]:
        for event_id in "123":
            yield Statement(f"{ADD} RETURNING event_id", ({"event_id": event_id},))

    async with DatabaseManager(database_url, pool_size=1) as database:
        await database.run(added("0"))  # prepared once, and kept
        sent: list[str] = []
        pools = await database._driver._pools_here()  # pyright: ignore[reportAttributeAccessIssue]
        connection = await pools.work.acquire()
        connection.add_query_logger(lambda record: sent.append(record.query))
        real = connection._con
        await pools.work.release(connection)
        await database.run(script())
        assert not real.is_closed()
        assert [query.split()[0] for query in sent] == ["BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]
        await database.run(added("4"), lock_timeout_seconds=0.5)
        assert sent[5:] == ["BEGIN; SET LOCAL lock_timeout = 500", sent[6], "COMMIT"]
        assert await database.fetch_one_async("SHOW lock_timeout") == {"lock_timeout": "10s"}


async def test_the_program_is_named_to_the_server(database: DatabaseManager) -> None:
    assert await database.fetch_one_async("SHOW application_name") == {"application_name": "ia_modules"}


def lose_every_connection(url: str) -> None:
    """As when the server was started again. It blocks the loop, so that asyncpg does not see it before it is used."""
    kill = (
        "SELECT pg_terminate_backend(pid, 5000) AS ended FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )

    def in_a_thread() -> Rows:
        with closing_manager(DatabaseManager(url, pool_size=1)) as admin:
            return admin.fetch_all(kill)

    with ThreadPoolExecutor() as threads:
        ended = threads.submit(in_a_thread).result()
    assert ended == [{"ended": True}] * 4  # three that work, one that notifies


@pytest.fixture
async def four_connections(database_url: str) -> AsyncGenerator[DatabaseManager]:
    async with DatabaseManager(database_url, pool_size=3) as database:
        await database.execute_async(ADD, {"event_id": "1"})
        await asyncio.gather(
            *(database.fetch_all_async("SELECT pg_sleep(0.1)") for _ in range(3)), database.notify("x")
        )
        yield database


async def write_in_a_transaction(database: DatabaseManager) -> None:
    async with database.transaction() as handle:
        await handle.execute(ADD, {"event_id": "2"})


def all_ids() -> Script[Rows]:
    return (yield Statement(IDS))


USES: list[Callable[[DatabaseManager], Awaitable[Any]]] = [
    lambda database: database.fetch_one_async(IDS),
    lambda database: database.fetch_all_async(IDS),
    lambda database: database.read(all_ids()),
    lambda database: database.run(added("2")),
    lambda database: database.notify("y"),
    write_in_a_transaction,
]


@pytest.mark.parametrize("use", USES)
async def test_connections_that_were_lost_while_idle_are_not_noticed(
    four_connections: DatabaseManager, database_url: str, use: Callable[[DatabaseManager], Awaitable[Any]]
) -> None:
    lose_every_connection(database_url)
    await use(four_connections)
    await four_connections.execute_async("DELETE FROM events WHERE event_id = '2'")
    assert await ids(four_connections) == ["1"]


@pytest.mark.parametrize(
    "write",
    [
        lambda database: database.execute_async(ADD, {"event_id": "2"}),
        lambda database: database.fetch_all_async(f"{ADD} RETURNING event_id", {"event_id": "2"}),
    ],
)
async def test_a_write_alone_whose_connection_was_lost_is_not_repeated(
    four_connections: DatabaseManager, database_url: str, write: Callable[[DatabaseManager], Awaitable[Any]]
) -> None:
    lose_every_connection(database_url)
    with pytest.raises(DatabaseUnavailable, match="The connection to PostgreSQL at .* was lost"):
        await write(four_connections)
    await write(four_connections)
    assert await ids(four_connections) == ["1", "2"]


async def test_a_script_that_had_begun_is_not_repeated(database: DatabaseManager, database_url: str) -> None:
    def script() -> Script[Rows]:
        pid = (yield Statement("SELECT pg_backend_pid() AS pid"))[0]["pid"]
        yield Statement("SELECT pg_terminate_backend(:pid)", ({"pid": pid},))
        return (yield Statement(IDS))

    for attempt in (database.read(script()), database.run(script())):
        with pytest.raises(DatabaseUnavailable, match="was lost"):
            await attempt
    assert await ids(database) == []


@asynccontextmanager
async def fallen_silent(database_url: str, **options: Any) -> AsyncGenerator[tuple[DatabaseManager, Proxy]]:
    """Three connections that work and one that notifies, none of which says anything any more; new ones work."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (postgresql, postgresql_session):
            patch.setattr(module, "CLEANUP_SECONDS", 0.3)  # so long each of them is waited for when it is given up
        async with proxy_to(database_url) as proxy, DatabaseManager(proxy.url, pool_size=3, **options) as database:
            await asyncio.gather(
                *(database.fetch_all_async("SELECT pg_sleep(0.1)") for _ in range(3)), database.notify("x")
            )
            proxy.go_silent()
            yield database, proxy
            proxy.abort()


@pytest.mark.parametrize("use", USES)
async def test_connections_that_fell_silent_while_idle_are_replaced(
    database_url: str, use: Callable[[DatabaseManager], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_session, "_BEGIN_SECONDS", 0.3)
    async with fallen_silent(database_url, statement_timeout_seconds=0.5) as (database, _):
        await use(database)
        await asyncio.gather(*(database.fetch_all_async(IDS) for _ in range(9)))


async def test_a_write_alone_on_a_silent_connection_is_an_error_and_not_repeated(database_url: str) -> None:
    async with fallen_silent(database_url, statement_timeout_seconds=0.5) as (database, _):
        with pytest.raises(DatabaseUnavailable, match="did not answer in time"):
            await database.execute_async(ADD, {"event_id": "1"})
        assert await ids(database) == []
        await database.execute_async(ADD, {"event_id": "2"})


async def test_a_script_whose_connection_falls_silent_is_an_error_and_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_session, "_BEGIN_SECONDS", 1.0)

    def script() -> Script[None]:
        yield Statement(ADD, ({"event_id": "1"},))
        proxy.go_silent()
        yield Statement(ADD, ({"event_id": "2"},))

    async with fallen_silent(database_url) as (database, proxy):
        with pytest.raises(DatabaseUnavailable, match="did not answer in time"):
            await database.run(script(), statement_timeout_seconds=0.3)
        assert await ids(database) == []


async def test_a_statement_that_is_slow_is_cancelled_at_its_limit_and_keeps_its_connection(
    database_url: str,
) -> None:
    pid = "SELECT pg_backend_pid() AS pid"
    async with DatabaseManager(database_url, pool_size=1, statement_timeout_seconds=0.5) as database:
        before = await database.fetch_one_async(pid)
        with pytest.raises(DatabaseUnavailable, match="larger statement_timeout_seconds="):
            await database.fetch_all_async("SELECT pg_sleep(600)")
        assert await database.fetch_one_async(pid) == before


async def test_closing_ends_also_when_the_server_has_fallen_silent(database_url: str) -> None:
    async with fallen_silent(database_url, statement_timeout_seconds=0.5) as (database, proxy):
        proxy.refuses = math.inf
        writing = asyncio.create_task(database.execute_async(ADD, {"event_id": "1"}))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(25):
            await database.close()
        with pytest.raises(DatabaseUnavailable):
            await writing


async def test_a_host_that_is_lost_inside_a_transaction_does_not_keep_its_locks(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is never closed, and no statement runs: only the server can end the transaction."""
    monkeypatch.setattr(postgresql, "_IDLE_IN_TRANSACTION_SECONDS", 0.5)
    change = "UPDATE events SET actor = :actor WHERE event_id = '1'"

    def script() -> Script[None]:
        yield Statement(change, ({"actor": "lost"},))
        proxy.go_silent()
        yield Statement(change, ({"actor": "never"},))

    in_it = "SELECT 1 FROM pg_locks WHERE relation = 'events'::regclass AND mode = 'RowExclusiveLock'"
    async with (
        proxy_to(database_url) as proxy,
        DatabaseManager(proxy.url, statement_timeout_seconds=1) as lost,
        DatabaseManager(database_url, busy_timeout_seconds=5) as other,
    ):
        await other.execute_async(ADD, {"event_id": "1"})
        ending = asyncio.create_task(lost.run(script()))
        while not await other.fetch_all_async(in_it):
            pass
        await other.execute_async(change, {"actor": "other"})
        with pytest.raises(DatabaseUnavailable):
            await ending
        assert await other.fetch_one_async("SELECT actor FROM events") == {"actor": "other"}
        proxy.abort()


async def test_a_script_that_stands_still_inside_its_transaction_is_rolled_back_and_may_be_repeated(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_IDLE_IN_TRANSACTION_SECONDS", 0.1)

    def slow(seconds: float) -> Script[None]:
        yield Statement(ADD, ({"event_id": "1"},))
        time.sleep(seconds)  # a program that blocks its event loop

    async with DatabaseManager(database_url) as database:
        with pytest.raises((DatabaseBusy, DatabaseUnavailable)):
            await database.run(slow(0.5))
        await database.run(slow(0))
        assert await ids(database) == ["1"]


async def test_the_server_asks_over_tcp_whether_a_silent_host_is_gone(database: DatabaseManager) -> None:
    """On a socket file the settings are taken and do nothing."""
    sql = "SELECT name FROM pg_settings WHERE source = 'session' AND name LIKE 'tcp\\_%' ORDER BY name"
    assert [row["name"] for row in await database.fetch_all_async(sql)] == [
        "tcp_keepalives_count",
        "tcp_keepalives_idle",
        "tcp_keepalives_interval",
        "tcp_user_timeout",
    ]


async def test_connections_that_could_only_read_are_replaced(database: DatabaseManager, database_url: str) -> None:
    """As after a failover: the server that could only be read is not the one that new connections lead to."""
    alter = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {}', current_database()); END $$"
    await database.execute_async(alter.format("SET default_transaction_read_only = on"))
    async with DatabaseManager(database_url) as standby:
        await database.execute_async(alter.format("RESET default_transaction_read_only"))
        with pytest.raises(DatabaseReadOnly):
            await standby.run(added("1"))
        await standby.run(added("1"))
        assert await ids(database) == ["1"]


async def test_a_connection_that_is_lost_before_it_is_ready_is_made_again(database_url: str) -> None:
    async with proxy_to(database_url) as proxy, DatabaseManager(proxy.url) as database:
        proxy.refuses = 1
        await asyncio.gather(*(database.execute_async(ADD, {"event_id": each}) for each in "12"))
        assert await ids(database) == ["1", "2"]
