"""How what waits goes on, decided from records, questions and the time alone."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ia_modules.errors import LoopLimitExceeded
from ia_modules.models import (
    AttemptRecord,
    ExecutionId,
    ExecutionStatus,
    InteractionRecord,
    Json,
    PipelineId,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
)
from ia_modules.pipeline.attempt import Outcome
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.graph_turn import graph_turn
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.recorded import recorded_runs, refs_json, retry_json, routes_json
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.tokens import Route, StepRunKey
from ia_modules.pipeline.turn import Batch, Course, Due
from ia_modules.pipeline.waiting import Open, may_rest, rest_of, resumed_turn, settled, waits_turn
from ia_modules.transitions import ANSWER
from tests.unit.pipeline.elsewhere import pipeline_elsewhere
from tests.unit.pipeline.factories import ask, document, task
from tests.unit.pipeline.programs import nothing, pipeline_of, started
from tests.unit.pipeline.test_recorded import row
from tests.unit.pipeline.turns import attempts, came, course_of, gave, named, read

AT = datetime(2026, 1, 1, tzinfo=UTC)


def question(waiting: StepExecutionRecord, **columns: Any) -> InteractionRecord:
    known: dict[str, Any] = {
        "interaction_id": "question",
        "execution_id": ExecutionId("execution"),
        "step_execution_id": waiting.step_execution_id,
        "step_id": waiting.step_id,
        "pipeline_id": PipelineId("pipeline"),
        "pipeline_name": "Pipeline",
        "pipeline_version": 1,
        "status": "pending",
        "prompt": "Ship?",
        "ui_schema": None,
        "data": None,
        "assigned_users": [],
        "assigned_role": None,
        "answers": 1,
        "decided_by": None,
        "on_timeout": {"yes": False},
        "deadline_at": None,
        "created_at": AT,
        "completed_at": None,
        "actor": None,
        "verified": False,
        "answered_by": 0,
        "response": None,
        "responses": (),
        "sequence": 1,
        **columns,
    }
    return InteractionRecord(**known)


def resumed(course: Course, *questions: InteractionRecord, now: float = 0.0) -> Batch:
    """Taken up here at ``AT``."""
    return resumed_turn(course, questions, recorded_now=AT, now=now)


def test_an_attempt_whose_delay_is_over_runs_under_the_number_that_it_has() -> None:
    course = course_of(document("a"))
    (attempt,) = attempts(course, graph_turn(course, [], now=0.0))
    course.note(attempt.key, StepStatus.PENDING)
    batch = waits_turn(course, [Due(attempt)], worker="here")
    assert batch.due == [attempt]
    assert [(each.step_execution_id, each.status, each.worker) for each in batch.updates] == [
        (attempt.start.step_execution_id, StepStatus.RUNNING, "here")
    ]
    assert course.tokens.runs[attempt.key].status is StepStatus.RUNNING


def test_an_attempt_whose_delay_is_over_as_the_execution_ends_never_began() -> None:
    course = course_of(document("a", "b", "c", paths=[("a", "b"), ("a", "c")]))
    (first,) = attempts(course, graph_turn(course, [], now=0.0))
    one, other = attempts(course, graph_turn(course, [gave(first)], now=0.0))
    course.note(one.key, StepStatus.PENDING)
    graph_turn(course, [came(other, Outcome(error=ValueError("no")))], now=0.0)
    batch = waits_turn(course, [Due(one)], worker="here")
    assert (batch.due, batch.updates) == ([], [])


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
    batch = resumed(course)
    assert [update.status for update in batch.updates] == [StepStatus.LOST] * lost
    (again,) = attempts(course, batch)
    assert (again.start.attempt, again.delay_seconds) == (2, delay_seconds)


def resumed_elsewhere(awaits: str | None, pipeline: LoadedPipeline) -> tuple[Course, Batch]:
    work = row(StepRunKey("work", 1), status=StepStatus.RUNNING, attempt=2, awaits=awaits)
    lost = row(StepRunKey("work", 1), status=StepStatus.LOST, error_type="StepLost")
    runs = recorded_runs(each.as_attempt() for each in (lost, work))
    course = Course(pipeline, {"cluster": "there", "sum": 1}, runs, execution_id=ExecutionId("e"))
    return course, resumed_turn(course, [], recorded_now=AT, now=0.0)


def test_what_runs_elsewhere_keeps_its_number_and_does_not_begin() -> None:
    course, batch = resumed_elsewhere("ray:there", pipeline_elsewhere())
    assert batch.updates == []
    (attempt,) = attempts(course, batch)
    assert (attempt.start.step_execution_id, attempt.start.attempt) == ("work/1/2", 2)
    assert (attempt.is_on_record, attempt.cluster, attempt.work.rejoins, attempt.work.losses) == (
        True,
        "there",
        True,
        1,
    )
    assert course.tokens.busy == 1
    assert rest_of(course, now=0.0, linger_seconds=0.0) is None


@pytest.mark.parametrize("awaits", [None, "answer", "ray:there"])
def test_what_ran_in_a_process_is_lost_with_it_also_where_its_step_ran_elsewhere_before(awaits: str | None) -> None:
    is_kept_elsewhere = awaits == "ray:there"
    pipeline = pipeline_of(document("work"), {"work": nothing}) if is_kept_elsewhere else pipeline_elsewhere()
    course, batch = resumed_elsewhere(awaits, pipeline)
    assert [(each.step_execution_id, each.status) for each in batch.updates] == [("work/1/2", StepStatus.LOST)]
    (attempt,) = attempts(course, batch)
    assert (attempt.start.attempt, attempt.is_on_record, attempt.work.rejoins) == (3, False, False)


@pytest.mark.parametrize(
    ("made_ago", "left_seconds"),
    [
        (timedelta(seconds=2), 3.0),
        (timedelta(), 5.0),
        (timedelta(days=-1), 5.0),  # the clock was set back since
        (timedelta(seconds=5), 0.0),
        (timedelta(days=1), 0.0),
    ],
)
def test_an_attempt_that_has_not_begun_waits_for_what_is_left_of_its_delay(
    made_ago: timedelta, left_seconds: float
) -> None:
    made_at = AT - made_ago
    pending = row(
        StepRunKey("a", 1), status=StepStatus.PENDING, created_at=made_at, wake_at=made_at + timedelta(seconds=5)
    )
    course = course_of(document("a"), pending)
    batch = resumed(course)
    assert [(begin.on_record, begin.delay_seconds) for begin in batch.begins] == [
        (pending.step_execution_id, left_seconds)
    ]


def test_an_iteration_too_many_that_a_dead_process_left_is_refused_again() -> None:
    first = row(StepRunKey("a", 1), routes=routes_json([Route(0, "a", taken=True, why="always")]), output_data={})
    refs = refs_json((StepRunKey("a", 1),), is_state=True)
    second = row(StepRunKey("a", 2), input_refs=refs, status=StepStatus.RUNNING)
    course = course_of(
        document("a", paths=[("a", "a", "parameter:go")], loop_config={"max_iterations": 1}), first, second
    )
    batch = resumed(course)
    read(course, batch, first)
    (again,) = attempts(course, batch)
    assert isinstance(again.work.refused, LoopLimitExceeded)


@pytest.mark.parametrize(
    ("wake_at", "columns", "result", "expired"),
    [
        (None, {}, None, []),
        (AT + timedelta(microseconds=1), {}, None, []),
        (AT, {"status": "answered", "response": {"yes": True}}, {"human_input": {"yes": True}}, []),
        (AT, {}, {"human_input": {"yes": False}}, ["question"]),
    ],
)
def test_a_waiting_run_goes_on_once_its_question_is_over(
    wake_at: datetime | None, columns: dict[str, Any], result: dict[str, Any] | None, expired: list[str]
) -> None:
    waits = {"status": StepStatus.WAITING, "wake_at": wake_at, "awaits": ANSWER}
    waiting = row(StepRunKey("ask", 1), step_type="human_input", output_data={}, **waits)
    course = course_of(document(ask(prompt="Ship?")), waiting)
    batch = resumed(course, question(waiting, **columns))
    assert [each.interaction_id for each in batch.expires] == expired
    assert [(each.key, each.outcome.result) for each in batch.answered] == (
        [] if result is None else [(StepRunKey("ask", 1), result)]
    )
    assert attempts(course, batch) == []


@pytest.mark.parametrize(
    ("wake_at", "left_seconds"),
    [(None, 0), (AT - timedelta(days=1), 0), (AT, 0), (AT + timedelta(seconds=9), 9)],
)
def test_an_attempt_that_has_not_begun_keeps_its_number_and_waits_for_what_is_left(
    wake_at: datetime | None, left_seconds: float
) -> None:
    waiting = row(StepRunKey("a", 1), attempt=2, status=StepStatus.PENDING, wake_at=wake_at)
    course = course_of(document("a"), row(StepRunKey("a", 1), status=StepStatus.FAILED, routes=retry_json(9)), waiting)
    batch = resumed(course, now=100.0)
    (attempt,) = [course.attempt(begin, worker="here", now=100.0) for begin in batch.begins]
    assert (attempt.start.step_execution_id, attempt.start.attempt) == (waiting.step_execution_id, 2)
    assert (attempt.delay_seconds, attempt.work.failures, attempt.is_on_record) == (left_seconds, 1, True)
    assert (attempt.delay_seconds <= 0) is not bool(left_seconds)
    assert course.wakes_at == ({attempt.key: 109.0} if left_seconds else {})
    rest = rest_of(course, now=100.0, linger_seconds=2.0)
    assert (rest and rest.status) == (ExecutionStatus.WAITING if left_seconds else None)


def test_what_an_attempt_waits_for_is_over_with_its_answer_or_its_time() -> None:
    def waiting(wake_at: datetime | None, awaits: str | None) -> AttemptRecord:
        return row(StepRunKey("a", 1), status=StepStatus.WAITING, wake_at=wake_at, awaits=awaits).as_attempt()

    later = AT + timedelta(seconds=1)
    assert settled(waiting(AT, ANSWER), now=AT, is_answered=True) == "answer", "an answer that came is taken"
    assert [settled(waiting(each, ANSWER), now=AT) for each in (AT, later, None)] == ["time", None, None]
    assert [settled(waiting(each, None), now=AT) for each in (AT, later, None)] == ["time", None, "time"]


@given(
    st.lists(st.tuples(st.sampled_from(["waiting", "pending", "running", "lost"]), st.none() | st.integers(-9, 9))),
    st.integers(-9, 9),
    st.sampled_from([0, 2, math.inf]),
)
def test_an_execution_may_rest_only_where_nothing_runs_and_nothing_begins_soon(
    runs: list[tuple[str, int | None]], now: int, linger_seconds: float
) -> None:
    open_runs = [Open(StepRunKey("a", n), StepStatus(status), wakes_at) for n, (status, wakes_at) in enumerate(runs)]
    goes_on = [
        status
        for status, wakes_at in runs
        if status in ("running", "lost")
        or (status == "pending" and (wakes_at is None or wakes_at - now <= linger_seconds))
    ]
    assert may_rest(open_runs, now=now, linger_seconds=linger_seconds) == (bool(runs) and not goes_on)


def test_an_execution_rests_for_a_person_where_it_asks_one_and_for_its_time_otherwise() -> None:
    asking = row(StepRunKey("ask", 1), status=StepStatus.WAITING, awaits=ANSWER)
    delayed = row(StepRunKey("a", 1), status=StepStatus.PENDING, wake_at=AT + timedelta(hours=1))
    for rows, status in (
        ([asking, delayed], ExecutionStatus.WAITING_FOR_HUMAN),
        ([delayed], ExecutionStatus.WAITING),
    ):
        course = course_of(
            document("first", "a", ask(prompt="?"), paths=[("first", "a"), ("first", "ask")]), *with_first(rows)
        )
        for begin in resumed(course).begins:
            course.wakes_at[begin.key] = begin.delay_seconds
        rest = rest_of(course, now=0.0, linger_seconds=2.0)
        assert rest is not None
        assert (rest.status, rest.released) == (status, True)
        assert rest_of(course, now=0.0, linger_seconds=math.inf) is None, "who runs it by itself waits"


def with_first(rows: list[StepExecutionRecord]) -> list[StepExecutionRecord]:
    """The rows after one that leads to both."""
    first = StepRunKey("first", 1)
    routes = routes_json([Route(0, "a", True, "no condition"), Route(1, "ask", True, "no condition")])
    refs = refs_json([first], is_state=True)
    rest = [replace(each, input_refs=refs) for each in rows]
    missing = {"a", "ask"} - {each.step_id for each in rows}
    done = [row(StepRunKey(step_id, 1), input_refs=refs, output_data={}, routes=routes_json([])) for step_id in missing]
    return [row(first, output_data={}, routes=routes), *done, *rest]


@pytest.mark.parametrize(("delay_seconds", "counted"), [(2, 6.0), (3, 3.0)])
def test_a_delay_counts_for_the_limit_of_its_loop_only_where_nobody_rests_during_it(
    delay_seconds: int, counted: float
) -> None:
    created = AT + timedelta(seconds=4)
    wake_at = created + timedelta(seconds=delay_seconds)
    delayed = {"created_at": created, "wake_at": wake_at, "started_at": AT + timedelta(seconds=7)}
    a, b, again = (StepRunKey("a", 1), StepRunKey("b", 1), StepRunKey("a", 2))
    rows = [
        row(
            a,
            created_at=AT,
            completed_at=AT + timedelta(seconds=2),
            output_data={},
            routes=routes_json([Route(0, "b", True, "")]),
        ),
        row(
            b,
            **delayed,
            completed_at=AT + timedelta(seconds=8),
            output_data={},
            routes=routes_json([Route(1, "a", True, "")]),
            input_refs=refs_json([a], is_state=True),
        ),
        row(
            again,
            created_at=AT + timedelta(seconds=8),
            status=StepStatus.RUNNING,
            input_refs=refs_json([b], is_state=True),
        ),
    ]
    course = course_of(document("a", "b", paths=[("a", "b"), ("b", "a", "parameter:again")]), *rows)
    resumed(course, now=100.0)
    assert 100.0 - course.loop_began["a"] == counted


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
    batch = resumed(course, now=1000.0)
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
