"""A program that embeds a flow is killed with SIGKILL and started again with ``recover=True``: its work is settled."""

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters

PROGRAM = """
import asyncio, sys
from pathlib import Path
from ia_modules import DatabaseManager, ExecutionTracker, Flow, ServiceRegistry

url, folder, n = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
flow = Flow("Orders")

def effect(line):
    with (folder / "effects.txt").open("a") as effects:
        effects.write(line + chr(10))

@flow.step
async def charge(data):
    effect(f"charge {data['n']}")
    return {"charged": True}

@flow.step
async def send(data):
    effect(f"send {data['n']}")
    while not (folder / "release").exists():
        await asyncio.sleep(0.01)
    return {"sent": True}

charge >> send

async def main():
    async with DatabaseManager(url) as database, ExecutionTracker(database, lease_seconds=1.0) as tracker:
        await flow.run({"n": n}, ServiceRegistry({"execution_tracker": tracker}), recover=True)

asyncio.run(main())
"""


async def start(url: str, folder: Path, n: int) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    arguments = (str(folder / "orders.py"), url, str(folder), str(n))
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment)


def effects(folder: Path) -> Counter[str]:
    return Counter((folder / "effects.txt").read_text().splitlines())


@pytest.mark.parametrize("again", [1, 2])
async def test_a_killed_program_goes_on_when_it_is_started_again(database_url: str, tmp_path: Path, again: int) -> None:
    """``again``: how many of it are started at once, each with an execution of its own."""
    (tmp_path / "orders.py").write_text(PROGRAM)
    (tmp_path / "effects.txt").touch()
    killed = await start(database_url, tmp_path, 0)
    while not effects(tmp_path)["send 0"]:
        assert killed.returncode is None, "it ended before it could be killed"
        await asyncio.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert await killed.wait() == -signal.SIGKILL

    (tmp_path / "release").touch()
    programs = [await start(database_url, tmp_path, n + 1) for n in range(again)]
    assert [await program.wait() for program in programs] == [0] * again
    own = {f"{step} {n + 1}": 1 for step in ("charge", "send") for n in range(again)}
    assert effects(tmp_path) == {"charge 0": 1, "send 0": 2, **own}

    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        assert (await tracker.list_executions(ExecutionFilters(status=ExecutionStatus.RUNNING))).items == []
        executions = (await tracker.list_executions()).items
        assert [each.status for each in executions] == [ExecutionStatus.COMPLETED] * (1 + again)
        steps = await tracker.get_execution_steps(executions[-1].execution_id)
        assert [(step.step_id, step.status) for step in steps] == [
            ("charge", StepStatus.COMPLETED),
            ("send", StepStatus.LOST),
            ("send", StepStatus.COMPLETED),
        ]
