from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing import JournalContract
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.conformance.clock import set_clock_of
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

    @pytest.fixture
    async def set_clock(self, pooler: Pooler) -> AsyncIterator[Callable[[datetime], Awaitable[None]]]:
        async with DatabaseManager(pooler.url) as database:
            yield partial(set_clock_of, database)
