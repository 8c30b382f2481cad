"""Requests to cancel executions that this process runs: one query for all of them.

It runs twice a second, only while something waits for it, over an index of what the process owns.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseError
from ia_modules.models import ExecutionId
from ia_modules.tasks import background

_QUERY_EVERY_SECONDS = 0.5


class Cancellations:
    """Tells those who run executions that these are to be cancelled, whichever process asked for it."""

    def __init__(self, database: DatabaseManager, owner: str) -> None:
        self._database, self._owner = database, owner
        self._watches: defaultdict[ExecutionId, dict[object, Callable[[], object]]] = defaultdict(dict)
        self._querying: asyncio.Task[None] | None = None

    def watch(self, execution_id: ExecutionId, on_request: Callable[[], object]) -> Callable[[], None]:
        """Calls ``on_request`` when somebody asks to cancel an execution that this process runs.

        It may be called more than once. Returns what ends the watch.
        """
        watch = object()
        self._watches[execution_id][watch] = on_request
        if self._querying is None or self._querying.done():
            self._begin_query()

        def end() -> None:
            self._watches[execution_id].pop(watch, None)
            if not self._watches[execution_id]:
                del self._watches[execution_id]

        return end

    def request(self, execution_id: ExecutionId) -> None:
        """Calls those of this process that watch for it, at once."""
        for on_request in list(self._watches.get(execution_id, {}).values()):
            on_request()

    async def close(self) -> None:
        """Stops the query."""
        if self._querying is not None:
            self._querying.cancel()
            await asyncio.gather(self._querying, return_exceptions=True)

    def _begin_query(self, failed: BaseException | None = None) -> None:
        """``failed``: why the last task ended. Each pauses before its first query, so this is no tight loop."""
        self._querying = background(self._query(), "cancellations", on_failure=self._begin_query)

    async def _query(self) -> None:
        while self._watches:
            await asyncio.sleep(_QUERY_EVERY_SECONDS)
            try:
                rows = await self._database.fetch_all_async(
                    self._database.query("cancel_requests"), {"owner": self._owner}
                )
            except DatabaseError:
                continue  # the request is on record: the next query finds it
            for row in rows:
                self.request(row["execution_id"])
