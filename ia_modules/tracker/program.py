"""What records the programs of this process that do nothing for it but decorate functions.

Opened at the first call, behind the program, on a loop of its own; written to the end when the process exits. A child
process has none: what runs there is a part of what its parent calls, and no other process may write that.
"""

import asyncio
import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from importlib import import_module

from ia_modules.database.blocking import LoopThread
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.url import DEFAULT_URL, URL_VARIABLE
from ia_modules.errors import DatabaseError
from ia_modules.models import ExecutionId, JsonText, PipelineId, new_id
from ia_modules.paths import GRAPH
from ia_modules.place import RecordedPlace
from ia_modules.traces.running import outer_traceparent
from ia_modules.tracker.calls import CallEnded, CallLog, TrackedCall, TrackedProgram
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import Failure

logger = logging.getLogger("ia_modules.tracker")

GIVE_UP_SECONDS = 5.0
"""How long a write is tried again, and how long the end of the process waits for the last ones."""

AGAIN_SECONDS = 30.0
"""After which time a database that could not be opened is looked at again."""

_STILL_OPEN = Failure(type="ProgramEnded", message="The program ended before this call did.")


class ProgramRecorder:
    """Records outermost calls, each as an execution, in one database."""

    def __init__(self, url: str, *, give_up_seconds: float = GIVE_UP_SECONDS) -> None:
        self.failed_at: float | None = None  # by the monotonic clock: it could not be opened
        self._url, self._give_up_seconds = url, give_up_seconds
        self._thread = LoopThread("ia-tracked")
        self._owned = AsyncExitStack()
        self._opening: asyncio.Task[ExecutionTracker] | None = None
        self._pipelines: dict[str, PipelineId] = {}
        self._open: dict[ExecutionId, TrackedCall] = {}

    def begin(self, name: str, metadata: JsonText) -> TrackedCall:
        """An outermost call, whose beginning is still to be reported."""
        execution_id = ExecutionId(new_id())

        async def pipeline() -> PipelineId:
            return await self._pipeline(name)

        def ended() -> None:
            self._open.pop(execution_id, None)

        program = TrackedProgram(name, metadata, pipeline, ended, outer_traceparent())
        log = CallLog(execution_id, self._thread.loop, self._tracker, on_failure=say_once, program=program)
        log.has_failed = self.failed_at is not None
        call = TrackedCall(log, name, None, RecordedPlace(execution_id, GRAPH), is_program=True)
        if not log.has_failed:
            self._open[execution_id] = call
        return call

    def flush(self) -> None:
        """Wait until what has been reported is on record, or is given up."""
        with suppress(DatabaseError, TimeoutError):
            self._thread.call(self._flush())

    def close(self) -> None:
        """Write what is left, for a limited time, and end; calls that still go on are cancelled on record."""
        for call in [call for call in list(self._open.values()) if not call.has_ended]:
            call.log.report(CallEnded(call, time.monotonic(), "cancelled", None, _STILL_OPEN))
        with suppress(DatabaseError, TimeoutError):
            self._thread.call(self._close())
        self._thread.stop()

    # On the loop

    async def _tracker(self) -> ExecutionTracker:
        if self._opening is None:
            self._opening = asyncio.create_task(self._opened(), name="open the recorder")
        return await asyncio.shield(self._opening)

    async def _opened(self) -> ExecutionTracker:
        try:
            database = await self._owned.enter_async_context(DatabaseManager(self._url))
        except BaseException:
            self.failed_at = time.monotonic()
            raise
        return await self._owned.enter_async_context(ExecutionTracker(database, give_up_seconds=self._give_up_seconds))

    async def _pipeline(self, name: str) -> PipelineId:
        if name not in self._pipelines:
            tracker = await self._tracker()
            self._pipelines[name] = await tracker.register_pipeline(name, name)
        return self._pipelines[name]

    async def _flush(self) -> None:
        async with asyncio.timeout(self._give_up_seconds):
            await asyncio.gather(*(call.log.catch_up() for call in list(self._open.values())))

    async def _close(self) -> None:
        try:
            await self._flush()
        except TimeoutError as late:
            say_once(late)
        finally:
            async with asyncio.timeout(self._give_up_seconds):
                await self._owned.aclose()


_starting = threading.RLock()
_recorder: ProgramRecorder | None = None
_is_child = False
_said: set[str] = set()


def program_recorder() -> ProgramRecorder:
    """That of this process; of the database that ``DATABASE_URL`` names when it is first asked for."""
    global _recorder
    with _starting:
        if _recorder is not None and _recorder.failed_at is not None:
            if time.monotonic() < _recorder.failed_at + AGAIN_SECONDS:
                return _recorder
            _end(_recorder.close)
            _recorder = None
        if _recorder is None:
            _recorder = ProgramRecorder(os.environ.get(URL_VARIABLE) or DEFAULT_URL)
        return _recorder


def flush() -> None:
    """Wait until the calls that have been reported are on record, or are given up; for a few seconds at most."""
    if _recorder is not None:
        _recorder.flush()


def close() -> None:
    """End the recorder of this process, as its exit does; the next call begins a new one."""
    global _recorder
    with _starting:
        recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.close()


def is_child_process() -> bool:
    """Whether this process was made by a fork, or by ``multiprocessing``."""
    if _is_child:
        return True
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def say_once(error: BaseException) -> None:
    """What of the recording went wrong, once for each kind; the program goes on."""
    kind = type(error).__name__
    if kind not in _said:
        _said.add(kind)
        logger.warning("Calls of @tracked functions are not on record: %s: %s. The program goes on.", kind, error)


def forget_what_was_said() -> None:
    """It is said again from here on."""
    _said.clear()


def say_child_once() -> None:
    if "child" not in _said:
        _said.add("child")
        logger.warning(
            "Calls of @tracked functions are not on record in a child process (%d). Decorate what the parent calls; or "
            "record here by hand, with a DatabaseManager and an ExecutionTracker that are made here.",
            os.getpid(),
        )


def _end(closing: Callable[[], None]) -> None:
    threading.Thread(target=closing, name="ia-tracked-close", daemon=True).start()


def _after_fork() -> None:
    """In the child: threads, locks and connections of the parent are not here."""
    global _recorder, _is_child, _starting
    _recorder, _is_child, _starting = None, True, threading.RLock()
    forget_what_was_said()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(close)
# Before threads are waited for, and before those of concurrent.futures end, with which a host's name is looked up.
import_module("concurrent.futures.thread")
_before_threads_are_joined: Callable[[Callable[[], None]], object] = getattr(
    threading, "_register_atexit", atexit.register
)
_before_threads_are_joined(flush)
