"""One execution id of a caller's in several processes: one execution, whoever begins it and whoever dies."""

import asyncio
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ia_modules import Client, DatabaseManager, ExecutionTracker
from ia_modules.errors import AlreadyStarted, ExecutionFailed
from ia_modules.pipeline.core import ExecutionContext
from tests.unit.pipeline.factories import document

STEPS = """
import asyncio
from pathlib import Path
from ia_modules.pipeline.core import Step

class Work(Step):
    async def run(self, data):
        with Path(data["effects"]).open("a") as effects:
            effects.write(self.name + chr(10))
        while self.name == "second" and not Path(data["gate"]).exists():
            await asyncio.sleep(0.01)
        return {self.name: 1}
"""
RUN = """
import asyncio, json, sys
from pathlib import Path
from ia_modules import Client, DatabaseManager, ExecutionTracker
from ia_modules.pipeline.core import ExecutionContext

async def main(url, file, input_text):
    async with DatabaseManager(url) as database, ExecutionTracker(database, lease_seconds=1.0) as tracker:
        async with Client(database, tracker=tracker) as client:
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            result = await client.run(Path(file), json.loads(input_text), ExecutionContext(execution_id="order 17"))
            print(json.dumps(result), flush=True)

asyncio.run(main(*sys.argv[1:]))
"""
OWN = ExecutionContext(execution_id="order 17")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(STEPS)
    written = document("first", "second", paths=[("first", "second")])
    for step in written["steps"]:
        step["step_class"] = "Work"
    (tmp_path / "pipeline.json").write_text(json.dumps(written))
    return tmp_path / "pipeline.json"


@pytest.fixture
def input_data(tmp_path: Path) -> dict[str, str]:
    return {"effects": str(tmp_path / "effects"), "gate": str(tmp_path / "gate")}


def effects_of(input_data: dict[str, str]) -> Counter[str]:
    path = Path(input_data["effects"])
    return Counter(path.read_text().split() if path.exists() else [])


def open_gate(input_data: dict[str, str]) -> None:
    Path(input_data["gate"]).touch()


async def second_step_began(input_data: dict[str, str]) -> None:
    while effects_of(input_data)["second"] == 0:  # noqa: ASYNC110 - another process does it
        await asyncio.sleep(0.02)


async def process_on(database_url: str, file: Path, input_data: dict[str, str]) -> asyncio.subprocess.Process:
    """A process that is about to run the pipeline, and does when it is let."""
    pipe = asyncio.subprocess.PIPE
    words = (database_url, str(file), json.dumps(input_data))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, *words, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def let_run(process: asyncio.subprocess.Process) -> dict[str, Any]:
    out, _ = await process.communicate(b"\n")
    return json.loads(out)


async def test_processes_that_begin_at_once_make_one_execution_and_get_its_result(
    database_url: str, file: Path, input_data: dict[str, str]
) -> None:
    open_gate(input_data)
    processes = await asyncio.gather(*(process_on(database_url, file, input_data) for _ in range(3)))
    first, *others = await asyncio.gather(*map(let_run, processes))
    assert others == [first] * 2
    assert effects_of(input_data) == {"first": 1, "second": 1}
    async with Client(database_url) as client:
        page = await client.executions()
        assert [(item.execution_id, item.alias) for item in page.items] == [(first["execution_id"], "order 17")]


async def test_what_a_killed_process_left_is_gone_on_with_once_its_lease_has_passed(
    database_url: str, file: Path, input_data: dict[str, str]
) -> None:
    process = await process_on(database_url, file, input_data)
    assert process.stdin is not None
    process.stdin.write(b"\n")
    async with DatabaseManager(database_url) as database, ExecutionTracker(database, lease_seconds=1.0) as tracker:
        client = Client(database, tracker=tracker)
        await second_step_began(input_data)
        with pytest.raises(AlreadyStarted, match="running"):
            await client.start(file, input_data, OWN, resume=True)  # its process lives
        process.send_signal(signal.SIGKILL)
        await process.wait()
        open_gate(input_data)
        result = await client.run(file, input_data, OWN, resume=True)
        assert result["status"] == "completed"
        assert effects_of(input_data) == {"first": 1, "second": 2}
        record = await client.execution("order 17")
        assert (record.execution_id, record.epoch) == (result["execution_id"], 3)


async def test_without_resume_what_a_killed_process_left_fails_as_lost_though_nobody_else_looks(
    database_url: str, file: Path, input_data: dict[str, str]
) -> None:
    process = await process_on(database_url, file, input_data)
    assert process.stdin is not None
    process.stdin.write(b"\n")
    async with DatabaseManager(database_url) as database, ExecutionTracker(database, lease_seconds=1.0) as tracker:
        client = Client(database, tracker=tracker)
        await second_step_began(input_data)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        with pytest.raises(ExecutionFailed) as failed:
            await client.run(file, input_data, OWN)
        assert failed.value.error_type == "ProcessLost"
        assert effects_of(input_data) == {"first": 1, "second": 1}
