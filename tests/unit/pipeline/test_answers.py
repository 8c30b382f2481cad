"""Questions to people, on every journal: they pause an execution, and answers and deadlines let it go on."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from ia_modules.errors import QuestionsDiffer, StepError
from ia_modules.models import ExecutionId, InteractionRecord, format_time
from ia_modules.pipeline.answers import problems_of_answer, refuse_unlike
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import nothing, started


def asking(**config: Any) -> dict[str, Any]:
    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Ship?", "ui_schema": {"type": "object"}, **config}}
    yes = {"type": "expression", "config": {"source": "result.human_input.yes", "operator": "==", "value": True}}
    return document(
        "first", ask, "ship", "drop", paths=[("first", "ask"), ("ask", "ship", yes), ("ask", "drop", "else")]
    )


async def overdue(journal: OperatorJournal, execution_id: ExecutionId) -> None:
    """Let the time of the only question of an execution be over, by the clock of the records."""
    [question] = await journal.get_interactions(execution_id)
    assert question.deadline_at is not None
    if isinstance(journal, MemoryJournal):
        steps = journal._steps[execution_id]
        steps[question.step_execution_id] = replace(
            steps[question.step_execution_id], wake_at=await journal.now() - timedelta(seconds=1)
        )
        return
    assert isinstance(journal, ExecutionTracker)
    moved = "UPDATE step_executions SET wake_at = ia_now(-1) WHERE step_execution_id = :step_execution_id"
    await journal._database.execute_async(moved, {"step_execution_id": question.step_execution_id})


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
    run = await started(journal, asking(timeout_seconds=60, on_timeout=on_timeout), **code)
    await run.to_end()
    await overdue(journal, run.execution_id)
    again = await Runner(journal).resume(run.pipeline, run.execution_id)
    if expected is None:
        with pytest.raises(StepError, match="nobody answered within 60 seconds"):
            await again.to_end()
    else:
        assert [step["step_name"] for step in (await again.to_end())["steps"]] == expected
    (question,) = await journal.get_interactions(run.execution_id)
    assert question.status == "expired"


async def test_a_question_that_a_second_attempt_or_iteration_asks_waits_until_somebody_answers(
    journal: OperatorJournal,
) -> None:
    """Both begin after a delay, whose end is not the end of the question."""

    class AsksAtLast(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            if self.context.attempt == 1:
                raise ConnectionError("not yet")
            return {"status": "human_input_required", "prompt": "Again?"}

    retry = {"retry": {"max_attempts": 2, "initial_delay": 0.004, "jitter": False}}
    again = {"type": "expression", "config": {"source": "result.human_input", "operator": "==", "value": "again"}}
    written = document(
        task("work", error_handling=retry),
        "after",
        paths=[("work", "work", again), ("work", "after", "else")],
        loop_config={"iteration_delay_seconds": 0.004},
    )
    run = await started(journal, written, work=AsksAtLast, after=nothing)
    for answer in ("again", "enough"):
        paused = await run.to_end()
        assert paused["status"] == "waiting_for_human"
        question = await journal.get_interaction(paused["interaction_id"])
        assert question is not None
        assert question.deadline_at is None
        await journal.answer_interaction(question.interaction_id, answer, actor="ann")
        run = await Runner(journal).resume(run.pipeline, run.execution_id)
    result = await run.to_end()
    assert [step["step_name"] for step in result["steps"]] == ["work", "work", "after"]


def of_several(**config: Any) -> dict[str, Any]:
    """Two of three people are to agree; the paths look at the first answer."""
    people = {"assigned_users": ["ann", "bob", "cleo"], "answers": 2, "decided_by": "yes"}
    ask = {"id": "ask", "type": "human_input", "config": {"ui_schema": {"type": "object"}, **people, **config}}
    source = "result.human_input.answers.0.response.yes"
    yes = {"type": "expression", "config": {"source": source, "operator": "==", "value": True}}
    return document(ask, "ship", "drop", paths=[("ask", "ship", yes), ("ask", "drop", "else")])


async def test_several_answers_go_on_in_their_order_when_they_decide(journal: OperatorJournal) -> None:
    run = await started(journal, of_several(), ship=nothing, drop=nothing)
    paused = await run.to_end()
    for actor, yes in (("ann", False), ("bob", True), ("ann", True)):
        await journal.answer_interaction(paused["interaction_id"], {"yes": yes}, actor=actor)
    (question,) = await journal.get_interactions(run.execution_id)
    result = await (await Runner(journal).resume(run.pipeline, run.execution_id)).to_end()
    assert [step["step_name"] for step in result["steps"]] == ["ask", "ship"]
    _, bob, ann = question.responses
    assert result["steps"][0]["result"]["human_input"] == {
        "answers": [
            {"actor": "bob", "response": {"yes": True}, "answered_at": format_time(bob.answered_at)},
            {"actor": "ann", "response": {"yes": True}, "answered_at": format_time(ann.answered_at)},
        ]
    }


@pytest.mark.parametrize(
    ("on_timeout", "actors", "path"),
    [({"yes": False}, ["ann", None], ["ask", "ship"]), ("drop", ["ann"], ["ask", "drop"]), ("fail", None, None)],
)
async def test_the_deadline_decides_with_the_answers_that_are_there(
    journal: OperatorJournal, on_timeout: Any, actors: list[str | None] | None, path: list[str] | None
) -> None:
    run = await started(journal, of_several(timeout_seconds=60, on_timeout=on_timeout), ship=nothing, drop=nothing)
    paused = await run.to_end()
    await journal.answer_interaction(paused["interaction_id"], {"yes": True}, actor="ann")
    await overdue(journal, run.execution_id)
    again = await Runner(journal).resume(run.pipeline, run.execution_id)
    if actors is None:
        with pytest.raises(StepError, match=r"the answers \(1\) did not decide it within 60 seconds"):
            await again.to_end()
    else:
        result = await again.to_end()
        assert [step["step_name"] for step in result["steps"]] == path
        answers = result["steps"][0]["result"]["human_input"]["answers"]
        assert [each["actor"] for each in answers] == actors
    (question,) = await journal.get_interactions(run.execution_id)
    assert (question.status, question.answered_by) == ("expired", 1)


async def test_an_answer_that_does_not_decide_it_comes_just_before_the_deadline_is_recorded_and_is_kept(
    journal: OperatorJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await started(journal, of_several(timeout_seconds=60, on_timeout="drop"), ship=nothing, drop=nothing)
    await run.to_end()
    await overdue(journal, run.execution_id)
    again = await Runner(journal).resume(run.pipeline, run.execution_id)
    read = journal.get_interactions

    async def read_then_answered(execution_id: ExecutionId, *, awaited: bool) -> list[InteractionRecord]:
        questions = await read(execution_id, awaited=awaited)
        if not questions[0].responses:
            await journal.answer_interaction(questions[0].interaction_id, {"yes": True}, actor="ann")
        return questions

    monkeypatch.setattr(journal, "get_interactions", read_then_answered)
    result = await again.to_end()
    assert [each["actor"] for each in result["steps"][0]["result"]["human_input"]["answers"]] == ["ann"]


def question_of(**columns: Any) -> InteractionRecord:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    row: dict[str, Any] = {
        **dict.fromkeys(InteractionRecord.__struct_fields__),
        "interaction_id": "q",
        "status": "pending",
        "answers": 1,
        "responses": (),
        "created_at": at,
        "ui_schema": {"type": "object", "required": ["yes"]},
        **columns,
    }
    return InteractionRecord(**row)


@pytest.mark.parametrize(
    ("columns", "actor", "role", "fits"),
    [
        ({}, None, None, True),
        ({"answers": 2}, None, None, False),
        ({"answers": 2}, "ann", None, True),
        ({"assigned_users": ["ann"]}, None, None, False),
        ({"assigned_users": ["ann"]}, "ann", None, True),
        ({"assigned_users": ["ann"]}, "Ann", None, False),
        ({"assigned_role": "approver"}, "ann", None, True),
        ({"assigned_role": "approver"}, "ann", "viewer", False),
        ({"assigned_role": "approver", "assigned_users": ["ann"]}, "ann", "viewer", True),
        ({"assigned_role": "approver", "assigned_users": ["ann"]}, "bob", "approver", True),
    ],
)
def test_who_may_answer(columns: dict[str, Any], actor: str | None, role: str | None, *, fits: bool) -> None:
    problems = problems_of_answer(question_of(**columns), {"yes": 1}, actor=actor, role=role)
    assert [problem.where for problem in problems] == ([] if fits else ["actor"])


def test_an_answer_is_held_to_its_schema_at_its_field() -> None:
    (problem,) = problems_of_answer(question_of(), {}, actor=None, role=None)
    assert problem.where == "response.yes"
    assert problems_of_answer(question_of(ui_schema=None), 7, actor=None, role=None) == []


def test_one_answer_is_for_questions_that_are_alike() -> None:
    refuse_unlike([])
    refuse_unlike([question_of(), question_of(interaction_id="other", prompt="?")])
    for differs in ({"pipeline_id": "p"}, {"pipeline_version": 2}, {"step_id": "s"}, {"ui_schema": True}):
        with pytest.raises(QuestionsDiffer, match="'other', which has another"):
            refuse_unlike([question_of(), question_of(interaction_id="other", **differs)])


async def test_an_answer_that_comes_when_its_time_has_just_been_found_to_be_over_is_taken(
    journal: OperatorJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = dict.fromkeys(("first", "ship", "drop"), nothing)
    run = await started(journal, asking(timeout_seconds=60, on_timeout="drop"), **code)
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
