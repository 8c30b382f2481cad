"""One SQLite connection, used by one thread: opening it, running statements and scripts on it."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar, cast

import apsw

from ia_modules.database import plans
from ia_modules.database.apsw_types import ApswConnection, ApswCursor
from ia_modules.database.driver import Params, Plan, Rows, Script, Statement, abandon, advance, begins_or_ends_message
from ia_modules.database.parameters import has_nul, impossible_text
from ia_modules.database.sqlite_errors import DRIVER_ERRORS, translated
from ia_modules.database.sqlite_file import DatabaseFile
from ia_modules.database.url import MEMORY
from ia_modules.errors import DatabaseError, InvalidQuery
from ia_modules.models import format_time

T = TypeVar("T")
Synchronous = Literal["FULL", "NORMAL"]
Access = Literal["shared", "alone", "untrusted"]
"""``shared``: with other processes, through a WAL beside the file. ``alone``: nobody else knows it yet, and it stays
without companions. ``untrusted``: the file may come from anybody, and is only read."""

_CACHED_STATEMENTS = 300
_CACHE_KIB = 1000  # of pages, for each connection: half of the usual, and no slower, since the system keeps the file
_RETRY_SECONDS = 0.01
_STEPS_BETWEEN_CHECKS = 20_000
_LARGEST_ROW_BYTES = 100 * 2**20  # of a file that may come from anybody: more than a row of ours can have


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteSettings:
    """How a connection is opened.

    Attributes:
        file: the database file, or memory.
        busy_timeout_seconds: how long a statement waits for another process's lock.
        synchronous: FULL flushes at every commit; NORMAL may lose the last commits when the power fails.
        now: the clock behind ``ia_now()``.
        access: who else uses the file, and what may be done with it.
    """

    file: DatabaseFile
    busy_timeout_seconds: float
    synchronous: Synchronous
    now: Callable[[], datetime]
    access: Access = "shared"


class SqliteConnection:
    """A connection with this project's settings. It raises only errors of :mod:`ia_modules.errors`."""

    def __init__(self, settings: SqliteSettings, *, writes: bool) -> None:
        self._settings = settings
        self._busy_timeout_seconds = settings.busy_timeout_seconds
        self._in_use = False
        self.check_file()
        try:
            self._apsw = _open(settings, writes=writes)
        except DRIVER_ERRORS as error:
            raise self._translated(error) from error
        settings.file.remember()

    @property
    def is_in_memory(self) -> bool:
        return self._settings.file.path == MEMORY

    def close(self) -> None:
        if self._in_use:
            self._in_use = False
            self._settings.file.end_use()
        self._apsw.close(force=True)

    def optimize(self) -> None:
        """Update the planner's statistics where they are out of date; skipped while another connection writes."""
        with suppress(*DRIVER_ERRORS):
            self._apsw.set_busy_timeout(0)
            self._apsw.execute("PRAGMA optimize")

    def check_file(self) -> None:
        """Raise DatabaseUnavailable when the file or its WAL was moved, deleted or replaced since it was opened."""
        self._settings.file.check()

    def begin_use(self) -> None:
        """To be called after the first statement: from then on the WAL is checked, too."""
        if not self._in_use:
            self._in_use = True
            self._settings.file.begin_use()

    def perform(self, statement: Statement) -> Rows:
        """Run a statement for each of its rows; all rows returned."""
        try:
            if has_nul(statement.rows) and (unequal := impossible_text(statement.sql, statement.rows)):
                raise unequal  # PostgreSQL would refuse it
            if statement.whole_file:
                self._apsw.execute(statement.sql, can_cache=False).fetchall()
                return []
            if len(statement.rows) == 1:
                return _rows(self._apsw.execute(statement.sql, statement.rows[0]))
            return _rows(self._apsw.executemany(statement.sql, statement.rows))
        except DRIVER_ERRORS as error:
            named = impossible_text(statement.sql, statement.rows) if isinstance(error, UnicodeEncodeError) else None
            raise named or self._translated(error, statement.sql) from error

    def stream(self, sql: str) -> Iterator[dict[str, Any]]:
        """The rows of a statement without parameters, one at a time: no more than one is in memory."""
        try:
            cursor = self._apsw.execute(sql)
            names: list[str] | None = None
            for row in cursor:
                names = names or [name for name, _ in cursor.get_description()]
                yield dict(zip(names, row, strict=True))
        except DRIVER_ERRORS as error:
            raise self._translated(error, sql) from error

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

    def write_plan(self, plan: Plan) -> bool:
        """Write a plan in one transaction; False: a swap missed its row, and nothing was written."""
        if plans.has_nul(plan):
            raise InvalidQuery("A text of the plan cannot be stored: found a NUL character; expected text without.")
        now = self._settings.now()
        try:
            self.control("BEGIN IMMEDIATE")
            for sentence in plans.for_sqlite():
                if (rows := plan.get(sentence.name)) and not self._write_rows(sentence, rows, now):
                    self.roll_back()
                    return False
            self.commit()
        except BaseException:
            self.roll_back()
            raise
        return True

    def _write_rows(self, sentence: plans.PositionalSentence, rows: Sequence[tuple[Any, ...]], now: datetime) -> bool:
        """Run one sentence of a plan; False: not every swap found its row."""
        before = self._apsw.total_changes()
        if sentence.offsets:
            rows = [_with_times(row, sentence.offsets, now) for row in rows]
        if sentence.has_time:
            moment = format_time(now)
            rows = [(*row, moment) for row in rows]
        try:
            self._apsw.executemany(sentence.sql, rows)
        except DRIVER_ERRORS as error:
            raise self._translated(error, sentence.sql) from error
        return not sentence.is_swap or self._apsw.total_changes() - before == len(rows)

    def commit(self) -> None:
        """Commit, unless the file or its WAL was moved, deleted or replaced."""
        self.check_file()
        self.control("COMMIT")

    def control(self, sql: str) -> None:
        """BEGIN, COMMIT or ROLLBACK."""
        try:
            self._apsw.execute(sql)
        except DRIVER_ERRORS as error:
            raise self._translated(error, sql) from error

    def roll_back(self) -> None:
        """Roll back, if a transaction is open (SQLite ends it by itself after some errors)."""
        if self._apsw.in_transaction:
            self.control("ROLLBACK")

    def refuse_open_transaction(self, sql: str) -> None:
        """Raise InvalidQuery when a statement outside a transaction left one open."""
        if self._apsw.in_transaction:
            self.roll_back()
            raise InvalidQuery(begins_or_ends_message(sql))

    def refuse_ended_transaction(self, sql: str) -> None:
        """Raise InvalidQuery when a statement ended the transaction it ran in."""
        if not self._apsw.in_transaction:
            raise InvalidQuery(begins_or_ends_message(sql))

    @contextmanager
    def interrupted_when(self, unwanted: Callable[[], bool]) -> Generator[None]:
        """Interrupt the running statement when ``unwanted()`` becomes true. May be nested."""
        self._apsw.set_progress_handler(unwanted, _STEPS_BETWEEN_CHECKS, id=unwanted)
        try:
            yield
        finally:
            self._apsw.set_progress_handler(None, id=unwanted)

    @contextmanager
    def waiting_for_locks(self, seconds: float | None) -> Generator[None]:
        """Inside the block, wait at most this long for another process's lock; None = the usual limit."""
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
        """Inside the block, refuse writes; for the only connection of a database in memory."""
        self._apsw.pragma("query_only", 1)
        try:
            yield
        finally:
            self._apsw.pragma("query_only", 0)

    def version(self) -> int:
        """A number that changes when another connection commits; in memory, at every change."""
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
    except apsw.ExecutionCompleteError:  # the statement returned no row
        return []
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _open(settings: SqliteSettings, *, writes: bool) -> ApswConnection:
    is_untrusted = settings.access == "untrusted"
    if writes and not is_untrusted:
        settings.file.create()
    flags = apsw.SQLITE_OPEN_READONLY if is_untrusted else apsw.SQLITE_OPEN_READWRITE
    connection = cast(
        "ApswConnection", apsw.Connection(settings.file.path, flags=flags, statementcachesize=_CACHED_STATEMENTS)
    )
    try:
        if is_untrusted:
            _trust_nothing(connection)
        connection.set_busy_timeout(round(settings.busy_timeout_seconds * 1000))
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)  # "x" is a column, never a string: as in PostgreSQL
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
        connection.convert_binding = _bind
        _register_clock(connection, settings.now)
        connection.create_scalar_function("ia_fold", _fold, 1, deterministic=True)
        connection.pragma("foreign_keys", 1)
        if not is_untrusted:
            connection.pragma("cache_size", -_CACHE_KIB)  # reads the file: one from anybody is looked at first
        if writes and not is_untrusted:
            if settings.access == "shared":
                _use_wal(connection, settings.busy_timeout_seconds)
            else:
                connection.pragma("journal_mode", "memory")  # a file that is not whole is deleted
            connection.pragma("synchronous", settings.synchronous)
        else:
            connection.pragma("query_only", 1)
    except BaseException:
        connection.close(force=True)
        raise
    return connection


def _trust_nothing(connection: ApswConnection) -> None:
    """What SQLite's own advice has for a file that may come from anybody (sqlite.org/security.html)."""
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, _LARGEST_ROW_BYTES)
    connection.pragma("cell_size_check", 1)
    connection.pragma("mmap_size", 0)


def _use_wal(connection: ApswConnection, timeout_seconds: float) -> None:
    """Switch the file to WAL, for good. SQLite itself does not wait for other processes here."""
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


def _time_from(now: datetime, offset_seconds: float) -> str:
    return format_time(now + timedelta(seconds=offset_seconds))


def _with_times(row: tuple[Any, ...], offsets: Sequence[int], now: datetime) -> tuple[Any, ...]:
    """A row of a plan, its offsets as times.

    Raises:
        InvalidQuery: one is beyond every calendar.
    """
    values = list(row)
    for place in offsets:
        if values[place] is not None:
            try:
                values[place] = _time_from(now, values[place])
            except OverflowError as error:
                raise InvalidQuery(f"There is no time {values[place]:g} seconds from now.") from error
    return tuple(values)


def _register_clock(connection: ApswConnection, now: Callable[[], datetime]) -> None:
    """``ia_now()``, and ``ia_now(seconds)``, the time that many seconds from now."""

    def ia_now(offset_seconds: float = 0) -> str:
        return _time_from(now(), offset_seconds)

    connection.create_scalar_function("ia_now", ia_now, 0)
    connection.create_scalar_function("ia_now", ia_now, 1)


def _fold(text: str | None) -> str | None:
    """``ia_fold(text)``, what a search compares: no difference of upper and lower case, in every script.

    For queries only: in an index or a constraint, a program without this function could not write to the table.
    """
    return None if text is None else text.lower().replace("i\u0307", "i").upper()  # the dot that İ leaves


def _bind(_cursor: ApswCursor, _number: int, value: Any) -> str:
    """Convert a parameter that SQLite cannot store: datetimes become text."""
    if isinstance(value, datetime):
        return format_time(value)
    raise TypeError(
        f"found a parameter of type {type(value).__name__}; expected str, int, float, bool, None or datetime"
    )
