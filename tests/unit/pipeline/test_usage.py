"""What steps tell of their calls of models, on every journal: on record with the attempt, and in the sums."""

import asyncio
import threading
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules import current
from ia_modules.errors import DatabaseUnavailable, InvalidArgument, StepError
from ia_modules.models import ExecutionId, RunPath, StepExecutionId, StepExecutionRecord, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline import notes
from ia_modules.pipeline.core import Inner, Step
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from ia_modules.transitions import Recorded, Transition
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import pipeline_of, recorded, started
from tests.unit.pipeline.test_runner_properties import DEATHS, FOREVER, dies

THINK = run_path(GRAPH, "think", 1)


async def sums_of(journal: OperatorJournal, execution_id: ExecutionId) -> tuple[int | None, ...]:
    execution = await journal.get_execution(execution_id)
    assert execution is not None
    return execution.input_tokens, execution.output_tokens, execution.cost_micros, execution.unpriced_calls


def models_of(step: StepExecutionRecord) -> list[tuple[str, int, int, int | None, str]]:
    assert isinstance(step.usage, list)
    names = ("gen_ai.request.model", "calls", "gen_ai.usage.input_tokens", "cost.micros", "cost.source")
    return [tuple(entry[name] for name in names) for entry in step.usage]


async def test_steps_items_calls_within_them_and_threads_tell_and_all_of_it_counts(journal: OperatorJournal) -> None:
    def ask(tokens: int) -> str:
        current.context.usage(model="small", input_tokens=tokens, cost=Decimal("0.000001"))
        return "answer"

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        around = current.context
        around.usage(model="large", provider="p", input_tokens=100, output_tokens=5, first_token_ms=70)
        around.usage(model="large", provider="p", input_tokens=50, output_tokens=5, first_token_ms=90)

        async def tells_by_the_context_around_it() -> None:
            around.usage(model="small", output_tokens=2)

        await asyncio.gather(around.step("ask", ask, 10), around.step("other", tells_by_the_context_around_it))
        return {"items": [1, 2, 3]}

    class Work(Step):
        def run(self, data: dict[str, Any]) -> int:
            def tell() -> None:
                self.context.usage(model="small", input_tokens=1, cost=1)

            threads = [threading.Thread(target=tell) for _ in range(10)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return 1

    file = document("think", task("work", map="{steps.think.output.items}"), paths=[("think", "work")])
    run = await started(journal, file, think=think, work=Work)
    await run.to_end()
    thought, mapped = await journal.get_execution_steps(run.execution_id)
    assert (thought.input_tokens, thought.output_tokens, thought.cost_micros, thought.unpriced_calls) == (
        150,
        10,
        None,
        2,
    )
    assert (thought.first_token_ms, models_of(thought)) == (70, [("large", 2, 150, None, "unknown")])
    assert (mapped.usage, mapped.input_tokens) == (None, None)
    inner = {step.step_id: step for step in await journal.get_execution_steps(run.execution_id, within=THINK)}
    assert models_of(inner["ask"]) == [("small", 1, 10, 1, "reported")]
    assert (inner["other"].output_tokens, inner["other"].unpriced_calls) == (2, 1)
    items = await journal.get_execution_steps(run.execution_id, within=run_path(GRAPH, "work", 1))
    assert [(item.input_tokens, item.cost_micros) for item in items] == [(10, 10_000_000)] * 3
    assert await sums_of(journal, run.execution_id) == (190, 12, 30_000_001, 3)


async def test_what_fails_is_stopped_or_is_left_alone_has_used_it_all_the_same(journal: OperatorJournal) -> None:
    """Nothing of it had been written when it ended."""
    left: list[asyncio.Task[Any]] = []

    async def ask(tokens: int, is_told: asyncio.Event | None = None) -> None:
        current.context.usage(model="m", input_tokens=tokens)
        if is_told is not None:
            is_told.set()
            await asyncio.Event().wait()

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        step, attempt, is_told = current.context.step, current.context.attempt, asyncio.Event()
        current.context.usage(model="m", input_tokens=1)
        await step(Inner("in time", key=f"{attempt}"), ask, 1)
        if attempt == 1:
            has_begun = asyncio.Event()
            stopped = asyncio.create_task(step("too late", ask, 2, has_begun))
            await has_begun.wait()
            stopped.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stopped
        left.append(asyncio.create_task(step(Inner("left", key=f"{attempt}"), ask, 4, is_told)))
        await is_told.wait()
        if attempt == 1:
            raise ValueError("once more")
        return {}

    retry = {"max_attempts": 2, "initial_delay": 0}
    with patch.object(notes, "FLUSH_SECONDS", 3600):
        run = await started(journal, document(task("think", error_handling={"retry": retry})), think=think)
        await run.to_end()
    for each in left:
        each.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    _, steps = await recorded(journal, run.execution_id)
    assert [(step.status, step.input_tokens) for step in steps] == [(StepStatus.FAILED, 1), (StepStatus.COMPLETED, 1)]
    inner = await journal.get_execution_steps(run.execution_id, within=THINK)
    assert {(step.step_id, step.status.value, step.input_tokens) for step in inner} == {
        ("in time[1]", "completed", 1),
        ("too late", "cancelled", 2),
        ("left[1]", "cancelled", 4),
        ("in time[2]", "completed", 1),
        ("left[2]", "cancelled", 4),
    }
    assert await sums_of(journal, run.execution_id) == (14, 0, None, 7)


class AwayAfterWriting(MemoryJournal):
    """A journal that writes what a running step tells, and says that it could not: its answer was lost."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.has_written = asyncio.Event()

    async def record(self, transition: Transition) -> Recorded:
        recorded = await super().record(transition)
        if any(update.usage is not None and update.status is None for update in transition.updates):
            self.written += 1
            if self.written >= 3:
                self.has_written.set()
            raise DatabaseUnavailable("away")
        return recorded


async def test_a_write_whose_answer_is_lost_is_sent_again_and_counts_once() -> None:
    journal = AwayAfterWriting()

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        current.context.usage(model="m", input_tokens=3)
        await asyncio.wait_for(journal.has_written.wait(), 20)
        current.context.usage(model="m", input_tokens=4)
        return {}

    with patch.object(notes, "FLUSH_SECONDS", 0.001):
        run = await started(journal, document("think"), think=think)
        await run.to_end()
    assert await sums_of(journal, run.execution_id) == (7, 0, None, 2)


async def test_a_step_without_usage_has_none_and_writes_nothing_of_it(journal: OperatorJournal) -> None:
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        current.context.log("no model here")
        return {}

    run = await started(journal, document("think"), think=think)
    await run.to_end()
    [step] = await journal.get_execution_steps(run.execution_id)
    assert (step.usage, step.input_tokens, step.cost_micros, step.first_token_ms) == (None, None, None, None)
    assert await sums_of(journal, run.execution_id) == (None, None, None, None)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model": ""}, "model"),
        ({"model": "m" * 201}, "model"),
        ({"provider": ""}, "provider"),
        ({"input_tokens": -1}, "input_tokens"),
        ({"output_tokens": True}, "output_tokens"),
        ({"cached_tokens": 1.0}, "cached_tokens"),
        ({"reasoning_tokens": 10**9 + 1}, "reasoning_tokens"),
        ({"first_token_ms": 2**31}, "first_token_ms"),
        ({"cost": 0.1}, r"Decimal\(str\(cost\)\)"),
        ({"cost": Decimal("NaN")}, "cost"),
        ({"cost": Decimal("-0.1")}, "cost"),
        ({"cost": 10**6 + 1}, "cost"),
        ({"cost": 1, "currency": "EUR"}, "IA_MODULES_CURRENCY"),
    ],
)
async def test_what_is_no_usage_is_refused_where_it_is_told(keys: dict[str, Any], message: str) -> None:
    every_key: dict[str, Any] = {"model": "m", **keys}

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        current.context.usage(**every_key)
        return {}

    run = await started(MemoryJournal(), document("think"), think=think)
    with pytest.raises(StepError) as failed:
        await run.to_end()
    assert isinstance(failed.value.__cause__, InvalidArgument)
    with pytest.raises(InvalidArgument, match=message):
        current.context.usage(**every_key)


async def test_an_installation_has_one_currency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IA_MODULES_CURRENCY", "EUR")
    journal = MemoryJournal()

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        current.context.usage(model="m", cost=Decimal("0.0000025"), currency="EUR")
        with pytest.raises(InvalidArgument, match="EUR"):
            current.context.usage(model="m", cost=1)
        return {}

    run = await started(journal, document("think"), think=think)
    await run.to_end()
    [step] = await journal.get_execution_steps(run.execution_id)
    assert isinstance(step.usage, list)
    assert [(each["cost.micros"], each["cost.currency"]) for each in step.usage if isinstance(each, dict)] == [
        (2, "EUR")
    ]


TOLD = st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 9), st.booleans()), max_size=8)
"""Calls: how many tokens, what they cost in millionths, and whether the step lets others run after it."""


async def assert_counts_what_was_told(
    journal: OperatorJournal, calls: list[tuple[int, int | None, bool]], deaths: list[int], *, within: bool
) -> None:
    """Whoever dies when: each attempt has the beginning of what it told, all where it completed, and each call once."""
    by_attempt: dict[StepExecutionId, list[tuple[int, int | None]]] = {}

    async def talk() -> None:
        own = by_attempt.setdefault(current.context.step_execution_id, [])
        for tokens, cost, waits in calls:
            own.append((tokens, cost))
            current.context.usage(model="m", input_tokens=tokens, cost=None if cost is None else Decimal(cost) / 10**6)
            if waits:
                await asyncio.sleep(0.002)

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        await talk()
        if within:
            await asyncio.gather(*(current.context.step("talk", talk) for _ in range(2)))
        return {}

    pipeline = pipeline_of(document("think"), {"think": think})
    with patch.object(notes, "FLUSH_SECONDS", 0.001):
        run = await Runner(journal).start(pipeline, new_version=True)
        for moments in (*deaths, FOREVER):
            if not await dies(journal, pipeline, run.execution_id, moments):
                break
    levels: list[RunPath] = [GRAPH, THINK]
    steps = [step for level in levels for step in await journal.get_execution_steps(run.execution_id, within=level)]
    for step in steps:
        own = by_attempt.get(step.step_execution_id, [])
        beginnings = [(sum(t for t, _ in own[:n]), sum(c or 0 for _, c in own[:n])) for n in range(len(own) + 1)]
        assert ((step.input_tokens or 0), (step.cost_micros or 0)) in beginnings
        if step.status is StepStatus.COMPLETED:
            assert ((step.input_tokens or 0), (step.cost_micros or 0)) == beginnings[-1]
            assert (step.unpriced_calls or 0) == sum(cost is None for _, cost in own)
    columns = ("input_tokens", "output_tokens", "cost_micros", "unpriced_calls")
    sums = await sums_of(journal, run.execution_id)
    for name, total in zip(columns, sums, strict=True):
        parts = [part for step in steps if (part := getattr(step, name)) is not None]
        assert total == (sum(parts) if parts else None), name


@settings(max_examples=100, deadline=None)
@given(calls=TOLD, deaths=DEATHS, within=st.booleans())
async def test_in_memory_the_sum_is_what_was_told_whoever_dies_when(
    calls: list[tuple[int, int | None, bool]], deaths: list[int], *, within: bool
) -> None:
    await assert_counts_what_was_told(MemoryJournal(), calls, deaths, within=within)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=TOLD, deaths=DEATHS, within=st.booleans())
async def test_on_every_journal_the_sum_is_what_was_told_whoever_dies_when(
    journal: OperatorJournal, calls: list[tuple[int, int | None, bool]], deaths: list[int], *, within: bool
) -> None:
    await assert_counts_what_was_told(journal, calls, deaths, within=within)
