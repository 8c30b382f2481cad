"""A SQLite file that may come from anybody: read and never changed, and refused unless it is what we write.

What SQLite would run by itself stands in the schema (triggers, views, virtual tables, expressions of indexes), so the
schema has to be ours, word for word. What it could be misled by is a damaged page, so every page is checked first.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ia_modules.database.driver import Rows, Script, Statement
from ia_modules.database.migrator import MIGRATIONS_FOLDER, Migration, applied_here, find_migrations
from ia_modules.database.new_file import run_file_queries, schema_in_memory
from ia_modules.database.sqlite_connection import SqliteConnection, SqliteSettings
from ia_modules.database.sqlite_file import DatabaseFile
from ia_modules.errors import DatabaseError, FileRefused, SchemaError

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_ROLLBACK_JOURNAL = b"\x01\x01"  # bytes 18 and 19; 2 is a WAL, which would be a second file
_DAMAGED = "it is damaged"
_NO_RUN_FILE = "expected one that ia-modules executions export ID -o NAME.iarun made"

FoundSchema = dict[tuple[str, str], tuple[str, str | None]]


class UntrustedFile:
    """A run file, opened for reading alone, of which SQLite's own checks hold and whose schema is ours.

    ``with`` this. Used by one thread at a time, which it blocks.

    Attributes:
        is_current: its schema is this program's; otherwise an older one of it.
    """

    def __init__(self, path: Path) -> None:
        """``path``: the file; nothing is opened yet."""
        self._path, self.is_current = path, False

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            FileRefused: it is no such file; says what was found and what to do.
        """
        self._check_header()
        settings = SqliteSettings(
            file=DatabaseFile(str(self._path)),
            busy_timeout_seconds=1,
            synchronous="FULL",
            now=lambda: datetime.now(UTC),
            access="untrusted",
        )
        try:
            self._connection = SqliteConnection(settings, writes=False)
        except DatabaseError as error:
            raise self._refused(f"it cannot be opened ({error.__cause__ or error})") from error
        try:
            self._check_schema()
            self._check_pages()
        except BaseException as error:
            self._connection.close()
            if isinstance(error, DatabaseError) and not isinstance(error, FileRefused):
                raise self._refused(f"{_DAMAGED} ({error.__cause__ or error})") from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def perform(self, query: str) -> Rows:
        """The rows of a named SQL that reads."""
        return self._connection.perform(Statement(run_file_queries()[query]))

    def rows_of(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of one of our tables, one at a time, in the order in which they were written."""
        if ("table", table) not in self._tables:
            raise self._refused(f"it has no table {table!r}")
        return self._connection.stream(f"SELECT * FROM {table} ORDER BY rowid")  # noqa: S608 - a table of ours

    def _refused(self, found: str) -> FileRefused:
        return FileRefused(str(self._path), found)

    def _check_header(self) -> None:
        try:
            with self._path.open("rb") as file:
                header = file.read(_HEADER_BYTES)
        except OSError as error:
            raise self._refused(f"it cannot be read ({error.strerror})") from error
        if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
            raise self._refused(f"it is no SQLite file; {_NO_RUN_FILE}")
        if header[18:20] != _ROLLBACK_JOURNAL:
            raise self._refused("it was changed since it was written: its journal is in another file")

    def _check_schema(self) -> None:
        found = _schema_of(self._connection.perform(Statement("SELECT type, name, tbl_name, sql FROM sqlite_schema")))
        applied = self._applied(found)
        self._tables = found.keys()
        self.is_current = len(applied) == len(find_migrations(MIGRATIONS_FOLDER / "sqlite"))
        expected = _schema_made_by(tuple(applied))
        for (kind, name), made in sorted(found.items()):
            if (kind, name) not in expected:
                raise self._refused(f"it has the {kind} {name!r}, which no run file has; what it does is not known")
            if expected[kind, name] != made:
                raise self._refused(f"its {kind} {name!r} is not the one of ia_modules")
        if missing := sorted(expected.keys() - found.keys()):
            raise self._refused(f"it lacks the {missing[0][0]} {missing[0][1]!r}")

    def _applied(self, found: FoundSchema) -> list[Migration]:
        """Which of our migrations made it. Nothing but two tables of ours is read for that."""
        ours = _schema_made_by(())
        for place in ours:
            if found.get(place) != ours[place]:
                raise self._refused(f"it is no run file; {_NO_RUN_FILE}")
        recorded, programs = self.perform("read_recorded_migrations"), self.perform("read_run_file")
        try:
            return applied_here("sqlite", "it", recorded)
        except SchemaError as error:
            by = f"; ia_modules {programs[0]['program']} wrote it" if programs else ""
            raise self._refused(f"{error}".removesuffix(".") + by) from error
        except (ValueError, TypeError) as error:
            raise self._refused(_DAMAGED) from error

    def _check_pages(self) -> None:
        """What ``quick_check`` looks at, and that each index says the same as its table."""
        [row] = self._connection.perform(Statement("PRAGMA integrity_check(1)"))
        [found] = row.values()
        if found != "ok":
            raise self._refused(f"{_DAMAGED}: {' '.join(str(found).split())}")
        if broken := self._connection.perform(Statement("PRAGMA foreign_key_check")):
            raise self._refused(f"{_DAMAGED}: a row of {broken[0]['table']} refers to one that is not there")


def _schema_of(rows: Rows) -> FoundSchema:
    """Kind and name to table and SQL; white space does not count."""
    return {
        (row["type"], row["name"]): (row["tbl_name"], row["sql"] and " ".join(str(row["sql"]).split())) for row in rows
    }


@cache
def _schema_made_by(migrations: tuple[Migration, ...]) -> FoundSchema:
    """The schema of a run file that these migrations have made."""
    return _schema_of(schema_in_memory(_made_by(migrations)))


def _made_by(migrations: Iterable[Migration]) -> Script[None]:
    yield Statement(run_file_queries()["create_migrations_table"])
    for migration in migrations:
        yield Statement(migration.sql, whole_file=True)
    yield Statement(run_file_queries()["create_table_of_run_file"])
