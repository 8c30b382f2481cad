"""Keys that a definition does not know."""

from typing import Any

import pytest

from ia_modules.pipeline.loader import examine, load
from tests.unit.pipeline.factories import ask, document, task, with_condition, without_format_hint

UNKNOWN: dict[str, tuple[Any, str]] = {
    "unknown key": (
        document("a", stepz=1),
        (
            "$.stepz: found the unknown key 'stepz'; expected one of the keys $schema, description, error_handling, "
            "flow, format, input_schema, loop_config, merge, metadata, name, output_schema, outputs, parameters, "
            "searchable, slug, steps, version. "
            "Did you mean 'steps'?"
        ),
    ),
    "unknown key of a step": (
        document(task("a", tiemout_seconds=1)),
        (
            "$.steps[0].tiemout_seconds: found the unknown key 'tiemout_seconds'; expected one of the keys class, "
            "conditions, config, description, effect, error_handling, executor, id, input_schema, inputs, isolation, "
            "keep_stream, map, max_iterations, module, name, output_schema, outputs, parallel, pool, resources, "
            "route, step_class, timeout_seconds, type. Did you mean 'timeout_seconds'?"
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
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_unknown_key_is_an_error_when_validated_and_a_warning_when_run(case: str) -> None:
    written, message = UNKNOWN[case]
    strict, lenient = examine(written), examine(written, strict=False)
    assert [without_format_hint(problem) for problem in strict.errors] == [message]
    assert strict.definition is None
    assert lenient.errors == ()
    assert [without_format_hint(problem) for problem in lenient.warnings] == [message]
    assert lenient.definition is not None


def test_unknown_keys_are_left_out_of_what_runs() -> None:
    written = document(task("a", config={"kept": 1}, colour="red"), stepz=[1])
    loaded = load(written, strict=False)
    assert loaded.definition == load(document(task("a", config={"kept": 1}))).definition
    assert [problem.where for problem in loaded.warnings] == ["$.stepz", "$.steps[0].colour"]
    assert "stepz" in written
