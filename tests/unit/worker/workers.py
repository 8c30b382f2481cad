"""Workers in this process, and trackers whose process is gone."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.worker import Worker

COMPLETED, FAILED, PENDING = ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.PENDING
LEASE_SECONDS = 1.0


@asynccontextmanager
async def working(database_url: str, *, poll_seconds: float = 0.1, **options: Any) -> AsyncGenerator[Worker]:
    """A worker over connections of its own, as another process has them."""
    async with (
        DatabaseManager(database_url) as database,
        ExecutionTracker(database, lease_seconds=LEASE_SECONDS) as tracker,
        Worker(database, tracker, poll_seconds=poll_seconds, **options) as worker,
    ):
        yield worker


@asynccontextmanager
async def gone(database_url: str) -> AsyncGenerator[ExecutionTracker]:
    """A tracker that owns what it does in the block, and is on record as stopped after it."""
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        assert tracker.heartbeat is not None
        await tracker.heartbeat.begin()
        yield tracker


def database_of(tracker: ExecutionTracker) -> DatabaseManager:
    return tracker._database
