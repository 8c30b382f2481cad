"""Group commit: the transitions of everybody who writes at the same time, in one transaction.

There is one queue and no timer. While one batch flushes, the next one forms; every writer is woken after the commit of
its own transition, never before. A batch that fails is written again transition by transition, so that a bad one fails
alone; writing again is safe, because what is recorded already is recognised.

    queue of Transition → read the rows they touch → decide (pure) → write what changed → commit → wake the writers
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseBusy, DatabaseError, DatabaseUnavailable
from ia_modules.models import ExecutionId
from ia_modules.transitions import Recorded, Transition
from ia_modules.web.batch import Outcome, write_batch

BATCH_LIMIT = 500
"""Transitions in one commit: beyond this a larger batch only makes the first writer wait longer."""

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A transition and the writer that waits for its outcome."""

    transition: Transition
    outcome: asyncio.Future[Recorded]

    def settle(self, outcome: Recorded | Exception) -> None:
        if self.outcome.done():  # the writer was cancelled and does not wait any more
            return
        if isinstance(outcome, Exception):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)


class Committer:
    """Writes transitions, from any task of one event loop; it has a task of its own only while there is work."""

    def __init__(
        self,
        database: DatabaseManager,
        *,
        on_commit: Callable[[Iterable[ExecutionId]], None],
        give_up_seconds: float = 15.0,
    ) -> None:
        """Write to a database.

        Args:
            on_commit: told after each commit which executions changed; must not block.
            give_up_seconds: how long a batch is tried again while the database is unreachable or busy.
        """
        self._database = database
        self._on_commit = on_commit
        self._give_up_seconds = give_up_seconds
        self._queue: deque[_Waiting] = deque()
        self._drain_task: asyncio.Task[None] | None = None

    async def record(self, transition: Transition) -> Recorded:
        """Write a transition; return after its commit.

        A writer that is cancelled while it waits is not told: the transition is then written whole or not at all.

        Raises:
            TrackerError: the transition was refused; nothing of it was written.
            DatabaseError: it could not be written.
            TransactionMisuse: called inside ``database.transaction()``, which it would wait for.
        """
        self._database.refuse_inside_transaction("the tracker")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(transition, loop.create_future())
        self._queue.append(waiting)
        if self._drain_task is None or self._drain_task.done():
            # A context of its own: the task outlives the writer and must not inherit what is set around the writer.
            self._drain_task = loop.create_task(self._drain(), name="committer", context=contextvars.Context())
        return await waiting.outcome

    async def close(self) -> None:
        """Wait until everything that is queued is written."""
        if self._drain_task is not None and not self._drain_task.done():
            await asyncio.shield(self._drain_task)

    async def _drain(self) -> None:
        batch: list[_Waiting] = []
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_LIMIT))]
                await self._commit(batch)
        except BaseException as error:  # never leave a writer waiting, whatever broke
            for waiting in (*batch, *self._queue):
                failure = DatabaseError(f"The transition may not have been written: {error!r}.")
                failure.__cause__ = error
                waiting.settle(failure)
            self._queue.clear()
            raise

    async def _commit(self, batch: list[_Waiting]) -> None:
        try:
            outcomes = await self._write([waiting.transition for waiting in batch])
        except DatabaseError as error:
            if len(batch) > 1 and not isinstance(error, DatabaseUnavailable | DatabaseBusy):
                for waiting in batch:
                    await self._commit([waiting])
                return
            outcomes = [error] * len(batch)
        changed = {outcome.execution_id for outcome in outcomes if isinstance(outcome, Recorded) and outcome.changed}
        if changed:
            self._on_commit(changed)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if outcome is None:  # decided on rows that somebody changed meanwhile
                self._queue.append(waiting)
            else:
                waiting.settle(outcome)

    async def _write(self, transitions: list[Transition]) -> list[Outcome | DatabaseError]:
        """Write a batch, again and again while the database is away, until it is there or for ``give_up_seconds``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._give_up_seconds
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return list(await self._database.run(write_batch(self._database.query, transitions)))
            except (DatabaseUnavailable, DatabaseBusy):
                if loop.time() + pause_seconds > deadline:
                    raise
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
