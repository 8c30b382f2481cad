"""What is inside of a run is read by its path: steps, changes, lines and the socket; without one it is the graph."""

from urllib.parse import quote

import httpx

from ia_modules.models import ExecutionId, PipelineId, RunPath, StepExecutionId, StepStatus, new_id
from ia_modules.paths import GRAPH, run_path
from ia_modules.payload import encode
from ia_modules.pipeline.recorded import refs_json
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import LogLine, StepStart, StepUpdate, Transition
from tests.showcase.asking import read, refused
from tests.showcase.server import Picture, Server
from tests.showcase.test_socket import close_code

WORK = run_path(GRAPH, "get items/all", 1)


async def _begun(tracker: ExecutionTracker, pipeline_id: PipelineId) -> ExecutionId:
    """An execution with a step of the graph and one within it, and a line of each."""
    execution_id = ExecutionId(await tracker.start_execution(pipeline_id))
    for step_id, within in (("get items/all", GRAPH), ("item", WORK)):
        attempt = StepExecutionId(new_id())
        start = StepStart(step_execution_id=attempt, step_id=step_id, step_name="S", step_type="task", within=within)
        line = LogLine(log_id=new_id(), message=f"of {step_id}", step_execution_id=attempt)
        await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, starts=(start,), logs=(line,)))
    return execution_id


async def test_each_route_reads_the_level_that_is_named(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await _begun(tracker, pipeline_id)
    path = f"/api/executions/{execution_id}"
    assert [step["step_id"] for step in (await read(api, path))["steps"]] == ["get items/all"]
    levels: dict[RunPath, list[str]] = {GRAPH: ["get items/all"], WORK: ["item"], run_path(GRAPH, "no", 1): []}
    for within, step_ids in levels.items():
        steps = (await read(api, f"{path}/steps", within=within))["items"]
        assert [(step["step_id"], step["within"]) for step in steps] == [(step_id, within) for step_id in step_ids]
        lines = (await read(api, f"{path}/logs", within=within))["items"]
        assert [(line["message"], line["within"]) for line in lines] == [(f"of {each}", within) for each in step_ids]
        messages = (await read(api, f"{path}/changes", within=within))["messages"]
        assert [each["data"]["step_id"] for each in messages if each["type"] == "step_update"] == step_ids
        for step in steps:  # an attempt's own lines are found without its level
            of_step = (await read(api, f"{path}/logs", step_execution_id=step["step_execution_id"]))["items"]
            assert of_step == lines
    for wrong in ("x" * 501, "a\0"):
        for route in ("steps", "runs", "logs", "changes"):
            assert (await refused(api, f"{path}/{route}", within=wrong))[0] == 422


async def test_the_runs_of_a_level_come_in_pages_with_how_many_stand_how(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await _begun(tracker, pipeline_id)
    path = f"/api/executions/{execution_id}"
    [running] = (await read(api, f"{path}/steps", within=WORK))["items"]
    await tracker.complete_step_execution(running["step_execution_id"], "failed", error_message="no answer")
    starts = tuple(
        StepStart(
            step_execution_id=StepExecutionId(new_id()),
            step_id="item",
            step_name=f"key {iteration}",
            step_type="task",
            within=WORK,
            iteration=iteration,
            attempt=attempt,
        )
        for iteration, attempt in ((1, 2), (2, 1), (3, 1))
    )
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, starts=starts))
    ended = StepUpdate(step_execution_id=starts[1].step_execution_id, status=StepStatus.FAILED)
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, updates=(ended,)))

    first = await read(api, f"{path}/runs", within=WORK, limit=2)
    assert [(run["step_name"], run["attempt"], run["status"]) for run in first["items"]] == [
        ("key 1", 2, "running"),
        ("key 2", 1, "failed"),
    ]
    assert first["by_status"] == {"running": 2, "failed": 1}
    assert first["items"][0]["path"] == run_path(WORK, "item", 1)
    rest = await read(api, f"{path}/runs", within=WORK, after=first["next_cursor"])
    assert ([run["iteration"] for run in rest["items"]], rest["next_cursor"], rest["by_status"]) == ([3], None, None)
    failed = await read(api, f"{path}/runs", within=WORK, status="failed")
    assert [run["iteration"] for run in failed["items"]] == [2]
    found = await read(api, f"{path}/runs", within=WORK, q="KEY 3")
    assert [run["iteration"] for run in found["items"]] == [3]
    attempts = await read(api, f"{path}/steps", within=WORK, step_id="item", iteration=1)
    assert [(step["attempt"], step["error_message"]) for step in attempts["items"]] == [(1, "no answer"), (2, None)]
    assert (await read(api, f"{path}/steps", within=WORK, step_id="nobody"))["items"] == []
    for wrong in ({"after": "x"}, {"after": "1:a\0"}, {"status": "done"}, {"limit": 501}, {"q": "a\0"}):
        assert (await refused(api, f"{path}/runs", within=WORK, **wrong))[0] == 422
    assert (await refused(api, f"/api/executions/{new_id()}/runs"))[0] == 404


async def test_how_the_items_of_a_map_stand_comes_as_one_character_for_each(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = ExecutionId(await tracker.start_execution(pipeline_id))
    path = f"/api/executions/{execution_id}/runs/grid"
    refs = encode(refs_json((), is_state=False, items=5), "refs")
    ends = {1: StepStatus.COMPLETED, 2: StepStatus.FAILED, 4: None}
    starts = [
        StepStart(
            step_execution_id=StepExecutionId(new_id()),
            step_id="get items/all",
            step_name="S",
            step_type="task",
            within=within,
            iteration=iteration,
            attempt=1,
            input_refs=refs if within == GRAPH else None,
        )
        for within, iteration in ((GRAPH, 1), *((WORK, number) for number in ends))
    ]
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, starts=tuple(starts)))
    updates = [
        StepUpdate(step_execution_id=start.step_execution_id, status=status)
        for start, status in zip(starts[1:], ends.values(), strict=True)
        if status is not None
    ]
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, updates=tuple(updates)))

    grid = await read(api, path, step_id="get items/all")
    detail = await read(api, f"/api/executions/{execution_id}")
    assert grid == {
        "items": 5,
        "per_square": 1,
        "statuses": ["running", "completed", "failed"],
        "squares": "12-0-",
        "by_status": {"running": 1, "completed": 1, "failed": 1},
        "sequence": detail["sequence"],
    }
    assert (await read(api, path, step_id="get items/all", iteration=2))["squares"] == ""
    for wrong in ({}, {"step_id": ""}, {"step_id": "a\0"}, {"step_id": "a", "iteration": 0}):
        assert (await refused(api, path, **wrong))[0] == 422
    assert (await refused(api, f"/api/executions/{new_id()}/runs/grid", step_id="a"))[0] == 404


async def test_a_socket_follows_the_level_that_is_named(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await _begun(tracker, pipeline_id)
    for within, step_id in ((GRAPH, "get items/all"), (WORK, "item")):
        async with server.watch(execution_id, after=f"0&within={quote(within, safe='')}") as client:
            picture = await Picture().follow(client, 3)
            assert [step["step_id"] for step in picture.steps.values()] == [step_id]
    async with server.watch(execution_id, after=f"0&within={'x' * 501}") as client:
        assert await close_code(client) == 4400
