"""What is wrong with a part of a definition is said where it stands, with what was expected."""

from typing import Any

import pytest

from ia_modules.pipeline.loader import examine
from tests.unit.pipeline.factories import ask, document, task, with_condition, with_inputs, without_format_hint

CONDITION_TYPES = (
    "one of the condition types always, default, else, success, condition, expression, threshold_condition, "
    "field_equals, field_exists, field_greater_than, field_less_than, parameter, function, all, any, not"
)


OPERATORS = (
    "an operator: equals, not_equals, greater_than, less_than, greater_than_or_equals, less_than_or_equals, in, "
    "not_in, contains, startswith, endswith, regex, exists, ==, !=, gt, >, lt, <, greater_than_or_equal, gte, >=, "
    "less_than_or_equal, lte, <="
)


PLACEHOLDERS = "{parameters.NAME}, {pipeline_input}, {pipeline_input.FIELD} or {steps.STEP.output.FIELD}"


SCHEMA = "a JSON Schema that stands alone"


PARTS: dict[str, tuple[Any, str]] = {
    "not a mapping": ([], "$: found []; expected a mapping."),
    "no steps": ({"name": "x", "flow": {"start_at": "a"}}, "$: found no 'steps'; expected one."),
    "empty steps": ({**document("a"), "steps": []}, "$.steps: found an empty list; expected at least one entry."),
    "empty name": ({**document("a"), "name": ""}, '$.name: found ""; expected a text that is not empty.'),
    "slug": (document("a", slug="a b"), '$.slug: found "a b"; expected a text of the form ^[^\\s/]+$.'),
    "a long step id": (document("a" * 3000), "$.steps[0].id: found a text of 3,000 characters; expected at most 200."),
    "a long slug": (document("a", slug="a" * 201), "$.slug: found a text of 201 characters; expected at most 200."),
    "a long step name": (
        document(task("a", name="a" * 501)),
        "$.steps[0].name: found a text of 501 characters; expected at most 500.",
    ),
    "a long name": (
        {**document("a"), "name": "a" * 501},
        "$.name: found a text of 501 characters; expected at most 500.",
    ),
    "text": (document("a", description=5), "$.description: found 5; expected a text."),
    "no start": ({**document("a"), "flow": {}}, "$.flow: found no 'start_at'; expected one."),
    "no target": (
        {**document("a"), "flow": {"start_at": "a", "transitions": [{"from": "a"}]}},
        "$.flow.transitions[0]: found no 'to_step'; expected one.",
    ),
    "both spellings": (
        document(task("a", **{"class": "Other"})),
        (
            "$.steps[0]: found both 'step_class' and 'class'; "
            "expected only one of them: 'class' is another word for 'step_class'."
        ),
    ),
    "unknown step type": (
        document({"id": "a", "type": "tsk"}),
        "$.steps[0].type: found \"tsk\"; expected one of 'task', 'human_input' or 'condition'. Did you mean 'task'?",
    ),
    "task without class": (
        document({"id": "a"}),
        (
            "$.steps[0]: found a step of type task with no step_class; "
            "expected the class that runs: step_class and module."
        ),
    ),
    "task without module": (
        document({"id": "a", "class": "A"}),
        "$.steps[0]: found a step of type task with no module; expected the class that runs: step_class and module.",
    ),
    "condition without conditions": (
        document({"id": "a", "type": "condition"}),
        (
            "$.steps[0]: found a step of type condition without conditions; "
            "expected conditions on a step of type condition, and only there."
        ),
    ),
    "condition with class": (
        document({"id": "a", "type": "condition", "class": "A", "conditions": [{"field": "x", "operator": "exists"}]}),
        (
            "$.steps[0]: found a step of type condition with a class; "
            "expected no step_class and no module. Leave them out."
        ),
    ),
    "task with conditions": (
        document(task("a", conditions=[{"field": "x", "operator": "exists"}])),
        (
            "$.steps[0]: found a step of type task with conditions; "
            "expected conditions on a step of type condition, and only there."
        ),
    ),
    "timeout": (document(task("a", timeout_seconds=0)), "$.steps[0].timeout_seconds: found 0; expected more than 0."),
    "number as text": (
        document(task("a", timeout_seconds="5")),
        '$.steps[0].timeout_seconds: found "5"; expected a number.',
    ),
    "number as boolean": (
        document("a", loop_config={"max_iterations": True}),
        "$.loop_config.max_iterations: found true; expected a whole number.",
    ),
    "too few": (
        document("a", loop_config={"max_iterations": 0}),
        "$.loop_config.max_iterations: found 0; expected at least 1.",
    ),
    "unknown rule": (
        document("a", merge={"messages": "extends"}),
        (
            "$.merge.messages: found \"extends\"; expected one of 'append', 'extend', 'sum', 'update', 'error' or "
            "'last'. Did you mean 'extend'?"
        ),
    ),
    "folding every key": (
        document("a", merge={"*": "sum"}),
        (
            "$.merge[\"*\"]: found the rule 'sum' for '*'; expected last or error. "
            "Give each key whose values are put together a rule of its own."
        ),
    ),
    "folding errors": (
        document("a", merge={"error_message": "append"}),
        (
            "$.merge.error_message: found the rule 'append' for 'error_message'; expected last or error. "
            "A failed step has it where the flow goes on."
        ),
    ),
    "summing answers": (
        document("a", merge={"human_input": "sum"}),
        (
            "$.merge.human_input: found the rule 'sum' for 'human_input'; expected append or last or error. "
            "Answers of people are of any kind, and null where nobody answers."
        ),
    ),
    "default that cannot be merged": (
        document("a", merge={"messages": "extend"}, parameters={"messages": None}),
        "$.parameters.messages: found null; expected a list: merge.messages is extend.",
    ),
    "condition that adds its input again": (
        document(
            {
                "id": "a",
                "type": "condition",
                "conditions": [{"field": "cost", "operator": ">", "value": 1}],
                "inputs": {"cost": "{pipeline_input.cost}"},
            },
            merge={"cost": "sum"},
        ),
        (
            "$.steps[0].inputs.cost: found an input 'cost' of a step of type condition, whose result is its inputs; "
            "expected another name: merge.cost is sum, and so its value would be added to the state."
        ),
    ),
    "config as list": (document(task("a", config=[])), "$.steps[0].config: found []; expected a mapping."),
    "inputs as number": (with_inputs(5), "$.steps[0].inputs: found 5; expected a list."),
    "input without source": (with_inputs([{"name": "x"}]), "$.steps[0].inputs[0]: found no 'source'; expected one."),
    "unknown placeholder": (
        with_inputs([{"name": "x", "source": "{parameter.topic}"}]),
        (
            f"$.steps[0].inputs[0].source: found the placeholder {{parameter.topic}}; expected {PLACEHOLDERS}. "
            "Did you mean 'parameters'?"
        ),
    ),
    "unknown placeholder in a mapping": (
        with_inputs({"x": {"deep": ["{draft.text}"]}}),
        (
            f"$.steps[0].inputs.x.deep[0]: found the placeholder {{draft.text}}; expected {PLACEHOLDERS}. "
            "A step's output is {steps.draft.output.FIELD}."
        ),
    ),
    "parameters alone": (
        with_inputs({"x": "{{ parameters }}"}),
        f"$.steps[0].inputs.x: found the placeholder {{{{ parameters }}}}; expected {PLACEHOLDERS}.",
    ),
    "step without output": (
        with_inputs({"x": "{steps.a.x}"}),
        f"$.steps[0].inputs.x: found the placeholder {{steps.a.x}}; expected {PLACEHOLDERS}.",
    ),
    "empty segment": (
        with_inputs({"x": "{parameters..x}"}),
        "$.steps[0].inputs.x: found the path 'parameters..x'; expected names joined by single dots.",
    ),
    "unknown condition": (
        with_condition({"type": "expresion"}),
        (
            f'$.flow.paths[0].condition: found the condition type "expresion"; expected {CONDITION_TYPES}. '
            "Did you mean 'expression'?"
        ),
    ),
    "unknown condition word": (
        with_condition("allways"),
        (
            f'$.flow.paths[0].condition: found the condition type "allways"; expected {CONDITION_TYPES}. '
            "Did you mean 'always'?"
        ),
    ),
    "condition without type": (
        with_condition({"field": "x"}),
        f"$.flow.paths[0].condition: found no type; expected {CONDITION_TYPES}.",
    ),
    "condition as number": (
        with_condition(5),
        "$.flow.paths[0].condition: found 5; expected a condition: a mapping with a type, or the word always.",
    ),
    "condition config as number": (
        with_condition({"type": "expression", "config": 3}),
        "$.flow.paths[0].condition.config: found 3; expected a mapping under config.",
    ),
    "condition without value": (
        with_condition({"type": "field_equals", "field": "x"}),
        "$.flow.paths[0].condition: found no 'value'; expected one.",
    ),
    "condition with two values": (
        with_condition({"type": "field_equals", "field": "x", "value": 1, "config": {"value": 2}}),
        (
            "$.flow.paths[0].condition: found 'value' both in the condition and under its config, with two values; "
            "expected it only once."
        ),
    ),
    "no operator": (
        with_condition({"type": "threshold_condition", "field": "x", "value": 1}),
        (
            "$.flow.paths[0].condition: found no operator; "
            "expected the operator of a condition of type threshold_condition."
        ),
    ),
    "unknown operator": (
        with_condition({"type": "expression", "config": {"source": "x", "operator": "equal", "value": 1}}),
        f"$.flow.paths[0].condition: found the operator \"equal\"; expected {OPERATORS}. Did you mean 'equals'?",
    ),
    "contradicting operator": (
        with_condition({"type": "field_equals", "field": "x", "operator": ">", "value": 1}),
        (
            "$.flow.paths[0].condition: found the operator greater_than in a condition of type field_equals; "
            "expected the operator equals, or none."
        ),
    ),
    "regex that could run away": (
        with_condition({"type": "expression", "source": "x", "operator": "regex", "value": "(?=a)"}),
        (
            '$.flow.paths[0].condition: found "(?=a)" (invalid perl operator: (?=); expected a regular expression that RE2 '  # noqa: E501
            "knows. Look-around and back references do not exist in RE2, the engine that cannot run away."
        ),
    ),
    "regex as number": (
        with_condition({"type": "expression", "source": "x", "operator": "regex", "value": 5}),
        "$.flow.paths[0].condition: found 5; expected a regular expression.",
    ),
    "condition source": (
        with_condition({"type": "field_equals", "field": "a..b", "value": 1}),
        "$.flow.paths[0].condition.field: found the path 'a..b'; expected names joined by single dots.",
    ),
    "condition source in text": (
        with_condition({"type": "field_equals", "field": "x {parameters.x}", "value": 1}),
        (
            "$.flow.paths[0].condition.field: found 'x {parameters.x}'; "
            "expected one path, such as result.score, a field of the state or {parameters.NAME}."
        ),
    ),
    "empty all": (
        with_condition({"type": "all", "conditions": []}),
        "$.flow.paths[0].condition.conditions: found an empty list; expected at least one entry.",
    ),
    "not of two": (
        with_condition({"type": "not", "conditions": ["always", "always"]}),
        '$.flow.paths[0].condition: found not with ["always", "always"]; expected not with exactly one condition.',
    ),
    "retry": (
        document(task("a", config={"error_handling": {"retry": {"max_attempts": 0}}})),
        "$.steps[0].config.error_handling.retry.max_attempts: found 0; expected at least 1.",
    ),
    "two error handlings": (
        document(task("a", error_handling={}, config={"error_handling": {"continue_on_error": True}})),
        "$.steps[0]: found two different error_handling, on the step and under its config; expected only one of them.",
    ),
    "schema": (
        document("a", parameters=[{"name": "x", "schema": {"type": "strng"}}]),
        (
            "$.parameters[0].schema.type: found \"strng\" is not valid under any of the schemas listed in the 'anyOf' "
            f"keyword; expected {SCHEMA}."
        ),
    ),
    "schema as number": (
        document("a", output_schema=3),
        "$.output_schema: found 3; expected a JSON Schema: a mapping, true or false.",
    ),
    "field type": (
        document(ask(ui_schema={"fields": [{"name": "x", "type": "radoi"}]})),
        (
            '$.steps[0].config.ui_schema.fields[0]: found the field type "radoi"; expected one of text, string, textarea, '  # noqa: E501
            "email, url, date, datetime, number, integer, boolean, checkbox, select, dropdown, radio, multiselect, "
            "checkboxes. Did you mean 'radio'?"
        ),
    ),
    "field without options": (
        document(ask(ui_schema={"fields": [{"name": "x", "type": "select"}]})),
        (
            "$.steps[0].config.ui_schema.fields[0]: found a field of type select without options; "
            "expected at least one option."
        ),
    ),
    "answer time": (
        document(ask(timeout_seconds=-1)),
        "$.steps[0].config.timeout_seconds: found -1; expected more than 0.",
    ),
    "answer time beside config": (
        document({"id": "ask", "type": "human_input", "timeout_seconds": -1}),
        "$.steps[0].timeout_seconds: found -1; expected more than 0.",
    ),
    "on_timeout": (
        document(ask(on_timeout=5)),
        "$.steps[0].config.on_timeout: found 5; expected fail, a default answer (a mapping), or the id of a step.",
    ),
    "default answer": (
        document(ask(ui_schema={"type": "object", "required": ["x"]}, on_timeout={})),
        (
            '$.steps[0].config.on_timeout: found a default answer that ui_schema refuses ($.x: "x" is a required property); '  # noqa: E501
            "expected an answer that a person could give."
        ),
    ),
}


@pytest.mark.parametrize("case", PARTS)
@pytest.mark.parametrize("strict", [True, False])
def test_what_is_wrong_is_always_an_error(case: str, *, strict: bool) -> None:
    written, message = PARTS[case]
    examined = examine(written, strict=strict)
    assert [without_format_hint(problem) for problem in examined.errors] == [message]
    assert examined.definition is None
