"""What a turn is made of: the attempts that begin, and several decisions as one batch."""

import json

from ia_modules.models import LogLevel, StepExecutionId, StepStatus
from ia_modules.pipeline.graph_turn import graph_turn
from ia_modules.pipeline.tokens import StepRunKey
from ia_modules.pipeline.turn import Batch, Begin
from ia_modules.transitions import Expiry, StepUpdate
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.turns import attempts, course_of, gave, named


def test_an_attempt_has_its_input_its_parents_and_its_number() -> None:
    course = course_of(document("a", task("b", inputs={"x": "{steps.a.output.x}"}), paths=[("a", "b")]))
    (first,) = attempts(course, graph_turn(course, [], now=0.0))
    (second,) = attempts(course, graph_turn(course, [gave(first, x=1)], now=0.0))
    assert named([first, second]) == [("a", 1, 1, "running"), ("b", 1, 1, "running")]
    assert (first.start.input_data, second.start.input_data) == (None, '{"x":1}')
    assert second.start.input_refs == '{"parents":[["a",1]],"state":false}'
    assert second.start.worker == "here"


def test_attempts_of_a_run_are_counted_and_those_with_a_delay_are_pending() -> None:
    course = course_of(document("a"))
    first = attempts(course, graph_turn(course, [], now=0.0))
    again = course.begin(StepRunKey("a", 1), delay_seconds=2.0)
    assert course.tokens.runs[again.key].status is StepStatus.PENDING
    second = course.attempt(again, worker="here", now=100.0)
    assert named([*first, second]) == [("a", 1, 1, "running"), ("a", 1, 2, "pending")]
    assert (second.start.wake_after_seconds, course.wakes_at) == (2.0, {again.key: 102.0})


def test_lines_say_what_is_wrong_with_an_input_that_is_used() -> None:
    lenient = task("a", inputs={"x": "{parameters.none}"}, input_schema={"required": ["x"]})
    course = course_of(document(lenient) | {"format": "0.2"})
    (attempt,) = attempts(course, graph_turn(course, [], now=0.0))
    assert [(line.level, line.message.split(":")[0]) for line in attempt.lines] == [
        (LogLevel.INFO, "Input left out"),
        (LogLevel.WARNING, "Input that its schema refuses"),
    ]
    missing = {"where": "inputs.x", "why": "parameters.none, but the input has no 'none'"}
    assert json.loads(attempt.start.input_refs or "") == {"parents": [], "state": True, "left_out": [missing]}


def test_what_is_there_leaves_nothing_out() -> None:
    (attempt,) = attempts(course := course_of(document("a")), graph_turn(course, [], now=0.0))
    assert json.loads(attempt.start.input_refs or "") == {"parents": [], "state": True}


def test_parts_make_one_batch_and_beginnings_can_be_left_out() -> None:
    ended = StepUpdate(step_execution_id=StepExecutionId("1"), status=StepStatus.COMPLETED)
    begin, expiry = Begin(StepRunKey("b", 1)), Expiry(interaction_id="question")
    batch, later = Batch(), Batch()
    batch.updates, later.begins, later.expires = [ended], [begin], [expiry]
    assert batch.joined(later) is batch
    assert (batch.updates, batch.begins, batch.expires) == ([ended], [begin], [expiry])
    left = batch.without_beginnings()
    assert (left.updates, left.begins, left.expires) == ([ended], [], [expiry])
