"""What every journal promises about what steps give as it comes, as tests: a part of ``JournalContract``."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ia_modules.errors import ExecutionNotFound, InvalidArgument, StepExecutionNotFound
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    LogLevel,
    PipelineId,
    StepExecutionId,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.pieces import OutputPiece
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.changes_contract import MADE_TO_BE_INHERITED
from ia_modules.testing.contract_transitions import OWNER, becomes, claimed_of, ending, starting
from ia_modules.transitions import LogLine, NewExecution, StepStart, StepUpdate, Transition


class OutputContract:
    """The promises about lines of level ``output``; the fixtures are those of the contract."""

    async def test_output_is_on_record_in_its_order_beside_what_is_logged(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "answer")
        await journal.record(started)
        for texts in (("one ", "two "), ("three",)):
            lines = tuple(_emitted(attempt, text) for text in texts)
            logged = LogLine(log_id=new_id(), message="thinking", step_execution_id=attempt)
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=(*lines, logged)))
        assert await _kept(journal, execution_id) == ["one ", "two ", "three"]
        assert [line.message for line in (await journal.changes(execution_id)).logs if line.logger is None] == [
            "thinking",
            "thinking",
        ]

    @pytest.mark.parametrize("status", [status for status in StepStatus if status.is_terminal])
    async def test_output_that_is_not_to_be_kept_goes_where_its_attempt_completes_and_only_there(
        self, journal: OperatorJournal, execution_id: ExecutionId, status: StepStatus
    ) -> None:
        ids: list[StepExecutionId] = []
        for step_id in ("answer", "other"):
            started, attempt = starting(execution_id, step_id)
            await journal.record(started)
            ids.append(attempt)
            logged = LogLine(log_id=new_id(), message="said", step_execution_id=attempt)
            lines = (_emitted(attempt, f"{step_id}, early"), logged)
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=lines))
        end = ending(execution_id, ids[0], status)
        end = replace(end, updates=(replace(end.updates[0], drops_output=True),))
        last = _emitted(ids[0], "answer, late")
        ended = replace(end, logs=(last, LogLine(log_id=new_id(), message="said", step_execution_id=ids[0])))
        for _ in range(2):
            await journal.record(ended)
        own = [] if status is StepStatus.COMPLETED else ["answer, early", "answer, late"]
        assert sorted(await _kept(journal, execution_id)) == [*own, "other, early"]
        lines = (await journal.changes(execution_id)).logs
        assert [line.message for line in lines if line.level is LogLevel.INFO] == ["said"] * 3

    @pytest.mark.parametrize("drops", [True, False])
    async def test_output_that_comes_after_the_end_of_its_attempt_is_dropped(
        self, journal: OperatorJournal, execution_id: ExecutionId, *, drops: bool
    ) -> None:
        """A write whose answer was lost is sent again, and may come after the end, which had the same lines."""
        started, attempt = starting(execution_id, "answer")
        await journal.record(started)
        first, last = _emitted(attempt, "first"), _emitted(attempt, "last")
        update = StepUpdate(step_execution_id=attempt, status=StepStatus.COMPLETED, drops_output=drops)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, updates=(update,), logs=(first, last)))
        late = await journal.record(
            Transition(execution_id=execution_id, writer=OWNER, logs=(first, _emitted(attempt, "too late")))
        )
        assert not late.changed
        assert await _kept(journal, execution_id) == ([] if drops else ["first", "last"])
        logged = LogLine(log_id=new_id(), message="said", step_execution_id=attempt)
        written = await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=(logged,)))
        assert written.changed

    async def test_what_a_process_runs_loses_its_output_in_the_write_that_reads_nothing(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        """Several at once, and one after it, all of which are known to the process that runs them."""
        lease = await claimed_of(journal, pipeline_id)
        attempts: list[StepExecutionId] = []
        for step_id in ("first", "second", "third"):
            started, attempt = starting(lease.execution_id, step_id)
            attempts.append(attempt)
            await journal.record(replace(started, lease=lease, writer=journal.owner))
            lines = tuple(_emitted(attempt, f"{step_id} {number}") for number in range(3))
            await journal.record(Transition(lease=lease, writer=journal.owner, logs=lines))
        ends = [StepUpdate(step_execution_id=each, status=StepStatus.COMPLETED, drops_output=True) for each in attempts]
        await journal.record(Transition(lease=lease, writer=journal.owner, updates=tuple(ends[:2])))
        assert await _kept(journal, lease.execution_id) == ["third 0", "third 1", "third 2"]
        await journal.record(Transition(lease=lease, writer=journal.owner, updates=tuple(ends[2:])))
        assert await _kept(journal, lease.execution_id) == []

    @settings(max_examples=25, deadline=None, suppress_health_check=MADE_TO_BE_INHERITED)
    @given(
        writes=st.lists(st.lists(st.tuples(st.integers(0, 2), st.text("aü", max_size=3)), max_size=4), max_size=6),
        limit=st.integers(1, 4),
        begin=st.integers(0, 40),
    )
    async def test_output_is_read_from_any_cursor_piece_by_piece(
        self,
        journals: list[OperatorJournal],
        pipeline_id: PipelineId,
        writes: list[list[tuple[int, str]]],
        limit: int,
        begin: int,
    ) -> None:
        """At all levels, or of one attempt: what comes after a cursor, once, in its order, on any process."""
        journal, reader = journals[0], journals[-1]
        execution_id, attempts = ExecutionId(new_id()), [StepExecutionId(new_id()) for _ in range(3)]
        new = NewExecution(pipeline_id=pipeline_id)
        outer = run_path(GRAPH, "outer", 1)
        starts = tuple(
            StepStart(step_execution_id=each, step_id=name, step_name=name, step_type="task", within=within)
            for each, name, within in zip(attempts, ("outer", "inner", "other"), (GRAPH, outer, GRAPH), strict=True)
        )
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new, starts=starts))
        written: list[LogLine] = []
        for each in writes:
            lines = [_emitted(attempts[of], text) for of, text in each]
            written += lines
            logs = (*lines, LogLine(log_id=new_id(), message="no output", step_execution_id=attempts[0]))
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=logs))
        for attempt in (None, *attempts):
            wanted = [each for each in written if attempt in (None, each.step_execution_id)]
            pieces = [piece for page in await _pages(reader, execution_id, None, attempt, limit) for piece in page]
            assert [piece.log_id for piece in pieces] == [each.log_id for each in wanted]
            assert [(piece.text, piece.channel, piece.values) for piece in pieces] == [
                (each.message, "answer", ()) for each in wanted
            ]
            names = dict(zip(attempts, ("outer", "inner", "other"), strict=True))
            for piece in pieces:
                assert piece.step_id == names[piece.step_execution_id or attempts[0]]
                assert (piece.iteration, piece.attempt, piece.within) == (
                    1,
                    1,
                    outer if piece.step_id == "inner" else GRAPH,
                )
            if pieces:
                at = begin % len(pieces)
                pages = await _pages(reader, execution_id, pieces[at].cursor, attempt, limit)
                assert [piece for page in pages for piece in page] == pieces[at + 1 :]
                pages = await _pages(reader, execution_id, pieces[at].sequence, attempt, limit)
                after = [piece for piece in pieces if piece.sequence > pieces[at].sequence]
                assert [piece for page in pages for piece in page] == after

    async def test_output_is_over_when_its_attempt_or_its_execution_is(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        ids: list[StepExecutionId] = []
        for step_id in ("answer", "other"):
            started, attempt = starting(execution_id, step_id)
            await journal.record(started)
            ids.append(attempt)
        line = _emitted(ids[0], "so far")
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=(line,)))

        async def are_over() -> list[bool]:
            pages = [await journal.output(execution_id, step_execution_id=each) for each in (None, *ids)]
            return [page.is_over for page in pages]

        assert await are_over() == [False, False, False]
        await journal.record(ending(execution_id, ids[0], StepStatus.FAILED))
        assert await are_over() == [False, True, False]
        pieces = [piece async for piece in journal.stream(execution_id, step_execution_id=ids[0])]
        assert [piece.text for piece in pieces] == ["so far"]
        await journal.record(becomes(execution_id, ExecutionStatus.COMPLETED))
        assert await are_over() == [True, True, True]
        assert [piece async for piece in journal.stream(execution_id, pieces[0].cursor)] == []

    async def test_output_of_what_is_not_there_is_an_error(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        for nobody in (new_id(), "nobody", "\0"):
            with pytest.raises(ExecutionNotFound):
                await journal.output(nobody)
            with pytest.raises(StepExecutionNotFound):
                await journal.output(execution_id, step_execution_id=nobody)
        for cursor in ("x", "-1", "1:", f"1:{new_id()}x", "9" * 19):
            with pytest.raises(InvalidArgument, match="cursor"):
                await journal.output(execution_id, cursor)
        for limit in (0, 1001):
            with pytest.raises(InvalidArgument, match="limit"):
                await journal.output(execution_id, limit=limit)
        page = await journal.output(execution_id)
        assert (page.items, page.more, page.is_over, page.rests) == ((), False, False, False)
        assert (await journal.output(execution_id, page.cursor)).items == ()


async def _pages(
    journal: OperatorJournal, execution_id: ExecutionId, after: str | int | None, attempt: str | None, limit: int
) -> list[tuple[OutputPiece, ...]]:
    pages: list[tuple[OutputPiece, ...]] = []
    while True:
        page = await journal.output(execution_id, after, step_execution_id=attempt, limit=limit)
        pages.append(page.items)
        assert len(page.items) <= limit
        if not page.more:
            return pages
        after = page.cursor


def _emitted(attempt: StepExecutionId, text: str) -> LogLine:
    return LogLine(log_id=new_id(), message=text, level=LogLevel.OUTPUT, step_execution_id=attempt, logger="answer")


async def _kept(journal: OperatorJournal, execution_id: ExecutionId) -> list[str]:
    lines = (await journal.changes(execution_id)).logs
    assert [(line.sequence, line.log_id) for line in lines] == sorted((line.sequence, line.log_id) for line in lines)
    return [line.message for line in lines if line.level is LogLevel.OUTPUT]
