"""A task that runs a pipeline may be cancelled anywhere: it ends as cancelled, and so does what it began, on record."""

import asyncio
import inspect
from typing import Any

import pytest

from ia_modules.errors import DatabaseUnavailable, StepError
from ia_modules.models import ExecutionId, ExecutionStatus
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import TRACKER_SERVICE, Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.transitions import Recorded, Transition
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import nothing, recorded, started


class Held:
    """A journal that holds one of its calls, before or after it has worked, until it is let go."""

    def __init__(self, journal: Journal, call: int, *, after: bool) -> None:
        self._journal, self._left, self._after = journal, call, after
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self.executions: set[ExecutionId] = set()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._journal, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        async def held(*args: Any, **options: Any) -> Any:
            self._left -= 1
            is_held = self._left == 0
            if is_held and not self._after:
                await self._hold()
            result = await attribute(*args, **options)
            if isinstance(result, Recorded):
                self.executions.add(result.execution_id)
            if is_held and self._after:
                await self._hold()
            return result

        return held

    async def _hold(self) -> None:
        self.reached.set()
        await self.go.wait()


async def cancelled_at(held: Held, run: Any) -> bool:
    """Whether the run was cancelled while the call was held; False when it came to its end before."""
    task, reached = asyncio.create_task(run), asyncio.create_task(held.reached.wait())
    await asyncio.wait([task, reached], return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    if task.done():
        await task
        return False
    task.cancel()
    await asyncio.sleep(0)
    held.go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


def nightly() -> Flow:
    flow = Flow("Nightly")
    first, *branches = (flow.add(nothing, id=step_id) for step_id in ("first", "second", "third"))
    joined = first >> branches >> flow.add(nothing, id="join")
    assert joined.id == "join"
    return flow


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_run_that_is_cancelled_anywhere_leaves_nothing_running(journal: Journal, *, after: bool) -> None:
    for call in range(1, 30):
        held = Held(journal, call, after=after)
        was_cancelled = await cancelled_at(held, nightly().run(services=ServiceRegistry({TRACKER_SERVICE: held})))
        for execution_id in held.executions:
            execution = await journal.get_execution(execution_id)
            assert execution is not None
            assert execution.status.is_terminal, f"call {call}: {execution.status}"
        if not was_cancelled:
            assert call > 4
            return
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_resumed_run_that_is_cancelled_anywhere_leaves_nothing_running(
    journal: Journal, *, after: bool
) -> None:
    async def broken(data: dict[str, Any]) -> None:
        raise ConnectionError("later")

    async def resume(held: Held, run: Any) -> None:
        await (await Runner(held).resume(run.pipeline, run.execution_id)).to_end()  # pyright: ignore[reportArgumentType]

    for call in range(1, 30):
        run = await started(
            journal, document("first", "second", paths=[("first", "second")]), first=nothing, second=broken
        )
        with pytest.raises(StepError):
            await run.to_end()
        held = Held(journal, call, after=after)
        try:
            was_cancelled = await cancelled_at(held, resume(held, run))
        except StepError:
            was_cancelled = False
        execution, _ = await recorded(journal, run.execution_id)
        assert execution.status.is_terminal, f"call {call}: {execution.status}"
        if not was_cancelled:
            assert call > 4
            return
    raise AssertionError("it never came to its end")


class AwayAtTheEnd(MemoryJournal):
    """A journal that cannot be reached when the execution's end is to be written."""

    async def record(self, transition: Transition) -> Recorded:
        if transition.change is not None:
            raise DatabaseUnavailable("away")
        return await super().record(transition)


async def test_a_cancelled_task_ends_as_cancelled_also_where_that_cannot_be_recorded() -> None:
    running = asyncio.Event()

    async def waits(data: dict[str, Any]) -> None:
        running.set()
        await asyncio.Event().wait()

    run = await started(AwayAtTheEnd(), document("waits", paths=[]), waits=waits)
    task = asyncio.create_task(run.to_end())
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await task
    assert cancelled.value.__notes__ == ["The end of the execution could not be recorded: away"]


async def test_a_time_limit_around_a_run_is_a_timeout(journal: Journal) -> None:
    async def waits(data: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    run = await started(journal, document("waits", paths=[]), waits=waits)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run.to_end()
    execution, _ = await recorded(journal, run.execution_id)
    assert execution.status is ExecutionStatus.CANCELLED


async def test_what_a_worker_has_claimed_goes_back_when_its_task_is_cancelled_before_it_began(
    journal: Journal,
) -> None:
    run = await started(journal, document("first", paths=[]), first=nothing)
    execution, _ = await recorded(journal, run.execution_id)
    held = Held(journal, 1, after=True)
    runner = Runner(held)  # pyright: ignore[reportArgumentType]
    claimed = runner.claimed(run.pipeline, execution.input_data, run.lease)
    assert await cancelled_at(held, claimed.to_end())
    execution, _ = await recorded(journal, run.execution_id)
    assert (execution.status, execution.owner) == (ExecutionStatus.PENDING, None)
