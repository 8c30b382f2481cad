"""Requests to cancel executions that this process runs: one query for all of them.

It runs twice a second, only while something waits for it, over an index of what the process owns.
"""

import asyncio
from collections import defaultdict

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseError
from ia_modules.models import ExecutionId
from ia_modules.tasks import background

_QUERY_EVERY_SECONDS = 0.5


class Cancellations:
    """Wakes the tasks whose executions are to be cancelled, whichever process asked for it."""

    def __init__(self, database: DatabaseManager, owner: str) -> None:
        self._database, self._owner = database, owner
        self._waiting: defaultdict[ExecutionId, set[asyncio.Event]] = defaultdict(set)
        self._querying: asyncio.Task[None] | None = None

    async def requested(self, execution_id: ExecutionId) -> None:
        """Waits until somebody asks to cancel an execution that this process runs."""
        event = asyncio.Event()
        self._waiting[execution_id].add(event)
        if self._querying is None or self._querying.done():
            self._begin_query()
        try:
            await event.wait()
        finally:
            self._waiting[execution_id].discard(event)
            if not self._waiting[execution_id]:
                del self._waiting[execution_id]

    def request(self, execution_id: ExecutionId) -> None:
        """Wakes the tasks of this process that wait for it, at once."""
        for event in self._waiting.get(execution_id, ()):
            event.set()

    async def close(self) -> None:
        """Stops the query."""
        if self._querying is not None:
            self._querying.cancel()
            await asyncio.gather(self._querying, return_exceptions=True)

    def _begin_query(self, failed: BaseException | None = None) -> None:
        """``failed``: why the last task ended. Each pauses before its first query, so this is no tight loop."""
        self._querying = background(self._query(), "cancellations", on_failure=self._begin_query)

    async def _query(self) -> None:
        while self._waiting:
            await asyncio.sleep(_QUERY_EVERY_SECONDS)
            try:
                rows = await self._database.fetch_all_async(
                    self._database.query("cancel_requests"), {"owner": self._owner}
                )
            except DatabaseError:
                continue  # the request is on record: the next query finds it
            for row in rows:
                self.request(row["execution_id"])
