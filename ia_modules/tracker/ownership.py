"""Whose an execution is: claiming what is pending, and taking what an owner that is gone has left.

Whoever claims raises the epoch, which fences every write of the owner before. What a dead owner left is put back into
the queue, so that there is one way only to become an owner.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.models import ExecutionId, ExecutionStatus, PipelineId, Record
from ia_modules.transitions import ENDED_EARLY, PROCESS_LOST, Failure

_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Record):
    """An execution that is this owner's to run, under this epoch."""

    execution_id: ExecutionId
    epoch: int
    pipeline_id: PipelineId
    pipeline_version: int | None
    pipeline_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan(Record):
    """An execution that runs by the records, but nobody runs it any more."""

    execution_id: ExecutionId
    epoch: int
    managed: bool
    recoveries: int
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an orphan: ``pending`` for the next worker, or an end with its reason."""

    status: ExecutionStatus
    failure: Failure | None = None


def fate_of(orphan: Orphan, *, recovery_limit: int, died: bool = True) -> Fate:
    """What becomes of an execution whose owner is gone.

    Args:
        recovery_limit: how often one is put back before a step of it has completed.
        died: False when its owner lives and only could not write: that is no sign of a crash loop.
    """
    if orphan.cancel_requested:
        return Fate(ExecutionStatus.CANCELLED)
    if not orphan.managed:
        said = f"The process that ran it ended before it did. Go on: ia-modules executions resume {orphan.execution_id}"
        return Fate(ExecutionStatus.FAILED, Failure(type="ProcessLost", message=said))
    if died and orphan.recoveries >= recovery_limit:
        said = (
            f"Its worker died {orphan.recoveries + 1} times, and no step completed in between: it may be what kills "
            f"them. When that is repaired, go on: ia-modules executions resume {orphan.execution_id}"
        )
        return Fate(ExecutionStatus.FAILED, Failure(type="CrashLoop", message=said))
    return Fate(ExecutionStatus.PENDING)


def version_key(pipeline_id: str, version: int | None) -> str:
    """How a pipeline's version is named to :meth:`Claims.claim`."""
    return f"{pipeline_id}:{version or 0}"


class Claims:
    """The claims of one owner. Every method is a transaction or a few; any may raise DatabaseError."""

    def __init__(
        self, database: DatabaseManager, owner: str, *, on_commit: Callable[[Iterable[ExecutionId]], None]
    ) -> None:
        self._database, self._owner, self._on_commit = database, owner, on_commit

    async def claim(self, limit: int, *, unusable: Iterable[str] = ()) -> list[Claim]:
        """Take up to ``limit`` pending executions, the most urgent and oldest first.

        Args:
            unusable: versions that are left to others, as :func:`version_key` names them.
        """
        asked = {"owner": self._owner, "limit": limit, "unusable": orjson.dumps(list(unusable)).decode()}
        query = self._database.query
        if await self._database.fetch_one_async(query("is_something_claimable"), asked) is None:
            return []  # found out without the lock that a write takes

        def take() -> Script[list[Claim]]:
            return [Claim.from_row(row) for row in (yield Statement(query("claim"), [asked]))]

        claims = await self._database.run(take())
        self._on_commit(claim.execution_id for claim in claims)
        return claims

    async def owned(self) -> list[Orphan]:
        """What this owner runs for the queue, by the records."""
        rows = await self._database.fetch_all_async(self._database.query("owned_executions"), {"owner": self._owner})
        return [Orphan.from_row(row) for row in rows]

    async def orphans(self) -> list[Orphan]:
        """Some of what other owners, which are gone, have left."""
        asked = {"asker": self._owner, "limit": _AT_ONCE}
        rows = await self._database.fetch_all_async(self._database.query("orphans"), asked)
        return [Orphan.from_row(row) for row in rows]

    async def settle(self, orphan: Orphan, fate: Fate, *, counted: bool = True) -> bool:
        """Write what becomes of an orphan; False when somebody else has, or when it has ended.

        Args:
            counted: putting it back counts as a recovery.
        """
        change = {
            "execution_id": orphan.execution_id,
            "epoch": orphan.epoch,
            "status": fate.status.value,
            "error_type": None if fate.failure is None else fate.failure.type,
            "error_message": None if fate.failure is None else fate.failure.message,
            "ended": fate.status.is_terminal,
            "recovered": int(counted and not fate.status.is_terminal),
            "asker": self._owner,
        }
        query = self._database.query

        def write() -> Script[bool]:
            rows = yield Statement(query("settle_orphan"), [change])
            if not rows:
                return False
            lost = {**rows[0], "error_type": PROCESS_LOST.type, "error_message": PROCESS_LOST.message}
            yield Statement(query("lose_steps"), [lost])
            if fate.status.is_terminal:
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
            self._on_commit([orphan.execution_id])
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
