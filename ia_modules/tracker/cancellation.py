"""How a process learns that executions it runs are to be cancelled: one question to the database for all of them.

It is asked twice a second, only while somebody waits, and is answered from an index of what the process owns.
"""

import asyncio
from collections import defaultdict

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseError
from ia_modules.models import ExecutionId
from ia_modules.tasks import background

_ASK_EVERY_SECONDS = 0.5


class Cancellations:
    """Wakes those who run executions that somebody, in whatever process, asked to cancel."""

    def __init__(self, database: DatabaseManager, owner: str) -> None:
        self._database, self._owner = database, owner
        self._waiting: defaultdict[ExecutionId, set[asyncio.Event]] = defaultdict(set)
        self._asking: asyncio.Task[None] | None = None

    async def requested(self, execution_id: ExecutionId) -> None:
        """Wait until the cancellation of an execution that this process runs is asked for."""
        event = asyncio.Event()
        self._waiting[execution_id].add(event)
        if self._asking is None or self._asking.done():
            self._begin_asking()
        try:
            await event.wait()
        finally:
            self._waiting[execution_id].discard(event)
            if not self._waiting[execution_id]:
                del self._waiting[execution_id]

    def request(self, execution_id: ExecutionId) -> None:
        """Wake at once who waits in this process."""
        for event in self._waiting.get(execution_id, ()):
            event.set()

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _begin_asking(self, failed: BaseException | None = None) -> None:
        """``failed``: why the asking before ended; it pauses before its first question, so this is no tight loop."""
        self._asking = background(self._ask(), "cancellations", on_failure=self._begin_asking)

    async def _ask(self) -> None:
        while self._waiting:
            await asyncio.sleep(_ASK_EVERY_SECONDS)
            try:
                rows = await self._database.fetch_all_async(
                    self._database.query("cancel_requests"), {"owner": self._owner}
                )
            except DatabaseError:
                continue  # the request is on record: ask again
            for row in rows:
                self.request(row["execution_id"])
