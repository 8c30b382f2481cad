"""The worker: takes executions from the queue and brings them to their ends, a few at a time.

    take back what is left → wake what waited too long → claim → load → run → on record

The queue is the rows. What a worker holds in memory are the tasks that run; who owns what, and under which claim, is
asked of the database. It may be killed at any moment: another one goes on with what it left.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
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
from ia_modules.models import ClaimedExecution, ExecutionRecord, ExecutionStatus, Lease, LogLevel, new_id
from ia_modules.payload import clean_text
from ia_modules.pipeline.code import LoadedPipeline, allowed_modules, load_version
from ia_modules.pipeline.executor import LocalExecutor, StepExecutor
from ia_modules.pipeline.runner import TRACKER_SERVICE, Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tasks import background, set_within
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.heartbeat import BEATS_PER_LEASE
from ia_modules.transitions import ExecutionUpdate, Failure, LogLine, Transition, recovery_of
from ia_modules.worker.unusable import UnusableVersions

logger = logging.getLogger("ia_modules.worker")

_LOOK_AT_MOST_EVERY_SECONDS = 0.02
_FORGET_EVERY_SECONDS = 3600.0


class Worker:
    """``async with`` this for as long as it shall work. Leaving the block drains it."""

    def __init__(
        self,
        database: DatabaseManager,
        tracker: ExecutionTracker,
        *,
        slots: int = 4,
        services: ServiceRegistry | None = None,
        executor: StepExecutor | None = None,
        allowed: tuple[str, ...] | None = None,
        grace_seconds: float = 10.0,
        poll_seconds: float = 1.0,
        recovery_limit: int = 5,
        tell: Callable[[str], None] = logger.info,
    ) -> None:
        """Work for the queue of a database.

        Args:
            tracker: over the same database; what is claimed belongs to its owner. Must give signs of life.
            slots: how many executions run at once.
            services: what steps find under ``self.services``; None = the tracker alone.
            allowed: as from :func:`ia_modules.pipeline.code.allowed_modules`, which is what None means.
            grace_seconds: how long what runs may go on when the worker is stopped.
            poll_seconds: how often to look without being told; only a wake-up that got lost needs it.
            recovery_limit: how often an execution may lose its worker before a step of it has completed.
            tell: is given a line for people when an execution begins or ends here.
        """
        assert tracker.heartbeat is not None, "a worker without signs of life could never be taken over"
        self._problem: str | None = None
        self._database, self._tracker, self._heartbeat = database, tracker, tracker.heartbeat
        self._slots, self._grace_seconds, self._poll_seconds = slots, grace_seconds, poll_seconds
        self._recovery_limit, self._tell = recovery_limit, tell
        self._allowed = allowed_modules() if allowed is None else allowed
        self._executor = executor or LocalExecutor()
        services = services or ServiceRegistry({TRACKER_SERVICE: tracker})
        self._runner = Runner(tracker, services=services, executor=self._executor)
        self._running: dict[Lease, asyncio.Task[None]] = {}  # a lost one may end while the execution is claimed anew
        self._strange: set[Lease] = set()
        self._crashed: set[Lease] = set()  # the worker itself failed while it ran them
        self._look = asyncio.Event()
        self._spares_others_until = 0.0  # the database was away: who was silent meanwhile may live, and soon says so
        self._one_at_a_time = asyncio.Lock()  # importing modules is not for two at once
        self._unusable = UnusableVersions(clock=lambda: asyncio.get_running_loop().time())
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
        """What keeps it from working at the moment, in words; None = nothing."""
        if self._working is None or self._working.done():
            return "The worker is stopped."
        return self._problem

    async def __aenter__(self) -> Self:
        self._heartbeat.slots = self._slots
        await self._heartbeat.begin()
        self._working = background(self._work(), "worker")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.drain()

    async def drain(self) -> None:
        """Claim nothing more, let what runs end within the grace period, and hand the rest back."""
        if self._working is None:
            return
        self._working.cancel()
        await asyncio.gather(self._working, return_exceptions=True)
        self._working = None
        left = list(self._running.values())
        try:
            if left:
                await asyncio.wait(left, timeout=self._grace_seconds)
        finally:  # also when nobody waits for the grace period
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)
        with suppress(DatabaseError):  # then it is silent, and is taken over a little later
            await self._hand_back_the_rest()

    # The loop

    async def _work(self) -> None:
        listening = background(self._listen(), "worker:listener")
        every_seconds = min(self._poll_seconds, self._heartbeat.lease_seconds / BEATS_PER_LEASE)
        tidy_at = forget_at = 0.0
        is_on_record = False
        try:
            while True:
                self._look.clear()
                now = asyncio.get_running_loop().time()
                try:
                    if not is_on_record:  # whoever claims while it counts as dead loses it at once, again and again
                        await self._heartbeat.beat()
                        is_on_record = True
                    if now >= forget_at:
                        await self._tracker.ownership.forget_the_dead()
                        forget_at = now + _FORGET_EVERY_SECONDS
                    if now >= tidy_at:
                        await self._recover()
                        await self._tracker.ownership.wake_overdue()
                        tidy_at = now + every_seconds
                    await self._fill_slots()
                    self._problem = None
                except DatabaseError as error:
                    self._note_problem(str(error))
                    is_on_record = False
                    self._spares_others_until = asyncio.get_running_loop().time() + self._heartbeat.lease_seconds
                await asyncio.sleep(_LOOK_AT_MOST_EVERY_SECONDS)
                await set_within(every_seconds, self._look)
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
        for claim in await self._tracker.ownership.claim(free, unusable=self._unusable.now()):
            for lease, running in self._running.items():
                if lease.execution_id == claim.execution_id:  # it was lost, and comes back before that was noticed
                    running.cancel()
            task = background(self._run(claim), f"run:{claim.execution_id}")
            self._running[claim.lease] = task
            task.add_done_callback(lambda task, claim=claim: self._ended(claim, task))

    async def _recover(self) -> None:
        """Put back what nobody runs any more, here or elsewhere; drop what somebody else has taken."""
        ownership = self._tracker.ownership
        owned = {execution.lease: execution for execution in await ownership.owned()}
        strange = self._running.keys() - owned.keys()
        for lease in strange & self._strange:  # the first time it may just be ending
            self._running[lease].cancel()
        self._strange = strange
        left = [(owned[lease], "was left by this process") for lease in owned.keys() - self._running.keys()]
        if asyncio.get_running_loop().time() >= self._spares_others_until:
            why = "was left by its process, which has ended or been silent for longer than its lease"
            left += [(stalled, why) for stalled in await ownership.stalled()]
        for stalled, why in left:
            died = stalled.lease not in owned or stalled.lease in self._crashed
            recovery = recovery_of(stalled, recovery_limit=self._recovery_limit, died=died)
            if await ownership.recover(stalled, recovery):
                self._crashed.discard(stalled.lease)
                self._tell(f"{stalled.execution_id} {why}: {recovery.status}")

    async def _hand_back_the_rest(self) -> None:
        for owned in await self._tracker.ownership.owned():
            recovery = recovery_of(owned, recovery_limit=self._recovery_limit, died=False)
            await self._tracker.ownership.recover(owned, recovery)

    def _note_problem(self, problem: str) -> None:
        if problem != self._problem:
            logger.warning("The worker cannot work at the moment: %s", problem)
        self._problem = problem

    # One execution

    async def _run(self, claim: ClaimedExecution) -> None:
        record = await self._tracker.get_execution(claim.execution_id)
        if record is None:
            return  # deleted meanwhile
        try:
            pipeline = await self._load(claim)
        except PipelineDefinitionError as wrong:
            await self._leave_to_others(claim, clean_text(wrong))
            return
        if pipeline is None:
            missing = "It has no stored definition that a worker could run; run it by its own program."
            await self._fail(claim, Failure(type="PipelineNotFound", message=missing))
            return
        self._tell(f"{claim.execution_id} {claim.pipeline_name} begins")
        await self._to_end(pipeline, record, claim)

    async def _to_end(self, pipeline: LoadedPipeline, record: ExecutionRecord, claim: ClaimedExecution) -> None:
        began = asyncio.get_running_loop().time()
        status = await self._runner.to_end(self._runner.claimed(pipeline, record, claim.lease))
        seconds = asyncio.get_running_loop().time() - began
        self._tell(f"{claim.execution_id} {claim.pipeline_name}: {status} after {seconds:.1f} s")

    async def _load(self, claim: ClaimedExecution) -> LoadedPipeline | None:
        """The pipeline with its code; None when none is stored.

        Raises:
            PipelineDefinitionError: its code is not to be had here.
        """
        stored = None
        if claim.pipeline_version is not None:
            stored = await self._tracker.get_pipeline_version(claim.pipeline_id, claim.pipeline_version)
        if stored is None:
            return None
        async with self._one_at_a_time:
            loaded = await asyncio.to_thread(load_version, stored, allowed=self._allowed)
        self._unusable.discard(claim.version_key)
        if self._heartbeat.note is not None and not self._unusable:
            self._heartbeat.note = None
        return loaded

    async def _leave_to_others(self, claim: ClaimedExecution, reason: str) -> None:
        """Hand an execution back that another worker may be able to run."""
        self._unusable.add(claim.version_key)
        message = f"Worker {self.worker_id} cannot load the code, and leaves it to another: {reason}"
        line = LogLine(log_id=new_id(), message=message, level=LogLevel.WARNING)
        back = ExecutionUpdate(status=ExecutionStatus.PENDING, released=True)
        await self._record(claim, back, line)
        self._tell(f"{claim.execution_id} {claim.pipeline_name} handed back: {reason}")
        self._heartbeat.note = f"cannot load {claim.pipeline_name!r} version {claim.pipeline_version}: {reason}"
        await self._heartbeat.beat()

    async def _fail(self, claim: ClaimedExecution, failure: Failure) -> None:
        await self._record(claim, ExecutionUpdate(status=ExecutionStatus.FAILED, failure=failure))
        self._tell(f"{claim.execution_id} {claim.pipeline_name} failed: {failure.message}")

    async def _record(self, claim: ClaimedExecution, change: ExecutionUpdate, *logs: LogLine) -> None:
        await self._tracker.record(Transition(lease=claim.lease, writer=self.worker_id, change=change, logs=logs))

    def _ended(self, claim: ClaimedExecution, task: asyncio.Task[None]) -> None:
        """Say how a task ended that did not end well. The records have it, or another worker will."""
        self._running.pop(claim.lease, None)
        self._look.set()
        error = None if task.cancelled() else task.exception()
        match error:
            case None if task.cancelled():
                self._tell(f"{claim.execution_id} {claim.pipeline_name} stops here: whoever claims it goes on")
            case None:
                pass  # said already
            case StepConflict():
                self._tell(f"{claim.execution_id} {claim.pipeline_name} failed: {error}")
            case ExecutionCancelled():
                self._tell(f"{claim.execution_id} {claim.pipeline_name}: cancelled")
            case LeaseLost():
                self._tell(f"{claim.execution_id} {claim.pipeline_name} is not this worker's any more: dropped")
            case TrackerError() | DatabaseError():
                self._tell(f"{claim.execution_id} {claim.pipeline_name} could not go on here: {error}")
            case IAModulesError():
                self._tell(f"{claim.execution_id} {claim.pipeline_name} failed: {error}")
            case _:
                self._crashed.add(claim.lease)
                logger.error("Execution %s failed in the worker itself", claim.execution_id, exc_info=error)
