from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing import JournalContract
from ia_modules.tracker.execution_tracker import ExecutionTracker


class TestExecutionTracker(JournalContract):
    """Two trackers with connections of their own over one database, as two processes would have them."""

    @pytest.fixture
    async def journals(self, database_url: str) -> AsyncIterator[list[OperatorJournal]]:
        async with AsyncExitStack() as stack:
            journals: list[OperatorJournal] = []
            for _ in range(2):
                database = await stack.enter_async_context(DatabaseManager(database_url))
                journals.append(await stack.enter_async_context(ExecutionTracker(database)))
            yield journals
