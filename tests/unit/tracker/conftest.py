"""A tracker on each database, a pipeline to record executions of, and what tracked functions have recorded."""

from collections.abc import AsyncIterator, Generator

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import PipelineId
from ia_modules.tracker import program
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.tracker.tracked_records import Programs, RecordedProgram, programs_in


@pytest.fixture
async def tracker(database: DatabaseManager) -> AsyncIterator[ExecutionTracker]:
    async with ExecutionTracker(database) as tracker:
        yield tracker


@pytest.fixture
async def pipeline_id(tracker: ExecutionTracker) -> PipelineId:
    return await tracker.register_pipeline("nightly", "Nightly import")


@pytest.fixture
def programs(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Generator[Programs]:
    """Records the calls of a test; called, it gives what is on record when all is written."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def written() -> list[RecordedProgram]:
        program.close()
        return programs_in(database_url)

    yield written
    program.close()
