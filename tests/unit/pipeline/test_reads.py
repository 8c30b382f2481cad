"""What a step reads of what led to it."""

from typing import Any

import pytest

from ia_modules.pipeline.reads import Reads, reads_of
from tests.unit.pipeline.factories import ask, document, graph, task


def reads(step: Any, *paths: Any, **keys: Any) -> Reads:
    step_id = step if isinstance(step, str) else step["id"]
    return reads_of(graph("a", "b", step, paths=[("a", "b"), ("b", step_id), *paths], **keys), step_id)


def named(*steps: str, fields: str = "", state: bool = False) -> Reads:
    return Reads(frozenset(steps), frozenset(fields.split()), state)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("c", named(state=True)),
        (task("c", inputs={"x": "{parameters.x}"}), named()),
        (task("c", inputs={"x": "{steps.a.output.x}|{steps.b.output.x}"}), named("a", "b")),
        (task("c", inputs={"x": "{{ a.x }}"}), named("a")),
        (task("c", inputs={"x": "{parameters.x}"}, config={"prompt": "of {{ b.x }}"}), named("b")),
        ({**ask(prompt="Ship?"), "id": "c"}, named()),
        ({**ask(prompt="Ship {{ a.x }}?"), "id": "c"}, named("a")),
        ({**ask(prompt="Ship?"), "id": "c", "input_schema": {"required": ["x"]}}, named(state=True)),
    ],
)
def test_inputs_and_config_say_what_is_read_and_without_inputs_it_is_the_state(step: Any, expected: Reads) -> None:
    assert reads(step) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("result.n", named()),
        ("a.n", named(fields="a")),
        ("n", named(state=True)),
        ("n.inner", named(state=True)),
        ("{steps.b.output.n}", named("b")),
    ],
)
def test_conditions_of_its_paths_count(source: str, expected: Reads) -> None:
    condition = {"type": "expression", "config": {"source": source, "operator": ">", "value": 1}}
    step = task("c", inputs={"x": "{parameters.x}"})
    assert reads(step, ("c", "b", {"type": "not", "condition": condition})) == expected
    deciding = {"id": "c", "type": "condition", "conditions": [condition]}
    assert reads_of(graph("a", "b", deciding, paths=[("a", "b"), ("b", "c")]), "c") == expected


def test_a_function_is_shown_the_state() -> None:
    condition = {"type": "function", "module_path": "checks", "function_name": "large"}
    assert reads(task("c", inputs={"x": 1}), ("c", "b", condition)).state


def test_inputs_lie_over_the_state_in_a_lenient_file() -> None:
    lenient = document(task("c", inputs={"x": 1})) | {"format": "0.2"}
    assert reads(task("c", inputs={"x": 1}), format=lenient["format"]).state
