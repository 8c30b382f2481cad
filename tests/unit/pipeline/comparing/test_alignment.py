"""Which attempt stands for a run, and the order in which runs are looked at."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ia_modules.models import ExecutionStatus, RunPath, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.comparing.alignment import (
    ComparedExecution,
    RunAddress,
    Side,
    attempts_by_run,
    causal_order_of,
    counted,
    ran_one_definition,
)
from tests.unit.pipeline.comparing.sides import Made, side
from tests.unit.pipeline.factories import document

FAILED, LOST, CANCELLED = StepStatus.FAILED, StepStatus.LOST, StepStatus.CANCELLED


def names(*both: ComparedExecution) -> list[str]:
    a, b = both
    order = causal_order_of((Side(a), Side(b)))
    return [f"{each.path}" for each in order]


def test_the_last_attempt_with_a_result_stands_for_a_run_and_all_are_counted() -> None:
    made = side(
        Made("a", attempt=2, takes=["b"]),
        Made("a", attempt=1, status=FAILED, takes=None),
        Made("a", attempt=3, status=LOST, takes=None),
        Made("b", attempt=1, status=FAILED, takes=None),
        Made("b", attempt=2, status=CANCELLED, takes=None),
    )
    runs = attempts_by_run(made.steps)
    assert {address.step_id: [step.attempt for step in attempts] for address, attempts in runs.items()} == {
        "a": [1, 2, 3],
        "b": [1, 2],
    }
    assert {address.step_id: counted(attempts).attempt for address, attempts in runs.items()} == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("made", "of", "expected"),
    [
        (Made("a"), ExecutionStatus.RUNNING, True),
        (Made("a", status=FAILED, takes=None), ExecutionStatus.FAILED, True),
        (Made("a", status=FAILED, columns={"routes": {"next": "retry"}}), ExecutionStatus.CANCELLED, False),
        (Made("a", status=LOST, takes=None), ExecutionStatus.FAILED, True),
        (Made("a", status=LOST, takes=None), ExecutionStatus.RUNNING, False),
        (Made("a", status=CANCELLED, takes=None), ExecutionStatus.FAILED, False),
        (Made("a", status=StepStatus.WAITING, takes=None), ExecutionStatus.WAITING_FOR_HUMAN, False),
    ],
)
def test_what_was_stopped_or_goes_on_has_no_outcome(made: Made, of: ExecutionStatus, expected: bool) -> None:
    one = Side(side(made, status=of))
    assert one.has_outcome(RunAddress(GRAPH, "a", 1)) is expected


def test_runs_come_after_what_they_follow_from_and_otherwise_in_the_order_of_the_file() -> None:
    file = document("join", "b", "a", paths=[("a", "join"), ("b", "join")])
    one = side(Made("a"), Made("b"), Made("join", parents=["a", "b"]), document=file)
    assert names(one, one) == ["b#1", "a#1", "join#1"]
    without = side(Made("z"), Made("c"), Made("z", iteration=2), Made("c", iteration=2))
    assert names(without, without) == ["z#1", "c#1", "z#2", "c#2"]


def test_the_parts_of_a_run_come_before_it_and_after_what_it_follows_from() -> None:
    within = run_path(GRAPH, "map", 1)
    deeper = run_path(within, "item", 1)
    one = side(
        Made("map", parents=["zero"]),
        Made("item", within=within),
        Made("inner", within=deeper),
        Made("item", within=within, iteration=2, parents=["item"]),
        Made("zero"),
        Made("after", parents=["map"]),
    )
    assert names(one, one) == [
        "zero#1",
        f"{deeper}/inner#1",
        f"{within}/item#1",
        f"{within}/item#2",
        "map#1",
        "after#1",
    ]


def test_two_definitions_may_order_steps_in_opposite_ways() -> None:
    one = side(Made("x"), Made("y", parents=["x"]), Made("join", parents=["y"]))
    other = side(Made("y"), Made("x", parents=["y"]), Made("join", parents=["x"]))
    assert names(one, other) == names(other, one)
    assert sorted(names(one, other)) == ["join#1", "x#1", "y#1"]
    assert names(one, other)[-1] == "join#1"


ADDRESSES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(1, 3), st.sampled_from(["", "a#1", "a#1/b#1"])), unique=True
)


@st.composite
def sides(draw: st.DrawFn) -> ComparedExecution:
    addresses = draw(ADDRESSES)
    made: list[Made] = []
    for number, (step_id, iteration, within) in enumerate(addresses):
        same_level = [f"{name}#{n}" for name, n, level in addresses[:number] if level == within]
        parents = draw(st.lists(st.sampled_from(same_level), unique=True, max_size=2)) if same_level else []
        made.append(Made(step_id, iteration=iteration, within=within, parents=parents))
    return side(*made)


@settings(max_examples=100, deadline=None)
@given(sides(), sides())
def test_the_order_has_each_run_once_and_does_not_depend_on_which_comes_first(
    a: ComparedExecution, b: ComparedExecution
) -> None:
    order = causal_order_of((Side(a), Side(b)))
    assert len(order) == len(set(order))
    assert set(order) == {*attempts_by_run(a.steps), *attempts_by_run(b.steps)}
    assert order == causal_order_of((Side(b), Side(a)))


def test_what_the_definition_says_of_a_step_is_of_the_graphs_own() -> None:
    one = Side(side(Made("a"), document=document("a")))
    step = one.step(RunAddress(GRAPH, "a", 1))
    assert step is not None
    assert (step.module, step.step_class) == ("steps", "Step")
    assert one.step(RunAddress(RunPath("a#1"), "a", 1)) is None
    assert one.step(RunAddress(GRAPH, "b", 1)) is None


def test_definitions_are_one_by_what_they_say() -> None:
    one, other, none = (Side(side(document=each)) for each in (document("a"), document("b"), None))
    assert ran_one_definition((one, one))
    assert not ran_one_definition((one, other))
    assert not ran_one_definition((none, none))


def test_what_cannot_be_read_as_a_definition_is_none() -> None:
    broken = Side(side(Made("a"), document={"flow": {"paths": []}}))
    assert (broken.definition, broken.graph) == (None, None)
