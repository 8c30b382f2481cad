"""What is wrong with a definition is said where it stands, all at once, with what was expected."""

import copy
import json
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.loader import MOST_VALUES, document_of, examine, load, load_text, syntax_of
from tests.unit.pipeline.factories import document, task


def ask(**config: Any) -> dict[str, Any]:
    return {"id": "ask", "type": "human_input", "config": config}


def with_condition(condition: Any, **keys: Any) -> dict[str, Any]:
    return document("a", "b", paths=[("a", "b", condition)], **keys)


def with_inputs(inputs: Any, **keys: Any) -> dict[str, Any]:
    return document(task("a", inputs=inputs), **keys)


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
            "$.flow.paths[0].condition: found 'value' both beside and under config, with two values; "
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

STRUCTURE: dict[str, tuple[Any, str]] = {
    "unknown start": (
        {**document("a"), "flow": {"start_at": "b"}},
        "$.flow.start_at: found 'b', which is no step; expected the id of the step that starts.",
    ),
    "step twice": (document("a", "a"), "$.steps[1].id: found a second step 'a'; expected each id only once."),
    "reserved id": (
        document("end_all"),
        (
            "$.steps[0].id: found the reserved id 'end_all'; "
            "expected another id: paths to end and end_* leave the pipeline."
        ),
    ),
    "parameter twice": (
        document("a", parameters=[{"name": "x"}, {"name": "x"}]),
        "$.parameters[1].name: found a second parameter 'x'; expected each name only once.",
    ),
    "input twice": (
        with_inputs([{"name": "x", "source": 1}, {"name": "x", "source": 2}]),
        "$.steps[0].inputs[1].name: found a second input 'x'; expected each name only once.",
    ),
    "unknown target": (
        {**document("abc"), "flow": {"start_at": "abc", "transitions": [{"from": "abc", "to": "abd"}]}},
        (
            "$.flow.transitions[0].to: found 'abd', which is no step; expected the id of a step, end or end_*. "
            "Did you mean 'abc'?"
        ),
    ),
    "unknown source": (
        document("a", paths=[("b", "a")]),
        "$.flow.paths[0].from_step: found 'b', which is no step; expected the id of a step.",
    ),
    "condition behind a task": (
        with_condition("condition"),
        (
            "$.flow.paths[0].condition: found a condition of type condition behind 'a', a step of type task; "
            "expected it behind a step of type condition, whose conditions it means."
        ),
    ),
    "else inside": (
        with_condition({"type": "any", "conditions": ["always", {"type": "not", "condition": "else"}]}),
        (
            "$.flow.paths[0].condition.conditions[1].condition: found a condition of type else here; "
            "expected it directly on a path."
        ),
    ),
    "unknown parameter in an input": (
        with_inputs({"x": "{parameters.topc}"}, parameters={"topic": 1}),
        (
            "$.steps[0].inputs.x: found the unknown parameter 'topc'; expected one of the parameters topic. "
            "Did you mean 'topic'?"
        ),
    ),
    "unknown parameter in a config": (
        document(task("a", config={"p": {"q": ["Hi {{ parameters.topc }}"]}}), parameters={"topic": 1}),
        (
            "$.steps[0].config.p.q[0]: found the unknown parameter 'topc'; expected one of the parameters topic. "
            "Did you mean 'topic'?"
        ),
    ),
    "unknown parameter in a condition": (
        with_condition({"type": "any", "conditions": ["parameter:fast"]}, parameters={"fats": 1}),
        (
            "$.flow.paths[0].condition.conditions[0]: found the unknown parameter 'fast'; "
            "expected one of the parameters fats. Did you mean 'fats'?"
        ),
    ),
    "unknown parameter in a value": (
        with_condition({"type": "field_equals", "field": "x", "value": "{{ parameters.y }}"}, parameters={"z": 1}),
        "$.flow.paths[0].condition.value: found the unknown parameter 'y'; expected one of the parameters z.",
    ),
    "unknown root": (
        document(task("a", config={"p": "Hi {{ parameter.topic }}"})),
        (
            "$.steps[0].config.p: found a placeholder for the step 'parameter', which does not exist; "
            "expected the id of a step. Did you mean 'parameters'?"
        ),
    ),
    "unknown step in outputs": (
        document("a", outputs={"x": {"y": "{{ b.y }}"}}),
        "$.outputs.x.y: found a placeholder for the step 'b', which does not exist; expected the id of a step.",
    ),
    "unknown step in a condition": (
        with_condition({"type": "field_equals", "field": "{steps.c.output.x}", "value": 1}),
        (
            "$.flow.paths[0].condition.field: found a placeholder for the step 'c', which does not exist; "
            "expected the id of a step."
        ),
    ),
    "placeholder of a path from nowhere": (
        document("a", paths=[("b", "a", {"type": "field_equals", "field": "{steps.a.output.x}", "value": 1})]),
        "$.flow.paths[0].from_step: found 'b', which is no step; expected the id of a step.",
    ),
    "on_timeout names no step": (
        document(ask(on_timeout="nope")),
        (
            "$.steps[0].config.on_timeout: found 'nope', which is no step; "
            "expected fail, a default answer (a mapping), or the id of a step."
        ),
    ),
    "loop without a way out": (
        document("a", "b", "c", paths=[("a", "b"), ("b", "c"), ("c", "b"), ("b", "end")]),
        (
            "$.flow.paths[1]: found a loop without a way out: b, c; expected a loop in which some step may end it. "
            "Put a condition on the path that leads back."
        ),
    ),
    "loop that else closes": (
        document("a", "b", paths=[("a", "b"), ("b", "a", "parameter:x"), ("b", "a", "else")]),
        (
            "$.flow.paths[0]: found a loop without a way out: a, b; expected a loop in which some step may end it. "
            "Put a condition on the path that leads back."
        ),
    ),
}

HARMLESS: dict[str, tuple[Any, str]] = {
    "unknown key": (
        document("a", stepz=1),
        (
            "$.stepz: found the unknown key 'stepz'; expected one of the keys description, error_handling, flow, "
            "input_schema, loop_config, metadata, name, output_schema, outputs, parameters, slug, steps, version. "
            "Did you mean 'steps'?"
        ),
    ),
    "unknown key of a step": (
        document(task("a", tiemout_seconds=1)),
        (
            "$.steps[0].tiemout_seconds: found the unknown key 'tiemout_seconds'; expected one of the keys class, "
            "conditions, config, description, error_handling, id, input_schema, inputs, module, name, output_schema, "
            "outputs, parallel, resources, step_class, timeout_seconds, type. Did you mean 'timeout_seconds'?"
        ),
    ),
    "unknown key of a condition under config": (
        with_condition({"type": "field_exists", "config": {"field": "x", "vlaue": True}}),
        (
            "$.flow.paths[0].condition.config.vlaue: found the unknown key 'vlaue'; expected one of the keys description, "  # noqa: E501
            "field, operator, source, type, value. Did you mean 'value'?"
        ),
    ),
    "unknown key of error handling under config": (
        document(task("a", config={"error_handling": {"retyr": {}}})),
        (
            "$.steps[0].config.error_handling.retyr: found the unknown key 'retyr'; "
            "expected one of the keys continue_on_error, enable_fallback, retry. Did you mean 'retry'?"
        ),
    ),
    "unknown key of a form": (
        document(ask(ui_schema={"fields": [{"name": "x", "lable": "X"}]})),
        (
            "$.steps[0].config.ui_schema.fields[0].lable: found the unknown key 'lable'; expected one of the keys default, "  # noqa: E501
            "description, label, max, min, name, options, placeholder, required, rows, step, type. Did you mean 'label'?"  # noqa: E501
        ),
    ),
    "unknown key of a form beside a config": (
        document(
            {"id": "a", "type": "human_input", "config": {"x": 1}, "ui_schema": {"fields": [{"name": "x", "a": 1}]}}
        ),
        (
            "$.steps[0].ui_schema.fields[0].a: found the unknown key 'a'; expected one of the keys default, description, "  # noqa: E501
            "label, max, min, name, options, placeholder, required, rows, step, type."
        ),
    ),
    "step out of reach": (
        document("a", "b"),
        (
            "$.steps[1]: found the step 'b', to which no path leads from 'a'; "
            "expected every step within reach of the start."
        ),
    ),
    "placeholder that never resolves": (
        document("a", task("b", inputs={"x": "{{ c.x }}"}), "c", paths=[("a", "b"), ("b", "c")]),
        (
            "$.steps[1].inputs.x: found a placeholder for the step 'c', from which no path leads to 'b'; "
            "expected a step that runs before. It never resolves."
        ),
    ),
}


@pytest.mark.parametrize("case", [*PARTS, *STRUCTURE])
@pytest.mark.parametrize("strict", [True, False])
def test_what_is_wrong_is_always_an_error(case: str, *, strict: bool) -> None:
    written, message = {**PARTS, **STRUCTURE}[case]
    examined = examine(written, strict=strict)
    assert [str(problem) for problem in examined.errors] == [message]
    assert examined.definition is None


@pytest.mark.parametrize("case", HARMLESS)
def test_what_changes_nothing_is_an_error_when_validated_and_a_warning_when_run(case: str) -> None:
    written, message = HARMLESS[case]
    strict, lenient = examine(written), examine(written, strict=False)
    assert [str(problem) for problem in strict.errors] == [message]
    assert strict.definition is None
    assert lenient.errors == ()
    assert [str(problem) for problem in lenient.warnings] == [message]
    assert lenient.definition is not None


def test_unknown_keys_are_left_out_of_what_runs() -> None:
    written = document(task("a", config={"kept": 1}, colour="red"), stepz=[1])
    loaded = load(written, strict=False)
    assert loaded.definition == load(document(task("a", config={"kept": 1}))).definition
    assert [problem.where for problem in loaded.warnings] == ["$.stepz", "$.steps[0].colour"]
    assert "stepz" in written


def test_every_problem_is_reported_not_only_the_first() -> None:
    written = document(
        task("a", timeout_seconds=0, colour="red"), {"id": "b", "type": "tsk"}, paths=[("a", "b", "allways")], slug=""
    )
    assert [problem.where for problem in examine(written).errors] == [
        "$.slug",
        "$.steps[0].colour",
        "$.steps[0].timeout_seconds",
        "$.steps[1].type",
        "$.flow.paths[0].condition",
    ]


def test_every_structural_problem_is_reported() -> None:
    written = document("a", "a", task("c", inputs={"x": "{steps.z.output.x}"}), paths=[("a", "z"), ("y", "c")])
    assert [problem.where for problem in examine(written).errors] == [
        "$.steps[1].id",
        "$.flow.paths[0].to_step",
        "$.flow.paths[1].from_step",
        "$.steps[2].inputs.x",
    ]


def test_the_error_carries_its_facts() -> None:
    with pytest.raises(PipelineDefinitionError) as wrong:
        load(document("a", "a", stepz=1))
    assert str(wrong.value).startswith("The pipeline definition is wrong:\n- $.stepz: found the unknown key")
    assert wrong.value.where == "$.stepz"
    assert wrong.value.hint == "Did you mean 'steps'?"
    assert [problem.where for problem in wrong.value.problems] == ["$.stepz"]


@pytest.mark.parametrize(
    "edges",
    [
        [("a", "b"), ("b", "a", "parameter:x")],
        [("a", "b"), ("b", "a", "parameter:x"), ("b", "end", "else")],
        [("a", "b", "parameter:x"), ("b", "a")],
        [("a", "b"), ("b", "a", "parameter:x"), ("b", "a", "parameter:y")],
    ],
)
def test_a_loop_that_may_end_is_fine(edges: list[Any]) -> None:
    assert load(document("a", "b", paths=edges)).warnings == ()


def test_a_loop_of_success_paths_ends_with_the_failure_that_lets_the_flow_go_on() -> None:
    edges = [("a", "b"), ("b", "a", "success")]
    goes_on = task("b", error_handling={"continue_on_error": True})
    assert load(document("a", goes_on, paths=edges)).warnings == ()
    assert "without a way out" in str(examine(document("a", "b", paths=edges)).errors[0])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "$.metadata.x: found nan; expected a finite number."),
        (object, "$.metadata.x: found a value of type type; expected a JSON value."),
        (
            {1: 2},
            "$.metadata.x: found the key 1; expected keys that are texts, without NUL and half surrogate pairs.",
        ),
        (
            {"a\0": 2},
            (
                '$.metadata.x: found the key "a\\u0000"; '
                "expected keys that are texts, without NUL and half surrogate pairs."
            ),
        ),
        (["a\0"], "$.metadata.x[0]: found a text with NUL or half a surrogate pair; expected one without."),
        (["\ud800"], "$.metadata.x[0]: found a text with NUL or half a surrogate pair; expected one without."),
        (2**64, "$.metadata.x: found a number beyond 64 bits; expected a smaller one."),
    ],
)
def test_a_definition_is_json(value: Any, message: str) -> None:
    assert [str(problem) for problem in examine(document("a", metadata={"x": value})).errors] == [message]


def test_a_definition_has_limits() -> None:
    deep: Any = []
    for _ in range(150):
        deep = [deep]
    assert "expected at most 100" in str(examine(document("a", metadata={"x": deep})).errors[0])
    wide = document("a", metadata={"x": [0] * (MOST_VALUES + 1)})
    assert "expected fewer" in str(examine(wide).errors[0])


@pytest.mark.parametrize(
    ("syntax", "text", "message"),
    [
        ("json", '{"name": }', "line 1, column 10: found what is not JSON (Expecting value); expected JSON."),
        (
            "json",
            '{\n"a": 1\n"b"}',
            "line 3, column 1: found what is not JSON (Expecting ',' delimiter); expected JSON.",
        ),
        ("json", '{"a": 1, "a": 2}', "the text: found the key 'a' twice in one mapping; expected each key once."),
        (
            "json",
            "1" * 5000,
            (
                "the text: found Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits; "
                "use sys.set_int_max_str_digits() to increase the limit; expected JSON or YAML."
            ),
        ),
        ("json", "[" * 50_000, "the text: found too many levels; expected at most 100."),
        (
            "yaml",
            "a: [1,\nb: {",
            (
                "line 2, column 5: found what is not YAML (expected the node content, but found '<stream end>'); "
                "expected YAML."
            ),
        ),
        (
            "yaml",
            "a: 1\nb: 2\na: 3",
            "line 3, column 1: found what is not YAML (the key 'a' twice in one mapping); expected YAML.",
        ),
    ],
)
def test_a_text_that_is_no_document_is_refused_with_its_place(syntax: Any, text: str, message: str) -> None:
    with pytest.raises(PipelineDefinitionError) as wrong:
        document_of(text, syntax)
    assert str(wrong.value) == f"The pipeline definition is wrong:\n- {message}"


def test_yaml_runs_no_code_and_cannot_explode() -> None:
    with pytest.raises(PipelineDefinitionError, match="could not determine a constructor"):
        document_of("!!python/object/apply:os.getcwd []", "yaml")
    assert "expected at most 100" in str(examine(document_of("&a [*a]", "yaml")).errors[0])
    levels = [f"x{level}: &x{level} [{','.join([f'*x{level - 1}'] * 10)}]" for level in range(1, 9)]
    assert "expected fewer" in str(examine(document_of("\n".join(["x0: &x0 [1]", *levels]), "yaml")).errors[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("2024-01-01", "2024-01-01"),
        ("010", "010"),
        ("12", 12),
        ("-1.5e3", -1500.0),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ("", None),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
    ],
)
def test_yaml_has_the_values_of_json(text: str, value: Any) -> None:
    assert document_of(f"key: {text}", "yaml") == {"key": value}


def test_yaml_mappings_can_be_merged() -> None:
    assert document_of("base: &base {x: 1}\nmore: {<<: *base, y: 2}", "yaml")["more"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(("name", "syntax"), [("a.json", "json"), ("a.YAML", "yaml"), ("a.yml", "yaml"), ("a", "json")])
def test_the_syntax_follows_from_the_name(name: str, syntax: str) -> None:
    assert syntax_of(name) == syntax


def test_a_byte_order_mark_is_no_problem() -> None:
    assert load_text("\ufeff" + json.dumps(document("a"))).definition.name == "test"


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict | list):
        items = cast(dict[str, Any], value).items() if isinstance(value, dict) else enumerate(cast(list[Any], value))
    return [place, *(each for key, inner in items for each in places(inner, (*place, key)))]


FIXTURES = Path(__file__).parents[2] / "fixtures" / "pipelines"
VALID = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(FIXTURES.glob("*/*.json"))]
WORDS = sorted({key for written in VALID for place in places(written) for key in place if isinstance(key, str)})
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab{}|.", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A valid pipeline with one or two values replaced, or keys added, at random."""
    written = copy.deepcopy(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 2))):
        *way, key = draw(st.sampled_from([place for place in places(written) if place]))
        here = written
        for each in way:
            here = here[each]
        here[key] = draw(ANYTHING)
        if isinstance(here, dict) and draw(st.booleans()):
            here[draw(st.sampled_from(WORDS))] = draw(ANYTHING)
    return written


@settings(max_examples=400, deadline=None)
@given(damaged())
def test_whatever_a_document_says_is_either_loaded_or_explained(written: Any) -> None:
    kept = copy.deepcopy(written)
    strict, lenient = examine(written), examine(written, strict=False)
    assert repr(written) == repr(kept)
    for examined in (strict, lenient):
        assert (examined.definition is None) is bool(examined.errors)
        assert all(problem.where and problem.found and problem.expected for problem in examined.errors)
        if examined.definition is not None:
            again = load(examined.definition.to_json(), strict=examined is strict).definition
            assert again == examined.definition
            assert again.content_hash == examined.definition.content_hash
            Graph(examined.definition)
    if strict.definition is not None:
        assert lenient.definition == strict.definition
        assert lenient.warnings == ()
