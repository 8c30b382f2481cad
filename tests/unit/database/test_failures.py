"""What goes wrong outside: missing, broken and read-only files, dead servers, wrong passwords."""

import asyncio
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote

import pytest

from ia_modules.database.driver import Dialect
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnavailable,
    InvalidDatabaseUrl,
    TransactionMisuse,
)
from tests.postgres import database_on, embedded_server
from tests.unit.database.test_manager import ADD, IDS, ids
from tests.unit.database.test_scripts import added

READ_ONLY_USE = """
import asyncio, os, sys
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseError

async def attempt(what, awaitable):
    try:
        print(what, await awaitable)
    except DatabaseError as error:
        print(what, type(error).__name__)

async def main():
    database = DatabaseManager(sys.argv[1])
    await attempt("initialize:", database.initialize())
    await attempt("status:", states(database))
    await attempt("read:", database.fetch_all_async("SELECT audit_id FROM audit_log"))
    await attempt("write:", database.execute_async("DELETE FROM audit_log"))
    await attempt("read in a transaction:", first_in_a_transaction(database))
    await database.close()

async def first_in_a_transaction(database):
    async with database.transaction() as handle:
        return await handle.fetch_one("SELECT audit_id FROM audit_log")

async def states(database):
    return [migration.state for migration in await database.migration_status()]

if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
asyncio.run(main())
"""


@pytest.fixture
def open_folder() -> Generator[Path]:
    """A folder that other users can look into, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="ia_test_"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def as_reader(path: Path) -> str:
    """What a process says that may read the file but write neither it nor its folder."""
    path.chmod(0o444)
    path.parent.chmod(0o555)
    command = [sys.executable, "-c", READ_ONLY_USE, f"sqlite:///{path}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


async def test_a_read_only_file_can_be_read_and_says_why_it_is_not_written(
    sqlite_template: Path, open_folder: Path
) -> None:
    path = Path(shutil.copy(sqlite_template, open_folder / "ia.db"))
    async with DatabaseManager(f"sqlite:///{path}") as writer:
        await writer.execute_async(ADD, {"audit_id": "1"})
        said = await asyncio.to_thread(as_reader, path)
    assert said.splitlines() == [
        "initialize: None",
        "status: ['applied']",
        "read: [{'audit_id': '1'}]",
        "write: DatabaseReadOnly",
        "read in a transaction: {'audit_id': '1'}",
    ]


def test_a_folder_that_cannot_be_written_says_what_is_missing(sqlite_template: Path, open_folder: Path) -> None:
    path = Path(shutil.copy(sqlite_template, open_folder / "ia.db"))
    assert "read: DatabaseUnavailable" in as_reader(path).splitlines()


async def test_a_file_that_cannot_be_opened_names_its_folder(tmp_path: Path) -> None:
    database = DatabaseManager(f"sqlite:///{tmp_path}/no/such/folder/ia.db")
    for attempt in (database.initialize(), ids(database), database.run(added("1")), database.execute_async("SELECT 1")):
        with pytest.raises(DatabaseUnavailable, match=r"no/such/folder/ia\.db .*Its folder must exist"):
            await attempt
    (tmp_path / "no/such/folder").mkdir(parents=True)
    await database.initialize()  # nothing was broken for good
    assert await ids(database) == []
    await database.close()


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, " * 100)
    database = DatabaseManager(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnavailable, match="It is no SQLite database"):
        await database.initialize()
    await database.close()
    assert path.read_text() == "Dear diary, " * 100


async def test_a_broken_file_is_an_error_not_an_empty_list(sqlite_template: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(sqlite_template, tmp_path / "ia.db"))
    break_all_but_the_first_page(path)
    database = DatabaseManager(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnavailable, match="backup"):
        await database.fetch_all_async("SELECT * FROM audit_log, pipelines, workers")
    await database.close()


FULL = {
    "sqlite": "PRAGMA max_page_count = 1",  # SQLite takes what the file has already for the least possible
    "postgresql": "DO $$ BEGIN RAISE 'could not extend file' USING ERRCODE = '53100'; END $$",
}


async def test_a_full_disk_is_neither_busy_nor_away(database: DatabaseManager, dialect: Dialect) -> None:
    with pytest.raises(DatabaseFull, match=r"[Mm]ake room") as caught:
        async with database.transaction() as handle:
            await handle.execute(FULL[dialect])
            await handle.execute(ADD, {"audit_id": "x" * 100_000})
    assert not isinstance(caught.value, DatabaseBusy | DatabaseUnavailable)
    assert await ids(database) == []


async def test_nobody_listens_there(unused_tcp_port: int) -> None:
    database = DatabaseManager(f"postgresql://ada:hunter2@127.0.0.1:{unused_tcp_port}/ia")
    for attempt in (database.initialize(), ids(database), database.run(added("1")), database.notify("x")):
        with pytest.raises(DatabaseUnavailable, match=f"127.0.0.1:{unused_tcp_port}") as caught:
            await attempt
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
    with pytest.raises(DatabaseUnavailable, match="no_such_database"):
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
        with pytest.raises(DatabaseUnavailable, match='password authentication failed for user "careful"') as caught:
            await wrong.fetch_one_async("SELECT 1")
        said = everything_said(caught.value) + repr(wrong) + wrong.safe_url
        assert secret not in said
        assert quote(secret, safe="") not in said
        await wrong.close()
        right = DatabaseManager(f"postgresql://careful:right@/postgres?{socket}")
        assert await right.fetch_one_async("SELECT 1 AS one") == {"one": 1}
        await right.close()


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_server_that_only_reads_needs_no_write_to_start_with(database_url: str) -> None:
    separator = "&" if "?" in database_url else "?"
    async with DatabaseManager(f"{database_url}{separator}default_transaction_read_only=on") as standby:
        assert await ids(standby) == []
        for attempt in (standby.run(added("1")), standby.execute_async(ADD, {"audit_id": "1"})):
            with pytest.raises(DatabaseReadOnly):
                await attempt


async def test_a_server_that_dies_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """A backend killed with SIGKILL makes the server drop every connection and recover: as after a crash."""
    with embedded_server() as url:
        async with DatabaseManager(url) as database, aclosing(database.signals()) as signals:
            assert await anext(signals) is None
            await database.execute_async(ADD, {"audit_id": "1"})
            backend = await database.fetch_one_async("SELECT pg_backend_pid() AS pid")
            assert backend is not None
            with pytest.raises((DatabaseUnavailable, TransactionMisuse)), caplog.at_level(logging.WARNING):
                async with database.transaction() as handle:
                    await handle.execute(ADD, {"audit_id": "2"})
                    os.kill(backend["pid"], signal.SIGKILL)
                    while True:
                        await handle.fetch_all(IDS)
            async with asyncio.timeout(20):
                assert await anext(signals) is None  # connected anew
                assert await ids(database) == ["1"]
                assert await database.run(added("3")) == 1


def break_all_but_the_first_page(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


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
