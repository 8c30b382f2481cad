"""Steps that give what they have as it comes, on every journal: on record, in order, with their result."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from ia_modules import current
from ia_modules.errors import DatabaseUnavailable, PayloadError, PipelineDefinitionError, StepError, StepTimeout
from ia_modules.models import GAP_LOGGER, ExecutionId, LogLevel, LogRecord, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.core import Step, StepContext
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.kept_lines import ORDINARY
from ia_modules.pipeline.kept_output import KEPT_BYTES
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.notes import OUTPUT_AT_ONCE
from ia_modules.pipeline.runner import Runner
from ia_modules.transitions import Recorded, Transition
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import misbehaves, pipeline_of, recorded, started


async def lines_of(journal: OperatorJournal, execution_id: ExecutionId, within: Any = GRAPH) -> list[LogRecord]:
    """All lines of a level."""
    pages = [await journal.changes(execution_id, within=within)]
    while pages[-1].more:
        pages.append(await journal.changes(execution_id, pages[-1].upto, within=within))
    return [line for page in pages for line in page.logs]


async def output_of(journal: OperatorJournal, execution_id: ExecutionId, within: Any = GRAPH) -> list[Any]:
    """What was emitted: texts joined while nothing else comes between them, and values."""
    pieces: list[Any] = []
    for line in await lines_of(journal, execution_id, within):
        if line.level is LogLevel.OUTPUT and line.data is None and pieces and isinstance(pieces[-1], str):
            pieces[-1] += line.message
        elif line.level is LogLevel.OUTPUT:
            pieces += [line.message] if line.data is None else list(line.data)  # pyright: ignore[reportArgumentType]
    return pieces


async def test_what_is_emitted_is_on_record_in_its_order_from_any_thread(journal: OperatorJournal) -> None:
    def plain(data: dict[str, Any]) -> dict[str, Any]:
        assert threading.current_thread() is not threading.main_thread()
        current.context.emit("one ")
        current.context.emit("two ")
        current.context.emit({"tool": "search"})
        current.context.emit("three", "answer", flush=True)
        current.context.log("beside it")
        return {"n": 3}

    run = await started(journal, document("plain"), plain=plain)
    result = await run.to_end()
    assert result["output"]["plain"] == {"n": 3}
    assert await output_of(journal, run.execution_id) == ["one two ", {"tool": "search"}, "three"]
    lines = await lines_of(journal, run.execution_id)
    assert {line.logger for line in lines if line.level is LogLevel.OUTPUT} == {"answer"}
    assert [line.message for line in lines if line.level is not LogLevel.OUTPUT] == ["beside it"]


async def test_the_first_piece_is_on_record_while_the_step_runs(journal: OperatorJournal) -> None:
    async def slow(data: dict[str, Any]) -> dict[str, Any]:
        current.context.emit("first", flush=True)
        while not await output_of(journal, current.context.execution_id):  # noqa: ASYNC110 - asks the records
            await asyncio.sleep(0.01)
        current.context.emit(" and last")
        return {}

    run = await started(journal, document("slow"), slow=slow)
    await run.to_end()
    assert await output_of(journal, run.execution_id) == ["first and last"]


@dataclass
class Answer:
    words: int


async def some_text(data: dict[str, Any]) -> AsyncIterator[str]:
    for text in ("Hel", "", "lo"):
        yield text


async def text_then_facts(data: dict[str, Any]) -> AsyncIterator[Any]:
    yield "Hello"
    yield None
    yield Answer(1)


async def numbers(data: dict[str, Any]) -> AsyncIterator[Any]:
    yield 1
    yield [2]


async def says_its_result(data: dict[str, Any], context: StepContext) -> AsyncIterator[Any]:
    yield "Hel"
    context.result({"first": True})
    context.result({"last": True})
    yield "lo"


class Streams(Step):
    async def run(self, data: dict[str, Any]) -> AsyncGenerator[str]:
        yield f"Hello {self.config.get('name', 'you')}"


def gives_one(data: dict[str, Any]) -> AsyncIterator[str]:
    return some_text(data)


async def awaits_one(data: dict[str, Any]) -> AsyncIterator[str]:
    return some_text(data)


@pytest.mark.parametrize("keys", [{}, {"timeout_seconds": 30}])
@pytest.mark.parametrize(
    ("code", "pieces", "output"),
    [
        (some_text, ["Hello"], {"text": "Hello"}),
        (text_then_facts, ["Hello", {"words": 1}], {"words": 1}),
        (numbers, [1, [2]], {"text": ""}),
        (says_its_result, ["Hello"], {"last": True}),
        (Streams, ["Hello you"], {"text": "Hello you"}),
        (gives_one, ["Hello"], {"text": "Hello"}),
        (awaits_one, ["Hello"], {"text": "Hello"}),
    ],
)
async def test_an_async_generator_emits_what_it_yields_and_its_result_follows(
    journal: OperatorJournal, code: Any, pieces: list[Any], output: dict[str, Any], keys: dict[str, Any]
) -> None:
    run = await started(journal, document(task("talks", **keys)), talks=code)
    assert (await run.to_end())["output"]["talks"] == output
    assert await output_of(journal, run.execution_id) == pieces


async def test_a_decorated_generator_is_a_step_of_a_flow_that_says_nothing_of_its_result() -> None:
    flow = Flow("Talk")

    @flow.step(keep_stream=False)
    async def answer(question: str) -> AsyncIterator[str]:
        for word in question.split():
            yield word

    assert (await flow.run({"question": "a b"}))["output"]["answer"] == {"text": "ab"}
    [step] = flow.definition.to_json()["steps"]
    assert (step["keep_stream"], "output_schema" in step) == (False, False)


async def test_a_retry_streams_anew_under_its_own_attempt(journal: OperatorJournal) -> None:
    async def flaky(data: dict[str, Any]) -> AsyncIterator[str]:
        yield f"attempt {current.context.attempt}"
        if current.context.attempt == 1:
            raise ConnectionError("lost in the middle")

    retry = {"error_handling": {"retry": {"max_attempts": 2, "initial_delay": 0}}}
    run = await started(journal, document(task("flaky", **retry)), flaky=flaky)
    assert (await run.to_end())["output"]["flaky"] == {"text": "attempt 2"}
    _, steps = await recorded(journal, run.execution_id)
    by_attempt = {step.step_execution_id: step.attempt for step in steps}
    lines = await lines_of(journal, run.execution_id)
    assert [(by_attempt[line.step_execution_id or ""], line.message) for line in lines] == [  # type: ignore[index]
        (1, "attempt 1"),
        (2, "attempt 2"),
    ]


async def test_calls_within_a_step_stream_within_it(journal: OperatorJournal) -> None:
    async def model(prompt: str) -> AsyncIterator[str]:
        for word in prompt.split():
            yield word

    def shouts(prompt: str) -> str:
        current.context.emit(prompt.upper())
        return prompt

    def gives(prompt: str) -> AsyncIterator[str]:
        return model(prompt)

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        context = current.context
        joined = await context.step("model", model, "a b")
        context.emit("between")
        limited = await context.step("shout", shouts, "c")
        called = await asyncio.to_thread(context.call, "given", gives, "d e")
        return {"said": joined, "limited": limited, "called": called}

    run = await started(journal, document("think"), think=think)
    assert (await run.to_end())["output"]["think"] == {"said": {"text": "ab"}, "limited": "c", "called": {"text": "de"}}
    assert await output_of(journal, run.execution_id) == ["between"]
    within = run_path(GRAPH, "think", 1)
    assert await output_of(journal, run.execution_id, within) == ["abCde"]
    [model_call, *_] = await journal.get_execution_steps(run.execution_id, within=within)
    first, *_ = await lines_of(journal, run.execution_id, within)
    assert (first.step_execution_id, first.message) == (model_call.step_execution_id, "ab")


@pytest.mark.parametrize("keep_stream", [True, False])
async def test_output_that_is_not_kept_goes_with_the_completion_of_its_attempt(
    journal: OperatorJournal, *, keep_stream: bool
) -> None:
    """Of a step, of an item of a map, and of what they call; a failed attempt keeps its own."""

    async def model(prompt: str) -> AsyncIterator[str]:
        current.context.emit(prompt, flush=True)
        yield "!"

    async def talks(data: Any) -> AsyncIterator[str]:
        context = current.context
        context.log("begins")
        await context.step("model", model, "inner")
        yield "outer"
        if context.attempt == 1 and context.item_key is None:
            raise ConnectionError("once")

    retry = {"error_handling": {"retry": {"max_attempts": 2, "initial_delay": 0}}}
    steps = (
        task("talks", keep_stream=keep_stream, **retry),
        task("each", keep_stream=keep_stream, map={"over": "{parameters.list}"}),
    )
    flow = document(*steps, paths=[("talks", "each")], parameters=[{"name": "list"}])
    run = await started(journal, flow, {"list": [1, 2]}, talks=talks, each=talks)
    await run.to_end()
    found = {
        level: await output_of(journal, run.execution_id, level)
        for level in (
            GRAPH,
            run_path(GRAPH, "talks", 1),
            run_path(GRAPH, "each", 1),
            run_path(run_path(GRAPH, "each", 1), "each", 2),
        )
    }
    kept = [["outerouter"], ["inner!"], ["outerouter"], ["inner!"]]
    assert list(found.values()) == (kept if keep_stream else [["outer"], [], [], []])
    lines = await lines_of(journal, run.execution_id)
    assert [line.message for line in lines if line.level is not LogLevel.OUTPUT] == ["begins"] * 2


async def test_logs_and_output_do_not_silence_each_other_and_what_is_left_out_is_said(
    journal: OperatorJournal,
) -> None:
    size, count = 2**16 - 1, KEPT_BYTES // (2**16 - 1) + 3

    def much(data: dict[str, Any]) -> dict[str, Any]:
        for number in range(count):
            current.context.emit(chr(ord("a") + number % 26) * size)
        for number in range(ORDINARY.lines):
            current.context.log(f"line {number}")
        current.context.emit({"too": "late"})
        return {"characters": count * size}

    run = await started(journal, document("much"), much=much)
    assert (await run.to_end())["output"]["much"] == {"characters": count * size}
    lines = await lines_of(journal, run.execution_id)
    kept = [line for line in lines if line.level is LogLevel.OUTPUT and line.logger != GAP_LOGGER]
    whole = "".join(chr(ord("a") + number % 26) * size for number in range(count))
    assert "".join(line.message for line in kept) == whole[:KEPT_BYTES]
    assert [line.level for line in lines if line.logger == GAP_LOGGER] == [LogLevel.OUTPUT]
    assert len([line for line in lines if line.level is LogLevel.INFO]) == ORDINARY.lines
    sequences = [line.sequence for line in kept]
    at_once = max(sum(len(line.message) for line in kept if line.sequence == sequence) for sequence in set(sequences))
    assert at_once <= OUTPUT_AT_ONCE
    assert [(line.sequence, line.log_id) for line in kept] == sorted((line.sequence, line.log_id) for line in kept)


async def test_what_is_neither_text_nor_json_fails_the_step(journal: OperatorJournal) -> None:
    async def bad(data: dict[str, Any]) -> AsyncIterator[Any]:
        yield object()

    step = await misbehaves(journal, bad, PayloadError)
    assert "output" in (step.error_message or "")


async def test_a_stream_has_the_time_of_its_step(journal: OperatorJournal) -> None:
    closed = asyncio.Event()

    async def hangs(data: dict[str, Any]) -> AsyncIterator[str]:
        try:
            yield "so far"
            await asyncio.Event().wait()
        finally:
            closed.set()

    run = await started(journal, document(task("hangs", timeout_seconds=0.1)), hangs=hangs)
    with pytest.raises(StepError) as failed:
        await run.to_end()
    assert isinstance(failed.value, StepTimeout) or isinstance(failed.value.__cause__, StepTimeout)
    assert closed.is_set()
    assert await output_of(journal, run.execution_id) == ["so far"]


async def test_a_step_that_returns_has_no_other_result(journal: OperatorJournal) -> None:
    async def both(data: dict[str, Any]) -> dict[str, Any]:
        current.context.result({"a": 1})
        return {"b": 2}

    step = await misbehaves(journal, both, StepError)
    assert "context.result" in (step.error_message or "")


def test_only_code_has_a_stream() -> None:
    with pytest.raises(PipelineDefinitionError, match="keep_stream on a step of type task"):
        pipeline_of(document({"id": "ask", "type": "human_input", "keep_stream": False}), {})


class AwayInBetween(MemoryJournal):
    """A journal that takes every second write of a running step only, and loses the answer of every third."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    async def record(self, transition: Transition) -> Recorded:
        if transition.logs and not any(update.status for update in transition.updates):
            self.writes += 1
            if self.writes % 2:
                raise DatabaseUnavailable("away")
            recorded = await super().record(transition)
            if self.writes % 3 == 0:
                raise DatabaseUnavailable("its answer was lost")
            return recorded
        return await super().record(transition)


async def test_what_is_written_twice_is_there_once_and_in_order() -> None:
    journal = AwayInBetween()
    pieces = [f"{number} " for number in range(40)]

    async def talks(data: dict[str, Any]) -> AsyncIterator[str]:
        for piece in pieces:
            yield piece
            current.context.emit("", flush=True)
            await asyncio.sleep(0.005)

    run = await Runner(journal).start(pipeline_of(document("talks"), {"talks": talks}))
    await run.to_end()
    assert await output_of(journal, run.execution_id) == ["".join(pieces)]
    [step] = await journal.get_execution_steps(run.execution_id)
    assert step.status is StepStatus.COMPLETED


class HoldsOutput(MemoryJournal):
    """A journal whose writes of output alone wait until they may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.is_writing, self.may_go_on, self.was_written = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def record(self, transition: Transition) -> Recorded:
        if transition.logs and not any(update.status for update in transition.updates):
            self.writes += 1
            self.is_writing.set()
            await self.may_go_on.wait()
            self.was_written.set()
        return await super().record(transition)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_call_that_is_cancelled_while_its_last_output_is_written_ends_there(*, fails: bool) -> None:
    journal = HoldsOutput()
    within = run_path(GRAPH, "think", 1)
    piece = "x" * (OUTPUT_AT_ONCE // 2)

    async def talks() -> AsyncIterator[str]:
        for _ in range(6):
            yield piece
        if fails:
            raise ConnectionError("lost at the end")

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        call = asyncio.ensure_future(current.context.step("talks", talks))
        await journal.is_writing.wait()
        call.cancel()
        await asyncio.wait([call])
        await current.context.step("after", asyncio.sleep, 0)
        first, _ = await journal.get_execution_steps(current.context.execution_id, within=within)
        journal.may_go_on.set()
        await journal.was_written.wait()
        for _ in range(20):  # turns of the loop, in which the rest of the output would be written
            await asyncio.sleep(0)
        return {"is_cancelled": call.cancelled(), "status": first.status, "error": first.error_type}

    run = await started(journal, document("think"), think=think)
    output = (await run.to_end())["output"]["think"]
    assert output == {"is_cancelled": True, "status": StepStatus.CANCELLED, "error": "CancelledError"}
    assert journal.writes == 1
