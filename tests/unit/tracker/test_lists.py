from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import InvalidArgument, StaleVersion
from ia_modules.models import ExecutionId, ExecutionStatus, LogLevel, PipelineId, new_id
from ia_modules.tracker import lists
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters, LogFilters
from ia_modules.transitions import NewExecution, Transition


async def start_many(tracker: ExecutionTracker, slug: str, number: int) -> list[ExecutionId]:
    pipeline_id = await tracker.register_pipeline(slug, slug.title())
    return [await tracker.start_execution(pipeline_id) for _ in range(number)]


async def queue(tracker: ExecutionTracker, pipeline_id: PipelineId) -> ExecutionId:
    execution_id = ExecutionId(new_id())
    new = NewExecution(
        pipeline_id=pipeline_id, pipeline_name="Any", status=ExecutionStatus.PENDING, managed=True, trigger="api"
    )
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, new=new))
    return execution_id


async def test_counts_end_at_their_cap_and_say_so(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        ids = await start_many(tracker, "nightly", 6)
        for execution_id in ids[:3]:
            await tracker.update_execution_status(execution_id, "completed")
        await tracker.update_execution_status(ids[3], "failed")
        counted = await tracker.get_execution_statistics(cap=2)
        assert counted.by_status == dict.fromkeys(ExecutionStatus, 0) | {"completed": 2, "running": 2, "failed": 1}
        assert (counted.capped, counted.cap, counted.total) == (("completed",), 2, 5)
        assert counted.success_rate == 3 / 4
        exact = await tracker.get_execution_statistics(cap=3)
        assert (exact.capped, exact.total) == ((), 6)
        completed = await tracker.get_execution_statistics(ExecutionFilters(status=ExecutionStatus.COMPLETED))
        assert (completed.total, completed.by_status["running"]) == (3, 0)


async def test_counting_with_a_text_counts_nothing_twice(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        ids = await start_many(tracker, "nightly", 3)
        await start_many(tracker, "weekly", 2)
        await tracker.update_execution_status(ids[0], "failed", error_message="nightly is late")
        long_ago = datetime(2000, 1, 1, tzinfo=UTC)
        filters = ExecutionFilters(text="nightly", started_after=long_ago)
        counted = await tracker.get_execution_statistics(filters)
        assert (counted.total, counted.by_status["failed"]) == (3, 1)
        assert [item.execution_id for item in (await tracker.list_executions(filters)).items] == ids[::-1]


@pytest.mark.parametrize(
    ("stands", "text"),
    [
        ("Großer Ärger", "ärger"),
        ("Großer Ärger", "GROSSER Ä"),
        ("Σίσυφος", "ΣΊΣ"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("Ёлка", "ёЛКА"),
        ("İstanbul", "istanbul"),
    ],
)
async def test_a_text_is_found_in_every_script_whatever_its_case(
    database: DatabaseManager, stands: str, text: str
) -> None:
    async with ExecutionTracker(database) as tracker:
        execution_id = await tracker.start_execution(await tracker.register_pipeline("nightly", stands))
        await tracker.log(execution_id, f"a {stands}")
        assert [line.message for line in (await tracker.list_logs(execution_id, LogFilters(text=text))).items]
        await tracker.update_execution_status(execution_id, "failed", error_message=stands)
        other = await tracker.start_execution(await tracker.register_pipeline("weekly", "Another"))
        await tracker.update_execution_status(other, "failed", error_message=stands)

        async def found(text: str, since: datetime | None = None) -> list[str]:
            page = await tracker.list_executions(ExecutionFilters(text=text, started_after=since))
            return [item.execution_id for item in page.items]

        assert await found(text) == [execution_id]
        assert await found(text, datetime(2000, 1, 1, tzinfo=UTC)) == [other, execution_id]
        assert await found(f"{text}%") == []


@pytest.mark.parametrize("narrow", [1, 3, 100])
async def test_a_time_window_finds_the_same_whether_it_is_narrow_or_wide(
    database: DatabaseManager, monkeypatch: pytest.MonkeyPatch, narrow: int
) -> None:
    monkeypatch.setattr(lists, "NARROW_WINDOW", narrow)
    async with ExecutionTracker(database) as tracker:
        ids = await start_many(tracker, "nightly", 5)
        starts = [item.started_at for item in (await tracker.list_executions()).items][::-1]
        first, last = starts[1], starts[3]
        assert first is not None
        assert last is not None

        async def found(**window: Any) -> list[str]:
            page = await tracker.list_executions(ExecutionFilters(status=ExecutionStatus.RUNNING, **window))
            counted = await tracker.get_execution_statistics(ExecutionFilters(**window))
            assert counted.total == len(page.items)
            return [item.execution_id for item in page.items]

        assert await found(started_after=first, started_before=last) == [ids[2], ids[1]]
        assert await found(started_after=last) == [ids[4], ids[3]]
        assert await found(started_before=first) == [ids[0]]
        assert await found(started_after=last + timedelta(days=1)) == []


@pytest.mark.parametrize("narrow", [1, 100])
async def test_what_has_not_started_stands_in_a_window_by_when_it_was_created(
    database: DatabaseManager, monkeypatch: pytest.MonkeyPatch, narrow: int
) -> None:
    monkeypatch.setattr(lists, "NARROW_WINDOW", narrow)
    async with ExecutionTracker(database) as tracker:
        [started] = await start_many(tracker, "nightly", 1)
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        queued, cancelled = [await queue(tracker, pipeline_id) for _ in range(2)]
        await tracker.request_cancel(cancelled)
        queued_at = (await tracker.list_executions()).items[1].created_at
        day = timedelta(days=1)

        async def found(**filters: Any) -> list[str]:
            page = await tracker.list_executions(ExecutionFilters(**filters))
            assert (await tracker.get_execution_statistics(ExecutionFilters(**filters))).total == len(page.items)
            return [item.execution_id for item in page.items]

        assert await found(started_after=queued_at - day) == [cancelled, queued, started]
        assert await found(started_after=queued_at) == [cancelled, queued]
        assert await found(started_before=queued_at) == [started]
        assert await found(started_after=queued_at + day) == []
        for status, expected in (("pending", [queued]), ("cancelled", [cancelled]), ("running", [started])):
            assert await found(started_after=queued_at - day, status=ExecutionStatus(status)) == expected
            assert await found(started_before=queued_at + day, status=ExecutionStatus(status)) == expected
        assert await found(started_after=queued_at - day, pipeline_id=pipeline_id) == [cancelled, queued, started]
        assert await found(started_after=queued_at - day, text="night") == [cancelled, queued, started]
        window = ExecutionFilters(started_after=queued_at - day)
        page = await tracker.list_executions(window, limit=1)
        below = await tracker.list_executions(window, page.next_cursor, 1)
        assert [page.items[0].execution_id, below.items[0].execution_id] == [cancelled, queued]


async def test_log_pages_follow_each_other_also_inside_one_sequence_number(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        [execution_id] = await start_many(tracker, "nightly", 1)
        for level in LogLevel:
            await tracker.log(execution_id, f"a {level}", level=level)
        await database.execute_async("UPDATE execution_logs SET sequence = 2")
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = await tracker.list_logs(execution_id, LogFilters(text="A"), cursor, 3)
            seen += [line.message for line in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert seen == [f"a {level}" for level in LogLevel]
        assert (await tracker.list_logs("nobody")).items == []
        for wrong in ("x", "1", ":", "1:\0", "-1:a"):
            with pytest.raises(InvalidArgument, match="next_cursor"):
                await tracker.list_logs(execution_id, cursor=wrong)


async def test_a_version_made_from_another_than_the_current_one_is_refused(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        await tracker.register_version("nightly", "Nightly", {"v": 1}, base_version=None)
        await tracker.register_version("nightly", "Nightly", {"v": 2}, new_version=True, base_version=1)
        with pytest.raises(StaleVersion, match="is at version 2, not at version 1"):
            await tracker.register_version("nightly", "Other name", {"v": 3}, new_version=True, base_version=1)
        pipeline = await tracker.get_pipeline("nightly")
        assert pipeline is not None
        assert (pipeline.name, pipeline.current_version) == ("Nightly", 2)
