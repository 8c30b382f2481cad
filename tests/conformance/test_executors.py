"""Everything that runs steps keeps the promises of the executor contract, on every journal."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.executor import LocalExecutor, StepExecutor
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.executor_contract import ExecutorContract, ProcessesContract
from ia_modules.tracker.execution_tracker import ExecutionTracker


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


class TestProcessesOfTracked(TestProcesses):
    """The same where everything is on record in a database."""

    @pytest.fixture
    async def journal(self, database: DatabaseManager) -> AsyncGenerator[OperatorJournal]:
        async with ExecutionTracker(database) as tracker:
            yield tracker
