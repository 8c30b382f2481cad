import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ia_modules.cli.long_running import loop_factory
from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from tests.unit.cli.programs import PATIENCE_SECONDS, piped

STEPS = """
import asyncio, gc

async def look(data):
    loop = type(asyncio.get_running_loop()).__module__
    return {"loop": loop, "thresholds": gc.get_threshold(), "is_frozen": gc.get_freeze_count() > 0}
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(STEPS)
    step = {"id": "look", "module": "steps", "step_class": "look"}
    (tmp_path / "look.json").write_text(json.dumps({"name": "Look", "steps": [step], "flow": {"start_at": "look"}}))
    return tmp_path / "look.json"


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize("command", [["worker"], ["serve", "--port", "0"]], ids=" ".join)
async def test_what_runs_for_long_has_uvloop_and_collects_garbage_seldom(
    command: list[str], database: DatabaseManager, database_url: str, pipeline: Path
) -> None:
    async with Client(database) as client:
        queued = await client.queue(pipeline)
        with piped(database_url, *command, cwd=pipeline.parent):
            ended = await client.wait(queued.execution_id, timeout_seconds=PATIENCE_SECONDS)
    output: Any = ended.output_data
    assert output["look"] == {"loop": "uvloop", "thresholds": [50_000, 20, 50], "is_frozen": True}


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_command_of_its_own_and_the_library_set_up_nothing(database_url: str, pipeline: Path) -> None:
    words = ["-m", "ia_modules.cli", "run", str(pipeline), "--db", database_url, "--json"]
    ran = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=True)
    seen = json.loads(ran.stdout.splitlines()[-1])["data"]["output_data"]["look"]
    assert seen == {"loop": "asyncio.unix_events", "thresholds": [*gc.get_threshold()], "is_frozen": False}


def test_without_uvloop_it_is_pythons_own_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop_factory() is None
