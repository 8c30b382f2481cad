"""The services of one server: opened together, closed together."""

import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.live.feed import Encode, Feed
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.runner import TRACKER_SERVICE
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.folders import register_folders
from ia_modules.worker.worker import Worker
from showcase_app.backend.services.execution_service import ExecutionService
from showcase_app.backend.services.keyring import LOCAL
from showcase_app.backend.services.metrics_service import MetricsService
from showcase_app.backend.services.pipeline_service import PipelineService
from showcase_app.backend.services.system import SystemService
from showcase_app.backend.services.wrong_keys import WrongKeys
from showcase_app.backend.settings import Settings

logger = logging.getLogger("ia_modules.showcase")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    database: DatabaseManager
    execution_tracker: ExecutionTracker
    client: Client
    pipeline_service: PipelineService
    execution_service: ExecutionService
    feed: Feed
    metrics_service: MetricsService
    system_service: SystemService
    wrong_keys: WrongKeys
    worker: Worker | None
    run_file: bool


@asynccontextmanager
async def open_services(settings: Settings, *, encode: Encode, wrong_keys: WrongKeys) -> AsyncGenerator[Services]:
    """The services over the database of the settings, whose schema is brought up to date.

    Args:
        encode: how the feed tells changes.
        wrong_keys: those that the server has refused.

    Raises:
        DatabaseError: the database cannot be reached, or its schema needs another program.
    """
    async with (
        DatabaseManager(settings.database_url, untrusted=settings.run_file) as database,
        ExecutionTracker(
            database,
            lease_seconds=None if settings.run_file else settings.lease_seconds,
            traces=settings.traces,
        ) as tracker,
        nullcontext() if settings.ray is None else settings.ray.joining(tracker.ownership),
        _working(settings, database, tracker) as worker,
    ):
        for wrong in await register_folders(tracker, settings.pipeline_folders):
            logger.warning("Warning: %s", "\n".join([str(wrong), *getattr(wrong, "__notes__", [])]))
        client = Client(
            database, tracker=tracker, allowed=settings.allowed, capture=settings.capture, actor=LOCAL.actor
        )
        feed = Feed(tracker, database, encode)
        yield Services(
            database=database,
            execution_tracker=tracker,
            client=client,
            pipeline_service=PipelineService(database, client),
            execution_service=ExecutionService(database, client, settings.trace_url),
            feed=feed,
            metrics_service=MetricsService(database, settings.targets),
            system_service=SystemService(
                database, feed, wrong_keys, worker_id=None if worker is None else worker.worker_id
            ),
            wrong_keys=wrong_keys,
            worker=worker,
            run_file=settings.run_file,
        )


def _working(
    settings: Settings, database: DatabaseManager, tracker: ExecutionTracker
) -> AbstractAsyncContextManager[Worker | None]:
    """The embedded worker, which runs until the server stops; None without slots."""
    if not settings.slots:
        return nullcontext()
    if settings.services is not None:
        settings.services.register(TRACKER_SERVICE, tracker)
    return Worker(
        database,
        tracker,
        services=settings.services,
        slots=settings.slots,
        allowed=settings.allowed,
        capture=settings.capture,
        grace_seconds=settings.grace_seconds,
        blocked_limit_seconds=settings.blocked_limit_seconds,
        load_limit_seconds=settings.load_limit_seconds,
        executor=LocalExecutor(
            processes=settings.slots,
            cluster=settings.ray,
            moves_isolated=settings.ray_isolated,
            falls_back=settings.ray_fallback,
        ),
    )
