"""Answers that make sense are explained, and answers that do not are found out."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings

from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.testing.histories import Operation, Phase, PhasedHistory, explain, histories, run_history
from tests.conformance.clock import Clock

WORK = [[Operation(start=0), Operation(update=0, step_status=StepStatus.COMPLETED)], [Operation(start=1)], []]
HISTORY = PhasedHistory([Phase(WORK)])


@settings(max_examples=30, deadline=None)
@given(histories())
async def test_what_the_journal_in_memory_answers_is_explained(history: PhasedHistory) -> None:
    clock = Clock()
    journal = MemoryJournal(now=clock)
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    execution_id, answers = await run_history([journal], pipeline_id, history, clock.set)
    execution = await journal.get_execution(execution_id)
    assert execution is not None
    assert explain(answers)[-1].row["sequence"] == execution.sequence


async def test_two_changes_of_one_number_are_found_out() -> None:
    clock = Clock()
    journal = MemoryJournal(now=clock)
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    _, answers = await run_history([journal], pipeline_id, HISTORY, clock.set)
    highest = max(answers, key=lambda answer: answer.sequence)
    wrong = [replace(answer, sequence=1) if answer is highest else answer for answer in answers]
    with pytest.raises(AssertionError, match="two changes were given the same sequence number"):
        explain(wrong)


async def test_an_answer_that_the_rules_do_not_give_is_found_out() -> None:
    clock = Clock()
    journal = MemoryJournal(now=clock)
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    _, answers = await run_history([journal], pipeline_id, PhasedHistory([Phase([[Operation(start=0)]])]), clock.set)
    invented = replace(answers[0], outcome="LeaseLost", sequence=0)
    with pytest.raises(AssertionError, match="nothing explains the answer"):
        explain([*answers, invented])


async def test_an_acknowledged_change_that_never_was_is_found_out() -> None:
    clock = Clock()
    journal = MemoryJournal(now=clock)
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    _, answers = await run_history([journal], pipeline_id, HISTORY, clock.set)
    lost = [answer for answer in answers if answer.sequence != 2]
    with pytest.raises(AssertionError, match="nothing explains sequence 2|was acknowledged"):
        explain(lost)


class Hasty(MemoryJournal):
    """Wakes a second too early."""

    async def wake_due(self) -> float | None:
        now = self._now
        self._now = lambda: now() + timedelta(seconds=1)
        try:
            return await super().wake_due()
        finally:
            self._now = now


@pytest.mark.parametrize(("jump_seconds", "is_woken"), [(4, False), (5, True), (-3600, False)])
async def test_what_rests_is_woken_at_its_time_and_not_before(jump_seconds: float, is_woken: bool) -> None:
    clock = Clock()
    journal = MemoryJournal(now=clock)
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    phase = Phase([], rests=ExecutionStatus.WAITING, wake_after_seconds=5, jump_seconds=jump_seconds)
    _, answers = await run_history([journal], pipeline_id, PhasedHistory([phase]), clock.set)
    assert (explain(answers)[-1].row["status"] == "running") is is_woken


async def test_a_wake_before_its_time_is_found_out() -> None:
    clock = Clock()
    journal = Hasty(now=clock)
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    phase = Phase([], rests=ExecutionStatus.WAITING, wake_after_seconds=5, jump_seconds=4)
    _, answers = await run_history([journal], pipeline_id, PhasedHistory([phase]), clock.set)
    with pytest.raises(AssertionError, match="changed at 2026-01-01 00:00:04"):
        explain(answers)
