"""The database manager: open, close, statements, scripts and transactions, the same on SQLite and PostgreSQL."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from ia_modules.database.blocking import LoopThread
from ia_modules.database.driver import NO_PARAMS, Dialect, Driver, Params, Plan, Rows, Script, Statement
from ia_modules.database.migrator import MigrationStatus, migrate, migration_status
from ia_modules.database.postgresql import PostgresqlDriver
from ia_modules.database.postgresql_listener import CHANNEL
from ia_modules.database.queries import load_queries
from ia_modules.database.sqlite import SqliteDriver
from ia_modules.database.sqlite_connection import Synchronous
from ia_modules.database.transaction import Transaction, is_inside, open_transaction, refuse_inside
from ia_modules.database.url import MEMORY, parse_url
from ia_modules.errors import OtherProcess, TransactionMisuse, refuse_on_loop

__all__ = ["CHANNEL", "DatabaseManager", "Script", "Statement", "Transaction"]

T = TypeVar("T")


class DatabaseManager:
    """One database, for any number of tasks and threads. Parameters are ``:name``.

    Values are str, int, float, bool, None and datetime; JSON is a str. Keys that the SQL does not name are ignored.
    Every error is one of :mod:`ia_modules.errors`, with the driver's as its cause. The database opens at first use;
    only :meth:`initialize` migrates the schema.

    Args:
        url: ``sqlite:///file.db``, ``sqlite:////absolute/file.db``, ``sqlite:///:memory:``, or ``postgresql://…`` in
            every form of libpq; with ``?pooler=transaction`` or ``?pooler=session`` a pooler's mode is not found out.
        pool_size: connections to PostgreSQL for each event loop.
        busy_timeout_seconds: how long a statement waits for a lock of another connection, or for a free connection.
        statement_timeout_seconds: PostgreSQL; how long to wait for the answer to a statement. After that it is
            cancelled, DatabaseUnavailable is raised, and a connection that has fallen silent is replaced.
        synchronous: SQLite; FULL flushes at every commit, NORMAL may lose the last commits when the power fails.
        poll_seconds: SQLite, and PostgreSQL behind a pooler; how often :meth:`signals` looks for others' commits.
        now: SQLite; the clock behind ``ia_now()``, for tests. On PostgreSQL replace the function itself.
        untrusted: SQLite; the file may come from anybody: it is only read, and nothing in it is run. Look at it first
            with :class:`ia_modules.database.untrusted_file.UntrustedFile`.

    Raises:
        InvalidDatabaseUrl: the URL cannot be parsed; the message has no password.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        busy_timeout_seconds: float = 10.0,
        statement_timeout_seconds: float = 30.0,
        synchronous: Synchronous = "FULL",
        poll_seconds: float = 0.1,
        now: Callable[[], datetime] | None = None,
        untrusted: bool = False,
    ) -> None:
        parsed = parse_url(url)
        self._new_twin = partial(
            DatabaseManager,
            url,
            pool_size=1,
            busy_timeout_seconds=busy_timeout_seconds,
            synchronous=synchronous,
            now=now,
            untrusted=untrusted,
        )
        self._statement_timeout_seconds = statement_timeout_seconds
        if parsed.dialect == "postgresql" and now is not None:
            raise ValueError("now= is for SQLite; on PostgreSQL replace the function ia_now() of the test's database")
        self._url = parsed
        self._pid = os.getpid()
        self._blocking = LoopThread()
        self._before_close: list[Callable[[], Awaitable[None]]] = []
        self._driver: Driver = (
            SqliteDriver(
                parsed,
                now=now,
                busy_timeout_seconds=busy_timeout_seconds,
                synchronous=synchronous,
                poll_seconds=poll_seconds,
                access="untrusted" if untrusted else "shared",
            )
            if parsed.dialect == "sqlite"
            else PostgresqlDriver(
                parsed,
                pool_size=pool_size,
                busy_timeout_seconds=busy_timeout_seconds,
                statement_timeout_seconds=statement_timeout_seconds,
                poll_seconds=poll_seconds,
            )
        )

    def __repr__(self) -> str:
        return f"DatabaseManager({self.safe_url!r})"

    @property
    def dialect(self) -> Dialect:
        return self._url.dialect

    @property
    def safe_url(self) -> str:
        """The URL with ``***`` for a password."""
        return self._url.safe

    @property
    def is_in_memory(self) -> bool:
        """Whether it is an SQLite database in memory, which ends with this manager."""
        return self._url.target == MEMORY

    def twin(self, *, statement_timeout_seconds: float | None = None) -> "DatabaseManager":
        """Another manager of the same database, not open yet, with few connections; the caller closes it.

        Args:
            statement_timeout_seconds: None = as this one's.
        """
        return self._new_twin(statement_timeout_seconds=statement_timeout_seconds or self._statement_timeout_seconds)

    def query(self, name: str) -> str:
        """A named SQL of ``database/sql``, for this dialect. Raises InvalidQuery for an unknown name."""
        return load_queries(self.dialect)[name]

    # --- open and close ---

    async def initialize(self) -> None:
        """Open, and migrate the schema.

        Raises:
            DatabaseUnavailable: the server or the file cannot be reached.
            SchemaError: an applied migration has changed, or the schema needs a newer program.
        """
        self.refuse_inside_transaction("initialize()")
        await self._driver.open()
        await migrate(self._driver, self.dialect, self.safe_url)

    async def close(self) -> None:
        """Wait for running statements, then close every connection and end every thread. Every later call is refused.

        When the caller is cancelled meanwhile, SQLite goes on until all has ended, and PostgreSQL drops this event
        loop's connections at once; call it again to wait for the rest.

        Raises:
            TransactionMisuse: called inside a transaction, whose end it would wait for.
        """
        self._refuse_to_close_inside_transaction()
        await self._close()
        self._blocking.stop()

    def before_close(self, last_words: Callable[[], Awaitable[None]]) -> None:
        """Have this awaited when the database is closed, while it still answers. It must not raise."""
        self._before_close.append(last_words)

    def _refuse_in_child(self) -> None:
        if os.getpid() != self._pid:
            raise OtherProcess(self._pid, os.getpid())

    async def _close(self) -> None:
        while self._before_close:
            await self._before_close.pop()()
        await self._driver.close()

    async def migration_status(self) -> list[MigrationStatus]:
        """The state of each migration, by version. Creates nothing, not even a missing SQLite file."""
        return await migration_status(self._driver, self.dialect)

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- one statement at a time, each in its own transaction ---
    #
    # A SELECT whose connection to PostgreSQL is lost is sent once more, on a new connection: a function in it that
    # changes something may do so twice. Use run() for such a SELECT: only its BEGIN is ever sent twice.

    async def execute_async(self, sql: str, params: Params | None = None) -> int:
        """Run one statement; how many rows it inserted, updated or deleted."""
        self.refuse_inside_transaction("execute_async()", "await handle.execute(sql, params)")
        return await self._driver.execute(sql, params or NO_PARAMS)

    async def fetch_one_async(self, sql: str, params: Params | None = None) -> dict[str, Any] | None:
        """The first row, None when there is none."""
        self.refuse_inside_transaction("fetch_one_async()", "await handle.fetch_one(sql, params)")
        rows = await self._driver.perform(Statement(sql, (params or NO_PARAMS,)))
        return rows[0] if rows else None

    async def fetch_all_async(self, sql: str, params: Params | None = None) -> Rows:
        """Every row."""
        self.refuse_inside_transaction("fetch_all_async()", "await handle.fetch_all(sql, params)")
        return await self._driver.perform(Statement(sql, (params or NO_PARAMS,)))

    async def execute_many_async(self, sql: str, rows: Sequence[Params]) -> None:
        """Run one statement for each row of parameters, for all of them or none."""
        self.refuse_inside_transaction("execute_many_async()", "await handle.execute_many(sql, rows)")
        await self._driver.perform(Statement(sql, rows))

    # --- many statements in one transaction ---

    def transaction(self, timeout_seconds: float = 30.0) -> AbstractAsyncContextManager[Transaction]:
        """One transaction: committed when the block ends, rolled back when it raises, is cancelled or lasts too long.

        It holds a connection on PostgreSQL and is the only writer on SQLite: keep it short. Inside the block, and in
        tasks started there, only the handle may be used; the manager raises TransactionMisuse.
        """
        self.refuse_inside_transaction("transaction()", "its own transaction is already open")
        return open_transaction(self._driver, timeout_seconds)

    async def run(
        self,
        script: Script[T],
        *,
        lock_timeout_seconds: float | None = None,
        statement_timeout_seconds: float | None = None,
    ) -> T:
        """Run a script in one read-write transaction; returns its result.

        Committed when the script returns, rolled back when it raises. When the caller is cancelled meanwhile, all of it
        is written or nothing. On SQLite the script runs in the writer's thread.

        Args:
            lock_timeout_seconds: how long each statement waits for another connection's lock before it raises
                DatabaseBusy; None = the manager's ``busy_timeout_seconds``. Waiting for a connection or the writer's
                thread does not count.
            statement_timeout_seconds: PostgreSQL; the limit of each statement; None = the manager's.
        """
        self.refuse_inside_transaction("run()")
        return await self._driver.run(script, lock_timeout_seconds, statement_timeout_seconds)

    @property
    def writes_plans(self) -> bool:
        """Whether :meth:`write_plan` can be used: not behind a pooler, nor before that is known."""
        return self._driver.writes_plans

    async def write_plan(
        self,
        plan: Plan,
        *,
        lock_timeout_seconds: float | None = None,
        statement_timeout_seconds: float | None = None,
    ) -> bool:
        """Write rows by the sentences of ``database/sql/plans``, all or none, in one hop or one round trip.

        Args:
            plan: no row of the database may be written twice by it.
            lock_timeout_seconds, statement_timeout_seconds: as of :meth:`run`.

        Returns:
            False: a swap found its row changed, or none; nothing was written.
        """
        self.refuse_inside_transaction("write_plan()")
        return await self._driver.write_plan(plan, lock_timeout_seconds, statement_timeout_seconds)

    async def read(self, script: Script[T]) -> T:
        """Run a script in one read-only snapshot: all its statements see the same state."""
        self.refuse_inside_transaction("read()")
        return await self._driver.read(script)

    def refuse_inside_transaction(self, called: str, instead: str = "await handle.execute(sql, params)") -> None:
        """Raise TransactionMisuse when the caller runs inside a :meth:`transaction` of this database.

        And OtherProcess in a child of the process that made this manager.
        """
        self._refuse_in_child()
        refuse_inside(self._driver, called, instead)

    def _refuse_to_close_inside_transaction(self) -> None:
        self._refuse_in_child()
        if is_inside(self._driver):
            raise TransactionMisuse(
                "close() was called inside a transaction, for whose end it would wait. Leave the block first."
            )

    # --- notifications ---

    async def notify(self, payload: str) -> None:
        """Send a payload to every process that listens. Does nothing on SQLite, where :meth:`signals` sees commits.

        Args:
            payload: less than 8000 bytes of UTF-8, PostgreSQL's limit.
        """
        await self._driver.notify(payload)

    async def has_listeners(self) -> bool:
        """Whether any process listens, so that :meth:`notify` is worth its while; who begins to, later, looks first.

        False on SQLite, where :meth:`signals` sees commits.
        """
        return await self._driver.has_listeners()

    def signals(self) -> AsyncGenerator[str | None]:
        """Payloads of :meth:`notify`, and None for "something may have changed: read again".

        The first item is None, as soon as it listens: later changes are not missed, earlier ones are the caller's to
        read. PostgreSQL: None also after a reconnect. SQLite, and PostgreSQL behind a pooler: only None, after
        a commit.
        Ends when the manager is closed. Close it with ``contextlib.aclosing`` when you leave early.
        """
        return self._driver.signals()

    # --- the same, for code without an event loop ---

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop of these methods, in a thread of its own, and wait for it.

        Interrupting the wait cancels it. A loop that runs in the caller's thread is blocked meanwhile.
        """
        self._refuse_in_child()
        return self._blocking.call(coroutine)

    def execute(self, sql: str, params: Params | None = None) -> int:
        """:meth:`execute_async` for code without an event loop."""
        refuse_on_loop("execute", "execute_async")
        return self.call(self.execute_async(sql, params))

    def fetch_one(self, sql: str, params: Params | None = None) -> dict[str, Any] | None:
        """:meth:`fetch_one_async` for code without an event loop."""
        refuse_on_loop("fetch_one", "fetch_one_async")
        return self.call(self.fetch_one_async(sql, params))

    def fetch_all(self, sql: str, params: Params | None = None) -> Rows:
        """:meth:`fetch_all_async` for code without an event loop."""
        refuse_on_loop("fetch_all", "fetch_all_async")
        return self.call(self.fetch_all_async(sql, params))

    def initialize_sync(self) -> None:
        """:meth:`initialize` for code without an event loop."""
        refuse_on_loop("initialize_sync", "initialize")
        self.call(self.initialize())

    def close_sync(self) -> None:
        """:meth:`close` for code without an event loop."""
        refuse_on_loop("close_sync", "close")
        self._refuse_to_close_inside_transaction()
        self.call(self._close())
        self._blocking.stop()

    def __enter__(self) -> Self:
        self.initialize_sync()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_sync()
