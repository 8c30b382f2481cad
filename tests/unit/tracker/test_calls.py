"""Calls are written in their order, behind whoever reports them, and the first failure to write ends it."""

import asyncio
import threading
import time
from typing import Any

import pytest

from ia_modules.errors import DatabaseUnavailable
from ia_modules.models import PipelineId, RunPath
from ia_modules.place import RecordedPlace
from ia_modules.tracker.calls import CallBegan, CallEnded, CallLog, TrackedCall
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import Failure


class Log:
    """The log of an execution that is recorded by hand, as the code inside of it reports to it."""

    def __init__(self, tracker: ExecutionTracker, execution_id: Any) -> None:
        self.tracker, self.failures = tracker, list[BaseException]()
        self.place = RecordedPlace(execution_id, RunPath(""))
        self.log = CallLog(
            execution_id,
            asyncio.get_running_loop(),
            self._tracker,
            on_failure=self.failures.append,
            behind=tracker.behind,
        )

    async def _tracker(self) -> ExecutionTracker:
        return self.tracker

    def begin(self, name: str, parent: TrackedCall | None = None) -> TrackedCall:
        call = TrackedCall(self.log, name, parent, self.place)
        self.log.report(CallBegan(call, time.monotonic(), None))
        return call

    def end(self, call: TrackedCall, failure: Failure | None = None) -> None:
        status = "completed" if failure is None else "failed"
        self.log.report(CallEnded(call, time.monotonic(), status, None, failure))

    async def runs(self, within: str = "") -> list[tuple[str, int, int, str]]:
        steps = await self.tracker.get_execution_steps(self.place.execution_id, within=RunPath(within))
        return sorted((each.step_id, each.iteration, each.attempt, each.status.value) for each in steps)


@pytest.fixture
async def log(tracker: ExecutionTracker, pipeline_id: PipelineId) -> Log:
    return Log(tracker, await tracker.start_execution(pipeline_id))


async def test_what_is_reported_before_something_else_is_written_is_on_record_before_that(log: Log) -> None:
    outer = log.begin("outer")
    inner = log.begin("inner", outer)
    log.end(inner)
    log.end(outer)
    assert log.log.is_behind
    await log.tracker.update_execution_status(log.place.execution_id, "completed")
    assert not log.log.is_behind
    assert log.tracker.behind == {}
    assert await log.runs() == [("outer", 1, 1, "completed")]
    assert await log.runs("outer#1") == [("inner", 1, 1, "completed")]
    assert log.failures == []


async def test_after_one_that_failed_comes_the_next_attempt_as_of_other_steps_recorded_by_hand(log: Log) -> None:
    for failure in (Failure(type="ValueError", message="no"), None, None):
        call = log.begin("load")
        inner = log.begin("inner", call)
        log.end(inner)
        log.end(call, failure)
    await log.log.catch_up()
    assert await log.runs() == [
        ("load", 1, 1, "failed"),
        ("load", 1, 2, "completed"),
        ("load", 2, 1, "completed"),
    ]
    assert await log.runs("load#1") == [("inner", 1, 1, "completed"), ("inner", 2, 1, "completed")]


async def test_threads_report_as_they_please(log: Log) -> None:
    def report(name: str) -> None:
        for _ in range(50):
            call = log.begin(name)
            log.end(log.begin("inner", call))
            log.end(call)

    threads = [threading.Thread(target=report, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await log.log.catch_up()
    assert log.failures == []
    expected = [(f"t{number}", iteration, 1, "completed") for number in range(4) for iteration in range(1, 51)]
    assert await log.runs() == expected
    assert await log.runs("t2#50") == [("inner", 1, 1, "completed")]


async def test_a_call_that_ends_after_what_it_was_a_part_of_was_closed_with_that(log: Log) -> None:
    outer = log.begin("outer")
    inner, other = log.begin("inner", outer), log.begin("other")
    log.end(outer)
    await log.log.catch_up()
    log.end(inner)
    log.end(other)
    await log.log.catch_up()
    assert await log.runs("outer#1") == [("inner", 1, 1, "cancelled")]
    assert await log.runs() == [("other", 1, 1, "completed"), ("outer", 1, 1, "completed")]
    assert log.failures == []


async def test_what_cannot_be_written_ends_it_and_is_told_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.end(log.begin("written"))
    await log.log.catch_up()

    async def fail(_: object) -> None:
        raise DatabaseUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(log.tracker, "write", fail)
        for _ in range(3):
            log.end(log.begin("lost"))
            await log.log.catch_up()
    log.end(log.begin("late"))
    await log.log.catch_up()
    assert [str(each) for each in log.failures] == ["gone"]
    assert log.log.has_failed
    assert await log.runs() == [("written", 1, 1, "completed")]


async def test_an_execution_that_has_ended_takes_no_calls(log: Log) -> None:
    await log.tracker.update_execution_status(log.place.execution_id, "completed")
    log.begin("late")
    await log.log.catch_up()
    assert [type(each).__name__ for each in log.failures] == ["AlreadyFinished"]
    assert await log.runs() == []


async def test_a_loop_that_is_closed_ends_it(tracker: ExecutionTracker, log: Log) -> None:
    loop = asyncio.new_event_loop()
    loop.close()

    async def itself() -> ExecutionTracker:
        return tracker

    closed = CallLog(log.place.execution_id, loop, itself, on_failure=log.failures.append)
    closed.report(CallBegan(TrackedCall(closed, "one", None, log.place), time.monotonic(), None))
    assert closed.has_failed
    assert [type(each) for each in log.failures] == [RuntimeError]
