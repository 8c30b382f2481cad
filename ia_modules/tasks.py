"""Watched background tasks, work that is not interrupted, calls in threads of their own, waiting that has a limit."""

import asyncio
import contextvars
import logging
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

logger = logging.getLogger("ia_modules.tasks")


def background(
    work: Coroutine[None, None, None], name: str, *, on_failure: Callable[[BaseException], None] | None = None
) -> asyncio.Task[None]:
    """A task of the running loop in a context of its own: it must not inherit, say, its starter's transaction.

    When it ends with an exception, that is logged and its owner is told; being cancelled is no failure.

    Args:
        on_failure: called in the loop after the task has failed; the place to tell those who wait, or to start anew.
    """

    def watch(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("The background task %r failed", name, exc_info=error)
            if on_failure is not None:
                on_failure(error)

    task = asyncio.get_running_loop().create_task(work, name=name, context=contextvars.Context())
    task.add_done_callback(watch)
    return task


async def uninterrupted(work: Coroutine[Any, Any, T], name: str) -> T:
    """What the work gives. When the caller is cancelled, the work goes on to its end, and then the caller ends so.

    Raises:
        asyncio.CancelledError: the caller was cancelled meanwhile; what the work gave, or raised, is dropped.
    """
    task = asyncio.create_task(work, name=name)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()
    raise cancelled


def in_thread(call: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Call something in a daemon thread of its own: one that never returns fills no pool, and the process can end.

    The future has its result or its exception. When the future is cancelled the thread goes on, and what comes of it is
    dropped.
    """
    outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    threading.Thread(target=settling(call, outcome, name), name=name, daemon=True).start()
    return outcome


def settling(call: Callable[[], T], outcome: asyncio.Future[T], name: str) -> Callable[[], None]:
    """What a thread does to call something whose result or exception a future of a loop elsewhere gets."""
    loop = outcome.get_loop()

    def settle(result: list[T], error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(result[0])
        else:
            outcome.set_exception(error)

    def work() -> None:
        result: list[T] = []
        error: BaseException | None = None
        try:
            result.append(call())
        except StopIteration as stop:  # which no future carries
            error = RuntimeError(f"{name} raised StopIteration")
            error.__cause__ = stop
        except BaseException as raised:  # noqa: BLE001 - it is the caller's, and raised on the loop
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    return work


async def set_within(seconds: float | None, event: asyncio.Event) -> bool:
    """Wait for an event, so long at most; whether it came. On Python 3.11 wait_for can swallow a cancellation."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False


def is_ctrl_c(error: BaseException) -> bool:
    """Whether a KeyboardInterrupt may come from the keyboard, and so must end the process.

    Python raises one for a signal only in the main thread, and only where nobody else handles SIGINT. ``asyncio.run``
    and every command do: there, code has raised it itself, or a first Ctrl-C has cancelled the program's task before.
    """
    is_main = threading.current_thread() is threading.main_thread()
    by_python = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, KeyboardInterrupt) and is_main and by_python
