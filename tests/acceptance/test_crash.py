"""A process that is killed with SIGKILL: what it was told is stored is there, and nothing is half there."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import StepStatus
from ia_modules.tracker.execution_tracker import ExecutionTracker

WRITER = """
import asyncio, json, sys
from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker

async def write(tracker, pipeline_id):
    while True:
        execution_id = await tracker.start_execution(pipeline_id, "Work", {"n": 1})
        acknowledge("execution", execution_id)
        for step in ("one", "two"):
            step_id = await tracker.start_step_execution(execution_id, step, step, "task", {"step": step})
            acknowledge("started", step_id)
            await tracker.complete_step_execution(step_id, "completed", {"step": step})
            acknowledge("completed", step_id)
        await tracker.update_execution_status(execution_id, "completed", output_data={"n": 1})
        acknowledge("finished", execution_id)

def acknowledge(what, identifier):
    sys.stdout.write(json.dumps([what, identifier]) + chr(10))
    sys.stdout.flush()

async def main():
    async with DatabaseManager(sys.argv[1]) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("work", "Work")
        acknowledge("execution", await tracker.start_execution(pipeline_id, "Goes on", {"n": 1}))
        await asyncio.gather(*(write(tracker, pipeline_id) for _ in range(10)))

asyncio.run(main())
"""


async def test_what_was_acknowledged_before_a_sigkill_is_there_and_the_rest_is_whole(
    database_url: str, tmp_path: Path
) -> None:
    program = tmp_path / "writer.py"
    program.write_text(WRITER)
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        database_url,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path.cwd(),
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert writer.stdout is not None
    lines: list[bytes] = []
    async for line in writer.stdout:
        lines.append(line)
        if len(lines) == 400:
            writer.send_signal(signal.SIGKILL)  # in the middle of whatever ten writers are doing
    assert await writer.wait() == -signal.SIGKILL
    acknowledged = [json.loads(line) for line in lines if line.endswith(b"\n")]
    assert len(acknowledged) >= 400

    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        statuses = {
            row["execution_id"]: row["status"]
            for row in await database.fetch_all_async("SELECT execution_id, status FROM pipeline_executions")
        }
        steps = {
            row["step_execution_id"]: row["status"]
            for row in await database.fetch_all_async("SELECT step_execution_id, status FROM step_executions")
        }
        for what, identifier in acknowledged:
            match what:
                case "execution":
                    assert identifier in statuses
                case "finished":
                    assert statuses[identifier] == "completed"
                case "started":
                    assert identifier in steps
                case _:
                    assert steps[identifier] == "completed"
        for execution_id in statuses:
            execution = await tracker.get_execution(execution_id)
            recorded = await tracker.get_execution_steps(execution_id)
            assert execution is not None
            completed = [step for step in recorded if step.status is StepStatus.COMPLETED]
            assert execution.completed_steps == len(completed)
            assert all(step.output_data == {"step": step.step_id} for step in completed)
            assert execution.sequence == 1 + len(recorded) + len(completed) + execution.status.is_terminal
            assert {step.sequence for step in recorded} <= set(range(2, execution.sequence + 1))

        # The records can be gone on with: another process takes the unfinished ones over and ends them.
        unfinished = [execution_id for execution_id, status in statuses.items() if status == "running"]
        assert unfinished
        for execution_id in unfinished:
            await tracker.take_over(execution_id)
            assert await tracker.update_execution_status(execution_id, "failed", error_message="process lost") is True
