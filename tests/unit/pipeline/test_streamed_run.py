"""Runs whose output is read while it comes, on every journal."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ia_modules import current
from ia_modules.errors import AlreadyStarted, PipelineInputError, StepError
from ia_modules.models import ExecutionStatus
from ia_modules.pieces import OutputPiece
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.core import ExecutionContext
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.runner import TRACKER_SERVICE
from ia_modules.pipeline.services import ServiceRegistry


def services_of(journal: OperatorJournal) -> ServiceRegistry:
    return ServiceRegistry({TRACKER_SERVICE: journal})


def talk(*, fails: bool = False, hangs: bool = False) -> Flow:
    """Asks a model within a step, whose words come one after the other as each has been read."""
    flow = Flow("Talk", parameters={"words": "a b c"})

    async def model(prompt: str) -> AsyncIterator[str]:
        for word in prompt.split():
            yield word

    @flow.step
    async def answer(words: str) -> AsyncIterator[Any]:
        yield {"asks": "model"}
        answered: Any = await current.context.step("model", model, words)
        yield answered["text"]
        if fails:
            raise ValueError("no more")
        if hangs:
            current.context.emit("hangs", flush=True)
            await asyncio.Event().wait()

    return flow


async def test_pieces_come_and_then_the_result(journal: OperatorJournal) -> None:
    run = talk().stream(None, services_of(journal))
    pieces = [piece async for piece in run]
    # each attempt in its order; how those of two stand to each other is a question of when they were written
    assert [(piece.within, piece.text, piece.values) for piece in pieces if piece.step_id == "answer"] == [
        ("", "", ({"asks": "model"},)),
        ("", "abc", ()),
    ]
    assert [(piece.within, piece.text) for piece in pieces if piece.step_id == "model"] == [("answer#1", "abc")]
    result = await run.result()
    assert (result["output"]["answer"], result["execution_id"]) == ({"text": "abc"}, run.execution_id)
    again = [piece async for piece in journal.stream(result["execution_id"], pieces[0].cursor)]
    assert again == pieces[1:]


async def test_a_result_needs_no_reader_and_a_run_without_records_streams_too() -> None:
    run = talk().stream({"words": "x"})
    assert run.execution_id is None
    assert (await run.result())["output"]["answer"] == {"text": "x"}
    assert "".join([piece.text async for piece in run]) == "xx"  # once more from the first


async def test_what_fails_the_run_is_raised_after_its_pieces(journal: OperatorJournal) -> None:
    run, pieces = talk(fails=True).stream(None, services_of(journal)), list[OutputPiece]()
    with pytest.raises(StepError, match="no more"):
        async for piece in run:
            pieces.append(piece)
    assert "".join(piece.text for piece in pieces) == "abcabc"
    with pytest.raises(StepError, match="no more"):
        await run.result()


@pytest.mark.parametrize("by", ["closing", "cancelling"])
async def test_who_stops_reading_cancels_the_run_on_record(journal: OperatorJournal, by: str) -> None:
    run = talk(hangs=True).stream(None, services_of(journal))
    pieces = run.__aiter__()
    texts = ""
    while "hangs" not in texts:
        texts += (await anext(pieces)).text
    if by == "closing":
        await pieces.aclose()
    else:
        waiting = asyncio.ensure_future(run.result())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
    assert run.execution_id is not None
    record = await journal.get_execution(run.execution_id)
    assert record is not None
    assert record.status is ExecutionStatus.CANCELLED
    await pieces.aclose()


async def test_what_cannot_begin_says_so(journal: OperatorJournal) -> None:
    flow = Flow("Strict", parameters=[{"name": "n", "schema": {"type": "integer"}, "required": True}])

    @flow.step
    async def double(n: int) -> int:
        return 2 * n

    with pytest.raises(PipelineInputError):
        [piece async for piece in flow.stream({"n": "x"}, services_of(journal))]
    own = ExecutionContext(execution_id="mine")
    assert (await flow.stream({"n": 1}, services_of(journal), own).result())["output"]["double"] == {"result": 2}
    with pytest.raises(AlreadyStarted):
        await flow.stream({"n": 1}, services_of(journal), own).result()
