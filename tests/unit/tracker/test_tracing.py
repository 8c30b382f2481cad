import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import StatusCode

from ia_modules import Flow, StepContext, current
from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, ExecutionStatus, RunPath, StepExecutionRecord, StepStatus
from ia_modules.pipeline.core import Inner
from ia_modules.traces.ids import Traceparent, span_id_of, trace_id_of
from ia_modules.traces.running import begun_in
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.rerunning import RerunFrom
from tests.unit.traces.collecting import Collector, ids_of

OUTER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def collector() -> Collector:
    return Collector()


async def run(database: DatabaseManager, collector: Collector, flow: Flow, **input_data: Any) -> ExecutionId:
    """Run it, to an end of any kind, and close what has written it; returns its id."""
    async with ExecutionTracker(database, traces=collector.traces) as tracker, Client(database, tracker=tracker) as own:
        started = await own.start(flow, input_data)
        await asyncio.gather(started.to_end(), return_exceptions=True)
        return started.execution_id


async def steps_of(database: DatabaseManager, execution_id: ExecutionId, within: str = "") -> list[StepExecutionRecord]:
    async with ExecutionTracker(database) as tracker:
        return await tracker.get_execution_steps(execution_id, within=RunPath(within))


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def attributes_of(span: ReadableSpan) -> Mapping[str, Any]:
    assert span.attributes is not None
    return span.attributes


def texts_of(collector: Collector) -> str:
    return "".join(span.to_json() for span in collector.spans)


def nanoseconds(moment: datetime | None) -> int:
    assert moment is not None
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


async def test_an_execution_is_one_trace_with_a_span_for_each_attempt(
    database: DatabaseManager, collector: Collector
) -> None:
    flow = Flow("traced")
    tries = iter((False, True))

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0})
    async def shaky(data: dict[str, Any]) -> dict[str, Any]:
        if not next(tries):
            raise ValueError("secret of a customer")
        return {"secret": "result"}

    @flow.step
    async def last(data: dict[str, Any]) -> dict[str, Any]:
        return {}

    flow.paths(shaky >> last)
    execution_id = await run(database, collector, flow, secret="input")
    steps = await steps_of(database, execution_id)
    assert [(step.step_id, step.attempt) for step in steps] == [("shaky", 1), ("shaky", 2), ("last", 1)]
    assert len(collector.spans) == 4
    root = collector.of(execution_id)
    assert root.parent is None
    assert root.name == "traced"
    assert {ids_of(span)[0] for span in collector.spans} == {trace_id_of(execution_id, None)}
    for step in steps:
        span = collector.of(step.step_execution_id)
        assert parent_of(span) == span_id_of(execution_id)
        assert attributes_of(span)["ia_modules.step.attempt"] == step.attempt
        assert (span.start_time, span.end_time) == (nanoseconds(step.started_at), nanoseconds(step.completed_at))
    failed = collector.of(steps[0].step_execution_id)
    assert failed.status.status_code is StatusCode.ERROR
    assert attributes_of(failed)["error.type"] == "ValueError"
    assert "secret" not in texts_of(collector)


async def test_what_is_within_a_step_stands_below_the_attempt_that_made_it(
    database: DatabaseManager, collector: Collector
) -> None:
    flow = Flow("inner")
    tries = iter((False, True))

    async def search(query: str, context: StepContext) -> str:
        return await current.context.step("fetch", fetch, query)

    async def fetch(query: str) -> str:
        return query

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0})
    async def think(context: StepContext) -> dict[str, Any]:
        await context.step(Inner("ask", key="customer 17"), search, "a", context)
        if not next(tries):
            raise ValueError
        await context.step("again", fetch, "b")
        return {}

    execution_id = await run(database, collector, flow)
    first, second = await steps_of(database, execution_id)
    (keyed,) = (
        await steps_of(database, execution_id, "think#1")[:1]
        if False
        else [each for each in await steps_of(database, execution_id, "think#1") if each.step_id.startswith("ask")]
    )
    assert collector.of(keyed.step_execution_id).name == "ask"
    assert "customer 17" not in texts_of(collector)
    parents = {span.name: parent_of(span) for span in collector.spans}
    assert parents["ask"] == span_id_of(first.step_execution_id)
    assert parents["fetch"] == span_id_of(keyed.step_execution_id)
    assert parents["again"] == span_id_of(second.step_execution_id)
    assert len(collector.spans) == 6


async def test_items_of_a_map_stand_below_it(database: DatabaseManager, collector: Collector) -> None:
    flow = Flow("mapped")

    @flow.step
    async def many() -> dict[str, Any]:
        return {"items": [{"id": f"customer {number}"} for number in range(700)]}

    async def work(item: dict[str, Any]) -> int:
        return 1

    each = flow.map(work, over="many.items", key="id")
    flow.paths(many >> each)
    execution_id = await run(database, collector, flow)
    (mapped,) = [step for step in await steps_of(database, execution_id) if step.step_id == "work"]
    items = [
        span for span in collector.spans if span.parent and span.parent.span_id == span_id_of(mapped.step_execution_id)
    ]
    assert len(items) == 700
    assert len({ids_of(span) for span in collector.spans}) == len(collector.spans) == 703
    assert "customer" not in texts_of(collector)


async def test_what_calls_of_models_used_is_in_the_span_of_the_run_that_told_it(
    database: DatabaseManager, collector: Collector
) -> None:
    flow = Flow("asks a model")

    async def ask() -> str:
        current.context.usage(
            model="large", provider="somebody", input_tokens=100, output_tokens=7, cost=Decimal("0.2")
        )
        return "an answer"

    @flow.step
    async def work(context: StepContext) -> dict[str, Any]:
        context.usage(model="small", input_tokens=1, output_tokens=2)
        await context.step("ask", ask)
        raise ValueError

    execution_id = await run(database, collector, flow)
    called, worked = attributes_of(collector.named("ask")), attributes_of(collector.named("work"))
    assert (called["gen_ai.request.model"], called["gen_ai.usage.input_tokens"]) == ("large", 100)
    assert (worked["gen_ai.request.model"], worked["gen_ai.usage.output_tokens"]) == ("small", 2)
    assert called["ia_modules.usage.cost_micros"] == 200_000
    assert "ia_modules.usage.cost_micros" not in worked
    whole = attributes_of(collector.of(execution_id))
    names = ("input_tokens", "output_tokens", "cost_micros")
    assert [whole[f"ia_modules.usage.{name}"] for name in names] == [101, 9, 200_000]


async def test_code_of_an_attempt_runs_in_its_span(database: DatabaseManager, collector: Collector) -> None:
    flow = Flow("current")
    seen: dict[str, tuple[int, str | None]] = {}

    def look(name: str) -> None:
        seen[name] = trace.get_current_span().get_span_context().span_id, current.context.traceparent

    async def inner() -> None:
        look("inner")

    @flow.step
    async def outer(context: StepContext) -> dict[str, Any]:
        look("outer")
        await context.step("inner", inner)
        look("after")
        return {}

    @flow.step
    def threaded() -> dict[str, Any]:
        look("threaded")
        return {}

    flow.paths(outer >> threaded)
    execution_id = await run(database, collector, flow)
    outer_step, threaded_step = await steps_of(database, execution_id)
    (inner_step,) = await steps_of(database, execution_id, "outer#1")
    expected = {"outer": outer_step, "after": outer_step, "inner": inner_step, "threaded": threaded_step}
    for name, step in expected.items():
        span_id = span_id_of(step.step_execution_id)
        traceparent = Traceparent(trace_id_of(execution_id, None), span_id, is_sampled=True).text
        assert seen[name] == (span_id, traceparent), name
    assert not trace.get_current_span().get_span_context().is_valid


async def test_spans_of_the_code_itself_stand_below_its_attempt(
    database: DatabaseManager, collector: Collector
) -> None:
    flow = Flow("own spans")

    @flow.step
    async def work(data: dict[str, Any]) -> dict[str, Any]:
        with collector.provider.get_tracer("own").start_as_current_span("own"):
            return {}

    execution_id = await run(database, collector, flow)
    (step,) = await steps_of(database, execution_id)
    own = collector.named("own")
    assert ids_of(own)[0] == trace_id_of(execution_id, None)
    assert parent_of(own) == span_id_of(step.step_execution_id)


async def test_an_execution_stands_in_the_trace_that_it_was_begun_in(
    database: DatabaseManager, collector: Collector
) -> None:
    flow = Flow("begun in")

    @flow.step
    async def work(data: dict[str, Any]) -> dict[str, Any]:
        return {}

    with begun_in(OUTER):
        named = await run(database, collector, flow)
    with collector.provider.get_tracer("own").start_as_current_span("own"):
        current_span = await run(database, collector, flow)
    outer, own = Traceparent.read(OUTER), collector.named("own")
    assert outer is not None
    assert ids_of(collector.of(named))[0] == outer.trace_id
    assert parent_of(collector.of(named)) == outer.span_id
    assert (ids_of(collector.of(current_span))[0], parent_of(collector.of(current_span))) == ids_of(own)
    async with ExecutionTracker(database) as tracker:
        record = await tracker.get_execution(named)
    assert record is not None
    assert record.traceparent == OUTER


async def test_what_a_step_queues_stands_below_it_also_where_nothing_writes_spans(
    database: DatabaseManager, collector: Collector
) -> None:
    other, flow = Flow("other"), Flow("queues")

    @other.step
    async def work(data: dict[str, Any]) -> dict[str, Any]:
        return {}

    @flow.step
    async def begin(context: StepContext) -> dict[str, Any]:
        async with Client(database) as own:
            queued = await own.queue(other, {}, new_version=True)
        return {"queued": queued.execution_id, "traceparent": context.traceparent}

    async with Client(database) as plain, ExecutionTracker(database, traces=collector.traces) as tracker:
        async with Client(database, tracker=tracker) as own:
            traced = (await own.run(flow))["output"]
        with begun_in(OUTER):
            untraced = (await plain.run(flow))["output"]
        alone = (await plain.run(flow))["output"]
        records = [await plain.execution(each["queued"]) for each in (traced, untraced, alone)]
    assert [each.traceparent for each in records] == [traced["traceparent"], OUTER, None]
    assert (untraced["traceparent"], alone["traceparent"]) == (OUTER, None)


async def test_recorded_blocks_run_in_their_spans(database: DatabaseManager, collector: Collector) -> None:
    def current_id() -> int:
        return trace.get_current_span().get_span_context().span_id

    async with ExecutionTracker(database, traces=collector.traces) as tracker:
        pipeline_id = await tracker.register_pipeline("program", "A program")
        async with tracker.execution(pipeline_id) as execution:
            assert current_id() == span_id_of(execution.id)
            async with execution.step("outer") as outer:
                assert current_id() == span_id_of(outer.id)
                async with execution.step("inner") as inner:
                    assert current_id() == span_id_of(inner.id)
                    assert inner.traceparent is not None
                assert current_id() == span_id_of(outer.id)
            assert current_id() == span_id_of(execution.id)
        assert not trace.get_current_span().get_span_context().is_valid
    assert collector.parents() == {"A program": None, "outer": "A program", "inner": "outer"}


def test_recorded_blocks_without_a_loop_run_in_their_spans(database_url: str) -> None:
    collector = Collector()
    database = DatabaseManager(database_url)
    database.initialize_sync()
    tracker = ExecutionTracker(database, traces=collector.traces)
    with collector.provider.get_tracer("own").start_as_current_span("own") as own:
        pipeline_id = tracker.call(tracker.register_pipeline("program", "A program"))
        with tracker.execution(pipeline_id) as execution, execution.step("step") as step:
            assert trace.get_current_span().get_span_context().span_id == span_id_of(step.id)
        assert trace.get_current_span() is own
    tracker.call(tracker.close())
    database.close_sync()
    assert collector.parents() == {"own": None, "A program": "own", "step": "A program"}


async def test_who_goes_on_with_an_execution_goes_on_with_its_trace(
    database: DatabaseManager, collector: Collector
) -> None:
    """The first process dies in the second step: what it has not handed on yet, the next one does."""
    flow = Flow("taken over")
    begun = asyncio.Event()

    @flow.step
    async def first(data: dict[str, Any]) -> dict[str, Any]:
        return {}

    @flow.step
    async def second(context: StepContext) -> dict[str, Any]:
        await context.step("call", call)
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        return {}

    async def call() -> int:
        return 1

    flow.paths(first >> second)
    dead, alive = Collector(), collector
    async with Client(database, tracker=ExecutionTracker(database, traces=dead.traces)) as before:
        started = await before.start(flow)
        running = asyncio.create_task(started.to_end())
        await begun.wait()
        async with ExecutionTracker(database, traces=alive.traces) as tracker, Client(database, tracker=tracker) as own:
            taken = await own.resume(started.execution_id, pipeline=flow)
            await taken.to_end()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    steps = await steps_of(database, started.execution_id)
    calls = await steps_of(database, started.execution_id, "second#1")
    assert [step.status for step in steps] == [StepStatus.COMPLETED, StepStatus.LOST, StepStatus.COMPLETED]
    spans = [*dead.spans, *alive.spans]
    assert sorted(ids_of(span)[1] for span in spans) == sorted(
        span_id_of(id_) for id_ in (started.execution_id, *(each.step_execution_id for each in (*steps, *calls)))
    )
    assert {ids_of(span)[0] for span in spans} == {trace_id_of(started.execution_id, None)}
    (called,) = [span for span in spans if span.name == "call"]
    assert parent_of(called) == span_id_of(steps[1].step_execution_id)


async def test_what_a_process_that_died_had_taken_is_handed_on_by_another(
    database: DatabaseManager, collector: Collector
) -> None:
    execution_id = await _recorded(database)
    await _take(database, execution_id, "somebody:1")
    async with ExecutionTracker(database, traces=collector.traces) as tracker:
        await _recorded(database, tracker)  # whatever this process writes: it looks at what others have left, too
    assert collector.of(execution_id).name == "A program"
    async with ExecutionTracker(database, traces=(again := Collector()).traces) as tracker:
        await _recorded(database, tracker)
    assert execution_id not in {attributes_of(span)["ia_modules.execution.id"] for span in again.spans}


async def test_what_a_living_process_hands_on_is_left_to_it(database: DatabaseManager, collector: Collector) -> None:
    execution_id = await _recorded(database)
    async with ExecutionTracker(database) as other:
        pipeline_id = await other.register_pipeline("other", "Another program")
        async with other.execution(pipeline_id):  # it gives signs of life from here on
            await _take(database, execution_id, other.owner)
            async with ExecutionTracker(database, traces=collector.traces) as tracker:
                await _recorded(database, tracker)
    assert execution_id not in {attributes_of(span)["ia_modules.execution.id"] for span in collector.spans}
    assert len(collector.spans) == 2


async def test_an_execution_that_goes_on_after_it_had_failed_has_a_second_span(
    database: DatabaseManager, collector: Collector
) -> None:
    flow = Flow("again")
    tries = iter((False, True))

    @flow.step
    async def work(data: dict[str, Any]) -> dict[str, Any]:
        if not next(tries):
            raise ValueError
        return {}

    execution_id = await run(database, collector, flow)
    assert collector.of(execution_id).status.status_code is StatusCode.ERROR
    async with ExecutionTracker(database, traces=collector.traces) as tracker, Client(database, tracker=tracker) as own:
        await (await own.resume(execution_id, pipeline=flow)).to_end()
    again = collector.named("again, again")
    assert parent_of(again) == span_id_of(execution_id)
    assert attributes_of(again)["ia_modules.status"] == "completed"
    assert len(collector.spans) == 4


async def test_a_re_run_is_linked_to_what_it_repeats_and_copies_have_no_spans(
    database: DatabaseManager, collector: Collector
) -> None:
    flow = Flow("repeated")

    @flow.step
    async def first(data: dict[str, Any]) -> dict[str, Any]:
        return {}

    @flow.step
    async def second(data: dict[str, Any]) -> dict[str, Any]:
        return {}

    flow.paths(first >> second)
    with begun_in(OUTER):
        execution_id = await run(database, collector, flow)
    async with ExecutionTracker(database, traces=collector.traces) as tracker, Client(database, tracker=tracker) as own:
        repeated = await own.rerun(execution_id, begin=RerunFrom(step_id="second"))
        await own.cancel(repeated)
    root = collector.of(repeated)
    assert ids_of(root)[0] == trace_id_of(repeated, None)
    (link,) = root.links
    assert (link.context.trace_id, link.context.span_id) == ids_of(collector.of(execution_id))
    assert [span.name for span in collector.spans if ids_of(span)[0] == ids_of(root)[0]] == ["repeated"]


async def test_what_the_sampler_leaves_out_is_not_written_and_handed_on_as_such(database: DatabaseManager) -> None:
    collector = Collector(sampler=ParentBased(TraceIdRatioBased(0.0)))
    flow = Flow("unsampled")

    @flow.step
    async def work(context: StepContext) -> dict[str, Any]:
        with collector.provider.get_tracer("own").start_as_current_span("own"):
            return {"traceparent": context.traceparent}

    unsampled = await run(database, collector, flow)
    (step,) = await steps_of(database, unsampled)
    assert isinstance(step.output_data, dict)
    assert step.output_data["traceparent"].endswith("-00")
    assert not collector.spans
    with begun_in(OUTER):
        await run(database, collector, flow)
    assert [span.name for span in collector.spans] == ["own", "work", "unsampled"]


async def test_payloads_are_in_spans_where_they_are_wanted(database: DatabaseManager) -> None:
    collector = Collector(payloads=True, page_url="https://runs.example.com/")
    flow = Flow("payloads")

    @flow.step
    async def work(secret: str) -> dict[str, Any]:
        return {"answer": "x" * 10_000}

    @flow.step
    async def fails(answer: str) -> dict[str, Any]:
        raise ValueError("no customer 17")

    flow.paths(work >> fails)
    execution_id = await run(database, collector, flow, secret="s")
    root, works, failed = collector.of(execution_id), collector.named("work"), collector.named("fails")
    assert attributes_of(root)["ia_modules.input"] == '{"secret":"s"}'
    assert attributes_of(root)["ia_modules.url"] == f"https://runs.example.com/executions/{execution_id}"
    assert len(attributes_of(works)["ia_modules.output"]) == 8_192
    assert failed.status.description == "no customer 17"
    (event,) = failed.events
    assert event.attributes is not None
    assert event.attributes["exception.message"] == "no customer 17"


async def test_with_other_ids_spans_that_begin_here_have_their_parents_and_others_have_links(
    database: DatabaseManager,
) -> None:
    second = Collector(ids=RandomIdGenerator())
    flow = Flow("other ids")
    waits = asyncio.Event()

    async def call() -> int:
        with second.provider.get_tracer("own").start_as_current_span("own"):
            return 1

    @flow.step
    async def work(context: StepContext) -> dict[str, Any]:
        await context.step("call", call)
        if not waits.is_set():
            waits.set()
            await asyncio.Event().wait()
        await context.step("last", call)
        return {}

    async with Client(database) as before:  # which writes no spans
        started = await before.start(flow)
        running = asyncio.create_task(started.to_end())
        await waits.wait()
        async with (
            ExecutionTracker(database, traces=second.traces) as tracker,
            Client(database, tracker=tracker) as own,
        ):
            await (await own.resume(started.execution_id, pipeline=flow)).to_end()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    steps = await steps_of(database, started.execution_id)
    by_id = {attributes_of(each).get("ia_modules.step_execution.id"): each for each in second.spans}
    root, lost, done = by_id[None], by_id[steps[0].step_execution_id], by_id[steps[1].step_execution_id]
    calls = {each.name: each for each in second.spans if each.name in ("call", "last")}
    assert {ids_of(each)[0] for each in second.spans if each.name != "own"} == {trace_id_of(started.execution_id, None)}
    assert parent_of(done) == parent_of(lost) == ids_of(root)[1]
    assert parent_of(calls["last"]) == ids_of(done)[1]
    (link,) = calls["call"].links
    assert link.context.span_id == span_id_of(steps[0].step_execution_id)


async def _recorded(database: DatabaseManager, tracker: ExecutionTracker | None = None) -> ExecutionId:
    """An execution of one step, recorded by a program."""
    if tracker is None:
        async with ExecutionTracker(database) as own:
            return await _recorded(database, own)
    pipeline_id = await tracker.register_pipeline("program", "A program")
    async with tracker.execution(pipeline_id) as execution, execution.step("step"):
        pass
    record = await tracker.get_execution(execution.id)
    assert record is not None
    assert record.status is ExecutionStatus.COMPLETED
    return execution.id


async def _take(database: DatabaseManager, execution_id: ExecutionId, writer: str) -> None:
    """Somebody takes what has ended, and says no more."""
    params = {"execution_id": execution_id, "upto": 4, "writer": writer, "known_exported": 0, "known_upto": 0}
    await database.execute_async(database.query("take_trace"), params)
