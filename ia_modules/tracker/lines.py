"""Lists of log lines: filters and pages."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from ia_modules.errors import InvalidArgument
from ia_modules.models import GAP_LOGGER, NO_ID, Json, LogLevel, LogRecord, RunPath, is_id, sought_id
from ia_modules.paths import GRAPH
from ia_modules.tracker.lists import pattern_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilters:
    """Filters of a list of log lines; None = any.

    Attributes:
        within: the path of the run whose lines they are; the graph's own by default. An attempt has its level.
        level: this one or more severe; ``output``: what steps gave as it came, and nothing else. None: any but that.
        with_output: what steps gave as it came is among them, too.
        text: found in the message. A line that stands for others, which are left out, is found by any text.
    """

    step_execution_id: str | None = None
    within: RunPath = GRAPH
    level: LogLevel | None = None
    with_output: bool = False
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some lines, oldest first.

    Attributes:
        next_cursor: the cursor of the lines after them; None: there are none yet.
        left_out: how many lines are not on record, of those that the filters but the text let through; None: it is said
            on the first page only.
    """

    items: list[LogRecord]
    next_cursor: str | None
    left_out: int | None = None


def log_params(execution_id: str, filters: LogFilters, *, cursor: str | None) -> dict[str, str | int | None]:
    """The parameters of ``list_logs``, ``list_logs_of_attempt`` and ``list_gaps``, but for the limit.

    Raises:
        InvalidArgument: the cursor is none.
    """
    position = re.fullmatch(r"([0-9]{1,18}):(.*)", cursor or f"0:{NO_ID}")
    if position is None or not is_id(position[2]):
        raise InvalidArgument("cursor", repr(cursor)[:80], "next_cursor of a page of log lines")
    is_output = filters.level is LogLevel.OUTPUT
    return {
        "execution_id": execution_id,
        "step_execution_id": sought_id(filters.step_execution_id),
        "within": filters.within,
        "severity": 0 if filters.level is None else _SEVERITY[filters.level],
        "severity_of_output": _SEVERITY[LogLevel.OUTPUT] if filters.with_output or is_output else -1,
        "pattern": None if filters.text is None else pattern_of(filters.text),
        "gap_logger": GAP_LOGGER,
        "cursor_sequence": int(position[1]),
        "cursor_id": position[2],
    }


_SEVERITY = {level: number for number, level in enumerate(LogLevel)}  # that of output is above all others


def log_page(rows: list[dict[str, Any]], gaps: list[dict[str, Any]] | None, *, limit: int) -> LogPage:
    """``gaps``: the rows of ``list_gaps``; None: they were not read."""
    items = [LogRecord.from_row(row) for row in rows[:limit]]
    more = len(rows) > limit
    return LogPage(
        items=items,
        next_cursor=f"{items[-1].sequence}:{items[-1].log_id}" if more else None,
        left_out=None if gaps is None else sum(_left_out_of(row["data"]) for row in gaps),
    )


def _left_out_of(data: str | None) -> int:
    """How many lines a gap stands for, by its data; a run file may have any."""
    value: Json = None if data is None else orjson.loads(data)
    count = value.get("left_out") if isinstance(value, dict) else None
    return count if type(count) is int and count > 0 else 0
