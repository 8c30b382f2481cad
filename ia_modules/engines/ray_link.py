"""The owner's end of the process that has joined a Ray cluster for it."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any

from ia_modules.engines.ray_messages import (
    ActorOptions,
    JoinCluster,
    Joined,
    NotJoined,
    RayAnswer,
    RayRequest,
    RayVerb,
    encoded,
    read_news,
)
from ia_modules.pipeline.child_process import ChildProcess, end_together
from ia_modules.tasks import in_thread, uninterrupted


class RayAway(Exception):
    """The cluster, the driver, or an actor does not answer now."""


class RayLink:
    """The driver: a process that has joined the cluster."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._numbers = loop, iter(range(1, 2**62))
        self._open: dict[int, asyncio.Future[RayAnswer]] = {}
        self._hello: asyncio.Future[Joined] = loop.create_future()
        self._process: ChildProcess | None = None
        self.cluster = ""
        self.is_open = False

    async def join(self, join: JoinCluster) -> None:
        """Start it, and wait until it has joined.

        Raises:
            RayAway: it could not.
        """
        try:
            process = await uninterrupted(self._started(), "ray:start")
            process.send(encoded(join))
            await self._hello
        except OSError as error:
            raise RayAway(f"its driver cannot be started: {error.strerror}") from error
        except (RayAway, asyncio.CancelledError):
            self.kill()
            raise

    async def _started(self) -> ChildProcess:
        start = partial(ChildProcess, "ia_modules.engines.ray_driver", tell=self._tell)
        process = await in_thread(start, "ray:start")
        self._process = process
        return process

    async def ask(
        self, verb: RayVerb, name: str, method: str, args: tuple[Any, ...], options: ActorOptions | None
    ) -> RayAnswer:
        """Raises RayAway: it does not answer now."""
        if self._process is None or not self.is_open:
            raise RayAway("its driver has ended")
        number = next(self._numbers)
        request = RayRequest(number=number, verb=verb, name=name, method=method, args=args, options=options)
        answered = self._open[number] = self._loop.create_future()
        try:
            self._process.send(encoded(request))
            return await answered
        finally:
            self._open.pop(number, None)

    async def answers(self, seconds: float) -> bool:
        """Whether the process itself does, whatever the cluster does; False also where it has ended."""
        try:
            async with asyncio.timeout(seconds):
                await self.ask("ping", "", "", (), None)
        except (TimeoutError, RayAway):
            return False
        return True

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End it, and wait for that; from any thread."""
        if self._process is not None:
            end_together([self._process])

    def _tell(self, message: bytes | int) -> None:
        """In the thread that reads."""
        news = message if isinstance(message, int) else read_news(message)
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._hear, news)

    def _hear(self, news: RayAnswer | Joined | NotJoined | int) -> None:
        match news:
            case Joined():
                self.cluster, self.is_open = news.cluster, True
                if not self._hello.done():
                    self._hello.set_result(news)
            case RayAnswer():
                if (answered := self._open.pop(news.number, None)) is not None and not answered.done():
                    answered.set_result(news)
            case NotJoined():
                self._is_over(news.why)
            case status:
                self._is_over(f"its driver ended with status {status}")

    def _is_over(self, why: str) -> None:
        self.is_open = False
        away = RayAway(why)
        for waiting in (self._hello, *self._open.values()):
            if not waiting.done():
                waiting.set_exception(away)
        self._hello.exception() if self._hello.done() and not self._hello.cancelled() else None


async def opened_link(join: JoinCluster) -> RayLink:
    """Raises RayAway: it could not join."""
    link = RayLink(asyncio.get_running_loop())
    await link.join(join)
    return link
