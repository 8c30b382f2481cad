from pathlib import Path

from ia_modules import Client, DatabaseManager, ExecutionTracker
from ia_modules.models import ExecutionStatus


async def test_a_url_is_enough_to_run_a_file_and_to_look_at_what_ran(database_url: str, file: Path) -> None:
    async with Client(database_url) as client:
        result = await client.run(file, {"n": 21})
        assert (result["status"], result["output"]["n"]) == ("completed", 42)
        record = await client.wait(result["execution_id"])
        assert record.status is ExecutionStatus.COMPLETED
        [step] = await client.steps(record.execution_id)
        assert step.output_data == {"n": 42}
        assert [line.message async for line in client.logs(record.execution_id)] == ["doubling"]
        assert [item.execution_id for item in (await client.executions()).items] == [record.execution_id]
        assert (await client.statistics()).by_status["completed"] == 1


async def test_a_tracker_that_is_passed_in_stays_open(database: DatabaseManager, file: Path) -> None:
    async with ExecutionTracker(database) as tracker:
        async with Client(database, tracker=tracker) as client:
            await client.run(file, {"n": 1})
        assert await tracker.register_pipeline("other", "Other")
