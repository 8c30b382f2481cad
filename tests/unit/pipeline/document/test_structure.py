"""What is wrong between the parts of a definition: names of nothing, loops without a way out, steps out of reach."""

from typing import Any

import pytest

from ia_modules.pipeline.loader import examine, load
from tests.unit.pipeline.factories import ask, document, task, with_condition, with_inputs, without_format_hint

SAME_POOL = "expected the same pool, resources and executor in all steps of a pool."
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
    "pools that differ": (
        document(task("a", pool="p"), task("b", pool={"name": "p", "max_concurrency": 2}), paths=[("a", "b")]),
        f"$.steps[1].pool: found another pool than in step 'a', which has the same pool 'p'; {SAME_POOL}",
    ),
    "pools whose resources differ": (
        document(
            task("a", pool="p", executor="ray", resources={"gpu": 1}),
            task("b", pool="p", executor="ray"),
            paths=[("a", "b")],
        ),
        f"$.steps[1].pool: found other resources than in step 'a', which has the same pool 'p'; {SAME_POOL}",
    ),
    "pools in two places": (
        document(task("a", pool="p"), task("b", pool="p", executor="ray"), paths=[("a", "b")]),
        f"$.steps[1].executor: found another executor than in step 'a', which has the same pool 'p'; {SAME_POOL}",
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
    "condition after a task": (
        with_condition("condition"),
        (
            "$.flow.paths[0].condition: found a condition of type condition after 'a', a step of type task; "
            "expected it after a step of type condition, whose conditions it stands for."
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
    "ends before a step": (
        document("a", "b", paths=[{"from": "a", "to": "b", "ends": "execution"}]),
        (
            "$.flow.paths[0].ends: found ends: execution on the path from 'a' to the step 'b'; expected it on a path "
            "to end or end_*. A step after it would never run: lead it to end, or leave ends out."
        ),
    ),
    "else twice where the first is taken": (
        document(task("a", route="first"), "b", paths=[("a", "b", "else"), ("a", "end", "default")]),
        (
            "$.flow.paths[1].condition: found a second else after 'a'; expected one else among the paths of a step. "
            "Lead else to one step, and on from there."
        ),
    ),
    "loop that the first path closes": (
        document(task("a", route="first"), "b", paths=[("a", "a", "parameter:x"), ("a", "a"), ("a", "b")]),
        (
            "$.flow.paths[0]: found a loop without a way out: a; expected a loop in which some step may end it. "
            "Put a condition on the path that leads back."
        ),
    ),
    "run in an input": (
        with_inputs({"x": "{run.iteration}"}),
        (
            "$.steps[0].inputs.x: found the placeholder {run.iteration} here; "
            "expected it in a condition, which follows a step run."
        ),
    ),
    "run in an output": (
        document("a", outputs={"conditions": ["{run.attempt}"]}),
        (
            "$.outputs.conditions[0]: found the placeholder {run.attempt} here; "
            "expected it in a condition, which follows a step run."
        ),
    ),
    "misspelt run": (
        with_condition({"type": "field_equals", "field": "x", "value": "{run.iterations}"}),
        (
            "$.flow.paths[0].condition.value: found the placeholder {run.iterations}; expected one of {run.iteration}, "
            "{run.attempt}, {run.execution_id}. Did you mean 'iteration'?"
        ),
    ),
}


HARMLESS: dict[str, tuple[Any, str]] = {
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
    "else twice": (
        document("a", "b", paths=[("a", "b", "else"), ("a", "end", "default")]),
        (
            "$.flow.paths[1].condition: found a second else after 'a'; expected one else among the paths of a step. "
            "Lead else to one step, and on from there."
        ),
    ),
}


@pytest.mark.parametrize("case", STRUCTURE)
@pytest.mark.parametrize("strict", [True, False])
def test_what_does_not_fit_together_is_always_an_error(case: str, *, strict: bool) -> None:
    written, message = STRUCTURE[case]
    examined = examine(written, strict=strict)
    assert [without_format_hint(problem) for problem in examined.errors] == [message]
    assert examined.definition is None


@pytest.mark.parametrize("case", HARMLESS)
def test_what_changes_nothing_is_an_error_when_validated_and_a_warning_when_run(case: str) -> None:
    written, message = HARMLESS[case]
    strict, lenient = examine(written), examine(written, strict=False)
    assert [without_format_hint(problem) for problem in strict.errors] == [message]
    assert strict.definition is None
    assert lenient.errors == ()
    assert [without_format_hint(problem) for problem in lenient.warnings] == [message]
    assert lenient.definition is not None


def test_every_structural_problem_is_reported() -> None:
    written = document("a", "a", task("c", inputs={"x": "{steps.z.output.x}"}), paths=[("a", "z"), ("y", "c")])
    assert [problem.where for problem in examine(written).errors] == [
        "$.steps[1].id",
        "$.flow.paths[0].to_step",
        "$.flow.paths[1].from_step",
        "$.steps[2].inputs.x",
    ]


@pytest.mark.parametrize(
    "edges",
    [
        [("a", "b"), ("b", "a", "parameter:x")],
        [("a", "b"), ("b", "a", "parameter:x"), ("b", "end", "else")],
        [("a", "b", "parameter:x"), ("b", "a")],
        [("a", "b"), ("b", "a", "parameter:x"), ("b", "a", "parameter:y")],
        [("a", "b"), ("b", "a"), {"from": "b", "to": "end", "condition": "parameter:x", "ends": "execution"}],
    ],
)
def test_a_loop_that_may_end_is_fine(edges: list[Any]) -> None:
    assert load(document("a", "b", paths=edges)).warnings == ()


def test_a_loop_that_an_earlier_path_may_leave_is_fine_where_the_first_is_taken() -> None:
    edges = [("a", "b", "parameter:x"), ("a", "a")]
    assert load(document(task("a", route="first"), "b", paths=edges)).warnings == ()


def test_a_loop_of_success_paths_ends_with_the_failure_that_lets_the_flow_go_on() -> None:
    edges = [("a", "b"), ("b", "a", "success")]
    goes_on = task("b", error_handling={"continue_on_error": True})
    assert load(document("a", goes_on, paths=edges)).warnings == ()
    assert "without a way out" in str(examine(document("a", "b", paths=edges)).errors[0])


def test_a_second_else_stays_a_warning_in_a_file_of_the_0_2_format() -> None:
    written = document("a", "b", paths=[("a", "b", "else"), ("a", "end", "default")], format="0.2")
    examined = examine(written, strict=True)
    assert examined.errors == ()
    assert "a second else after 'a'" in str(examined.warnings[0])
