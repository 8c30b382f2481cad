"""Running one attempt of a step: where its code runs, how it is stopped, and what may come out of it.

User code may raise anything, never return, ignore cancellation or call ``sys.exit``; whatever it does becomes a result
or an exception here, and the process lives on.
"""

import asyncio
import contextvars
import inspect
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from types import CodeType
from typing import Any, Protocol
from weakref import WeakSet

from ia_modules.errors import StepAbandoned, StepError, StepExited, StepTimeout
from ia_modules.models import JsonText, LogLevel, StepExecutionId
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.process_pool import ProcessPool
from ia_modules.pipeline.remote_calls import Needs, OwnersDesk, RemoteCall, line_of
from ia_modules.pipeline.streaming import awaited, streamed
from ia_modules.tasks import in_thread, is_ctrl_c

logger = logging.getLogger("ia_modules.pipeline")

STOP_SECONDS = 2.0
"""How long a cancelled step may take to tidy up; then it is abandoned: it is never waited for again."""

CANCELLED_ITSELF = "it cancelled itself"

current_step: ContextVar[Step | None] = ContextVar("current_step", default=None)
"""The step whose attempt is made in this context."""


class contained:  # noqa: N801 - it stands in a ``with``, as ``suppress`` does
    """Whatever user code raises in here is an Exception afterwards, except a cancellation and a real Ctrl-C.

    Raises:
        StepExited: it called ``sys.exit``, or raised what would end the process.
    """

    __slots__ = ("_step_id",)

    def __init__(self, step_id: str) -> None:
        self._step_id = step_id

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, left: BaseException | None, traceback: object) -> None:
        if left is None or isinstance(left, Exception | asyncio.CancelledError) or is_ctrl_c(left):
            return
        raise failure_of(self._step_id, left) from left


def failure_of(step_id: str, left: BaseException) -> Exception:
    """What user code raised, as an Exception; a cancellation and a real Ctrl-C are raised again."""
    if isinstance(left, Exception):
        return left
    if isinstance(left, asyncio.CancelledError) or is_ctrl_c(left):
        raise left
    exited = StepExited(step_id, _reason(left))
    exited.__cause__ = left
    return exited


class StepExecutor(Protocol):
    """Where attempts run: in this process, in processes beside it, and on a cluster where one is joined."""

    @property
    def problem(self) -> str | None:
        """What keeps it from running attempts at the moment, in words; None = nothing."""
        ...

    @property
    def cluster(self) -> str | None:
        """The identity of the Ray cluster that it is joined to at the moment; None: of none."""
        ...

    def lacks(self, needs: Needs) -> str | None:
        """Why steps with these needs cannot run here, in words; None: they can."""
        ...

    def running_on(self, loop: asyncio.AbstractEventLoop) -> Step | None:
        """The step whose code an event loop runs at this moment; None: none, or it is not known. From any thread."""
        ...

    async def execute(self, step_id: str, call: Callable[..., Any], *args: Any, timeout_seconds: float | None) -> Any:
        """What ``call(*args)`` gives: awaited when it is async, in a thread of its own when it is not.

        What a plain function gives is awaited too where it can be, in the rest of its time. An async one without a
        limit is awaited in the caller's task, which only :meth:`stop` may cancel. What an async generator yields is
        emitted (``streaming``).

        ``step_id`` names it in errors. When the caller's task is stopped, so is the step, and CancelledError is raised.

        Raises:
            StepTimeout: it took too long.
            StepExited: it called ``sys.exit``, or cancelled itself.
            Exception: what the step raised.
        """
        ...

    async def execute_remote(
        self, call: RemoteCall, desk: OwnersDesk, *, timeout_seconds: float | None, rejoins: bool = False
    ) -> JsonText:
        """What the code of a call gives, as JSON, which is called in another process.

        The limit counts from when the code is loaded. When the caller's task is stopped, so is the code, and
        CancelledError is raised; what does not stop in time is ended with its process. What runs elsewhere
        (``mark_elsewhere`` of the desk) is left alone instead where the owner leaves it to others (``leaves``).

        Args:
            desk: what is asked to write for it meanwhile.
            rejoins: an earlier owner has begun the call elsewhere: what that comes to is waited for, and it is not
                begun again. Nothing to an executor that runs nothing elsewhere.

        Raises:
            StepTimeout: it took too long.
            StepProcessEnded: its process ended in the middle.
            StepLost: what ran it elsewhere is gone, or nobody there knows of it: the attempt is to be made again.
            StepError: its code could not be loaded there.
            Exception: what the step raised.
        """
        ...

    def recorded(self, ids: Iterable[StepExecutionId]) -> None:
        """The ends of these attempts are on record: nobody will ask for them, so what still runs of them may be ended.

        Said of attempts whose step runs in another process, at least once where this process wrote the end.
        """
        ...

    async def stop(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Cancel tasks that execute, or wait; those whose step does not stop are left alone after a while, not done."""
        ...

    async def close(self) -> None:
        """End the processes of steps, which close their services first; others may be started again.

        Without this they end with the program, or when they have had nothing to do for a minute.
        """
        ...


class StepCluster(Protocol):
    """A cluster that steps run on. What it has begun goes on without its owner, until the next one asks for it."""

    @property
    def cluster(self) -> str | None:
        """Which one is joined at the moment; None: none."""
        ...

    async def execute(
        self, call: RemoteCall, desk: OwnersDesk, *, timeout_seconds: float | None, rejoins: bool
    ) -> JsonText:
        """As :meth:`StepExecutor.execute_remote`."""
        ...

    def recorded(self, attempts: Iterable[StepExecutionId]) -> None:
        """As :meth:`StepExecutor.recorded`."""
        ...


_FELL_BACK = "It runs in a process of this machine: no Ray cluster is joined, and it may fall back."


class LocalExecutor:
    """Runs attempts on this machine: as tasks of the loop, in daemon threads, and in processes where a step says so."""

    def __init__(
        self,
        *,
        threads: int = 64,
        processes: int | None = None,
        cluster: "StepCluster | None" = None,
        moves_isolated: bool = False,
        falls_back: bool = False,
    ) -> None:
        """Nothing runs yet.

        Args:
            threads: how many plain functions run at the same time, abandoned ones included; further ones wait.
            processes: the same, of steps in processes of their own; None: as many as there are processors.
            cluster: what runs steps that say so; None: there is none.
            moves_isolated: steps that only want a process of their own run there, too.
            falls_back: without one, they run in processes of their own where they may.
        """
        self._threads, self._places = threads, asyncio.Semaphore(threads)
        self._pool = ProcessPool(processes or os.cpu_count() or 1)
        self._cluster, self._moves_isolated, self._falls_back = cluster, moves_isolated, falls_back
        self._steps: dict[asyncio.Task[Any], Step | None] = {}
        self._stopping: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._left_tasks: set[asyncio.Task[Any]] = set()
        self._left_threads: dict[object, str] = {}

    @property
    def abandoned(self) -> int:
        """How many attempts that did not stop when they should have still run."""
        return len(self._left_tasks) + len(self._left_threads)

    @property
    def problem(self) -> str | None:
        """What keeps it from running plain functions, in words; None = nothing."""
        if len(self._left_threads) < self._threads:
            return None
        held = f"All {self._threads} threads for plain functions are held by steps that did not stop"
        return f"{held}: {self._names()}. Others wait until one of them ends; start this process anew."

    @property
    def cluster(self) -> str | None:
        return None if self._cluster is None else self._cluster.cluster

    def lacks(self, needs: Needs) -> str | None:
        if needs.place == "process" or self._cluster is not None or (self._falls_back and needs.may_fall_back):
            return None
        what = "a Ray cluster" if needs.may_fall_back else "a Ray cluster, and may run nowhere else"
        return f"it needs {what}, and this process has joined none (--ray auto, or --ray HOST:PORT)"

    def running_on(self, loop: asyncio.AbstractEventLoop) -> Step | None:
        task = asyncio.current_task(loop)
        return None if task is None else self._steps.get(task)

    async def execute(self, step_id: str, call: Callable[..., Any], *args: Any, timeout_seconds: float | None) -> Any:
        runs_async = is_async(call)
        if not runs_async and inspect.isasyncgenfunction(call):
            call, runs_async = partial(_streamed, call), True
        work = partial(call, *args)
        if timeout_seconds is None and runs_async:
            value = await self._here(step_id, work)
        else:
            value = await self._beside(step_id, work, timeout_seconds, is_async=runs_async)
        if type(value) is dict:  # what nearly all of them give
            return value  # pyright: ignore[reportUnknownVariableType]
        while (rest := awaited(value)) is not None:  # an async one may give it, too
            value = await self._here(step_id, partial(_as_it_is, rest))
        return value

    async def execute_remote(
        self, call: RemoteCall, desk: OwnersDesk, *, timeout_seconds: float | None, rejoins: bool = False
    ) -> JsonText:
        needs = call.needs
        moves = needs.place == "ray" or rejoins or (needs.may_move and self._moves_isolated)
        if self._cluster is not None and moves:
            return await self._cluster.execute(call, desk, timeout_seconds=timeout_seconds, rejoins=rejoins)
        if needs.place == "process":
            return await self._pool.execute(call, desk, timeout_seconds=timeout_seconds)
        if (lack := self.lacks(call.needs)) is not None:
            raise StepError(call.step_id, f"{lack}.")
        await desk.record(line_of(call, LogLevel.WARNING, _FELL_BACK))
        return await self._pool.execute(call, desk, timeout_seconds=timeout_seconds)

    def recorded(self, ids: Iterable[StepExecutionId]) -> None:
        if self._cluster is not None:
            self._cluster.recorded(ids)

    async def close(self) -> None:
        await in_thread(self._pool.close, "step-processes:close")

    async def stop(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        tasks = set(tasks)
        self._stopping.update(tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        left = {task for task in tasks if task in self._steps and not task.done()}
        for task in left:
            self._leave(task)
        if tasks := {task for task in tasks - left if not task.done()}:
            await asyncio.wait(tasks)  # each waits for a step beside it, and that no longer

    async def _here(self, step_id: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """In the caller's own task."""
        task = asyncio.current_task()
        assert task is not None
        _contain_tasks(task.get_loop())
        self._steps[task] = current_step.get()
        outside = _step_of_task.set(step_id)
        try:
            value = await work()
        except Exception:
            if task in self._stopping:  # it has been told to stop: whatever it says now is not asked for
                raise asyncio.CancelledError from None
            raise
        except asyncio.CancelledError:
            if task in self._stopping:
                raise
            await _uncancelled(task)
            raise StepExited(step_id, CANCELLED_ITSELF) from None
        except BaseException as left:
            if is_ctrl_c(left):
                raise
            raise StepExited(step_id, _reason(left)) from left
        finally:
            _step_of_task.reset(outside)
            del self._steps[task]
        if task.cancelling():
            if task in self._stopping:
                raise asyncio.CancelledError
            await _uncancelled(task)
            raise StepExited(step_id, CANCELLED_ITSELF)
        return value

    async def _beside(
        self, step_id: str, work: Callable[[], Any], timeout_seconds: float | None, *, is_async: bool
    ) -> Any:
        """In a task of its own, or in a thread: what has a limit is left alone there when it does not keep to it."""
        context, clock = contextvars.copy_context(), asyncio.get_running_loop().time
        if is_async:
            began = clock()
            value = await self._in_task(step_id, work, timeout_seconds, context, left_seconds=timeout_seconds)
        else:
            if not _has_place.get():
                await self._take_place(step_id)
            began = clock()
            value = await self._in_thread(step_id, work, timeout_seconds, context)
            context.run(_has_place.set, _has_place.get())  # as it is here: the thread has ended
        while (rest := awaited(value)) is not None:  # a plain function may give what an async one gave it
            left = None if timeout_seconds is None else max(0.0, began + timeout_seconds - clock())
            value = await self._in_task(step_id, partial(_as_it_is, rest), timeout_seconds, context, left_seconds=left)
        return value

    async def _in_task(
        self,
        step_id: str,
        work: Callable[[], Awaitable[Any]],
        timeout_seconds: float | None,
        context: contextvars.Context,
        *,
        left_seconds: float | None,
    ) -> Any:
        """``left_seconds``: what is left of ``timeout_seconds``."""

        async def guarded() -> Any:
            _step_of_task.set(step_id)
            with contained(step_id):
                return await work()

        _contain_tasks(asyncio.get_running_loop())
        task = asyncio.create_task(guarded(), name=f"step:{step_id}", context=context)
        self._steps[task] = current_step.get()
        task.add_done_callback(self._steps.pop)
        try:
            await asyncio.wait([task], timeout=left_seconds)
        except asyncio.CancelledError:
            await self._stop(task)
            raise
        if not task.done():
            stopped = await self._stop(task)
            raise StepTimeout(step_id, timeout_seconds or 0.0) from (None if stopped else StepAbandoned(step_id))
        if task.cancelled():
            raise StepExited(step_id, CANCELLED_ITSELF)
        return task.result()

    async def _stop(self, task: asyncio.Task[Any]) -> bool:
        """Cancel a step's task; False when it does not stop and is left alone."""
        task.cancel()
        await asyncio.wait([task], timeout=STOP_SECONDS)
        if task.done():
            if not task.cancelled():
                task.exception()  # it has been told to stop: whatever it says now is not asked for
            return True
        self._leave(task)
        return False

    def _leave(self, task: asyncio.Task[Any]) -> None:
        self._left_tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left_tasks.discard(task)
        if not task.cancelled():
            task.exception()

    async def _in_thread(
        self, step_id: str, work: Callable[[], Any], timeout_seconds: float | None, context: contextvars.Context
    ) -> Any:
        """Threads of its own, not the loop's pool: one that never returns must not keep the process from ending."""
        loop, place, is_own = asyncio.get_running_loop(), object(), not _has_place.get()
        context.run(_has_place.set, True)

        def guarded() -> list[Any]:
            try:
                return [context.run(work)]  # so that the future, which the loop keeps a while, lets go of what is in it
            except BaseException as left:
                if isinstance(left, Exception) and not isinstance(left, StopIteration):
                    raise
                raise StepExited(step_id, _reason(left)) from left
            finally:
                with suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(self._leave_place, place, is_own)

        try:
            outcome = in_thread(guarded, f"step:{step_id}")
        except RuntimeError:  # the system has no thread left
            self._leave_place(place, is_own)
            raise
        try:
            async with asyncio.timeout(timeout_seconds):
                return (await asyncio.shield(outcome)).pop()
        except TimeoutError:
            if outcome.done():  # its own TimeoutError, not ours
                raise
            self._left_threads[place] = step_id
            outcome.cancel()
            raise StepTimeout(step_id, timeout_seconds or 0.0) from StepAbandoned(step_id)
        except asyncio.CancelledError:
            if not outcome.done():
                self._left_threads[place] = step_id
            outcome.cancel()
            raise

    async def _take_place(self, step_id: str) -> None:
        """A thread counts until it ends, whether somebody waits for it or not: the limit is one of threads."""
        if self._places.locked() and self._left_threads:
            held = f"{len(self._left_threads)} of {self._threads} threads are held by steps that did not stop"
            logger.warning("Step %s waits for a thread: %s: %s", step_id, held, self._names())
        await self._places.acquire()

    def _leave_place(self, place: object, is_own: bool) -> None:
        self._left_threads.pop(place, None)
        if is_own:
            self._places.release()

    def _names(self) -> str:
        return ", ".join(sorted(set(self._left_threads.values())))


async def _uncancelled(task: asyncio.Task[Any]) -> None:
    """Take back what a step has asked of the current task: it was to cancel the step alone."""
    while task.uncancel():
        pass
    with suppress(asyncio.CancelledError):  # the request may not have reached the task yet
        await asyncio.sleep(0)


def is_async(call: Callable[..., Any]) -> bool:
    """Whether what is called gives something to await, by its definition."""
    code = getattr(call, "__code__", None) or getattr(getattr(call, "__func__", None), "__code__", None)
    if isinstance(code, CodeType) and code.co_flags & inspect.CO_COROUTINE:  # what nearly all of them are
        return True
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004


def _as_it_is(value: Awaitable[Any]) -> Awaitable[Any]:
    return value


async def _streamed(call: Callable[..., AsyncGenerator[Any]], *args: Any) -> Any:
    return await streamed(call(*args))


def _reason(left: BaseException) -> object:
    return left.code if isinstance(left, SystemExit) else type(left).__name__


_has_place: ContextVar[bool] = ContextVar("has_place", default=False)
"""Whether a thread that has a place waits for this: what it waits for needs none, or all could wait for each other."""

_step_of_task: ContextVar[str | None] = ContextVar("step_of_task", default=None)
"""The id of the step whose code runs in this task, or made it."""


class _ContainedCoroutine(Coroutine[Any, Any, Any]):
    """A coroutine of a task that step code made: what would end the event loop from there fails the task instead."""

    def __init__(self, step_id: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._step_id, self._coroutine = step_id, coroutine

    def send(self, value: Any, /) -> Any:
        with contained(self._step_id):
            return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        with contained(self._step_id):
            return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def __getattr__(self, name: str) -> Any:  # its frame and its name, for those who print a task
        return getattr(self._coroutine, name)


class _ContainedTasks:
    """Makes the tasks of a loop, those of step code contained.

    A task hands ``SystemExit`` and ``KeyboardInterrupt`` on to its loop, which ends: a step that calls ``sys.exit`` in
    ``gather`` or in a ``TaskGroup`` would end the process.
    """

    def __init__(self, make: Callable[..., Any] | None) -> None:
        """``make``: the factory that the loop had before."""
        self._make = make

    def __call__(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        step_id = _step_of_task.get()
        if step_id is not None and asyncio.iscoroutine(coroutine):
            coroutine = _ContainedCoroutine(step_id, coroutine)
        if self._make is not None:
            return self._make(loop, coroutine, **options)
        return asyncio.Task(coroutine, loop=loop, **options)


def _contain_tasks(loop: asyncio.AbstractEventLoop) -> None:
    make: Any = loop.get_task_factory()
    if not isinstance(make, _ContainedTasks):
        loop.set_task_factory(_ContainedTasks(make))
