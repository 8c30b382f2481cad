import asyncio

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseUnavailable, ExecutionNotFound
from ia_modules.models import ExecutionStatus
from ia_modules.tracker.bulk import Refused, change_each, find_suited
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters


async def test_each_is_changed_by_itself_and_the_refused_are_named() -> None:
    changed: list[str] = []

    async def change(execution_id: str) -> None:
        if execution_id == "b":
            raise ExecutionNotFound(execution_id)
        changed.append(execution_id)

    refused = await change_each(["a", "b", "c"], change)
    assert sorted(changed) == ["a", "c"]
    assert refused == [Refused(execution_id="b", reason=str(ExecutionNotFound("b")))]


async def test_when_the_database_goes_away_the_rest_is_left() -> None:
    begun: list[str] = []

    async def change(execution_id: str) -> None:
        begun.append(execution_id)
        await asyncio.sleep(0)
        raise DatabaseUnavailable("away")

    with pytest.raises(DatabaseUnavailable):
        await change_each([str(number) for number in range(100)], change)
    assert len(begun) < 100


async def test_only_what_an_action_is_for_is_found_and_more_is_said(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        ids = [await tracker.start_execution(pipeline_id) for _ in range(4)]
        for execution_id, status in zip(ids[:3], ("completed", "failed", "cancelled"), strict=True):
            await tracker.update_execution_status(execution_id, status)
        assert await find_suited(tracker, ExecutionFilters(), ended=True, limit=9) == (ids[2::-1], False)
        assert await find_suited(tracker, ExecutionFilters(), ended=True, limit=2) == (ids[2:0:-1], True)
        assert await find_suited(tracker, ExecutionFilters(), ended=False, limit=9) == ([ids[3]], False)
        none = ExecutionFilters(status=ExecutionStatus.RUNNING)
        assert await find_suited(tracker, none, ended=True, limit=9) == ([], False)
