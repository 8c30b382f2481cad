"""Taking up what another process left: clocks that jump, days that people take, records that do not fit."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ia_modules.errors import LoopLimitExceeded, StepError
from ia_modules.models import StepStatus
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from tests.unit.pipeline.deaths import ProcessDied, dying
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import started
from tests.unit.pipeline.random_files import files
from tests.unit.pipeline.test_runner_properties import DEATHS, FOREVER, assert_as_expected, dies, runs_with
from tests.unit.pipeline.world import INPUT, World, expected_of, pipeline_in


@dataclass
class Clock:
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


AGAIN = {"type": "expression", "config": {"source": "result.human_input.again", "operator": "==", "value": True}}


def asking_again(**loop_config: Any) -> dict[str, Any]:
    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Again?"}}
    return document(ask, paths=[("ask", "ask", AGAIN), ("ask", "end", "else")], loop_config=loop_config)


async def answered_after(clock: Clock, pause: timedelta, *, times: int, **loop_config: Any) -> dict[str, Any]:
    """A question that leads back to itself, answered so often, each time after the pause, in a new process."""
    journal = MemoryJournal(now=clock)
    run = await started(journal, asking_again(**loop_config))
    result = await run.to_end()
    for left in reversed(range(times)):
        clock.at += pause
        await journal.answer_interaction(result["interaction_id"], {"again": left > 0}, actor="ann")
        result = await (await Runner(journal).resume(run.pipeline, run.execution_id)).to_end()
    return result


async def test_the_time_that_people_take_does_not_count_for_the_limit_of_a_loop() -> None:
    result = await answered_after(Clock(), timedelta(days=1), times=4, max_loop_time_seconds=3600)
    assert (result["status"], len(result["steps"])) == ("completed", 4)


async def test_a_clock_that_was_set_back_does_not_hold_up_a_loop() -> None:
    result = await answered_after(Clock(), timedelta(days=-1), times=4, max_loop_time_seconds=3600)
    assert (result["status"], len(result["steps"])) == ("completed", 4)


async def test_the_time_that_a_loop_took_in_another_process_counts_for_its_limit() -> None:
    clock = Clock()
    journal = MemoryJournal(now=clock)
    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Again?"}}
    written = document(
        "slow", ask, paths=[("slow", "ask"), ("ask", "slow", AGAIN)], loop_config={"max_loop_time_seconds": 3600}
    )

    async def slow(data: dict[str, Any]) -> None:
        clock.at += timedelta(minutes=31)

    run = await started(journal, written, slow=slow)
    result = await run.to_end()
    for _ in range(2):
        await journal.answer_interaction(result["interaction_id"], {"again": True}, actor="ann")
        result = await (await Runner(journal).resume(run.pipeline, run.execution_id)).to_end()
    await journal.answer_interaction(result["interaction_id"], {"again": True}, actor="ann")
    with pytest.raises(LoopLimitExceeded, match="its loop has run for"):
        await (await Runner(journal).resume(run.pipeline, run.execution_id)).to_end()


AT_MOST_AN_HOUR = {"max_loop_time_seconds": 3600}
SIX_TIMES = {"type": "field_less_than", "field": "result.n", "value": 6}


async def test_the_time_until_somebody_resumes_does_not_count_for_the_limit_of_a_loop() -> None:
    clock = Clock()
    journal = MemoryJournal(now=clock)

    async def work(data: dict[str, Any]) -> dict[str, Any]:
        clock.at += timedelta(minutes=1)
        return {"n": data.get("n", 0) + 1}

    run = await started(
        journal, document("work", paths=[("work", "work", SIX_TIMES)], loop_config=AT_MOST_AN_HOUR), work=work
    )
    for _ in range(3):
        with pytest.raises(ProcessDied):  # an iteration completes, the next one is lost
            async with dying(journal, 8) as mortal:
                await Runner(mortal).to_end(run)
        clock.at += timedelta(days=1)
        run = await Runner(journal).resume(run.pipeline, run.execution_id)
    result = await run.to_end()
    assert (result["status"], result["output"]["n"]) == ("completed", 6)


async def test_nor_does_the_time_after_a_failure() -> None:
    clock, failures = Clock(), [1, 2, 3]
    journal = MemoryJournal(now=clock)

    async def work(data: dict[str, Any]) -> dict[str, Any]:
        clock.at += timedelta(minutes=1)
        if data.get("n") in failures:
            failures.remove(data["n"])
            raise ConnectionError("later")
        return {"n": data.get("n", 0) + 1}

    run = await started(
        journal, document("work", paths=[("work", "work", SIX_TIMES)], loop_config=AT_MOST_AN_HOUR), work=work
    )
    for _ in range(3):
        with pytest.raises(StepError, match="later"):
            await run.to_end()
        clock.at += timedelta(days=1)
        run = await Runner(journal).resume(run.pipeline, run.execution_id)
    assert (await run.to_end())["output"]["n"] == 6


@settings(max_examples=60, deadline=None)
@given(files(), st.integers(0, 10_000), st.integers(0, 2**32), DEATHS)
async def test_an_execution_is_resumed_to_the_same_end_whatever_the_clock_does(
    file: dict[str, Any], seed: int, timing: int, deaths: list[int]
) -> None:
    chance = random.Random(timing)
    journal = MemoryJournal(
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + chance.uniform(-60, 60) * timedelta(seconds=1)
    )
    world = World(seed, chance)
    pipeline = pipeline_in(world, file)
    run = await Runner(journal).start(pipeline, INPUT)
    for moments in (*deaths, FOREVER):
        world.failed_once = await runs_with(StepStatus.FAILED, journal, run.execution_id)
        if not await dies(journal, pipeline, run.execution_id, moments):
            break
    await assert_as_expected(journal, run.execution_id, expected_of(world, file), deaths=len(deaths))
