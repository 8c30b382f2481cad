"""Files of the 0.2 releases run as they were meant; the same file without its format says how to run it."""

import json
from pathlib import Path
from typing import Any

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import IAModulesError, PipelineDefinitionError
from ia_modules.models import ExecutionStatus, LogLevel
from ia_modules.pipeline.loader import examine, load
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.recorded import input_of
from ia_modules.pipeline.runner import create_pipeline_from_json, read_pipeline_file, run_pipeline_from_json
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.worker import Worker
from tests.unit.pipeline.factories import document, task

STEPS = "def first(data):\n    return {'n': 1, 'saw': data}\n\ndef last(data):\n    return {'saw': data}\n"
HINT = "f this file was written for 0.2, run it with --format 0.2"


def older(**keys: Any) -> dict[str, Any]:
    """A file with two steps; ``first`` and ``last`` are more keys of these."""
    first = task("first", **({"module": "older_steps", "step_class": "first"} | keys.pop("first", {})))
    last = task("last", **({"module": "older_steps", "step_class": "last"} | keys.pop("last", {})))
    return document(first, last, paths=[("first", "last")], **keys)


def write(folder: Path, written: dict[str, Any]) -> Path:
    (folder / "older_steps.py").write_text(STEPS)
    file = folder / "older.json"
    file.write_text(json.dumps(written))
    return file


IS_TEXT = {"type": "string"}

DIFFERENCES: dict[str, tuple[dict[str, Any], str]] = {
    "a parameter that its schema refuses": (older(parameters=[{"name": "n", "schema": IS_TEXT}]), "Input that its"),
    "a required parameter": (older(parameters=[{"name": "topic", "required": True}]), "Input that its schema"),
    "the schema of the input": (older(input_schema={"required": ["topic"]}), "Input that its schema refuses: $.topic"),
    "the schema of an input of a step": (
        older(last={"inputs": [{"name": "x", "source": "{steps.first.output.n}", "schema": IS_TEXT}]}),
        "Input that its schema refuses: inputs.x",
    ),
    "the input schema of a step": (older(first={"input_schema": {"required": ["topic"]}}), "Input that its schema"),
    "the output schema of a step": (older(first={"output_schema": {"required": ["topic"]}}), "Result that its schema"),
    "the schema of the output": (older(output_schema={"required": ["topic"]}), "Output that its schema refuses"),
    "an input that resolves to nothing": (
        older(last={"inputs": {"x": "{steps.first.output.nope}"}}),
        "Input left out: inputs.x: found steps.first.output.nope",
    ),
    "a step that does not exist": (older(last={"inputs": {"x": "{steps.frist.output.n}"}}), "Did you mean 'first'?"),
    "a parameter that does not exist": (
        older(parameters={"limit": 1}, last={"config": {"x": "{{ parameters.limt }}", "y": 1}}),
        "Input left out: config.x",
    ),
    "a bare path that is nearly a step's": (
        {
            **older(),
            "flow": {
                "start_at": "first",
                "paths": [
                    {"from": "first", "to": "last"},
                    {
                        "from": "last",
                        "to": "end",
                        "condition": {"type": "field_equals", "field": "frist.n", "value": 1},
                    },
                ],
            },
        },
        "Did you mean 'first'?",
    ),
    "a schema that is none": (older(first={"output_schema": {"type": "str"}}), "a JSON Schema that stands alone"),
}


@pytest.mark.parametrize("case", DIFFERENCES)
async def test_what_such_a_file_may_have_is_a_line_on_record(case: str, tmp_path: Path) -> None:
    written, line = DIFFERENCES[case]
    journal = MemoryJournal()
    services = ServiceRegistry({"execution_tracker": journal})
    result = await run_pipeline_from_json(write(tmp_path, {**written, "format": "0.2"}), {"n": 3}, services)
    assert (result["status"], [step["step_name"] for step in result["steps"]]) == ("completed", ["first", "last"])
    logs = (await journal.changes(result["execution_id"], 0)).logs
    assert [each for each in logs if line in each.message], logs
    assert all(each.level is LogLevel.WARNING or "left out" in each.message for each in logs)


@pytest.mark.parametrize("case", DIFFERENCES)
async def test_the_same_file_without_its_format_says_how_to_run_it(case: str, tmp_path: Path) -> None:
    file = write(tmp_path, DIFFERENCES[case][0])
    with pytest.raises(IAModulesError, match=HINT):
        await run_pipeline_from_json(file, {"n": 3})
    assert (await run_pipeline_from_json(file, {"n": 3}, format="0.2"))["status"] == "completed"


def test_an_unknown_key_warns_when_validated_too() -> None:
    written = older(stepz=1)
    assert HINT in str(examine(written).errors[0])
    examined = examine({**written, "format": "0.2"})
    assert (examined.errors, [problem.where for problem in examined.warnings]) == ((), ["$.stepz"])


async def test_the_inputs_of_a_step_lie_over_the_state_which_is_stored_once() -> None:
    written = older(last={"inputs": {"n": "{steps.first.output.n}|five", "x": "{pipeline_input.n}"}})
    for each in written["steps"]:
        each |= {"module": __name__, "step_class": "seen" if each["id"] == "last" else "emptied"}
    journal = MemoryJournal()
    pipeline = create_pipeline_from_json(written, ServiceRegistry({"execution_tracker": journal}), format="0.2")
    result = await pipeline.run({"n": 3, "m": 4})
    steps = await journal.get_execution_steps(result["execution_id"])
    whole = {"n": "five", "m": 4, "x": 3}
    assert (steps[1].input_data, steps[1].output_data) == ({"n": "five", "x": 3}, {"saw": whole})
    assert input_of(steps[1], pipeline.loaded.graph, {"n": 3, "m": 4}, steps) == whole


def emptied(data: dict[str, Any]) -> dict[str, Any]:
    return {}


def seen(data: dict[str, Any]) -> dict[str, Any]:
    return {"saw": data}


@pytest.mark.parametrize(
    "keys",
    [
        {"first": {"type": "tsak"}},
        {"flow": {"start_at": "first", "paths": [{"from": "first", "to": "last", "condition": "sometimes"}]}},
    ],
)
def test_what_changes_what_runs_is_refused_all_the_same(keys: dict[str, Any]) -> None:
    written = {
        **older(first=keys.get("first", {})),
        "format": "0.2",
        **({"flow": keys["flow"]} if "flow" in keys else {}),
    }
    with pytest.raises(PipelineDefinitionError):
        load(written, strict=False)


@pytest.mark.parametrize("found", ["0.3", 3, None, "", [], True])
def test_any_other_format_is_refused_and_the_known_one_named(found: Any) -> None:
    if found is None:
        assert load({**older(), "format": found}).definition.format is None
        return
    [problem] = examine({**older(), "format": found}, strict=False).errors
    assert (problem.where, problem.expected) == ("$.format", "one of '0.2'")


def test_a_number_is_the_format_as_well() -> None:
    """``format: 0.2`` of a YAML file."""
    definition = load({**older(), "format": 0.2}).definition
    assert definition.format == "0.2"
    assert load(definition.to_json()).definition == definition
    assert definition.content_hash != load(older()).definition.content_hash


async def test_the_format_is_kept_in_the_registry_for_workers_and_reruns(database_url: str, tmp_path: Path) -> None:
    file = write(tmp_path, older(parameters=[{"name": "topic", "required": True}], slug="older"))
    loaded = await read_pipeline_file(file, format="0.2")
    async with (
        DatabaseManager(database_url) as database,
        ExecutionTracker(database) as tracker,
        Client(database, tracker=tracker) as client,
        Worker(database, tracker, poll_seconds=0.1),
    ):
        ran = await client.run(loaded, {"n": 2})
        queued = await client.queue("older", {"n": 1})
        again = await client.rerun(ran["execution_id"])
        for execution_id in (queued.execution_id, again):
            assert (await client.wait(execution_id)).status is ExecutionStatus.COMPLETED
            assert [line async for line in client.logs(execution_id) if "topic" in line.message]
