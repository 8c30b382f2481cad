"""What the API says of the machine room: database, workers, queue, feed; and whether the services work."""

from typing import Literal, Self

from pydantic import Field

from ia_modules.tracker.system import WorkerState
from ia_modules.version import __version__
from showcase_app.backend.schemas.base import Out, Time
from showcase_app.backend.services.container import Services
from showcase_app.backend.services.system import SystemState


class TableOut(Out):
    name: str
    rows: int | None = Field(description="An estimate; null when the database knows none.")
    bytes: int | None = Field(description="With its indexes; null when the database does not tell.")


class MigrationOut(Out):
    version: int
    name: str
    state: Literal["applied", "pending", "changed", "unknown", "too_new"]
    applied_at: Time | None


class DatabaseOut(Out):
    dialect: Literal["sqlite", "postgresql"]
    url: str = Field(description="Without its password.")
    version: str = Field(description="Of the database's program.", examples=["18.1"])
    size_bytes: int | None
    tables: list[TableOut] = Field(description="By name.")
    migrations: list[MigrationOut]


class WorkerOut(Out):
    """A process that runs executions: one start of it. Alive: its heartbeat is younger than its lease, 15 seconds."""

    worker_id: str
    host: str
    pid: int
    version: str
    slots: int = Field(description="How many executions it takes from the queue at once; 0: it only runs its own.")
    running: int = Field(description="How many it owns now.")
    note: str | None
    started_at: Time
    heartbeat_at: Time
    heartbeat_age_seconds: float
    stopped_at: Time | None
    state: Literal["alive", "silent", "stopped"]
    is_this_server: bool

    @classmethod
    def of(cls, worker: WorkerState, *, is_this_server: bool) -> Self:
        state = {"state": worker.state, "heartbeat_age_seconds": worker.last_heard_seconds}
        return cls.model_validate(worker.to_dict() | state | {"is_this_server": is_this_server})


class QueueOut(Out):
    pending: int = Field(description="Executions that wait for a worker.")
    capped: bool = Field(description="One of the three numbers is 10,000 or more: that is as far as is counted.")
    oldest_pending_at: Time | None
    running: int
    waiting_for_human: int


class FeedOut(Out):
    """Who is listening on this server."""

    execution_subscribers: int
    list_subscribers: int


class SystemOut(Out):
    version: str
    started_at: Time = Field(description="When this server started.")
    database: DatabaseOut
    workers: list[WorkerOut] = Field(description="The 100 whose hearts beat last, the newest beat first.")
    queue: QueueOut
    feed: FeedOut

    @classmethod
    def of(cls, services: Services, state: SystemState) -> Self:
        """The answer of this server."""
        own = None if services.worker is None else services.worker.worker_id
        return cls(
            version=__version__,
            started_at=services.started_at,
            database=DatabaseOut(
                dialect=services.database.dialect,
                url=services.database.safe_url,
                version=state.database.version,
                size_bytes=state.database.size_bytes,
                tables=[TableOut.from_record(table) for table in state.database.tables],
                migrations=[MigrationOut.from_record(migration) for migration in state.migrations],
            ),
            workers=[WorkerOut.of(worker, is_this_server=worker.worker_id == own) for worker in state.workers],
            queue=QueueOut.from_record(state.queue),
            feed=FeedOut.from_record(services.feed),
        )


class ServicesOut(Out):
    """Whether each service works now."""

    database: bool
    tracker: bool
    pipelines: bool
    metrics: bool
    worker: bool = Field(description="The worker in this server beats; also true when the server has none.")


class HealthOut(Out):
    status: Literal["healthy", "degraded"] = Field(description="degraded: it lives, but a service does not work.")
    timestamp: Time
    version: str
    services: ServicesOut


class ReadyOut(Out):
    status: Literal["ready"] = "ready"
