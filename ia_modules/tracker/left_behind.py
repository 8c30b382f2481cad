"""What programs of their own have left behind: found by the records, and by whether their processes are heard of."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, Lease, LeftExecution, Record, WorkerId
from ia_modules.tracker.liveness import Beat, BeatWatch, Liveness

_AT_ONCE = 1000
_LOOK_EVERY_SECONDS = 0.5


class _Owned(Record, kw_only=True, frozen=True):
    """An execution with its owner's heartbeat, which it has no more when it has ended."""

    execution_id: ExecutionId
    epoch: int
    owner: str | None
    content_hash: str | None
    cancel_requested: bool
    lease_seconds: float | None
    heartbeat_at: datetime | None
    stopped_at: datetime | None
    now: datetime

    @property
    def beat(self) -> Beat | None:
        """None: nobody runs it."""
        if self.lease_seconds is None or self.heartbeat_at is None:
            return None
        return Beat(WorkerId(self.owner or ""), self.heartbeat_at, self.lease_seconds)

    @property
    def is_gone(self) -> bool:
        return self.beat is None or self.narrow(Liveness).is_gone

    def left(self, *, is_alive: bool) -> LeftExecution:
        return LeftExecution(
            lease=Lease(self.execution_id, self.epoch),
            owner=self.owner,
            content_hash=self.content_hash,
            cancel_requested=self.cancel_requested,
            is_alive=is_alive,
        )


async def left_behind(database: DatabaseManager, owner: str, slug: str) -> AsyncGenerator[LeftExecution]:
    """Executions of a pipeline that programs run themselves and whose process seems gone: 1,000 of them at most.

    The oldest first, each as soon as it is certain whether its process lives: when it is heard of again, or silent for
    its lease, by the database's clock or by this process's own. Those that nobody has ever heard of are left out.

    Args:
        owner: who looks; what it runs itself is left out.
        slug: of the pipeline.
    """
    beats, clock = BeatWatch(), asyncio.get_running_loop().time
    params = {"slug": slug, "asker": owner, "limit": _AT_ONCE}
    first: dict[ExecutionId, Beat | None] | None = None
    while first is None or first:
        rows = [
            _Owned.from_row(row) for row in await database.fetch_all_async(database.query("left_executions"), params)
        ]
        if first is None:
            first = {row.execution_id: row.beat for row in rows}
        rows = [row for row in rows if row.execution_id in first]
        silent = beats.look((row.beat for row in rows if row.beat is not None), now=clock())
        before, first = first, {}
        for row in rows:
            is_gone = row.is_gone or row.beat in silent
            if is_gone or row.beat != before[row.execution_id]:
                yield row.left(is_alive=not is_gone)
            else:
                first[row.execution_id] = row.beat
        if first:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
