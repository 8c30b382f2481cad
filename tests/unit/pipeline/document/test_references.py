"""References that lead nowhere are found when a definition is loaded; those to what is declared never are."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ia_modules.pipeline.document.known_fields import Shape, returned_by
from ia_modules.pipeline.document.references import field_findings
from ia_modules.pipeline.document.wording import misspelled, nearest
from ia_modules.pipeline.loader import examine
from tests.unit.pipeline.document.test_known_fields import plain
from tests.unit.pipeline.factories import ask, definition, document, task

CLOSED: dict[str, Any] = {
    "$defs": {"i": {"properties": {"n": {}}, "additionalProperties": False}},
    "type": "object",
    "properties": {"rows": {}, "inner": {"$ref": "#/$defs/i"}},
    "additionalProperties": False,
}


def compares(field: str) -> dict[str, Any]:
    return {"type": "field_equals", "field": field, "value": 1}


def found(first: Any, *, after: Any = "always", returned: dict[str, Shape] | None = None, **keys: Any) -> list[str]:
    """What is wrong with the fields that a pipeline of two steps reads."""
    second = keys.pop("second", "last")
    last = second if isinstance(second, str) else second["id"]
    written = definition(first, second, paths=[(first["id"], last, after)], **keys)
    return [f"{finding.found} {finding.hint}".strip() for finding in field_findings(written, returned or {})]


@pytest.mark.parametrize("field", ["load_dta.rows", "load-data.rows", "LOAD_DATA.rows", "limt", "not: limt"])
def test_a_bare_path_that_is_nearly_a_name_is_refused(field: str) -> None:
    condition = {"type": "not", "conditions": [compares("limt")]} if field.startswith("not") else compares(field)
    [wrong] = found(task("load_data"), after=condition, parameters={"limit": 1})
    assert "Did you mean 'l" in wrong


@pytest.mark.parametrize("field", ["load_data.rows", "limit", "rows", "limits", "loads", "result.x", "data.rows"])
def test_a_bare_path_that_may_be_right_is_not(field: str) -> None:
    assert found(task("load_data"), after=compares(field), parameters={"limit": 1}) == []


@pytest.mark.parametrize(
    "keys",
    [
        {"input_schema": {"properties": {"limmit": {}}}},
        {"first": task("load_data", output_schema={"properties": {"limmit": {}}})},
        {"first": task("load_data", outputs=["limmit"])},
        {"second": task("last", input_schema={"properties": {"limmit": {}}})},
    ],
)
def test_what_is_declared_anywhere_is_no_near_miss(keys: dict[str, Any]) -> None:
    first = keys.pop("first", task("load_data"))
    assert found(first, after=compares("limmit"), parameters={"limit": 1}, **keys) == []
    assert found(task("load_data"), after=compares("limmit"), parameters={"limit": 1}) != []


@pytest.mark.parametrize(
    ("reading", "wrong"),
    [
        ("{steps.first.output.rowz}", "'rowz'"),
        ("{{ first.rowz }}", "'rowz'"),
        ("{steps.first.output.inner.m}", "'inner.m'"),
        ("see {steps.first.output.rows} and {{ first.rowz }}", "'rowz'"),
        ("{steps.first.output.rowz}|{pipeline_input.x}", "'rowz'"),
        ("{steps.first.output.rows.0.x}", None),
        ("{steps.first.output.inner.n}", None),
        ("{steps.first.output.human_input}", None),
        ("{steps.first.output}", None),
    ],
)
@pytest.mark.parametrize("at", ["inputs", "config", "outputs", "value"])
def test_a_field_that_a_closed_result_does_not_have_is_found_wherever_it_is_read(
    reading: str, wrong: str | None, at: str
) -> None:
    first = task("first", output_schema=CLOSED)
    keys: dict[str, Any] = {}
    if at == "config":
        reading = reading.replace("{{", "{").replace("}}", "}").replace("{", "{{").replace("}", "}}")
    after: Any = {**compares("x"), "value": reading} if at == "value" else "always"
    if at == "outputs":
        keys = {"outputs": {"x": reading}}
    second = task("last", **({at: {"x": reading}} if at in ("inputs", "config") else {}))
    messages = found(first, after=after, second=second, **keys)
    assert [message.partition("'")[1] + message.split("'")[1] + "'" for message in messages] == [wrong] * bool(wrong)


@pytest.mark.parametrize("field", ["result.rowz", "first.rowz"])
def test_a_condition_after_a_step_reads_its_result(field: str) -> None:
    schema = {"output_schema": CLOSED}
    message = "the field 'rowz', which the result of step 'first' never has Did you mean 'rows'?"
    assert found(task("first", **schema), after=compares(field)) == [message]
    assert found(task("first", **schema), after=compares(field.replace("rowz", "rows"))) == []


def test_a_return_type_with_fixed_fields_is_a_closed_result_unless_something_else_may_be_returned() -> None:
    returned = {"first": returned_by(plain)}
    wrong = {"after": compares("result.nme"), "returned": returned}
    assert found(task("first"), **wrong) == [
        "the field 'nme', which the result of step 'first' never has Did you mean 'name'?"
    ]
    assert found(task("first", error_handling={"enable_fallback": True}), **wrong) == []
    assert found(task("first", output_schema={"properties": {"nme": {}}}), **wrong) == []
    failed = {"after": compares("result.error_type"), "returned": returned}
    assert found(task("first", error_handling={"continue_on_error": True}), **failed) == []
    assert found(task("first"), **failed) != []


def test_a_question_results_in_its_answer_alone() -> None:
    form = {"fields": [{"name": "yes", "type": "boolean"}]}
    assert found(ask(ui_schema=form), after=compares("result.yes")) == [
        "the field 'yes', which the result of step 'ask' never has"
    ]
    assert found(ask(ui_schema=form), after=compares("result.human_input.yes")) == []
    of_two = compares("result.human_input.answers.0.response.yes")
    assert found(ask(ui_schema=form, answers=2), after=of_two) == []
    assert found(ask(ui_schema=form, answers=2), after=compares("result.human_input.yes")) == [
        "the field 'human_input.yes', which the result of step 'ask' never has"
    ]
    for filled_in in (of_two, compares("result.human_input.yes")):
        assert found(ask(ui_schema=form, answers="{{ parameters.n }}"), after=filled_in) == []


def test_a_step_with_the_name_of_a_field_may_be_either() -> None:
    first = task("report", output_schema={"properties": {"report": {}}, "additionalProperties": False})
    assert found(first, after=compares("report.title")) == []
    assert found(first, after=compares("result.title")) != []


NAMES = st.text("abcdefgXYZ_-0189äß", min_size=1, max_size=12).filter(lambda name: not name.startswith("end"))
_RESERVED = {"result", "steps", "parameters", "pipeline_input"}


@given(st.lists(NAMES, min_size=3, max_size=5, unique=True), st.data())
def test_a_reference_to_what_is_declared_is_never_refused(names: list[str], data: st.DataObject) -> None:
    step_id, parameter, fields = names[0], names[1], names[2:]
    assume(not _RESERVED & {step_id, parameter})
    field = data.draw(st.sampled_from(fields))
    schema = {"properties": dict.fromkeys(fields, True), "additionalProperties": False}
    sources = [f"{{steps.{step_id}.output.{field}}}", f"{{{{ {step_id}.{field} }}}}", f"{{parameters.{parameter}}}"]
    bare = data.draw(st.sampled_from([f"{step_id}.{field}", f"result.{field}", field, parameter]))
    last = task("then it ends", inputs={str(number): each for number, each in enumerate(sources)})
    written = document(
        task(step_id, output_schema=schema),
        last,
        paths=[(step_id, "then it ends", {**compares(bare), "value": sources[0]})],
        parameters={parameter: 1},
        outputs={"x": sources},
    )
    examined = examine(written)
    assert examined.definition is not None, examined.errors
    assert list(field_findings(examined.definition, {})) == []


@given(st.lists(NAMES, min_size=2, max_size=4, unique=True), NAMES, st.sampled_from(["inputs", "outputs", "value"]))
def test_a_step_that_does_not_exist_is_always_refused(ids: list[str], wrong: str, at: str) -> None:
    assume(wrong not in ids)
    reading = f"{{steps.{wrong}.output.x}}"
    condition = {**compares("x"), "value": reading} if at == "value" else "always"
    last = task(ids[1], **({"inputs": {"x": reading}} if at == "inputs" else {}))
    outputs = {"outputs": {"x": reading}} if at == "outputs" else {}
    examined = examine(document(ids[0], last, paths=[(ids[0], ids[1], condition)], **outputs), strict=False)
    assert any(f"the step {wrong!r}, which does not exist" in str(problem) for problem in examined.errors)


@given(NAMES, st.sampled_from([str.upper, str.lower, lambda name: name.replace("_", "-")]))
def test_another_style_of_a_name_is_near_it(name: str, restyle: Any) -> None:
    assert nearest(restyle(name), [name]) == misspelled(restyle(name), [name]) == name


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ("analyze", "analysis.score"),
        ("summarize", "summary.length"),
        ("validate", "validation.ok"),
        ("load_data", "data.rows"),
        ("orders", "order.id"),
        ("scorer", "score.value"),
    ],
)
def test_a_field_that_a_step_is_called_after_may_be_read(step: str, field: str) -> None:
    assert found(task(step), after=compares(field)) == []


@pytest.mark.parametrize(
    ("parameter", "field"),
    [
        ("quality_threshold", "quality_score"),
        ("topic", "topics"),
        ("max_score", "score"),
        ("scope", "score"),
        ("approver", "approved"),
        ("page_1_text", "page_2_text"),
    ],
)
def test_a_field_that_only_resembles_a_parameter_may_be_read(parameter: str, field: str) -> None:
    assert found(task("first"), after=compares(field), parameters={parameter: 1}) == []


@pytest.mark.parametrize(
    ("field", "hint"),
    [("run.iterations", "iteration"), ("run.attemt", "attempt"), ("run.executionid", "execution_id")],
)
def test_a_path_that_is_nearly_one_of_the_step_run_is_refused_and_a_warning_when_run(field: str, hint: str) -> None:
    [wrong] = found(task("load"), after=compares(field))
    assert wrong == f"the path '{field}', and nothing is known to have a 'run' Did you mean '{hint}'?"


@pytest.mark.parametrize("field", ["run.iteration", "run.attempt", "run.mode", "run", "run.iterations.n"])
def test_what_may_be_of_the_step_run_or_of_the_state_is_left_alone(field: str) -> None:
    assert found(task("load"), after=compares(field), second="runs") == []


@pytest.mark.parametrize(
    "keys", [{"parameters": {"run": 1}}, {"second": "run"}, {"returned": {"load": returned_by(lambda: None)}}]
)
def test_a_run_of_its_own_has_whatever_fields_it_has(keys: dict[str, Any]) -> None:
    first = task("load", outputs=["run"]) if "returned" in keys else task("load")
    assert found(first, after=compares("run.iterations"), **keys) == []
