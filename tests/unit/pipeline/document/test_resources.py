"""What a step needs of the machine that runs it: what may be said, and what is said of what means nothing."""

from typing import Any

import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.loader import load
from tests.unit.pipeline.factories import document, task, without_format_hint


def written(resources: Any, **keys: Any) -> dict[str, Any]:
    return document(task("train", resources=resources, **keys))


def warnings_of(resources: Any, **keys: Any) -> list[str]:
    return [str(problem) for problem in load(written(resources, **keys)).warnings]


def test_what_a_step_needs_is_kept_as_it_is_written() -> None:
    resources = {"cpu": 2, "gpu": 0.5, "memory": 8_000_000_000, "custom": {"licence": 1}, "required": True}
    definition = load(written(resources)).definition
    assert definition.to_json()["steps"][0]["resources"] == resources
    assert load(definition.to_json()).definition == definition
    assert warnings_of(resources) == []


def test_other_keys_load_as_before_and_are_warned_of() -> None:
    resources = {"shards": 4, "runtime_env": {"pip": ["torch"]}, "cpu": 1}
    assert load(written(resources)).definition.to_json()["steps"][0]["resources"] == resources
    at, expected = "$.steps[0].resources", "expected cpu, gpu, memory, custom, required"
    operators = "Write it into a file beside this one and name that, or: ia-modules worker --ray-runtime-env FILE."
    assert warnings_of(resources, executor="ray") == [
        f"{at}.runtime_env: found 'runtime_env', which changes nothing; {expected}. {operators}",
        f"{at}.shards: found 'shards', which changes nothing; {expected}. Leave it out.",
    ]


@pytest.mark.parametrize(
    ("keys", "where"),
    [({}, "the worker itself"), ({"executor": "process"}, "a process beside the worker")],
)
def test_what_nobody_counts_is_warned_of(keys: dict[str, Any], where: str) -> None:
    (warning,) = warnings_of({"cpu": 2, "memory": 5}, **keys)
    assert f"cpu, memory on a step that runs in {where}, where nobody counts them" in warning
    assert warning.endswith("Say executor: ray.")


@pytest.mark.parametrize(
    ("resources", "place"),
    [
        ({"cpu": -1}, "resources.cpu"),
        ({"gpu": "one"}, "resources.gpu"),
        ({"memory": 0}, "resources.memory"),
        ({"memory": "8 GB"}, "resources.memory"),
        ({"custom": {"": 1}}, "resources.custom"),
        ({"custom": {"licence": -1}}, "resources.custom.licence"),
        ({"custom": ["licence"]}, "resources.custom"),
        ({"required": "yes"}, "resources.required"),
        ([1], "resources"),
    ],
)
def test_what_is_no_amount_is_refused_at_its_place(resources: Any, place: str) -> None:
    with pytest.raises(PipelineDefinitionError) as wrong:
        load(written(resources))
    (problem,) = wrong.value.problems
    assert without_format_hint(problem).startswith(f"$.steps[0].{place}")


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"pool": "warm"}, "process"),
        ({"pool": {"name": "warm", "max_concurrency": 8, "idle_seconds": 0.5}}, "process"),
        ({"pool": "warm", "executor": "ray"}, "ray"),
        ({"pool": "warm", "resources": {"gpu": 1}}, "ray"),
        ({"pool": "warm", "isolation": "process", "executor": "process"}, "process"),
    ],
)
def test_a_step_names_its_pool(keys: dict[str, Any], place: str) -> None:
    definition = load(document(task("embed", **keys))).definition
    (step,) = definition.steps
    assert step.pool is not None
    assert (step.pool.name, step.runs_in) == ("warm", place)
    assert load(definition.to_json()).definition == definition


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"pool": "warm", "isolation": "thread"}, "a pool on a step that runs in the worker itself"),
        ({"pool": "warm", "executor": "local"}, "a pool on a step that runs in the worker itself"),
        ({"pool": ""}, "$.steps[0].pool: found"),
        ({"pool": {"max_concurrency": 2}}, "no 'name'"),
        ({"pool": {"name": "warm", "max_concurrency": 0}}, "pool.max_concurrency"),
        ({"pool": {"name": "warm", "max_concurrency": 2**53 + 1}}, "pool.max_concurrency"),
        ({"pool": {"name": "warm", "idle_seconds": 0}}, "pool.idle_seconds"),
        ({"pool": {"name": "warm", "idle_seconds": 1e300}}, "pool.idle_seconds"),
        ({"pool": {"name": "warm", "size": 2}}, "pool"),
        ({"pool": ["warm"]}, "pool"),
    ],
)
def test_what_is_no_pool_is_refused(keys: dict[str, Any], found: str) -> None:
    with pytest.raises(PipelineDefinitionError) as wrong:
        load(document(task("embed", **keys)))
    assert found in str(wrong.value)


def test_a_question_has_no_pool() -> None:
    question = {"id": "ask", "type": "human_input", "config": {"prompt": "?"}, "pool": "warm"}
    with pytest.raises(PipelineDefinitionError, match="a step of type human_input with pool"):
        load({"name": "P", "steps": [question], "flow": {"start_at": "ask"}})
