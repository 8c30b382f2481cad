"""Re-runs by the client, on both databases; the shapes that they keep to are those of ``test_repeating.py``."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ia_modules import Client, DatabaseManager, Worker
from ia_modules.errors import (
    IdempotencyConflict,
    InvalidArgument,
    PipelineInputError,
    RerunRefused,
    StepExecutionNotFound,
    StepInputError,
    StepOutputError,
)
from ia_modules.models import ExecutionRecord, ExecutionStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.levels import RunFilters
from ia_modules.tracker.metrics import MetricsReader
from ia_modules.tracker.rerunning import RerunFrom

STEPS = """
from pathlib import Path

from ia_modules.pipeline.core import Step

class Add(Step):
    async def run(self, data):
        ran = {f"{self.name}_repeats": self.context.rerun_of}
        return {"n": data["n"] + self.config["by"], **ran}

class Double(Step):
    async def run(self, data):
        if data["item"] == 2 and not Path(self.config["gate"]).exists():
            raise ValueError("shut")
        return data["item"] * 2
"""


def document(by: int = 1) -> dict[str, Any]:
    number = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    schemas = {"input_schema": number, "output_schema": number}
    steps = [
        {"id": id_, "module": "steps", "step_class": "Add", "config": {"by": by if id_ == "two" else 1}, **schemas}
        for id_ in ("one", "two", "three")
    ]
    paths = [{"from": "one", "to": "two"}, {"from": "two", "to": "three"}]
    parameters = [{"name": "n", "schema": {"type": "integer"}, "required": True}]
    return {"name": "Sum", "parameters": parameters, "steps": steps, "flow": {"start_at": "one", "paths": paths}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(STEPS)
    path = tmp_path / "sum.json"
    write(path)
    return path


def write(path: Path, by: int = 1) -> None:
    path.write_text(json.dumps(document(by)))


@pytest.fixture
async def client(database: DatabaseManager, tmp_path: Path) -> AsyncGenerator[Client]:
    allowed = AllowedCode(roots=(tmp_path,))
    async with (
        Client(database, allowed=allowed, actor="ann") as client,
        Worker(database, client.tracker, allowed=allowed),
    ):
        yield client


async def done(client: Client, execution_id: str) -> ExecutionRecord:
    record = await client.wait(execution_id, timeout_seconds=30)
    assert record.status is ExecutionStatus.COMPLETED
    return record


async def outputs(client: Client, execution_id: str) -> dict[str, Any]:
    steps: list[Any] = await client.steps(execution_id)
    return {step.step_id: (step.output_data["n"], step.copied_from is not None) for step in steps}


async def test_a_worker_runs_what_follows_from_a_step_and_copies_the_rest(client: Client, file: Path) -> None:
    first: str = (await client.run(file, {"n": 0}))["execution_id"]
    plan = await client.plan_rerun(first, begin=RerunFrom(step_id="two"))
    assert ([(step.step_id, step.runs) for step in plan.steps], plan.kept) == (
        [("two", 1), ("three", 1)],
        (("one", 1),),
    )
    assert (plan.begins, plan.by_hand, plan.asked_again) == ((("two", 1),), None, ())
    again = await client.rerun(first, begin=RerunFrom(step_id="two"))
    record: Any = await done(client, again)
    assert await outputs(client, again) == {"one": (1, True), "two": (2, False), "three": (3, False)}
    assert (record.rerun_of, record.completed_steps, record.total_steps) == (first, 3, 3)
    assert (record.output_data["one_repeats"], record.output_data["two_repeats"]) == (None, first)
    edited = await client.rerun(first, begin=RerunFrom(step_id="two", step_input={"n": 10}))
    await done(client, edited)
    assert await outputs(client, edited) == {"one": (1, True), "two": (11, False), "three": (12, False)}
    [two] = [step for step in await client.steps(edited) if step.step_id == "two"]
    assert await client.step_input(edited, two.step_execution_id) == {"n": 10}
    [three] = [step for step in await client.steps(edited) if step.step_id == "three"]
    assert await client.step_input(edited, three.step_execution_id) == {
        "n": 11,
        "one_repeats": None,
        "two_repeats": first,
    }
    with pytest.raises(StepExecutionNotFound):
        await client.step_input(first, three.step_execution_id)
    found = await client.compare(edited, first)
    assert found.divergence is not None
    assert (found.divergence.kind, found.divergence.step_id) == ("input", "two")
    assert "In A, the input of two is what ann put in its place." in found.notes
    by_hand = RerunFrom(step_id="two", step_output={"n": 100})
    plan = await client.plan_rerun(first, begin=by_hand)
    assert ([step.step_id for step in plan.steps], plan.by_hand) == (["three"], ("two", 1))
    done_by_hand = await client.rerun(first, begin=by_hand, actor="bob")
    await done(client, done_by_hand)
    assert await outputs(client, done_by_hand) == {"one": (1, True), "two": (100, False), "three": (101, False)}
    refs: list[Any] = [step.input_refs for step in await client.steps(done_by_hand) if step.step_id == "two"]
    assert [(each["edited"], each["by"]) for each in refs] == [("output", "bob")]


async def test_what_is_copied_counts_where_it_ran_and_nowhere_else(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    first: str = (await client.run(file, {"n": 0}))["execution_id"]
    await done(client, await client.rerun(first, begin=RerunFrom(step_id="three")))
    measured = await MetricsReader(database).measure()
    assert {step.step_id: step.runs for step in measured.steps} == {"one": 1, "two": 1, "three": 2}


async def test_the_whole_of_it_runs_on_another_input(client: Client, file: Path) -> None:
    first: str = (await client.run(file, {"n": 0}))["execution_id"]
    again = await client.rerun(first, input_data={"n": 7})
    await done(client, again)
    assert await outputs(client, again) == {"one": (8, False), "two": (9, False), "three": (10, False)}
    with pytest.raises(PipelineInputError):
        await client.rerun(first, input_data={"n": "seven"})
    assert [step.step_id for step in (await client.plan_rerun(first, input_data={"n": 7})).steps] == [
        "one",
        "two",
        "three",
    ]
    with pytest.raises(PipelineInputError):
        await client.plan_rerun(first, input_data={"n": "seven"})
    for verb in (client.rerun, client.plan_rerun):
        with pytest.raises(InvalidArgument, match="input_data"):
            await verb(first, input_data={"n": 7}, begin=RerunFrom(step_id="two"))


async def test_another_version_runs_where_what_is_copied_fits_it(client: Client, file: Path) -> None:
    first: str = (await client.run(file, {"n": 0}))["execution_id"]
    write(file, by=5)
    version = (await client.register(file, new_version=True)).version
    for verb in (client.rerun, client.plan_rerun):
        with pytest.raises(RerunRefused, match="step 'two' has other config"):
            await verb(first, begin=RerunFrom(step_id="three"), version=version)
    again = await client.rerun(first, begin=RerunFrom(step_id="two"), version=version)
    record = await done(client, again)
    assert await outputs(client, again) == {"one": (1, True), "two": (6, False), "three": (7, False)}
    assert record.pipeline_version == version


async def test_what_stands_in_the_place_of_a_step_is_held_to_its_schemas(client: Client, file: Path) -> None:
    first: str = (await client.run(file, {"n": 0}))["execution_id"]
    with pytest.raises(StepInputError, match="input.n"):
        await client.rerun(first, begin=RerunFrom(step_id="two", step_input={"n": "x"}))
    with pytest.raises(StepOutputError):
        await client.rerun(first, begin=RerunFrom(step_id="two", step_output={"m": 1}))
    with pytest.raises(InvalidArgument, match="step_output"):
        RerunFrom(step_id="two", step_input={"n": 1}, step_output={"n": 1})


async def test_a_request_that_is_sent_twice_repeats_an_execution_once(client: Client, file: Path) -> None:
    first: str = (await client.run(file, {"n": 0}))["execution_id"]
    begin = RerunFrom(step_id="two", step_input={"n": 3})
    twice = [await client.rerun(first, begin=begin, idempotency_key="key") for _ in range(2)]
    assert twice[0] == twice[1]
    await client.archive("sum")
    assert await client.rerun(first, begin=begin, idempotency_key="key") == twice[0], "whatever became of the pipeline"
    with pytest.raises(IdempotencyConflict):
        await client.rerun(first, begin=RerunFrom(step_id="two"), idempotency_key="key")


async def test_only_the_failed_items_run_and_the_plan_says_how_many_are_kept(
    client: Client, tmp_path: Path, database: DatabaseManager
) -> None:
    (tmp_path / "steps.py").write_text(STEPS)
    step = {"id": "double", "module": "steps", "step_class": "Double", "config": {"gate": str(tmp_path / "gate")}}
    mapped = {"over": "{parameters.numbers}", "on_item_failure": "continue"}
    steps = [{**step, "map": mapped}, {**step, "id": "once"}]
    document = {"name": "Double", "parameters": [{"name": "numbers"}], "steps": steps, "flow": {"start_at": "double"}}
    file = tmp_path / "double.json"
    file.write_text(json.dumps(document))
    first: str = (await client.run(file, {"numbers": [1, 2, 3]}))["execution_id"]
    failed = RerunFrom(step_id="double", items="failed")
    plan = await client.plan_rerun(first, begin=failed)
    assert plan.to_dict()["items"] == {"step_id": "double", "iteration": 1, "kept": 2, "runs": 1}
    assert (await client.plan_rerun(first, begin=RerunFrom(step_id="double"))).items is None
    (tmp_path / "gate").touch()
    again = await client.rerun(first, begin=failed, idempotency_key="key")
    assert again == await client.rerun(first, begin=failed, idempotency_key="key")
    with pytest.raises(IdempotencyConflict):
        await client.rerun(first, begin=RerunFrom(step_id="double"), idempotency_key="key")
    record: Any = await done(client, again)
    assert record.output_data["double"] == {"items": [2, 4, 6], "count": 3, "failed": 0, "errors": []}
    page = await client.runs(again, RunFilters(within=run_path(GRAPH, "double", 1)))
    assert [(item.step_name, item.copied_from is not None) for item in page.items] == [
        ("1", True),
        ("2", False),
        ("3", True),
    ]
    rows = await database.fetch_all_async("SELECT DISTINCT copied_because FROM step_executions WHERE within <> ''")
    assert {row["copied_because"] for row in rows} == {"rerun", None}
    with pytest.raises(InvalidArgument, match="of which no item has failed"):
        await client.rerun(again, begin=failed)
    with pytest.raises(InvalidArgument, match="beside step_input or step_output"):
        RerunFrom(step_id="double", items="failed", step_input={"numbers": []})
    with pytest.raises(InvalidArgument, match="beside step_input or step_output"):
        RerunFrom(step_id="double", items="failed", step_output={"items": []})
    with pytest.raises(InvalidArgument, match="'failed', or None"):
        RerunFrom(step_id="double", items="all")  # type: ignore[arg-type]
