"""Two executions beside each other: what differs, the first divergence, and that it is the same from both sides."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ia_modules.models import ExecutionStatus, PipelineId, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.comparing import comparison as module
from ia_modules.pipeline.comparing.alignment import ComparedExecution
from ia_modules.pipeline.comparing.comparison import Comparison, compare
from tests.unit.pipeline.comparing.sides import NOW, Made, side
from tests.unit.pipeline.factories import document, task

FAILED, CANCELLED, RUNNING = StepStatus.FAILED, StepStatus.CANCELLED, StepStatus.RUNNING
DIAMOND = document(
    "start", "left", "right", "join", paths=[("start", "left"), ("start", "right"), ("left", "join"), ("right", "join")]
)


def diamond(*, left: Any = 1, right: Any = 1, n: int = 0, **columns: Any) -> ComparedExecution:
    """A start, two branches and a join; the branches are given declared inputs."""
    return side(
        Made("start", {"n": n}, takes=["left", "right"]),
        Made("left", {"left": left}, input={"n": n}, takes=["join"], parents=["start"]),
        Made("right", {"right": right}, input={"n": n}, takes=["join"], parents=["start"]),
        Made("join", {"sum": [left, right]}, parents=["left", "right"]),
        document=DIAMOND,
        input_data={"n": n},
        **columns,
    )


def diverged(a: ComparedExecution, b: ComparedExecution) -> tuple[str, str] | None:
    found = compare(a, b, now=NOW).divergence
    return None if found is None else (found.kind, found.step_id)


def pairs_of(found: Comparison) -> dict[str, module.AlignedRun]:
    return {pair.address.path: pair for pair in found.steps}


def test_an_execution_beside_itself_differs_in_nothing() -> None:
    found = compare(diamond(), diamond(), now=NOW)
    assert found.divergence is None
    assert not found.differs
    assert (found.counts.same, found.counts.different, found.as_of, found.notes) == (4, 0, None, ())
    assert [pair.step_id for pair in found.steps] == ["start", "left", "right", "join"]


def test_the_first_with_the_same_input_and_another_output_is_the_divergence() -> None:
    found = compare(diamond(right=1), diamond(right=2), now=NOW)
    assert found.divergence is not None
    assert (found.divergence.kind, found.divergence.step_id) == ("outcome", "right")
    assert found.divergence.sentence == "right got the same input in both, and gave another output."
    right, join = (pairs_of(found)[f"{step_id}#1"] for step_id in ("right", "join"))
    assert right.output is not None
    assert [(change.path, change.a, change.b) for change in right.output.changes] == [("$.right", "1", "2")]
    assert join.input is not None
    assert [(change.path, change.a, change.b) for change in join.input.changes] == [("$.right", "1", "2")]
    assert (found.counts.same, found.counts.different) == (2, 2)


def test_where_every_output_has_its_reason_in_an_input_the_first_other_input_is() -> None:
    assert diverged(diamond(n=1), diamond(n=2)) == ("input", "start")


def test_an_outcome_counts_before_an_earlier_other_input() -> None:
    one = side(Made("first", {}, input={"n": 1}), Made("lone", {"x": 1}, input={}))
    other = side(Made("first", {}, input={"n": 2}), Made("lone", {"x": 2}, input={}))
    assert diverged(one, other) == ("outcome", "lone")


def test_a_run_that_failed_diverges_and_not_the_sibling_that_was_cancelled_for_it() -> None:
    broken = side(
        Made("start", {"n": 0}, takes=["left", "right"]),
        Made("left", None, input={"n": 0}, status=CANCELLED, takes=None, parents=["start"]),
        Made(
            "right",
            None,
            input={"n": 0},
            status=FAILED,
            takes=None,
            parents=["start"],
            columns={"error_type": "ValueError", "error_message": "bad"},
        ),
        document=DIAMOND,
        input_data={"n": 0},
        status=ExecutionStatus.FAILED,
    )
    found = compare(broken, diamond(), now=NOW)
    assert found.divergence is not None
    assert found.divergence.sentence == "right got the same input in both, and failed in A, but completed in B."
    left = pairs_of(found)["left#1"]
    assert left.output is not None
    assert (left.output.same, left.output.note) == (None, "Not compared: it is cancelled in A.")
    assert (found.counts.different, found.counts.only_b) == (2, 1)


@pytest.mark.parametrize(("message", "expected"), [("bad", None), ("worse", ("outcome", "a"))])
def test_two_failures_are_the_same_when_their_errors_are(message: str, expected: tuple[str, str] | None) -> None:
    def failed(text: str) -> ComparedExecution:
        error = {"error_type": "ValueError", "error_message": text}
        made = Made("a", input={}, status=FAILED, takes=None, columns=error)
        return side(made, status=ExecutionStatus.FAILED)

    assert diverged(failed("bad"), failed(message)) == expected


def test_other_paths_after_the_same_output_are_a_divergence() -> None:
    def took(*targets: str) -> ComparedExecution:
        return side(Made("start", {}, takes=targets), document=DIAMOND)

    found = compare(took("left"), took("left", "right"), now=NOW)
    assert found.divergence is not None
    assert found.divergence.sentence == "start got the same input in both, and took other paths."
    [pair] = found.steps
    assert (pair.routes, pair.a and pair.a.taken, pair.b and pair.b.taken) == (False, ("left",), ("left", "right"))


def test_paths_of_two_definitions_are_compared_by_where_they_lead() -> None:
    other_file = document("start", "right", "left", paths=[("start", "right"), ("start", "left")])
    one = side(Made("start", {}, takes=["left"]), document=DIAMOND)
    other = side(Made("start", {}, takes=["left"]), document=other_file)
    assert compare(one, other, now=NOW).steps[0].routes is True


def test_steps_that_only_one_ran_are_said_where_nothing_else_differs() -> None:
    one, other = side(Made("a", {}, input={})), side(Made("a", {}, input={}), Made("b", {}, input={}))
    found = compare(one, other, now=NOW)
    assert found.divergence is not None
    assert (found.divergence.kind, found.divergence.sentence) == ("presence", "b is the first that only B has.")
    assert diverged(other, one) == ("presence", "b")
    for unfinished in (ExecutionStatus.RUNNING, ExecutionStatus.CANCELLED):
        assert diverged(side(Made("a", {}, input={}), status=unfinished), other) is None
    assert diverged(side(Made("a", {}, input={}), more_steps=True), other) is None


def test_what_has_not_ended_is_compared_as_far_as_it_has_come() -> None:
    running = side(
        Made("start", {"n": 0}, takes=["left", "right"]),
        Made("left", input={"n": 0}, status=RUNNING, takes=None, parents=["start"]),
        document=DIAMOND,
        input_data={"n": 0},
        status=ExecutionStatus.RUNNING,
        completed_at=None,
    )
    found = compare(running, diamond(), now=NOW)
    assert (found.divergence, found.as_of, found.output.same) == (None, NOW, None)
    assert found.notes == ("A is running: it is compared as far as it has come.",)


def test_executions_of_two_pipelines_are_compared_and_that_is_said() -> None:
    other = side(Made("a", {}), pipeline_id=PipelineId("other"), pipeline_name="Weekly")
    [note] = compare(side(Made("a", {})), other, now=NOW).notes
    assert note == "A is of the pipeline 'Nightly' and B of 'Weekly': their steps are aligned by their ids."


def test_what_somebody_put_in_the_place_of_a_result_is_said() -> None:
    refs = {"parents": [], "state": False, "edited": "output", "by": "bob"}
    rerun = side(Made("a", {"x": 2}, input={}, iteration=2, columns={"input_refs": refs}))
    found = compare(rerun, side(Made("a", {"x": 1}, input={}, iteration=2)), now=NOW)
    assert found.notes == ("In A, the output of a #2 is what bob put in its place.",)


def test_definitions_are_compared_step_by_step_and_paths_by_their_ends() -> None:
    old = document(task("a", config={"n": 1}), "b", paths=[("a", "b")])
    new = document("c", task("a", config={"n": 2}, step_class="Other"), "b", paths=[("c", "a"), ("a", "b")])
    one = side(Made("a", {"x": 1}, input={}, takes=["b"]), document=old)
    other = side(Made("a", {"x": 2}, input={}, takes=["b"]), document=new)
    found = compare(one, other, now=NOW)
    assert found.definitions is not None
    assert [change.path for change in found.definitions.changes] == [
        '$.flow.paths["c → a"]',
        "$.flow.start_at",
        "$.steps.c",
    ]
    [pair] = found.steps
    assert pair.definitions is not None
    assert [change.path for change in pair.definitions.changes] == ["$.config.n", "$.step_class"]
    assert pair.a is not None
    assert pair.b is not None
    assert (pair.a.code, pair.b.code) == ("steps.Step", "steps.Other")
    assert found.divergence is not None
    assert found.divergence.sentence.endswith("gave another output. Its definition is not the same.")


def test_in_runs_within_runs_the_part_is_named_by_its_place() -> None:
    within = run_path(GRAPH, "work", 2)

    def worked(x: int, given_to_work: int = 0) -> ComparedExecution:
        return side(
            Made("work", {"x": x}, input={"n": given_to_work}, iteration=2),
            Made("item", {"x": x}, input={"n": given_to_work}, iteration=7, within=within),
        )

    found = compare(worked(1), worked(2), now=NOW)
    assert found.divergence is not None
    assert found.divergence.sentence == f"item #7 within {within} got the same input in both, and gave another output."
    assert diverged(worked(1, 1), worked(1, 2)) == ("input", "work")


def test_runs_beyond_the_limit_are_counted_and_those_that_differ_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS_LIMIT", 2)
    runs = [[Made(f"s{number}", {"x": number == last}, input={}) for number in range(5)] for last in (9, 4)]
    found = compare(side(*runs[0]), side(*runs[1]), now=NOW)
    assert [pair.step_id for pair in found.steps] == ["s0", "s4"]
    assert (found.steps_left_out, found.counts.same, found.counts.different) == (3, 4, 1)


STEPS = [("a", 1, ""), ("b", 1, ""), ("b", 2, ""), ("c", 1, ""), ("p", 1, "a#1"), ("p", 2, "a#1")]
SMALL: st.SearchStrategy[Any] = st.sampled_from([None, {"x": 1}, {"x": 1.0}, {"x": 2**53}, {"x": 2**53 + 1}, {"y": []}])
STATUSES = st.sampled_from([*StepStatus])


@st.composite
def executions(draw: st.DrawFn) -> ComparedExecution:
    made: list[Made] = []
    for step_id, iteration, within in draw(st.lists(st.sampled_from(STEPS), unique=True)):
        level = [f"{each.step_id}#{each.iteration}" for each in made if each.within == within]
        parents = draw(st.lists(st.sampled_from(level), unique=True, max_size=2)) if level else []
        status = draw(st.just(StepStatus.COMPLETED) | STATUSES)
        takes = draw(st.lists(st.sampled_from("abc"), unique=True, max_size=2))
        made.append(
            Made(
                step_id,
                draw(SMALL),
                input=draw(SMALL),
                iteration=iteration,
                within=within,
                status=status,
                parents=parents,
                takes=takes if status is StepStatus.COMPLETED else None,
                columns={"error_type": draw(st.sampled_from([None, "E"]))},
            )
        )
    status = draw(st.sampled_from([*ExecutionStatus]))
    return side(*made, input_data=draw(SMALL), output=draw(SMALL), status=status)


@settings(max_examples=100, deadline=None)
@given(executions())
def test_a_run_compared_with_itself_has_no_divergence(one: ComparedExecution) -> None:
    found = compare(one, one, now=NOW)
    assert found.divergence is None
    assert not found.differs


@settings(max_examples=100, deadline=None)
@given(executions(), executions())
def test_from_the_other_side_it_is_the_same_turned_round(a: ComparedExecution, b: ComparedExecution) -> None:
    found = compare(a, b, now=NOW)
    assert without_words(turned_round(found.to_dict())) == without_words(compare(b, a, now=NOW).to_dict())
    assert found == compare(a, b, now=NOW)


@settings(max_examples=100, deadline=None)
@given(executions(), executions())
def test_there_is_no_divergence_before_the_first(a: ComparedExecution, b: ComparedExecution) -> None:
    found = compare(a, b, now=NOW)
    first = found.divergence
    for pair in found.steps:
        if pair.input is not None and pair.input.same and pair.has_other_outcome:
            assert first is not None
            assert (first.kind, first.within, first.step_id, first.iteration) == ("outcome", *pair.address)
            break
    else:
        assert first is None or first.kind != "outcome"
    if first is not None:
        assert found.differs


def turned_round(value: Any) -> Any:
    """A comparison with A and B the other way round."""
    names = {"a": "b", "b": "a", "a_bytes": "b_bytes", "b_bytes": "a_bytes", "only_a": "only_b", "only_b": "only_a"}
    match value:
        case dict():
            return {names.get(key, key): turned_round(inner) for key, inner in value.items()}
        case list():
            return [turned_round(inner) for inner in value]
        case _:
            return value


def without_words(value: Any) -> Any:
    """A comparison without its sentences, which name A and B; what stands at one path in any order."""
    match value:
        case dict():
            kept = {key: inner for key, inner in value.items() if key not in ("sentence", "note", "notes")}
            return {key: without_words(inner) for key, inner in kept.items()}
        case [{"path": _}, *_]:
            return sorted(value, key=lambda change: (change["path"], change["a"] is None))
        case list():
            return [without_words(inner) for inner in value]
        case _:
            return value


def test_it_is_plain_json_with_the_times_of_the_executions() -> None:
    found = compare(diamond(right=2), diamond(), now=NOW).to_dict()
    assert orjson.loads(orjson.dumps(found)) == found
    assert (found["a"]["duration_seconds"], found["a"]["queue_seconds"]) == (0.0, 0.0)
    assert found["divergence"]["step_id"] == "right"
