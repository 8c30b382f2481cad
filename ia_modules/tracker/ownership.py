"""Ownership of executions: claim pending ones, recover those of dead owners.

A claim raises the epoch, which fences every write of the owner before. What a dead owner left is put back into the
queue, so that there is one way only to become an owner.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.models import ClaimedExecution, ExecutionId, StalledExecution
from ia_modules.transitions import ENDED_EARLY, PROCESS_LOST, Recovery

_AT_ONCE = 100


def version_key(pipeline_id: str, version: int | None) -> str:
    """How a pipeline's version is named to :meth:`Ownership.claim`."""
    return f"{pipeline_id}:{version or 0}"


class Ownership:
    """What one owner claims and recovers. Every method is a transaction or a few; any may raise DatabaseError."""

    def __init__(
        self, database: DatabaseManager, owner: str, *, on_commit: Callable[[Iterable[ExecutionId]], None]
    ) -> None:
        self._database, self._owner, self._on_commit = database, owner, on_commit

    async def claim(self, limit: int, *, unusable: Iterable[str] = ()) -> list[ClaimedExecution]:
        """Take up to ``limit`` pending executions, the most urgent and oldest first.

        Args:
            unusable: versions that are left to others, as :func:`version_key` names them.
        """
        params = {"owner": self._owner, "limit": limit, "unusable": orjson.dumps(list(unusable)).decode()}
        query = self._database.query
        if await self._database.fetch_one_async(query("is_something_claimable"), params) is None:
            return []  # found out without the lock that a write takes

        def take() -> Script[list[ClaimedExecution]]:
            return [ClaimedExecution.from_row(row) for row in (yield Statement(query("claim"), [params]))]

        claimed = await self._database.run(take())
        self._on_commit(claim.execution_id for claim in claimed)
        return claimed

    async def owned(self) -> list[StalledExecution]:
        """What this owner runs for the queue, by the records."""
        rows = await self._database.fetch_all_async(self._database.query("owned_executions"), {"owner": self._owner})
        return [StalledExecution.from_row(row) for row in rows]

    async def stalled(self) -> list[StalledExecution]:
        """Some of what other owners, which are gone, have left."""
        params = {"asker": self._owner, "limit": _AT_ONCE}
        rows = await self._database.fetch_all_async(self._database.query("stalled_executions"), params)
        return [StalledExecution.from_row(row) for row in rows]

    async def recover(self, stalled: StalledExecution, recovery: Recovery, *, counted: bool = True) -> bool:
        """Write what becomes of a stalled execution; False when somebody else has, or when it has ended.

        Args:
            counted: putting it back counts as a recovery.
        """
        change = {
            "execution_id": stalled.execution_id,
            "epoch": stalled.epoch,
            "status": recovery.status.value,
            "error_type": None if recovery.failure is None else recovery.failure.type,
            "error_message": None if recovery.failure is None else recovery.failure.message,
            "ended": recovery.status.is_terminal,
            "recovered": int(counted and not recovery.status.is_terminal),
            "asker": self._owner,
        }
        query = self._database.query

        def write() -> Script[bool]:
            rows = yield Statement(query("recover_execution"), [change])
            if not rows:
                return False
            lost = {**rows[0], "error_type": PROCESS_LOST.type, "error_message": PROCESS_LOST.message}
            yield Statement(query("lose_steps"), [lost])
            if recovery.status.is_terminal:
                closed: dict[str, Any] = {
                    **rows[0],
                    "error_type": ENDED_EARLY.type,
                    "error_message": ENDED_EARLY.message,
                }
                yield Statement(query("close_open_steps"), [closed])
                yield Statement(query("close_open_interactions"), [closed])
            return True

        done = await self._database.run(write())
        if done:
            self._on_commit([stalled.execution_id])
        return done

    async def wake_overdue(self) -> None:
        """Let those go on that wait for an answer whose time is over."""
        query = self._database.query
        for row in await self._database.fetch_all_async(query("overdue_executions"), {"limit": _AT_ONCE}):
            if await self._database.execute_async(query("wake_overdue_execution"), row):
                self._on_commit([row["execution_id"]])

    async def forget_the_dead(self) -> None:
        """Delete the rows of owners that ended days ago."""
        await self._database.execute_async(self._database.query("forget_workers"))
