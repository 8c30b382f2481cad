"""Warm pools of this machine: one process for all who use it, whatever one of them does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ia_modules.models import StepStatus, new_id
from ia_modules.pipeline import process_pool
from ia_modules.pipeline.code import LoadedPipeline, load_pipeline
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.step_modules import StepModules
from ia_modules.testing.executor_contract import ContractRunner, StepAsRecorded, lives
from ia_modules.testing.executor_steps import until

STEPS = """
import asyncio, os, signal, time
from contextlib import contextmanager
from pathlib import Path
from ia_modules.pipeline.core import Step
NUMBER = 1

def pick(data):
    return {"step": data["step"]}

def say(data, word):
    with Path(data["folder"], "said").open("a") as said:
        said.write(f"{word} ")

class Model(Step):
    # Loads until there is a file, where its config says so.
    def __init__(self, name, config=None):
        super().__init__(name, config)
        if "folder" in self.config:
            say(self.config, "loading")
            while not Path(self.config["folder"], "weights").exists():
                time.sleep(0.01)

class Plain(Model):
    def run(self, data):
        say(data, "ran")
        if data.get("how") == "crashes":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"pid": os.getpid(), "number": NUMBER}

class Async(Model):
    async def run(self, data):
        say(data, "ran")
        if data.get("how") == "holds":
            while True:
                sum(range(10_000))
        while not Path(data["folder"], "gate").exists():
            await asyncio.sleep(0.01)
        return {"pid": os.getpid()}

class Large(Model):
    async def run(self, data):
        return {"much": "x" * 50_000_000}

@contextmanager
def services():
    if not Path(os.environ["READY"]).exists():
        raise ConnectionError("not ready")
    yield {}
"""


class Place:
    """A folder with steps, and a pipeline that runs one of them in a pool that no other test has."""

    def __init__(self, folder: Path, **pool: Any) -> None:
        self.folder = folder
        self._pool = {"name": new_id(), **pool}

    @property
    def words(self) -> list[str]:
        file = self.folder / "said"
        return file.read_text().split() if file.exists() else []

    def pipeline(self) -> LoadedPipeline:
        codes = {"plain": "Plain", "loads": "Plain", "async": "Async", "large": "Large"}
        keys = {"module": "warm_steps", "isolation": "process", "pool": self._pool}
        steps = [{"id": each, "step_class": code, **keys} for each, code in codes.items()]
        steps[1]["config"] = {"folder": str(self.folder)}
        paths = [
            {"from": "pick", "to": each, "condition": {"type": "field_equals", "field": "step", "value": each}}
            for each in codes
        ]
        document = {
            "name": "Warm",
            "steps": [{"id": "pick", "step_class": "pick", "module": "warm_steps"}, *steps],
            "flow": {"start_at": "pick", "paths": paths},
        }
        return load_pipeline(load(document).definition, StepModules(self.folder), folder=self.folder)

    def runner(self, executor: LocalExecutor) -> ContractRunner:
        return ContractRunner(executor, MemoryJournal(), {})

    async def ran(
        self,
        runner: ContractRunner,
        step: str,
        how: str = "",
        *,
        pipeline: LoadedPipeline | None = None,
        services: ServiceRegistry | None = None,
    ) -> StepAsRecorded:
        inputs = {"folder": str(self.folder), "how": how, "step": step}
        return await runner.ran_pipeline(pipeline or self.pipeline(), inputs, services)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "warm_steps.py").write_text(STEPS)
    return tmp_path


async def test_the_executors_of_a_program_use_one_process_and_none_ends_that_of_another(folder: Path) -> None:
    place, executors = Place(folder), [LocalExecutor() for _ in range(3)]
    ran = await asyncio.gather(*(place.ran(place.runner(executor), "plain") for executor in executors))
    (pid,) = {each.output["pid"] for each in ran}
    await place.ran(place.runner(executors[0]), "plain")
    await executors[1].close()
    assert lives(pid)
    await executors[0].close()
    assert not lives(pid)


async def test_what_loads_holds_nobody_up_and_is_loaded_once_also_when_who_began_is_cancelled(folder: Path) -> None:
    place, executor = Place(folder, max_concurrency=3), LocalExecutor()
    first = place.runner(executor)
    going = asyncio.create_task(place.ran(first, "loads"))
    await until(lambda: "loading" in place.words)
    (folder / "gate").touch()
    quick = await place.ran(place.runner(executor), "async")
    assert quick.last.status is StepStatus.COMPLETED
    going.cancel()
    await asyncio.wait([going])
    cancelled = await first.recorded(await first.begun())
    assert (cancelled.last.status, cancelled.lines) == (StepStatus.CANCELLED, [])
    assert place.words == ["loading", "ran"], "the quick one"
    (folder / "weights").touch()
    assert (await place.ran(place.runner(executor), "loads")).output["pid"] == quick.output["pid"]
    assert place.words == ["loading", "ran", "ran"]


async def test_code_that_has_begun_is_not_called_again_though_its_process_dies_at_once(
    folder: Path,
) -> None:
    place, executor = Place(folder, max_concurrency=2), LocalExecutor()
    await place.ran(place.runner(executor), "large")  # the pool is there, so what dies unbegun is begun again
    (folder / "said").unlink(missing_ok=True)
    crash = asyncio.create_task(place.ran(place.runner(executor), "plain", "crashes"))
    await asyncio.gather(crash, place.ran(place.runner(executor), "large"))
    assert crash.result().error[0] == "StepProcessEnded"
    assert place.words == ["ran"]


async def test_services_that_could_not_be_made_are_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READY", str(folder / "ready"))
    monkeypatch.syspath_prepend(folder)
    place, executor = Place(folder), LocalExecutor()
    for is_ready in (False, True):
        if is_ready:
            (folder / "ready").touch()
        services = ServiceRegistry(made_by="warm_steps:services")
        ran = await place.ran(place.runner(executor), "plain", services=services)
        assert (ran.last.status is StepStatus.COMPLETED) is is_ready


async def test_who_has_older_code_takes_the_process_from_nobody(folder: Path) -> None:
    place, executor = Place(folder), LocalExecutor()
    older = place.pipeline()
    (folder / "warm_steps.py").write_text(STEPS.replace("NUMBER = 1", "NUMBER = 2"))
    warm = (await place.ran(place.runner(executor), "plain")).output
    for _ in range(2):
        refused = await place.ran(place.runner(executor), "plain", pipeline=older)
        assert "has changed" in str(refused.error[1])
        assert (await place.ran(place.runner(executor), "plain")).output == warm
    (folder / "warm_steps.py").write_text(STEPS.replace("NUMBER = 1", "NUMBER = 3"))
    assert (await place.ran(place.runner(executor), "plain")).output["number"] == 3
    await until(lambda: not lives(warm["pid"]))


async def test_a_loop_that_is_held_fails_those_beside_it_after_a_while(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_pool, "_SILENT_SECONDS", 0.5)
    place, executor = Place(folder, max_concurrency=2), LocalExecutor()
    beside = asyncio.create_task(place.ran(place.runner(executor), "async"))
    await until(lambda: place.words == ["ran"])
    holds = asyncio.create_task(place.ran(place.runner(executor), "async", "holds"))
    await until(lambda: place.words == ["ran", "ran"])
    holds.cancel()
    assert (await beside).error[0] == "StepProcessEnded"
