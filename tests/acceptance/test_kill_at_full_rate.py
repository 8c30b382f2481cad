"""Fifty executions at a time, as quickly as they go, in a process that is killed with SIGKILL at some moment."""

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker

AT_ONCE, STEPS = 50, 5

PROGRAM = f"""
import asyncio, os, sys
from ia_modules import DatabaseManager, ExecutionTracker, Flow, Runner, Step

def say(what, identifier):
    os.write(1, f"{{what}} {{identifier}}\\n".encode())  # in one piece, whatever becomes of the process

class Pass(Step):
    async def run(self, data):
        say("ran", self.context.step_execution_id)
        return {{"text": "x" * 500}}

def chain():
    flow = Flow("Chain")
    nodes = [flow.add(Pass, id=f"step-{{number}}") for number in range({STEPS})]
    for before, after in zip(nodes, nodes[1:]):
        flow.connect(before.id, after.id)
    return flow.load()

async def main():
    async with DatabaseManager(sys.argv[1]) as database, ExecutionTracker(database) as tracker:
        runner, loaded = Runner(tracker), chain()

        async def run_on():
            while True:
                result = await runner.run(loaded, {{"n": 1}})
                say("ended", result["execution_id"])

        await asyncio.gather(*(run_on() for _ in range({AT_ONCE})))

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [211, 1_000, 2_503])
async def test_what_ended_is_on_record_and_what_ran_has_its_start_there(
    database_url: str, tmp_path: Path, lines: int
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        database_url,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert running.stdout is not None
    words: list[list[str]] = []
    async for line in running.stdout:
        assert line.endswith(b"\n")
        words.append(line.decode().split())
        if len(words) == lines:
            running.send_signal(signal.SIGKILL)
    assert await running.wait() == -signal.SIGKILL
    ran = {identifier for what, identifier in words if what == "ran"}
    ended = {identifier for what, identifier in words if what == "ended"}

    async with DatabaseManager(database_url) as database, ExecutionTracker(database):
        executions = await database.fetch_all_async(
            "SELECT execution_id, status, completed_steps, sequence FROM pipeline_executions"
        )
        steps = await database.fetch_all_async("SELECT step_execution_id, execution_id, status FROM step_executions")
    assert ended <= {row["execution_id"] for row in executions if row["status"] == "completed"}
    assert ran <= {row["step_execution_id"] for row in steps}
    completed = Counter(row["execution_id"] for row in steps if row["status"] == "completed")
    started = Counter(row["execution_id"] for row in steps)
    for row in executions:
        assert row["completed_steps"] == completed[row["execution_id"]]
        is_over = row["status"] == "completed"
        assert started[row["execution_id"]] == row["completed_steps"] + (not is_over)
        assert row["sequence"] == row["completed_steps"] + 1  # one for the beginning, one for each step that ended
        assert is_over == (row["completed_steps"] == STEPS)
