"""A file that is moved, deleted or replaced while it is open."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseUnavailable
from tests.unit.database.test_driver import added
from tests.unit.database.test_manager import ADD, ids


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
