"""The connection that writes plans: each is one statement, in one round trip and a transaction of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from ia_modules.database.driver import Plan
from ia_modules.database.plans import for_postgresql
from ia_modules.database.postgresql_errors import DRIVER_ERRORS, translated, was_lost
from ia_modules.database.postgresql_session import AsyncpgConnection
from ia_modules.errors import DatabaseReadOnly

PLANNER_SETTINGS = "; ".join(
    (
        "SET plan_cache_mode = force_generic_plan",
        *(f"SET enable_{way} = off" for way in ("hashjoin", "mergejoin", "seqscan", "material")),
        "SET jit = off",
    )
)
"""Each statement is planned once, maybe while the tables are empty: it must look into the indexes all the same."""


class PlanConnection:
    """One connection of one event loop, made at its first use and again when it was lost. One plan at a time."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncpgConnection]], place: str) -> None:
        """Write plans.

        Args:
            connect: makes a connection of our own, with :data:`PLANNER_SETTINGS`.
        """
        self._connect, self._place = connect, place
        self._turn = asyncio.Lock()
        self._connection: AsyncpgConnection | None = None
        self._lock_timeout: str | None = None
        self._is_closed = False

    async def write(self, plan: Plan, lock_timeout: str, limit_seconds: float | None) -> bool:
        """Write a plan; False: a swap missed its row, and nothing was written.

        Args:
            lock_timeout: the setting, as SQL.
        """
        sql, arguments = for_postgresql(plan)
        async with self._turn:
            try:
                connection = await self._with(lock_timeout)
                await connection.fetch(sql, *arguments, timeout=limit_seconds)
            except asyncpg.DivisionByZeroError:
                return False
            except DRIVER_ERRORS as error:
                failure = translated(error, self._place, sql)
                if was_lost(error) or isinstance(error, TimeoutError) or isinstance(failure, DatabaseReadOnly):
                    self.drop()
                raise failure from error
            except BaseException:  # cancelled: what it does now is not known
                self.drop()
                raise
        return True

    async def _with(self, lock_timeout: str) -> AsyncpgConnection:
        if self._is_closed:
            raise asyncpg.InterfaceError("connection is closed")
        if self._connection is None:
            self._connection, self._lock_timeout = await self._connect(), None
        if self._lock_timeout != lock_timeout:
            await self._connection.execute(f"SET {lock_timeout}")
            self._lock_timeout = lock_timeout
        return self._connection

    async def close(self) -> None:
        self._is_closed = True
        async with self._turn:
            connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def drop(self) -> None:
        """Close it without goodbye; the next plan makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*DRIVER_ERRORS):
                connection.terminate()
