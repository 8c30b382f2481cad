"""Lists of executions and of log lines: filters, free text, pages and capped counts. Nothing here scans a table.

Free text may be found in several places. An OR over them would be answered by walking through all executions; so each
way to find some is a query of its own, which finds its index, and what they find is put together.
"""

import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ia_modules.database.manager import Script, Statement
from ia_modules.errors import InvalidArgument
from ia_modules.models import ExecutionStatus, ExecutionSummary, LogLevel, LogRecord, PipelineId, Row, parse_time
from ia_modules.payload import is_storable_id

COUNT_CAP = 10_000
"""Beyond this many, a count only says "more"."""

RECENT = 1_000
"""How many of the newest executions tell how long one takes."""

MOST_PIPELINES = 20
"""Of the pipelines that a text is found in, the newest so many are looked at."""

NARROW_WINDOW = 20_000
"""Up to so many executions of any time window are looked at to know between which ids they stand."""

_EVERY = 2**31 - 1

Query = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilters:
    """Which executions to list; None = any.

    The time window is about the start; one that has not started stands in it by when it was created.

    Attributes:
        text: found at the beginning of the id, in name or slug of the pipeline, or, with ``started_after``, in the
            error; see :attr:`searches_errors`.
    """

    status: ExecutionStatus | None = None
    pipeline_id: PipelineId | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    text: str | None = None

    @property
    def has_window(self) -> bool:
        return self.started_after is not None or self.started_before is not None

    @property
    def searches_errors(self) -> bool:
        """Errors are searched inside a time window only: no index knows them."""
        return self.started_after is not None


_CONDITIONS: Mapping[str, str] = {
    "status": "{status} = :status",
    "pipeline_id": "{pipeline_id} = :pipeline_id",
    "started_after": "{begin} >= :started_after",
    "started_before": "{begin} < :started_before",
    "cursor": "execution_id < :cursor",
}
_STARTED = {"status": "status", "pipeline_id": "pipeline_id", "begin": "started_at"}
# With something put to them, no index of these is taken: that of the start has those without one, newest first.
_NOT_STARTED = {"status": "status || ''", "pipeline_id": "pipeline_id || ''", "begin": "created_at"}
_MAY_NOT_HAVE_STARTED = (None, ExecutionStatus.PENDING, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)
_ID_BEGINS = "execution_id >= :text AND execution_id < :text_end AND substr(execution_id, 1, length(:text)) = :text"
_IN_BOUNDS = "execution_id >= :first_id AND execution_id <= :last_id"
_OF_PIPELINE = "{{pipeline_id}} = :found_pipeline_{number}"
_ERROR_HAS = """{status} IN ('failed', 'cancelled')
   AND (lower(error_message) LIKE lower(:pattern) ESCAPE '!' OR lower(error_type) LIKE lower(:pattern) ESCAPE '!')"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPage:
    """Some executions, newest first. ``next_cursor`` asks for the page below; None: there is none.

    Of an error's message a list has the first 500 characters.
    """

    items: list[ExecutionSummary]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionStatistics:
    """How executions stand.

    Attributes:
        by_status: number of executions for every status, at most ``cap``.
        capped: the statuses of which there are more than ``cap``.
        total: the sum of what was counted.
        success_rate: completed among completed and failed, 0 to 1, of the newest 1,000 of these; None: there are none.
        median_seconds: median duration of the newest 1,000 that completed; None: there are none.
    """

    total: int
    by_status: Mapping[str, int]
    capped: tuple[str, ...]
    cap: int
    success_rate: float | None
    median_seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "by_status": dict(self.by_status),
            "capped": list(self.capped),
            "cap": self.cap,
            "success_rate": self.success_rate,
            "median_seconds": self.median_seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilters:
    """Which log lines to list; None = any.

    Attributes:
        level: this one or more severe.
        text: found in the message.
    """

    step_execution_id: str | None = None
    level: LogLevel | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some lines, oldest first. ``next_cursor`` asks for those after; None: there are none now."""

    items: list[LogRecord]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to find executions: conditions, and their parameters; ``columns`` are those that the conditions name."""

    conditions: str
    params: Mapping[str, Any]
    columns: Mapping[str, str] = field(default_factory=lambda: _STARTED)

    def and_(self, other: "_Way") -> "_Way":
        return _Way(f"{self.conditions} AND {other.conditions}", {**self.params, **other.params})

    def of_not_started(self) -> "_Way":
        """The same among those that have not started."""
        return _Way(f"started_at IS NULL AND {self.conditions}", self.params, _NOT_STARTED)

    def put_into(self, sql: str) -> str:
        return sql.replace("WHERE TRUE", f"WHERE {self.conditions.format_map(self.columns)}")


_NOTHING = _Way("FALSE", {})


def page_script(query: Query, filters: ExecutionFilters, *, cursor: str | None, limit: int) -> Script[ExecutionPage]:
    """A page of executions.

    Raises:
        InvalidArgument: an id has characters that no id can have.
    """
    bounds = yield from _bounds(query, filters, cursor)
    searches = yield from _searches(query, filters)
    found: dict[str, Row] = {}
    for way in _ways(filters, cursor, bounds, searches):
        rows = yield Statement(way.put_into(query("list_executions")), [{**way.params, "limit": limit + 1}])
        found |= {row["execution_id"]: row for row in rows}
    newest = sorted(found, reverse=True)
    items = [ExecutionSummary.from_row(found[execution_id]) for execution_id in newest[:limit]]
    return ExecutionPage(items=items, next_cursor=items[-1].execution_id if len(newest) > limit else None)


def statistics_script(query: Query, filters: ExecutionFilters, *, cap: int) -> Script[ExecutionStatistics]:
    """How the executions stand."""
    bounds = yield from _bounds(query, filters, None)
    searches = yield from _searches(query, filters)
    counts: dict[str, int] = {}
    ends: dict[str, list[Row]] = {}
    for status in ExecutionStatus:
        if filters.status not in (None, status):
            counts[status.value] = 0
            continue
        ways = _ways(replace(filters, status=status), None, bounds, searches)
        every = " UNION ".join(way.put_into(query("found_executions")) for way in ways)
        asked = {key: value for way in ways for key, value in way.params.items()} | {"most": cap + 1}
        [row] = yield Statement(query("count_found").replace("SELECT NULL AS execution_id", every), [asked])
        counts[status.value] = row["executions"]
        if status in (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED):
            ends[status.value] = yield from _recent_ends(query, ways)
    completed = ends.get("completed", [])
    ended = sorted([*completed, *ends.get("failed", [])], key=lambda row: row["execution_id"], reverse=True)[:RECENT]
    seconds = [*_seconds(completed)]
    by_status = {status: min(count, cap) for status, count in counts.items()}
    return ExecutionStatistics(
        total=sum(by_status.values()),
        by_status=by_status,
        capped=tuple(status for status, count in counts.items() if count > cap),
        cap=cap,
        success_rate=sum(row["status"] == "completed" for row in ended) / len(ended) if ended else None,
        median_seconds=statistics.median(seconds) if seconds else None,
    )


def log_params(execution_id: str, filters: LogFilters, *, cursor: str | None) -> dict[str, str | int | None]:
    """The parameters of ``list_logs``, but for the limit.

    Raises:
        InvalidArgument: the cursor is none.
    """
    told = re.fullmatch(r"([0-9]{1,18}):([\w.:-]{1,200})", cursor or "0:-")
    if told is None:
        raise InvalidArgument("cursor", repr(cursor)[:80], "next_cursor of a page of log lines")
    return {
        "execution_id": execution_id,
        "step_execution_id": filters.step_execution_id,
        "severity": 0 if filters.level is None else list(LogLevel).index(filters.level),
        "pattern": None if filters.text is None else pattern_of(filters.text),
        "cursor_sequence": int(told[1]),
        "cursor_id": told[2],
    }


def log_page(rows: list[dict[str, Any]], *, limit: int) -> LogPage:
    items = [LogRecord.from_row(row) for row in rows[:limit]]
    more = len(rows) > limit
    return LogPage(items=items, next_cursor=f"{items[-1].sequence}:{items[-1].log_id}" if more else None)


def pattern_of(text: str) -> str:
    """The pattern of ``LIKE ... ESCAPE '!'`` that finds this text, taken literally, anywhere."""
    literal = re.sub("([!%_])", r"!\1", text)
    return f"%{literal}%"


def _bounds(query: Query, filters: ExecutionFilters, cursor: str | None) -> Script[_Way | None]:
    """Between which ids a time window lies, so that a list, which goes by id, begins and ends with it; None: not known.

    To know it of a wide window, the start of each in it is read. That is quicker only than to walk to the window's end
    through all that came later, or than to look for a text in all that came before it.
    """
    if not filters.has_window:
        return None
    window = _filtered(ExecutionFilters(started_after=filters.started_after, started_before=filters.started_before))
    sql = window.put_into(query("window_bounds"))
    [row] = yield Statement(sql, [{**window.params, "most": NARROW_WINDOW}])
    if row["executions"] == NARROW_WINDOW:
        if not filters.text and (filters.started_before is None or cursor is not None):
            return None
        [row] = yield Statement(sql, [{**window.params, "most": _EVERY}])
    return _Way(_IN_BOUNDS, row) if row["executions"] else _NOTHING


def _searches(query: Query, filters: ExecutionFilters) -> Script[list[_Way] | None]:
    """The ways to find the text; None when there is no text."""
    if not filters.text:
        return None
    pattern = pattern_of(filters.text)
    pipelines = yield Statement(query("find_pipelines"), [{"pattern": pattern, "limit": MOST_PIPELINES}])
    ways = [
        _Way(_OF_PIPELINE.format(number=number), {f"found_pipeline_{number}": row["id"]})
        for number, row in enumerate(pipelines)
    ]
    prefix = filters.text.lower()
    if re.fullmatch("[0-9a-f-]{1,36}", prefix):
        # Ids are hexadecimal: whatever begins with the text comes before the text with a z, in every collation.
        ways.append(_Way(_ID_BEGINS, {"text": prefix, "text_end": f"{prefix}z"}))
    if filters.searches_errors:
        ways.append(_Way(_ERROR_HAS, {"pattern": pattern}))
    return ways or [_NOTHING]


def _ways(
    filters: ExecutionFilters, cursor: str | None, bounds: _Way | None, searches: list[_Way] | None
) -> list[_Way]:
    """All ways to find what is asked for."""
    base = _filtered(filters, cursor)
    ways = [base] if searches is None else [base.and_(way) for way in searches]
    started = ways if bounds is None else [way.and_(bounds) for way in ways]
    if not filters.has_window or filters.status not in _MAY_NOT_HAVE_STARTED:
        return started
    return [*started, *(way.of_not_started() for way in ways)]


def _filtered(filters: ExecutionFilters, cursor: str | None = None) -> _Way:
    asked: dict[str, Any] = {
        "status": filters.status,
        "pipeline_id": filters.pipeline_id,
        "started_after": filters.started_after,
        "started_before": filters.started_before,
        "cursor": cursor,
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    for name in asked.keys() & {"pipeline_id", "cursor"}:
        if not is_storable_id(asked[name]):
            raise InvalidArgument(name, repr(asked[name])[:80], "an id")
    return _Way(" AND ".join(_CONDITIONS[name] for name in asked) or "TRUE", asked)


def _recent_ends(query: Query, ways: list[_Way]) -> Script[list[Row]]:
    found: dict[str, Row] = {}
    for way in ways:
        rows = yield Statement(way.put_into(query("recent_ends")), [{**way.params, "limit": RECENT}])
        found |= {row["execution_id"]: row for row in rows}
    return [found[execution_id] for execution_id in sorted(found, reverse=True)[:RECENT]]


def _seconds(rows: list[Row]) -> Iterator[float]:
    for row in rows:
        yield max(0.0, (parse_time(row["completed_at"]) - parse_time(row["started_at"])).total_seconds())
