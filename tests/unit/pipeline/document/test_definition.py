"""Every spelling of the same pipeline is the same definition. One folder is one pipeline, each file one spelling."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from ia_modules.pipeline.document.definition import PipelineDefinition, StepDefinition, definition_schema, slug_of
from ia_modules.pipeline.loader import examine, load, load_text, syntax_of

FIXTURES = Path(__file__).parents[3] / "fixtures" / "pipelines"
FOLDERS = sorted(folder.name for folder in FIXTURES.iterdir())
FILES = sorted(str(file.relative_to(FIXTURES)) for file in FIXTURES.glob("*/*"))


def read(file: Path) -> PipelineDefinition:
    loaded = load_text(file.read_text(encoding="utf-8"), syntax_of(file.name))
    assert loaded.warnings == ()
    return loaded.definition


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_spelling_loads_to_the_same_definition(folder: str) -> None:
    first, *others = (read(file) for file in sorted((FIXTURES / folder).iterdir()))
    assert others, "one spelling alone proves nothing"
    for other in others:
        assert other == first
        assert other.to_json() == first.to_json()
        assert other.content_hash == first.content_hash


def test_different_pipelines_have_different_hashes() -> None:
    hashes = [read(next((FIXTURES / folder).iterdir())).content_hash for folder in FOLDERS]
    one_step = {"step_class", "step_name", "step_type", "parallel_changes_nothing", "inputs_none"}
    one_path = {"paths", "condition_always"}
    assert len(set(hashes)) == len(set(FOLDERS) - one_step - one_path) + 2


@pytest.mark.parametrize("name", FILES)
def test_the_canonical_form_loads_to_an_equal_definition(name: str) -> None:
    definition = read(FIXTURES / name)
    canonical = json.loads(json.dumps(definition.to_json()))
    again = load(canonical).definition
    assert again == definition
    assert again.to_json() == canonical
    assert again.content_hash == definition.content_hash


@pytest.mark.parametrize("name", FILES)
def test_the_canonical_form_is_what_the_json_schema_describes(name: str) -> None:
    jsonschema_rs.validate(dict(definition_schema()), read(FIXTURES / name).to_json())


@pytest.mark.parametrize(
    "change",
    [
        {"stepz": []},
        {"steps": []},
        {"steps": [{"id": "a", "name": "a", "type": "tsk"}]},
        {
            "flow": {
                "start_at": "draft",
                "paths": [{"from_step": "draft", "to_step": "end", "condition": {"type": "x"}}],
            }
        },
        {"loop_config": {"max_iterations": "5"}},
        {"name": ""},
    ],
)
def test_the_json_schema_refuses_what_the_loader_refuses(change: dict[str, Any]) -> None:
    canonical = read(FIXTURES / "json_and_yaml" / "pipeline.json").to_json()
    schema = jsonschema_rs.validator_for(dict(definition_schema()))
    assert schema.is_valid(canonical)
    assert not schema.is_valid({**canonical, **change})
    assert examine({**canonical, **change}).errors


def test_the_canonical_form_uses_the_first_words_of_the_format() -> None:
    assert read(FIXTURES / "json_and_yaml" / "pipeline.yaml").to_json() == {
        "name": "Draft and review",
        "slug": "draft-and-review",
        "version": "1.0",
        "description": "no",
        "metadata": {"released": "2024-01-01", "tags": ["demo", "010"]},
        "parameters": [{"name": "topic", "default": "ai"}, {"name": "rounds", "default": 3}],
        "steps": [
            {
                "id": "draft",
                "name": "draft",
                "step_class": "DraftStep",
                "module": "steps",
                "inputs": [{"name": "topic", "source": "{parameters.topic}"}],
                "outputs": [{"name": "text"}],
            },
            {
                "id": "review",
                "name": "review",
                "step_class": "ReviewStep",
                "module": "steps",
                "inputs": [{"name": "text", "source": "{steps.draft.output.text}"}],
                "config": {"style": "strict", "factor": 15.0, "empty": None},
            },
            {
                "id": "publish",
                "name": "publish",
                "step_class": "PublishStep",
                "module": "steps",
                "config": {"style": "strict", "factor": 15.0, "empty": None},
            },
        ],
        "flow": {
            "start_at": "draft",
            "paths": [
                {"from_step": "draft", "to_step": "review"},
                {
                    "from_step": "review",
                    "to_step": "draft",
                    "condition": {
                        "type": "expression",
                        "source": "review.approved",
                        "operator": "equals",
                        "value": False,
                    },
                },
                {"from_step": "review", "to_step": "publish", "condition": {"type": "else"}},
                {"from_step": "publish", "to_step": "end_with_success"},
            ],
        },
        "outputs": {"text": "{steps.draft.output.text}"},
        "loop_config": {"max_iterations": 5, "iteration_delay_seconds": 1.0},
    }


def test_a_null_default_is_a_default() -> None:
    written = json.loads((FIXTURES / "parameters" / "list.json").read_text())
    written["parameters"] = [{"name": "a", "default": None}, {"name": "b"}]
    with_null, without = load(written).definition.parameters
    assert (with_null.has_default, without.has_default) == (True, False)
    assert load(written).definition.to_json()["parameters"] == [{"name": "a", "default": None}, {"name": "b"}]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Iterative Content  Generation", "iterative-content-generation"),
        ("web_scraping_demo", "web-scraping-demo"),
        ("Ünïcode — Nº 5!", "unicode-no-5"),
        ("日本 語", "日本-語"),
        ("!!!", "pipeline"),
    ],
)
def test_the_slug_is_made_from_the_name(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_the_callers_document_is_neither_changed_nor_shared() -> None:
    file = FIXTURES / "human_input" / "beside_config.json"
    written: dict[str, Any] = {**json.loads(file.read_text()), "metadata": {"tags": ["a"]}}
    kept = copy.deepcopy(written)
    definition = load(written).definition
    assert written == kept
    written["steps"][0]["on_timeout"]["decision"] = "changed"
    written["metadata"]["tags"].append("changed")
    assert definition.steps[0].config.json["on_timeout"] == {"decision": "reject"}
    assert definition.metadata == {"tags": ["a"]}


def test_what_a_pipeline_does_by_default_is_what_its_steps_do_unless_they_say_otherwise() -> None:
    written = json.loads((FIXTURES / "paths" / "paths.json").read_text())
    written["error_handling"] = {"continue_on_error": True, "retry": {"max_attempts": 2}}
    written["steps"][1]["error_handling"] = {"continue_on_error": False, "enable_fallback": True}
    definition = load(written).definition
    first, second = (definition.error_handling_of(step) for step in definition.steps)
    assert (first.continue_on_error, first.enable_fallback) == (True, None)
    assert (second.continue_on_error, second.enable_fallback) == (False, True)
    assert first.retry is second.retry
    assert first.retry is not None
    assert first.retry.max_attempts == 2
    assert load(definition.to_json()).definition == definition


@pytest.mark.parametrize("address", ["https://ia.example/schema.json", "../pipeline.schema.json", ""])
def test_a_schema_for_editors_changes_nothing(address: str) -> None:
    written = read(FIXTURES / "json_and_yaml" / "pipeline.json").to_json()
    pointed = load({"$schema": address, **written}).definition
    assert pointed == load(written).definition
    assert pointed.content_hash == load(written).definition.content_hash
    inside = {**written, "flow": {"$schema": address, **written["flow"]}}
    assert [problem.where for problem in examine(inside).errors] == ['$.flow["$schema"]']


def test_the_json_schema_accepts_what_a_person_writes() -> None:
    step = {"id": "a", "module": "steps", "step_class": "go"}
    written = {"$schema": "x", "name": "A", "steps": [step], "flow": {"start_at": "a"}}
    jsonschema_rs.validate(dict(definition_schema()), written)
    assert examine(written).definition is not None


OLDER: dict[str, Any] = {
    "name": "Old",
    "steps": [{"id": "run", "class": "S", "module": "m"}, {"id": "b", "class": "S", "module": "m"}],
    "flow": {
        "start_at": "run",
        "transitions": [
            {
                "from": "run",
                "to": "b",
                "condition": {"type": "field_equals", "field": "run.iteration", "value": "{{ run.iteration }}"},
            },
            {"from": "b", "to": "end"},
        ],
    },
    "loop_config": {"max_iterations": 7},
}


def test_a_file_without_the_keys_of_routing_is_the_version_that_it_was() -> None:
    definition = load(OLDER).definition
    assert definition.content_hash == "03e2443cc96ef307387d4af1b91d577ab0417c6df4e788a6b8719a0f6dfacbf5"
    assert [definition.route_of(step) for step in definition.steps] == ["all", "all"]
    assert [definition.max_iterations_of(step) for step in definition.steps] == [7, 7]


def test_the_keys_of_routing_are_part_of_a_file_in_both_formats() -> None:
    written = copy.deepcopy(OLDER)
    written["flow"]["route"] = "first"
    written["flow"]["transitions"][1]["ends"] = "execution"
    written["steps"][1] |= {"route": "all", "max_iterations": 3}
    for text in (written, {**written, "format": "0.2"}):
        definition = load(text).definition
        assert [definition.route_of(step) for step in definition.steps] == ["first", "all"]
        assert [definition.max_iterations_of(step) for step in definition.steps] == [7, 3]
        assert [path.ends_execution for path in definition.flow.paths] == [False, True]
        assert load(definition.to_json()).definition == definition
        jsonschema_rs.validate(dict(definition_schema()), definition.to_json())


A_STEP = OLDER["steps"][0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": [{**A_STEP, "route": "frist"}]}, '$.steps[0].route: found "frist"; expected one of'),
        ({"steps": [{**A_STEP, "effect": "none"}]}, '$.steps[0].effect: found "none"; expected one of'),
        (
            {"steps": [{**OLDER["steps"][0], "max_iterations": 0}]},
            "$.steps[0].max_iterations: found 0; expected at least 1.",
        ),
        (
            {"flow": {"start_at": "run", "route": "one"}},
            "$.flow.route: found \"one\"; expected one of 'all' or 'first'.",
        ),
        (
            {"flow": {"start_at": "run", "paths": [{"from": "run", "to": "end", "ends": "all"}]}},
            "$.flow.paths[0].ends: found \"all\"; expected one of 'execution'.",
        ),
    ],
)
def test_a_wrong_word_is_always_an_error(change: dict[str, Any], message: str) -> None:
    for strict in (True, False):
        assert any(str(problem).startswith(message) for problem in examine(OLDER | change, strict=strict).errors)


RUN: dict[str, Any] = {"type": "object", "properties": {"run": {}}}


@pytest.mark.parametrize(
    ("change", "has_own_run"),
    [
        ({}, False),
        ({"parameters": {"run": None}}, True),
        ({"input_schema": RUN}, True),
        ({"steps": [{"id": "a", "class": "S", "module": "m", "output_schema": RUN}]}, True),
        ({"steps": [{"id": "a", "class": "S", "module": "m", "outputs": ["run"]}]}, True),
        ({"steps": [{"id": "run", "class": "S", "module": "m"}], "flow": {"start_at": "run"}}, True),
    ],
)
def test_a_file_may_have_a_run_of_its_own(change: dict[str, Any], has_own_run: bool) -> None:
    step = {"id": "a", "class": "S", "module": "m"}
    assert (
        load({"name": "A", "steps": [step], "flow": {"start_at": "a"}, **change}).definition.has_own_run is has_own_run
    )


def test_the_effect_of_a_step_is_part_of_a_file_and_nobody_needs_to_say_it() -> None:
    written = copy.deepcopy(OLDER)
    assert [step.known_effect for step in load(written).definition.steps] == [None, None]
    for effect in ("pure", "read", "write", "external"):
        written["steps"][1]["effect"] = effect
        for text in (written, {**written, "format": "0.2"}):
            definition = load(text).definition
            assert [step.known_effect for step in definition.steps] == [None, effect]
            assert definition.to_json()["steps"][1]["effect"] == effect
            assert load(definition.to_json()).definition == definition
            jsonschema_rs.validate(dict(definition_schema()), definition.to_json())


def test_a_condition_only_decides() -> None:
    step = StepDefinition.model_validate(
        {"id": "c", "type": "condition", "conditions": [{"field": "n", "operator": "==", "value": 1}]}
    )
    assert step.known_effect == "pure"


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({}, "local"),
        ({"isolation": "thread"}, "local"),
        ({"executor": "local"}, "local"),
        ({"isolation": "process"}, "process"),
        ({"executor": "process"}, "process"),
        ({"isolation": "process", "executor": "process"}, "process"),
        ({"executor": "ray"}, "ray"),
        ({"isolation": "process", "executor": "ray"}, "ray"),
        ({"resources": {"gpu": 0.5}}, "ray"),
        ({"resources": {"custom": {"licence": 1}}}, "ray"),
        ({"resources": {"required": True}}, "ray"),
        ({"resources": {"cpu": 2, "memory": 1_000_000}}, "local"),
        ({"resources": {"gpu": 0}}, "local"),
        ({"resources": {"gpu": 1}, "isolation": "process"}, "process"),
        ({"resources": {"gpu": 1}, "executor": "local"}, "local"),
    ],
)
def test_a_step_says_where_it_runs(keys: dict[str, Any], place: str) -> None:
    written = copy.deepcopy(OLDER)
    written["steps"][1] |= keys
    definition = load(written).definition
    assert [step.runs_in for step in definition.steps] == ["local", place]
    assert definition.to_json()["steps"][1].items() >= keys.items()
    assert load(definition.to_json()).definition == definition
    jsonschema_rs.validate(dict(definition_schema()), definition.to_json())


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (
            {"isolation": "process", "executor": "local"},
            "isolation 'process' with executor 'local', which say two things",
        ),
        ({"isolation": "thread", "executor": "process"}, "isolation 'thread' with executor 'process'"),
        ({"isolation": "thread", "executor": "ray"}, "isolation 'thread' with executor 'ray'"),
        ({"isolation": "container"}, "one of 'thread' or 'process'"),
        ({"type": "human_input", "config": {}, "isolation": "process"}, "a step of type human_input with isolation"),
        ({"type": "human_input", "config": {}, "executor": "local"}, "a step of type human_input with executor"),
    ],
)
def test_where_a_step_cannot_run_is_refused(keys: dict[str, Any], found: str) -> None:
    step = {"id": "a", **({} if "type" in keys else {"class": "S", "module": "m"}), **keys}
    examined = examine({"name": "A", "steps": [step], "flow": {"start_at": "a"}})
    assert any(found in str(problem) for problem in examined.errors), examined.errors
