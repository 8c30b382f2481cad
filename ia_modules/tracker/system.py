"""Size of the database, length of the queue, state of the workers. Fast however large the tables are."""

from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.models import (
    ClusterNode,
    ExecutionId,
    JoinedCluster,
    Record,
    RunPath,
    StepExecutionId,
    StepPlace,
    WarmPool,
    WorkerId,
)
from ia_modules.tracker.liveness import Liveness

QUEUE_CAP = 10_000
"""The queue is counted up to this number."""

WORKERS_SHOWN = 100
HELD_SHOWN = 100

_NEWEST_PLACES = 1_000


class TableSize(Record, kw_only=True, frozen=True):
    """``rows`` is an estimate, ``bytes`` includes indexes; None where the database does not know."""

    name: str
    rows: int | None
    bytes: int | None


class DatabaseSize(Struct, kw_only=True, frozen=True):
    version: str
    size_bytes: int
    tables: list[TableSize]


class WorkerState(Liveness, kw_only=True, frozen=True):
    """A worker at a moment. ``running``: how many executions it owns that run."""

    worker_id: WorkerId
    host: str
    pid: int
    version: str
    slots: int
    running: int
    note: str | None
    started_at: datetime


class Queue(Record, kw_only=True, frozen=True):
    """Executions that workers may claim (``pending``), that run, and that wait for a time or a person, to QUEUE_CAP."""

    pending: int
    running: int
    waiting: int
    waiting_for_human: int
    oldest_pending_at: datetime | None
    now: datetime

    @property
    def capped(self) -> bool:
        """Whether a count has reached QUEUE_CAP: there are that many, or more."""
        return QUEUE_CAP in (self.pending, self.running, self.waiting, self.waiting_for_human)

    @property
    def oldest_pending_seconds(self) -> float:
        """How long the oldest has waited; 0 when nothing waits."""
        waited = None if self.oldest_pending_at is None else self.now - self.oldest_pending_at
        return 0.0 if waited is None else max(0.0, waited.total_seconds())


class HeldResources(StepPlace, kw_only=True, frozen=True):
    """What an attempt that runs has of a cluster."""

    execution_id: ExecutionId
    pipeline_name: str
    step_execution_id: StepExecutionId
    within: RunPath
    step_id: str
    step_name: str
    iteration: int
    started_at: datetime

    @property
    def since(self) -> datetime:
        """About when it got that."""
        return self.started_at + timedelta(seconds=self.waited_seconds)


class ClusterState(Struct, kw_only=True, frozen=True):
    """A Ray cluster as a worker that has joined it found it, and who holds something of it by the records.

    Attributes:
        nodes: empty where no worker that is alive has joined it.
        pools: what is kept warm there, by whoever has joined it last.
        held: the first 100 of all clusters together, those first that began first.
    """

    cluster: str
    nodes: tuple[ClusterNode, ...]
    pools: tuple[WarmPool, ...]
    held: list[HeldResources]


class SystemReader:
    """Reads the state of the system."""

    def __init__(self, database: DatabaseManager) -> None:
        self._database = database

    async def measure_database(self) -> DatabaseSize:
        """Sizes of the database and its tables. SQLite has the bytes of tables only while the file is small."""
        query = self._database.query

        def read() -> Script[DatabaseSize]:
            found = yield Statement(query("measure_database"))
            tables = yield Statement(query("measure_tables"))
            return DatabaseSize(**found[0], tables=[TableSize.from_row(row) for row in tables])

        return await self._database.read(read())

    async def measure_queue(self) -> Queue:
        """Counts the queue."""
        rows = await self._database.fetch_all_async(self._database.query("measure_queue"), {"cap": QUEUE_CAP})
        return Queue.from_row(rows[0])

    async def list_workers(self) -> list[WorkerState]:
        """The 100 workers with the newest heartbeats, the newest first."""
        params = {"limit": WORKERS_SHOWN}
        rows = await self._database.fetch_all_async(self._database.query("list_workers"), params)
        return [WorkerState.from_row(row) for row in rows]

    async def list_clusters(self) -> list[ClusterState]:
        """The Ray clusters that workers have joined, or that something runs on; by their identities."""
        query = self._database.query

        def read() -> Script[tuple[list[JoinedCluster], list[HeldResources]]]:
            joined = yield Statement(query("list_joined"), [{"limit": WORKERS_SHOWN}])
            held = yield Statement(query("list_held"), [{"limit": HELD_SHOWN, "newest": _NEWEST_PLACES}])
            clusters = [msgspec.json.decode(row["cluster"], type=JoinedCluster) for row in joined]
            return clusters, [HeldResources.from_row(row) for row in held]

        joined, held = await self._database.read(read())
        found = {each.cluster: each for each in reversed(joined)}  # of several workers, who beat last
        return [
            ClusterState(
                cluster=cluster,
                nodes=found[cluster].nodes if cluster in found else (),
                pools=found[cluster].pools if cluster in found else (),
                held=[each for each in held if each.cluster == cluster],
            )
            for cluster in sorted(found.keys() | {each.cluster for each in held})
        ]
