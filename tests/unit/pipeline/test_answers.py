"""Questions to people, on every journal: they pause an execution, and answers and deadlines let it go on."""

import asyncio
from typing import Any

import pytest

from ia_modules.errors import StepError
from ia_modules.models import ExecutionId, InteractionRecord
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.runner import Runner
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import nothing, started


def asking(**config: Any) -> dict[str, Any]:
    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Ship?", "ui_schema": {"type": "object"}, **config}}
    yes = {"type": "expression", "config": {"source": "result.human_input.yes", "operator": "==", "value": True}}
    return document(
        "first", ask, "ship", "drop", paths=[("first", "ask"), ("ask", "ship", yes), ("ask", "drop", "else")]
    )


async def overdue(journal: OperatorJournal, execution_id: ExecutionId) -> None:
    """Wait until the only question of an execution is, by the clock of the records."""
    deadline_at = (await journal.get_interactions(execution_id))[0].deadline_at
    assert deadline_at is not None
    while await journal.now() < deadline_at:  # noqa: ASYNC110 - asks the records
        await asyncio.sleep(0.01)


async def test_a_question_pauses_the_execution_until_somebody_answers(journal: OperatorJournal) -> None:
    code = dict.fromkeys(("first", "ship", "drop"), nothing)
    run = await started(journal, asking(), **code)
    paused = await run.to_end()
    assert (paused["status"], paused["waiting_step"]) == ("waiting_for_human", "ask")
    (question,) = await journal.get_interactions(run.execution_id)
    assert (question.interaction_id, question.prompt) == (paused["interaction_id"], "Ship?")
    await journal.answer_interaction(question.interaction_id, {"yes": True}, actor="ann")
    result = await (await Runner(journal).resume(run.pipeline, run.execution_id)).to_end()
    assert [step["step_name"] for step in result["steps"]] == ["first", "ask", "ship"]
    assert result["steps"][1]["result"] == {"human_input": {"yes": True}}


@pytest.mark.parametrize(
    ("on_timeout", "expected"),
    [({"yes": True}, ["first", "ask", "ship"]), ("drop", ["first", "ask", "drop"]), ("fail", None)],
)
async def test_a_question_that_nobody_answers_in_time(
    journal: OperatorJournal, on_timeout: Any, expected: list[str] | None
) -> None:
    code = dict.fromkeys(("first", "ship", "drop"), nothing)
    run = await started(journal, asking(timeout_seconds=0.05, on_timeout=on_timeout), **code)
    await run.to_end()
    await overdue(journal, run.execution_id)
    again = await Runner(journal).resume(run.pipeline, run.execution_id)
    if expected is None:
        with pytest.raises(StepError, match="nobody answered within 0.05 seconds"):
            await again.to_end()
    else:
        assert [step["step_name"] for step in (await again.to_end())["steps"]] == expected
    (question,) = await journal.get_interactions(run.execution_id)
    assert question.status == "expired"


async def test_an_answer_that_comes_when_its_time_has_just_been_found_to_be_over_is_taken(
    journal: OperatorJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = dict.fromkeys(("first", "ship", "drop"), nothing)
    run = await started(journal, asking(timeout_seconds=0.05, on_timeout="drop"), **code)
    await run.to_end()
    await overdue(journal, run.execution_id)
    again = await Runner(journal).resume(run.pipeline, run.execution_id)
    read = journal.get_interactions

    async def read_then_answered(execution_id: ExecutionId, *, awaited: bool) -> list[InteractionRecord]:
        questions = await read(execution_id, awaited=awaited)
        if questions[0].status == "pending":
            await journal.answer_interaction(questions[0].interaction_id, {"yes": True}, actor="ann")
        return questions

    monkeypatch.setattr(journal, "get_interactions", read_then_answered)
    assert [step["step_name"] for step in (await again.to_end())["steps"]] == ["first", "ask", "ship"]
    (question,) = await read(run.execution_id)
    assert (question.status, question.actor) == ("answered", "ann")


async def test_an_answer_given_while_other_steps_run_is_not_missed(journal: OperatorJournal) -> None:
    waiting = asyncio.Event()

    async def slow(data: dict[str, Any]) -> None:
        await waiting.wait()

    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Ship?"}}
    written = document(
        "first", ask, "slow", "join", paths=[("first", "ask"), ("first", "slow"), ("ask", "join"), ("slow", "join")]
    )
    run = await started(journal, written, first=nothing, slow=slow, join=nothing)
    task = asyncio.create_task(run.to_end())
    while not (questions := await journal.get_interactions(run.execution_id)):  # noqa: ASYNC110 - asks the records
        await asyncio.sleep(0)
    await journal.answer_interaction(questions[0].interaction_id, {"ok": 1}, actor="ann")
    waiting.set()
    result = await task
    assert (result["status"], result["steps"][-1]["step_name"]) == ("completed", "join")
