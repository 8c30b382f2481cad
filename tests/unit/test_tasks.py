import asyncio
import threading
from contextvars import ContextVar

import pytest

from ia_modules.tasks import background, in_thread, set_within, uninterrupted


async def fail() -> None:
    raise ZeroDivisionError("nobody waits for me")


async def test_a_background_task_that_fails_is_logged_and_its_owner_told(caplog: pytest.LogCaptureFixture) -> None:
    heard: asyncio.Queue[BaseException] = asyncio.Queue()
    task = background(fail(), "watched", on_failure=heard.put_nowait)
    assert isinstance(await heard.get(), ZeroDivisionError)
    assert task.done()
    (record,) = caplog.records
    assert record.getMessage() == "The background task 'watched' failed"
    assert record.exc_info is not None


async def test_a_background_task_that_ends_or_is_cancelled_has_not_failed(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[BaseException] = []
    ended = background(asyncio.sleep(0), "ends", on_failure=heard.append)
    cancelled = background(asyncio.sleep(60), "cancelled", on_failure=heard.append)
    await ended
    cancelled.cancel()
    await asyncio.wait([cancelled])
    await asyncio.sleep(0)
    assert (heard, caplog.records) == ([], [])


async def test_a_background_task_has_a_context_of_its_own() -> None:
    variable = ContextVar("variable", default="none")
    variable.set("the starter's")
    seen: list[str] = []

    async def look() -> None:
        seen.append(variable.get())

    await background(look(), "looks")
    assert seen == ["none"]


async def test_a_call_in_a_thread_gives_its_result_or_its_exception() -> None:
    assert await in_thread(lambda: threading.current_thread().daemon, "call") is True
    for raised, expected in ((KeyError("x"), KeyError), (StopIteration(), RuntimeError)):

        def call(raised: BaseException = raised) -> None:
            raise raised

        with pytest.raises(expected):
            await in_thread(call, "call")


async def test_a_call_whose_future_is_cancelled_goes_on_and_is_not_heard_any_more() -> None:
    gate, ended = threading.Event(), threading.Event()

    def call() -> None:
        gate.wait(60)
        ended.set()

    outcome = in_thread(call, "call")
    outcome.cancel()
    gate.set()
    assert await asyncio.to_thread(ended.wait, 60)
    assert outcome.cancelled()


async def test_waiting_for_an_event_says_whether_it_came() -> None:
    event = asyncio.Event()
    assert await set_within(0.01, event) is False
    event.set()
    assert await set_within(60, event) is True


async def test_uninterrupted_work_goes_on_to_its_end_and_then_the_caller_is_cancelled() -> None:
    go, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go.wait()
        ended.set()

    caller = asyncio.create_task(uninterrupted(work(), "work"))
    for _ in range(3):
        await asyncio.sleep(0)
        caller.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()


async def test_uninterrupted_work_gives_its_result_or_its_exception() -> None:
    async def gives() -> int:
        return 1

    async def fails() -> None:
        raise ConnectionError("away")

    assert await uninterrupted(gives(), "gives") == 1
    with pytest.raises(ConnectionError, match="away"):
        await uninterrupted(fails(), "fails")
