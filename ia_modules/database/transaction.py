"""The handle of ``async with database.transaction() as handle``, the only one that may be used inside the block."""

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
class _OpenBlock:
    """The block of one transaction, and whether its statements may still be committed."""

    driver: Driver
    timeout_seconds: float
    deadline: float
    one_at_a_time: asyncio.Lock
    failed: bool = False
    ended: bool = False

    def refuse_after_failure(self) -> None:
        """Raise TransactionMisuse after a failed statement or the time limit, also on a loop that was blocked."""
        if asyncio.get_running_loop().time() >= self.deadline:
            raise TransactionMisuse(time_limit_message(self.timeout_seconds))
        if self.failed:
            raise TransactionMisuse(_FAILED)


_open_here: ContextVar[tuple[_OpenBlock, ...]] = ContextVar("ia_modules_open_transactions", default=())
"""The transactions whose block encloses the running code, also in tasks started inside it."""


class Transaction:
    """Statements that are committed together, or not at all. Parameters are ``:name``.

    After a failed statement every other one is refused: leave the block.
    """

    def __init__(self, session: Session, block: _OpenBlock) -> None:
        self._session, self._block = session, block

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
        """One statement at a time. An error or a cancellation, also while waiting, fails the transaction."""
        try:
            async with self._block.one_at_a_time:
                if not self._block.ended:
                    self._block.refuse_after_failure()
                    yield self._session
                    return
        except BaseException:
            self._block.failed = True
            raise
        raise TransactionMisuse("The transaction has ended; its handle cannot be used after its block.")


@asynccontextmanager
async def open_transaction(driver: Driver, timeout_seconds: float) -> AsyncGenerator[Transaction]:
    """One transaction, inside which the manager refuses every call. Raises TransactionMisuse at the time limit."""
    limit = asyncio.timeout(None)
    try:
        async with limit, driver.transaction(timeout_seconds) as session:
            deadline = asyncio.get_running_loop().time() + timeout_seconds  # without the wait for a connection
            limit.reschedule(deadline)
            block = _OpenBlock(driver, timeout_seconds, deadline, asyncio.Lock())
            _open_here.set((*_open_here.get(), block))
            try:
                yield Transaction(session, block)
                block.ended = True
                async with block.one_at_a_time:  # a task started inside may still run a statement
                    block.refuse_after_failure()
                limit.reschedule(None)  # a commit is never interrupted: its outcome would be unknown
            finally:
                block.ended = True
                _open_here.set(tuple(other for other in _open_here.get() if other is not block))
    except TimeoutError as error:
        if limit.expired():
            raise TransactionMisuse(time_limit_message(timeout_seconds)) from error
        raise


def is_inside(driver: Driver) -> bool:
    """Whether the caller runs inside a transaction of this database."""
    blocks = _open_here.get()
    return bool(blocks) and any(block.driver is driver and not block.ended for block in blocks)


def refuse_inside(driver: Driver, called: str, instead: str) -> None:
    """Raise TransactionMisuse when the caller runs inside a transaction of this database.

    Args:
        called: what was called, such as ``database.execute_async()``.
        instead: the handle's method to use.
    """
    if is_inside(driver):
        raise TransactionMisuse(
            f"{called} was called inside a transaction, of which it would not be a part. "
            f"Use the handle that `async with database.transaction() as handle` gave: {instead}."
        )
