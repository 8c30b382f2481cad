"""Processes for steps: how many, how long they are kept, and that none is left."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.process_pool import ProcessPool
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.testing.executor_contract import ContractRunner, lives
from ia_modules.testing.executor_steps import until

STEPS = """
import os, signal, subprocess, sys, time
from contextlib import contextmanager
from pathlib import Path

def meets(data):
    Path(data["folder"], data["own"]).touch()
    while not Path(data["folder"], data["other"]).exists():
        time.sleep(0.01)
    return {"pid": os.getpid()}

def tells(data):
    return {"pid": os.getpid()}

def prints(data):
    print("printed by the step")
    os.write(1, b"written by the step" + bytes([10]))

def scribbles(data):
    for open_file in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{open_file}").startswith("socket:"):
                os.write(int(open_file), bytes([0] * 7 + [4]) + b"nope")
        except OSError:
            pass
    time.sleep(60)

def starts_another(data):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(data["file"]).write_text(f"{os.getpid()} {other.pid}")
    if data["how"] == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    os.closerange(3, 4096)
    time.sleep(600)

@contextmanager
def services():
    yield {"pid": os.getpid()}
    Path(os.environ["CLOSED"]).write_text(str(os.getpid()))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pool_steps.py").write_text(STEPS)
    return tmp_path


def running(executor: LocalExecutor) -> ContractRunner:
    return ContractRunner(executor, MemoryJournal(), {"isolation": "process"})


async def pid_of(executor: LocalExecutor, folder: Path) -> int:
    return (await running(executor).ran("tells", {}, folder=folder, module="pool_steps")).output["pid"]


async def test_as_many_run_at_once_as_there_are_places(folder: Path) -> None:
    executor = LocalExecutor(processes=2)
    names = {"own": "a", "other": "b"}, {"own": "b", "other": "a"}
    inputs = ({"folder": str(folder), **own} for own in names)
    each = (running(executor).ran("meets", each_input, folder=folder, module="pool_steps") for each_input in inputs)
    first, second = await asyncio.gather(*each)
    assert first.output["pid"] != second.output["pid"]


async def test_what_has_no_place_waits_for_one_and_uses_the_same_process(folder: Path) -> None:
    executor = LocalExecutor(processes=1)
    pids = await asyncio.gather(*(pid_of(executor, folder) for _ in range(4)))
    assert len(set(pids)) == 1


async def test_a_process_that_has_nothing_to_do_is_ended_after_a_while(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = LocalExecutor()
    monkeypatch.setattr(executor, "_pool", ProcessPool(1, idle_seconds=0.05))
    await executor.close()  # those of tests before
    pid = await pid_of(executor, folder)
    await until(lambda: not lives(pid))
    assert await pid_of(executor, folder) != pid


async def test_a_process_closes_its_services_when_it_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOSED", str(folder / "closed"))
    monkeypatch.syspath_prepend(folder)
    executor, services = LocalExecutor(), ServiceRegistry(made_by="pool_steps:services")
    ran = await running(executor).ran("tells", {}, services=services, folder=folder, module="pool_steps")
    await executor.close()
    assert (folder / "closed").read_text() == str(ran.output["pid"])
    assert not lives(ran.output["pid"])


async def test_an_attempt_that_is_cancelled_while_its_process_starts_leaves_nothing_behind(folder: Path) -> None:
    executor = LocalExecutor(processes=1)
    await executor.close()
    going = asyncio.create_task(pid_of(executor, folder))
    await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    going.cancel()
    await asyncio.wait([going])
    assert await pid_of(executor, folder)  # its place is free


def test_what_a_step_prints_in_its_process_is_not_on_the_stdout_of_its_owner(folder: Path) -> None:
    (folder / "p.json").write_text(
        '{"name": "P", "steps": [{"id": "a", "step_class": "prints", "module": "pool_steps", "isolation": "process"}],'
        '"flow": {"start_at": "a"}}'
    )
    command = [sys.executable, "-m", "ia_modules.cli", "run", "p.json", "--json", "--db", "sqlite:///p.db"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    assert "written by the step" in ended.stderr
    assert not [line for line in ended.stdout.splitlines() if not line.startswith("{")]
    assert "printed by the step" in ended.stdout  # as a line of the log


async def test_a_process_that_died_while_it_had_nothing_to_do_costs_nobody_an_attempt(folder: Path) -> None:
    executor = LocalExecutor()
    for _ in range(3):
        pid = await pid_of(executor, folder)
        os.kill(pid, signal.SIGKILL)
        ran = await running(executor).ran("tells", {}, folder=folder, module="pool_steps")
        assert [each.attempt for each in ran.attempts] == [1]
        assert ran.output["pid"] != pid


async def test_what_is_no_message_ends_the_process_and_fails_the_attempt(folder: Path) -> None:
    ran = await running(LocalExecutor()).ran("scribbles", {}, folder=folder, module="pool_steps")
    assert ran.error[0] == "StepProcessEnded"


@pytest.mark.parametrize("how", ["crashes", "closes"])
async def test_what_a_process_has_started_ends_with_it(folder: Path, how: str) -> None:
    ran = await running(LocalExecutor()).ran(
        "starts_another", {"file": str(folder / "pids"), "how": how}, folder=folder, module="pool_steps"
    )
    assert ran.error[0] == "StepProcessEnded"
    pids = [int(pid) for pid in (folder / "pids").read_text().split()]
    await until(lambda: not any(map(lives, pids)))
