"""What every example is run with."""

from collections.abc import AsyncGenerator

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker


@pytest.fixture
async def tracker(database: DatabaseManager) -> AsyncGenerator[ExecutionTracker]:
    """A tracker over this test's own database, SQLite and PostgreSQL in turn."""
    async with ExecutionTracker(database) as tracker:
        yield tracker
