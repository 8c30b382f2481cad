"""What runs on a node of a cluster: makes attempts, and keeps what came of each until its owner has it on record.

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
from typing import Any

from msgspec.structs import replace

from ia_modules.errors import StepAbandoned, StepKilled
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


class UnknownAttempt(Exception):
    """The actor has no such attempt: it was never told of it, or it has forgotten it."""


class AttemptActor:
    """Makes the attempts that it has taken: one, or those of a pool, which share a process of the node."""

    def __init__(
        self,
        unclaimed_seconds: float,
        idle_seconds: float = 0.0,
        resources: dict[str, float] | None = None,
        own: str = "",
    ) -> None:
        """Nothing is taken yet.

        Args:
            unclaimed_seconds: an attempt ends, and is forgotten, when nobody has called for it for so long.
            idle_seconds: it ends itself when it has had no attempt for so long.
            resources: what it has of its node, by Ray's names; only told again.
            own: the attempt that it is named by, which it has from the start: whoever made it may be gone before it is
                told of that. Empty: it is that of a pool.
        """
        self._resources = resources or {}
        self._unclaimed_seconds, self._idle_seconds = unclaimed_seconds, idle_seconds
        self._processes = ProcessPool(1)
        self._attempts = {own: _KeptAttempt(self._processes)} if own else dict[str, _KeptAttempt]()
        self._dropped: set[asyncio.Task[None]] = set()
        self._idle_since = time.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None
        threading.Thread(target=self._look_at_times, name="unclaimed", daemon=True).start()

    async def place(self, attempt: str) -> tuple[str, int]:
        """Take an attempt; gives the actor's node, and the number of its process there."""
        await self.take(attempt)
        return _node(), os.getpid()

    async def facts(self) -> tuple[str, int, dict[str, float], list[str]]:
        """Its node, the number of its process there, its resources, and :meth:`attempts`."""
        self._is_called()
        return _node(), os.getpid(), self._resources, await self.attempts()

    async def take(self, attempt: str) -> None:
        """Have an attempt that may begin; the same again changes nothing. The actor does not end while it has one."""
        self._is_called()
        if attempt not in self._attempts:
            self._attempts[attempt] = _KeptAttempt(self._processes)

    async def attempts(self) -> list[str]:
        """Those that it has, ended ones included."""
        return list(self._attempts)

    async def forget(self, attempt: str) -> None:
        """Nobody needs an attempt any more; what still runs of it is stopped."""
        self._is_called()
        self._drop(attempt)

    async def begin(self, attempt: str, epoch: int, begin: bytes, timeout_seconds: float | None) -> None:
        """Make an attempt, unless it is made already; does not wait for it.

        Args:
            epoch: of the caller's lease; those of earlier owners are refused, here and below.
            begin: a :class:`BeginCall`.
            timeout_seconds: from when its code is loaded.

        Raises:
            UnknownAttempt: it was not taken. It may have begun elsewhere.
            StaleOwner: another process owns the execution by now.
        """
        message = read_by_host(begin)
        assert isinstance(message, BeginCall)
        self._of(attempt, epoch).begin(message, timeout_seconds)

    async def talk(self, attempt: str, epoch: int, after: int, seconds: float) -> list[tuple[int, bytes]]:
        """What an attempt has told since, by its number: requests that are not answered, and its end.

        Args:
            after: the highest number that the caller has.
            seconds: how long to wait for something; then it is nothing.

        Raises:
            UnknownAttempt, StaleOwner: as :meth:`begin`.
        """
        return await self._of(attempt, epoch).talk(epoch, after, seconds)

    async def reply(self, attempt: str, epoch: int, reply: bytes) -> None:
        """Take in what came of a request.

        Raises:
            UnknownAttempt, StaleOwner: as :meth:`begin`.
        """
        message = read_by_host(reply)
        assert isinstance(message, Reply)
        self._of(attempt, epoch).requests.hear(message)

    async def cancel(self, attempt: str, epoch: int) -> bytes:
        """Stop an attempt, or end its process; what came of it then, as a message. Nothing was, where none began.

        Raises:
            UnknownAttempt, StaleOwner: as :meth:`begin`.
        """
        return encoded(await self._of(attempt, epoch).cancel())

    def _is_called(self) -> None:
        self._loop = asyncio.get_running_loop()

    def _of(self, attempt: str, epoch: int) -> "_KeptAttempt":
        if (found := self._attempts.get(attempt)) is None:
            raise UnknownAttempt
        found.hear(epoch)
        return found

    def _drop(self, attempt: str) -> None:
        dropped = self._attempts.pop(attempt, None)
        self._idle_since = time.monotonic()
        if dropped is not None and (making := dropped.stop()) is not None:
            self._dropped.add(making)
            making.add_done_callback(self._forget_dropped)

    def _forget_dropped(self, making: asyncio.Task[None]) -> None:
        self._dropped.discard(making)
        self._idle_since = time.monotonic()

    def _look(self) -> None:
        for name in [name for name, each in self._attempts.items() if each.is_unclaimed(self._unclaimed_seconds)]:
            self._drop(name)
        if not self._attempts and not self._dropped and time.monotonic() - self._idle_since >= self._idle_seconds:
            os._exit(0)  # the processes of its code end with it

    # In a thread

    def _look_at_times(self) -> None:
        often = min(self._unclaimed_seconds, self._idle_seconds or self._unclaimed_seconds)
        began = time.monotonic()
        while True:
            time.sleep(often / _LOOKS)
            if self._loop is not None:
                try:
                    self._loop.call_soon_threadsafe(
                        self._look
                    )  # there, so that nothing is taken by what is about to end
                except RuntimeError:  # it is closed: the process ends
                    return
            elif time.monotonic() - began > (self._idle_seconds or self._unclaimed_seconds):  # whoever made it is gone
                os._exit(0)


def _node() -> str:
    ray: Any = importlib.import_module("ray")
    return ray.get_runtime_context().get_node_id()


class _KeptAttempt:
    """One of them, as its owners see it."""

    def __init__(self, processes: ProcessPool) -> None:
        self._processes = processes
        self._epoch, self._heard_at = 0, time.monotonic()
        self.requests = Requests(lambda request: self._tell())
        self._making: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._ended: AttemptEnded | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    def hear(self, epoch: int) -> None:
        """Somebody asks for it.

        Raises:
            StaleOwner: another process owns the execution by now.
        """
        if epoch < self._epoch:
            raise StaleOwner
        if epoch > self._epoch:
            self._epoch = epoch
            self._tell()  # who waits for an earlier owner learns of it
        self._heard_at = time.monotonic()

    def is_unclaimed(self, seconds: float) -> bool:
        """Whether nobody has asked for it for so long. Somebody may talk with it, perhaps for longer than that."""
        return not self._waiting and time.monotonic() - self._heard_at > seconds

    def begin(self, message: BeginCall, timeout_seconds: float | None) -> None:
        if self._making is None:
            self._making = asyncio.create_task(self._make(message, timeout_seconds), name="attempt")

    async def talk(self, epoch: int, after: int, seconds: float) -> list[tuple[int, bytes]]:
        news = self._news(after)
        if not news:
            something: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(something)
            await asyncio.wait([something], timeout=seconds)
            self._waiting.discard(something)
            self.hear(epoch)
            news = self._news(after)
        return news

    async def cancel(self) -> AttemptEnded:
        if (making := self.stop()) is not None:
            await asyncio.wait([making])
        return self._ended or AttemptEnded()

    def stop(self) -> "asyncio.Task[None] | None":
        """Have it stopped; what is to be waited for, None: nothing."""
        if self._making is None or self._making.done():
            return None
        if not self._is_stopping:  # a second time would end its process at once, and say that it stopped by itself
            self._is_stopping = True
            self._making.cancel()
        return self._making

    def _tell(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _news(self, after: int) -> list[tuple[int, bytes]]:
        news = [(request.number, encoded(request)) for request in self.requests.open_after(after)]
        return news if self._ended is None or after >= END_NUMBER else [*news, (END_NUMBER, encoded(self._ended))]

    async def _make(self, begin: BeginCall, timeout_seconds: float | None) -> None:
        try:
            result = await self._processes.execute(begin.call, self, timeout_seconds=timeout_seconds)
            self._ended = AttemptEnded(result)
        except asyncio.CancelledError as cancelled:
            self._ended = AttemptEnded(is_clean=not isinstance(cancelled.__cause__, StepKilled | StepAbandoned))
        except Exception as error:  # noqa: BLE001 - it is raised where the execution runs
            self._ended = AttemptEnded(failure=RemoteFailure.of(error))
        self._tell()

    # As remote_calls.Desk, for the process that makes the attempt

    async def record(self, news: WriteNews) -> None:
        await self.requests.ask(lambda number: replace(news, number=number), type(None))

    async def read_within(self, path: RunPath) -> list[StepExecutionRecord]:
        return await self.requests.ask(lambda number: ReadWithin(number, path), list[StepExecutionRecord])

    async def read_time(self) -> datetime:
        return await self.requests.ask(ReadTime, datetime)
