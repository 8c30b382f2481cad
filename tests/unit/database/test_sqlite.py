import asyncio
import contextvars
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.sqlite_connection import Synchronous
from ia_modules.errors import DatabaseClosed, DatabaseUnavailable, InvalidQuery
from tests.unit.database.test_manager import ADD, ids
from tests.unit.database.test_scripts import added


def test_sqlite_is_one_without_the_bug_that_corrupts_a_wal() -> None:
    assert tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) >= (3, 51, 3)


@pytest.mark.parametrize(("synchronous", "number"), [("FULL", 2), ("NORMAL", 1)])
async def test_the_file_is_in_wal_and_flushed_as_asked(tmp_path: Path, synchronous: Synchronous, number: int) -> None:
    async with DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}", synchronous=synchronous) as database:
        expected = {"journal_mode": "wal", "synchronous": number, "foreign_keys": 1, "query_only": 0}
        async with database.transaction() as handle:  # on the writer
            for pragma, value in expected.items():
                assert await handle.fetch_one(f"PRAGMA {pragma}") == {pragma: value}
        assert await database.fetch_one_async("PRAGMA query_only") == {"query_only": 1}  # on a reader


async def test_after_close_one_file_is_left_and_no_thread(tmp_path: Path) -> None:
    async with DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}") as database:
        await database.run(added("1"))
        names = {thread.name for thread in threading.enumerate()}
        assert {"ia-sqlite-writer", "ia-sqlite-reader-1", "ia-sqlite-reader-2", "ia-sqlite-reader-3"} <= names
    assert os.listdir(tmp_path) == ["ia.db"]  # noqa: PTH208 - nothing here is slow
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ia-sqlite")]


async def test_closing_leaves_what_the_next_one_plans_with_and_does_not_wait_for_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "ia.db"

    async def use_and_close() -> list[str]:
        async with DatabaseManager(f"sqlite:///{path}") as database:
            await database.execute_async("DELETE FROM audit_log WHERE subject = 'nothing'")
            found = await database.fetch_all_async("SELECT name FROM sqlite_schema WHERE name = 'sqlite_stat1'")
            return [row["name"] for row in found]

    async with DatabaseManager(f"sqlite:///{path}") as database:
        for number in range(50):
            await database.execute_async(ADD, {"audit_id": str(number)})
    other = apsw.Connection(str(path))
    async with asyncio.timeout(4):  # the busy timeout is longer
        async with DatabaseManager(f"sqlite:///{path}") as database:
            await database.execute_async("DELETE FROM audit_log WHERE subject = 'nothing'")
            other.execute("BEGIN IMMEDIATE")
    other.close(force=True)
    await use_and_close()
    assert await use_and_close() == ["sqlite_stat1"]


async def test_a_cancelled_close_ends_every_thread_all_the_same(tmp_path: Path) -> None:
    database = DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}")
    await database.initialize()
    async with database.transaction() as handle:
        await handle.execute(ADD, {"audit_id": "1"})
        closing = contextvars.Context().run(asyncio.create_task, database.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(DatabaseClosed):
            await contextvars.Context().run(asyncio.create_task, ids(database))
    await database.close()  # waits for the rest
    assert os.listdir(tmp_path) == ["ia.db"]  # noqa: PTH208 - nothing here is slow
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ia-sqlite")]
    async with DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}") as again:
        assert await ids(again) == ["1"]


def delete(path: Path, _template: Path) -> None:
    path.unlink()


def move(path: Path, _template: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replace(path: Path, template: Path) -> None:
    shutil.copy(template, path.with_name("new.db"))
    path.with_name("new.db").replace(path)


@pytest.mark.parametrize("readers", ["started", "not started"])
@pytest.mark.parametrize(
    ("lose", "found"), [(delete, "moved or deleted"), (move, "moved or deleted"), (replace, "replaced")]
)
async def test_a_file_that_is_lost_while_open_is_noticed_at_once(
    tmp_path: Path, sqlite_template: Path, lose: Callable[[Path, Path], None], found: str, readers: str
) -> None:
    path = Path(shutil.copy(sqlite_template, tmp_path / "ia.db"))
    database = DatabaseManager(f"sqlite:///{path}")
    await database.execute_async(ADD, {"audit_id": "1"})
    if readers == "started":
        await ids(database)
    lose(path, sqlite_template)
    for attempt in (database.execute_async(ADD, {"audit_id": "2"}), database.run(added("3")), ids(database)):
        with pytest.raises(DatabaseUnavailable, match=rf"ia\.db was {found} while it was open here"):
            await attempt
    with pytest.raises(DatabaseUnavailable, match=found):
        async with database.transaction():
            pytest.fail("there is nothing to begin in")
    assert path.exists() == (lose is replace)  # noqa: ASYNC240 - nothing new was made in its place
    await database.close()


async def test_a_file_that_is_lost_during_a_transaction_is_noticed_before_its_commit(tmp_path: Path) -> None:
    path = tmp_path / "ia.db"
    database = DatabaseManager(f"sqlite:///{path}")
    await database.initialize()
    with pytest.raises(DatabaseUnavailable, match="moved or deleted"):
        async with database.transaction() as handle:
            await handle.execute(ADD, {"audit_id": "1"})
            path.rename(tmp_path / "elsewhere.db")
    (tmp_path / "elsewhere.db").rename(path)
    assert await ids(database) == []  # put back, it is used again
    assert await database.run(added("2")) == 1
    await database.close()


async def test_other_programs_may_use_the_file_too(tmp_path: Path) -> None:
    path = tmp_path / "ia.db"
    async with DatabaseManager(f"sqlite:///{path}") as database:
        plain = sqlite3.connect(path)
        plain.execute("DELETE FROM audit_log")
        plain.execute("INSERT INTO audit_log VALUES ('x', 'a', 'b', 'c', NULL, '2026-01-01T00:00:00.000000Z')")
        plain.commit()
        assert await ids(database) == ["x"]
        await database.execute_async(ADD, {"audit_id": "y"})
        assert plain.execute("SELECT count(*) FROM audit_log").fetchall() == [(2,)]
        plain.close()


async def test_a_type_error_of_a_strict_table_is_not_swallowed(tmp_path: Path) -> None:
    async with DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}") as database:
        with pytest.raises(InvalidQuery, match=r"found a parameter of type dict; expected str, int"):
            await database.execute_async(ADD, {"audit_id": {}})
