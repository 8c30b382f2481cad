"""Any map, whatever fails and whoever dies when, gives what a comprehension gives, and no item is done twice."""

import asyncio
import random
from collections import Counter
from functools import partial
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules import current
from ia_modules.models import ExecutionId, StepExecutionRecord, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import pipeline_of
from tests.unit.pipeline.test_every_moment import Watch, watched
from tests.unit.pipeline.test_runner_properties import DEATHS, FOREVER, TIMINGS, dies

WORK = run_path(GRAPH, "work", 1)


class Case(NamedTuple):
    """A list, how often each of its items fails before it does not, and how many may fail for good."""

    fails: list[int]
    max_attempts: int
    max_concurrency: int
    allowed: Any

    @property
    def written(self) -> dict[str, Any]:
        step = task(
            "work",
            map={
                "over": "{parameters.items}",
                "max_concurrency": self.max_concurrency,
                "on_item_failure": self.allowed,
                "collect": ["{item}", "{result}"],
            },
            error_handling={"retry": {"max_attempts": self.max_attempts, "initial_delay": 0}},
        )
        return document(step, parameters={"items": list(range(len(self.fails)))})

    @property
    def failing(self) -> list[int]:
        return [number for number, fails in enumerate(self.fails, 1) if fails >= self.max_attempts]

    @property
    def completes(self) -> bool:
        match self.allowed:
            case "fail":
                most = 0
            case "continue":
                most = len(self.fails)
            case other:
                most = other["at_most"]
        return len(self.failing) <= most

    @property
    def result(self) -> dict[str, Any]:
        failing = self.failing
        return {
            "items": [
                None if number in failing else [number - 1, number * 10] for number in range(1, len(self.fails) + 1)
            ],
            "count": len(self.fails),
            "failed": len(failing),
            "errors": [
                {"item": number, "key": str(number), "error_type": "ValueError", "error_message": f"item {number}"}
                for number in failing
            ],
        }


CASES = st.builds(
    Case,
    st.lists(st.sampled_from([0, 0, 0, 1, 2, 9]), max_size=8),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from(["fail", "continue"]) | st.integers(0, 3).map(lambda most: {"at_most": most}),
)


async def rows(journal: OperatorJournal, execution_id: ExecutionId) -> list[StepExecutionRecord]:
    return await journal.get_execution_steps(execution_id, within=WORK)


async def assert_like_a_comprehension(journal: OperatorJournal, case: Case, deaths: list[int], timing: int) -> None:
    draw = random.Random(timing)
    made: Counter[int] = Counter()
    failures: Counter[int] = Counter()

    async def work(data: dict[str, Any]) -> int:
        number = current.context.iteration
        made[number] += 1
        for _ in range(draw.randrange(3)):
            await asyncio.sleep(0)
        # by the record: what a process that died had counted is no attempt of its own
        earlier = [row for row in await rows(journal, current.context.execution_id) if row.iteration == number]
        if sum(row.status is StepStatus.FAILED for row in earlier) < case.fails[number - 1]:
            failures[number] += 1
            raise ValueError(f"item {number}")
        return number * 10

    pipeline = pipeline_of(case.written, {"work": work})
    run = await Runner(journal).start(pipeline, new_version=True)
    for moments in (*deaths, FOREVER):
        before = made.copy()
        done = {row.iteration for row in await rows(journal, run.execution_id) if row.status is StepStatus.COMPLETED}
        is_open = await dies(journal, pipeline, run.execution_id, moments)
        assert not [number for number in done if made[number] > before[number]]
        if not is_open:
            break
    execution = await journal.get_execution(run.execution_id)
    assert execution is not None
    if case.completes:
        assert execution.output_data["work"] == case.result  # type: ignore[index]
    else:
        assert (execution.status.value, "MapItemFailed" in str(execution.error_type)) == ("failed", True)
    records = await rows(journal, run.execution_id)
    assert all(row.status.is_terminal for row in records)
    completed = Counter(row.iteration for row in records if row.status is StepStatus.COMPLETED)
    assert set(completed.values()) <= {1}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CASES, DEATHS, TIMINGS)
async def test_in_memory(case: Case, deaths: list[int], timing: int) -> None:
    await assert_like_a_comprehension(MemoryJournal(), case, deaths, timing)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=CASES, deaths=DEATHS, timing=TIMINGS)
async def test_on_every_journal(journal: OperatorJournal, case: Case, deaths: list[int], timing: int) -> None:
    await assert_like_a_comprehension(journal, case, deaths, timing)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=CASES, timing=TIMINGS)
async def test_no_more_run_than_may_at_any_commit(journal: OperatorJournal, case: Case, timing: int) -> None:
    draw, most = random.Random(timing), 0
    watch = Watch()

    async def work(data: dict[str, Any]) -> int:
        for _ in range(draw.randrange(3)):
            await asyncio.sleep(0)
        return data["item"]

    pipeline = pipeline_of(case.written, {"work": work})
    async with watched(journal, watch) as (own, others):
        run = await Runner(own).start(pipeline, new_version=True)

        async def look() -> None:
            nonlocal most
            running = [row for row in await rows(others, run.execution_id) if row.status is StepStatus.RUNNING]
            most = max(most, len(running))

        watch.after = look
        await run.to_end()
    assert most == min(case.max_concurrency, len(case.fails))


async def test_a_delay_that_is_over_while_something_is_written_is_not_forgotten(journal: OperatorJournal) -> None:
    calls: list[int] = []

    async def work(data: dict[str, Any]) -> int:
        calls.append(data["item"])
        if calls == [0]:
            raise ValueError("item 1")
        return data["item"]

    case = Case([1], max_attempts=2, max_concurrency=1, allowed="fail")
    written = case.written
    written["steps"][0]["error_handling"]["retry"] |= {"initial_delay": 0.01, "jitter": False}
    watch = Watch()
    watch.before = partial(asyncio.sleep, 0.05)
    async with watched(journal, watch) as (own, _):
        run = await Runner(own).start(pipeline_of(written, {"work": work}))
        result = await run.to_end()
    assert result["output"]["work"]["items"] == [[0, 0]]
