"""What becomes of a worker's executions while its event loop does not answer.

The heartbeat thread goes on, so the process lives, and on record it says which step is in the way. Only after a limit
does the thread give the executions to other workers. All of this runs in that thread.
"""

import asyncio
from collections.abc import Callable, Iterable

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import Lease, LogLevel, StalledExecution, new_id
from ia_modules.ownership import recovery_from_blocked_loop
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.executor import StepExecutor
from ia_modules.tracker.batch import write_batch
from ia_modules.tracker.ownership import Ownership
from ia_modules.transitions import LogLine, Transition


class BlockedLoop:
    """Warns on record when a worker's event loop is blocked, and takes its executions from it when that lasts."""

    def __init__(
        self,
        owner: str,
        executor: StepExecutor,
        leases: Callable[[], Iterable[Lease]],
        *,
        loop: asyncio.AbstractEventLoop,
        warn_seconds: float,
        limit_seconds: float,
        recovery_limit: int,
        tell: Callable[[str], None],
    ) -> None:
        """Look after a loop.

        Args:
            leases: what the worker runs now; called in the thread.
            recovery_limit: how often an execution may block its worker before a step of it has completed.
            tell: is given a line for people; called in the thread.
        """
        self._owner, self._executor, self._leases, self._loop = owner, executor, leases, loop
        self._warn_seconds, self._limit_seconds = warn_seconds, limit_seconds
        self._recovery_limit, self._tell = recovery_limit, tell
        self._warned = False

    async def watch(self, database: DatabaseManager, blocked_seconds: float) -> None:
        """Do what is due after so long without an answer."""
        if blocked_seconds <= self._warn_seconds:
            self._warned = False
            return
        leases = list(self._leases())
        step = self._executor.running_on(self._loop)
        if not self._warned:
            await self._warn(database, leases, step, blocked_seconds)
            self._warned = True
        if blocked_seconds > self._limit_seconds:
            await self._take_away(database, leases, step, blocked_seconds)

    async def _warn(
        self, database: DatabaseManager, leases: Iterable[Lease], step: Step | None, blocked_seconds: float
    ) -> None:
        so_far = f"for {blocked_seconds:.0f} s so far"
        if step is None:
            message = f"The event loop of its worker does not answer, {so_far}; which step blocks it is not known."
        else:
            message = (
                f"Step {step.name!r} blocks the event loop of its worker, {so_far}: nothing else runs there, and it "
                "cannot be cancelled. A plain def runs in a thread of its own."
            )
        self._tell(message)
        attempt = None if step is None else step.context.step_execution_id or None
        warnings: list[Transition] = []
        for lease in leases:
            if _is_suspect(lease, step):
                line = LogLine(log_id=new_id(), message=message, level=LogLevel.WARNING, step_execution_id=attempt)
                warnings.append(Transition(writer=self._owner, lease=lease, logs=(line,)))
        await database.run(write_batch(database.query, warnings))

    async def _take_away(
        self, database: DatabaseManager, leases: Iterable[Lease], step: Step | None, blocked_seconds: float
    ) -> None:
        ownership = Ownership(database, self._owner, on_commit=lambda execution_ids: None)
        owned: dict[Lease, StalledExecution] = {execution.lease: execution for execution in await ownership.owned()}
        for lease in leases:
            execution = owned.get(lease)
            if execution is None:
                continue
            recovery = recovery_from_blocked_loop(
                execution,
                step_id=None if step is None else step.name,
                is_suspect=_is_suspect(lease, step),
                blocked_seconds=blocked_seconds,
                recovery_limit=self._recovery_limit,
            )
            if await ownership.recover(execution, recovery):
                self._tell(f"{execution.execution_id} is taken from here, {recovery.lost.message} {recovery.status}")


def _is_suspect(lease: Lease, step: Step | None) -> bool:
    """Whether the step that blocks the loop is, or may be, one of this execution."""
    return step is None or step.context.execution_id in ("", lease.execution_id)
