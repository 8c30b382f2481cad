"""What the API says of the machine room: database, workers, queue, feed; and whether the services work."""

from typing import Literal, Self

from pydantic import Field

from ia_modules.tracker.system import WorkerState
from showcase_app.backend.schemas.base import Out, Time


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


class ClusterNodeOut(Out):
    """What one node of a Ray cluster has, by Ray's names, and what of it is free; memory in bytes."""

    node: str
    total: dict[str, float] = Field(examples=[{"CPU": 8, "GPU": 1}])
    free: dict[str, float] = Field(description="Without what nothing is free of.", examples=[{"CPU": 7}])


class WarmPoolOut(Out):
    """A process of a cluster that is kept for the steps of a pool; the attempts that run there share what it holds."""

    pipeline: str = Field(description="The slug of the pipeline.")
    name: str
    node: str
    pid: int
    resources: dict[str, float]
    attempts: int = Field(description="How many it has, those that wait for a place in it included.")


class HeldOut(Out):
    """What an attempt that runs holds of a node."""

    execution_id: str
    pipeline_name: str
    step_execution_id: str
    within: str = Field(description="The path of the run that it is a part of; empty for the steps of the graph.")
    step_id: str
    step_name: str
    iteration: int
    node: str
    pid: int
    resources: dict[str, float]
    waited_seconds: float
    since: Time = Field(description="About: its start, and what it waited after that.")


class ClusterOut(Out):
    """A Ray cluster that steps run on."""

    cluster: str = Field(description="Its identity, for as long as it lives.", examples=["session_2026-11-30_09-12-44"])
    nodes: list[ClusterNodeOut] = Field(
        description="As a worker saw them that has joined it, seconds ago. Empty: none that is alive has joined it."
    )
    pools: list[WarmPoolOut] = Field(description="What is kept warm there, as that worker saw it.")
    held: list[HeldOut] = Field(description="By attempts that run now, up to 100 in all clusters; the oldest first.")


class QueueOut(Out):
    pending: int = Field(description="Executions that wait for a worker.")
    capped: bool = Field(description="One of the four numbers is 10,000 or more: that is as far as is counted.")
    oldest_pending_at: Time | None
    running: int
    waiting: int = Field(description="Executions that go on when their time has come.")
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
    clusters: list[ClusterOut] = Field(description="Those that workers have joined, or that something runs on.")
    queue: QueueOut
    feed: FeedOut


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
