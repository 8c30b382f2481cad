"""What goes wrong between an owner and its Ray cluster: whoever dies, whatever Ray refuses, an attempt ends right."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from ia_modules.engines import ray_link
from ia_modules.engines.ray import RayCluster
from ia_modules.models import JoinedCluster, LogLevel, StepExecutionId, StepStatus, new_id
from ia_modules.pipeline.child_process import ChildProcess
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.remote_calls import Needs, PoolNeeds
from ia_modules.testing.executor_contract import ContractRunner
from tests.ray_cluster import RayOfTests
from tests.unit.worker.queue import until

STEPS = """
import os, time
from pathlib import Path
from ia_modules.pipeline.core import Step

class Quiet(Step):
    '''Waits for its gate; where it fails, its fallback does.'''
    def run(self, data):
        folder = Path(data["folder"])
        with (folder / "pids").open("a") as pids:
            pids.write(f"{os.getpid()} {os.getppid()}\\n")
        while not (folder / "gate").exists():
            time.sleep(0.01)
        return {"token": os.environ.get("TOKEN")}

    def fallback(self, data, error):
        Path(data["folder"], "fell back").touch()
        return {}
"""
SECRET = "hunter2"


class Owner:
    """Runs executions of one step on a cluster."""

    def __init__(self, cluster: RayCluster, folder: Path) -> None:
        self.cluster, self._folder = cluster, folder

    def runner(self, **resources: float) -> ContractRunner:
        keys = {"executor": "ray", "resources": {"cpu": 0.1, **resources}}
        return ContractRunner(LocalExecutor(cluster=self.cluster), MemoryJournal(), keys)

    def pipeline(self, runner: ContractRunner, **keys: Any) -> LoadedPipeline:
        return runner.pipeline("Quiet", folder=self._folder, module="steps", **keys)

    @property
    def input_data(self) -> dict[str, str]:
        return {"folder": str(self._folder)}

    async def pids(self, times: int = 1) -> tuple[int, int]:
        """Of the process of the code and of its actor, once it has begun so often."""

        async def lines() -> list[str]:
            file = self._folder / "pids"
            return file.read_text().splitlines() if file.exists() else []

        code, actor = (await until(lines, lambda lines: len(lines) >= times))[-1].split()
        return int(code), int(actor)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(STEPS)
    return tmp_path


@asynccontextmanager
async def owner_on(
    address: str, folder: Path, *, wait_seconds: float = 60.0, runtime_env: Mapping[str, Any] | None = None
) -> AsyncGenerator[Owner]:
    cluster = RayCluster(address, namespace=new_id(), resource_wait_seconds=wait_seconds, runtime_env=runtime_env)
    async with cluster.joining():
        yield Owner(cluster, folder)


def drivers() -> list[psutil.Process]:
    """Of this process, those that live."""
    children = psutil.Process().children()
    return [each for each in children if each.status() != psutil.STATUS_ZOMBIE and "ray_driver" in str(each.cmdline())]


async def test_a_node_that_dies_loses_what_ran_there_also_when_another_driver_has_begun_it(
    ray: RayOfTests, folder: Path
) -> None:
    async with owner_on(ray.address, folder) as owner:
        runner = owner.runner()
        running = asyncio.create_task(runner.ran_pipeline(owner.pipeline(runner), owner.input_data))
        await owner.pids()
        (driver,) = drivers()
        driver.kill()
        await until(lambda: asyncio.sleep(0, owner.cluster.cluster), lambda cluster: cluster is None)
        await until(lambda: asyncio.sleep(0, owner.cluster.cluster), bool)  # the attempt's owner asks by another one
        await asyncio.to_thread(ray.kill_node)
        await owner.pids(2)
        (folder / "gate").touch()
        lost, completed = (await running).attempts
    assert (lost.status, lost.error_type, completed.status) == (StepStatus.LOST, "StepLost", StepStatus.COMPLETED)


async def test_a_driver_that_dies_as_it_joins_is_replaced_though_its_owner_was_busy(
    ray: RayOfTests, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_sent, has_ended = threading.Event(), threading.Event()

    class ShortLived(ChildProcess):
        """Ends with its first message."""

        def __init__(self, main: str, *, tell: Any) -> None:
            def tell_and_end(message: bytes | int) -> None:
                tell(message)
                if isinstance(message, int):
                    has_ended.set()
                else:
                    self.kill()

            super().__init__(main, tell=tell_and_end)

        def send(self, message: bytes) -> None:
            super().send(message)
            is_sent.set()

    monkeypatch.setattr(ray_link, "ChildProcess", ShortLived)
    async with owner_on(ray.address, folder) as owner:
        await until(lambda: asyncio.sleep(0, is_sent.is_set()), bool)  # it is told what to join
        assert has_ended.wait(60)  # the loop hears of both at once
        monkeypatch.setattr(ray_link, "ChildProcess", ChildProcess)
        assert await until(lambda: names(owner.cluster), lambda names: names is not None) == []


async def names(cluster: RayCluster) -> list[str] | None:
    try:
        return await cluster.names()
    except ray_link.RayAway:
        return None


async def test_a_cancelled_step_has_no_fallback_though_its_actor_dies_meanwhile(ray: RayOfTests, folder: Path) -> None:
    async with owner_on(ray.address, folder) as owner:
        runner = owner.runner()
        pipeline = owner.pipeline(runner, error_handling={"enable_fallback": True})
        running = asyncio.create_task(runner.ran_pipeline(pipeline, owner.input_data))
        _, actor = await owner.pids()
        os.kill(actor, signal.SIGSTOP)
        running.cancel()
        await asyncio.sleep(0)
        os.kill(actor, signal.SIGKILL)
        await asyncio.wait([running])
        (attempt,) = (await runner.recorded(await runner.begun())).attempts
    assert attempt.status is StepStatus.CANCELLED
    assert not (folder / "fell back").exists()


async def test_a_step_that_ray_would_never_take_fails_and_says_why(ray: RayOfTests, folder: Path) -> None:
    async with owner_on(ray.address, folder) as owner:
        runner = owner.runner(cpu=0.000_01)
        message = (await runner.ran_pipeline(owner.pipeline(runner), owner.input_data)).error[1]
    assert "precision" in str(message)


@pytest.mark.parametrize(
    "runtime_env", [{"env_vars": {"TOKEN": [SECRET]}}, {"working_dir": f"/nowhere/{SECRET}"}, {"conda": SECRET}]
)
async def test_a_wrong_runtime_env_fails_the_step_and_is_shown_to_nobody(
    ray: RayOfTests, folder: Path, runtime_env: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with owner_on(ray.address, folder, runtime_env=runtime_env) as owner:
        runner = owner.runner()
        ran = await runner.ran_pipeline(owner.pipeline(runner), owner.input_data)
    kind, message = ran.error
    assert kind == "StepError"
    assert "untime" in str(message)
    assert SECRET not in f"{ran.attempts}{ran.lines}{caplog.text}"


async def test_a_runtime_env_is_no_argument_of_the_driver_and_nowhere_on_record(ray: RayOfTests, folder: Path) -> None:
    (folder / "gate").touch()
    async with owner_on(ray.address, folder, runtime_env={"env_vars": {"TOKEN": SECRET}}) as owner:
        await owner.cluster.joined()
        assert [each for each in drivers() if SECRET in str(each.cmdline())] == []
        runner = owner.runner()
        ran = await runner.ran_pipeline(owner.pipeline(runner), owner.input_data)
    assert ran.output == {"token": SECRET}
    execution = ran.execution
    assert SECRET not in f"{execution.input_data}{execution.pipeline_version}{ran.lines}{ran.attempts[0].metadata}"


async def test_a_step_has_the_runtime_env_that_its_file_names_over_that_of_the_operator(
    ray: RayOfTests, folder: Path
) -> None:
    (folder / "gate").touch()
    (folder / "env.json").write_text(json.dumps({"env_vars": {"TOKEN": SECRET}}))
    async with owner_on(ray.address, folder, runtime_env={"env_vars": {"TOKEN": "the operator's"}}) as owner:
        runner = owner.runner()
        resources = {"cpu": 0.1, "runtime_env": "env.json"}
        ran = await runner.ran_pipeline(owner.pipeline(runner, resources=resources), owner.input_data)
        assert ran.output == {"token": SECRET}
        pipeline = owner.pipeline(runner, resources=resources)
        (folder / "env.json").unlink()
        gone = await runner.ran_pipeline(pipeline, owner.input_data)
    assert "cannot be read" in str(gone.error[1])
    assert SECRET not in f"{ran.lines}{ran.execution.pipeline_version}{ran.attempts[0].metadata}"


class Rows:
    """Records in which only these attempts are open."""

    def __init__(self, *names: str) -> None:
        self._open = {StepExecutionId(name) for name in names}
        self.cluster: JoinedCluster | None = None

    async def installation(self) -> str:
        return "tests"

    async def open_attempts(self, ids: Collection[StepExecutionId]) -> set[StepExecutionId]:
        return self._open & set(ids)

    async def tell_cluster(self, joined: JoinedCluster | None) -> None:
        self.cluster = joined


async def test_a_sweep_ends_the_actors_of_its_namespace_whose_attempt_is_not_open(ray: RayOfTests) -> None:
    namespace, needs = new_id(), Needs(place="ray", cpu=0.1)
    async with RayCluster(ray.address, namespace=new_id()).joining() as elsewhere:
        await elsewhere.create("another's", "another's", needs)
        async with RayCluster(ray.address, namespace=namespace).joining() as owner:
            still, ended = new_id(), new_id()
            stay = sorted([still, f"{still}:fallback", "somebody's own"])
            for name in (*stay, ended, f"{ended}:fallback"):
                await owner.create(name, name, needs)
            async with RayCluster(ray.address, namespace=namespace).joining(Rows(still)):
                await until(owner.names, lambda names: sorted(names) == stay)
            assert await elsewhere.names() == ["another's"]
            for cluster, names in ((owner, stay), (elsewhere, ("another's",))):
                for name in names:
                    await cluster.ask("kill", name)


async def test_a_sweep_has_a_pool_forget_the_attempts_that_are_not_open(ray: RayOfTests) -> None:
    needs = Needs(place="ray", cpu=0.1, pool=PoolNeeds("s/v/p", 2, 3600.0))
    namespace, still, ended = new_id(), new_id(), new_id()
    async with RayCluster(ray.address, namespace=namespace).joining() as owner:
        for attempt in (still, ended, f"{ended}:fallback"):
            await owner.create("pool:s/v/p", attempt, needs)

        async def attempts() -> list[str]:
            return (await owner.ask("call", "pool:s/v/p", "attempts")).value

        assert len(await attempts()) == 3
        async with RayCluster(ray.address, namespace=namespace).joining(Rows(still)):
            assert await until(attempts, lambda found: len(found) == 1) == [still]
        assert await owner.names() == ["pool:s/v/p"]
        await owner.ask("kill", "pool:s/v/p")


async def test_who_knew_the_pool_before_finds_the_one_that_took_its_place(ray: RayOfTests) -> None:
    namespace, needs = new_id(), Needs(place="ray", cpu=0.1, pool=PoolNeeds("s/v/p", 2, 1.0))
    async with (
        RayCluster(ray.address, namespace=namespace).joining() as one,
        RayCluster(ray.address, namespace=namespace).joining() as other,
    ):
        await one.create("pool:s/v/p", "a", needs)
        await one.ask("call", "pool:s/v/p", "forget", "a")
        await until(one.names, lambda names: not names)
        await other.create("pool:s/v/p", "b", needs)
        answer = await one.ask("call", "pool:s/v/p", "attempts")
        assert (answer.trouble, answer.value) == (None, ["b"])
        await other.ask("call", "pool:s/v/p", "forget", "b")


async def test_what_a_pool_has_begun_fails_when_the_process_that_keeps_it_dies_and_the_next_pool_begins_anew(
    ray: RayOfTests, folder: Path
) -> None:
    async with owner_on(ray.address, folder) as owner:
        runner = owner.runner()
        pipeline = owner.pipeline(runner, pool={"name": "warm", "max_concurrency": 2, "idle_seconds": 1})
        both = [asyncio.create_task(runner.ran_pipeline(pipeline, owner.input_data)) for _ in range(2)]
        code, actor = await owner.pids(2)
        os.kill(actor, signal.SIGKILL)
        for running in both:
            kind, message = (await running).error
            assert kind == "StepError"
            assert "the process that kept it on the Ray cluster ended" in str(message)
        (folder / "gate").touch()
        again = await runner.ran_pipeline(pipeline, owner.input_data)
        assert again.output == {"token": None}
        assert (await owner.pids(3))[0] != code
        await until(owner.cluster.names, lambda names: not names)  # it has nothing to do


async def test_what_nobody_asks_for_ends_unasked_and_what_somebody_waits_for_does_not(
    ray: RayOfTests, folder: Path
) -> None:
    cluster = RayCluster(ray.address, namespace=new_id(), resource_wait_seconds=60, unclaimed_seconds=3)
    async with cluster.joining():
        owner = Owner(cluster, folder)
        runner = owner.runner()
        running = asyncio.create_task(runner.ran_pipeline(owner.pipeline(runner), owner.input_data))
        await owner.pids()
        await cluster.create("nobody's", "nobody's", Needs(place="ray", cpu=0.1))
        await until(cluster.names, lambda names: "nobody's" not in names)
        (folder / "gate").touch()
        (attempt,) = (await running).attempts
    assert attempt.status is StepStatus.COMPLETED


async def test_auto_starts_no_cluster_whatever_the_environment_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    async with owner_on("auto", folder) as owner:
        assert await until(lambda: is_decided(owner.cluster), bool)
        started = [each.name() for driver in drivers() for each in driver.children(recursive=True)]
    assert "gcs_server" not in started


async def is_decided(cluster: RayCluster) -> bool:
    """It has been joined, or cannot be."""
    try:
        return bool(await cluster.joined())
    except ray_link.RayAway:
        return True


async def test_a_step_says_on_record_that_its_cluster_does_not_answer(folder: Path) -> None:
    async with owner_on("127.0.0.1:1", folder) as owner:
        runner = owner.runner()
        running = asyncio.create_task(runner.ran_pipeline(owner.pipeline(runner), owner.input_data))
        execution_id = await runner.begun()

        async def warnings() -> list[str]:
            recorded = await runner.recorded(execution_id)
            return [line.message for line in recorded.lines if line.level is LogLevel.WARNING]

        (line,) = await until(warnings, bool)
        assert line == "Waits for the Ray cluster 127.0.0.1:1, which does not answer"
        running.cancel()
        await asyncio.wait([running])
