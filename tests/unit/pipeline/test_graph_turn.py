"""What follows in the graph: decided from values alone, whatever ended first."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations
from typing import Any, Literal

import pytest
from msgspec.structs import replace

from ia_modules.errors import LoopLimitExceeded, PipelineOutputError, StepError, StepLost
from ia_modules.models import ExecutionStatus, LogLevel, StepStatus
from ia_modules.payload import encode
from ia_modules.pipeline.attempt import Outcome
from ia_modules.pipeline.document.human_input import question
from ia_modules.pipeline.graph_turn import change_of, first_turn, graph_turn, handed_back_turn, stopped_turn
from ia_modules.pipeline.recorded import STOP_JSON, refs_json, routes_json
from ia_modules.pipeline.results import made_output
from ia_modules.pipeline.tokens import Route, StepRunKey
from ia_modules.pipeline.turn import Attempt, Batch, Course, Ended
from ia_modules.pipeline.waiting import resumed_turn
from ia_modules.transitions import ANSWER, FailedStep, Failure, LogLine, StepUpdate
from tests.unit.pipeline.factories import ask, document
from tests.unit.pipeline.test_recorded import row
from tests.unit.pipeline.turns import attempts, came, course_of, gave, named, read

DIAMOND: list[Any] = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]


def begun(course: Course, *ended: Ended, now: float = 0.0) -> list[Attempt]:
    return attempts(course, graph_turn(course, ended, now=now))


def output(course: Course) -> dict[str, Any]:
    return made_output(course.tokens, course.input_data, course.results)


def test_what_starts_does_not_depend_on_what_ended_first() -> None:
    joined: list[Any] = []
    for order in permutations(["b", "c"]):
        course = course_of(document("a", "b", "c", "d", paths=DIAMOND))
        (first,) = begun(course)
        branches = {each.key.step_id: each for each in begun(course, gave(first))}
        one, other = (gave(branches[step_id], of=step_id) for step_id in order)
        assert begun(course, one) == []
        (join,) = begun(course, other)
        joined.append((join.start.input_refs, join.work.data))
    assert joined[0] == joined[1]


def test_an_end_is_recorded_with_its_result_its_routes_and_its_last_lines() -> None:
    course = course_of(document("a", "b", paths=[("a", "b", {"type": "field_exists", "field": "result.x"})]))
    (first,) = begun(course)
    id_ = first.start.step_execution_id
    line = LogLine(log_id="1", message="done", step_execution_id=id_)
    progress = StepUpdate(step_execution_id=id_, progress=1.0, progress_message="all")
    ended = gave(first, x=1)
    batch = graph_turn(
        course, [Ended(ended.key, ended.attempt, ended.scope, ended.outcome, (line,), progress)], now=0.0
    )
    (update,) = batch.updates
    assert (update.status, update.output_data, update.progress) == (StepStatus.COMPLETED, '{"x":1}', 1.0)
    assert '"to_step":"b","taken":true' in (update.routes or "")
    assert batch.logs == [line]
    assert named(attempts(course, batch)) == [("b", 1, 1, "running")]


def test_a_failure_that_is_tried_again_begins_its_next_attempt_after_its_delay() -> None:
    course = course_of(document("a"))
    (first,) = begun(course)
    batch = graph_turn(course, [came(first, Outcome(error=OSError("away"), retry_seconds=1.5))], now=0.0)
    (again,) = attempts(course, batch)
    assert (named([again]), again.delay_seconds, again.work.failures) == ([("a", 1, 2, "pending")], 1.5, 1)
    assert batch.updates[0].routes == '{"next":"retry","delay_seconds":1.5}'
    assert change_of(course) == (None, [])


def test_a_failure_for_good_starts_nothing_and_is_why_all_failed() -> None:
    course = course_of(document("a", "b", "c", "d", paths=DIAMOND))
    (first,) = begun(course)
    left, right = begun(course, gave(first))
    assert begun(course, came(left, Outcome(error=ValueError("broken"))), gave(right)) == []
    change, _ = change_of(course)
    assert change is not None
    assert (change.status, change.failure and change.failure.message) == (
        ExecutionStatus.FAILED,
        "Step 'b' failed: ValueError: broken",
    )
    assert isinstance(course.error, StepError)
    assert isinstance(course.error.__cause__, ValueError)
    own = Failure(type="ValueError", message="broken")
    assert change.failed_step == FailedStep(step_id="b", failure=own)


def test_a_question_waits_and_so_does_the_execution() -> None:
    course = course_of(document(ask(prompt="Ship?"), "b", paths=[("ask", "b")]))
    (asking,) = begun(course)
    waits = Outcome({}, None, question=question({"prompt": "Ship?", "timeout_seconds": 60}, {}))
    batch = graph_turn(course, [came(asking, waits)], now=0.0)
    assert [each.prompt for each in batch.asks] == ["Ship?"]
    (update,) = batch.updates
    assert (update.status, update.awaits, update.wake_after_seconds) == (StepStatus.WAITING, ANSWER, 60.0)
    assert change_of(course)[0] is None


def test_a_loop_goes_on_after_its_delay_until_its_limit_in_time_is_over() -> None:
    again = {"type": "field_exists", "field": "result.x"}
    limits = {"max_loop_time_seconds": 10, "iteration_delay_seconds": 3}
    course = course_of(document("a", paths=[("a", "a", again), ("a", "end", "else")], loop_config=limits))
    (first,) = begun(course, now=100.0)
    (second,) = begun(course, gave(first, x=1), now=109.0)
    (third,) = begun(course, gave(second, x=1), now=111.0)
    assert [(each.delay_seconds, each.start.iteration) for each in (second, third)] == [(3.0, 2), (0.0, 3)]
    assert (second.work.refused, type(third.work.refused)) == (None, LoopLimitExceeded)


def test_an_execution_completes_with_its_output_or_fails_for_what_it_promised() -> None:
    for schema, status in (({}, ExecutionStatus.COMPLETED), ({"required": ["y"]}, ExecutionStatus.FAILED)):
        course = course_of(document("a", outputs={"x": "{{ a.x }}"}, output_schema=schema))
        (first,) = begun(course)
        assert begun(course, gave(first, x=1)) == []
        change, lines = change_of(course)
        assert change is not None
        assert (change.status, lines) == (status, [])
        assert (change.output_data == '{"x":1}') is not isinstance(course.error, PipelineOutputError)
        assert change.failed_step is None


@pytest.mark.parametrize("outcome", ["stopped", "retry"])
def test_what_is_stopped_with_its_execution_is_cancelled(outcome: Literal["stopped", "retry"]) -> None:
    course = course_of(document("a", "b", "c", "d", paths=DIAMOND))
    (first,) = begun(course)
    left, right = begun(course, gave(first))
    retry = Outcome(error=OSError(), retry_seconds=1.0)
    batch = stopped_turn(course, [gave(left, x=1), came(right, None if outcome == "stopped" else retry)])
    assert [update.status for update in batch.updates] == [StepStatus.COMPLETED, StepStatus.CANCELLED]
    assert batch.begins == []
    change, _ = change_of(course)
    assert change is not None
    assert change.status is ExecutionStatus.CANCELLED


def test_what_is_handed_back_had_ended_or_is_lost() -> None:
    course = course_of(document("a", "b", "c", "d", paths=DIAMOND))
    (first,) = begun(course)
    left, right = begun(course, gave(first))
    batch = handed_back_turn(course, [gave(left, x=1), came(right, None)])
    assert [update.status for update in batch.updates] == [StepStatus.COMPLETED, StepStatus.LOST]
    assert batch.begins == []


def test_what_is_handed_back_goes_on_where_it_runs_elsewhere_with_what_it_has_used_on_record() -> None:
    course = course_of(document("a"))
    (attempt,) = begun(course)
    id_ = attempt.start.step_execution_id
    line, progress = LogLine(log_id="1", message="so far"), StepUpdate(step_execution_id=id_, progress=0.5)
    left = Ended(attempt.key, id_, attempt.work.scope, None, (line,), progress, is_elsewhere=True)
    batch = handed_back_turn(course, [left])
    assert (batch.updates, batch.logs) == ([progress], [line])
    assert handed_back_turn(course, [replace(left, progress=None)]).updates == []


def test_what_is_lost_elsewhere_begins_again_at_once_and_counts_as_no_failure() -> None:
    course = course_of(document("a"))
    (attempt,) = begun(course)
    for number in (2, 3, 4):
        lost = came(attempt, Outcome(error=StepLost("a", "No node."), is_lost=True))
        batch = graph_turn(course, [lost], now=0.0)
        (update,) = batch.updates
        assert (update.status, update.routes) == (StepStatus.LOST, None)
        assert update.failure is not None
        assert (update.failure.type, update.failure.message) == ("StepLost", "Step 'a' was lost: No node.")
        (attempt,) = attempts(course, batch)
        assert named([attempt]) == [("a", 1, number, "running")]
        assert (attempt.work.failures, attempt.work.losses) == (0, number - 1)
    failed = came(attempt, Outcome(error=ValueError("no"), retry_seconds=0.0))
    (attempt,) = attempts(course, graph_turn(course, [failed], now=0.0))
    assert (attempt.work.failures, attempt.work.losses) == (1, 0)
    lost = came(attempt, Outcome(error=StepLost("a", "No node."), is_lost=True))
    (update,) = stopped_turn(course, [lost]).updates
    assert update.status is StepStatus.CANCELLED


def test_a_failure_on_record_is_why_all_failed_also_in_another_process() -> None:
    columns: dict[str, Any] = {"status": StepStatus.FAILED, "routes": STOP_JSON, "error_type": "ValueError"}
    failed = row(StepRunKey("a", 1), **columns, error_message="broken")
    change, _ = change_of(course_of(document("a"), failed))
    assert change is not None
    assert change.failure is not None
    assert change.failure.message == "Step 'a' failed: ValueError: broken"
    own = Failure(type="ValueError", message="broken")
    assert change.failed_step == FailedStep(step_id="a", failure=own)


def test_a_first_turn_says_what_a_file_and_an_input_are_warned_of() -> None:
    course = course_of(document("a", input_schema={"required": ["n"]}) | {"format": "0.2"})
    lines = first_turn(course).logs
    assert [(line.level, line.step_execution_id) for line in lines] == [(LogLevel.WARNING, None)] * len(lines)
    assert any(line.message.startswith("Input that its schema refuses") for line in lines)
    assert first_turn(course_of(document("a"))).logs == []


ENDS: list[Any] = [("a", "b"), ("a", "c"), {"from": "b", "to": "end", "ends": "execution"}, ("c", "d")]
BOTH_END: list[Any] = [*ENDS[:3], {"from": "c", "to": "end", "ends": "execution"}]


def branches_of(course: Course) -> list[Attempt]:
    (first,) = begun(course)
    return begun(course, gave(first))


def test_a_path_that_ends_the_execution_completes_it_with_what_led_there_alone() -> None:
    course = course_of(document("a", "b", "c", "d", paths=ENDS))
    one, other = branches_of(course)
    batch = graph_turn(course, [gave(other, of="c"), gave(one, of="b")], now=0.0)
    assert batch.begins == []
    change, _ = change_of(course)
    assert change is not None
    assert (change.status, output(course)) == (ExecutionStatus.COMPLETED, {"of": "b", "a": {}, "b": {"of": "b"}})


@pytest.mark.parametrize("place", [0, 1])
def test_of_two_that_end_the_execution_the_first_on_record_does_and_the_other_leads_nowhere(place: int) -> None:
    course = course_of(document("a", "b", "c", paths=BOTH_END))
    one, other = branches_of(course)
    (first, second) = [one, other] if place == 0 else [other, one]
    batch = graph_turn(course, [gave(first, of=first.key.step_id), gave(second, of=second.key.step_id)], now=0.0)
    why = f"the execution was ended by path {first.key.step_id} → end"
    assert [update.status for update in batch.updates] == [StepStatus.COMPLETED, StepStatus.COMPLETED]
    assert f'"taken":false,"why":"{why}"' in (batch.updates[1].routes or "")
    assert course.tokens.ended == first.key
    assert output(course)["of"] == first.key.step_id


def test_what_still_runs_when_the_execution_is_ended_is_stopped_by_the_name_of_the_path() -> None:
    course = course_of(document("a", "b", "c", "d", paths=ENDS))
    one, other = branches_of(course)
    graph_turn(course, [gave(one)], now=0.0)
    batch = stopped_turn(course, [came(other, None)])
    (update,) = batch.updates
    assert update.failure is not None
    assert (update.status, update.failure.message) == (StepStatus.CANCELLED, "Ended by path b → end.")
    change, _ = change_of(course)
    assert change is not None
    assert (change.status, change.open_steps) == (ExecutionStatus.COMPLETED, update.failure)


def test_a_failure_in_the_same_turn_does_not_stand_against_the_end() -> None:
    course = course_of(document("a", "b", "c", "d", paths=ENDS))
    one, other = branches_of(course)
    graph_turn(course, [came(other, Outcome(error=ValueError("no"))), gave(one)], now=0.0)
    change, _ = change_of(course)
    assert change is not None
    assert (change.status, change.failure) == (ExecutionStatus.COMPLETED, None)


STOPS: dict[str, Outcome] = {
    "end": Outcome({"x": 1}, encode({"x": 1}, "result")),
    "failure": Outcome(error=ValueError("no")),
}
GOES_ON: dict[str, Outcome] = {
    "retry": Outcome(error=OSError("away"), retry_seconds=1.5),
    "question": Outcome({"x": 1}, encode({"x": 1}, "result"), question=question({"prompt": "Ship?"}, {})),
}


@pytest.mark.parametrize("turn", [graph_turn, handed_back_turn])
@pytest.mark.parametrize("goes_on", GOES_ON)
@pytest.mark.parametrize("stops", STOPS)
@pytest.mark.parametrize("place", [0, 1])
def test_what_wants_to_go_on_is_stopped_by_what_is_over_in_the_same_turn_whichever_came_first(
    turn: Callable[..., Batch], goes_on: str, stops: str, place: int
) -> None:
    course = course_of(document("a", "b", "c", "d", paths=ENDS))
    one, other = branches_of(course)
    events = [came(other, GOES_ON[goes_on])]
    events.insert(place, came(one, STOPS[stops]))
    batch = turn(course, events, **({"now": 0.0} if turn is graph_turn else {}))
    (update,) = (each for each in batch.updates if each.step_execution_id == other.start.step_execution_id)
    assert (update.status, update.routes) == (StepStatus.CANCELLED, '{"next":"stop"}')
    assert (batch.asks, batch.begins) == ([], [])


def test_conditions_read_the_run_in_front_of_them() -> None:
    again = {"type": "field_less_than", "field": "run.iteration", "value": 3}
    course = course_of(document("a", paths=[("a", "a", again), ("a", "end", "else")]))
    (attempt,), iterations = begun(course), 1
    while following := begun(course, gave(attempt)):
        (attempt,), iterations = following, iterations + 1
    assert iterations == 3


def test_an_execution_that_was_ended_while_it_was_handed_back_is_completed_by_who_takes_it_up() -> None:
    written = document("a", "b", "c", "d", paths=ENDS)
    course = course_of(written)
    (first,) = begun(course)
    one, other = begun(course, gave(first))
    handed_back = handed_back_turn(course, [gave(one, of="b"), came(other, None)])
    routes = {update.step_execution_id: json.loads(update.routes or "null") for update in handed_back.updates}
    refs = refs_json([StepRunKey("a", 1)], is_state=True)
    went_on = routes_json([Route(0, "b", True, "always"), Route(1, "c", True, "always")])
    rows = [
        row(StepRunKey("a", 1), routes=went_on, output_data={}, input_refs=refs_json([], is_state=True)),
        row(StepRunKey("b", 1), routes=routes[one.start.step_execution_id], output_data={"of": "b"}, input_refs=refs),
        row(StepRunKey("c", 1), status=StepStatus.LOST, input_refs=refs),
    ]
    resumed = course_of(written, *rows)
    resumed_turn(resumed, [], recorded_now=datetime(2026, 1, 1, tzinfo=UTC), now=0.0)
    batch = graph_turn(resumed, [], now=0.0)
    assert batch.begins == []
    assert read(resumed, batch, *rows) == ["a", "b"]
    change, _ = change_of(resumed)
    assert change is not None
    assert (change.status, output(resumed)) == (ExecutionStatus.COMPLETED, {"of": "b", "a": {}, "b": {"of": "b"}})
