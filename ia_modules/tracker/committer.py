"""Group commit: transitions of concurrent writers, in one transaction.

There is one queue and no timer. While one batch is written, the next one forms; a writer wakes after the commit of its
own transition, never before. A batch that fails is halved until the bad transitions are alone and fail alone; writing
again is safe, because a recorded transition is recognised. A transition that waits for another process's lock is tried
by itself, and delays only its own writer.

    queue of Transition → read their rows → decide (pure) → write the changes → commit → wake the writers

What is plain (``plan.py``) of executions that are known (``known.py``) is decided without reading and written at once,
all of it or nothing. When a row was not as known, those executions are forgotten, their transitions go the way above,
and what the rows say then is known again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    DatabaseBusy,
    DatabaseClosed,
    DatabaseError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnavailable,
    OtherEventLoop,
)
from ia_modules.models import ExecutionId, ExecutionStatus
from ia_modules.states import ExecutionState
from ia_modules.tasks import background
from ia_modules.tracker.batch import WriteOutcome, write_batch
from ia_modules.tracker.cohorts import Cohorts
from ia_modules.tracker.known import KNOWN_EXECUTIONS, KnownExecution, KnownExecutions, read_known
from ia_modules.tracker.plan import PlannedBatch, plan_batch
from ia_modules.transitions import Recorded, Transition

BATCH_LIMIT = 500
"""Transitions in one commit; a larger batch would only make the first writer wait longer."""

_LOCK_SECONDS, _SHORT_LOCK_SECONDS, _HALF_LOCK_SECONDS = 1.0, 0.2, 0.02
_PLAN_LOCK_SECONDS = 0.1
_STATEMENT_SECONDS = 10.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0


@dataclass(eq=False, slots=True)
class _Waiting:
    """A transition whose writer waits for the outcome.

    Attributes:
        deadline: on the loop's clock; the transition is not tried again after it.
        error: of the last try; None before the first.
    """

    transition: Transition
    outcome: asyncio.Future[Recorded]
    deadline: float
    error: Exception | None = None

    def resolve(self, outcome: Recorded | Exception) -> None:
        if self.outcome.done():  # the writer was cancelled
            return
        if isinstance(outcome, Recorded):
            self.outcome.set_result(outcome)
        else:
            self.outcome.set_exception(outcome)


class Committer:
    """Writes transitions, from any task of one event loop. Its own task runs only while there is work."""

    def __init__(
        self,
        database: DatabaseManager,
        *,
        on_commit: Callable[[Iterable[ExecutionId]], None],
        give_up_seconds: float = 15.0,
        known_executions: int = KNOWN_EXECUTIONS,
        cohorts: Cohorts | None = None,
    ) -> None:
        """Write to a database.

        Args:
            on_commit: called after each commit with the executions that changed; must not block.
            give_up_seconds: how long a transition is tried again while the database is unreachable, busy, full or
                read-only.
            known_executions: how many executions are known at most; 0: everything is read before it is written.
            cohorts: how much of what waits goes into a batch; None: as is best for this database.
        """
        self._database = database
        self._on_commit = on_commit
        self._give_up_seconds = give_up_seconds
        self._of_all: tuple[type[Exception], ...] = (DatabaseUnavailable, DatabaseFull, DatabaseReadOnly)
        if database.dialect == "sqlite":  # its lock is the whole file's: each half of a batch would meet it, too
            self._of_all = (*self._of_all, DatabaseBusy)
        self._queue: deque[_Waiting] = deque()
        self._stuck: deque[_Waiting] = deque()  # each tried by itself: another process holds a lock on its rows
        self._drain_task: asyncio.Task[None] | None = None
        self._known, self._knows = KnownExecutions(known_executions), known_executions > 0
        self._cohorts = cohorts or Cohorts(divides=database.dialect == "postgresql")

    async def record(self, transition: Transition) -> Recorded:
        """Write a transition; return after its commit.

        When the caller is cancelled meanwhile, the transition is written whole or not at all.

        Raises:
            TrackerError: the transition was refused; nothing of it was written.
            DatabaseError: it could not be written.
            TransactionMisuse: called inside ``database.transaction()``, whose end it would wait for.
            OtherEventLoop: this committer is in use on another event loop.
        """
        self._database.refuse_inside_transaction("the tracker")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(transition, loop.create_future(), loop.time() + self._give_up_seconds)
        if self._drain_task is None or self._drain_task.done():
            self._queue.append(waiting)
            self._drain_task = background(self._drain(), "committer")  # it outlives the writer
        elif self._drain_task.get_loop() is loop:
            self._queue.append(waiting)
        else:
            raise OtherEventLoop
        return await waiting.outcome

    def adopt(self, state: ExecutionState) -> None:
        """Know an execution that this process has just claimed and of which no attempt is on record."""
        if self._knows:
            self._known.add(KnownExecution(state))

    async def close(self) -> None:
        """Wait until every queued transition is written, or given up: at most one more try after its time is over."""
        if self._drain_task is not None and not self._drain_task.done():
            await asyncio.shield(self._drain_task)

    async def _drain(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        batch: list[_Waiting] = []
        try:
            while self._queue or self._stuck:
                batch = await self._next_batch()
                moved = await self._commit_known(batch) if batch else False
                if self._stuck:
                    batch = [self._stuck.popleft()]
                    moved = await self._commit(batch, _SHORT_LOCK_SECONDS) or moved
                self._queue, self._stuck = self._in_time(self._queue), self._in_time(self._stuck)
                pause_seconds = _FIRST_PAUSE_SECONDS if moved else min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
                if not moved and (self._queue or self._stuck):
                    await asyncio.sleep(pause_seconds)
        except BaseException as error:  # also cancelled with its loop: no writer may wait for ever
            failure = DatabaseError(f"The transition may not have been written: {error!r}.")
            failure.__cause__ = error
            for waiting in (*batch, *self._queue, *self._stuck):
                waiting.resolve(failure)
            self._queue.clear()
            self._stuck.clear()
            raise

    async def _next_batch(self) -> list[_Waiting]:
        """What waits; or half of what runs, where two halves alternate."""
        writers = max(len(self._known), len(self._queue))
        for _ in range(self._cohorts.passes(len(self._queue), writers)):
            await asyncio.sleep(0)
            if len(self._queue) >= writers // 2:
                break
        share = min(len(self._queue), BATCH_LIMIT, self._cohorts.share(writers))
        return [self._queue.popleft() for _ in range(share)]

    async def _commit_known(self, batch: list[_Waiting]) -> bool:
        """Write what can be written without reading, then the rest; False when all must be tried again later."""
        if self._knows and self._database.writes_plans and all(waiting.error is None for waiting in batch):
            planned = plan_batch(self._known, [waiting.transition for waiting in batch])
        else:  # what failed once is not plain
            planned = PlannedBatch(unplain=[*range(len(batch))])
        self._queue.extendleft(batch[number] for number in reversed(planned.waits))
        unplain, moved = planned.unplain, False
        if planned.decided:
            moved = await self._write_plan(planned)
            if moved:
                self._on_commit({decision.execution.execution_id for decision in planned.decided.values()})
                for number, decision in planned.decided.items():
                    batch[number].resolve(decision.recorded)
            else:
                unplain = sorted([*planned.decided, *unplain])
        if unplain:
            moved = await self._commit([batch[number] for number in unplain], _LOCK_SECONDS) or moved
        return moved

    async def _write_plan(self, planned: PlannedBatch) -> bool:
        """Write a plan; False: none of it may be on record, and its executions are not known any more."""
        self._cohorts.begin()
        try:
            written = await self._database.write_plan(
                planned.rows, lock_timeout_seconds=_PLAN_LOCK_SECONDS, statement_timeout_seconds=_STATEMENT_SECONDS
            )
            self._cohorts.end()
        except DatabaseError:  # what is wrong is found out, for each transition by itself, by the way that reads
            written = False
        for decision in planned.decided.values():
            if written:
                self._known.advance(decision)
            else:
                self._known.forget(decision.execution.execution_id)
        return written

    async def _commit(self, batch: list[_Waiting], lock_seconds: float) -> bool:
        """Write a batch, halved where it fails; False when all of it must be tried again later."""
        try:
            script = write_batch(self._database.query, [waiting.transition for waiting in batch])
            outcomes = await self._database.run(
                script, lock_timeout_seconds=lock_seconds, statement_timeout_seconds=_STATEMENT_SECONDS
            )
        except DatabaseClosed as error:
            return _fail(batch, error)
        except Exception as error:  # noqa: BLE001 - one bad transition must not fail the others
            if isinstance(error, self._of_all):
                self._queue.extendleft(reversed(_failed_once_more(batch, error)))
                return False
            if isinstance(error, DatabaseBusy) and (len(batch) == 1 or self._is_late(batch)):
                self._stuck.extend(_failed_once_more(batch, error))
                return False
            if len(batch) == 1:
                return _fail(batch, error)
            half = len(batch) // 2
            first = await self._commit(batch[:half], _HALF_LOCK_SECONDS)
            return await self._commit(batch[half:], _HALF_LOCK_SECONDS) or first
        changed = {outcome.execution_id for outcome in outcomes if isinstance(outcome, Recorded) and outcome.changed}
        if changed:
            self._on_commit(changed)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if outcome is None:  # its rows changed after the decision
                self._queue.append(waiting)
            else:
                waiting.resolve(outcome)
        await self._take_up(batch, outcomes)
        return True

    async def _take_up(self, batch: list[_Waiting], outcomes: list[WriteOutcome]) -> None:
        """Know again, from their rows, the executions that run here and were written past what is known."""
        owners: dict[ExecutionId, str] = {}
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Recorded):
                self._known.forget(outcome.execution_id)
                if outcome.status is ExecutionStatus.RUNNING:
                    owners[outcome.execution_id] = waiting.transition.writer
        if owners and self._knows and self._database.writes_plans:
            with suppress(DatabaseError):  # then they are read when they are written
                for execution in await self._database.read(read_known(self._database.query, owners)):
                    self._known.add(execution)

    def _is_late(self, batch: list[_Waiting]) -> bool:
        now = asyncio.get_running_loop().time()
        return all(now >= waiting.deadline for waiting in batch)

    def _in_time(self, queue: deque[_Waiting]) -> deque[_Waiting]:
        """The transitions to try again; the writers of the others get the error of their last try."""
        now = asyncio.get_running_loop().time()
        again: deque[_Waiting] = deque()
        for waiting in queue:
            if waiting.error is None or now < waiting.deadline:
                again.append(waiting)
            else:
                waiting.resolve(_own(waiting.error))
        return again


def _failed_once_more(batch: list[_Waiting], error: Exception) -> list[_Waiting]:
    for waiting in batch:
        waiting.error = error
    return batch


def _fail(batch: list[_Waiting], error: Exception) -> bool:
    for waiting in batch:
        waiting.resolve(_own(error))
    return True


def _own(error: Exception) -> Exception:
    """A copy of an error, so that each writer's has its own notes and traceback."""
    own = type(error).__new__(type(error), *error.args)
    own.__dict__.update(error.__dict__)
    own.__cause__ = error.__cause__
    return own
