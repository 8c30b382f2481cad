"""What runs on a node of a cluster: makes one attempt, and keeps what came of it until its owner has it on record.

It knows no database, and Ray only to say where it is. The code itself runs in a process of the node
(:mod:`ia_modules.pipeline.process_pool`), so it can be ended, and its crash is not this one's. Owners come and go: what
the code asks of its owner waits while there is none, and is asked again of the next one.
"""

import asyncio
import importlib
import os
import threading
import time
from datetime import datetime
from typing import Any, NoReturn

from msgspec.structs import replace

from ia_modules.errors import StepKilled
from ia_modules.models import RunPath, StepExecutionRecord
from ia_modules.pipeline.process_pool import ProcessPool
from ia_modules.pipeline.remote_calls import (
    AttemptEnded,
    BeginCall,
    ReadTime,
    ReadWithin,
    Reply,
    Requests,
    WriteNews,
    encoded,
    read_by_host,
)
from ia_modules.pipeline.remote_failures import RemoteFailure

END_NUMBER = 2**62
"""The number of the end of an attempt among what it tells: above that of every request."""

_LOOKS = 10  # at the time, in the time after which it ends


class StaleOwner(Exception):
    """Another process owns the execution by now."""


class AttemptActor:
    """Makes one attempt, for whoever owns its execution.

    Each call has the epoch of its caller's lease; those of earlier owners are refused.
    """

    def __init__(self, unclaimed_seconds: float) -> None:
        """``unclaimed_seconds``: it ends when nobody has called it for so long."""
        self._unclaimed_seconds = unclaimed_seconds
        self._epoch, self._heard_at = 0, time.monotonic()
        self._requests = Requests(lambda request: self._tell())
        self._making: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._ended: AttemptEnded | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        threading.Thread(target=self._end_when_unclaimed, name="unclaimed", daemon=True).start()

    async def place(self) -> tuple[str, int]:
        """Its node, and the number of its process there."""
        ray: Any = importlib.import_module("ray")
        return ray.get_runtime_context().get_node_id(), os.getpid()

    async def begin(self, epoch: int, begin: bytes, timeout_seconds: float | None) -> None:
        """Make the attempt, unless it is made already; does not wait for it.

        Args:
            begin: a :class:`BeginCall`.
            timeout_seconds: from when its code is loaded.

        Raises:
            StaleOwner: another process owns the execution by now.
        """
        self._hear(epoch)
        message = read_by_host(begin)
        assert isinstance(message, BeginCall)
        if self._making is None:
            self._making = asyncio.create_task(self._make(message, timeout_seconds), name="attempt")

    async def talk(self, epoch: int, after: int, seconds: float) -> list[tuple[int, bytes]]:
        """What the attempt has told since, by its number: requests that are not answered, and its end.

        Args:
            after: the highest number that the caller has.
            seconds: how long to wait for something; then it is nothing.

        Raises:
            StaleOwner: another process owns the execution by now.
        """
        self._hear(epoch)
        news = self._news(after)
        if not news:
            something: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(something)
            await asyncio.wait([something], timeout=seconds)
            self._waiting.discard(something)
            self._hear(epoch)
            news = self._news(after)
        return news

    async def reply(self, epoch: int, reply: bytes) -> None:
        """Take in what came of a request.

        Raises:
            StaleOwner: another process owns the execution by now.
        """
        self._hear(epoch)
        message = read_by_host(reply)
        assert isinstance(message, Reply)
        self._requests.hear(message)

    async def cancel(self, epoch: int) -> bytes:
        """Stop the attempt, or end its process; what came of it then, as a message. Nothing was, where none began.

        Raises:
            StaleOwner: another process owns the execution by now.
        """
        self._hear(epoch)
        if self._making is not None and not self._making.done():
            if not self._is_stopping:  # a second time would end its process at once, and say that it stopped by itself
                self._is_stopping = True
                self._making.cancel()
            await asyncio.wait([self._making])
        return encoded(self._ended or AttemptEnded())

    def _hear(self, epoch: int) -> None:
        if epoch < self._epoch:
            raise StaleOwner
        if epoch > self._epoch:
            self._epoch = epoch
            self._tell()  # who waits for an earlier owner learns of it
        self._heard_at = time.monotonic()

    def _tell(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _news(self, after: int) -> list[tuple[int, bytes]]:
        news = [(request.number, encoded(request)) for request in self._requests.open_after(after)]
        return news if self._ended is None or after >= END_NUMBER else [*news, (END_NUMBER, encoded(self._ended))]

    async def _make(self, begin: BeginCall, timeout_seconds: float | None) -> None:
        try:
            pool = ProcessPool(1)
            self._ended = AttemptEnded(await pool.execute(begin.call, self, timeout_seconds=timeout_seconds))
        except asyncio.CancelledError as cancelled:
            self._ended = AttemptEnded(is_clean=not isinstance(cancelled.__cause__, StepKilled))
        except Exception as error:  # noqa: BLE001 - it is raised where the execution runs
            self._ended = AttemptEnded(failure=RemoteFailure.of(error))
        self._tell()

    # As remote_calls.Desk, for the process that makes the attempt

    async def record(self, news: WriteNews) -> None:
        await self._requests.ask(lambda number: replace(news, number=number), type(None))

    async def read_within(self, path: RunPath) -> list[StepExecutionRecord]:
        return await self._requests.ask(lambda number: ReadWithin(number, path), list[StepExecutionRecord])

    async def read_time(self) -> datetime:
        return await self._requests.ask(ReadTime, datetime)

    # In a thread

    def _end_when_unclaimed(self) -> NoReturn:
        while True:
            time.sleep(self._unclaimed_seconds / _LOOKS)
            is_claimed = bool(self._waiting)  # somebody talks with it, perhaps for longer than that
            if not is_claimed and time.monotonic() - self._heard_at > self._unclaimed_seconds:
                os._exit(0)  # the process of its code ends with it
