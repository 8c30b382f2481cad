"""What the rows answer: details, lists, counts, versions."""

from datetime import timedelta
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    ExecutionNotFound,
    InteractionNotFound,
    InvalidArgument,
    PipelineConflict,
    PipelineNotFound,
    StepExecutionNotFound,
)
from ia_modules.models import ExecutionId, ExecutionStatus, PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters


async def test_payloads_over_the_inline_size_are_left_out_of_the_steps(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly import")
    step_id = await tracker.start_step_execution(execution_id, "load", "Load", "task", "x" * 98, None)
    await tracker.complete_step_execution(step_id, "completed", "y" * 99)
    (step,) = await tracker.get_execution_steps(execution_id, inline_bytes=100)
    assert (step.input_bytes, step.output_bytes) == (100, 101)
    assert (step.input_data, step.output_data) == ("x" * 98, None)
    (whole,) = await tracker.get_execution_steps(execution_id)
    assert whole.output_data == "y" * 99


@pytest.mark.parametrize("nothing", ["a\0b", "\ud800", "x" * 501, 7])
async def test_an_id_that_nothing_can_have_is_not_found(
    tracker: ExecutionTracker, pipeline_id: PipelineId, nothing: Any
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    assert await tracker.get_execution(nothing) is None
    assert await tracker.get_execution_steps(nothing) == []
    assert await tracker.get_step_execution(nothing) is None
    assert await tracker.get_interactions(nothing) == []
    with pytest.raises(PipelineNotFound):
        await tracker.start_execution(nothing)
    for refused in (
        tracker.start_step_execution(nothing, "load", "Load", "task"),
        tracker.update_execution_status(nothing, "completed"),
        tracker.log(nothing, "line"),
        tracker.take_over(nothing),
        tracker.request_cancel(nothing),
        tracker.changes(nothing),
    ):
        with pytest.raises(ExecutionNotFound):
            await refused
    for refused in (
        tracker.complete_step_execution(nothing, "completed"),
        tracker.log(execution_id, "line", step_execution_id=nothing),
    ):
        with pytest.raises(StepExecutionNotFound):
            await refused
    with pytest.raises(InteractionNotFound):
        await tracker.answer_interaction(nothing, {}, actor="ann")
    with pytest.raises(InvalidArgument, match="cursor"):
        await tracker.list_executions(cursor=nothing)


@pytest.mark.parametrize("limit", [0, -1, 1001, "5"])
async def test_limits_have_limits(tracker: ExecutionTracker, pipeline_id: PipelineId, limit: Any) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    with pytest.raises(InvalidArgument, match="limit"):
        await tracker.get_recent_executions(limit)
    if limit != 1001:
        with pytest.raises(InvalidArgument, match="limit"):
            await tracker.changes(execution_id, limit=limit)


async def test_lists_are_newest_first_and_paged_without_gaps(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    other = await tracker.register_pipeline("weekly", "Weekly")
    ids = [
        await tracker.start_execution(pipeline_id if number % 2 else other, "Some", {"large": "x" * 100})
        for number in range(7)
    ]
    await tracker.update_execution_status(ids[3], "completed")
    newest = ids[::-1]
    assert [item.execution_id for item in await tracker.get_recent_executions()] == newest
    assert [item.execution_id for item in await tracker.get_recent_executions(2, other)] == [ids[6], ids[4]]

    seen: list[ExecutionId] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = await tracker.list_executions(cursor=cursor, limit=3)
        seen += [item.execution_id for item in page.items]
        cursor, pages = page.next_cursor, pages + 1
    assert (seen, pages) == (newest, 3)

    async def found(**filters: object) -> list[ExecutionId]:
        page = await tracker.list_executions(ExecutionFilters(**filters))  # pyright: ignore[reportArgumentType]
        return [item.execution_id for item in page.items]

    assert await found(status=ExecutionStatus.COMPLETED) == [ids[3]]
    assert await found(status=ExecutionStatus.COMPLETED, pipeline_id=other) == []
    third = await tracker.get_execution(ids[3])
    assert third is not None
    assert third.started_at is not None
    assert await found(started_after=third.started_at) == newest[:4]
    assert await found(started_before=third.started_at) == newest[4:]
    assert await found(started_after=third.started_at + timedelta(hours=1)) == []


async def test_statistics_count_every_status(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    nothing = await tracker.get_execution_statistics()
    assert (nothing.total, nothing.success_rate, nothing.median_seconds) == (0, None, None)
    for status in ("completed", "completed", "completed", "failed", "running"):
        execution_id = await tracker.start_execution(pipeline_id, "Nightly")
        await tracker.update_execution_status(execution_id, status)
    some = await tracker.get_execution_statistics()
    assert some.total == 5
    assert some.by_status == {
        "pending": 0,
        "running": 1,
        "waiting": 0,
        "waiting_for_human": 0,
        "completed": 3,
        "failed": 1,
        "cancelled": 0,
    }
    assert some.success_rate == 0.75
    assert some.median_seconds is not None


async def test_a_pipelines_definition_is_kept_in_versions(tracker: ExecutionTracker, database: DatabaseManager) -> None:
    pipeline_id = await tracker.register_pipeline("etl", "ETL", {"steps": [1]}, description="first", source_folder="/x")
    assert await tracker.register_pipeline("etl", "ETL renamed", {"steps": [1]}) == pipeline_id
    with pytest.raises(PipelineConflict, match="'etl'.*version 1"):
        await tracker.register_pipeline("etl", "ETL refused", {"steps": [2]})
    await tracker.register_pipeline("etl", "ETL", {"steps": [2]}, new_version=True)
    row = await database.fetch_one_async("SELECT name, description, current_version FROM pipelines")
    assert row == {"name": "ETL", "description": "first", "current_version": 2}
    await tracker.register_pipeline("etl", "ETL", {"steps": [1]})
    row = await database.fetch_one_async("SELECT current_version FROM pipelines")
    assert row == {"current_version": 1}
