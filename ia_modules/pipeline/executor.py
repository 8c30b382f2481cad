"""Running one attempt of a step: where its code runs, how it is stopped, and what may come out of it.

User code may raise anything, never return, ignore cancellation or call ``sys.exit``; whatever it does becomes a result
or an exception here, and the process lives on.
"""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import Any, Protocol

from ia_modules.errors import StepAbandoned, StepExited, StepTimeout
from ia_modules.pipeline.core import Step

STOP_SECONDS = 2.0
"""How long a cancelled step may take to tidy up; then it is abandoned: it is never waited for again."""


class StepExecutor(Protocol):
    """Where attempts run: in this process, or some day on a cluster."""

    async def execute(self, step: Step, call: Callable[..., Any], *args: Any, timeout_seconds: float | None) -> Any:
        """What ``call(*args)`` gives: awaited when it is async, in a thread of its own when it is not.

        When this coroutine is cancelled the step is stopped, and CancelledError raised.

        Raises:
            StepTimeout: it took too long.
            StepExited: it called ``sys.exit``.
            Exception: what the step raised.
        """
        ...


class LocalExecutor:
    """Runs attempts in this process: async ones as tasks of the loop, plain functions in daemon threads.

    Attributes:
        abandoned: how many attempts did not stop when they should have; they may still run.
    """

    def __init__(self, *, threads: int = 64) -> None:
        """``threads``: how many plain functions run at the same time; further ones wait for a place."""
        self._places = asyncio.Semaphore(threads)
        self._left_alone: set[asyncio.Task[Any]] = set()
        self.abandoned = 0

    async def execute(self, step: Step, call: Callable[..., Any], *args: Any, timeout_seconds: float | None) -> Any:
        if inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None)):  # noqa: B004
            return await self._in_task(step, call, args, timeout_seconds)
        async with self._places:
            return await self._in_thread(step, call, args, timeout_seconds)

    async def _in_task(
        self, step: Step, call: Callable[..., Any], args: tuple[Any, ...], timeout_seconds: float | None
    ) -> Any:
        async def guarded() -> Any:
            try:
                return await call(*args)
            except (Exception, asyncio.CancelledError, KeyboardInterrupt):
                raise
            except BaseException as left:
                raise StepExited(step.name, _reason(left)) from left

        task = asyncio.create_task(guarded(), name=f"step:{step.name}")
        try:
            await asyncio.wait([task], timeout=timeout_seconds)
        except asyncio.CancelledError:
            await self._stop(task)
            raise
        if not task.done():
            stopped = await self._stop(task)
            raise StepTimeout(step.name, timeout_seconds or 0.0) from (None if stopped else StepAbandoned(step.name))
        if task.cancelled():
            raise StepExited(step.name, "it cancelled itself")
        return task.result()

    async def _stop(self, task: asyncio.Task[Any]) -> bool:
        """Cancel a step's task; False when it does not stop and is left alone."""
        task.cancel()
        await asyncio.wait([task], timeout=STOP_SECONDS)
        if task.done():
            if not task.cancelled():
                task.exception()  # it has been told to stop: whatever it says now is not asked for
            return True
        self.abandoned += 1
        self._left_alone.add(task)
        task.add_done_callback(self._forget)
        return False

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left_alone.discard(task)
        if not task.cancelled():
            task.exception()

    async def _in_thread(
        self, step: Step, call: Callable[..., Any], args: tuple[Any, ...], timeout_seconds: float | None
    ) -> Any:
        """Threads of its own, not the loop's pool: one that never returns must not keep the process from ending."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if outcome.done():
                return
            if error is None:
                outcome.set_result(result)
            else:
                outcome.set_exception(error)

        def work(context: contextvars.Context) -> None:
            result, error = None, None
            try:
                result = context.run(call, *args)
            except BaseException as raised:  # noqa: BLE001 - user code: whatever it raises is the step's failure
                error = raised
                if not isinstance(raised, Exception) or isinstance(raised, StopIteration):  # no future carries that one
                    error = StepExited(step.name, _reason(raised))
                    error.__cause__ = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=work, args=(contextvars.copy_context(),), name=f"step:{step.name}", daemon=True).start()
        try:
            async with asyncio.timeout(timeout_seconds):
                return await asyncio.shield(outcome)
        except TimeoutError:
            if outcome.done():  # its own TimeoutError, not ours
                raise
            self.abandoned += 1
            outcome.cancel()
            raise StepTimeout(step.name, timeout_seconds or 0.0) from StepAbandoned(step.name)
        except asyncio.CancelledError:
            self.abandoned += not outcome.done()
            outcome.cancel()
            raise


def _reason(left: BaseException) -> object:
    return left.code if isinstance(left, SystemExit) else type(left).__name__
