import orjson
import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ExecutionNotFound, StepExecutionNotFound
from ia_modules.tracker.details import INLINE_BYTES, read_execution, read_payloads, read_step, read_steps
from ia_modules.tracker.execution_tracker import ExecutionTracker


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
