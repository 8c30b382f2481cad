"""Ownership of executions: claim pending ones, recover those of dead owners.

A claim raises the epoch, which fences every write of the owner before. What a dead owner left is put back into the
queue, so that there is one way only to become an owner.
"""

from collections.abc import Callable, Collection, Iterable

import orjson

from ia_modules.database.driver import Rows
from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import RunsElsewhere
from ia_modules.models import (
    ClaimedExecution,
    ExecutionId,
    JoinedCluster,
    Lease,
    StalledExecution,
    StepExecutionId,
    parse_time,
)
from ia_modules.payload import encode
from ia_modules.states import ExecutionState
from ia_modules.tracker.batch import write_batch
from ia_modules.tracker.liveness import Beat
from ia_modules.transitions import ELSEWHERE, Recorded, Recovery, Transition, cluster_in

_AT_ONCE = 100


class Ownership:
    """What one owner claims and recovers. Every method is a transaction or a few; any may raise DatabaseError.

    Attributes:
        held: leases that something in this process runs under: what was claimed and what was taken over. Who runs a
            claim takes it out at the end; what is this owner's on record and not in here was left behind.
    """

    def __init__(
        self,
        database: DatabaseManager,
        owner: str,
        *,
        on_commit: Callable[[Iterable[ExecutionId]], None],
        adopt: Callable[[ExecutionState], None] = lambda state: None,
    ) -> None:
        """Own executions.

        Args:
            on_commit: called after each commit with the executions that changed.
            adopt: called with each claimed execution of which nothing ever ran.
        """
        self._database, self._owner, self._on_commit, self._adopt = database, owner, on_commit, adopt
        self.held: set[Lease] = set()
        self._written_cluster: JoinedCluster | None = None  # as its row has it

    async def claim(
        self, limit: int, *, unusable: Iterable[str] = (), cluster: str | None = None
    ) -> list[ClaimedExecution]:
        """Take up to ``limit`` pending executions, the most urgent and oldest first.

        Args:
            unusable: versions that are left to others, as ``ClaimedExecution.version_key`` names them.
            cluster: the Ray cluster that the claimer is joined to; what has an attempt on another is left to others.
                None: it is joined to none.
        """
        params = {
            "owner": self._owner,
            "limit": limit,
            "unusable": orjson.dumps(list(unusable)).decode(),
            "here": _here(cluster),
        }
        query = self._database.query
        if await self._database.fetch_one_async(query("is_something_claimable"), params) is None:
            return []  # found out without the lock that a write takes

        def take() -> Script[Rows]:
            return (yield Statement(query("claim"), [params]))

        rows = await self._database.run(take())
        claimed = [ClaimedExecution.from_row(row) for row in rows]
        for claim, row in zip(claimed, rows, strict=True):
            if claim.is_untouched:
                self._adopt(ExecutionState.from_row(row))
        self.held.update(claim.lease for claim in claimed)
        self._on_commit(claim.execution_id for claim in claimed)
        return claimed

    async def left_to_clusters(self, cluster: str | None) -> RunsElsewhere | None:
        """Why a pending execution is not claimed here: an attempt of it runs on another cluster. None: there is none.

        Args:
            cluster: as of :meth:`claim`.
        """
        row = await self._database.fetch_one_async(self._database.query("left_to_clusters"), {"here": _here(cluster)})
        if row is None:
            return None
        there = cluster_in(row["awaits"]) or ""
        return RunsElsewhere(row["execution_id"], step_id=row["step_id"], cluster=there, joined=cluster)

    async def installation(self) -> str:
        """Which database this is, by the microsecond in which it was made: its copies say the same."""
        row = await self._database.fetch_one_async(self._database.query("made_at"))
        assert row is not None, "a database without a schema has no tracker"
        return parse_time(row["applied_at"]).strftime("%Y%m%d%H%M%S%f")

    async def open_attempts(self, ids: Collection[StepExecutionId]) -> set[StepExecutionId]:
        """Which of these attempts have not ended."""
        params = {"ids": orjson.dumps(list(ids)).decode()}
        rows = await self._database.fetch_all_async(self._database.query("open_attempts"), params)
        return {StepExecutionId(row["step_execution_id"]) for row in rows}

    async def tell_cluster(self, joined: JoinedCluster | None) -> None:
        """Say in the row of this owner which Ray cluster it has joined, and how that stands; once for the same."""
        if joined == self._written_cluster:
            return
        text = None if joined is None else encode(joined.to_dict(), "cluster")
        params = {"worker_id": self._owner, "cluster": text}
        if await self._database.fetch_one_async(self._database.query("tell_cluster"), params) is not None:
            self._written_cluster = joined

    async def owned(self) -> list[StalledExecution]:
        """What this owner runs for the queue, by the records."""
        rows = await self._database.fetch_all_async(self._database.query("owned_executions"), {"owner": self._owner})
        return [StalledExecution.from_row(row) for row in rows]

    async def stalled(self) -> list[StalledExecution]:
        """Some of what other owners, which are gone, have left."""
        params = {"asker": self._owner, "limit": _AT_ONCE}
        rows = await self._database.fetch_all_async(self._database.query("stalled_executions"), params)
        return [StalledExecution.from_row(row) for row in rows]

    async def recover(self, stalled: StalledExecution, recovery: Recovery) -> bool:
        """Write what becomes of a stalled execution; False when it is not stalled any more, or its row is locked."""
        return await self._write(Transition(lease=stalled.lease, writer=self._owner, ownership=recovery))

    async def wake_due(self) -> float | None:
        """Put executions into the queue that wait for a time which has come: each once, up to 100.

        Returns:
            Seconds until the next time, by the database's clock; 0: more may have come already. None: there is none,
            or somebody else has its row locked.
        """
        query = self._database.query
        first = await self._database.fetch_one_async(query("next_due"))  # found out without the lock that a write takes
        if first is None:
            return None
        seconds = (parse_time(first["run_at"]) - parse_time(first["now"])).total_seconds()
        if seconds > 0:
            return seconds

        def wake() -> Script[list[ExecutionId]]:
            rows = yield Statement(query("wake_due"), [{"limit": _AT_ONCE}])
            return [ExecutionId(row["execution_id"]) for row in rows]

        woken = await self._database.run(wake())
        self._on_commit(woken)
        return 0.0 if woken else None

    async def beats(self) -> list[Beat]:
        """The last heartbeats of the other owners that live by the database's clock."""
        rows = await self._database.fetch_all_async(self._database.query("beats"), {"asker": self._owner})
        return [Beat(row["worker_id"], row["heartbeat_at"], row["lease_seconds"]) for row in rows]

    async def declare_gone(self, beat: Beat) -> bool:
        """Put an owner on record as gone unless it was heard since; False when it was. A beat of its own undoes it."""
        params = {"worker_id": beat.worker_id, "heartbeat_at": beat.heartbeat_at}
        return await self._database.execute_async(self._database.query("declare_gone"), params) > 0

    async def forget_the_dead(self) -> None:
        """Delete the rows of owners that ended days ago."""
        await self._database.execute_async(self._database.query("forget_workers"))

    async def _write(self, transition: Transition) -> bool:
        """Write a change of ownership; False when it was refused, changes nothing, or somebody else has the row locked.

        A process that was cut off inside a transaction keeps its locks: nobody waits for them here.
        """
        query = self._database.query

        def write() -> Script[Recorded | None]:
            if not (yield Statement(query("lock_execution"), [{"execution_id": transition.execution_id}])):
                return None
            (outcome,) = yield from write_batch(query, [transition])
            return outcome if isinstance(outcome, Recorded) and outcome.changed else None

        recorded = await self._database.run(write())
        if recorded is not None:
            self._on_commit([recorded.execution_id])
        return recorded is not None


def _here(cluster: str | None) -> str:
    """What an attempt awaits that runs on a cluster; empty: of none."""
    return "" if cluster is None else f"{ELSEWHERE}{cluster}"
