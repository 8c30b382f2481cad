import asyncio
import sqlite3
from pathlib import Path

import apsw

from ia_modules.database.manager import DatabaseManager
from tests.unit.database.test_manager import ADD, ids


async def test_closing_leaves_what_the_next_one_plans_with_and_does_not_wait_for_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "ia.db"

    async def use_and_close() -> list[str]:
        async with DatabaseManager(f"sqlite:///{path}") as database:
            await database.execute_async("DELETE FROM events WHERE address = 'nothing'")
            found = await database.fetch_all_async("SELECT name FROM sqlite_schema WHERE name = 'sqlite_stat1'")
            return [row["name"] for row in found]

    async with DatabaseManager(f"sqlite:///{path}") as database:
        for number in range(50):
            await database.execute_async(ADD, {"event_id": str(number)})
    other = apsw.Connection(str(path))
    async with asyncio.timeout(4):  # the busy timeout is longer
        async with DatabaseManager(f"sqlite:///{path}") as database:
            await database.execute_async("DELETE FROM events WHERE address = 'nothing'")
            other.execute("BEGIN IMMEDIATE")
    other.close(force=True)
    await use_and_close()
    assert await use_and_close() == ["sqlite_stat1"]


async def test_other_programs_may_use_the_file_too(tmp_path: Path) -> None:
    path = tmp_path / "ia.db"
    async with DatabaseManager(f"sqlite:///{path}") as database:
        plain = sqlite3.connect(path)
        plain.execute("DELETE FROM events")
        plain.execute("INSERT INTO events VALUES ('x', 'a', NULL, NULL, 'b', '2026-01-01T00:00:00.000000Z', NULL)")
        plain.commit()
        assert await ids(database) == ["x"]
        await database.execute_async(ADD, {"event_id": "y"})
        assert plain.execute("SELECT count(*) FROM events").fetchall() == [(2,)]
        plain.close()
