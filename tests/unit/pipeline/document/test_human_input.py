"""Asking a person: the question, the schema of the answer, and what the answer becomes."""

from typing import Any

import pytest
from pydantic import ValidationError

from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.document.human_input import HumanInput, answered, is_question, question
from ia_modules.pipeline.document.json_schema import problems_of
from tests.unit.pipeline.factories import definition


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        ({"name": "x"}, {"type": "string"}),
        (
            {"name": "x", "type": "textarea", "label": "Why?"},
            {"type": "string", "x-widget": "textarea", "title": "Why?"},
        ),
        ({"name": "x", "type": "email"}, {"type": "string", "format": "email"}),
        ({"name": "x", "type": "number", "min": 0, "max": 1}, {"type": "number", "minimum": 0, "maximum": 1}),
        ({"name": "x", "type": "checkbox", "default": False}, {"type": "boolean", "default": False}),
        ({"name": "x", "type": "select", "options": ["a", 1]}, {"enum": ["a", 1]}),
        (
            {"name": "x", "type": "radio", "options": [{"value": True, "label": "yes"}, "no"]},
            {"x-widget": "radio", "oneOf": [{"const": True, "title": "yes"}, {"const": "no"}]},
        ),
        (
            {"name": "x", "type": "multiselect", "options": ["a"]},
            {"type": "array", "uniqueItems": True, "items": {"enum": ["a"]}},
        ),
    ],
)
def test_a_field_of_a_form_becomes_a_schema(field: dict[str, Any], schema: dict[str, Any]) -> None:
    human_input = HumanInput.model_validate({"ui_schema": {"title": "T", "fields": [field]}})
    assert human_input.ui_schema == {"type": "object", "title": "T", "properties": {"x": schema}, "required": []}


def test_required_fields_are_required() -> None:
    fields = [{"name": "a", "required": True}, {"name": "b"}]
    schema = HumanInput.model_validate({"ui_schema": {"fields": fields}}).ui_schema
    assert [problem.found for problem in problems_of({"b": "x"}, schema)] == ['"a" is a required property']


def test_without_a_schema_any_mapping_is_an_answer() -> None:
    human_input = HumanInput()
    assert (human_input.ui_schema, human_input.on_timeout, human_input.timeout_seconds) == (
        {"type": "object"},
        "fail",
        None,
    )


def test_a_question_may_be_filled_in_from_the_input() -> None:
    """What has placeholders is seen only when the step runs, and is no error before."""
    config = {"prompt": "Is {{ parameters.topic }} right?", "timeout_seconds": "{{ parameters.patience }}"}
    step = definition({"id": "ask", "type": "human_input", "config": config}).steps[0]
    assert step.config.json == config
    with pytest.raises(ValidationError):
        question({"timeout_seconds": "soon"}, {})


def test_a_result_asks_when_its_status_says_so() -> None:
    assert is_question({"status": "human_input_required"})
    assert not is_question({"status": "done"})
    assert not is_question({})


def test_what_the_result_asks_goes_before_what_the_config_asks() -> None:
    config = {"prompt": "from config", "timeout_seconds": 5, "unrelated": 1}
    result = {"status": "human_input_required", "prompt": "from result", "ui_schema": {"fields": [{"name": "x"}]}}
    human_input = question(config, {**result, "timeout_seconds": None, "draft": "text"})
    assert (human_input.prompt, human_input.timeout_seconds) == ("from result", 5)
    assert human_input.ui_schema == {"type": "object", "properties": {"x": {"type": "string"}}, "required": []}


def test_the_answer_lies_beside_what_the_step_returned() -> None:
    result: dict[str, Any] = {
        "status": "human_input_required",
        "prompt": "?",
        "ui_schema": {},
        "timeout_seconds": 5,
        "assigned_users": [],
        "on_timeout": "fail",
        "draft": "text",
    }
    assert answered(result, {"ok": True}) == {"draft": "text", "human_input": {"ok": True}}
    assert answered(result, None) == {"draft": "text", "human_input": None}
    assert result["prompt"] == "?"


@pytest.mark.parametrize(
    ("config", "refused"),
    [
        ({"answers": 3}, None),
        ({"answers": "all", "assigned_users": ["ann"]}, None),
        ({"answers": "all", "assigned_users": "{{ parameters.people }}"}, None),
        ({"answers": 2, "assigned_users": ["ann"], "assigned_role": "approver"}, None),
        ({"answers": 2, "decided_by": "yes", "carries": True}, None),
        ({"answers": 0}, "answers"),
        ({"answers": "some"}, "answers"),
        ({"answers": True}, "answers"),
        ({"answers": 1.5}, "answers"),
        ({"answers": "all"}, "assigned_users"),
        ({"answers": 2, "assigned_users": ["ann"]}, "assigned_users"),
        ({"answers": 2, "assigned_users": ["ann", "ann"]}, "assigned_users"),
        ({"decided_by": "yess"}, "decided_by"),
        ({"decided_by": ""}, "decided_by"),
        ({"assigned_role": ""}, "assigned_role"),
        ({"assigned_users": [""]}, "assigned_users"),
        ({"carries": "perhaps"}, "carries"),
    ],
)
def test_how_many_people_answer_and_what_decides_is_checked_when_it_is_loaded(
    config: dict[str, Any], refused: str | None
) -> None:
    schema = {"fields": [{"name": "yes", "type": "boolean"}, {"name": "why"}]}
    step = {"id": "ask", "type": "human_input", "config": {"ui_schema": schema, **config}}
    if refused is None:
        assert definition(step).steps[0].config.json.items() >= config.items()
    else:
        with pytest.raises(PipelineDefinitionError) as wrong:
            definition(step)
        assert wrong.value.where.startswith(f"$.steps[0].config.{refused}")


def test_a_form_with_something_to_be_filled_in_is_one_when_it_is_asked() -> None:
    """It is what is written until then."""
    fields = [{"name": "yes", "type": "boolean", "label": "{{ parameters.label }}"}]
    config = {"ui_schema": {"fields": fields}, "decided_by": "yes", "answers": 2}
    assert definition({"id": "ask", "type": "human_input", "config": config}).steps[0].config.json == config


def test_the_keys_for_several_people_are_the_questions_and_no_part_of_the_result() -> None:
    keys = {"assigned_role": "a", "answers": 2, "decided_by": "x", "carries": True}
    assert answered({"status": "human_input_required", "draft": 1, **keys}, 7) == {"draft": 1, "human_input": 7}
