"""A file that is moved, deleted or replaced while it is open."""

import os
import shutil
import stat
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
    await database.execute_async(ADD, {"event_id": "1"})
    if readers == "started":
        await ids(database)
    lose(path, sqlite_template)
    for attempt in (database.execute_async(ADD, {"event_id": "2"}), database.run(added("3")), ids(database)):
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
            await handle.execute(ADD, {"event_id": "1"})
            path.rename(tmp_path / "elsewhere.db")
    (tmp_path / "elsewhere.db").rename(path)
    assert await ids(database) == []  # put back, it is used again
    assert await database.run(added("2")) == 1
    await database.close()


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
async def test_a_wal_that_is_deleted_while_open_is_noticed_and_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "ia.db"
    beside, elsewhere = Path(f"{path}{suffix}"), tmp_path / "elsewhere"
    database = DatabaseManager(f"sqlite:///{path}")
    await database.initialize()
    await database.execute_async(ADD, {"event_id": "1"})
    assert await ids(database) == ["1"]
    beside.rename(elsewhere)  # noqa: ASYNC240 - a file of this test
    for attempt in (database.execute_async(ADD, {"event_id": "2"}), database.run(added("3")), ids(database)):
        with pytest.raises(DatabaseUnavailable, match=rf"ia\.db{suffix} was deleted or replaced .* end every program"):
            await attempt
    assert not beside.exists()  # noqa: ASYNC240 - nothing new was made in its place
    elsewhere.rename(beside)
    assert await ids(database) == ["1"]  # put back, it is used again
    assert await database.run(added("2")) == 1
    await database.close()


async def test_a_wal_that_is_deleted_during_a_transaction_is_noticed_before_its_commit(tmp_path: Path) -> None:
    path = tmp_path / "ia.db"
    database = DatabaseManager(f"sqlite:///{path}")
    await database.initialize()
    with pytest.raises(DatabaseUnavailable, match=r"ia\.db-wal was deleted or replaced"):
        async with database.transaction() as handle:
            await handle.execute(ADD, {"event_id": "1"})
            Path(f"{path}-wal").unlink()  # noqa: ASYNC240 - a file of this test
    await database.close()


async def test_after_the_wal_was_deleted_and_all_ended_no_commit_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "ia.db"
    database = DatabaseManager(f"sqlite:///{path}")
    await database.initialize()
    await database.execute_async(ADD, {"event_id": "1"})
    Path(f"{path}-wal").unlink()  # noqa: ASYNC240 - a file of this test
    with pytest.raises(DatabaseUnavailable):
        await database.execute_async(ADD, {"event_id": "2"})
    await database.close()
    async with DatabaseManager(f"sqlite:///{path}") as again:
        assert await ids(again) == ["1"]


async def test_a_wal_that_sqlite_itself_makes_anew_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "ia.db"
    for number in range(3):
        async with DatabaseManager(f"sqlite:///{path}") as database, DatabaseManager(f"sqlite:///{path}") as other:
            await database.execute_async(ADD, {"event_id": f"{number}a"})
            await database.fetch_all_async("PRAGMA wal_checkpoint(TRUNCATE)")
            await other.execute_async(ADD, {"event_id": f"{number}b"})
            assert len(await ids(database)) == len(await ids(other)) == 2 * number + 2


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o077])
async def test_a_new_file_and_its_companions_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        database = DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}")
        await database.initialize()
        modes = modes_in(tmp_path)
        await database.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("ia.db", "ia.db-wal", "ia.db-shm"), 0o600)


async def test_a_file_that_a_link_leads_to_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "ia.db").symlink_to("disk.db")
    async with DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}") as database:
        await database.initialize()
    assert modes_in(tmp_path)["disk.db"] == 0o600


async def test_a_file_that_exists_keeps_its_mode(tmp_path: Path, sqlite_template: Path) -> None:
    path = Path(shutil.copy(sqlite_template, tmp_path / "ia.db"))
    path.chmod(0o640)  # noqa: ASYNC240 - a file of this test
    async with DatabaseManager(f"sqlite:///{path}") as database:
        await database.execute_async(ADD, {"event_id": "1"})
        assert set(modes_in(tmp_path).values()) == {0o640}
