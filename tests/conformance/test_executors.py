"""Everything that runs steps keeps the promises of the executor contract, on every journal."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.engines.ray import RayCluster
from ia_modules.models import new_id
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.executor import LocalExecutor, StepExecutor
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.executor_contract import ContractRunner, ExecutorContract, ProcessesContract, RemoteContract
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.ray_cluster import RayOfTests


class TestLocal(ExecutorContract):
    @pytest.fixture
    def executor(self) -> StepExecutor:
        return LocalExecutor()


class TestProcesses(ProcessesContract):
    @pytest.fixture
    def executor(self) -> StepExecutor:
        return LocalExecutor(processes=2)

    @pytest.fixture
    def keys(self) -> dict[str, Any]:
        return {"isolation": "process"}


class TestRay(RemoteContract):
    @pytest.fixture
    async def executor(self, ray: RayOfTests) -> AsyncGenerator[StepExecutor]:
        async with RayCluster(ray.address, namespace=new_id()).joining() as cluster:
            yield LocalExecutor(cluster=cluster)

    @pytest.fixture
    def keys(self) -> dict[str, Any]:
        return {"executor": "ray", "resources": {"cpu": 0.1}}

    async def test_each_item_of_a_map_has_its_place_on_record(
        self, running: ContractRunner, journal: OperatorJournal
    ) -> None:
        ran = await running.ran("doubled", {"numbers": [1, 2]}, map="{pipeline_input.numbers}")
        items = await journal.get_execution_steps(ran.execution.execution_id, within=run_path(GRAPH, "step", 1))
        assert ran.last.place is None
        for item in items:
            assert item.place is not None
            assert item.place.resources == {"CPU": 0.1}
        assert len({item.place.pid for item in items if item.place is not None}) == 2


class TestProcessesOfTracked(TestProcesses):
    """The same where everything is on record in a database."""

    @pytest.fixture
    async def journal(self, database: DatabaseManager) -> AsyncGenerator[OperatorJournal]:
        async with ExecutionTracker(database) as tracker:
            yield tracker
