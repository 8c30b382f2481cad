"""A database that becomes one file: made for its owner alone, with the present schema, and without companions."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from ia_modules.database.driver import NO_PARAMS, Params, Rows, Script, Statement
from ia_modules.database.migrator import MIGRATIONS_FOLDER, migration_script
from ia_modules.database.queries import SQL_FOLDER, Queries, load_queries, parse_queries
from ia_modules.database.sqlite_connection import SqliteConnection, SqliteSettings
from ia_modules.database.sqlite_file import DatabaseFile
from ia_modules.database.url import MEMORY

_SENTENCES = SQL_FOLDER / "run_file" / "run_file.sql"


@cache
def run_file_queries() -> Mapping[str, str]:
    """The named SQL for files: that of every database, and that of the table that a run file has beside ours."""
    own = parse_queries(_SENTENCES.read_text(encoding="utf-8"), str(_SENTENCES))
    return Queries({**load_queries("sqlite"), **dict(own)})


class NewFile:
    """A new file, written in one transaction. Used by one thread at a time, which it blocks.

    ``with`` this: it is there whole under its name when the block ends, or not at all.
    """

    def __init__(self, path: Path, *, migrations: Path = MIGRATIONS_FOLDER) -> None:
        """Begin a file.

        Args:
            path: where it will be; one that is there already is replaced.
            migrations: the folder of the migrations that make its schema; of an older program in tests.
        """
        self._path, self._migrations = path, migrations
        self._part = path.with_name(f"{path.name}.part")

    def __enter__(self) -> Self:
        """Make it, under another name for now.

        Raises:
            DatabaseError: it cannot be made there.
        """
        self._part.unlink(missing_ok=True)  # of a process that was killed
        self._connection = SqliteConnection(_alone(str(self._part)), writes=True)
        try:
            self._connection.run(migration_script("sqlite", str(self._path), folder=self._migrations), begin="BEGIN")
            self._connection.control("BEGIN IMMEDIATE")
            self.perform("create_table_of_run_file")
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._discard()
            return
        try:
            self._connection.commit()
            self._connection.close()
            self._part.replace(self._path)
        except BaseException:
            self._discard()
            raise

    def perform(self, query: str, rows: Sequence[Params] = (NO_PARAMS,)) -> Rows:
        """Run a named SQL for each of the rows; all rows returned."""
        return self._connection.perform(Statement(run_file_queries()[query], rows))

    def _discard(self) -> None:
        self._connection.close()
        for each in (self._part, self._part.with_name(f"{self._part.name}-journal")):
            each.unlink(missing_ok=True)


def migrate_file(path: Path) -> None:
    """Bring the schema of a file up to date that nobody else uses. Blocks its thread."""
    connection = SqliteConnection(_alone(str(path)), writes=True)
    try:
        connection.run(migration_script("sqlite", str(path)), begin="BEGIN IMMEDIATE")
    finally:
        connection.close()


def schema_in_memory(script: Script[None]) -> Rows:
    """What ``sqlite_schema`` has after a script in an empty database."""
    connection = SqliteConnection(_alone(MEMORY), writes=True)
    try:
        connection.run(script, begin="BEGIN")
        return connection.perform(Statement("SELECT type, name, tbl_name, sql FROM sqlite_schema"))
    finally:
        connection.close()


def _alone(path: str) -> SqliteSettings:
    return SqliteSettings(
        file=DatabaseFile(path),
        busy_timeout_seconds=1,
        synchronous="FULL",
        now=lambda: datetime.now(UTC),
        access="alone",
    )
