from pathlib import Path

import apsw
import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.sqlite_connection import Synchronous
from ia_modules.errors import InvalidQuery
from tests.unit.database.test_manager import ADD


def test_sqlite_is_one_without_the_bug_that_corrupts_a_wal() -> None:
    assert tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) >= (3, 51, 3)


@pytest.mark.parametrize(("synchronous", "number"), [("FULL", 2), ("NORMAL", 1)])
async def test_the_file_is_in_wal_and_flushed_as_asked(tmp_path: Path, synchronous: Synchronous, number: int) -> None:
    async with DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}", synchronous=synchronous) as database:
        expected = {"journal_mode": "wal", "synchronous": number, "foreign_keys": 1, "query_only": 0}
        async with database.transaction() as handle:  # on the writer
            for pragma, value in expected.items():
                assert await handle.fetch_one(f"PRAGMA {pragma}") == {pragma: value}
            assert await handle.fetch_one("PRAGMA cache_size") == {"cache_size": -1000}
        assert await database.fetch_one_async("PRAGMA query_only") == {"query_only": 1}  # on a reader
        assert await database.fetch_one_async("PRAGMA cache_size") == {"cache_size": -1000}


async def test_a_type_error_of_a_strict_table_is_not_swallowed(tmp_path: Path) -> None:
    async with DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}") as database:
        with pytest.raises(InvalidQuery, match=r"found a parameter of type dict; expected str, int"):
            await database.execute_async(ADD, {"event_id": {}})
