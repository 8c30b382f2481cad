"""PostgreSQL through asyncpg: a pool for every event loop, notifications, and scripts driven with awaits."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

import asyncpg

from ia_modules.database.driver import (
    Params,
    Rows,
    Script,
    Session,
    Statement,
)
from ia_modules.database.postgresql_errors import DRIVER_ERRORS, translated
from ia_modules.database.postgresql_listener import CHANNEL, Listener
from ia_modules.database.postgresql_session import CLEANUP_SECONDS, AsyncpgConnection, PostgresqlSession
from ia_modules.database.url import DatabaseUrl
from ia_modules.errors import DatabaseBusy, DatabaseError, DatabaseUnavailable

T = TypeVar("T")

_CONNECT_SECONDS = 10.0
_CACHED_STATEMENTS = 500
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class _Pool(Protocol):
    """What is used of ``asyncpg.Pool``."""

    async def acquire(self) -> AsyncpgConnection: ...
    async def release(self, connection: AsyncpgConnection, *, timeout: float | None = None) -> None: ...
    async def close(self) -> None: ...
    def terminate(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Pools:
    """The connections of one event loop: for work, and one for notifications, which never waits for the others."""

    work: _Pool
    notifier: _Pool

    async def close(self) -> None:
        await self.work.close()
        await self.notifier.close()

    def terminate(self) -> None:
        self.work.terminate()
        self.notifier.terminate()


class PostgresqlDriver:
    """One PostgreSQL database. asyncpg's connections belong to an event loop, so each loop gets a pool of its own."""

    def __init__(self, url: DatabaseUrl, *, pool_size: int, busy_timeout_seconds: float) -> None:
        self._url, self._pool_size, self._busy_timeout_seconds = url, pool_size, busy_timeout_seconds
        self._connect_seconds = url.connect_timeout_seconds or _CONNECT_SECONDS
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

    async def run(self, script: Script[T]) -> T:
        async with self._transaction("BEGIN") as session:
            return await session.drive(script)

    async def read(self, script: Script[T]) -> T:
        async with self._transaction(_SNAPSHOT) as session:
            return await session.drive(script)

    async def execute(self, sql: str, params: Params) -> int:
        async with self._connection() as connection:
            return await self._session(connection, alone=True).execute(sql, params)

    async def perform(self, statement: Statement) -> Rows:
        async with self._connection() as connection:
            return await self._session(connection, alone=True).perform(statement)

    @asynccontextmanager
    async def transaction(self, timeout_seconds: float) -> AsyncGenerator[Session]:
        # The server's own limit holds even while the user's code blocks the loop; a second later, as ours comes first.
        milliseconds = round((timeout_seconds + 1) * 1000)
        async with self._transaction(
            f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = {milliseconds}"
        ) as session:
            yield session

    async def notify(self, payload: str) -> None:
        pool = (await self._pools_here()).notifier
        async with self._acquired(pool) as connection:
            await self._session(connection, alone=True).perform(
                Statement("SELECT pg_notify(:channel, :payload)", ({"channel": CHANNEL, "payload": payload},))
            )

    def signals(self) -> AsyncGenerator[str | None]:
        self._refuse_when_closed()
        listener = Listener(self._connect, self._url.place)
        self._listeners.add(listener)
        return listener.signals()

    @asynccontextmanager
    async def _transaction(self, begin: str) -> "AsyncGenerator[PostgresqlSession]":
        async with self._connection() as connection:
            session = self._session(connection, alone=False)
            try:
                await session.control(begin)
                yield session
                await session.control("COMMIT")
            except BaseException:
                await _rolled_back(session)
                raise

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncpgConnection]:
        async with self._acquired((await self._pools_here()).work) as connection:
            yield connection

    @asynccontextmanager
    async def _acquired(self, pool: _Pool) -> AsyncGenerator[AsyncpgConnection]:
        limit = asyncio.timeout(self._busy_timeout_seconds + self._connect_seconds)
        try:
            async with limit:
                connection = await pool.acquire()
        except DRIVER_ERRORS as error:
            if limit.expired():
                raise DatabaseBusy(
                    f"All {self._pool_size} connections to {self._url.place} were in use for too long. "
                    "Keep transactions short, or pass a larger pool_size=."
                ) from error
            raise translated(error, self._url.place) from error
        try:
            yield connection
        finally:
            with suppress(*DRIVER_ERRORS):  # a connection that cannot be cleaned is closed, not used again
                await pool.release(connection, timeout=CLEANUP_SECONDS)

    def _session(self, connection: AsyncpgConnection, *, alone: bool) -> "PostgresqlSession":
        return PostgresqlSession(connection, self._url.place, self._changed_sessions, alone=alone)

    async def _pools_here(self) -> _Pools:
        """The running loop's pools. Making them awaits nothing, so two tasks never make them twice."""
        self._refuse_when_closed()
        loop = asyncio.get_running_loop()
        pools = self._pools.get(loop)
        if pools is None:
            for ended in [other for other in list(self._pools) if other.is_closed()]:
                del self._pools[ended]
            pools = _Pools(await self._new_pool(self._pool_size), await self._new_pool(1))
            self._pools[loop] = pools
        return pools

    async def _connect(self) -> AsyncpgConnection:
        connection: Any = await asyncpg.connect(self._url.target, timeout=self._connect_seconds)
        return connection

    async def _new_pool(self, size: int) -> _Pool:
        pool: Any = asyncpg.create_pool(
            self._url.target,
            min_size=0,
            max_size=size,
            timeout=self._connect_seconds,
            statement_cache_size=_CACHED_STATEMENTS,
            max_cached_statement_lifetime=0,  # 0: for as long as the connection lives
            max_cacheable_statement_size=0,  # 0: of any size
            init=self._set_up,
            reset=self._clean,
        )
        return await pool

    async def _set_up(self, connection: AsyncpgConnection) -> None:
        milliseconds = max(1, round(self._busy_timeout_seconds * 1000))  # to PostgreSQL 0 is for ever
        await connection.execute(f"SET lock_timeout = {milliseconds}")

    async def _clean(self, connection: AsyncpgConnection) -> None:
        """Before a connection goes back: only one whose session was changed needs the round trip."""
        if connection.get_server_pid() in self._changed_sessions:
            await connection.execute(connection.get_reset_query())
            await self._set_up(connection)
            self._changed_sessions.discard(connection.get_server_pid())

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise DatabaseUnavailable(f"The database {self._url.safe} was closed here; make a new DatabaseManager.")


async def _rolled_back(session: PostgresqlSession) -> None:
    """Roll back, even when cancelled once more meanwhile; a connection that cannot is not used again."""
    rollback = asyncio.ensure_future(session.control("ROLLBACK"))
    with suppress(DatabaseError):
        try:
            await asyncio.shield(rollback)
        except asyncio.CancelledError:
            await rollback
            raise
