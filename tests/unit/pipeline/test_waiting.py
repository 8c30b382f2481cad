"""How what waits goes on, decided from records, questions and the time alone."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ia_modules.errors import LoopLimitExceeded
from ia_modules.models import (
    ExecutionId,
    InteractionRecord,
    Json,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
)
from ia_modules.pipeline.graph_turn import graph_turn
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.recorded import refs_json, retry_json, routes_json
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.tokens import Route, StepRunKey
from ia_modules.pipeline.turn import Due
from ia_modules.pipeline.waiting import resumed_turn, waits_turn
from tests.unit.pipeline.factories import ask, document, task
from tests.unit.pipeline.programs import started
from tests.unit.pipeline.test_recorded import row
from tests.unit.pipeline.turns import attempts, course_of, named, read

AT = datetime(2026, 1, 1, tzinfo=UTC)


def question(waiting: StepExecutionRecord, **columns: Any) -> InteractionRecord:
    known: dict[str, Any] = {
        "interaction_id": "question",
        "execution_id": ExecutionId("execution"),
        "step_execution_id": waiting.step_execution_id,
        "status": "pending",
        "prompt": "Ship?",
        "ui_schema": None,
        "data": None,
        "assigned_users": [],
        "on_timeout": {"yes": False},
        "deadline_at": None,
        "created_at": AT,
        "completed_at": None,
        "actor": None,
        "response": None,
        "sequence": 1,
        "is_overdue": False,
        **columns,
    }
    return InteractionRecord(**known)


def test_an_attempt_whose_delay_is_over_runs_under_the_number_that_it_has() -> None:
    course = course_of(document("a"))
    (attempt,) = attempts(course, graph_turn(course, [], now=0.0))
    course.note(attempt.key, StepStatus.PENDING)
    batch = waits_turn(course, [Due(attempt)])
    assert batch.due == [attempt]
    assert [(each.step_execution_id, each.status) for each in batch.updates] == [
        (attempt.start.step_execution_id, StepStatus.RUNNING)
    ]
    assert course.tokens.runs[attempt.key].status is StepStatus.RUNNING


@pytest.mark.parametrize(
    ("columns", "lost", "delay_seconds"),
    [
        ({"status": StepStatus.RUNNING}, 1, 0.0),
        ({"status": StepStatus.LOST}, 0, 0.0),
        ({"status": StepStatus.FAILED, "routes": retry_json(1.5)}, 0, 1.5),
    ],
)
def test_what_a_dead_process_left_is_made_again(columns: dict[str, Any], lost: int, delay_seconds: float) -> None:
    course = course_of(document("a"), row(StepRunKey("a", 1), **columns))
    batch = resumed_turn(course, [], now=0.0)
    assert [update.status for update in batch.updates] == [StepStatus.LOST] * lost
    (again,) = attempts(course, batch)
    assert (again.start.attempt, again.delay_seconds) == (2, delay_seconds)


def test_an_iteration_too_many_that_a_dead_process_left_is_refused_again() -> None:
    first = row(StepRunKey("a", 1), routes=routes_json([Route(0, "a", taken=True, why="always")]), output_data={})
    refs = refs_json((StepRunKey("a", 1),), is_state=True)
    second = row(StepRunKey("a", 2), input_refs=refs, status=StepStatus.RUNNING)
    course = course_of(
        document("a", paths=[("a", "a", "parameter:go")], loop_config={"max_iterations": 1}), first, second
    )
    batch = resumed_turn(course, [], now=0.0)
    read(course, batch, first)
    (again,) = attempts(course, batch)
    assert isinstance(again.work.refused, LoopLimitExceeded)


@pytest.mark.parametrize(
    ("columns", "result", "expired"),
    [
        ({}, None, []),
        ({"status": "answered", "response": {"yes": True}}, {"human_input": {"yes": True}}, []),
        ({"deadline_at": AT, "is_overdue": True}, {"human_input": {"yes": False}}, ["question"]),
    ],
)
def test_a_waiting_run_goes_on_once_its_question_is_over(
    columns: dict[str, Any], result: dict[str, Any] | None, expired: list[str]
) -> None:
    waiting = row(StepRunKey("ask", 1), status=StepStatus.WAITING, step_type="human_input", output_data={})
    course = course_of(document(ask(prompt="Ship?")), waiting)
    batch = resumed_turn(course, [question(waiting, **columns)], now=0.0)
    assert batch.expires == expired
    assert [(each.key, each.outcome.result) for each in batch.answered] == (
        [] if result is None else [(StepRunKey("ask", 1), result)]
    )
    assert attempts(course, batch) == []


def test_time_of_a_loop_counts_from_its_records_without_what_it_rested() -> None:
    def iteration(number: int, began: float, ended: float | None, *parents: StepRunKey) -> StepExecutionRecord:
        done = ended is not None
        return row(
            StepRunKey("a", number),
            step_execution_id=StepExecutionId(str(number)),
            status=StepStatus.COMPLETED if done else StepStatus.RUNNING,
            routes=routes_json([Route(0, "a", True, "said so")]) if done else None,
            output_data={} if done else None,
            input_refs=refs_json(parents, is_state=True),
            created_at=AT + timedelta(seconds=began),
            completed_at=AT + timedelta(seconds=ended) if ended is not None else None,
        )

    first, second = iteration(1, 0, 2), iteration(2, 50, None, StepRunKey("a", 1))
    course = course_of(document("a", paths=[("a", "a", "parameter:again")]), first, second)
    batch = resumed_turn(course, [], now=1000.0)
    assert course.loop_began == {"a": 998.0}
    assert read(course, batch, first) == ["a"]
    assert named(attempts(course, batch)) == [("a", 2, 2, "running")]


async def test_a_wake_reads_the_results_that_go_on_from_it_and_not_the_history(
    journal: OperatorJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round has another question; however many were answered before, a wake reads the same."""
    read: list[int] = []
    results = journal.results

    async def counted(attempts: Iterable[StepExecutionId]) -> dict[StepExecutionId, Json]:
        attempts = list(attempts)
        read[-1] += len(attempts)
        return await results(attempts)

    async def add(data: dict[str, Any]) -> dict[str, Any]:
        return {"total": data["total"] + 1, "sum": data["first"]}

    inputs = {"total": "{{ add.total }}|{parameters.start}", "first": "{{ once.first }}"}
    again = {"type": "expression", "config": {"source": "result.human_input", "operator": "<", "value": 12}}
    written = document(
        "once",
        task("add", inputs=inputs),
        ask(prompt="more?"),
        paths=[("once", "add"), ("add", "ask"), ("ask", "add", again)],
        parameters={"start": 0},
        outputs={"total": "{{ add.total }}", "sum": "{{ add.sum }}"},
    )

    async def once(data: dict[str, Any]) -> dict[str, Any]:
        return {"first": 7}

    run = await started(journal, written, once=once, add=add)
    result = await run.to_end()
    monkeypatch.setattr(journal, "results", counted)
    for number in range(1, 13):
        (question,) = await journal.get_interactions(run.execution_id, awaited=True)
        await journal.answer_interaction(question.interaction_id, number, actor="ann")
        read.append(0)
        result = await (await Runner(journal).resume(run.pipeline, run.execution_id)).to_end()
    assert (result["status"], result["output"]) == ("completed", {"total": 12, "sum": 7})
    assert read == [2] * 11 + [24]  # what add reads of once and of itself; the output is made of all there is
