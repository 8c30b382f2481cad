"""The worker: takes executions from the queue and brings them to their ends, a few at a time.

    recover stalled executions → wake what is due → claim → load → run → write the end

The queue is the rows. A worker keeps only its running tasks in memory; owners and leases are read from the database. It
may be killed at any moment: another worker goes on from the rows.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
from functools import partial
from types import TracebackType
from typing import Self

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    DatabaseError,
    ExecutionCancelled,
    IAModulesError,
    LeaseLost,
    PipelineDefinitionError,
    StepConflict,
    TrackerError,
)
from ia_modules.models import ClaimedExecution, ExecutionStatus, Lease, LogLevel, new_id
from ia_modules.ownership import recovery_of
from ia_modules.payload import clean_text
from ia_modules.pipeline.allowed_code import AllowedCode, allowed_code
from ia_modules.pipeline.capture import CaptureRules
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.coordinator import Repeats
from ia_modules.pipeline.executor import LocalExecutor, StepExecutor
from ia_modules.pipeline.overrides import overrides_of
from ia_modules.pipeline.runner import TRACKER_SERVICE, Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tasks import background, set_within
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.heartbeat import BEATS_PER_LEASE
from ia_modules.tracker.liveness import BeatWatch
from ia_modules.transitions import ExecutionUpdate, Failure, LogLine, Transition
from ia_modules.worker.blocked_loop import BlockedLoop
from ia_modules.worker.loading import VersionLoader
from ia_modules.worker.unusable import UnusableVersions

logger = logging.getLogger("ia_modules.worker")

_LOOK_AT_MOST_EVERY_SECONDS = 0.02
_FORGET_EVERY_SECONDS = 3600.0
_NOTE_EVERY_SECONDS = 10.0
_BLOCKED_LIMIT_LEASES = 10
_STOP_SECONDS = 5.0  # for each step of draining beyond the grace period


class _Lacking(Exception):
    """This process cannot give a step what it needs."""


class Worker:
    """Runs queued executions inside ``async with``. Leaving the block drains it."""

    def __init__(
        self,
        database: DatabaseManager,
        tracker: ExecutionTracker,
        *,
        slots: int = 4,
        services: ServiceRegistry | None = None,
        executor: StepExecutor | None = None,
        allowed: AllowedCode | None = None,
        capture: CaptureRules | None = None,
        grace_seconds: float = 10.0,
        poll_seconds: float = 1.0,
        recovery_limit: int = 5,
        blocked_limit_seconds: float | None = None,
        load_limit_seconds: float = 60.0,
        tell: Callable[[str], None] = logger.info,
    ) -> None:
        """Take executions from the queue of a database.

        Args:
            tracker: over the same database; what is claimed belongs to its owner. Must give signs of life.
            slots: how many executions run at once.
            services: what steps find under ``self.services``; None = the tracker alone.
            allowed: the code that stored versions may use; None: what
                :func:`ia_modules.pipeline.allowed_code.allowed_code` finds in the environment.
            capture: what goes on record of the steps' own logging and printing; None: as the environment says.
            grace_seconds: how long what runs may go on when the worker is stopped.
            poll_seconds: how often to look without being told; only a wake-up that got lost needs it. A time that an
                execution waits for is not missed by it.
            recovery_limit: how often an execution may lose its worker before a step of it has completed.
            blocked_limit_seconds: how long a step may block the event loop before what runs here is given to others;
                None = ten leases.
            load_limit_seconds: how long the code of a version may take to load before it is left to others.
            tell: is given a line for people when an execution begins or ends here; called from any thread.
        """
        assert tracker.heartbeat is not None, "a worker without signs of life could never be taken over"
        self._problem: str | None = None
        self._database, self._tracker, self._heartbeat = database, tracker, tracker.heartbeat
        self._slots, self._grace_seconds, self._poll_seconds = slots, grace_seconds, poll_seconds
        self._recovery_limit, self._tell = recovery_limit, tell
        self._blocked_limit_seconds = blocked_limit_seconds or _BLOCKED_LIMIT_LEASES * self._heartbeat.lease_seconds
        self._loader = VersionLoader(
            allowed=allowed_code() if allowed is None else allowed, limit_seconds=load_limit_seconds
        )
        self._executor = executor or LocalExecutor(processes=slots)
        services = services or ServiceRegistry({TRACKER_SERVICE: tracker})
        self._runner = Runner(tracker, services=services, executor=self._executor, capture=capture)
        self._running: dict[
            Lease, asyncio.Task[None]
        ] = {}  # a lost lease may still end while its execution is claimed anew
        self._strange: set[Lease] = set()
        self._left: set[Lease] = set()
        self._crashed: set[Lease] = set()  # leases during which the worker itself failed
        self._look = asyncio.Event()
        self._spares_others_until = 0.0  # the database was away: silent processes may live, and soon beat again
        self._beats = BeatWatch()
        self._unusable = UnusableVersions(clock=lambda: asyncio.get_running_loop().time())
        self._notes: dict[str, str] = {}  # what people should know, by what it is about
        self._working: asyncio.Task[None] | None = None

    @property
    def worker_id(self) -> str:
        return self._tracker.owner

    @property
    def running(self) -> int:
        """How many executions run here now."""
        return len(self._running)

    @property
    def problem(self) -> str | None:
        """Why it cannot work at the moment, in words; None = it can."""
        if self._working is None:
            return "The worker is stopped."
        return self._problem or self._heartbeat.problem or self._executor.problem

    async def __aenter__(self) -> Self:
        """Be on record as at work, and begin.

        Raises:
            DatabaseError: it could not be put on record.
            OtherEventLoop: the tracker beats for another loop, which runs.
        """
        self._heartbeat.slots = self._slots
        await self._heartbeat.begin()
        self._heartbeat.watch = BlockedLoop(
            self.worker_id,
            self._executor,
            lambda: list(self._running),
            loop=asyncio.get_running_loop(),
            warn_seconds=self._heartbeat.lease_seconds,
            limit_seconds=self._blocked_limit_seconds,
            recovery_limit=self._recovery_limit,
            tell=self._tell,
        ).watch
        self._begin_work()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.drain()

    async def drain(self) -> None:
        """Stop claiming, let running executions end within the grace period, and hand the rest back.

        Every wait has a limit. What does not stop in time, or cannot be handed back because the database does not
        answer, is recovered by another worker after the lease.
        """
        working, self._working = self._working, None
        if working is None:
            return
        working.cancel()
        await asyncio.wait([working], timeout=_STOP_SECONDS)
        left = list(self._running.values())
        try:
            if left:
                await asyncio.wait(left, timeout=self._grace_seconds)
        finally:  # also when the wait is cancelled
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=_STOP_SECONDS)
            self._heartbeat.watch = None
        with suppress(DatabaseError, TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._hand_back_the_rest()
        await self._executor.close()

    # The loop

    def _begin_work(self) -> None:
        self._working = background(self._work(), "worker", on_failure=self._work_again_later)

    def _work_again_later(self, error: BaseException) -> None:
        """Starts the loop again: after a defect in it the process must not seem to work."""
        self._note_problem(f"Its loop failed, and begins anew: {error!r}")

        def begin() -> None:
            if self._working is not None:
                self._begin_work()

        asyncio.get_running_loop().call_later(self._poll_seconds, begin)

    async def _work(self) -> None:
        listening = background(self._listen(), "worker:listener")
        every_seconds = min(self._poll_seconds, self._heartbeat.lease_seconds / BEATS_PER_LEASE)
        tidy_at = forget_at = note_at = 0.0
        is_on_record = True
        try:
            while True:
                self._look.clear()
                now = asyncio.get_running_loop().time()
                due_seconds: float | None = None
                try:
                    if not is_on_record:  # it may have been silent: a claim of a worker that counts as dead is lost
                        await self._heartbeat.beat()
                        is_on_record = True
                    if now >= forget_at:
                        await self._tracker.ownership.forget_the_dead()
                        forget_at = now + _FORGET_EVERY_SECONDS
                    if now >= tidy_at:
                        await self._recover()
                        tidy_at = now + every_seconds
                    if now >= note_at:
                        await self._note_what_is_left_to_clusters()
                        note_at = now + _NOTE_EVERY_SECONDS
                    due_seconds = await self._tracker.ownership.wake_due()
                    await self._fill_slots()
                    self._problem = None
                except DatabaseError as error:
                    self._note_problem(str(error))
                    is_on_record = False
                    self._spares_others_until = asyncio.get_running_loop().time() + self._heartbeat.lease_seconds
                    self._beats.forget()
                await asyncio.sleep(_LOOK_AT_MOST_EVERY_SECONDS)
                await set_within(every_seconds if due_seconds is None else min(every_seconds, due_seconds), self._look)
                if listening.done():
                    listening = background(self._listen(), "worker:listener")
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self) -> None:
        async with aclosing(self._database.signals()) as signals:
            async for _ in signals:
                self._look.set()

    async def _fill_slots(self) -> None:
        free = self._slots - len(self._running)
        if free <= 0:
            return
        cluster = self._executor.cluster  # it may be joined later, or lost
        for claim in await self._tracker.ownership.claim(free, unusable=self._unusable.now(), cluster=cluster):
            for lease, running in self._running.items():
                if (
                    lease.execution_id == claim.execution_id
                ):  # its lease was lost, and it is claimed again before that was noticed
                    running.cancel()
            crashed = partial(self._note_crash, claim.lease)
            task = background(self._run(claim), f"run:{claim.execution_id}", on_failure=crashed)
            self._running[claim.lease] = task
            task.add_done_callback(lambda task, lease=claim.lease: self._ended(lease))

    async def _recover(self) -> None:
        """Recovers stalled executions of this and other processes; stops those that another process has taken."""
        ownership = self._tracker.ownership
        owned = {execution.lease: execution for execution in await ownership.owned()}
        strange = self._running.keys() - owned.keys()
        for lease in strange & self._strange:  # seen once: it may just be ending
            self._running[lease].cancel()
        self._strange = strange
        left = owned.keys() - ownership.held
        abandoned = [
            (owned[lease], "was left by this process") for lease in left & self._left
        ]  # seen twice: it is not just beginning
        self._left = left
        if asyncio.get_running_loop().time() >= self._spares_others_until:
            await self._declare_gone_who_does_not_beat()
            why = "was left by its process, which has ended or been silent for longer than its lease"
            abandoned += [(stalled, why) for stalled in await ownership.stalled()]
        for stalled, why in abandoned:
            died = stalled.lease not in owned or stalled.lease in self._crashed
            recovery = recovery_of(stalled, recovery_limit=self._recovery_limit, died=died)
            if await ownership.recover(stalled, recovery):
                self._crashed.discard(stalled.lease)
                self._tell(f"{stalled.execution_id} {why}: {recovery.status}")

    async def _declare_gone_who_does_not_beat(self) -> None:
        """Those whose heartbeat does not move, though it is young by the database's clock, which was set back."""
        beats = await self._tracker.ownership.beats()
        for beat in self._beats.look(beats, now=asyncio.get_running_loop().time()):
            if await self._tracker.ownership.declare_gone(beat):
                self._tell(f"{beat.worker_id} has not been heard for longer than its lease: it counts as gone")

    async def _hand_back_the_rest(self) -> None:
        """Hands back what this worker still runs, and what no task of this process runs."""
        ownership = self._tracker.ownership
        for owned in await ownership.owned():
            if owned.lease in self._running or owned.lease not in ownership.held:
                recovery = recovery_of(owned, recovery_limit=self._recovery_limit, died=False)
                await ownership.recover(owned, recovery)

    def _note_problem(self, problem: str) -> None:
        if problem != self._problem:
            logger.warning("The worker cannot work at the moment: %s", problem)
        self._problem = problem

    # One execution

    async def _run(self, claim: ClaimedExecution) -> None:
        """Runs an execution and says how it ended. A bad end is on record, or another worker goes on."""
        named = f"{claim.execution_id} {claim.pipeline_name}"
        try:
            await self._load_and_run(claim)
        except asyncio.CancelledError:
            self._tell(f"{named} stops here; another worker goes on")
            raise
        except ExecutionCancelled:
            self._tell(f"{named}: cancelled")
        except LeaseLost:
            self._tell(f"{named} is not this worker's any more: dropped")
        except StepConflict as error:
            self._tell(f"{named} failed: {error}")
        except (TrackerError, DatabaseError) as error:
            self._tell(f"{named} could not go on here: {error}")
        except IAModulesError as error:
            self._tell(f"{named} failed: {error}")

    async def _load_and_run(self, claim: ClaimedExecution) -> None:
        try:
            pipeline = await self._load_unless_cancelled(claim)
        except (PipelineDefinitionError, _Lacking) as wrong:
            await self._leave_to_others(claim, clean_text(wrong))
            return
        if pipeline is None:
            missing = "It has no stored definition that a worker could run; run it by its own program."
            await self._fail(claim, Failure(type="PipelineNotFound", message=missing))
            return
        self._tell(f"{claim.execution_id} {claim.pipeline_name} begins")
        await self._to_end(pipeline, claim)

    async def _load_unless_cancelled(self, claim: ClaimedExecution) -> LoadedPipeline | None:
        """As :meth:`_load`.

        Raises:
            ExecutionCancelled: it was cancelled while its code was loaded; that is on record.
        """
        loading = asyncio.create_task(self._load(claim))
        end_watch = self._tracker.watch_cancellation(claim.execution_id, loading.cancel)
        try:
            await asyncio.wait([loading])
            if not loading.cancelled():
                return loading.result()
        finally:
            loading.cancel()
            end_watch()
        await self._record(claim, ExecutionUpdate(status=ExecutionStatus.CANCELLED))
        raise ExecutionCancelled(claim.execution_id)

    async def _to_end(self, pipeline: LoadedPipeline, claim: ClaimedExecution) -> None:
        began = asyncio.get_running_loop().time()
        started = self._runner.claimed(
            pipeline,
            claim.input_data,
            claim.lease,
            untouched=claim.is_untouched,
            repeats=Repeats(claim.rerun_of, overrides_of(claim.overrides)),
            traceparent=claim.traceparent,
        )
        status = await self._runner.to_end(started)
        seconds = asyncio.get_running_loop().time() - began
        self._tell(f"{claim.execution_id} {claim.pipeline_name}: {status} after {seconds:.1f} s")

    async def _load(self, claim: ClaimedExecution) -> LoadedPipeline | None:
        """The pipeline with its code; None when none is stored.

        Raises:
            PipelineDefinitionError: its code is not available here.
            _Lacking: what a step needs is not.
        """
        stored = self._loader.stored(claim)
        if stored is None and claim.pipeline_version is not None:
            stored = await self._tracker.get_pipeline_version(claim.pipeline_id, claim.pipeline_version)
        if stored is None:
            return None
        loaded = await self._loader.load(stored)
        for step_id, remote in loaded.remote.items():
            if (lack := self._executor.lacks(remote.needs)) is not None:
                raise _Lacking(f"step {step_id!r}: {lack}")
        self._unusable.discard(claim.version_key)
        if not self._unusable:
            self._notes.pop("code", None)
            self._note()
        return loaded

    async def _leave_to_others(self, claim: ClaimedExecution, reason: str) -> None:
        """Hands back an execution that only other workers may be able to run."""
        self._unusable.add(claim.version_key)
        message = f"Worker {self.worker_id} cannot run it, and leaves it to another: {reason}"
        line = LogLine(log_id=new_id(), message=message, level=LogLevel.WARNING)
        back = ExecutionUpdate(status=ExecutionStatus.PENDING, released=True)
        await self._record(claim, back, line)
        self._tell(f"{claim.execution_id} {claim.pipeline_name} handed back: {reason}")
        self._notes["code"] = f"cannot run {claim.pipeline_name!r} version {claim.pipeline_version}: {reason}"
        self._note()
        await self._heartbeat.beat()

    async def _note_what_is_left_to_clusters(self) -> None:
        """Says in its row that executions wait for a worker that is joined to another Ray cluster, or to one."""
        left = await self._tracker.ownership.left_to_clusters(self._executor.cluster)
        before = self._notes.pop("cluster", None)
        if left is not None:
            self._notes["cluster"] = str(left)
        if self._notes.get("cluster") != before:
            self._note()
            await self._heartbeat.beat()

    def _note(self) -> None:
        self._heartbeat.note = " ".join(self._notes.values()) or None

    async def _fail(self, claim: ClaimedExecution, failure: Failure) -> None:
        await self._record(claim, ExecutionUpdate(status=ExecutionStatus.FAILED, failure=failure))
        self._tell(f"{claim.execution_id} {claim.pipeline_name} failed: {failure.message}")

    async def _record(self, claim: ClaimedExecution, change: ExecutionUpdate, *logs: LogLine) -> None:
        await self._tracker.record(Transition(lease=claim.lease, writer=self.worker_id, change=change, logs=logs))

    def _note_crash(self, lease: Lease, error: BaseException) -> None:
        self._crashed.add(lease)

    def _ended(self, lease: Lease) -> None:
        self._running.pop(lease, None)
        self._tracker.ownership.held.discard(lease)
        self._look.set()
