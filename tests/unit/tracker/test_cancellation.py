import asyncio

import pytest

from ia_modules.database.driver import Params, Rows
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId
from ia_modules.tracker import cancellation
from ia_modules.tracker.execution_tracker import ExecutionTracker

PATIENCE_SECONDS = 60.0


class BreakingOnce(DatabaseManager):
    """Its first query for requests raises what nobody expects."""

    breaks = 1

    async def fetch_all_async(self, sql: str, params: Params | None = None) -> Rows:
        if self.breaks and sql == self.query("cancel_requests"):
            self.breaks -= 1
            raise ZeroDivisionError("broken")
        return await super().fetch_all_async(sql, params)


async def test_a_cancellation_is_noticed_also_after_the_query_has_failed(
    database: DatabaseManager, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellation, "_QUERY_EVERY_SECONDS", 0.01)
    async with (
        BreakingOnce(database_url) as breaking,
        ExecutionTracker(breaking) as owner,
        ExecutionTracker(database, lease_seconds=None) as elsewhere,
    ):
        execution_id = await owner.start_execution(await owner.register_pipeline("program", "A program"))
        requested = asyncio.Event()
        end_watch = owner.watch_cancellation(execution_id, requested.set)
        await elsewhere.request_cancel(execution_id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await requested.wait()
        end_watch()
        assert breaking.breaks == 0
        await owner.update_execution_status(ExecutionId(execution_id), "cancelled")
