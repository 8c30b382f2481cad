"""One SQLite connection: how it is opened, how statements and scripts run on it. It belongs to one thread."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar, cast

import apsw

from ia_modules.database.apsw_types import ApswConnection, ApswCursor
from ia_modules.database.driver import Params, Rows, Script, Statement, abandon, advance, begins_or_ends_message
from ia_modules.database.parameters import has_nul, impossible_text
from ia_modules.database.sqlite_errors import DRIVER_ERRORS, translated
from ia_modules.database.sqlite_file import DatabaseFile
from ia_modules.errors import DatabaseError, InvalidQuery
from ia_modules.models import format_time

T = TypeVar("T")
Synchronous = Literal["FULL", "NORMAL"]

_CACHED_STATEMENTS = 300
_RETRY_SECONDS = 0.01
_STEPS_BETWEEN_CHECKS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a connection is opened.

    Attributes:
        file: the database's, or memory.
        busy_timeout_seconds: how long a statement waits for another process's lock.
        synchronous: FULL flushes at every commit; NORMAL may lose the last commits when the power fails.
        now: the clock behind ``ia_now()``.
    """

    file: DatabaseFile
    busy_timeout_seconds: float
    synchronous: Synchronous
    now: Callable[[], datetime]


class SqliteConnection:
    """A connection with this project's settings; everything it raises is one of our errors."""

    def __init__(self, settings: Settings, *, writes: bool) -> None:
        self._settings = settings
        self._busy_timeout_seconds = settings.busy_timeout_seconds
        self.check_file()
        try:
            self._apsw = _open(settings, writes=writes)
        except DRIVER_ERRORS as error:
            raise self._translated(error) from error
        settings.file.remember()

    def close(self) -> None:
        self._apsw.close(force=True)

    def optimize(self) -> None:
        """Let SQLite learn how much there is of what, where that has changed a lot; not when somebody else writes."""
        with suppress(*DRIVER_ERRORS):
            self._apsw.set_busy_timeout(0)
            self._apsw.execute("PRAGMA optimize")

    def check_file(self) -> None:
        """Raise DatabaseUnavailable when the file was moved, deleted or replaced since it was opened."""
        self._settings.file.check()

    def perform(self, statement: Statement) -> Rows:
        """Run a statement for each of its rows; what it returned."""
        try:
            if has_nul(statement.rows) and (unequal := impossible_text(statement.sql, statement.rows)):
                raise unequal  # SQLite alone would store it
            if statement.whole_file:
                self._apsw.execute(statement.sql, can_cache=False).fetchall()
                return []
            if len(statement.rows) == 1:
                return _rows(self._apsw.execute(statement.sql, statement.rows[0]))
            return _rows(self._apsw.executemany(statement.sql, statement.rows))
        except DRIVER_ERRORS as error:
            named = impossible_text(statement.sql, statement.rows) if isinstance(error, UnicodeEncodeError) else None
            raise named or self._translated(error, statement.sql) from error

    def execute(self, sql: str, params: Params) -> int:
        """Run one statement; how many rows it inserted, updated or deleted."""
        before = self._apsw.total_changes()
        self.perform(Statement(sql, (params,)))
        return self._apsw.changes() if self._apsw.total_changes() != before else 0

    def run(self, script: Script[T], *, begin: str) -> T:
        """Run a script in one transaction: committed when it returns, rolled back when anything raises."""
        try:
            self.control(begin)
            result = self._drive(script)
            self.commit()
        except BaseException:
            self.roll_back()
            raise
        finally:
            script.close()
        return result

    def _drive(self, script: Script[T]) -> T:
        rows: Rows | None = None
        try:
            while True:
                statement = advance(script, rows)
                try:
                    rows = self.perform(statement)
                    self.refuse_ended_transaction(statement.sql)
                except DatabaseError as error:
                    raise abandon(script, error)  # noqa: B904 - the same error, with its own cause
        except StopIteration as finished:
            return finished.value

    def commit(self) -> None:
        """End a transaction with its effects, if they can still be found by others."""
        self.check_file()
        self.control("COMMIT")

    def control(self, sql: str) -> None:
        """BEGIN, COMMIT or ROLLBACK."""
        try:
            self._apsw.execute(sql)
        except DRIVER_ERRORS as error:
            raise self._translated(error, sql) from error

    def roll_back(self) -> None:
        """End a transaction without its effects, if there is one (SQLite itself ends it after some errors)."""
        if self._apsw.in_transaction:
            self.control("ROLLBACK")

    def refuse_open_transaction(self, sql: str) -> None:
        """Raise InvalidQuery when a statement that stood alone has left a transaction open."""
        if self._apsw.in_transaction:
            self.roll_back()
            raise InvalidQuery(begins_or_ends_message(sql))

    def refuse_ended_transaction(self, sql: str) -> None:
        """Raise InvalidQuery when a statement has ended the transaction that it ran in."""
        if not self._apsw.in_transaction:
            raise InvalidQuery(begins_or_ends_message(sql))

    @contextmanager
    def interrupted_when(self, unwanted: Callable[[], bool]) -> Generator[None]:
        """Interrupt a statement that runs while ``unwanted`` has become true. May be nested."""
        self._apsw.set_progress_handler(unwanted, _STEPS_BETWEEN_CHECKS, id=unwanted)
        try:
            yield
        finally:
            self._apsw.set_progress_handler(None, id=unwanted)

    @contextmanager
    def waiting_for_locks(self, seconds: float | None) -> Generator[None]:
        """Wait so long for another process's lock meanwhile; None = as long as ever."""
        if seconds is None:
            yield
            return
        usual, self._busy_timeout_seconds = self._busy_timeout_seconds, seconds
        self._apsw.set_busy_timeout(round(seconds * 1000))
        try:
            yield
        finally:
            self._busy_timeout_seconds = usual
            self._apsw.set_busy_timeout(round(usual * 1000))

    @contextmanager
    def only_reading(self) -> Generator[None]:
        """Refuse to write meanwhile; for the one connection of a database in memory."""
        self._apsw.pragma("query_only", 1)
        try:
            yield
        finally:
            self._apsw.pragma("query_only", 0)

    def version(self) -> int:
        """A number that changes when another connection commits; in memory, where there is none, at every change."""
        try:
            return int(self._apsw.pragma("data_version")) + self._apsw.total_changes()
        except DRIVER_ERRORS as error:
            raise self._translated(error, "PRAGMA data_version") from error

    def _translated(self, error: Exception, sql: str | None = None) -> DatabaseError:
        connection = getattr(self, "_apsw", None)
        return translated(error, sql, self._settings.file.path, self._busy_timeout_seconds, connection)


def _rows(cursor: ApswCursor) -> Rows:
    try:
        names = [name for name, _ in cursor.get_description()]
    except apsw.ExecutionCompleteError:  # it has ended without a row
        return []
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _open(settings: Settings, *, writes: bool) -> ApswConnection:
    create = apsw.SQLITE_OPEN_CREATE if writes and settings.file.may_be_created else 0
    connection = cast(
        "ApswConnection",
        apsw.Connection(
            settings.file.path, flags=apsw.SQLITE_OPEN_READWRITE | create, statementcachesize=_CACHED_STATEMENTS
        ),
    )
    try:
        connection.set_busy_timeout(round(settings.busy_timeout_seconds * 1000))
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)  # "x" is a column, never a string: as in PostgreSQL
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
        connection.convert_binding = _bind
        _register_clock(connection, settings.now)
        connection.pragma("foreign_keys", 1)
        if writes:
            _use_wal(connection, settings.busy_timeout_seconds)
            connection.pragma("synchronous", settings.synchronous)
        else:
            connection.pragma("query_only", 1)
    except BaseException:
        connection.close(force=True)
        raise
    return connection


def _use_wal(connection: ApswConnection, timeout_seconds: float) -> None:
    """Switch the file to WAL, which it keeps. SQLite does not wait for other processes here, so this does."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            if connection.pragma("journal_mode") not in ("wal", "memory"):
                connection.pragma("journal_mode", "wal")
            return
        except apsw.ReadOnlyError:
            return
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)


def _register_clock(connection: ApswConnection, now: Callable[[], datetime]) -> None:
    """``ia_now()``, and ``ia_now(seconds)`` for the time so many seconds from now."""

    def ia_now(offset_seconds: float = 0) -> str:
        return format_time(now() + timedelta(seconds=offset_seconds))

    connection.create_scalar_function("ia_now", ia_now, 0)
    connection.create_scalar_function("ia_now", ia_now, 1)


def _bind(_cursor: ApswCursor, _number: int, value: Any) -> str:
    """What SQLite cannot store itself: datetimes become text."""
    if isinstance(value, datetime):
        return format_time(value)
    raise TypeError(
        f"found a parameter of type {type(value).__name__}; expected str, int, float, bool, None or datetime"
    )
