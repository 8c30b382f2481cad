"""Any output, whoever dies when and whoever reconnects when: what is read is the beginning of what was given, once."""

import asyncio
from collections import defaultdict
from contextlib import aclosing
from typing import Any, NamedTuple
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules import current
from ia_modules.models import ExecutionId, StepExecutionId, StepStatus
from ia_modules.pieces import OutputPiece
from ia_modules.pipeline import notes
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import pipeline_of
from tests.unit.pipeline.test_runner_properties import DEATHS, FOREVER, dies


class Emit(NamedTuple):
    """A piece, given in one of two channels; ``waits``: the step lets others run after it."""

    channel: str
    value: Any
    flush: bool
    waits: bool


EMITS = st.lists(
    st.builds(
        Emit,
        st.sampled_from(["answer", "thought"]),
        st.text("aü ", min_size=1, max_size=4) | st.lists(st.integers(0, 9), max_size=2),
        st.booleans(),
        st.booleans(),
    ),
    max_size=14,
)
CUTS = st.lists(st.integers(0, 3), max_size=6)
"""After so many pieces each, a reader loses its connection, and comes again with the cursor that it has."""

Given = dict[StepExecutionId, list[tuple[str, Any]]]


def joined(pieces: list[tuple[str, Any]], channel: str) -> list[Any]:
    """The pieces of a channel, with neighbouring texts as one."""
    found: list[Any] = []
    for of, piece in pieces:
        if of == channel and isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif of == channel:
            found.append(piece)
    return found


def is_a_beginning(read: list[Any], given_pieces: list[Any]) -> bool:
    if not read or len(read) > len(given_pieces):
        return not read
    last, other = read[-1], given_pieces[len(read) - 1]
    ends_alike = other.startswith(last) if isinstance(last, str) and isinstance(other, str) else last == other
    return ends_alike and read[:-1] == given_pieces[: len(read) - 1]


def pieces_of(piece: OutputPiece) -> list[tuple[str, Any]]:
    return [(piece.channel or "", each) for each in ([piece.text] if piece.text else piece.values)]


class Reader:
    """Follows an execution to its end, from any of the journals over its records, and loses its connection."""

    def __init__(self, journal: OperatorJournal, execution_id: ExecutionId, given_pieces: Given) -> None:
        self._journal, self._execution_id, self._given = journal, execution_id, given_pieces
        self.read: Given = defaultdict(list)
        self.ids: list[str] = []

    async def to_end(self, cuts: list[int]) -> None:
        cursor: str | None = None
        for cut in (*cuts, None):
            left = cut
            async with aclosing(self._journal.stream(self._execution_id, cursor)) as pieces:
                async for piece in pieces:
                    self._take(piece)
                    cursor = piece.cursor
                    if left is not None and (left := left - 1) < 0:
                        break

    def _take(self, piece: OutputPiece) -> None:
        attempt = piece.step_execution_id
        assert attempt is not None
        self.ids.append(piece.log_id)
        self.read[attempt] += pieces_of(piece)
        for channel in ("answer", "thought"):
            assert is_a_beginning(joined(self.read[attempt], channel), joined(self._given[attempt], channel))


async def assert_streams(
    journal: OperatorJournal, emits: list[Emit], deaths: list[int], cuts: list[int], *, keep_stream: bool
) -> None:
    given_pieces: Given = defaultdict(list)

    async def talk(data: dict[str, Any]) -> dict[str, Any]:
        context = current.context
        for each in emits:
            value = f"{context.attempt}:{each.value} " if isinstance(each.value, str) else [context.attempt, each.value]
            given_pieces[context.step_execution_id].append((each.channel, value))
            context.emit(value, each.channel, each.flush)
            if each.waits:
                await asyncio.sleep(0.002)
        return {"attempt": context.attempt}

    pipeline = pipeline_of(document(task("talk", keep_stream=keep_stream)), {"talk": talk})
    with patch.object(notes, "FLUSH_SECONDS", 0.001):
        run = await Runner(journal).start(pipeline, new_version=True)
        reader = Reader(journal, run.execution_id, given_pieces)
        reading = asyncio.create_task(reader.to_end(cuts))
        for moments in (*deaths, FOREVER):
            if not await dies(journal, pipeline, run.execution_id, moments):
                break
        await asyncio.wait_for(reading, 20)
    assert len(set(reader.ids)) == len(reader.ids), "no piece is read twice"
    await assert_on_record(journal, run.execution_id, given_pieces, reader, keep_stream=keep_stream)


async def assert_on_record(
    journal: OperatorJournal, execution_id: ExecutionId, given_pieces: Given, reader: Reader, *, keep_stream: bool
) -> None:
    """At rest, who followed has what is there, and what has completed is there whole, or not at all."""
    recorded: Given = defaultdict(list)
    async with aclosing(journal.stream(execution_id)) as pieces:
        async for piece in pieces:
            recorded[piece.step_execution_id or StepExecutionId("")] += pieces_of(piece)
    for step in await journal.get_execution_steps(execution_id):
        attempt = step.step_execution_id
        for channel in ("answer", "thought"):
            there = joined(recorded[attempt], channel)
            assert is_a_beginning(there, joined(given_pieces[attempt], channel))
            if step.status is not StepStatus.COMPLETED:
                assert joined(reader.read[attempt], channel) == there
            elif keep_stream:
                assert there == joined(given_pieces[attempt], channel) == joined(reader.read[attempt], channel)
            else:
                assert there == []


@settings(max_examples=100, deadline=None)
@given(emits=EMITS, deaths=DEATHS, cuts=CUTS, keep_stream=st.booleans())
async def test_in_memory(emits: list[Emit], deaths: list[int], cuts: list[int], *, keep_stream: bool) -> None:
    await assert_streams(MemoryJournal(), emits, deaths, cuts, keep_stream=keep_stream)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(emits=EMITS, deaths=DEATHS, cuts=CUTS, keep_stream=st.booleans())
async def test_on_every_journal(
    journal: OperatorJournal, emits: list[Emit], deaths: list[int], cuts: list[int], *, keep_stream: bool
) -> None:
    await assert_streams(journal, emits, deaths, cuts, keep_stream=keep_stream)
