import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from ia_modules.database import postgresql_listener
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.postgresql_listener import Listener
from tests.unit.database.proxy import proxy_to
from tests.unit.database.test_signals import soon


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_lost_connection_is_made_again_and_says_so(database: DatabaseManager) -> None:
    async with aclosing(database.signals()) as signals:
        assert await soon(signals) is None
        ended = await database.fetch_all_async(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN \"ia_modules\"'"
            " AND datname = current_database()"
        )
        assert len(ended) == 1
        assert await soon(signals) is None  # something may have changed
        await database.notify("again")
        assert await soon(signals) == "again"


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_listener_asks_now_and_then_whether_the_server_is_still_there(
    database: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_listener, "_CHECK_SECONDS", 0.01)
    listeners = "SELECT count(*) AS n FROM pg_stat_activity WHERE query = :query AND datname = current_database()"
    async with aclosing(database.signals()) as signals, asyncio.timeout(60):
        assert await soon(signals) is None
        while await database.fetch_one_async(listeners, {"query": "SELECT 1"}) == {"n": 0}:
            pass
        await database.notify("still")
        assert await soon(signals) == "still"


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_payloads_that_come_faster_than_they_are_read_become_one_look(
    database: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_listener, "_WAITING_SIGNALS", 10)
    at_once = "SELECT pg_notify('ia_modules', number::text) FROM generate_series(1, 1000) AS number"
    async with aclosing(database.signals()) as signals:
        assert await soon(signals) is None
        await database.fetch_all_async(at_once)
        heard: list[str | None] = []
        while "1000" not in heard[-1:]:
            heard.append(await soon(signals))
        assert None in heard
        assert len(heard) < 1000


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_notifying_works_while_every_connection_is_in_use(database_url: str) -> None:
    async with DatabaseManager(database_url, pool_size=1) as database, aclosing(database.signals()) as signals:
        assert await soon(signals) is None
        async with database.transaction():
            await database.notify("still")
            assert await soon(signals) == "still"


async def test_a_listener_that_fails_is_logged_and_its_reader_told(caplog: pytest.LogCaptureFixture) -> None:
    async def connect(*_nothing: object) -> Any:
        raise RuntimeError("a defect, not a lost connection")

    async with aclosing(Listener(connect, connect, "here", 1.0).signals()) as signals:
        with pytest.raises(RuntimeError, match="a defect"):
            await soon(signals)
    assert "'ia-modules:listen' failed" in caplog.text


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_listener_whose_connection_falls_silent_listens_anew(
    database: DatabaseManager, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_listener, "_CHECK_SECONDS", 0.1)
    monkeypatch.setattr(postgresql_listener, "_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(postgresql_listener, "CLEANUP_SECONDS", 0.2)
    async with (
        proxy_to(database_url) as proxy,
        DatabaseManager(proxy.url) as listening,
        aclosing(listening.signals()) as signals,
    ):
        assert await soon(signals) is None
        proxy.go_silent()
        assert await soon(signals) is None  # something may have changed
        await database.notify("again")
        assert await soon(signals) == "again"
        proxy.abort()
