import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from ia_modules.database.driver import Dialect
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MIGRATIONS_FOLDER, find_migrations, migrate, migration_status, refuse_unusable
from ia_modules.errors import InvalidQuery, SchemaError

FIRST = "-- requires-program: 0.0.1\nCREATE TABLE one (a TEXT);\nINSERT INTO one VALUES ('a;b');\n"
SECOND = "-- requires-program: 0.1.0\nCREATE TABLE two (b TEXT);\nCREATE INDEX two_by_b ON two (b);\n"

COUNT = len(find_migrations(MIGRATIONS_FOLDER / "sqlite"))

INITIALIZE = """
import asyncio, sys
from ia_modules.database.manager import DatabaseManager

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    async with DatabaseManager(sys.argv[1]) as database:
        print(len(await database.fetch_all_async("SELECT * FROM ia_migrations")))

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncGenerator[DatabaseManager]:
    """A manager that has not migrated."""
    database = DatabaseManager(url)
    yield database
    await database.close()


@pytest.fixture
def folder(tmp_path: Path, dialect: Dialect) -> Path:
    """A folder of migrations with the first one in it; V001 also makes the clock that records them."""
    folder = tmp_path / "migrations"
    (folder / dialect).mkdir(parents=True)
    clock = "CREATE FUNCTION ia_now() RETURNS TIMESTAMPTZ LANGUAGE sql RETURN clock_timestamp();\n"
    write(folder, dialect, "V001__first.sql", FIRST + (clock if dialect == "postgresql" else ""))
    return folder


def write(folder: Path, dialect: Dialect, name: str, sql: str) -> None:
    (folder / dialect / name).write_text(sql)


async def test_every_migration_is_applied_once_in_order(
    empty_database_url: str, folder: Path, dialect: Dialect
) -> None:
    async with opened(empty_database_url) as database:
        assert await migrate(database._driver, dialect, "here", folder=folder) == [1]
        write(folder, dialect, "V002__second.sql", SECOND)
        write(folder, dialect, "V010__tenth.sql", SECOND.replace("two", "ten"))
        assert await migrate(database._driver, dialect, "here", folder=folder) == [2, 10]
        assert await migrate(database._driver, dialect, "here", folder=folder) == []
        assert await database.fetch_all_async("SELECT a FROM one") == [{"a": "a;b"}]
        rows = await database.fetch_all_async(
            "SELECT version, name, requires_program FROM ia_migrations ORDER BY version"
        )
        assert [tuple(row.values()) for row in rows] == [
            (1, "first", "0.0.1"),
            (2, "second", "0.1.0"),
            (10, "tenth", "0.1.0"),
        ]


async def test_what_fails_leaves_nothing_behind(empty_database_url: str, folder: Path, dialect: Dialect) -> None:
    write(folder, dialect, "V002__second.sql", SECOND + "CREATE TABLE two (again TEXT);")
    async with opened(empty_database_url) as database:
        with pytest.raises(InvalidQuery, match="already exists"):
            await migrate(database._driver, dialect, "here", folder=folder)
        first, second = await migration_status(database._driver, dialect, folder=folder)
        assert first.state == second.state == "pending"
        with pytest.raises(InvalidQuery):
            await database.fetch_all_async("SELECT * FROM one")


async def test_a_migration_may_not_end_the_transaction_it_is_applied_in(
    empty_database_url: str, folder: Path, dialect: Dialect
) -> None:
    write(folder, dialect, "V002__second.sql", SECOND + "COMMIT;")
    async with opened(empty_database_url) as database:
        with pytest.raises(InvalidQuery, match="begins or ends a transaction"):
            await migrate(database._driver, dialect, "here", folder=folder)


async def test_a_changed_file_stops_with_what_to_do(empty_database_url: str, folder: Path, dialect: Dialect) -> None:
    async with opened(empty_database_url) as database:
        await migrate(database._driver, dialect, "here", folder=folder)
        path = folder / dialect / "V001__first.sql"
        original = path.read_text()
        path.write_text(original + "-- a new thought\n")
        with pytest.raises(SchemaError, match=r"^here was made .*V001__first has another text.* make a V002__….sql"):
            await migrate(database._driver, dialect, "here", folder=folder)
        assert [status.state for status in await migration_status(database._driver, dialect, folder=folder)] == [
            "changed"
        ]
        path.write_bytes(original.replace("\n", "\r\n").encode())  # only its line ends: the same text
        assert await migrate(database._driver, dialect, "here", folder=folder) == []


@pytest.mark.parametrize(("needed", "fine"), [("0.1", True), ("0.0.9", True), ("0.1.1", False), ("1.0.0", False)])
async def test_a_newer_schema_is_used_only_if_it_allows_this_program(
    database: DatabaseManager, database_url: str, needed: str, *, fine: bool
) -> None:
    await database.execute_async(
        "INSERT INTO ia_migrations (version, name, checksum, requires_program, applied_at)"
        " VALUES (99, 'from_the_future', 'x', :needed, ia_now())",
        {"needed": needed},
    )
    other = DatabaseManager(database_url)
    if fine:
        await other.initialize()
    else:
        with pytest.raises(
            SchemaError, match=rf"V099__from_the_future, which needs ia_modules {needed} or newer; this is"
        ):
            await other.initialize()
    *ours, last = await other.migration_status()
    assert {status.state for status in ours} == {"applied"}
    assert (last.version, last.state) == (99, "unknown" if fine else "too_new")
    await other.close()


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ("UPDATE ia_migrations SET requires_program = '99.0'", "needs ia_modules 99.0 or newer; this is"),
        ("UPDATE ia_migrations SET checksum = 'x'", "V001__complete_schema has another text"),
        ("UPDATE ia_migrations SET checksum = 'x', requires_program = '99'", "needs ia_modules 99 or newer"),
    ],
)
async def test_who_only_reads_refuses_an_unusable_schema_with_the_words_of_who_migrates(
    database: DatabaseManager, change: str, refused: str
) -> None:
    refuse_unusable(database.safe_url, await database.migration_status())
    await database.execute_async(change)
    with pytest.raises(SchemaError, match=refused) as reading:
        refuse_unusable(database.safe_url, await database.migration_status())
    with pytest.raises(SchemaError) as migrating:
        await database.initialize()
    assert str(reading.value) == str(migrating.value)


async def test_a_schema_that_is_still_to_come_is_not_unusable(empty_database_url: str) -> None:
    async with opened(empty_database_url) as database:
        refuse_unusable(database.safe_url, await database.migration_status())


async def test_the_status_creates_nothing(empty_database_url: str, dialect: Dialect, tmp_path: Path) -> None:
    async with opened(empty_database_url) as database:
        status, *_ = await database.migration_status()
        assert (status.version, status.name, status.applied_at, status.state) == (1, "complete_schema", None, "pending")
        if dialect == "sqlite":
            assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing here is slow
        else:
            tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            assert await database.fetch_all_async(tables) == []
        await database.initialize()
        for status in await database.migration_status():
            assert status.state == "applied"
            assert status.applied_at is not None


async def test_several_processes_may_start_at_once(empty_database_url: str) -> None:
    command = [sys.executable, "-c", INITIALIZE, empty_database_url]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - as wanted
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=30)[0] for process in processes]
    assert [(process.returncode, text.strip()) for process, text in zip(processes, outputs, strict=True)] == [
        (0, str(COUNT))
    ] * 2


async def test_many_managers_may_start_at_once(empty_database_url: str) -> None:
    managers = [DatabaseManager(empty_database_url, pool_size=2) for _ in range(8)]
    await asyncio.gather(*(manager.initialize() for manager in managers))
    assert len(await managers[0].fetch_all_async("SELECT version FROM ia_migrations")) == COUNT
    await asyncio.gather(*(manager.close() for manager in managers))


async def test_a_schema_that_is_current_is_only_read(database_url: str) -> None:
    """Also while somebody else is migrating, or holds any other lock of a writer."""
    async with DatabaseManager(database_url) as other, other.transaction() as handle:
        await handle.execute("UPDATE ia_migrations SET name = name")
        late = DatabaseManager(database_url, busy_timeout_seconds=0.1)
        await asyncio.create_task(late.initialize())
        await late.close()


@pytest.mark.parametrize(
    ("names", "sql", "message"),
    [
        (["V1_first.sql"], FIRST, "V1_first.sql is misnamed; expected a name such as V002__add_owner_heartbeat.sql"),
        (["V001__first.sql"], "CREATE TABLE one (a TEXT);", "expected a line: -- requires-program: 0.1.0"),
        (["V001__a.sql", "V1__b.sql"], FIRST, "Two migrations have the version 1: .*V001__a.sql and .*V1__b.sql"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, names: list[str], sql: str, message: str) -> None:
    for name in names:
        (tmp_path / name).write_text(sql)
    with pytest.raises(SchemaError, match=message):
        find_migrations(tmp_path)


async def test_tables_of_somebody_else_are_left_as_they_are(empty_database_url: str) -> None:
    async with opened(empty_database_url) as database:
        await database.execute_async("CREATE TABLE step_executions (a TEXT)")
        with pytest.raises(SchemaError, match="it has the table 'step_executions', and ia_modules, which needs"):
            await database.initialize()
        assert await database.fetch_all_async("SELECT a FROM step_executions") == []
        assert {status.state for status in await database.migration_status()} == {"pending"}
