"""The handle that ``async with database.transaction() as handle`` gives, and the rule that only it is used inside."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ia_modules.database.driver import NO_PARAMS, Driver, Params, Rows, Session, Statement, time_limit_message
from ia_modules.errors import TransactionMisuse

_FAILED = (
    "A statement of this transaction has failed or was cancelled, so all of it is rolled back. "
    "Let the error leave the block."
)


@dataclass(eq=False, slots=True)
class _Scope:
    """One transaction's block, as those see it who must stay out."""

    driver: Driver
    timeout_seconds: float
    deadline: float
    one_at_a_time: asyncio.Lock
    failed: bool = False
    ended: bool = False

    def refuse_what_is_lost(self) -> None:
        """Raise TransactionMisuse when it can no longer be committed, even if a blocked loop could not say so."""
        if asyncio.get_running_loop().time() >= self.deadline:
            raise TransactionMisuse(time_limit_message(self.timeout_seconds))
        if self.failed:
            raise TransactionMisuse(_FAILED)


_open_here: ContextVar[tuple[_Scope, ...]] = ContextVar("ia_modules_open_transactions", default=())
"""The transactions whose block this code runs in, directly or as a task that was started there."""


class Transaction:
    """Statements that become true together, or not at all. Parameters are ``:name``.

    After a statement has failed nothing more can be done with it: leave the block.
    """

    def __init__(self, session: Session, scope: _Scope) -> None:
        self._session, self._scope = session, scope

    async def execute(self, sql: str, params: Params | None = None) -> int:
        """Run one statement; how many rows it inserted, updated or deleted."""
        async with self._usable() as session:
            return await session.execute(sql, params or NO_PARAMS)

    async def fetch_one(self, sql: str, params: Params | None = None) -> dict[str, Any] | None:
        """The first row, None when there is none."""
        rows = await self.fetch_all(sql, params)
        return rows[0] if rows else None

    async def fetch_all(self, sql: str, params: Params | None = None) -> Rows:
        """Every row."""
        async with self._usable() as session:
            return await session.perform(Statement(sql, (params or NO_PARAMS,)))

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Run one statement for each row of parameters."""
        async with self._usable() as session:
            await session.perform(Statement(sql, rows))

    @asynccontextmanager
    async def _usable(self) -> AsyncGenerator[Session]:
        async with self._turn():
            if self._scope.ended:
                raise TransactionMisuse("The transaction has ended; its handle cannot be used after its block.")
            self._scope.refuse_what_is_lost()
            try:
                yield self._session
            except BaseException:  # also cancelled: what was asked for has not been done
                self._scope.failed = True
                raise

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        """One statement at a time; who is cancelled while waiting has not got what they asked for either."""
        try:
            await self._scope.one_at_a_time.acquire()
        except BaseException:
            self._scope.failed = True
            raise
        try:
            yield
        finally:
            self._scope.one_at_a_time.release()


@asynccontextmanager
async def open_transaction(driver: Driver, timeout_seconds: float) -> AsyncGenerator[Transaction]:
    """One transaction, in which the manager itself is out of bounds. Raises TransactionMisuse at the time limit."""
    limit = asyncio.timeout(None)
    try:
        async with limit, driver.transaction(timeout_seconds) as session:
            deadline = asyncio.get_running_loop().time() + timeout_seconds  # waiting for its turn does not count
            limit.reschedule(deadline)
            scope = _Scope(driver, timeout_seconds, deadline, asyncio.Lock())
            _open_here.set((*_open_here.get(), scope))
            try:
                yield Transaction(session, scope)
                scope.ended = True
                async with scope.one_at_a_time:  # a task that was left behind may still be at a statement
                    scope.refuse_what_is_lost()
                limit.reschedule(None)  # a commit is never cut short: nobody would know whether it happened
            finally:
                scope.ended = True
                _open_here.set(tuple(other for other in _open_here.get() if other is not scope))
    except TimeoutError as error:
        if limit.expired():
            raise TransactionMisuse(time_limit_message(timeout_seconds)) from error
        raise


def is_inside(driver: Driver) -> bool:
    """Whether this code runs inside a transaction of this database."""
    return any(scope.driver is driver and not scope.ended for scope in _open_here.get())


def refuse_inside(driver: Driver, called: str, instead: str) -> None:
    """Raise TransactionMisuse when this code runs inside a transaction of this database.

    Args:
        called: what was called, such as ``database.execute_async()``.
        instead: the handle's method for it.
    """
    if is_inside(driver):
        raise TransactionMisuse(
            f"{called} was called inside a transaction, of which it would not be a part. "
            f"Use the handle that `async with database.transaction() as handle` gave: {instead}."
        )
