"""Inputs beside each other: those stored, and the states, which are made again from results."""

from typing import Any

from ia_modules.paths import GRAPH
from ia_modules.pipeline.comparing.alignment import ComparedExecution, RunAddress, Side
from ia_modules.pipeline.comparing.contrast import Looking, Payload
from ia_modules.pipeline.comparing.inputs import STATE_UNKNOWN, Inputs
from tests.unit.pipeline.comparing.sides import Made, side
from tests.unit.pipeline.factories import document

CHAIN = document("a", "b", "c", paths=[("a", "b"), ("b", "c")])
LARGE = Payload(2**21, digest="large")


def chain(a: Any, b: Any, *, input_data: Any = None, file: dict[str, Any] = CHAIN, **columns: Any) -> ComparedExecution:
    """Three steps, each given the state."""
    return side(
        Made("a", a, takes=["b"]),
        Made("b", b, takes=["c"], parents=["a"]),
        Made("c", {}, parents=["b"]),
        document=file,
        input_data=input_data,
        **columns,
    )


def inputs_of(a: ComparedExecution, b: ComparedExecution, *same: str) -> list[bool | None]:
    """Whether those of the three steps are the same; ``same``: the steps that gave the same."""
    inputs = Inputs((Side(a), Side(b)), Looking())
    found: list[bool | None] = []
    for step_id in "abc":
        address = RunAddress(GRAPH, step_id, 1)
        found.append(inputs.contrast(address).same)
        inputs.note_output(address, same=step_id in same)
    return found


def test_states_made_of_the_same_are_the_same_without_being_made() -> None:
    one = chain(LARGE, {"y": 1})
    assert inputs_of(one, one, "a", "b", "c") == [True, True, True]


def test_a_state_differs_from_the_result_that_differs_on() -> None:
    one, other = chain({"x": 1}, {"y": 1}), chain({"x": 1.0}, {"y": 1})
    assert inputs_of(one, other, "b") == [True, False, False]
    inputs = Inputs((Side(one), Side(other)), Looking())
    [change] = inputs.contrast(RunAddress(GRAPH, "c", 1)).changes
    assert (change.path, change.a, change.b) == ("$.x", "1", "1.0")


def test_what_was_written_over_does_not_count() -> None:
    one, other = chain({"x": 1}, {"x": 3, "y": 1}), chain({"x": 2}, {"x": 3, "y": 1})
    assert inputs_of(one, other, "b") == [True, False, True]


def test_the_input_of_the_execution_is_a_part_of_the_state() -> None:
    one, other = chain({"x": 1}, {}, input_data={"n": 1}), chain({"x": 1}, {}, input_data={"n": 2})
    assert inputs_of(one, other, "a", "b") == [False, False, False]
    over = chain({"n": 3}, {}, input_data={"n": 1}), chain({"n": 3}, {}, input_data={"n": 2})
    assert inputs_of(*over, "a", "b") == [False, True, True]


def test_keys_that_are_merged_are_compared_as_they_were_merged() -> None:
    file = CHAIN | {"merge": {"n": "sum"}}
    one, other = chain({"n": 1}, {"n": 4}, file=file), chain({"n": 2}, {"n": 3}, file=file)
    assert inputs_of(one, other) == [True, False, True]
    assert inputs_of(chain({"n": 1}, {"n": 4}, file=file), chain({"n": 1}, {"n": 4}), "a", "b") == [True, True, False]


def test_a_state_that_is_made_of_what_is_not_at_hand_is_not_compared() -> None:
    one, other = chain(LARGE, {}), chain(Payload(2**21, digest="other"), {})
    inputs = Inputs((Side(one), Side(other)), Looking())
    assert inputs.contrast(RunAddress(GRAPH, "a", 1)).same is True
    assert inputs.contrast(RunAddress(GRAPH, "b", 1)).note == STATE_UNKNOWN
    cut = chain({"x": 1}, {}, more_steps=True)
    assert inputs_of(cut, chain({"x": 2}, {}), "b") == [True, None, None]


def test_declared_inputs_are_compared_as_they_are_stored() -> None:
    def declared(x: Any) -> ComparedExecution:
        return side(Made("a", {}, input={"x": x}, takes=["b"]), document=CHAIN)

    inputs = Inputs((Side(declared(1)), Side(declared(2))), Looking())
    [change] = inputs.contrast(RunAddress(GRAPH, "a", 1)).changes
    assert (change.path, change.a, change.b) == ("$.x", "1", "2")


def test_what_one_declares_and_the_other_takes_from_the_state_is_compared_by_what_came() -> None:
    state = chain({"x": 1}, {}, input_data={"n": 1})
    declared = side(Made("a", {}, input={"n": 1}, takes=["b"]), document=CHAIN, input_data={"n": 1})
    inputs = Inputs((Side(state), Side(declared)), Looking())
    assert inputs.contrast(RunAddress(GRAPH, "a", 1)).same is True


def test_rows_that_do_not_follow_from_the_definition_leave_states_unknown() -> None:
    odd = side(Made("c", {}, parents=["a"], takes=None), document=CHAIN)
    inputs = Inputs((Side(odd), Side(chain({"x": 1}, {}))), Looking())
    assert inputs.contrast(RunAddress(GRAPH, "c", 1)).same is None
