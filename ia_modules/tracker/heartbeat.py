"""Signs of life: one row in ``workers`` for each process that owns executions, written from a thread of its own.

Who is silent for longer than its lease counts as dead, and what it ran is taken over. A process whose event loop does
not answer any more is as good as dead, so the thread falls silent too.

    event loop ──answers──→ thread ──beat, on a connection of its own──→ workers.heartbeat_at
"""

import asyncio
import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseError, OtherEventLoop
from ia_modules.models import WorkerId
from ia_modules.tasks import background
from ia_modules.version import __version__

BEATS_PER_LEASE = 5
"""How often it beats within the time that it may be silent: a beat or two may get lost."""


class Heartbeat:
    """The signs of life of one owner. It costs nothing until :meth:`begin`, and only one row until the first beat.

    Attributes:
        slots: how many executions it takes from the queue at once; 0 = it takes none.
        note: what people should know about it.
    """

    def __init__(self, database: DatabaseManager, owner: WorkerId, *, lease_seconds: float) -> None:
        self.slots = 0
        self.note: str | None = None
        self.lease_seconds = lease_seconds
        self._database, self._owner = database, owner
        self._beginning: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._heard = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    async def begin(self) -> None:
        """Be on record as alive from here on; at once when it is already.

        A database that is away is no error: the thread says it as soon as it can.

        Raises:
            OtherEventLoop: it beats for another loop, which runs.
            TransactionMisuse: called inside ``database.transaction()``, which it would wait for.
        """
        self._database.refuse_inside_transaction("the tracker")
        if self._database.is_in_memory:
            return
        loop = asyncio.get_running_loop()
        if self._beginning is None or self._beginning.get_loop() is not loop:
            if self._beginning is not None and self._beginning.get_loop().is_running():
                raise OtherEventLoop
            self._beginning = background(self._begin(loop), "heartbeat")  # for everybody, not for the first alone
        await asyncio.shield(self._beginning)

    async def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(DatabaseError):
            await self.beat()
        self._hear()
        self._loop = loop  # the one that the thread asks from now on; the one before may be closed
        if self._thread is None:
            self._database.before_close(self.end)
            self._stopping.clear()
            self._thread = threading.Thread(target=self._beat_until_stopped, name="heartbeat", daemon=True)
            self._thread.start()

    async def beat(self) -> None:
        """Say it now, with the slots and the note as they are; a database in memory has nobody to tell."""
        if self._database.is_in_memory:
            return
        await self._database.execute_async(self._database.query("beat"), self._row())

    async def end(self) -> None:
        """Be on record as stopped; what it still owns may be taken over at once."""
        beginning, self._beginning = self._beginning, None
        if beginning is not None and beginning.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([beginning])
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping.set()
        await asyncio.to_thread(thread.join)
        self._loop = None
        with suppress(DatabaseError):  # then it is silent, which says the same a little later
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

    def _beat_until_stopped(self) -> None:
        pause_seconds = self.lease_seconds / BEATS_PER_LEASE
        database = self._database.twin(statement_timeout_seconds=max(1.0, pause_seconds))  # a lost beat stays one
        try:
            while not self._stopping.wait(pause_seconds):
                if self._is_loop_alive():
                    with suppress(DatabaseError):  # said again at the next beat
                        database.execute(database.query("beat"), self._row())
        finally:
            database.close_sync()

    def _is_loop_alive(self) -> bool:
        """Whether the event loop has answered within the lease; asks it again."""
        assert self._loop is not None
        with suppress(RuntimeError):  # it is closed, and never answers again
            self._loop.call_soon_threadsafe(self._hear)
        return time.monotonic() - self._heard <= self.lease_seconds

    def _hear(self) -> None:
        self._heard = time.monotonic()
