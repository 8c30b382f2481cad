"""Missing, dead, silent and read-only servers, wrong passwords: each is told apart."""

import asyncio
import logging
import os
import re
import signal
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    DatabaseReadOnly,
    DatabaseRefused,
    DatabaseUnavailable,
    InvalidDatabaseUrl,
    TransactionMisuse,
)
from tests.postgres import database_on, embedded_server
from tests.unit.database.test_driver import added
from tests.unit.database.test_manager import ADD, IDS, ids


async def test_nobody_listens_there(unused_tcp_port: int) -> None:
    database = DatabaseManager(f"postgresql://ada:hunter2@127.0.0.1:{unused_tcp_port}/ia")
    for attempt in (database.initialize(), ids(database), database.run(added("1")), database.notify("x")):
        with pytest.raises(DatabaseUnavailable, match=f"127.0.0.1:{unused_tcp_port}") as caught:
            await attempt
        assert type(caught.value) is DatabaseUnavailable  # waiting may help
        assert "hunter2" not in everything_said(caught.value)
    await database.close()


async def test_who_does_not_answer_is_given_up(unused_tcp_port: int) -> None:
    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", unused_tcp_port):
        database = DatabaseManager(f"postgresql://127.0.0.1:{unused_tcp_port}/ia?connect_timeout=1&sslmode=disable")
        with pytest.raises(DatabaseUnavailable, match="did not answer in time"):
            await ids(database)
        await database.close()


async def test_a_database_or_an_option_that_does_not_exist(postgresql_server: str) -> None:
    missing = DatabaseManager(database_on(postgresql_server, "no_such_database"))
    with pytest.raises(DatabaseRefused, match="no_such_database"):
        await ids(missing)
    await missing.close()
    separator = "&" if "?" in postgresql_server else "?"
    misspelt = DatabaseManager(f"{postgresql_server}{separator}no_such_option=1")
    with pytest.raises(InvalidDatabaseUrl, match="no_such_option"):
        await ids(misspelt)
    await misspelt.close()


async def test_a_wrong_password_is_not_in_the_error_nor_in_its_causes(embedded_postgresql: str) -> None:
    secret = "pass/word@#?ü"
    async with DatabaseManager(embedded_postgresql) as admin:
        await admin.execute_async("CREATE ROLE careful LOGIN PASSWORD 'right'")
        hba = await admin.fetch_one_async("SELECT setting FROM pg_settings WHERE name = 'hba_file'")
        assert hba is not None
        demand_password("careful", Path(hba["setting"]))
        await admin.execute_async("SELECT pg_reload_conf()")
        socket = embedded_postgresql.partition("?")[2]
        wrong = DatabaseManager(f"postgresql://careful:{quote(secret, safe='')}@/postgres?{socket}")
        with pytest.raises(DatabaseRefused, match='password authentication failed for user "careful"') as caught:
            await wrong.fetch_one_async("SELECT 1")
        text = everything_said(caught.value) + repr(wrong) + wrong.safe_url
        assert secret not in text
        assert quote(secret, safe="") not in text
        await wrong.close()
        right = DatabaseManager(f"postgresql://careful:right@/postgres?{socket}")
        assert await right.fetch_one_async("SELECT 1 AS one") == {"one": 1}
        await right.close()


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_server_that_only_reads_needs_no_write_to_start_with(database_url: str) -> None:
    separator = "&" if "?" in database_url else "?"
    async with DatabaseManager(f"{database_url}{separator}default_transaction_read_only=on") as standby:
        assert await ids(standby) == []
        for attempt in (standby.run(added("1")), standby.execute_async(ADD, {"event_id": "1"})):
            with pytest.raises(DatabaseReadOnly):
                await attempt


async def test_a_server_that_dies_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """A backend killed with SIGKILL makes the server drop every connection and recover: as after a crash."""
    with embedded_server() as url:
        async with DatabaseManager(url) as database, aclosing(database.signals()) as signals:
            assert await anext(signals) is None
            await database.execute_async(ADD, {"event_id": "1"})
            backend = await database.fetch_one_async("SELECT pg_backend_pid() AS pid")
            assert backend is not None
            with pytest.raises((DatabaseUnavailable, TransactionMisuse)), caplog.at_level(logging.WARNING):
                async with database.transaction() as handle:
                    await handle.execute(ADD, {"event_id": "2"})
                    os.kill(backend["pid"], signal.SIGKILL)
                    while True:
                        await handle.fetch_all(IDS)
            async with asyncio.timeout(60):
                assert await anext(signals) is None  # connected anew
                assert await ids(database) == ["1"]
                assert await database.run(added("3")) == 1


def demand_password(role: str, path: Path) -> None:
    """Add a rule to a server's ``pg_hba.conf``, before all others."""
    path.write_text(f"local all {role} scram-sha-256\n{path.read_text()}")


def everything_said(error: BaseException) -> str:
    """An error's text and those of its causes."""
    texts: list[str] = []
    reason: BaseException | None = error
    while reason is not None:
        texts.append(f"{reason!r} {reason}")
        reason = reason.__cause__ or reason.__context__
    return re.sub(r"\s+", " ", " ".join(texts))
