"""One asyncpg connection with ``:name`` parameters, scripts and our errors."""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from ia_modules.database.driver import (
    Params,
    Rows,
    Script,
    Statement,
    abandon,
    advance,
    begins_or_ends_message,
    shortened,
)
from ia_modules.database.named_params import to_positional
from ia_modules.database.parameters import impossible_text
from ia_modules.database.postgresql_errors import DRIVER_ERRORS, IMPOSSIBLE_TEXT, translated, was_lost
from ia_modules.errors import DatabaseError, InvalidQuery, TransactionMisuse

T = TypeVar("T")

CLEANUP_SECONDS = 5.0
"""How long a rollback or a polite close may take; after that the connection is dropped."""

_BEGIN_SECONDS = 5.0
"""The limit of a BEGIN, which never has to wait: a server that does not answer it does not answer anything."""

_CANCEL_SECONDS = 1.0
"""How long a rollback may take after a statement reached its limit."""

_WHOLE_FILE_SECONDS = 3600.0
"""The limit of a migration, which may rewrite large tables."""

_CHANGES_SESSION = re.compile(
    r"(?x) \A (?: \s+ | --[^\n]* | /\*.*?\*/ )*+ (?! (?:select|insert|update|delete|merge|with|values|table)\b )"
    r"| \b (?: set_config | pg_(?:try_)?advisory_lock\w* | dblink\w* ) \b"
    r"| ; \s* \S",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=1024)
def changes_session(sql: str) -> bool:
    """Whether a statement may leave a setting, a lock or a listener on its connection.

    The user's own functions are not seen; they must use ``SET LOCAL`` and ``pg_advisory_xact_lock``.
    """
    return _CHANGES_SESSION.search(sql) is not None


_WRITES = re.compile(
    r"\b (?: insert | update | delete | merge | into | call | nextval | setval | pg_notify | lo_\w+ ) \b",
    re.IGNORECASE | re.VERBOSE,
)


@lru_cache(maxsize=1024)
def only_reads(sql: str) -> bool:
    """Whether a statement may be repeated when its outcome is unknown.

    The user's own functions are not seen. False also for a read whose text has the word of a write.
    """
    return not changes_session(sql) and not _WRITES.search(sql)


class AsyncpgConnection(Protocol):
    """Types for the part of ``asyncpg.Connection`` in use."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str: ...
    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Any]: ...
    async def fetchmany(
        self, query: str, args: Sequence[Sequence[Any]], *, timeout: float | None = None
    ) -> list[Any]: ...
    async def fetchval(self, query: str, *args: Any, timeout: float | None = None) -> Any: ...
    async def prepare(self, query: str, *, name: str, timeout: float | None = None) -> "AsyncpgStatement": ...
    def transaction(self) -> AbstractAsyncContextManager[None]: ...
    async def set_type_codec(
        self,
        typename: str,
        *,
        schema: str,
        encoder: Callable[[Any], str],
        decoder: Callable[[str], Any],
    ) -> None: ...
    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None: ...
    def add_termination_listener(self, callback: Callable[..., None]) -> None: ...
    async def close(self, *, timeout: float | None = None) -> None: ...
    def terminate(self) -> None: ...
    def is_in_transaction(self) -> bool: ...
    def get_server_pid(self) -> int: ...
    def get_reset_query(self) -> str: ...


class AsyncpgStatement(Protocol):
    """Types for the part of a prepared statement in use."""

    async def fetchval(self, *args: Any, timeout: float | None = None) -> Any: ...


class PostgresqlSession:
    """A connection with ``:name`` parameters and our errors.

    Attributes:
        is_lost: the connection ended or fell silent, and was dropped.
    """

    def __init__(
        self,
        connection: AsyncpgConnection,
        place: str,
        changed_sessions: set[int],
        *,
        alone: bool,
        pooled: bool,
        limit_seconds: float | None = None,
    ) -> None:
        """Use a connection.

        Args:
            alone: each statement is its own transaction.
            pooled: the session is this connection's until the transaction ends, and must be left clean by then.
            limit_seconds: of each statement; None = the connection's own limit.
        """
        self._connection, self._place, self._alone = connection, place, alone
        self._changed_sessions, self._limit_seconds = changed_sessions, limit_seconds
        self._pooled, self._has_changed_session = pooled, False
        self._rollback_seconds = CLEANUP_SECONDS
        self.is_lost = False

    async def execute(self, sql: str, params: Params) -> int:
        positional, names = self._prepared(sql)
        try:
            arguments = _arguments(names, params, sql)
            status = await self._connection.execute(positional, *arguments, timeout=self._limit_seconds)
        except DRIVER_ERRORS as error:
            raise self._translated(error, sql, (params,)) from error
        await self._check_transaction(sql)
        return _affected(status)

    async def perform(self, statement: Statement) -> Rows:
        try:
            records = await self._records(statement.sql, statement.rows, whole_file=statement.whole_file)
        except DRIVER_ERRORS as error:
            raise self._translated(error, statement.sql, statement.rows) from error
        await self._check_transaction(statement.sql)
        return [dict(record) for record in records]

    async def _records(self, sql: str, rows: Sequence[Params], *, whole_file: bool) -> list[Any]:
        if whole_file:
            await self._connection.execute(sql, timeout=_WHOLE_FILE_SECONDS)
            return []
        if not rows:
            return []
        positional, names = self._prepared(sql)
        if len(rows) == 1:
            arguments = _arguments(names, rows[0], sql)
            return await self._connection.fetch(positional, *arguments, timeout=self._limit_seconds)
        many = [_arguments(names, row, sql) for row in rows]
        return await self._connection.fetchmany(positional, many, timeout=self._limit_seconds)

    async def drive(self, script: Script[T]) -> T:
        """Run a script to its end."""
        rows: Rows | None = None
        try:
            while True:
                statement = advance(script, rows)
                try:
                    rows = await self.perform(statement)
                except DatabaseError as error:
                    raise abandon(script, error)  # noqa: B904 - the same error, with its own cause
        except StopIteration as finished:
            return finished.value
        finally:
            script.close()

    async def begin(self, sql: str) -> None:
        """Begin a transaction: BEGIN, with settings if need be."""
        await self._control(sql, _BEGIN_SECONDS)

    async def commit(self) -> None:
        """End the transaction with its effects."""
        if self._pooled and self._has_changed_session:
            await self._control(self._connection.get_reset_query(), self._limit_seconds)
        status = await self._control("COMMIT", self._limit_seconds)
        if status != "COMMIT":  # a statement had failed before
            raise TransactionMisuse(
                f"PostgreSQL at {self._place} rolled the transaction back instead of committing it, as a statement in "
                "it had failed or was cancelled. Let its error leave the block."
            )

    async def roll_back(self) -> None:
        """End the transaction without its effects, even when cancelled once more meanwhile.

        A connection that cannot is dropped. So is one that stays silent after a statement reached its limit; one that
        answers was only slow.
        """
        rollback = asyncio.ensure_future(self._rolled_back())
        try:
            await asyncio.shield(rollback)
        except asyncio.CancelledError:
            await rollback
            raise

    async def _rolled_back(self) -> None:
        left_locked = self._pooled and self._has_changed_session  # settings and listeners are rolled back, too
        try:
            await self._control(
                "ROLLBACK; SELECT pg_advisory_unlock_all()" if left_locked else "ROLLBACK", self._rollback_seconds
            )
        except DatabaseError:
            self._drop()

    async def _control(self, sql: str, limit_seconds: float | None) -> str:
        try:
            return await self._connection.execute(sql, timeout=limit_seconds)
        except DRIVER_ERRORS as error:
            raise self._translated(error, sql) from error

    def _drop(self) -> None:
        self.is_lost = True
        with suppress(*DRIVER_ERRORS):  # or else the pool could give it to the next caller
            self._connection.terminate()

    def _translated(self, error: Exception, sql: str, rows: Sequence[Params] = ()) -> DatabaseError:
        if was_lost(error):
            self._drop()
        if isinstance(error, TimeoutError):
            self._rollback_seconds = _CANCEL_SECONDS
        named = impossible_text(sql, rows) if isinstance(error, IMPOSSIBLE_TEXT) else None
        return named or translated(error, self._place, sql)

    def _prepared(self, sql: str) -> tuple[str, tuple[str, ...]]:
        if changes_session(sql):
            self._has_changed_session = True
            if not self._pooled:
                self._changed_sessions.add(self._connection.get_server_pid())
        try:
            return to_positional(sql)
        except ValueError as error:
            raise InvalidQuery(f"{error}. The SQL: {shortened(sql)}") from None

    async def _check_transaction(self, sql: str) -> None:
        """Refuse a BEGIN or COMMIT in the caller's SQL: only our blocks begin and end transactions."""
        if self._connection.is_in_transaction() != self._alone:
            return
        if self._alone:
            await self.roll_back()
        raise InvalidQuery(begins_or_ends_message(sql))


def _arguments(names: Sequence[str], params: Params, sql: str) -> list[Any]:
    try:
        return [params[name] for name in names]
    except KeyError as missing:
        raise InvalidQuery(
            f"The parameter :{missing.args[0]} is missing; expected a value for every name. The SQL: {shortened(sql)}"
        ) from None


def _affected(status: str) -> int:
    """The number in ``INSERT 0 3`` or ``UPDATE 3``; 0 for a statement that changes no rows."""
    verb, _, counts = status.partition(" ")
    return int(counts.rpartition(" ")[2]) if verb in ("INSERT", "UPDATE", "DELETE", "MERGE") else 0
