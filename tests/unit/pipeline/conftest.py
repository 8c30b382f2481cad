"""Every journal that a runner may write to."""

from collections.abc import AsyncGenerator

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.tracker.execution_tracker import ExecutionTracker


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Where the journal keeps its records."""
    return request.param


@pytest.fixture
def journal_url(dialect: str, request: pytest.FixtureRequest) -> str | None:
    """Of the journal's database; None: it has none."""
    if dialect == "pooled":  # for those who ask for it: PostgreSQL behind a pooler in transaction mode
        return request.getfixturevalue("pooler").url
    return None if dialect == "memory" else request.getfixturevalue("database_url")


@pytest.fixture
async def journal(journal_url: str | None) -> AsyncGenerator[OperatorJournal]:
    """A journal in memory, on SQLite or on PostgreSQL."""
    if journal_url is None:
        yield MemoryJournal()
        return
    async with DatabaseManager(journal_url) as database, ExecutionTracker(database) as tracker:
        yield tracker
