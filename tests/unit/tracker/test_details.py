import orjson
import pytest
from msgspec.structs import replace

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ExecutionNotFound, StepExecutionNotFound
from ia_modules.testing.places_contract import THERE, runs_at
from ia_modules.tracker.details import INLINE_BYTES, read_execution, read_payloads, read_step, read_steps
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.export import export_execution


async def test_a_large_payload_is_left_out_named_and_there_when_it_is_read_alone(database: DatabaseManager) -> None:
    large = "x" * INLINE_BYTES
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        execution_id = await tracker.start_execution(pipeline_id, input_data=large)
        first = await tracker.start_step_execution(execution_id, "a", "A", "task", {"n": 1})
        second = await tracker.start_step_execution(execution_id, "b", "B", "task", large)
    read = await read_execution(database, execution_id, step_limit=1, rerun_limit=1)
    assert (read.execution.omitted, read.execution.sizes["input_bytes"]) == (["input_data"], INLINE_BYTES + 2)
    assert ([step.record.step_execution_id for step in read.steps.items], read.steps.more) == ([first], True)
    rest = await read_steps(database, execution_id, cursor=first, limit=9)
    assert ([step.omitted for step in rest.items], rest.more) == ([["input_data"]], False)
    whole = await read_step(database, execution_id, second)
    assert (orjson.loads(orjson.dumps(whole.payloads))["input_data"], whole.omitted) == (large, [])
    row_id, payloads = await read_payloads(database, execution_id)
    assert (row_id, orjson.loads(orjson.dumps(payloads))["input_data"]) == (execution_id, large)


async def test_every_door_tells_where_an_attempt_runs(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        execution_id = await tracker.start_execution(pipeline_id)
        there = await tracker.start_step_execution(execution_id, "a", "A", "task")
        here = await tracker.start_step_execution(execution_id, "b", "B", "task")
        await tracker.record(replace(runs_at(execution_id, there, THERE), writer=tracker.owner))
        runs = await tracker.list_runs(execution_id)
    read = await read_execution(database, execution_id, step_limit=9, rerun_limit=1)
    page = await read_steps(database, execution_id, cursor=None, limit=9)
    alone = [await read_step(database, execution_id, each) for each in (there, here)]
    exported = orjson.loads(b"".join([part async for part in export_execution(database, execution_id)]))
    for records in (read.steps.items, page.items, alone):
        assert [each.record.place for each in records] == [THERE, None]
    assert [each.place for each in runs.items] == [THERE, None]
    assert [step["place"] for step in exported["steps"]] == [THERE.to_dict(), None]


async def test_what_is_not_there_is_not_found(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        one, other = [await tracker.start_execution(pipeline_id) for _ in range(2)]
        step = await tracker.start_step_execution(one, "a", "A", "task")
    with pytest.raises(StepExecutionNotFound):
        await read_step(database, other, step)
    with pytest.raises(ExecutionNotFound):
        await read_execution(database, "nobody", step_limit=1, rerun_limit=1)
    with pytest.raises(ExecutionNotFound):
        await read_steps(database, "nobody", cursor=None, limit=1)
    with pytest.raises(ExecutionNotFound):
        await read_payloads(database, "nobody")
