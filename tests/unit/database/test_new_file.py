import os
import stat
from pathlib import Path

import apsw
import pytest

from ia_modules.database.migrator import MIGRATIONS_FOLDER, find_migrations
from ia_modules.database.new_file import NewFile, migrate_file, run_file_queries
from ia_modules.errors import DatabaseError, InvalidQuery
from tests.unit.run_files import first_migrations

TABLES = ["events", "pipelines", "run_file"]


@pytest.fixture
def dialect() -> str:
    """A file is one of SQLite."""
    return "sqlite"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def tables_in(path: Path) -> list[str]:
    connection = apsw.Connection(str(path))
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    connection.close()
    return [name for name in TABLES if name in names]


def test_a_file_has_the_present_schema_is_its_owners_alone_and_has_no_companions(tmp_path: Path) -> None:
    os.umask(0o022)
    path = tmp_path / "run.iarun"
    with NewFile(path) as new:
        assert [row["version"] for row in new.perform("applied_migrations")] == [
            migration.version for migration in find_migrations(MIGRATIONS_FOLDER / "sqlite")
        ]
        assert not path.exists()
    assert names_in(tmp_path) == ["run.iarun"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tables_in(path) == TABLES
    assert path.read_bytes()[18:20] == b"\x01\x01"  # a rollback journal: no WAL beside it


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "run.iarun"
    with pytest.raises(ZeroDivisionError), NewFile(path) as new:
        new.perform("copy_into_execution_aliases", [])
        raise ZeroDivisionError
    assert names_in(tmp_path) == []
    path.write_text("of before")
    with pytest.raises(InvalidQuery), NewFile(path) as new:
        new.perform("copy_into_execution_aliases", [{"alias": "a"}])
    assert (names_in(tmp_path), path.read_text()) == (["run.iarun"], "of before")
    with NewFile(path):
        pass
    assert tables_in(path) == TABLES


def test_what_a_killed_process_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "run.iarun.part").write_text("half")
    with NewFile(tmp_path / "run.iarun"):
        pass
    assert names_in(tmp_path) == ["run.iarun"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="nowhere"), NewFile(tmp_path / "nowhere" / "run.iarun"):
        pass


def test_an_older_file_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "run.iarun"
    with NewFile(path, migrations=first_migrations(tmp_path)) as new:
        assert [row["version"] for row in new.perform("applied_migrations")] == [1]
    migrate_file(path)
    connection = apsw.Connection(str(path))
    assert list(connection.execute("SELECT max(version) FROM ia_migrations")) == [
        (len(find_migrations(MIGRATIONS_FOLDER / "sqlite")),)
    ]
    connection.close()
    assert [name for name in names_in(tmp_path) if name.startswith("run")] == ["run.iarun"]


def test_the_queries_of_files_have_those_of_every_database() -> None:
    assert {"create_table_of_run_file", "read_run_file", "clock"} <= run_file_queries().keys()
