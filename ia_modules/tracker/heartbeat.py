"""Signs of life: one row in ``workers`` for each process that owns executions, written from a thread of its own.

Who is silent for longer than its lease counts as dead, and what it ran is taken over. While the thread beats, the
process lives, whatever its event loop does; a loop that does not answer is looked after by :attr:`Heartbeat.watch`.

    thread ──beat, on a connection of its own──→ workers.heartbeat_at
       └──does the event loop answer?──→ watch
"""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    PASSING_DATABASE_ERRORS,
    DatabaseClosed,
    DatabaseError,
    OtherEventLoop,
)
from ia_modules.models import WorkerId
from ia_modules.tasks import background, in_thread, set_within
from ia_modules.version import __version__

logger = logging.getLogger("ia_modules.tracker")

BEATS_PER_LEASE = 5
"""How often it beats within the time that it may be silent: a beat or two may get lost."""

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0
_STOP_SECONDS = 5.0  # for each step of ending; a database that does not answer finds out a lease later

Watch = Callable[[DatabaseManager, float], Coroutine[None, None, None]]


class Heartbeat:
    """The signs of life of one owner. It costs nothing until :meth:`begin`, and only one row until the first beat.

    Attributes:
        slots: how many executions it takes from the queue at once; 0 = it takes none.
        note: what people should know about it.
        problem: why the thread cannot say that the process lives, in words; None = it can.
        watch: called in the thread at each beat, with a database of the thread's own, and for how many seconds the
            event loop has not answered while the thread ran: a process that was frozen has not blocked its loop.
    """

    def __init__(
        self, database: DatabaseManager, owner: WorkerId, *, lease_seconds: float, give_up_seconds: float = 15.0
    ) -> None:
        """Speak for an owner.

        Args:
            lease_seconds: how long it may be silent.
            give_up_seconds: how long the first beat is tried again while the database is unreachable or busy.
        """
        self.slots = 0
        self.note: str | None = None
        self.problem: str | None = None
        self.watch: Watch | None = None
        self.lease_seconds = lease_seconds
        self._give_up_seconds = give_up_seconds
        self._database, self._owner = database, owner
        self._beginning: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answered = False
        self._blocked_seconds = 0.0
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], object] = lambda: None

    async def begin(self) -> None:
        """Be on record as alive from here on; at once when it is already.

        Nothing may be owned before: what a process owns that was never heard of would never be found.

        Raises:
            DatabaseError: it could not be put on record.
            OtherEventLoop: it beats for another loop, which runs.
            TransactionMisuse: called inside ``database.transaction()``, which it would wait for.
        """
        self._database.refuse_inside_transaction("the tracker")
        if self._database.is_in_memory:
            return
        self.start()
        if self._beginning is None or _has_failed(self._beginning):
            self._beginning = background(self._first_beat(), "heartbeat")  # for everybody, not for the first alone
        await asyncio.shield(self._beginning)

    def start(self) -> None:
        """Speak for the running event loop from here on, without waiting until it is on record.

        Raises:
            OtherEventLoop: it beats for another loop, which runs.
        """
        loop = asyncio.get_running_loop()
        if self._database.is_in_memory or self._loop is loop:
            return
        if self._loop is not None and self._loop.is_running():
            raise OtherEventLoop
        self._loop, self._beginning = loop, None  # the one before may be closed
        self._answered = True
        if self._thread is None:
            self._database.before_close(self.end)
            own_loop, stopping = asyncio.new_event_loop(), asyncio.Event()
            self._stop = partial(own_loop.call_soon_threadsafe, stopping.set)
            beating = partial(_run, own_loop, self._beat_until(stopping))
            self._thread = threading.Thread(target=beating, name="heartbeat", daemon=True)
            self._thread.start()

    async def _first_beat(self) -> None:
        clock = asyncio.get_running_loop().time
        give_up_at, pause_seconds = clock() + self._give_up_seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self.beat()
                return
            except PASSING_DATABASE_ERRORS as error:
                if isinstance(error, DatabaseClosed) or clock() >= give_up_at:
                    raise
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def beat(self) -> None:
        """Say it now, with the slots and the note as they are; a database in memory has nobody to tell."""
        if self._database.is_in_memory:
            return
        await self._database.execute_async(self._database.query("beat"), self._row())
        self.problem = None

    async def end(self) -> None:
        """Be on record as stopped; what it still owns may be taken over at once.

        A database that does not answer is left: then the process is silent, which says the same a little later.
        """
        beginning, self._beginning = self._beginning, None
        if beginning is not None and beginning.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([beginning], timeout=_STOP_SECONDS)
            beginning.cancel()
        thread, self._thread, self._loop = self._thread, None, None
        if thread is None:
            return
        with suppress(RuntimeError):  # it has ended
            self._stop()
        await asyncio.wait([in_thread(thread.join, "heartbeat:join")], timeout=_STOP_SECONDS)
        stopping = background(self._be_stopped(), "heartbeat:stop")
        await asyncio.wait([stopping], timeout=_STOP_SECONDS)
        stopping.cancel()  # not waited for: cleaning up after a silent connection takes as long again

    async def _be_stopped(self) -> None:
        with suppress(DatabaseError):
            await self._database.execute_async(self._database.query("stop_worker"), {"worker_id": self._owner})

    def _row(self) -> dict[str, Any]:
        return {
            "worker_id": self._owner,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "slots": self.slots,
            "note": self.note,
            "lease_seconds": self.lease_seconds,
        }

    # In the thread

    async def _beat_until(self, stopping: asyncio.Event) -> None:
        every_seconds = self.lease_seconds / BEATS_PER_LEASE
        database = self._database.twin(statement_timeout_seconds=max(1.0, every_seconds))  # a lost beat stays one
        looked_at = time.monotonic()
        try:
            while not await set_within(every_seconds, stopping):
                now = time.monotonic()
                self._listen(min(now - looked_at, 2 * every_seconds))
                looked_at = now
                try:
                    if not self._has_lost_its_loop():
                        await database.execute_async(database.query("beat"), self._row())
                    if self.watch is not None:
                        await self.watch(database, self._blocked_seconds)
                    self.problem = None
                except DatabaseError as error:  # said again at the next beat
                    self.problem = f"The heartbeat cannot be written: {error}"
                except Exception as error:
                    logger.exception("The heartbeat failed")
                    self.problem = f"The heartbeat failed: {error!r}"
        finally:
            await database.close()

    def _listen(self, seconds: float) -> None:
        """Note whether the event loop has answered since the last time, and ask it again.

        Args:
            seconds: how long this thread has listened since; after a freeze not the whole time of it.
        """
        self._blocked_seconds = 0.0 if self._answered else self._blocked_seconds + seconds
        self._answered = False
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it is closed, and never answers again
                loop.call_soon_threadsafe(self._answer)

    def _has_lost_its_loop(self) -> bool:
        """Whether the event loop was closed, and no other took its place within the lease: then nothing can run."""
        return self._loop is not None and self._loop.is_closed() and self._blocked_seconds > self.lease_seconds

    def _answer(self) -> None:
        self._answered = True


def _run(loop: asyncio.AbstractEventLoop, beating: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(beating)


def _has_failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
