"""A process that runs a pipeline is killed with SIGKILL; another one takes it up and brings it to its end."""

import asyncio
import itertools
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.pipeline.runner import Runner, read_pipeline_file
from ia_modules.tracker.execution_tracker import ExecutionTracker

STEPS = """
import asyncio
from pathlib import Path
from ia_modules.pipeline.core import Step

class Work(Step):
    async def run(self, data):
        with Path(data["effects"]).open("a") as effects:
            effects.write(self.name + chr(10))
        await asyncio.sleep(data["seconds"])
        return {self.name: len(self.name)}
"""
RUN = """
import asyncio, json, sys
from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.runner import run_pipeline_from_json
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker

async def main():
    async with DatabaseManager(sys.argv[1]) as database, ExecutionTracker(database) as tracker:
        services = ServiceRegistry({"execution_tracker": tracker})
        await run_pipeline_from_json(sys.argv[2], json.loads(sys.argv[3]), services)

asyncio.run(main())
"""
ROWS, ACROSS = 5, 3


def write_pipeline(folder: Path) -> Path:
    """Rows of three steps at once, each row joined before the next."""
    names = [[f"row{row}-{column}" for column in range(ACROSS)] for row in range(ROWS)]
    steps = ["start", *(name for row in names for name in row)]
    paths = [["start", name] for name in names[0]]
    paths += [[before, after] for row, following in itertools.pairwise(names) for before in row for after in following]
    document = {
        "name": "Rows",
        "steps": [{"id": step, "class": "Work", "module": "steps"} for step in steps],
        "flow": {"start_at": "start", "paths": [{"from": one, "to": other} for one, other in paths]},
    }
    (folder / "steps.py").write_text(STEPS)
    (folder / "pipeline.json").write_text(json.dumps(document))
    return folder / "pipeline.json"


@pytest.mark.parametrize("lines", [1, 5, 9])
async def test_a_killed_run_is_resumed_and_no_completed_step_runs_twice(
    database_url: str, tmp_path: Path, lines: int
) -> None:
    pipeline_file, effects = write_pipeline(tmp_path), tmp_path / "effects.txt"
    effects.touch()
    input_data: dict[str, Any] = {"effects": str(effects), "seconds": 0.05}
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        database_url,
        str(pipeline_file),
        json.dumps(input_data),
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    while len(effects.read_text().splitlines()) < lines:
        assert running.returncode is None, "it ended before it could be killed"
        await asyncio.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert await running.wait() == -signal.SIGKILL

    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        (left,) = (await tracker.list_executions()).items
        assert left.status is ExecutionStatus.RUNNING
        before = await tracker.get_execution_steps(left.execution_id)
        completed = {step.step_id for step in before if step.status is StepStatus.COMPLETED}
        interrupted = {step.step_id for step in before if step.status is StepStatus.RUNNING}
        assert interrupted

        pipeline = await read_pipeline_file(pipeline_file)
        result = await (await Runner(tracker).resume(pipeline, left.execution_id)).to_end()
        assert result["status"] == "completed"
        assert len(result["steps"]) == 1 + ROWS * ACROSS
        ran = Counter(effects.read_text().splitlines())
        assert all(ran[step_id] == 1 for step_id in completed)
        steps = await tracker.get_execution_steps(left.execution_id)
        lost = {step.step_id for step in steps if step.status is StepStatus.LOST}
        assert lost == interrupted
        record = await tracker.get_execution(left.execution_id)
        assert record is not None
        assert (record.status, record.completed_steps, record.failed_steps) == (
            ExecutionStatus.COMPLETED,
            1 + ROWS * ACROSS,
            0,
        )
