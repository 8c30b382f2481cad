"""Running an execution, or only watching one, in front of somebody: what is seen, what Ctrl-C does, how it ends."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from types import FrameType

from ia_modules.cli.interrupt import restore_keyboard
from ia_modules.cli.output.view import View
from ia_modules.errors import DatabaseError, ExecutionCancelled, IAModulesError, LeaseLost
from ia_modules.models import ExecutionId, ExecutionRecord, ExecutionStatus, InteractionRecord
from ia_modules.pipeline.runner import StartedExecution
from ia_modules.tracker.execution_tracker import ExecutionTracker

_SAME_SIGNAL_SECONDS = 0.3  # a shell and what it started may both pass one Ctrl-C on
_LAST_LOOK_SECONDS = 10.0  # for the view to catch up with what is on record


class ExitStatus(IntEnum):
    """What a command that runs or watches an execution ends with."""

    COMPLETED = 0
    FAILED = 1  # or cancelled
    NOT_STARTED = 2
    WAITING = 3  # for a person
    INTERRUPTED = 130  # Ctrl-C while only watching, as shells say it

    @classmethod
    def of(cls, status: ExecutionStatus) -> "ExitStatus":
        match status:
            case ExecutionStatus.COMPLETED:
                return cls.COMPLETED
            case ExecutionStatus.WAITING_FOR_HUMAN:
                return cls.WAITING
            case _:
                return cls.FAILED


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended, from the records.

    Attributes:
        error: why this process could not bring it to its end; None when it did, in whatever way.
        questions: those that wait for a person.
    """

    record: ExecutionRecord
    questions: list[InteractionRecord]
    error: IAModulesError | None = None

    @property
    def exit_status(self) -> ExitStatus:
        return ExitStatus.of(self.record.status) if self.error is None else ExitStatus.FAILED


async def carry_out(tracker: ExecutionTracker, started: StartedExecution, view: View, *, after: int = 0) -> Ending:
    """Run an execution as far as it goes, in view of what comes after a sequence.

    Ctrl-C and SIGTERM cancel it, on record; a second one ends the process at once, and leaves it as it stands.
    """
    execution_id = started.execution_id
    running = asyncio.create_task(started.to_end(), name=f"run:{execution_id}")
    looking = _watch_while_running(tracker, execution_id, view, after)
    watching = asyncio.create_task(looking, name=f"view:{execution_id}")

    def stop() -> None:
        view.say("Stopping: what runs is cancelled, on record. Once more ends this process at once.")
        running.cancel()

    with interrupted_by(stop):
        await asyncio.wait([running])
        ending = await _ending(tracker, execution_id, _error_of(running))
        if ending.error is None:
            await asyncio.wait([watching], timeout=_LAST_LOOK_SECONDS)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    view.end(ending.record)
    return ending


async def watch(tracker: ExecutionTracker, execution_id: ExecutionId, view: View) -> Ending | None:
    """Show an execution that somebody else runs, until it ends; None when Ctrl-C ended the watching first."""
    watching = asyncio.create_task(_watch(tracker, execution_id, view, until=_has_ended), name=f"view:{execution_id}")
    with interrupted_by(watching.cancel):
        await asyncio.wait([watching])
    if watching.cancelled():
        return None
    watching.result()
    ending = await _ending(tracker, execution_id, None)
    view.end(ending.record)
    return ending


async def _watch(
    tracker: ExecutionTracker,
    execution_id: ExecutionId,
    view: View,
    *,
    until: Callable[[ExecutionStatus], bool],
    after: int = 0,
) -> None:
    async with aclosing(tracker.subscribe(execution_id, after)) as pages:
        async for changes in pages:
            view.show(changes)
            if until(changes.execution.status) and not changes.more:
                return


async def _watch_while_running(tracker: ExecutionTracker, execution_id: ExecutionId, view: View, after: int) -> None:
    try:
        await _watch(tracker, execution_id, view, until=_is_at_rest, after=after)
    except DatabaseError as error:
        view.say(f"What follows is not seen here, but it goes on: {error}")


def _has_ended(status: ExecutionStatus) -> bool:
    return status.is_terminal


def _is_at_rest(status: ExecutionStatus) -> bool:
    return status.is_terminal or status is ExecutionStatus.WAITING_FOR_HUMAN


async def _ending(tracker: ExecutionTracker, execution_id: ExecutionId, error: IAModulesError | None) -> Ending:
    record = await tracker.get_execution(execution_id)
    assert record is not None
    waits = record.status is ExecutionStatus.WAITING_FOR_HUMAN
    asked = await tracker.get_interactions(execution_id) if waits else []
    questions = [each for each in asked if each.status == "pending"]
    stands = _is_at_rest(record.status) and not isinstance(error, LeaseLost)  # then it is not this process's ending
    return Ending(record, questions, None if stands else error)


def _error_of(running: asyncio.Task[object]) -> IAModulesError | None:
    """Why it did not end well; what is no error of ours is a mistake in here, and raised."""
    if running.cancelled():
        return None
    error = running.exception()
    if error is None or isinstance(error, ExecutionCancelled):
        return None
    if not isinstance(error, IAModulesError):
        raise error
    return error


@contextmanager
def interrupted_by(stop: Callable[[], object]) -> Generator[None]:
    """Call this on Ctrl-C or SIGTERM, in the loop; the second time the process ends, whatever the loop does."""
    loop = asyncio.get_running_loop()
    first: float | None = None

    def hear(number: int, frame: FrameType | None) -> None:
        del number, frame
        nonlocal first
        if first is None:
            first = time.monotonic()
            loop.call_soon_threadsafe(stop)
        elif time.monotonic() - first > _SAME_SIGNAL_SECONDS:
            end_at_once(ExitStatus.FAILED)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_once(status: int) -> None:
    """End the process without waiting for what still runs in it; a terminal gets its cursor back."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    restore_keyboard()
    if os.isatty(1):
        os.write(1, b"\x1b[?25h\n")  # not through sys.stdout, which a picture may have taken over
    os._exit(status)
