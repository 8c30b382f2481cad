"""Steps on a Ray cluster, while workers, nodes and the cluster are killed: each runs once, and its result counts."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.engines.ray import RayCluster
from ia_modules.models import ExecutionId, ExecutionStatus, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from ia_modules.pipeline.runner import read_pipeline_file
from ia_modules.testing.executor_contract import lives
from ia_modules.tracker.system import ClusterState, SystemReader
from tests.acceptance.test_process_steps import STEPS, effects, until_third
from tests.acceptance.test_worker_crash import worker
from tests.ray_cluster import RayOfTests, ray_cluster
from tests.unit.worker.queue import until, until_status

MORE_STEPS = """
def quiet(data):
    '''Says and calls nothing: it ends though nobody owns its execution.'''
    folder = Path(data["folder"])
    (folder / "pids").open("a").write(f"{os.getpid()} ")
    while not (folder / "gate").exists():
        time.sleep(0.01)
    with (folder / "effects").open("a") as effects:
        effects.write("quiet ")
    return {"pid": os.getpid()}

def plain(data):
    return {"plain": True}

trains = quiet

from ia_modules.pipeline.core import Step

class Warm(Step):
    def __init__(self, name, config=None):
        super().__init__(name, config)
        self.calls = 0

    def run(self, data):
        self.calls += 1
        return quiet(data) | {"calls": self.calls}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    with_gpu = {"executor": "ray", "resources": {"cpu": 0.5, "gpu": 1}}
    warm = on_ray() | {"class": "Warm", "pool": {"name": "warm", "idle_seconds": 15}}
    for name, keys in (("warm", warm), ("count", on_ray()), ("quiet", on_ray()), ("plain", {}), ("trains", with_gpu)):
        step = {"id": name, "class": name, "module": "steps", **keys}
        document = {"name": name, "steps": [step], "flow": {"start_at": name}}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    (tmp_path / "steps.py").write_text(STEPS + MORE_STEPS)
    return tmp_path


def on_ray() -> dict[str, Any]:
    return {"executor": "ray", "resources": {"cpu": 0.5}}


@pytest.fixture
async def client(database: DatabaseManager) -> AsyncGenerator[Client]:
    async with Client(database) as client:
        yield client


@pytest.fixture
def joining(ray: RayOfTests, folder: Path) -> tuple[str, ...]:
    """What a worker is told that joins the cluster."""
    return "--ray", ray.address, "--ray-namespace", folder.name, "--grace-seconds", "0"


async def begun(client: Client, folder: Path, name: str) -> ExecutionId:
    pipeline = await read_pipeline_file(folder / f"{name}.json")
    return (await client.queue(pipeline, {"folder": str(folder)}, trigger="test")).execution_id


async def pid_of(folder: Path) -> int:
    """Of the process of the code, once it runs."""
    await until(lambda: _read(folder / "pids"), bool)
    return int((folder / "pids").read_text().split()[-1])


async def _read(file: Path) -> str:
    return await asyncio.to_thread(lambda: file.read_text() if file.exists() else "")


async def is_pending(client: Client, execution_id: ExecutionId) -> None:
    await until_status(client.tracker, execution_id, ExecutionStatus.PENDING)


async def is_running_again(client: Client, execution_id: ExecutionId) -> None:
    """Another worker has it."""
    await until(lambda: client.execution(execution_id), lambda execution: execution.epoch > 1)


async def until_nothing_runs_on(ray: RayOfTests, namespace: str) -> None:
    """Nothing is left of the attempts of a namespace."""
    async with RayCluster(ray.address, namespace=namespace).joining() as cluster:
        await until(cluster.names, lambda names: not names)


on_one = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
"""What is not about the database."""


@pytest.mark.parametrize("how", ["is killed", "is told to stop", "is frozen and comes back"])
async def test_a_step_on_the_cluster_goes_on_when_its_worker(
    how: str, database_url: str, client: Client, folder: Path, ray: RayOfTests, joining: tuple[str, ...]
) -> None:
    execution_id = await begun(client, folder, "count")
    with worker(database_url) as other:  # joined to none
        with worker(database_url, *joining) as first:
            await until_third(client, execution_id)
            first.send_signal({"is killed": signal.SIGKILL, "is told to stop": signal.SIGTERM}.get(how, signal.SIGSTOP))
            await is_pending(client, execution_id)
            (attempt,) = await client.tracker.get_execution_steps(execution_id)
            assert attempt.status is StepStatus.RUNNING
            place = attempt.place
            assert place is not None
            (folder / "gate").touch()
            with worker(database_url, *joining) as second:
                await until_status(client.tracker, execution_id, ExecutionStatus.COMPLETED)
                if how == "is frozen and comes back":
                    first.send_signal(signal.SIGCONT)
                    first.send_signal(signal.SIGTERM)
                await asyncio.to_thread(first.wait, 60)
                second.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(second.wait, 60) == 0
        other.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(other.wait, 60) == 0
    (attempt,) = await client.tracker.get_execution_steps(execution_id)
    assert attempt.status is StepStatus.COMPLETED
    assert attempt.place == place, "who rejoins it finds it there, and writes nothing of that anew"
    assert attempt.output_data == {"pid": await pid_of(folder)}
    assert effects(folder) == ["1", "2", "3", "4", "5"]
    within = await client.tracker.get_execution_steps(execution_id, within=run_path(GRAPH, "count", 1))
    assert [(each.iteration, each.status) for each in within] == [(each, StepStatus.COMPLETED) for each in range(1, 6)]
    lines = [line.message for line in (await client.tracker.changes(execution_id)).logs]
    assert [line for line in lines if line.startswith("made")] == [f"made {each}" for each in range(1, 6)]
    execution = await client.execution(execution_id)
    assert execution.input_tokens == 505
    assert not lives(await pid_of(folder))
    await until_nothing_runs_on(ray, folder.name)


@on_one
async def test_what_ends_while_nobody_owns_it_is_on_record_with_the_next_owner(
    database_url: str, client: Client, folder: Path, ray: RayOfTests, joining: tuple[str, ...]
) -> None:
    execution_id = await begun(client, folder, "quiet")
    with worker(database_url, *joining) as first:
        pid = await pid_of(folder)
        first.kill()
        first.wait()
    (folder / "gate").touch()
    await until(lambda: _read(folder / "effects"), bool)
    with worker(database_url, *joining) as second:
        await until_status(client.tracker, execution_id, ExecutionStatus.COMPLETED)
        second.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(second.wait, 60) == 0
    (attempt,) = await client.tracker.get_execution_steps(execution_id)
    assert (attempt.status, attempt.output_data) == (StepStatus.COMPLETED, {"pid": pid})
    assert effects(folder) == ["quiet"]
    await until_nothing_runs_on(ray, folder.name)


@on_one
async def test_a_warm_pool_outlives_its_worker_and_keeps_what_it_has_made(
    database_url: str,
    database: DatabaseManager,
    client: Client,
    folder: Path,
    ray: RayOfTests,
    joining: tuple[str, ...],
) -> None:
    (folder / "gate").touch()
    with worker(database_url, *joining) as first:
        before = await begun(client, folder, "warm")
        await until_status(client.tracker, before, ExecutionStatus.COMPLETED)
        (folder / "gate").unlink()
        execution_id = await begun(client, folder, "warm")
        await until(lambda: _read(folder / "pids"), lambda pids: len(pids.split()) == 2)
        first.kill()
        first.wait()
    with worker(database_url, *joining) as second:
        await is_running_again(client, execution_id)
        (cluster,) = await until(SystemReader(database).list_clusters, has_pools)
        (pool,) = cluster.pools
        assert (pool.pipeline, pool.name, pool.attempts, pool.resources) == ("warm", "warm", 1, {"CPU": 0.5})
        assert [(each.node, each.pid) for each in cluster.held] == [(pool.node, pool.pid)]
        (folder / "gate").touch()
        await until_status(client.tracker, execution_id, ExecutionStatus.COMPLETED)
        second.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(second.wait, 60) == 0
    (attempt,) = await client.tracker.get_execution_steps(execution_id)
    assert attempt.output_data == {"pid": await pid_of(folder), "calls": 2}
    assert effects(folder) == ["quiet", "quiet"]
    await until_nothing_runs_on(ray, folder.name)  # it has nothing to do, and ends


@on_one
async def test_an_attempt_whose_node_is_killed_is_lost_and_made_again_elsewhere(
    database_url: str, client: Client, folder: Path, ray: RayOfTests, joining: tuple[str, ...]
) -> None:
    execution_id = await begun(client, folder, "quiet")
    with worker(database_url, *joining) as process:
        before = await pid_of(folder)
        ray.kill_node()
        (folder / "gate").touch()
        await until_status(client.tracker, execution_id, ExecutionStatus.COMPLETED)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 60) == 0
    lost, completed = await client.tracker.get_execution_steps(execution_id)
    assert (lost.status, lost.error_type, completed.status) == (StepStatus.LOST, "StepLost", StepStatus.COMPLETED)
    assert "node" in str(lost.error_message)
    assert completed.output_data == {"pid": await pid_of(folder)}
    assert completed.output_data != {"pid": before}


@on_one
async def test_cancelled_code_that_computes_is_ended_with_its_process(
    database_url: str, client: Client, folder: Path, ray: RayOfTests, joining: tuple[str, ...]
) -> None:
    execution_id = await begun(client, folder, "count")
    with worker(database_url, *joining) as process:
        await until_third(client, execution_id)
        await client.cancel(execution_id)
        await until_status(client.tracker, execution_id, ExecutionStatus.CANCELLED)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 60) == 0
    (attempt,) = await client.tracker.get_execution_steps(execution_id)
    assert attempt.status is StepStatus.CANCELLED
    lines = [line.message for line in (await client.tracker.changes(execution_id)).logs]
    assert lines[-1].endswith("its process was ended.")
    assert not lives(await pid_of(folder))
    await until_nothing_runs_on(ray, folder.name)


@on_one
async def test_a_step_that_waits_for_a_gpu_says_so_and_where_each_ran_is_on_record(
    database_url: str,
    database: DatabaseManager,
    client: Client,
    folder: Path,
    ray: RayOfTests,
    joining: tuple[str, ...],
) -> None:
    with worker(database_url, *joining) as process:
        first = await begun(client, folder, "trains")
        await pid_of(folder)
        second = await begun(client, folder, "trains")
        (line,) = await until(lambda: messages(client, second), bool)
        assert line == "Waits for 0.5 CPU, 1 GPU of the Ray cluster, which has 0 of 1 GPU free"
        (waiting,) = await client.tracker.get_execution_steps(second)
        assert (waiting.status, waiting.place) == (StepStatus.RUNNING, None)
        (cluster,) = await until(SystemReader(database).list_clusters, has_nodes)
        assert [each.execution_id for each in cluster.held] == [first]
        assert {"GPU": 1.0}.items() <= next(each for each in cluster.nodes if "GPU" in each.total).total.items()
        (folder / "gate").touch()
        for each in (first, second):
            await until_status(client.tracker, each, ExecutionStatus.COMPLETED)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 60) == 0
    assert await messages(client, first) == []
    places = [(await client.tracker.get_execution_steps(each))[0].place for each in (first, second)]
    async with RayCluster(ray.address, namespace=folder.name).joining() as cluster:
        with_gpu = [each.node for each in await cluster.nodes() if "GPU" in each.total]
        joined = await cluster.joined()
    for place in places:
        assert place is not None
        assert ([place.node], place.cluster, place.resources) == (with_gpu, joined, {"CPU": 0.5, "GPU": 1.0})
    assert len({place.pid for place in places if place is not None}) == 2


@on_one
async def test_ordinary_executions_go_on_when_the_cluster_is_gone(
    database_url: str, client: Client, folder: Path
) -> None:
    with ray_cluster() as ray, worker(database_url, "--ray", ray.address, "--grace-seconds", "0") as process:
        on_cluster = await begun(client, folder, "quiet")
        await pid_of(folder)
        ray.kill_head()
        ordinary = [await begun(client, folder, "plain") for _ in range(3)]
        for execution_id in ordinary:
            await until_status(client.tracker, execution_id, ExecutionStatus.COMPLETED)
        (attempt,) = await client.tracker.get_execution_steps(on_cluster)
        assert attempt.status is StepStatus.RUNNING
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 60) == 0
    await is_pending(client, on_cluster)


@on_one
async def test_a_worker_that_has_joined_no_cluster_leaves_such_steps_to_others_and_says_so(
    database_url: str, client: Client, folder: Path, ray: RayOfTests, joining: tuple[str, ...]
) -> None:
    (folder / "gate").touch()
    execution_id = await begun(client, folder, "quiet")
    with worker(database_url) as without:
        lines = await until(lambda: messages(client, execution_id), bool)
        assert "step 'quiet': it needs a Ray cluster, and this process has joined none (--ray auto" in lines[0]
        with worker(database_url, *joining) as process:
            await until_status(client.tracker, execution_id, ExecutionStatus.COMPLETED)
            for each in (process, without):
                each.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(each.wait, 60) == 0


@on_one
async def test_a_worker_that_may_falls_back_to_processes_and_says_so(
    database_url: str, client: Client, folder: Path
) -> None:
    (folder / "gate").touch()
    execution_id = await begun(client, folder, "quiet")
    with worker(database_url, "--ray-fallback") as process:
        await until_status(client.tracker, execution_id, ExecutionStatus.COMPLETED)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 60) == 0
    (line,) = await messages(client, execution_id)
    assert line == "It runs in a process of this machine: no Ray cluster is joined, and it may fall back."


def has_pools(clusters: list[ClusterState]) -> bool:
    return bool(clusters and clusters[0].pools)


def has_nodes(clusters: list[ClusterState]) -> bool:
    return bool(clusters and clusters[0].nodes)


async def messages(client: Client, execution_id: ExecutionId) -> list[str]:
    return [line.message for line in (await client.tracker.changes(execution_id)).logs]
