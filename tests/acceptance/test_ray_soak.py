"""Many executions with a step on a Ray cluster, while everything that runs them is killed at random.

``IA_TEST_RAY_SOAK`` says how many; 200 are run by hand, with ``--timeout 0``. ``IA_TEST_RAY_SEED``: which kills.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.engines.ray import RayCluster
from ia_modules.models import ExecutionId, ExecutionStatus, StepExecutionRecord, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from ia_modules.pipeline.runner import read_pipeline_file
from ia_modules.testing.executor_contract import lives
from tests.acceptance.test_worker_crash import read_on, worker
from tests.ray_cluster import RayOfTests
from tests.unit.worker.queue import until

COUNT = int(os.environ.get("IA_TEST_RAY_SOAK", "8"))
SEED = int(os.environ.get("IA_TEST_RAY_SEED", "1"))
WORKERS = 3
KINDS = ("worker", "driver", "code", "actor") * 3 + ("node",)
"""What is killed, in an order that is drawn anew each time."""
COMPLETED = StepStatus.COMPLETED

STEPS = """
import os, time
from pathlib import Path
from ia_modules import current

def before(data):
    return {"before": True}

def heavy(data):
    folder, context = Path(data["folder"]), current.context
    with (folder / "pids").open("a") as pids:
        pids.write(f"{os.getpid()} {os.getppid()}\\n")
    for number in (1, 2):
        context.call("one", one, data["folder"], context.execution_id, number)
        context.usage(model="m", input_tokens=1)
        context.log(f"line {number}")
        time.sleep(0.2 + 0.1 * (int(context.execution_id[-1], 16) % 8))
    return {"heavy": True}

def one(folder, execution_id, number):
    with Path(folder, "effects").open("a") as effects:
        effects.write(f"{execution_id} {number}\\n")
    current.context.usage(model="m", input_tokens=100)
    return number

def after(data):
    return {"after": data["before"] and data["heavy"]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    on_ray = {
        "executor": "ray",
        "resources": {"cpu": 0.2},
        "error_handling": {"retry": {"max_attempts": 20, "initial_delay": 0}},
    }
    names = ("before", "heavy", "after")
    steps = [{"id": name, "class": name, "module": "steps", **(on_ray if name == "heavy" else {})} for name in names]
    paths = [{"from": "before", "to": "heavy"}, {"from": "heavy", "to": "after"}]
    document = {"name": "Soak", "steps": steps, "flow": {"start_at": "before", "paths": paths}}
    (tmp_path / "pipeline.json").write_text(json.dumps(document))
    (tmp_path / "steps.py").write_text(STEPS)
    return tmp_path


@pytest.fixture
async def client(database: DatabaseManager) -> AsyncGenerator[Client]:
    async with Client(database) as client:
        yield client


class Killer:
    """Kills what is named, and replaces workers; ``killed``: how often what."""

    def __init__(self, stack: ExitStack, database_url: str, ray: RayOfTests, folder: Path, draw: random.Random) -> None:
        self._stack, self._url, self._ray, self._folder, self._draw = stack, database_url, ray, folder, draw
        self.killed = Counter[str]()
        self.workers = [self._worker() for _ in range(WORKERS)]

    async def kill(self, kind: str) -> None:
        match kind:
            case "worker":
                number = self._draw.randrange(WORKERS)
                self.workers[number].kill()
                self.workers[number].wait()
                self.workers[number] = await asyncio.to_thread(self._worker)
                self.killed[kind] += 1
            case "node":
                await asyncio.to_thread(self._ray.kill_node)
                self.killed[kind] += 1
            case _:
                if pids := list(self._drivers() if kind == "driver" else self._pids(kind)):
                    with suppress(ProcessLookupError):
                        os.kill(self._draw.choice(pids), signal.SIGKILL)
                        self.killed[kind] += 1

    def left(self) -> list[int]:
        """What lives of all that the code of steps ever ran in."""
        return [pid for kind in ("code", "actor") for pid in self._pids(kind)]

    def _worker(self) -> "subprocess.Popen[str]":
        options = "--ray", self._ray.address, "--ray-namespace", self._folder.name, "--ray-wait-seconds", "60"
        process = self._stack.enter_context(worker(self._url, *options, "--slots", "4", "--grace-seconds", "0"))
        read_on(process)
        return process

    def _drivers(self) -> Generator[int]:
        for each in self.workers:
            for child in psutil.Process(each.pid).children():
                with suppress(psutil.Error):
                    if "ray_driver" in " ".join(child.cmdline()):
                        yield child.pid

    def _pids(self, kind: str) -> list[int]:
        column = ("code", "actor").index(kind)
        pids = {int(line.split()[column]) for line in lines_of(self._folder / "pids")}
        return sorted(pid for pid in pids if lives(pid) and pid != 1)


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


async def assert_right(client: Client, execution_id: ExecutionId, effects: Counter[str]) -> int:
    """How it ended, with each thing on record once; returns how many attempts its step on the cluster took."""
    execution = await client.execution(execution_id)
    steps = await client.tracker.get_execution_steps(execution_id)
    found = [(each.step_id, each.attempt, each.status.value, each.error_message) for each in steps]
    within = await client.tracker.get_execution_steps(execution_id, within=run_path(GRAPH, "heavy", 1))
    calls = Counter(each.iteration for each in within if each.status is COMPLETED)
    completed = Counter(each.step_id for each in steps if each.status is COMPLETED)
    if execution.status is ExecutionStatus.COMPLETED:
        assert completed == {"before": 1, "heavy": 1, "after": 1}, found
        assert calls == {1: 1, 2: 1}
    else:  # three times in a row nobody knew what had come of it: the only way to fail, with so many retries
        assert execution.status is ExecutionStatus.FAILED, found
        assert (steps[-1].error_type, [each.status for each in steps[-3:-1]]) == ("StepLost", [StepStatus.LOST] * 2)
    made = Counter(each.iteration for each in within)
    for number in (1, 2):
        assert calls[number] <= effects[f"{execution_id} {number}"] <= made[number]
    heavy = [each for each in steps if each.step_id == "heavy"]
    logs = (await client.tracker.changes(execution_id)).logs
    lines = Counter((line.step_execution_id, line.message) for line in logs if line.message.startswith("line "))
    assert set(lines.values()) <= {1}, "no line twice"
    for attempt in heavy:
        expected = {"line 1", "line 2"} if attempt.status is COMPLETED else set[str]()
        assert {message for id_, message in lines if id_ == attempt.step_execution_id} >= expected
        assert_usage(attempt)
    assert all((each.input_tokens or 0) == 100 for each in within if each.status is COMPLETED)
    assert (execution.input_tokens or 0) == sum(each.input_tokens or 0 for each in (*steps, *within))
    return len(heavy)


def assert_usage(attempt: StepExecutionRecord) -> None:
    """Its own, told once by each of its numbers."""
    tokens = attempt.input_tokens or 0
    assert tokens == 2 if attempt.status is COMPLETED else tokens in (0, 1, 2)


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_every_execution_completes_and_nothing_is_left_though_all_that_runs_them_is_killed(
    database_url: str, client: Client, folder: Path, ray: RayOfTests
) -> None:
    draw = random.Random(SEED)
    pipeline = await read_pipeline_file(folder / "pipeline.json")
    queued = [await client.queue(pipeline, {"folder": str(folder)}, trigger="test") for _ in range(COUNT)]
    ids = [each.execution_id for each in queued]

    async def ended() -> int:
        return sum([(await client.execution(each)).status.is_terminal for each in ids])

    async def seen() -> tuple[int, int]:
        return len(lines_of(folder / "effects")), await ended()

    with ExitStack() as stack:
        killer = Killer(stack, database_url, ray, folder, draw)
        kinds: list[str] = []
        at = 0
        while True:
            at += draw.randint(1, 4)
            at, over = await until(seen, lambda seen: seen[0] >= at or seen[1] == COUNT)  # noqa: B023 - asked now
            if over == COUNT:
                break
            kinds = kinds or draw.sample(KINDS, len(KINDS))
            await killer.kill(kinds.pop())
        effects = Counter(lines_of(folder / "effects"))
        attempts = [await assert_right(client, each, effects) for each in ids]
        async with RayCluster(ray.address, namespace=folder.name).joining() as cluster:
            await until(cluster.names, lambda names: not names)  # the workers see to it
        for each in killer.workers:
            each.send_signal(signal.SIGTERM)
        for each in killer.workers:
            assert await asyncio.to_thread(each.wait, 60) == 0
        await until(lambda: asyncio.sleep(0, killer.left()), lambda left: not left)
        failed = [each for each in ids if (await client.execution(each)).status is ExecutionStatus.FAILED]
    twice = sum(times - 1 for times in effects.values())
    print(f"{COUNT} executions, {len(failed)} lost 3 times in a row, killed {dict(killer.killed)}: ", end="")
    print(f"{sum(attempts)} attempts, {twice} calls made again")
