"""What the system page and Prometheus are told: the database, the workers, the queue, who listens. Read anew."""

from datetime import UTC, datetime

from ia_modules.database.manager import DatabaseManager
from ia_modules.live.feed import Feed
from ia_modules.tracker.system import SystemReader
from ia_modules.version import __version__
from showcase_app.backend.schemas.system import (
    ClusterOut,
    DatabaseOut,
    FeedOut,
    MigrationOut,
    QueueOut,
    SystemOut,
    TableOut,
    WorkerOut,
)
from showcase_app.backend.services import prometheus
from showcase_app.backend.services.wrong_keys import WrongKeys


class SystemService:
    def __init__(self, database: DatabaseManager, feed: Feed, wrong_keys: WrongKeys, *, worker_id: str | None) -> None:
        """Read a database.

        Args:
            worker_id: of the worker in this server; None: it has none.
        """
        self._database, self._feed, self._wrong_keys, self._worker_id = database, feed, wrong_keys, worker_id
        self._reader, self._started_at = SystemReader(database), datetime.now(UTC)

    async def state(self) -> SystemOut:
        """How everything stands now."""
        size = await self._reader.measure_database()
        migrations = await self._database.migration_status()
        workers = await self._reader.list_workers()
        return SystemOut(
            version=__version__,
            started_at=self._started_at,
            database=DatabaseOut(
                dialect=self._database.dialect,
                url=self._database.safe_url,
                version=size.version,
                size_bytes=size.size_bytes,
                tables=[TableOut.from_record(table) for table in size.tables],
                migrations=[MigrationOut.from_record(migration) for migration in migrations],
            ),
            workers=[WorkerOut.of(each, is_this_server=each.worker_id == self._worker_id) for each in workers],
            clusters=[ClusterOut.from_record(each) for each in await self._reader.list_clusters()],
            queue=QueueOut.from_record(await self._reader.measure_queue()),
            feed=FeedOut.from_record(self._feed),
        )

    async def prometheus(self) -> bytes:
        """The numbers that Prometheus collects."""
        return await prometheus.collect(self._database, self._feed, self._wrong_keys.total)
