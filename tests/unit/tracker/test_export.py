import orjson
import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ExecutionNotFound
from ia_modules.tracker import export
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.export import every_line, export_execution


async def test_everything_is_there_however_large_and_in_however_many_pages(
    database: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_STEPS_AT_ONCE", 2)
    monkeypatch.setattr(export, "_LINES_AT_ONCE", 2)
    large = {"text": "x" * 100_000}
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        async with tracker.execution(pipeline_id, input_data=large) as execution:
            for number in range(5):
                async with execution.step(f"step-{number}", input_data=large) as step:
                    step.output = {"n": number}
                await tracker.log(execution.id, f"line {number}")
        lines = [line.message async for line in every_line(tracker, execution.id)]
    exported = orjson.loads(b"".join([part async for part in export_execution(database, execution.id)]))
    assert (exported["execution"]["input_data"], exported["definition"]) == (large, None)
    assert [step["input_data"] == large for step in exported["steps"]] == [True] * 5
    assert [step["output_data"] for step in exported["steps"]] == [{"n": number} for number in range(5)]
    assert [line["message"] for line in exported["logs"]] == lines == [f"line {number}" for number in range(5)]
    assert exported["interactions"] == []


async def test_of_nothing_there_is_no_export(database: DatabaseManager) -> None:
    with pytest.raises(ExecutionNotFound):
        await anext(export_execution(database, "nobody"))
