from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing import JournalContract
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.conformance.clock import Clock, set_clock_of


class TestExecutionTracker(JournalContract):
    """Two trackers with connections of their own over one database, as two processes would have them."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def set_clock(self, clock: Clock, database: DatabaseManager) -> Callable[[datetime], Awaitable[None]]:
        return clock.set if database.dialect == "sqlite" else partial(set_clock_of, database)

    @pytest.fixture
    async def journals(self, database_url: str, dialect: str, clock: Clock) -> AsyncIterator[list[OperatorJournal]]:
        async with AsyncExitStack() as stack:
            journals: list[OperatorJournal] = []
            now = clock if dialect == "sqlite" else None
            for _ in range(2):
                database = await stack.enter_async_context(DatabaseManager(database_url, now=now))
                journals.append(await stack.enter_async_context(ExecutionTracker(database)))
            yield journals
