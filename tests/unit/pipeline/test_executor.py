"""Steps that misbehave, on every journal: each fails its step, and the process lives."""

import asyncio
import functools
import sys
import threading
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest

from ia_modules.errors import StepAbandoned, StepError, StepExited, StepTimeout
from ia_modules.models import StepStatus
from ia_modules.pipeline import executor
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.memory_journal import MemoryJournal
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


async def swallow(release: asyncio.Event) -> dict[str, Any]:
    while not release.is_set():
        with suppress(asyncio.CancelledError):
            await release.wait()
    return {"too": "late"}


async def turn_into_an_error(release: asyncio.Event) -> None:
    try:
        await release.wait()
    except asyncio.CancelledError:
        raise ValueError("not now") from None


async def give_a_result_instead(release: asyncio.Event) -> dict[str, Any]:
    with suppress(asyncio.CancelledError):
        await release.wait()
    return {"done": "all the same"}


@pytest.mark.parametrize("stubborn", [turn_into_an_error, give_a_result_instead])
async def test_whatever_a_stopped_step_says_it_was_stopped(stubborn: Any) -> None:
    executing = executor.LocalExecutor()
    task = asyncio.ensure_future(executing.execute("a", stubborn, asyncio.Event(), timeout_seconds=None))
    await asyncio.sleep(0)
    await executing.stop([task])
    assert (task.cancelled(), executing.abandoned) == (True, 0)


async def test_a_step_without_a_limit_that_does_not_stop_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "STOP_SECONDS", 0.05)
    executing, release = executor.LocalExecutor(), asyncio.Event()
    task = asyncio.ensure_future(executing.execute("a", swallow, release, timeout_seconds=None))
    await asyncio.sleep(0)
    await executing.stop([task])
    assert (task.done(), executing.abandoned) == (False, 1)
    release.set()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert (task.cancelled(), executing.abandoned) == (True, 0)


async def test_a_cancelled_run_ends_on_record_while_its_step_does_not_stop(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "STOP_SECONDS", 0.05)
    release, begins = asyncio.Event(), asyncio.Event()

    async def stubborn(data: dict[str, Any]) -> dict[str, Any]:
        begins.set()
        return await swallow(release)

    run = await started(journal, document(task("a")), a=stubborn)
    running = asyncio.ensure_future(run.to_end())
    await begins.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    release.set()
    (step,) = await journal.get_execution_steps(run.execution_id)
    assert step.status is StepStatus.CANCELLED


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_step_that_cancels_its_own_task_fails_and_its_fallback_runs(journal: Journal, *, goes_on: bool) -> None:
    class CancelsItself(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            if goes_on:  # the request has not reached it when it returns
                return {}
            await asyncio.sleep(60)
            return {}

        async def fallback(self, data: dict[str, Any], error: Exception) -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"instead": type(error).__name__}

    handling = {"error_handling": {"enable_fallback": True}}
    run = await started(journal, document(task("a", **handling)), a=CancelsItself)
    await run.to_end()
    (step,) = await journal.get_execution_steps(run.execution_id)
    assert step.output_data == {"instead": "StepExited"}


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


class EndsThePrinter(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


async def raises_what_ends_its_printer(data: dict[str, Any]) -> None:
    raise EndsThePrinter


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


class InterruptsAtOnce(Step):
    def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
        raise KeyboardInterrupt


class HasNoMethod(Step):
    @property
    def run(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise KeyboardInterrupt


class Own(BaseException):
    """What derives from no exception that anybody catches."""


async def raises_its_own(data: dict[str, Any]) -> None:
    raise Own


@pytest.mark.parametrize(
    "code",
    [
        raises_generator_exit,
        raises_its_own,
        raises_a_group,
        raises_stop_iteration,
        raises_what_cannot_be_said,
        raises_what_ends_its_printer,
        ExitsAtOnce,
        InterruptsAtOnce,
        HasNoMethod,
    ],
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


ENDS_PROCESSES = [KeyboardInterrupt, SystemExit]


@pytest.mark.parametrize("ending", ENDS_PROCESSES)
@pytest.mark.parametrize("plain", [False, True])
async def test_what_would_end_the_process_fails_the_step(
    journal: Journal, ending: type[BaseException], *, plain: bool
) -> None:
    async def end(data: dict[str, Any]) -> None:
        raise ending

    def end_plainly(data: dict[str, Any]) -> None:
        raise ending

    step = await misbehaves(journal, end_plainly if plain else end, StepExited)
    assert "it ended itself" in (step.error_message or "")


async def ends(ending: type[BaseException]) -> None:
    await asyncio.sleep(0)
    raise ending


async def gathers(ending: type[BaseException]) -> None:
    await asyncio.gather(ends(ending), asyncio.sleep(0))


async def groups(ending: type[BaseException]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(ends(ending))


async def awaits_a_task_of_a_task(ending: type[BaseException]) -> None:
    await asyncio.create_task(gathers(ending))


@pytest.mark.parametrize("ending", ENDS_PROCESSES)
@pytest.mark.parametrize("way", [gathers, groups, awaits_a_task_of_a_task])
async def test_what_would_end_the_process_from_a_task_of_a_step_fails_the_step(ending: Any, way: Any) -> None:
    async def end(data: dict[str, Any]) -> None:
        await way(ending)

    await misbehaves(MemoryJournal(), end, StepError)


async def test_a_task_that_a_step_leaves_behind_ends_nothing_but_itself() -> None:
    left: list[asyncio.Task[None]] = []

    async def leave(data: dict[str, Any]) -> dict[str, Any]:
        left.append(asyncio.create_task(ends(SystemExit)))
        return {"left": True}

    assert await executor.LocalExecutor().execute("leaves", leave, {}, timeout_seconds=5) == {"left": True}
    await asyncio.wait(left)
    assert isinstance(left[0].exception(), StepExited)


async def test_a_task_of_a_step_that_is_cancelled_before_it_began_is_closed_without_a_warning() -> None:
    async def cancel() -> bool:
        task = asyncio.create_task(ends(SystemExit), name="never begins")
        assert "ends" in repr(task)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert await executor.LocalExecutor().execute("cancels", cancel, timeout_seconds=5)


async def test_a_task_factory_of_the_programs_own_makes_the_tasks_of_steps_too() -> None:
    made: list[str] = []
    loop = asyncio.get_running_loop()

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        made.append(coroutine.__qualname__)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def gather() -> None:
        await asyncio.gather(asyncio.sleep(0))

    loop.set_task_factory(make)
    await executor.LocalExecutor().execute("gathers", gather, timeout_seconds=5)
    assert "sleep" in made


async def test_tasks_of_the_program_itself_stay_as_they_are() -> None:
    await executor.LocalExecutor().execute("first", ends_well, timeout_seconds=5)
    coroutine = ends_well()
    task = asyncio.create_task(coroutine)
    assert task.get_coro() is coroutine
    await task


async def ends_well() -> None:
    """Do nothing."""
