"""What a running step logs and how far it says it is, on every journal."""

import asyncio
from typing import Any

import pytest

from ia_modules.errors import DatabaseUnavailable
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.notes import MOST_LINES
from ia_modules.transitions import Recorded, Transition
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import recorded, started


async def test_a_line_has_the_time_at_which_it_was_said(journal: Journal) -> None:
    class Say(Step):
        async def run(self, data: dict[str, Any]) -> None:
            self.context.log("early")
            await asyncio.sleep(0.05)  # well below the time after which lines are written

    run = await started(journal, document("say"), say=Say)
    await run.to_end()
    (line,) = (await journal.changes(run.execution_id)).logs
    _, (step,) = await recorded(journal, run.execution_id)
    assert step.completed_at is not None
    assert (step.completed_at - line.logged_at).total_seconds() > 0.04


async def test_lines_over_the_limit_are_left_out_and_that_is_said(journal: Journal) -> None:
    class Chatty(Step):
        def run(self, data: dict[str, Any]) -> None:
            for number in range(MOST_LINES + 10):
                self.context.log(f"line {number}")

    run = await started(journal, document("chatty"), chatty=Chatty)
    await run.to_end()
    pages = [await journal.changes(run.execution_id)]
    while pages[-1].more:
        pages.append(await journal.changes(run.execution_id, pages[-1].upto))
    lines = [line for page in pages for line in page.logs]
    assert len(lines) == MOST_LINES + 1
    assert "left out" in max(lines, key=lambda line: line.log_id).message


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
