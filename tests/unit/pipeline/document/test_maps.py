"""A map in a file: its spellings, its placeholders, and what is wrong with one."""

from typing import Any, TypedDict

import pytest

from ia_modules import Flow
from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.document.maps import AtMost, MapDefinition
from ia_modules.pipeline.loader import load
from tests.unit.pipeline.factories import document, task, without_format_hint


def definition_of(**keys: Any) -> dict[str, Any]:
    return document("list", task("work", **keys), paths=[("list", "work")])


def map_of(**keys: Any) -> MapDefinition:
    mapped = load(definition_of(map={"over": "{steps.list.output.rows}", **keys})).definition.steps[1].map
    assert mapped is not None
    return mapped


def problems_of(written: dict[str, Any]) -> list[str]:
    with pytest.raises(PipelineDefinitionError) as wrong:
        load(written)
    return [without_format_hint(problem) for problem in wrong.value.problems]


def test_a_placeholder_is_short_for_the_list() -> None:
    short = load(definition_of(map="{steps.list.output.rows}")).definition
    assert short == load(definition_of(map={"over": "{{ list.rows }}"})).definition
    assert short.to_json()["steps"][1]["map"] == {"over": "{steps.list.output.rows}"}
    assert load(short.to_json()).definition == short


def test_what_is_left_out_has_its_default_and_false_collects_nothing() -> None:
    mapped = map_of()
    assert (mapped.max_concurrency, mapped.on_item_failure, mapped.collect.json) == (10, "fail", "{result}")
    assert mapped.collects
    assert not map_of(collect=False).collects


@pytest.mark.parametrize(
    ("rule", "count", "allowed"),
    [
        ("fail", 100, 0),
        ("continue", 100, None),
        ({"at_most": 3}, 100, 3),
        ({"at_most": "5%"}, 100, 5),
        ({"at_most": "5%"}, 10, 0),
        ({"at_most": "12.5 %"}, 16, 2),
        ({"at_most": "100%"}, 7, 7),
    ],
)
def test_so_many_items_may_fail(rule: Any, count: int, allowed: int | None) -> None:
    assert map_of(on_item_failure=rule).allowed_failures(count) == allowed


@pytest.mark.parametrize("part", ["x", "5", "101%", "-1%", "", 1.5, -1, True])
def test_what_is_no_part_of_all_is_refused(part: Any) -> None:
    with pytest.raises(ValueError, match="at_most"):
        AtMost.model_validate({"at_most": part})


WRONG = {
    "not a list": (
        {"map": {"over": "rows"}},
        '$.steps[1].map: found over: "rows"; expected a placeholder that gives a list, or a list',
    ),
    "unknown key": ({"map": {"over": "{steps.list.output}", "max": 3}}, "$.steps[1].map.max: found the unknown key"),
    "none at a time": (
        {"map": {"over": "{steps.list.output}", "max_concurrency": 0}},
        "$.steps[1].map.max_concurrency: found 0",
    ),
    "no such step": ({"map": "{steps.lst.output.rows}"}, "$.steps[1].map: found a placeholder for the step 'lst'"),
    "item of no map": (
        {"inputs": {"row": "{item.id}"}},
        "$.steps[1].inputs.row: found the placeholder {item.id} here; expected it in a step with a map",
    ),
    "item of no map, or something else": (
        {"inputs": {"row": "{item.id}|{parameters.row}"}},
        "$.steps[1].inputs.row: found the placeholder {item.id} here; expected it in a step with a map",
    ),
    "item in the list": (
        {"map": "{item.rows}"},
        "$.steps[1].map: found the placeholder {item.rows} in over",
    ),
}


@pytest.mark.parametrize(("keys", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_its_place(keys: dict[str, Any], message: str) -> None:
    assert any(problem.startswith(message) for problem in problems_of(definition_of(**keys)))


def test_an_item_after_a_step_that_does_not_exist_is_no_surprise() -> None:
    condition = {"type": "expression", "config": {"source": "result.n", "operator": "<", "value": "{{ item.n }}"}}
    written = document("list", "work", paths=[("list", "work"), ("lst", "work", condition)])
    assert any("'lst', which is no step" in problem for problem in problems_of(written))


def test_braces_around_item_in_the_text_of_another_step_are_text() -> None:
    written = definition_of(inputs={"prompt": "Say {item.name} and {run.index}."})
    assert load(written).definition.steps[1].inputs[0].source.json == "Say {item.name} and {run.index}."


@pytest.mark.parametrize("name", ["item", "run"])
def test_a_step_of_that_name_must_be_renamed_where_a_map_needs_it(name: str) -> None:
    field = "index" if name == "run" else "id"
    written = document(
        name,
        task("work", map=f"{{steps.{name}.output.rows}}", config={"one": f"{{{{ {name}.{field} }}}}"}),
        paths=[(name, "work")],
    )
    assert any(f"Rename the step {name!r}." in problem for problem in problems_of(written))
    del written["steps"][1]["map"]
    assert load(written).definition.steps[1].config.json == {"one": f"{{{{ steps.{name}.output.{field} }}}}"}


def test_the_whole_list_in_the_inputs_of_each_item_is_warned_of() -> None:
    written = definition_of(map="{steps.list.output.rows}", inputs={"rows": "{steps.list.output.rows}"})
    [warning] = load(written).warnings
    assert "The whole list is copied for each item. Read {item} instead." in str(warning)


def test_a_condition_has_no_map() -> None:
    step = {"id": "work", "type": "condition", "map": "{parameters.rows}", "conditions": [{"type": "always"}]}
    assert any("a map on a step of type task or human_input" in problem for problem in problems_of(document(step)))


def asking_about_items(on_timeout: Any) -> dict[str, Any]:
    config = {"prompt": "Well?", "timeout_seconds": 9, "on_timeout": on_timeout}
    return document({"id": "work", "type": "human_input", "map": {"over": [1]}, "config": config}, "late")


def test_a_question_about_an_item_leads_to_no_step_when_its_time_is_over() -> None:
    assert any("an item leads to no step" in problem for problem in problems_of(asking_about_items("late")))


@pytest.mark.parametrize("on_timeout", ["fail", {"ok": True}])
def test_it_fails_or_is_answered_then(on_timeout: Any) -> None:
    assert not [each for each in problems_of(asking_about_items(on_timeout)) if "on_timeout" in each]


class Scored(TypedDict):
    score: float


def score(data: dict[str, Any]) -> Scored:
    return {"score": 1.0}


def test_what_follows_reads_what_the_map_gives_and_not_what_an_item_does() -> None:
    flow = Flow("Scores", parameters={"rows": []}, outputs={"scores": "{steps.score.output.items}"})
    flow.add(score, map="{parameters.rows}")
    assert flow.load().warnings == ()
    flow.outputs = {"score": "{steps.score.output.score}"}
    with pytest.raises(PipelineDefinitionError, match="the result of step 'score' never has"):
        flow.load()
