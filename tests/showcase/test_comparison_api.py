"""Two executions beside each other over HTTP: the library's answer, and nothing beside it."""

import httpx

from ia_modules import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.showcase.asking import read, refused

COMPARE = "/api/executions/compare"


async def record(tracker: ExecutionTracker, pipeline_id: PipelineId, n: int) -> str:
    async with tracker.execution(pipeline_id, pipeline_name="Nightly import", input_data={"day": 24}) as execution:
        async with execution.step("download", input_data={"day": 24}) as step:
            step.output = {"rows": 3}
        async with execution.step("score", input_data={"rows": 3}) as step:
            step.output = {"n": n, "__proto__": 1.0}
        execution.output = {"n": n}
    return execution.id


async def test_the_answer_is_the_librarys(
    idle: httpx.AsyncClient, database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    b, a = [await record(tracker, pipeline_id, n) for n in (2**53, 2**53 + 1)]
    answer = await idle.get(COMPARE, params={"a": a, "b": b})
    assert answer.status_code == 200
    found = answer.json()
    assert found["divergence"]["sentence"] == "score got the same input in both, and gave another output."
    assert [step["differs"] for step in found["steps"]] == [False, True]
    assert found["steps"][1]["output"]["changes"] == [
        {"path": "$.n", "a": "9007199254740993", "b": "9007199254740992", "a_bytes": 16, "b_bytes": 16}
    ]
    async with Client(database) as client:
        assert found == (await client.compare(a, b)).to_dict()


async def test_the_other_is_the_last_good_one_where_none_is_named(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    good = await record(tracker, pipeline_id, 1)
    running = await tracker.start_execution(pipeline_id, "Nightly import", {"day": 24})
    for query in ({}, {"b": "last-good"}):
        found = await read(idle, COMPARE, a=running, **query)
        assert found["b"]["execution_id"] == good
        assert found["as_of"] is not None
        assert found["output"]["same"] is None
    status, problem = await refused(idle, COMPARE, a=good)
    assert (status, problem["type"]) == (404, "urn:ia-modules:nothing-to-compare-with")
    assert "completed before" in problem["detail"]


async def test_what_is_not_there_is_not_compared(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    known = await record(tracker, pipeline_id, 1)
    for query in ({"a": known, "b": "nobody"}, {"a": "nobody", "b": known}, {"a": "nobody"}):
        status, problem = await refused(idle, COMPARE, **query)
        assert (status, problem["type"]) == (404, "urn:ia-modules:execution-not-found")
    assert (await refused(idle, COMPARE))[0] == 422
    assert (await refused(idle, COMPARE, a="x" * 201))[0] == 422


async def test_executions_of_two_pipelines_are_compared_by_their_ids_of_steps(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    other = await tracker.register_pipeline("weekly", "Weekly")
    found = await read(idle, COMPARE, a=await record(tracker, pipeline_id, 1), b=await record(tracker, other, 1))
    assert found["divergence"] is None
    [note] = found["notes"]
    assert "aligned by their ids" in note
