"""The services of one server: opened together, closed together."""

import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

from ia_modules.database.manager import DatabaseManager
from ia_modules.live.feed import Encode, Feed
from ia_modules.pipeline.code import allowed_modules
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.folders import register_folders
from ia_modules.worker.worker import Worker
from showcase_app.backend.services.audit import AuditLog
from showcase_app.backend.services.execution_service import ExecutionService
from showcase_app.backend.services.metrics_service import MetricsService
from showcase_app.backend.services.pipeline_service import PipelineService
from showcase_app.backend.settings import Settings

logger = logging.getLogger("ia_modules.showcase")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    database: DatabaseManager
    execution_tracker: ExecutionTracker
    pipeline_service: PipelineService
    execution_service: ExecutionService
    audit: AuditLog
    feed: Feed
    metrics_service: MetricsService
    worker: Worker | None
    started_at: datetime


@asynccontextmanager
async def open_services(settings: Settings, *, encode: Encode) -> AsyncGenerator[Services]:
    """The services over the database of the settings, whose schema is brought up to date.

    Args:
        encode: how the feed tells changes.

    Raises:
        DatabaseError: the database cannot be reached, or its schema needs another program.
    """
    async with (
        DatabaseManager(settings.database_url) as database,
        ExecutionTracker(database, lease_seconds=settings.lease_seconds) as tracker,
        _working(settings, database, tracker) as worker,
    ):
        for wrong in await register_folders(tracker, settings.pipeline_folders):
            logger.warning("Warning: %s", "\n".join([str(wrong), *getattr(wrong, "__notes__", [])]))
        pipelines = PipelineService(database, tracker, allowed=allowed_modules())
        yield Services(
            database=database,
            execution_tracker=tracker,
            pipeline_service=pipelines,
            execution_service=ExecutionService(database, tracker, pipelines),
            audit=AuditLog(database),
            feed=Feed(tracker, database, encode),
            metrics_service=MetricsService(database, settings.targets),
            worker=worker,
            started_at=datetime.now(UTC),
        )


def _working(
    settings: Settings, database: DatabaseManager, tracker: ExecutionTracker
) -> AbstractAsyncContextManager[Worker | None]:
    """The embedded worker, at work until the server stops; None when it shall have none."""
    if not settings.slots:
        return nullcontext()
    return Worker(database, tracker, slots=settings.slots, grace_seconds=settings.grace_seconds)
