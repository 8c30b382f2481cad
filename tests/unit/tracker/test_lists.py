from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import InvalidArgument, StaleVersion
from ia_modules.models import (
    Attribute,
    ExecutionId,
    ExecutionStatus,
    PipelineId,
    new_id,
)
from ia_modules.tracker import lists
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lines import LogFilters
from ia_modules.tracker.lists import ExecutionFilters
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

        assert await found(text) == [other, execution_id]
        assert await found(text, datetime(2000, 1, 1, tzinfo=UTC)) == [other, execution_id]
        assert await found(f"{text}%") == []


async def failed_as(tracker: ExecutionTracker, pipeline_id: PipelineId, message: str) -> ExecutionId:
    execution_id = await tracker.start_execution(pipeline_id)
    await tracker.update_execution_status(execution_id, "failed", error_message=message)
    return execution_id


async def test_errors_are_looked_for_in_the_newest_of_each_status_and_it_says_how_far_back(
    database: DatabaseManager,
) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        old = await failed_as(tracker, pipeline_id, "no customer 17")
        cancelled = await tracker.start_execution(pipeline_id)
        await tracker.update_execution_status(cancelled, "cancelled", error_message="no customer 18")
        others = [await failed_as(tracker, pipeline_id, "the disk is full") for _ in range(3)]
        running = await start_many(tracker, "weekly", 5)

        async def found(**filters: Any) -> tuple[list[str], bool]:
            wanted = ExecutionFilters(text="NO customer", **filters)
            page = await tracker.list_executions(wanted)
            counted = await tracker.get_execution_statistics(wanted)
            assert counted.total == len(page.items)
            assert (counted.looked_back_to is None) == (page.looked_back_to is None)
            return [item.execution_id for item in page.items], page.looked_back_to is None

        assert await found() == ([cancelled, old], True)
        assert await found(look_back=4) == ([cancelled, old], True)
        assert await found(look_back=3) == ([cancelled], False)
        assert await found(look_back=3, status=ExecutionStatus.CANCELLED) == ([cancelled], True)
        assert await found(look_back=3, status=ExecutionStatus.RUNNING) == ([], True)
        await failed_as(tracker, pipeline_id, f"{old} was before, {new_id()} was not")
        assert [item.execution_id for item in (await tracker.list_executions(ExecutionFilters(text=old))).items] == [
            old
        ]
        after = await failed_as(tracker, pipeline_id, f"no row {(unknown := new_id())}")
        by_error = await tracker.list_executions(ExecutionFilters(text=unknown.upper()))
        assert [item.execution_id for item in by_error.items] == [after], "the id of something else"
        page = await tracker.list_executions(ExecutionFilters(text="NO customer", look_back=5))
        first = await tracker.get_execution(old)
        assert first is not None
        assert page.looked_back_to == first.created_at, "the newest one that was not looked at"
        counted = await tracker.get_execution_statistics(ExecutionFilters(text="NO customer", look_back=5))
        assert counted.capped == ("failed",), "there may be more"
        assert len(running) + len(others) == 8
        for wrong in (0, 1_000_001):
            with pytest.raises(InvalidArgument, match="1 to 1,000,000"):
                await tracker.list_executions(ExecutionFilters(text="x", look_back=wrong))


async def test_what_is_in_the_list_above_is_found_by_its_error(database: DatabaseManager) -> None:
    """A text that a list shows of an error finds it, across its type and its message, however long that is."""
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        with pytest.raises(ValueError, match="id missing"):
            async with tracker.execution(pipeline_id) as execution, execution.step("charge"):
                raise ValueError("customer id missing " + "x" * 3_000)
        [shown] = (await tracker.list_executions()).items
        assert shown.cause is not None
        for text in (shown.cause, "ValueError: customer", "valueerror", "ID MISSING"):
            assert (await tracker.list_executions(ExecutionFilters(text=text))).items == [shown], text
        assert (shown.failed_step, shown.cause[:27]) == ("charge", "ValueError: customer id mis")


async def test_several_statuses_are_found_together(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        ids = await start_many(tracker, "nightly", 5)
        for execution_id, status in zip(ids, ("completed", "failed", "cancelled"), strict=False):
            await tracker.update_execution_status(execution_id, status)
        bad = (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)

        async def found(**filters: Any) -> list[str]:
            page = await tracker.list_executions(ExecutionFilters(**filters))
            assert (await tracker.get_execution_statistics(ExecutionFilters(**filters))).total == len(page.items)
            return [item.execution_id for item in page.items]

        assert await found(status=bad) == [ids[2], ids[1]]
        assert await found(status=bad[:1]) == [ids[1]]
        assert await found(status=(*bad, ExecutionStatus.RUNNING), text="night") == [ids[4], ids[3], ids[2], ids[1]]
        assert await found(status=bad, started_after=datetime(2000, 1, 1, tzinfo=UTC)) == [ids[2], ids[1]]
        page = await tracker.list_executions(ExecutionFilters(status=bad), limit=1)
        below = await tracker.list_executions(ExecutionFilters(status=bad), page.next_cursor, 1)
        assert [page.items[0].execution_id, below.items[0].execution_id] == [ids[2], ids[1]]
        assert below.next_cursor is None


async def test_version_trigger_worker_and_time_are_looked_for_in_the_newest(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker, ExecutionTracker(database) as other:
        old = await tracker.register_version("nightly", "Nightly", {"v": 1})
        new = await tracker.register_version("nightly", "Nightly", {"v": 2}, new_version=True)
        first = await tracker.start_execution(old.pipeline_id, pipeline_version=old.version)
        second = await other.start_execution(new.pipeline_id, pipeline_version=new.version)
        queued = await queue(tracker, new.pipeline_id)
        await tracker.update_execution_status(first, "completed")
        took = "UPDATE pipeline_executions SET started_at = ia_now(-90), completed_at = ia_now(-30)"
        await database.execute_async(f"{took} WHERE execution_id = :id", {"id": first})
        runs = "UPDATE pipeline_executions SET started_at = ia_now(-600)"
        await database.execute_async(f"{runs} WHERE execution_id = :id", {"id": second})

        async def found(**filters: Any) -> list[str]:
            page = await tracker.list_executions(ExecutionFilters(**filters))
            assert (await tracker.get_execution_statistics(ExecutionFilters(**filters))).total == len(page.items)
            return [item.execution_id for item in page.items]

        assert await found(version=1) == [first]
        assert await found(version=2, pipeline_id=new.pipeline_id) == [second]
        assert (await tracker.list_executions(ExecutionFilters(version=1, look_back=2))).items == []
        each = await tracker.get_execution_statistics(ExecutionFilters(version=1, look_back=2))
        assert (each.total, each.looked_back_to) == (1, None), "counted for each status, as its list would show it"
        assert await found(version=1, look_back=3) == [first]
        assert await found(trigger="api") == [queued]
        assert await found(trigger="program", version=2) == [second]
        assert await found(worker=other.owner[-6:].upper()) == [second]
        assert await found(worker="100%") == []
        assert await found(min_seconds=59.0) == [second, first]
        assert await found(min_seconds=61.0) == [second]
        assert await found(max_seconds=61.0) == [first]
        assert await found(min_seconds=59.0, max_seconds=61.0, status=ExecutionStatus.COMPLETED) == [first]
        window = {"started_after": datetime(2000, 1, 1, tzinfo=UTC)}
        assert await found(version=1, **window) == [first]
        assert await found(trigger="api", **window) == [queued]
        page = await tracker.list_executions(ExecutionFilters(version=1, look_back=2))
        assert page.looked_back_to is not None


@pytest.mark.parametrize("alias", [None, "x"], ids=["planned", "after reading"])
async def test_an_execution_is_found_by_its_attributes_however_it_begins(
    database: DatabaseManager, alias: str | None
) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")

        async def begin(number: int, **attributes: str) -> ExecutionId:
            execution_id = ExecutionId(new_id())
            new = NewExecution(
                pipeline_id=pipeline_id,
                alias=None if alias is None else f"{alias}{number}",
                attributes=tuple(Attribute(key=f"input.{key}", value=value) for key, value in attributes.items()),
            )
            await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, new=new))
            return execution_id

        first = await begin(1, customer="acme", team="a")
        second = await begin(2, customer="acme", team="b")
        third = await begin(3, customer="ACME")
        await begin(4)
        await tracker.update_execution_status(first, "failed", error_message="no customer")

        async def found(look_back: int = 10, **filters: Any) -> list[str]:
            names = ("status", "text", "started_after")
            attributes = {f"input.{key}": value for key, value in filters.items() if key not in names}
            others = {name: value for name, value in filters.items() if name in names}
            wanted = ExecutionFilters(attributes=attributes, look_back=look_back, **others)
            page = await tracker.list_executions(wanted)
            counted = await tracker.get_execution_statistics(wanted)
            assert (counted.total, counted.looked_back_to) == (len(page.items), page.looked_back_to)
            assert (page.looked_back_to is not None) == (look_back == 1)
            return [item.execution_id for item in page.items]

        assert await found(customer="acme") == [second, first]
        assert await found(customer="acme", team="a") == [first]
        assert await found(customer="ACME") == [third]
        assert await found(customer="acm") == []
        assert await found(customer="a\0b") == []
        assert await found(customer="acme", status=ExecutionStatus.RUNNING) == [second]
        assert await found(customer="acme", text="NO cust") == [first]
        assert await found(customer="acme", started_after=datetime(2000, 1, 1, tzinfo=UTC)) == [second, first]
        assert await found(customer="acme", text="nightly", look_back=1) == [second], "the newest one that has it"
        alone = ExecutionFilters(attributes={"input.customer": "acme"}, look_back=1)
        assert (await tracker.list_executions(alone)).looked_back_to is None, "an index has it"
        assert [item.execution_id for item in (await tracker.list_executions(alone)).items] == [second, first]
        page = await tracker.list_executions(ExecutionFilters(attributes={"input.customer": "acme"}), limit=1)
        below = await tracker.list_executions(
            ExecutionFilters(attributes={"input.customer": "acme"}), page.next_cursor, 1
        )
        assert [item.execution_id for item in (*page.items, *below.items)] == [second, first]
        await database.execute_async("DELETE FROM pipeline_executions WHERE execution_id = :id", {"id": third})
        rows = await database.fetch_all_async("SELECT value FROM execution_attributes ORDER BY value")
        assert [row["value"] for row in rows] == ["a", "acme", "acme", "b"], "they go with their execution"


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


async def test_a_version_made_from_another_than_the_current_one_is_refused(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        await tracker.register_version("nightly", "Nightly", {"v": 1}, base_version=None)
        await tracker.register_version("nightly", "Nightly", {"v": 2}, new_version=True, base_version=1)
        with pytest.raises(StaleVersion, match="is at version 2, not at version 1"):
            await tracker.register_version("nightly", "Other name", {"v": 3}, new_version=True, base_version=1)
        pipeline = await tracker.get_pipeline("nightly")
        assert pipeline is not None
        assert (pipeline.name, pipeline.current_version) == ("Nightly", 2)
