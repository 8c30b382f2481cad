"""Steps that misbehave, on every journal: each fails its step, and the process lives."""

import asyncio
import functools
import sys
import threading
from contextvars import ContextVar
from typing import Any

import pytest

from ia_modules.errors import StepAbandoned, StepError, StepExited, StepTimeout
from ia_modules.pipeline import executor
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import Journal
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import misbehaves, started


async def test_a_step_that_hangs_is_ended_by_its_timeout(journal: Journal) -> None:
    async def hang(data: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    step = await misbehaves(journal, hang, StepTimeout, timeout_seconds=0.05)
    assert (step.error_type, "0.05" in (step.error_message or "")) == ("StepTimeout", True)


async def test_a_step_that_swallows_cancellation_is_left_alone(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "STOP_SECONDS", 0.05)
    release = asyncio.Event()

    async def stubborn(data: dict[str, Any]) -> dict[str, Any]:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return {"too": "late"}

    step = await misbehaves(journal, stubborn, StepTimeout, timeout_seconds=0.05)
    assert "StepAbandoned" in (step.traceback or "")
    release.set()


async def test_a_function_that_blocks_its_thread_is_left_alone(journal: Journal) -> None:
    release = threading.Event()

    def block(data: dict[str, Any]) -> None:
        release.wait(60)

    step = await misbehaves(journal, block, StepTimeout, timeout_seconds=0.05)
    assert StepAbandoned.__name__ in (step.traceback or "")
    release.set()


async def test_an_abandoned_function_keeps_its_place_among_the_threads_until_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    local, gate = executor.LocalExecutor(threads=1), threading.Event()
    with pytest.raises(StepTimeout):
        await local.execute("stuck", gate.wait, 60, timeout_seconds=0.01)
    assert local.abandoned == 1
    assert "held by steps that did not stop: stuck" in (local.problem or "")
    waiting = asyncio.create_task(local.execute("next", lambda: "ran", timeout_seconds=60))
    await asyncio.sleep(0)
    assert "Step next waits for a thread: 1 of 1 threads" in caplog.text
    assert not waiting.done()
    gate.set()
    assert await waiting == "ran"
    assert (local.abandoned, local.problem) == (0, None)


async def test_a_cancelled_wait_for_a_thread_takes_no_place() -> None:
    local, gate = executor.LocalExecutor(threads=1), threading.Event()
    running = asyncio.create_task(local.execute("runs", gate.wait, 60, timeout_seconds=60))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(local.execute("waits", lambda: None, timeout_seconds=60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    gate.set()
    assert await running is True
    assert await local.execute("next", lambda: "ran", timeout_seconds=60) == "ran"


@pytest.mark.parametrize("plain", [False, True])
async def test_a_step_that_calls_sys_exit_fails_and_the_process_lives(journal: Journal, *, plain: bool) -> None:
    async def leave(data: dict[str, Any]) -> None:
        sys.exit(3)

    def leave_plainly(data: dict[str, Any]) -> None:
        sys.exit(3)

    step = await misbehaves(journal, leave_plainly if plain else leave, StepExited)
    assert "(3)" in (step.error_message or "")


async def test_a_step_that_cancels_itself_fails(journal: Journal) -> None:
    async def cancel(data: dict[str, Any]) -> None:
        raise asyncio.CancelledError

    await misbehaves(journal, cancel, StepExited)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


async def raises_generator_exit(data: dict[str, Any]) -> None:
    raise GeneratorExit


async def raises_a_group(data: dict[str, Any]) -> None:
    raise BaseExceptionGroup("several", [GeneratorExit()])


def raises_stop_iteration(data: dict[str, Any]) -> None:
    raise StopIteration


async def raises_what_cannot_be_said(data: dict[str, Any]) -> None:
    raise Unspeakable


class ExitsAtOnce(Step):
    def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
        sys.exit(3)


@pytest.mark.parametrize(
    "code", [raises_generator_exit, raises_a_group, raises_stop_iteration, raises_what_cannot_be_said, ExitsAtOnce]
)
async def test_whatever_a_step_raises_ends_the_execution_on_record(journal: Journal, code: Any) -> None:
    await misbehaves(journal, code, StepError)


async def answer(data: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"answer": 42}


class Company(Step):
    def execute(self, data: dict[str, Any]) -> Any:
        return self.run(data)


class OfTheCompany(Company):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return await answer(data)


class PlainObject:
    def __call__(self, data: dict[str, Any]) -> Any:
        return answer(data)


async def gives_a_coroutine(data: dict[str, Any]) -> Any:
    return answer(data)


ASYNC_IN_THE_END: dict[str, Any] = {
    "a plain function": lambda data: answer(data),
    "a decorated one": functools.wraps(answer)(lambda data: answer(data)),
    "a partial": functools.partial(lambda more, data: answer(data), 1),
    "a callable object": PlainObject(),
    "a class whose base is plain": OfTheCompany,
    "an async function that forgot to await": gives_a_coroutine,
}


@pytest.mark.parametrize("code", ASYNC_IN_THE_END.values(), ids=ASYNC_IN_THE_END.keys())
async def test_what_a_plain_callable_gives_is_awaited(journal: Journal, code: Any) -> None:
    result = await (await started(journal, document(task("s")), s=code)).to_end()
    assert result["output"]["answer"] == 42


async def test_a_fallback_that_gives_a_coroutine_is_awaited(journal: Journal) -> None:
    class Falls(Step):
        def run(self, data: dict[str, Any]) -> Any:
            raise ValueError("no")

        def fallback(self, data: dict[str, Any], error: Exception) -> Any:
            return answer(data)

    run = await started(journal, document(task("s", error_handling={"enable_fallback": True})), s=Falls)
    assert (await run.to_end())["output"]["answer"] == 42


async def test_a_coroutine_runs_in_the_context_in_which_it_was_made() -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")

    async def who() -> str:
        return tenant.get()

    def traced() -> Any:
        tenant.set("somebody")
        return who()

    assert await executor.LocalExecutor().execute("s", traced, timeout_seconds=None) == "somebody"
    assert tenant.get() == "nobody"


async def test_a_coroutine_of_a_plain_function_has_the_rest_of_its_time(journal: Journal) -> None:
    await misbehaves(journal, lambda data: asyncio.Event().wait(), StepTimeout, timeout_seconds=0.05)


class Streams(Step):
    async def run(self, data: dict[str, Any]) -> Any:
        yield 1


async def test_an_async_generator_is_refused_with_words(journal: Journal) -> None:
    async def numbers() -> Any:
        yield 1

    for code in (lambda data: numbers(), Streams):
        step = await misbehaves(journal, code, StepError)
        assert "Step 'bad' failed: it gives an async generator" in (step.error_message or "")
