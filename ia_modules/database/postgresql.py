"""PostgreSQL through asyncpg: a pool for each event loop, and notifications.

Between us and the server a pooler may stand that gives each transaction another session (PgBouncer, Supavisor). It is
noticed at the first connection. From then on nothing is left on a session: each statement has a transaction, each
transaction its settings, no statement is prepared by name, and commits are looked for instead of listened to.
"""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

import asyncpg

from ia_modules.database.driver import (
    Params,
    Plan,
    Rows,
    Script,
    Session,
    Statement,
    closed_message,
)
from ia_modules.database.postgresql_errors import DRIVER_ERRORS, never_sent, translated, was_lost
from ia_modules.database.postgresql_listener import CHANNEL, HAS_LISTENERS, Listener
from ia_modules.database.postgresql_plans import PLANNER_SETTINGS, PlanConnection
from ia_modules.database.postgresql_session import CLEANUP_SECONDS, AsyncpgConnection, PostgresqlSession, only_reads
from ia_modules.database.url import DatabaseUrl
from ia_modules.errors import DatabaseBusy, DatabaseClosed, DatabaseReadOnly, DatabaseUnavailable

T = TypeVar("T")

_CONNECT_SECONDS = 10.0
_CACHED_STATEMENTS = 500
_IDLE_IN_TRANSACTION_SECONDS = 5.0
"""How long a script's transaction may wait for its next statement. A host that is lost keeps its row locks so long."""

_TCP_SETTINGS = (
    "tcp_keepalives_idle = 10",
    "tcp_keepalives_interval = 5",
    "tcp_keepalives_count = 3",
    "tcp_user_timeout = 25000",
)
"""The server ends a session, and what runs in it, about 25 s after its host is gone. In seconds; the last in ms."""

_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class _Pool(Protocol):
    """Types for the part of ``asyncpg.Pool`` in use."""

    async def acquire(self) -> AsyncpgConnection: ...
    async def release(self, connection: AsyncpgConnection, *, timeout: float | None = None) -> None: ...
    async def close(self) -> None: ...
    async def expire_connections(self) -> None: ...
    def terminate(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Pools:
    """The connections of one event loop: for work, one for notifications, which never waits for work, one for plans."""

    work: _Pool
    notifier: _Pool
    plans: PlanConnection

    async def acquire(self, *, notifies: bool) -> tuple[_Pool, AsyncpgConnection]:
        pool = self.notifier if notifies else self.work
        return pool, await pool.acquire()

    async def close(self) -> None:
        try:
            await asyncio.gather(self.work.close(), self.notifier.close(), self.plans.close())
        except BaseException:  # also cancelled: leave none open
            self.terminate()
            raise

    def terminate(self) -> None:
        self.work.terminate()
        self.notifier.terminate()
        self.plans.drop()


class _PoolerFound(Exception):
    """A connection turned out to lead to a pooler."""


class _Connection(asyncpg.Connection):
    """A connection whose polite close has a limit, also where asyncpg's pool closes it; after that it is dropped."""

    async def close(self, *, timeout: float | None = None) -> None:
        with suppress(*DRIVER_ERRORS):
            await super().close(timeout=timeout or CLEANUP_SECONDS)


class PostgresqlDriver:
    """One PostgreSQL database. Connections of asyncpg belong to an event loop, so each loop has its own pool."""

    def __init__(
        self,
        url: DatabaseUrl,
        *,
        pool_size: int,
        busy_timeout_seconds: float,
        statement_timeout_seconds: float,
        poll_seconds: float,
    ) -> None:
        self._url, self._pool_size, self._busy_timeout_seconds = url, pool_size, busy_timeout_seconds
        self._statement_timeout_seconds = statement_timeout_seconds
        self._connect_seconds = url.connect_timeout_seconds or _CONNECT_SECONDS
        self._poll_seconds = poll_seconds
        self._is_pooled = None if url.pooler is None else url.pooler == "transaction"
        self._pools: dict[AbstractEventLoop, _Pools] = {}
        self._listeners: WeakSet[Listener] = WeakSet()
        self._changed_sessions: set[int] = set()
        self._closed = False

    async def open(self) -> None:
        await self.perform(Statement("SELECT 1"))

    async def close(self) -> None:
        self._closed = True
        for listener in self._listeners:
            listener.stop()
        here = asyncio.get_running_loop()
        while self._pools:
            loop, pools = self._pools.popitem()
            if loop is here:
                await pools.close()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(pools.close(), loop))
            elif not loop.is_closed():
                pools.terminate()

    def exists(self) -> bool:
        return True

    async def run(
        self,
        script: Script[T],
        lock_timeout_seconds: float | None = None,
        statement_timeout_seconds: float | None = None,
    ) -> T:
        settings = () if lock_timeout_seconds is None else (_lock_timeout(lock_timeout_seconds),)
        async with self._transaction("BEGIN", *settings, limit_seconds=statement_timeout_seconds) as session:
            return await session.drive(script)

    @property
    def writes_plans(self) -> bool:
        return self._is_pooled is False

    async def write_plan(
        self,
        plan: Plan,
        lock_timeout_seconds: float | None = None,
        statement_timeout_seconds: float | None = None,
    ) -> bool:
        pools = await self._pools_here()
        lock_timeout = _lock_timeout(lock_timeout_seconds or self._busy_timeout_seconds)
        return await pools.plans.write(plan, lock_timeout, statement_timeout_seconds)

    async def read(self, script: Script[T]) -> T:
        async with self._transaction(_SNAPSHOT) as session:
            return await session.drive(script)

    async def execute(self, sql: str, params: Params) -> int:
        return await self._run_alone(lambda session: session.execute(sql, params), repeatable=only_reads(sql))

    async def perform(self, statement: Statement) -> Rows:
        return await self._run_alone(lambda session: session.perform(statement), repeatable=only_reads(statement.sql))

    @asynccontextmanager
    async def transaction(self, timeout_seconds: float) -> AsyncGenerator[Session]:
        # The server's limit holds even while the user's code blocks the loop; ours comes a second earlier.
        async with self._transaction("BEGIN", _idle_timeout(timeout_seconds + 1)) as session:
            yield session

    async def notify(self, payload: str) -> None:
        statement = Statement("SELECT pg_notify(:channel, :payload)", ({"channel": CHANNEL, "payload": payload},))
        await self._run_alone(lambda session: session.perform(statement), repeatable=True, notifies=True)

    async def has_listeners(self) -> bool:
        statement = Statement(HAS_LISTENERS)
        [row] = await self._run_alone(lambda session: session.perform(statement), repeatable=True, notifies=True)
        return row["found"]

    def signals(self) -> AsyncGenerator[str | None]:
        self._refuse_when_closed()
        listener = Listener(self._connect, self._leads_to_pooler, self._url.place, self._poll_seconds)
        self._listeners.add(listener)
        return listener.signals()

    @asynccontextmanager
    async def _transaction(
        self, begin: str, *settings: str, limit_seconds: float | None = None
    ) -> AsyncGenerator[PostgresqlSession]:
        async with AsyncExitStack() as stack:
            session = await self._begun(stack, begin, settings, limit_seconds)
            try:
                yield session
                await session.commit()
            except BaseException as error:
                await session.roll_back()
                if session.is_lost or isinstance(error, DatabaseReadOnly):  # after a failover, others may write
                    await self._renew_connections()
                raise

    async def _begun(
        self,
        stack: AsyncExitStack,
        begin: str,
        settings: tuple[str, ...],
        limit_seconds: float | None,
        *,
        again: bool = True,
    ) -> PostgresqlSession:
        """A connection inside a transaction; the stack releases it. ``again``: once more when only BEGIN was lost."""
        connection = await stack.enter_async_context(self._acquired())
        session = self._session(connection, alone=False, limit_seconds=limit_seconds)
        try:
            await session.begin(self._beginning(begin, *settings))
        except BaseException as error:
            await session.roll_back()
            if session.is_lost:
                await self._renew_connections()
            if not (again and session.is_lost and isinstance(error, DatabaseUnavailable)):
                raise
        else:
            return session
        await stack.aclose()
        return await self._begun(stack, begin, settings, limit_seconds, again=False)

    def _beginning(self, begin: str, *settings: str) -> str:
        """BEGIN with its settings; behind a pooler, which may give it any session, with those of a session, too."""
        local = [f"SET LOCAL {setting}" for setting in settings]
        return "; ".join((begin, *(self._session_settings(is_local=True) if self._is_pooled else ()), *local))

    def _session_settings(self, *, is_local: bool) -> list[str]:
        """The one place for settings of a session, as SQL; what holds for one transaction only is in its BEGIN."""
        of_url = ", ".join(
            f"set_config({_literal(name)}, {_literal(value)}, {is_local})" for name, value in self._url.settings.items()
        )
        ours = (_lock_timeout(self._busy_timeout_seconds), _idle_timeout(_IDLE_IN_TRANSACTION_SECONDS))
        sets = "SET LOCAL" if is_local else "SET"
        return [*([f"SELECT {of_url}"] if of_url else []), *(f"{sets} {setting}" for setting in ours)]

    async def _run_alone(
        self,
        work: Callable[[PostgresqlSession], Awaitable[T]],
        *,
        repeatable: bool,
        notifies: bool = False,
        again: bool = True,
    ) -> T:
        """Run one statement alone; once more, on a new connection, when the first was lost and that is safe.

        Args:
            repeatable: running it twice is safe, which happens when only the server's answer was lost.
            notifies: use the connection for notifications.
            again: it is the first time.
        """
        async with self._acquired(notifies=notifies) as connection:
            session = self._session(connection, alone=not self._is_pooled)
            try:
                if not self._is_pooled:
                    return await work(session)
                await session.begin(self._beginning("BEGIN"))
                result = await work(session)
                await session.commit()
            except BaseException as error:
                if self._is_pooled or isinstance(error.__cause__, TimeoutError):
                    await session.roll_back()  # drops a connection that is silent, not one that is slow
                if session.is_lost:
                    await self._renew_connections()
                is_safe = isinstance(error, DatabaseUnavailable) and (repeatable or never_sent(error.__cause__))
                if not (again and session.is_lost and is_safe):
                    raise
            else:
                return result
        return await self._run_alone(work, repeatable=repeatable, notifies=notifies, again=False)

    async def _renew_connections(self) -> None:
        """Replace this loop's connections after the loss of one: the others are probably lost, too."""
        if pools := self._pools.get(asyncio.get_running_loop()):  # None: closed meanwhile
            await pools.work.expire_connections()
            await pools.notifier.expire_connections()
            pools.plans.drop()

    @asynccontextmanager
    async def _acquired(self, *, notifies: bool = False) -> AsyncGenerator[AsyncpgConnection]:
        limit = asyncio.timeout(self._busy_timeout_seconds + self._connect_seconds)
        try:
            async with limit:
                pool, connection = await self._connected(notifies=notifies)
        except DRIVER_ERRORS as error:
            if limit.expired():
                raise DatabaseBusy(
                    f"All {self._pool_size} connections to {self._url.place} were in use for too long. "
                    "Keep transactions short, or pass a larger pool_size=."
                ) from error
            self._refuse_when_closed()  # meanwhile
            raise translated(error, self._url.place) from error
        try:
            yield connection
        finally:
            with suppress(*DRIVER_ERRORS):  # the pool closes a connection that cannot be cleaned
                await pool.release(connection, timeout=CLEANUP_SECONDS)

    async def _connected(self, *, notifies: bool) -> tuple[_Pool, AsyncpgConnection]:
        """A connection and its pool; another when the first was lost before it was ready, or showed a pooler."""
        pools = await self._pools_here()
        try:
            return await pools.acquire(notifies=notifies)
        except _PoolerFound:  # these pools have no connection, and never will
            here = asyncio.get_running_loop()
            if self._pools.get(here) is pools:
                del self._pools[here]
        except DRIVER_ERRORS as error:
            if not was_lost(error):
                raise
        return await (await self._pools_here()).acquire(notifies=notifies)

    def _session(
        self, connection: AsyncpgConnection, *, alone: bool, limit_seconds: float | None = None
    ) -> PostgresqlSession:
        return PostgresqlSession(
            connection,
            self._url.place,
            self._changed_sessions,
            alone=alone,
            pooled=bool(self._is_pooled),
            limit_seconds=limit_seconds,
        )

    async def _pools_here(self) -> _Pools:
        """The running loop's pools. Creating them awaits nothing, so that two tasks never create them twice."""
        self._refuse_when_closed()
        loop = asyncio.get_running_loop()
        pools = self._pools.get(loop)
        if pools is None:
            for ended in [other for other in list(self._pools) if other.is_closed()]:
                del self._pools[ended]
            plans = PlanConnection(self._connect_for_plans, self._url.place)
            pools = _Pools(await self._new_pool(self._pool_size), await self._new_pool(1), plans)
            self._pools[loop] = pools
        return pools

    async def _connect(self, *, cached_statements: int = 0) -> AsyncpgConnection:
        connection: Any = await asyncpg.connect(
            self._url.target,
            timeout=self._connect_seconds,
            command_timeout=self._statement_timeout_seconds,
            connection_class=_Connection,
            statement_cache_size=cached_statements,  # 0: none has a name
            max_cached_statement_lifetime=0,  # 0: for as long as the connection lives
            max_cacheable_statement_size=0,  # 0: of any size
        )
        return connection

    async def _connect_for_plans(self) -> AsyncpgConnection:
        connection = await self._connect(cached_statements=_CACHED_STATEMENTS)
        try:
            await self._set_up(connection)
            await connection.execute(PLANNER_SETTINGS)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _leads_to_pooler(self, connection: AsyncpgConnection) -> bool:
        """Whether a session lasts for a transaction only. At connect, a pooler names a process of its own."""
        if self._is_pooled is None:
            process = await connection.prepare("SELECT pg_backend_pid()", name="")
            self._is_pooled = await process.fetchval() != connection.get_server_pid()
        return self._is_pooled

    async def _new_pool(self, size: int) -> _Pool:
        pool: Any = asyncpg.create_pool(
            self._url.target,
            min_size=0,
            max_size=size,
            timeout=self._connect_seconds,
            command_timeout=self._statement_timeout_seconds,
            connection_class=_Connection,
            statement_cache_size=0 if self._is_pooled else _CACHED_STATEMENTS,  # 0: none has a name
            max_cached_statement_lifetime=0,  # 0: for as long as the connection lives
            max_cacheable_statement_size=0,  # 0: of any size
            init=_keep_ids_as_text if self._is_pooled else self._set_up,
            reset=self._clean,
        )
        return await pool

    async def _set_up(self, connection: AsyncpgConnection) -> None:
        """Make a session ready. Behind a pooler none is: it has other sessions, and its own TCP settings for them."""
        if await self._leads_to_pooler(connection):
            raise _PoolerFound
        tcp = [f"SET {setting}" for setting in _TCP_SETTINGS]
        await connection.execute("; ".join((*self._session_settings(is_local=False), *tcp)))
        await _keep_ids_as_text(connection)

    async def _clean(self, connection: AsyncpgConnection) -> None:
        """Clean a connection before its release; only a changed session costs the round trip."""
        if connection.get_server_pid() in self._changed_sessions:
            await connection.execute(connection.get_reset_query())
            await self._set_up(connection)
            self._changed_sessions.discard(connection.get_server_pid())

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise DatabaseClosed(closed_message(self._url.safe))


async def _keep_ids_as_text(connection: AsyncpgConnection) -> None:
    """Let a UUID be text in both directions. What asyncpg asks the server for that, it asks of one session."""
    async with connection.transaction():
        await connection.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str)


def _lock_timeout(seconds: float) -> str:
    return f"lock_timeout = {max(1, round(seconds * 1000))}"  # 0 would mean for ever


def _idle_timeout(seconds: float) -> str:
    return f"idle_in_transaction_session_timeout = {round(seconds * 1000)}"


def _literal(text: str) -> str:
    """A string of SQL, whatever ``standard_conforming_strings`` is; for BEGIN, which takes no parameters."""
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{quoted}'"
