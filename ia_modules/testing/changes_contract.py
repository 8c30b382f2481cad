"""What every journal promises about reading what is new, page by page, as tests: a part of ``JournalContract``."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ia_modules.models import (
    Changes,
    ExecutionId,
    ExecutionStatus,
    InteractionSummary,
    PipelineId,
    RunPath,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.contract_transitions import OWNER, becomes, ending, question_of, starting
from ia_modules.transitions import Expiry, LogLine, NewExecution, Transition

MADE_TO_BE_INHERITED = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.differing_executors,
    HealthCheck.too_slow,
]
"""Each journal has a class of its own, and they run in one process; every example makes executions of its own. How long
a machine takes to draw them says nothing of a journal.
"""


class ChangesContract:
    """The promises about changes; the fixtures are those of the contract."""

    async def test_changes_have_questions_when_they_are_asked_and_when_they_close(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        ids: list[str] = []
        for step_id in ("answered", "expired", "cancelled"):
            started, attempt = starting(execution_id, step_id)
            await journal.record(started)
            question = question_of(attempt)
            ids.append(question.interaction_id)
            await journal.record(replace(ending(execution_id, attempt, StepStatus.WAITING), asks=(question,)))
        changes = await journal.changes(execution_id)
        assert [(each.interaction_id, each.status, each.sequence) for each in changes.interactions] == [
            (ids[0], "pending", 3),
            (ids[1], "pending", 5),
            (ids[2], "pending", 7),
        ]
        for close in (
            journal.answer_interaction(ids[0], {"yes": True}, actor="ann"),
            journal.record(
                Transition(execution_id=execution_id, writer=OWNER, expires=(Expiry(interaction_id=ids[1]),))
            ),
            journal.record(becomes(execution_id, ExecutionStatus.FAILED)),
        ):
            cursor = changes.upto
            await close
            changes = await journal.changes(execution_id, cursor)
            (closed,) = changes.interactions
            assert (closed.interaction_id, closed.sequence, changes.upto) == (ids.pop(0), cursor + 1, cursor + 1)
            (question,) = [
                each
                for each in await journal.get_interactions(execution_id)
                if each.interaction_id == closed.interaction_id
            ]
            assert closed == question.narrow(InteractionSummary)
            assert closed.completed_at is not None

    async def test_changes_are_what_is_newer_than_the_cursor(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, step_id = starting(execution_id, "load")
        await journal.record(started)
        line = LogLine(log_id=new_id(), message="half way", step_execution_id=step_id, logger="shop")
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=(line,)))
        await journal.record(ending(execution_id, step_id, StepStatus.COMPLETED))
        everything = await journal.changes(execution_id)
        assert [(step.sequence, step.status) for step in everything.steps] == [(4, StepStatus.COMPLETED)]
        found = [(line.sequence, line.logger, line.message) for line in everything.logs]
        assert found == [(3, "shop", "half way")]
        assert (everything.upto, everything.more) == (4, False)
        newest = await journal.changes(execution_id, everything.upto)
        assert (newest.steps, newest.logs, newest.upto) == ((), (), 4)

    async def test_a_log_line_that_comes_twice_is_kept_once(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        line = LogLine(log_id=new_id(), message="once")
        for _ in range(2):
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=(line,)))
        assert [found.message for found in (await journal.changes(execution_id)).logs] == ["once"]

    @settings(max_examples=20, deadline=None, suppress_health_check=MADE_TO_BE_INHERITED)
    @given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6), limit=st.integers(1, 4))
    async def test_pages_of_changes_never_split_a_sequence_number(
        self, journal: OperatorJournal, pipeline_id: PipelineId, sizes: list[int], limit: int
    ) -> None:
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, pipeline_name="A pipeline")
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        for size in sizes:
            starts = tuple(starting(execution_id, f"step-{number}")[0].starts[0] for number in range(size))
            asks = tuple(question_of(start.step_execution_id) for start in starts[: size // 3])
            logs = tuple(LogLine(log_id=new_id(), message="line") for _ in range(size // 2))
            await journal.record(
                Transition(execution_id=execution_id, writer=OWNER, starts=starts, asks=asks, logs=logs)
            )
        pages = await all_pages(journal, execution_id, limit)
        seen = [step.sequence for page in pages for step in page.steps]
        assert seen == sorted(number for number, size in enumerate(sizes, start=2) for _ in range(size))
        assert len([line for page in pages for line in page.logs]) == sum(size // 2 for size in sizes)
        assert len([each for page in pages for each in page.interactions]) == sum(size // 3 for size in sizes)
        for page in pages:
            assert all(page.after < row.sequence <= page.upto for row in page.rows)


async def all_pages(
    journal: OperatorJournal, execution_id: ExecutionId, limit: int, *, within: RunPath = GRAPH
) -> list[Changes]:
    """Everything that is newer than the beginning, in pages of at most ``limit`` rows of each kind."""
    pages = [await journal.changes(execution_id, within=within, limit=limit)]
    while pages[-1].more:
        pages.append(await journal.changes(execution_id, pages[-1].upto, within=within, limit=limit))
    return pages
