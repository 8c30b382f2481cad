from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.worker.queue import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "rows").mkdir()
    return Place(tmp_path / "rows")


@pytest.fixture
async def tracker(database: DatabaseManager) -> AsyncGenerator[ExecutionTracker]:
    """Who queues and looks; it runs nothing."""
    async with ExecutionTracker(database) as tracker:
        yield tracker
