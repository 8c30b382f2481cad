from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing import JournalContract
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.pooler import Pooler


class TestTrackerBehindPooler(JournalContract):
    """Two trackers behind a pooler in transaction mode, as two processes would be."""

    @pytest.fixture
    async def journals(self, pooler: Pooler) -> AsyncIterator[list[OperatorJournal]]:
        async with AsyncExitStack() as stack:
            journals: list[OperatorJournal] = []
            for _ in range(2):
                database = await stack.enter_async_context(DatabaseManager(pooler.url))
                journals.append(await stack.enter_async_context(ExecutionTracker(database)))
            yield journals
