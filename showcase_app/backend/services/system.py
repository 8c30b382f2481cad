"""What the system page says: the database, the workers, the queue."""

from dataclasses import dataclass

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MigrationStatus
from ia_modules.tracker.system import DatabaseSize, Queue, SystemReader, WorkerState


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemState:
    database: DatabaseSize
    migrations: list[MigrationStatus]
    workers: list[WorkerState]
    queue: Queue


async def read_system(database: DatabaseManager) -> SystemState:
    """How it stands now, read anew for every question."""
    reader = SystemReader(database)
    return SystemState(
        database=await reader.measure_database(),
        migrations=await database.migration_status(),
        workers=await reader.list_workers(),
        queue=await reader.measure_queue(),
    )
