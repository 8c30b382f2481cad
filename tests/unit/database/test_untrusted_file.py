import hashlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import apsw
import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.new_file import NewFile
from ia_modules.database.untrusted_file import UntrustedFile
from ia_modules.errors import FileRefused
from tests.unit.run_files import first_migrations

NEXT = 1 + len(list((files("ia_modules.database") / "migrations" / "sqlite").iterdir()))
NEWER = f"INSERT INTO ia_migrations VALUES ({NEXT}, 'what_is_new', 'x', '{{0}}', '2027-01-01T00:00:00.000000Z')"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.iarun"
    with NewFile(path):
        pass
    return path


def change(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    for statement in statements:
        connection.execute(statement)
    connection.close()


def refusal_of(path: Path) -> str:
    with pytest.raises(FileRefused) as refused, UntrustedFile(path):
        pass
    assert str(refused.value).startswith(f"The file {path} cannot be used: ")
    return refused.value.found


def test_a_file_of_ours_is_opened_and_not_changed(file: Path) -> None:
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    with UntrustedFile(file) as opened:
        assert opened.is_current
        assert list(opened.rows_of("pipelines")) == []
        assert opened.perform("read_run_file") == []
        with pytest.raises(FileRefused, match="it has no table 'sqlite_schema'"):
            opened.rows_of("sqlite_schema")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    assert [each.name for each in file.parent.iterdir()] == ["run.iarun"]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "CREATE TRIGGER t AFTER INSERT ON pipelines BEGIN DELETE FROM pipelines; END",
            "it has the trigger 't', which no run file has",
        ),
        ("CREATE VIEW v AS SELECT 1", "it has the view 'v', which no run file has"),
        ("CREATE TABLE other (a)", "it has the table 'other', which no run file has"),
        ("CREATE VIRTUAL TABLE other USING fts5(a)", "it has the table 'other', which no run file has"),
        ("CREATE INDEX i ON pipelines (name)", "it has the index 'i', which no run file has"),
        ("CREATE INDEX i ON pipelines (abs(is_active))", "it has the index 'i'"),
        ("DROP INDEX executions_owned", "it lacks the index 'executions_owned'"),
        ("ALTER TABLE pipelines ADD COLUMN other TEXT", "its table 'pipelines' is not the one of ia_modules"),
        ("DROP VIEW step_times", "it lacks the view 'step_times'"),
        ("DROP TABLE run_file", "it is no run file"),
        ("ALTER TABLE run_file ADD COLUMN other TEXT", "it is no run file"),
        ("ALTER TABLE ia_migrations ADD COLUMN other TEXT", "it is no run file"),
        ("DELETE FROM ia_migrations", "it has no schema of ia_modules, or only a part of one"),
        ("DELETE FROM ia_migrations WHERE version = 1", "it has no schema of ia_modules, or only a part of one"),
        ("UPDATE ia_migrations SET checksum = 'x' WHERE version = 2", "it was made by another state of ia_modules"),
        ("UPDATE ia_migrations SET applied_at = 'x'", "it is damaged"),
        (NEWER.format("99.1"), "needs ia_modules 99.1 or newer; this is"),
        (NEWER.format("0.1.0"), f"it has the migration V{NEXT:03}__what_is_new, which this ia_modules"),
        ("PRAGMA journal_mode = wal", "it was changed since it was written"),
    ],
)
def test_a_schema_that_is_not_ours_is_refused_in_words(file: Path, statement: str, found: str) -> None:
    change(file, statement)
    assert found in refusal_of(file)


def test_a_view_of_ours_that_says_something_else_is_refused(file: Path) -> None:
    change(file, "DROP VIEW step_times", "CREATE VIEW step_times AS SELECT 1 AS step_execution_id")
    assert "its view 'step_times' is not the one of ia_modules" in refusal_of(file)


def test_a_table_that_is_a_view_is_never_read(file: Path) -> None:
    change(
        file,
        "ALTER TABLE ia_migrations RENAME TO hidden",
        "CREATE VIEW ia_migrations AS SELECT * FROM hidden WHERE load_extension('evil.so')",
    )
    assert "it is no run file" in refusal_of(file)


def test_a_row_that_refers_to_nothing_is_refused(file: Path) -> None:
    change(
        file,
        "PRAGMA foreign_keys = off",
        "INSERT INTO execution_aliases VALUES ('a', '0199c3f2-0000-7000-8000-000000000010')",
    )
    assert "a row of execution_aliases refers to one that is not there" in refusal_of(file)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda path: path.write_bytes(b""), "it is no SQLite file"),
        (lambda path: path.write_bytes(b"SQLite format 3\x00"), "it is no SQLite file"),
        (lambda path: path.write_text('{"execution": {}}'), "it is no SQLite file"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "it is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:8192]), "it is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-4096]), "it is damaged"),
        (lambda path: path.unlink(), "it cannot be read (No such file or directory)"),
        (lambda path: (path.unlink(), path.mkdir()), "it cannot be read (Is a directory)"),
    ],
)
def test_what_is_no_whole_file_is_refused_in_words(file: Path, spoil: Callable[[Path], object], found: str) -> None:
    spoil(file)
    assert found in refusal_of(file)


async def test_a_database_of_ours_is_no_run_file(tmp_path: Path) -> None:
    path = tmp_path / "ia.db"
    async with DatabaseManager(f"sqlite:///{path}"):
        pass
    change(path, "PRAGMA journal_mode = delete")
    assert "it is no run file" in refusal_of(path)


def test_an_older_file_says_that_it_is_one(tmp_path: Path) -> None:
    path = tmp_path / "run.iarun"
    with NewFile(path, migrations=first_migrations(tmp_path)):
        pass
    with UntrustedFile(path) as opened:
        assert not opened.is_current
