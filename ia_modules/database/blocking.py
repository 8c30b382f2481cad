"""Coroutines for code without an event loop: run on a private loop in a thread."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from typing import Any, TypeVar

T = TypeVar("T")

_STOP_SECONDS = 5.0  # for what was interrupted to say how it ended


class LoopThread:
    """An event loop in its own daemon thread, started at the first call."""

    def __init__(self, name: str = "ia-database-loop") -> None:
        self._name = name
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """As :func:`run_on` that loop."""
        return run_on(self.loop, coroutine)

    def stop(self) -> None:
        """End the loop and its thread, if started; a later call starts new ones."""
        with self._starting:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """That loop, which runs from here on."""
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop


def run_on(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine, in the context of the caller, on a loop that runs in another thread, and wait for it.

    Interrupting the wait, as Ctrl-C does, cancels it and waits a little for its end.
    """
    outcome: Future[T] = Future()
    tasks: list[asyncio.Task[T]] = []

    def begin() -> None:
        task = loop.create_task(coroutine)
        task.add_done_callback(settle)
        tasks.append(task)

    def settle(task: asyncio.Task[T]) -> None:
        if task.cancelled():
            outcome.set_exception(asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(task.result())

    def stop() -> None:
        for task in tasks:
            task.cancel()

    try:
        loop.call_soon_threadsafe(begin)
        return outcome.result()
    except BaseException:
        if not outcome.done():
            loop.call_soon_threadsafe(stop)
            wait([outcome], timeout=_STOP_SECONDS)
        raise


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(_end_the_rest())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end_the_rest() -> None:
    """Cancel what is left, such as connections of a pool that are still being closed, and wait for it."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
