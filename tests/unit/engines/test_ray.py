"""A Ray cluster as an owner has it: which one is joined, and what a step gets of it. The rest is in acceptance."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import pytest

from ia_modules.engines import ray as engine
from ia_modules.engines import ray_connection, ray_link
from ia_modules.engines.ray import RayCluster
from ia_modules.engines.ray_link import RayAway
from ia_modules.errors import DatabaseUnavailable, InvalidArgument
from ia_modules.models import JoinedCluster, StepExecutionId, new_id
from ia_modules.pipeline.child_process import ChildProcess
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.testing.executor_contract import ContractRunner
from tests.processes import children
from tests.ray_cluster import RayOfTests


@pytest.mark.parametrize("address", ["ray://head:10001", "local", "", "head", "head:", ":6379", "head:port", "a/b:1"])
def test_an_address_by_which_no_running_cluster_can_be_joined_is_refused(address: str) -> None:
    with pytest.raises(InvalidArgument, match="expected auto, or HOST:PORT of a cluster that runs"):
        RayCluster(address)


async def test_a_namespace_is_said_or_there_is_a_database_that_has_one() -> None:
    with pytest.raises(InvalidArgument, match="ray namespace"):
        async with RayCluster("127.0.0.1:1").joining():
            pass


async def test_a_cluster_that_cannot_be_joined_is_away_and_says_why() -> None:
    async with RayCluster("127.0.0.1:1", namespace="n").joining() as cluster:
        assert cluster.cluster is None
        with pytest.raises(RayAway, match=r"ConnectionError: nothing answers at 127\.0\.0\.1:1: "):
            await cluster.nodes()


async def test_a_cluster_that_cannot_be_joined_is_not_tried_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    class Counted(ChildProcess):
        def __init__(self, main: str, **options: Any) -> None:
            started.append(main)
            super().__init__(main, **options)

    monkeypatch.setattr(ray_link, "ChildProcess", Counted)
    async with RayCluster("127.0.0.1:1", namespace="n").joining() as cluster:
        for _ in range(20):
            with pytest.raises(RayAway, match="nothing answers at"):
                await cluster.nodes()
    assert 1 <= len(started) < 5


async def test_a_step_that_no_node_can_have_fails_with_what_they_have(ray: RayOfTests) -> None:
    async with RayCluster(ray.address, namespace=new_id()).joining() as cluster:
        keys = {"executor": "ray", "resources": {"cpu": 3, "custom": {"licence": 1}}}
        running = ContractRunner(LocalExecutor(cluster=cluster), MemoryJournal(), keys)
        kind, message = (await running.ran("doubled", {"number": 1})).error
    assert kind == "StepError"
    assert "no node of the Ray cluster has 3 CPU, 1 licence: its 3 nodes have" in str(message)
    assert "4 CPU, 1 GPU" in str(message)


class Rows:
    """Takes in how a cluster stands; the first time it cannot."""

    def __init__(self) -> None:
        self.states = asyncio.Queue[JoinedCluster]()
        self._has_failed = False

    async def installation(self) -> str:
        return new_id()

    async def open_attempts(self, ids: Collection[StepExecutionId]) -> set[StepExecutionId]:
        return set(ids)

    async def tell_cluster(self, joined: JoinedCluster | None) -> None:
        if not self._has_failed:
            self._has_failed = True
            raise DatabaseUnavailable("not now")
        if joined is not None:
            self.states.put_nowait(joined)


async def test_how_it_stands_is_told_while_it_is_joined(ray: RayOfTests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_TELL_SECONDS", 0.0)
    rows = Rows()
    async with RayCluster(ray.address).joining(rows) as cluster:
        for _ in range(2):
            state = await rows.states.get()
            assert state.cluster == cluster.cluster
            assert {"CPU": 4.0, "GPU": 1.0}.items() <= max((each.total for each in state.nodes), key=len).items()
            names = {name for node in state.nodes for name in (*node.total, *node.free)}
            assert not [name for name in names if name.startswith("node:") or name == "object_store_memory"]


async def test_a_driver_that_is_killed_is_started_anew_when_it_is_needed(ray: RayOfTests) -> None:
    async with RayCluster(ray.address, namespace=new_id()).joining() as cluster:
        joined = await cluster.joined()
        (driver,) = children("ray_driver")
        driver.kill()
        while cluster.cluster is not None:  # until that is noticed
            with suppress(RayAway):
                await cluster.nodes()
        assert len(await cluster.nodes()) == 3
        assert cluster.cluster == joined


async def test_a_driver_that_is_frozen_is_replaced(ray: RayOfTests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_connection, "_FROZEN_SECONDS", 1.0)
    async with RayCluster(ray.address, namespace=new_id()).joining() as cluster:
        await cluster.joined()
        (frozen,) = children("ray_driver")
        frozen.suspend()
        nodes: list[Any] = []
        while not nodes:
            with suppress(RayAway):  # it is ended, and another one joins
                nodes = await cluster.nodes()
        assert len(nodes) == 3
        assert not frozen.is_running()
