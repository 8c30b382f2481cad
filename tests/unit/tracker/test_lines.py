from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import InvalidArgument
from ia_modules.models import GAP_LOGGER, SEVERITIES, ExecutionId, JsonText, LogLevel, new_id
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lines import LogFilters
from ia_modules.transitions import LogLine, Transition


async def start_many(tracker: ExecutionTracker, slug: str, number: int) -> list[ExecutionId]:
    pipeline_id = await tracker.register_pipeline(slug, slug.title())
    return [await tracker.start_execution(pipeline_id) for _ in range(number)]


async def test_log_pages_follow_each_other_also_inside_one_sequence_number(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        [execution_id] = await start_many(tracker, "nightly", 1)
        for level in LogLevel:  # output is another list
            await tracker.log(execution_id, f"a {level}", level=level)
        await database.execute_async("UPDATE execution_logs SET sequence = 2")
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = await tracker.list_logs(execution_id, LogFilters(text="A"), cursor, 3)
            seen += [line.message for line in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert seen == [f"a {level}" for level in SEVERITIES]
        assert (await tracker.list_logs("nobody")).items == []
        for wrong in ("x", "1", ":", "1:\0", "-1:a"):
            with pytest.raises(InvalidArgument, match="next_cursor"):
                await tracker.list_logs(execution_id, cursor=wrong)


@pytest.mark.parametrize("of_attempt", [True, False])
async def test_output_is_among_the_lines_only_where_it_is_wanted(
    database: DatabaseManager, *, of_attempt: bool
) -> None:
    async with ExecutionTracker(database) as tracker:
        [execution_id] = await start_many(tracker, "nightly", 1)
        attempt = await tracker.start_step_execution(execution_id, "talk", "Talk", "task")
        for level in LogLevel:
            await tracker.log(execution_id, f"a {level}", level=level, step_execution_id=attempt)
        own = attempt if of_attempt else None

        async def found(**filters: Any) -> list[str]:
            page = await tracker.list_logs(execution_id, LogFilters(step_execution_id=own, text="A", **filters))
            return [line.message for line in page.items]

        assert await found() == ["a debug", "a info", "a warning", "a error"]
        assert await found(level=LogLevel.WARNING) == ["a warning", "a error"]
        assert await found(level=LogLevel.WARNING, with_output=True) == ["a warning", "a error", "a output"]
        assert await found(with_output=True) == [f"a {level}" for level in LogLevel]
        assert await found(level=LogLevel.OUTPUT) == ["a output"]


async def test_what_was_left_out_of_the_record_is_counted_and_found_by_any_text(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        [execution_id, other] = await start_many(tracker, "nightly", 2)
        gaps = (LogLevel.INFO, '{"left_out":70}'), (LogLevel.ERROR, '{"left_out":2}'), (LogLevel.INFO, "[1]")
        lines = [gap_line(level, data) for level, data in gaps] + [gap_line(LogLevel.INFO, None)]
        lines.append(LogLine(log_id=new_id(), message="paid", data=JsonText('{"left_out":5}'), logger="shop"))
        await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, logs=tuple(lines)))
        await tracker.log(execution_id, "fine", level="warning")
        page = await tracker.list_logs(execution_id)
        assert page.left_out == 72
        assert [line.logger for line in page.items] == [*[GAP_LOGGER] * 4, "shop", None]
        found = await tracker.list_logs(execution_id, LogFilters(text="paid"), None, 5)
        assert (found.left_out, [line.message for line in found.items]) == (72, [*["some left out"] * 4, "paid"])
        severe = await tracker.list_logs(execution_id, LogFilters(level=LogLevel.WARNING, text="fine"))
        assert (severe.left_out, [line.message for line in severe.items]) == (2, ["some left out", "fine"])
        first = await tracker.list_logs(execution_id, limit=5)
        assert first.left_out == 72
        assert (await tracker.list_logs(execution_id, cursor=first.next_cursor)).left_out is None
        assert (await tracker.list_logs(other)).left_out == 0


async def test_lines_of_an_attempt_come_as_they_were_logged_also_where_some_were_written_before_others(
    database: DatabaseManager,
) -> None:
    async with ExecutionTracker(database) as tracker:
        [execution_id] = await start_many(tracker, "nightly", 1)
        step = await tracker.start_step_execution(execution_id, "talk", "Talk", "task", None)
        early, late = (LogLine(log_id=new_id(), message=text, step_execution_id=step) for text in ("early", "late"))
        for line in (late, early):
            await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, logs=(line,)))
        await tracker.log(execution_id, "of the execution")
        texts = [line.message for line in (await tracker.list_logs(execution_id)).items]
        assert texts == ["late", "early", "of the execution"]
        filters = LogFilters(step_execution_id=step)
        first = await tracker.list_logs(execution_id, filters, limit=1)
        rest = await tracker.list_logs(execution_id, filters, first.next_cursor)
        assert [line.message for line in (*first.items, *rest.items)] == ["early", "late"]
        assert rest.next_cursor is None


def gap_line(level: LogLevel, data: str | None) -> LogLine:
    text = None if data is None else JsonText(data)
    return LogLine(log_id=new_id(), message="some left out", level=level, data=text, logger=GAP_LOGGER)
