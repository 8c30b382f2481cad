"""Answers that make sense are explained, and answers that do not are found out."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from ia_modules.models import StepStatus
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.testing.histories import Operation, explain, histories, run_history

WORK = [[Operation(start=0), Operation(update=0, step_status=StepStatus.COMPLETED)], [Operation(start=1)], []]


@settings(max_examples=30, deadline=None)
@given(histories())
async def test_what_the_journal_in_memory_answers_is_explained(history: list[list[Operation]]) -> None:
    journal = MemoryJournal()
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    execution_id, answers = await run_history([journal], pipeline_id, history)
    execution = await journal.get_execution(execution_id)
    assert execution is not None
    assert explain(answers)[-1].row["sequence"] == execution.sequence


async def test_two_changes_of_one_number_are_found_out() -> None:
    journal = MemoryJournal()
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    _, answers = await run_history([journal], pipeline_id, WORK)
    highest = max(answers, key=lambda answer: answer.sequence)
    wrong = [replace(answer, sequence=1) if answer is highest else answer for answer in answers]
    with pytest.raises(AssertionError, match="two changes were given the same sequence number"):
        explain(wrong)


async def test_an_answer_that_the_rules_do_not_give_is_found_out() -> None:
    journal = MemoryJournal()
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    _, answers = await run_history([journal], pipeline_id, [[Operation(start=0)], [], []])
    invented = replace(answers[0], outcome="LeaseLost", sequence=0)
    with pytest.raises(AssertionError, match="nothing explains the answer"):
        explain([*answers, invented])


async def test_an_acknowledged_change_that_never_was_is_found_out() -> None:
    journal = MemoryJournal()
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    _, answers = await run_history([journal], pipeline_id, WORK)
    lost = [answer for answer in answers if answer.sequence != 2]
    with pytest.raises(AssertionError, match="nothing explains sequence 2|was acknowledged"):
        explain(lost)
