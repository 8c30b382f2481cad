"""Missing, broken and read-only files: each is told apart."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MIGRATIONS_FOLDER, find_migrations
from ia_modules.errors import DatabaseRefused
from tests.unit.database.test_driver import added
from tests.unit.database.test_manager import ADD, ids

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
    await attempt("read:", database.fetch_all_async("SELECT event_id FROM events"))
    await attempt("write:", database.execute_async("DELETE FROM events"))
    await attempt("read in a transaction:", first_in_a_transaction(database))
    await database.close()

async def first_in_a_transaction(database):
    async with database.transaction() as handle:
        return await handle.fetch_one("SELECT event_id FROM events")

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
    path.chmod(0o644)  # noqa: ASYNC240 - its companions get the same mode
    async with DatabaseManager(f"sqlite:///{path}") as writer:
        await writer.execute_async(ADD, {"event_id": "1"})
        output = await asyncio.to_thread(as_reader, path)
    assert output.splitlines() == [
        "initialize: None",
        f"status: {['applied'] * len(find_migrations(MIGRATIONS_FOLDER / 'sqlite'))}",
        "read: [{'event_id': '1'}]",
        "write: DatabaseReadOnly",
        "read in a transaction: {'event_id': '1'}",
    ]


def test_a_folder_that_cannot_be_written_says_what_is_missing(sqlite_template: Path, open_folder: Path) -> None:
    path = Path(shutil.copy(sqlite_template, open_folder / "ia.db"))
    assert "read: DatabaseUnavailable" in as_reader(path).splitlines()


async def test_a_file_that_cannot_be_opened_names_its_folder(tmp_path: Path) -> None:
    database = DatabaseManager(f"sqlite:///{tmp_path}/no/such/folder/ia.db")
    for attempt in (database.initialize(), ids(database), database.run(added("1")), database.execute_async("SELECT 1")):
        with pytest.raises(DatabaseRefused, match=r"no/such/folder/ia\.db .*Its folder must exist"):
            await attempt
    (tmp_path / "no/such/folder").mkdir(parents=True)
    await database.initialize()  # nothing was broken for good
    assert await ids(database) == []
    await database.close()


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, " * 100)
    database = DatabaseManager(f"sqlite:///{path}")
    with pytest.raises(DatabaseRefused, match="It is no SQLite database"):
        await database.initialize()
    await database.close()
    assert path.read_text() == "Dear diary, " * 100


async def test_a_broken_file_is_an_error_not_an_empty_list(sqlite_template: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(sqlite_template, tmp_path / "ia.db"))
    break_all_but_the_first_page(path)
    database = DatabaseManager(f"sqlite:///{path}")
    with pytest.raises(DatabaseRefused, match="backup"):
        await database.fetch_all_async("SELECT * FROM events, pipelines, workers")
    await database.close()


def break_all_but_the_first_page(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
