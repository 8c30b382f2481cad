"""What a running step logs and how far it says it is, on every journal."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ia_modules.errors import DatabaseUnavailable, StepError
from ia_modules.models import LogLevel, StepExecutionId, new_id
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.kept_lines import ORDINARY
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.notes import Notes
from ia_modules.transitions import LogLine, Recorded, StepUpdate, Transition
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import nothing, started


async def never_written(lines: tuple[LogLine, ...], updates: tuple[StepUpdate, ...]) -> bool:
    return False


async def test_a_line_has_the_time_at_which_it_was_logged() -> None:
    seconds = iter([10.0, 12.5, 13.0])
    notes = Notes(StepExecutionId("a"), never_written, clock=lambda: next(seconds))
    notes.keep_line(LogLevel.INFO, "early", None)
    notes.keep_line(LogLevel.INFO, "late", None)
    lines, _ = notes.end()
    assert [(line.message, line.age_seconds) for line in lines] == [("early", 3.0), ("late", 0.5)]


async def test_a_line_that_is_written_late_has_its_own_time_on_record(journal: OperatorJournal) -> None:
    run = await started(journal, document("step"), step=nothing)
    line = LogLine(log_id=new_id(), message="an hour ago", age_seconds=3600)
    before = datetime.now(UTC)
    await journal.record(Transition(writer=journal.owner, lease=run.lease, logs=(line,)))
    (stored,) = (await journal.changes(run.execution_id)).logs
    assert before <= stored.logged_at + timedelta(hours=1) <= datetime.now(UTC)


async def test_of_very_many_lines_the_first_and_those_before_a_crash_are_on_record(journal: OperatorJournal) -> None:
    class Chatty(Step):
        def run(self, data: dict[str, Any]) -> None:
            for number in range(2 * ORDINARY.lines + 10):
                self.context.log(f"line {number}")
            raise ValueError("after many words")

    run = await started(journal, document("chatty"), chatty=Chatty)
    with pytest.raises(StepError, match="after many words"):
        await run.to_end()
    pages = [await journal.changes(run.execution_id)]
    while pages[-1].more:
        pages.append(await journal.changes(run.execution_id, pages[-1].upto))
    lines = sorted((line for page in pages for line in page.logs), key=lambda line: line.log_id)
    assert [line.message for line in lines[: ORDINARY.lines]] == [f"line {number}" for number in range(ORDINARY.lines)]
    note, gap = lines[ORDINARY.lines : ORDINARY.lines + 2]
    assert "when the attempt ends" in note.message
    assert (gap.message.split(":")[0], gap.data) == ("10 lines are left out here", {"left_out": 10})
    assert len(lines) == 2 * ORDINARY.lines + 2
    assert lines[-1].message == f"line {2 * ORDINARY.lines + 9}"


class AwayForNotes(MemoryJournal):
    """A journal that takes no line of a running step while it is away."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = asyncio.Event()
        self.is_away = True

    async def record(self, transition: Transition) -> Recorded:
        if self.is_away and transition.logs and not any(update.status for update in transition.updates):
            self.refused.set()
            raise DatabaseUnavailable("away")
        return await super().record(transition)


@pytest.mark.parametrize("comes_back", [True, False])
async def test_what_a_step_says_while_the_database_is_away_is_on_record_in_the_end(comes_back: bool) -> None:
    journal = AwayForNotes()

    class Talks(Step):
        async def run(self, data: dict[str, Any]) -> None:
            self.context.log("before")
            self.context.progress(0.5)
            await journal.refused.wait()
            self.context.log("after")
            journal.is_away = not comes_back
            if comes_back:
                while not (await journal.changes(self.context.execution_id)).logs:  # noqa: ASYNC110 - asks the records
                    await asyncio.sleep(0.01)

    run = await started(journal, document("talks", paths=[]), talks=Talks)
    await run.to_end()
    changes = await journal.changes(run.execution_id)
    assert [line.message for line in changes.logs] == ["before", "after"]
    assert changes.steps[0].progress == 0.5


async def test_what_cannot_be_written_for_an_unknown_reason_is_logged_and_comes_with_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tried = asyncio.Event()

    async def broken(lines: tuple[LogLine, ...], updates: tuple[StepUpdate, ...]) -> bool:
        tried.set()
        raise RuntimeError("no disk")

    notes = Notes(StepExecutionId("a"), broken)
    notes.keep_line(LogLevel.INFO, "kept", None)
    await tried.wait()
    await asyncio.sleep(0)
    lines, _ = notes.end()
    assert [line.message for line in lines] == ["kept"]
    assert [record.getMessage() for record in caplog.records] == ["The background task 'notes:a' failed"]
