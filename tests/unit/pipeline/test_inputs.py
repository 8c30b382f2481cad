"""What executions and steps are given, and what is refused before anything runs."""

from typing import Any

import pytest

from ia_modules.errors import PayloadError, PipelineInputError, StepInputError, StepOutputError
from ia_modules.pipeline.document.definition import StepDefinition
from ia_modules.pipeline.document.json_schema import problems_of
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.inputs import check_result, input_schema_of, prepare_input, step_config, step_input
from tests.unit.pipeline.factories import definition, task

PARAMETERS: list[Any] = [
    {"name": "topic", "schema": {"type": "string"}, "required": True, "description": "About what"},
    {"name": "limit", "schema": {"type": "integer"}, "required": True, "default": 3},
    {"name": "tags", "default": ["a"]},
    {"name": "note"},
]
SCOPE = Scope.of({"topic": "bees", "limit": 3}, (("a", {"text": "hm", "n": 1}),))


def step(**keys: Any) -> StepDefinition:
    """A step behind a, in a pipeline with parameters."""
    written = definition("a", task("b", **keys), paths=[("a", "b")], parameters=PARAMETERS)
    return written.steps[1]


def test_defaults_are_applied_and_the_rest_is_kept() -> None:
    input_data = {"topic": "bees", "more": [1]}
    assert prepare_input(definition("a", parameters=PARAMETERS), input_data) == {
        "topic": "bees",
        "limit": 3,
        "tags": ["a"],
        "more": [1],
    }
    assert input_data == {"topic": "bees", "more": [1]}


@pytest.mark.parametrize(
    ("input_data", "expected"), [([1], PipelineInputError), ("topic", PipelineInputError), ({1: 2}, PayloadError)]
)
def test_what_is_no_mapping_of_names_is_refused_in_words(input_data: Any, expected: type[Exception]) -> None:
    with pytest.raises(expected, match="expected"):
        prepare_input(definition("a"), input_data)


def test_a_default_is_nobodys_to_change() -> None:
    pipeline = definition("a", parameters=PARAMETERS)
    prepare_input(pipeline, {"topic": "x"})["tags"].append("changed")
    assert prepare_input(pipeline, {"topic": "x"})["tags"] == ["a"]


def test_what_is_given_wins_over_the_default() -> None:
    assert prepare_input(definition("a", parameters={"x": 1}), {"x": None}) == {"x": None}


def test_without_parameters_any_input_will_do() -> None:
    assert prepare_input(definition("a"), {"x": 1}) == {"x": 1}
    assert prepare_input(definition("a"), None) == {}


def test_an_input_that_breaks_the_contract_is_refused_with_all_that_is_wrong() -> None:
    pipeline = definition("a", parameters=PARAMETERS, input_schema={"properties": {"more": {"minItems": 1}}})
    with pytest.raises(PipelineInputError) as refused:
        prepare_input(pipeline, {"limit": "3", "more": []})
    assert str(refused.value) == (
        "The input of pipeline 'test' does not fit its parameters"
        " (if this file was written for 0.2, run it with --format 0.2):\n"
        '- $.topic: found "topic" is a required property; expected what its schema says (required).\n'
        '- $.limit: found "3" is not of type "integer"; expected what its schema says (type).\n'
        "- $.more: found [] has less than 1 item; expected what its schema says (minItems)."
    )
    assert isinstance(refused.value, ValueError)


def test_the_schema_of_the_input_is_made_from_the_parameters() -> None:
    assert input_schema_of(definition("a", parameters=PARAMETERS)) == {
        "type": "object",
        "properties": {
            "topic": {"description": "About what", "type": "string"},
            "limit": {"type": "integer"},
            "tags": {},
            "note": {},
        },
        "required": ["topic"],
    }


def test_a_step_without_inputs_is_given_the_state() -> None:
    prepared = step_input(step(), SCOPE)
    assert prepared.data == {"topic": "bees", "limit": 3, "text": "hm", "n": 1}
    assert prepared.is_state
    prepared.data["topic"] = "changed"
    assert SCOPE.state["topic"] == "bees"


def test_a_step_with_inputs_is_given_exactly_these() -> None:
    prepared = step_input(step(inputs={"draft": "{{ a.text }}", "max": "{parameters.limit}", "mode": "fast"}), SCOPE)
    assert prepared.data == {"draft": "hm", "max": 3, "mode": "fast"}
    assert (prepared.is_state, prepared.left_out) == (False, ())


def test_an_optional_input_that_does_not_resolve_is_left_out_and_named() -> None:
    inputs = [{"name": "x", "source": "{{ a.nope }}", "required": False}, {"name": "n", "source": "{{ a.n }}"}]
    prepared = step_input(step(inputs=inputs), SCOPE)
    assert prepared.data == {"n": 1}
    assert [str(problem) for problem in prepared.left_out] == [
        (
            "inputs.x: found steps.a.output.nope, but the output of step 'a' has no 'nope'; "
            "expected a placeholder that resolves."
        )
    ]


def test_an_input_whose_sources_all_resolve_to_nothing_fails_the_step() -> None:
    inputs = [
        {"name": "x", "source": "{steps.a.output.nope}"},
        {"name": "y", "source": "{parameters.note}", "required": True},
        {"name": "z", "source": "{parameters.note}", "required": False},
        {"name": "w", "source": "{steps.a.output.nope}|{parameters.note}|few"},
    ]
    with pytest.raises(StepInputError) as failed:
        step_input(step(inputs=inputs), SCOPE)
    assert str(failed.value) == (
        "Step 'b' failed: its inputs cannot be put together"
        " (if this file was written for 0.2, run it with --format 0.2):\n"
        "- inputs.x: found steps.a.output.nope, but the output of step 'a' has no 'nope'; "
        "expected a placeholder that resolves.\n"
        "- inputs.y: found parameters.note, but the input has no 'note'; expected a placeholder that resolves."
    )
    assert failed.value.step_id == "b"


def test_the_output_of_a_step_that_did_not_lead_here_does_not_resolve() -> None:
    written = definition(
        "a",
        "b",
        task("c", inputs=[{"name": "x", "source": "{steps.b.output.x}", "required": True}]),
        paths=[("a", "b"), ("a", "c", "parameter:x"), ("b", "c")],
    )
    with pytest.raises(StepInputError, match="step 'b' is not among the steps that led here"):
        step_input(written.steps[2], Scope.of({}, (("a", {}),)))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"inputs": [{"name": "n", "source": "{steps.a.output.n}", "schema": {"type": "string"}}]},
            'inputs.n: found 1 is not of type "string"; expected what its schema says (type).',
        ),
        (
            {"inputs": {"n": "{{ a.n }}"}, "input_schema": {"required": ["m"]}},
            'input.m: found "m" is a required property; expected what its schema says (required).',
        ),
        (
            {"input_schema": {"properties": {"text": {"minLength": 5}}}},
            'input.text: found "hm" is shorter than 5 characters; expected what its schema says (minLength).',
        ),
    ],
)
def test_inputs_are_held_against_their_schemas(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(StepInputError) as failed:
        step_input(step(**keys), SCOPE)
    assert [str(problem) for problem in failed.value.problems] == [message]


def test_config_has_its_placeholders_filled_in() -> None:
    config = {"prompt": "About {{ parameters.topic }}: {text}", "n": "{{ parameters.limit }}", "x": [{"y": 1}]}
    assert step_config(step(config=config), SCOPE) == ({"prompt": "About bees: {text}", "n": 3, "x": [{"y": 1}]}, [])


def test_config_that_does_not_resolve_fails_the_step() -> None:
    with pytest.raises(StepInputError) as failed:
        step_config(step(config={"a": 1, "x": {"y": "see {{ parameters.note }}"}}), SCOPE)
    assert [str(problem) for problem in failed.value.problems] == [
        (
            "config.x: found parameters.note, but the input has no 'note'; expected a placeholder that resolves. "
            "Give the parameter a default, or pass it in the input."
        )
    ]


def test_a_result_is_held_against_the_output_schema() -> None:
    checked = step(output_schema={"type": "object", "required": ["x"]})
    check_result(checked, {"x": 1})
    check_result(step(), {})
    with pytest.raises(StepOutputError) as failed:
        check_result(checked, {})
    assert str(failed.value) == (
        "Step 'b' failed: its result does not fit its output_schema"
        " (if this file was written for 0.2, run it with --format 0.2):\n"
        '- $.x: found "x" is a required property; expected what its schema says (required).'
    )


@pytest.mark.parametrize("description", [None, "How many"])
def test_the_schema_of_a_parameter_may_refer_to_itself(description: str | None) -> None:
    schema = {"$ref": "#/$defs/count", "$defs": {"count": {"type": "integer"}}}
    pipeline = definition("a", parameters=[{"name": "n", "schema": schema, "description": description}])
    assert prepare_input(pipeline, {"n": 3}) == {"n": 3}
    with pytest.raises(PipelineInputError, match=r"\$\.n: found \"3\" is not of type"):
        prepare_input(pipeline, {"n": "3"})
    assert problems_of({"n": 3}, input_schema_of(pipeline)) == []
    assert [problem.where for problem in problems_of({"n": "3"}, input_schema_of(pipeline))] == ["$.n"]
