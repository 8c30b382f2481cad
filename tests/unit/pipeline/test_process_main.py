"""The processes of steps do not outlive the program that started them, however it dies."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ia_modules.testing.executor_contract import lives
from ia_modules.testing.executor_steps import until

STEPS = """
import os, subprocess, sys
from pathlib import Path

def holds_the_lock(data):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(data["file"]).write_text(f"{os.getpid()} {child.pid}")
    sum(range(10**13))  # nothing else of Python runs here meanwhile

async def waits(data):
    import asyncio
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(data["file"]).write_text(f"{os.getpid()} {child.pid}")
    await asyncio.Event().wait()
"""

PROGRAM = """
import asyncio, sys
from ia_modules.pipeline.runner import run_pipeline_from_json

asyncio.run(run_pipeline_from_json("p.json", {"file": "pids"}))
"""


@pytest.mark.parametrize("step", ["holds_the_lock", "waits"])
def test_the_process_of_a_step_and_what_it_started_die_with_a_program_that_is_killed(tmp_path: Path, step: str) -> None:
    (tmp_path / "own_steps.py").write_text(STEPS)
    task = {"id": "a", "step_class": step, "module": "own_steps", "isolation": "process"}
    document = {"name": "P", "steps": [task], "flow": {"start_at": "a"}}
    (tmp_path / "p.json").write_text(json.dumps(document))
    pids = tmp_path / "pids"
    with subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=tmp_path) as program:
        asyncio.run(until(lambda: pids.exists() and len(pids.read_text().split()) == 2))
        process, started = map(int, pids.read_text().split())
        assert lives(process)
        assert lives(started)
        program.kill()
    asyncio.run(until(lambda: not lives(process) and not lives(started)))
