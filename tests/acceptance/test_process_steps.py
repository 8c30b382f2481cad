"""Steps in processes of their own, while what owns them is killed, told to stop, and taken over from."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, ExecutionStatus, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from ia_modules.pipeline.runner import read_pipeline_file
from ia_modules.testing.executor_contract import lives
from tests.acceptance.test_worker_crash import worker
from tests.unit.worker.queue import until

STEPS = """
import os, time
from pathlib import Path
from ia_modules import current

def count(data):
    '''Five calls, each on record, behind a gate after the third.'''
    folder = Path(data["folder"])
    (folder / "pids").open("a").write(f"{os.getpid()} ")
    for number in range(1, 6):
        current.context.call("one", one, str(folder), number)
        current.context.usage(model="m", input_tokens=1)
        current.context.log(f"made {number}")
        while number == 3 and not (folder / "gate").exists():
            sum(range(10_000))
    return {"pid": os.getpid()}

def one(folder, number):
    with Path(folder, "effects").open("a") as effects:
        effects.write(f"{number} ")
    current.context.usage(model="m", input_tokens=100)
    return number
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    step = {"id": "count", "class": "count", "module": "steps", "isolation": "process"}
    (tmp_path / "pipeline.json").write_text(
        json.dumps({"name": "Heavy", "steps": [step], "flow": {"start_at": "count"}})
    )
    (tmp_path / "steps.py").write_text(STEPS)
    return tmp_path


@pytest.fixture
async def client(database: DatabaseManager) -> AsyncGenerator[Client]:
    async with Client(database) as client:
        yield client


async def begun(client: Client, folder: Path) -> ExecutionId:
    pipeline = await read_pipeline_file(folder / "pipeline.json")
    return (await client.queue(pipeline, {"folder": str(folder)}, trigger="test")).execution_id


def effects(folder: Path) -> list[str]:
    file = folder / "effects"
    return file.read_text().split() if file.exists() else []


async def until_third(client: Client, execution_id: ExecutionId) -> None:
    """Until the third line of the step is on record: it computes at the gate."""

    async def messages() -> list[str]:
        return [line.message for line in (await client.tracker.changes(execution_id)).logs]

    await until(messages, lambda lines: "made 3" in lines)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to stop"])
async def test_a_step_whose_owner_ends_is_made_again_by_another_without_what_it_has_done(
    database_url: str, database: DatabaseManager, client: Client, folder: Path, number: signal.Signals
) -> None:
    execution_id = await begun(client, folder)
    with worker(database_url, "--grace-seconds", "0.1") as owner:
        await until_third(client, execution_id)
        (pid,) = map(int, (folder / "pids").read_text().split())
        owner.send_signal(number)
        owner.wait()
    await until(lambda: asyncio.sleep(0, lives(pid)), lambda there: not there)
    await database.execute_async("UPDATE workers SET heartbeat_at = ia_now(-60)")  # as if its lease had passed
    (folder / "gate").touch()
    with worker(database_url) as heir:
        record = await client.wait(execution_id)
        heir.send_signal(signal.SIGTERM)
        assert heir.wait(60) == 0
    assert record.status is ExecutionStatus.COMPLETED
    assert effects(folder) == ["1", "2", "3", "4", "5"]
    steps = await client.tracker.get_execution_steps(execution_id)
    assert [step.status for step in steps][-1] is StepStatus.COMPLETED
    within = await client.tracker.get_execution_steps(execution_id, within=run_path(GRAPH, "count", 1))
    assert {(step.iteration, step.status) for step in within} == {(each, StepStatus.COMPLETED) for each in range(1, 6)}
    messages: list[Any] = [line.message for line in (await client.tracker.changes(execution_id)).logs]
    assert messages.count("made 5") == 1
    assert record.input_tokens == 500 + 5 + 3  # what was made again told its own again


async def test_nothing_is_left_of_many_that_are_cancelled_and_run_out_of_time(
    database_url: str, client: Client, folder: Path
) -> None:
    ids = [await begun(client, folder) for _ in range(4)]
    with worker(database_url, "--slots", "2") as owner:
        await until_third(client, ids[0])
        for execution_id in ids:
            await client.cancel(execution_id)
        for execution_id in ids:
            assert (await client.wait(execution_id)).status is ExecutionStatus.CANCELLED
        owner.send_signal(signal.SIGTERM)
        assert owner.wait(60) == 0
    for pid in map(int, (folder / "pids").read_text().split()):
        assert not lives(pid)
