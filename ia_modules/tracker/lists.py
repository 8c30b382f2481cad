"""Lists of executions and of log lines: filters, free text, pages and capped counts. Nothing here scans a table.

Free text may be found in several places. For an OR over them the database would read every execution; so each place has
a search of its own, which uses its index, and the results are merged.
"""

import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ia_modules.database.manager import Script, Statement
from ia_modules.errors import InvalidArgument
from ia_modules.models import (
    NO_ID,
    ExecutionStatus,
    ExecutionSummary,
    LogLevel,
    LogRecord,
    PipelineId,
    Row,
    RunPath,
    ids_beginning,
    is_id,
    parse_time,
    sought_id,
)
from ia_modules.paths import GRAPH
from ia_modules.payload import is_storable_id

COUNT_CAP = 10_000
"""Beyond this many, a count only says "more"."""

RECENT = 1_000
"""Median and success rate are of so many of the newest executions."""

MOST_PIPELINES = 20
"""A text is searched in the executions of so many pipelines whose name has it, the newest."""

MOST_OF_ALIAS = 1_000
"""Of the executions whose alias begins with a text, so many are found, in the order of their aliases."""

NARROW_WINDOW = 20_000
"""The range of ids of a time window is read when it has fewer executions than this."""

_EVERY = 2**31 - 1

Sentence = Callable[[str], str]
"""The SQL of a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilters:
    """Filters of a list of executions; None = any.

    The time window is of the start; for an execution that has not started, of its creation.

    Attributes:
        failure_group: of those that failed alike, see :mod:`ia_modules.failure_groups`.
        failed_after: of a failure group: failed at this time or later.
        text: found at the beginning of the id or of the alias (as it is written), in name or slug of the pipeline, or,
            with ``started_after``, in the error; see :attr:`searches_errors`.
    """

    status: ExecutionStatus | None = None
    pipeline_id: PipelineId | None = None
    failure_group: str | None = None
    failed_after: datetime | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    text: str | None = None

    @property
    def has_window(self) -> bool:
        return self.started_after is not None or self.started_before is not None

    @property
    def searches_errors(self) -> bool:
        """Errors are searched inside a time window only: they have no index."""
        return self.started_after is not None


_CONDITIONS: Mapping[str, str] = {
    "status": "{status} = :status",
    "pipeline_id": "{pipeline_id} = :pipeline_id",
    "failure_group": "failure_group = :failure_group",
    "failed_after": "COALESCE(completed_at, NULL) >= :failed_after",
    "started_after": "{begin} >= :started_after",
    "started_before": "{begin} < :started_before",
    "cursor": "execution_id < :cursor",
}
_STARTED = {"status": "status", "pipeline_id": "pipeline_id", "begin": "started_at"}
# An expression takes no index of its column; the index of the start is left: it has those without one, newest first.
_NOT_STARTED = {
    "status": "status || ''",
    "pipeline_id": "CASE WHEN started_at IS NULL THEN pipeline_id END",
    "begin": "created_at",
}
# The same, also in failed_after, so that an index of a failure group's executions is used, and no other.
_FAILED_ALIKE = {"status": "status || ''", "pipeline_id": "COALESCE(pipeline_id, NULL)", "begin": "started_at"}
_MAY_NOT_HAVE_STARTED = (
    None,
    ExecutionStatus.PENDING,
    ExecutionStatus.WAITING,
    ExecutionStatus.FAILED,
    ExecutionStatus.CANCELLED,
)
_ID_BEGINS = "execution_id >= :lowest_id AND execution_id <= :highest_id"
# Aliases are compared by their bytes on both databases: what begins with the text is a range. It is found first.
_ALIAS_BEGINS = """execution_id IN (SELECT execution_id FROM execution_aliases
   WHERE alias >= :alias AND alias < :alias_end ORDER BY alias LIMIT :most_of_alias)"""
_IN_BOUNDS = "execution_id >= :first_id AND execution_id <= :last_id"
_OF_PIPELINE = "{{pipeline_id}} = :found_pipeline_{number}"
_ERROR_HAS = """{status} IN ('failed', 'cancelled')
   AND (ia_fold(error_message) LIKE ia_fold(:pattern) ESCAPE '!'
        OR ia_fold(error_type) LIKE ia_fold(:pattern) ESCAPE '!')"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPage:
    """Some executions, newest first, with the first 500 characters of an error's message.

    ``next_cursor``: the cursor of the next, older page; None: this is the last one.
    """

    items: list[ExecutionSummary]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionStatistics:
    """How many executions have which status, and how they ended.

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
    """Filters of a list of log lines; None = any.

    Attributes:
        within: the path of the run whose lines they are; the graph's own by default. An attempt has its level.
        level: this one or more severe.
        text: found in the message.
    """

    step_execution_id: str | None = None
    within: RunPath = GRAPH
    level: LogLevel | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some lines, oldest first. ``next_cursor``: the cursor of the lines after them; None: there are none yet."""

    items: list[LogRecord]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Search:
    """One search for executions: SQL conditions and the values of their parameters.

    ``columns``: the expressions that the conditions use for ``{status}``, ``{pipeline_id}`` and ``{begin}``.
    """

    conditions: str
    params: Mapping[str, Any]
    columns: Mapping[str, str] = field(default_factory=lambda: _STARTED)

    def also(self, other: "_Search") -> "_Search":
        """Executions that both searches find."""
        return _Search(f"{self.conditions} AND {other.conditions}", {**self.params, **other.params}, self.columns)

    def among_not_started(self) -> "_Search":
        return _Search(f"started_at IS NULL AND {self.conditions}", self.params, _NOT_STARTED)

    def sql(self, sentence: str) -> str:
        """A sentence of ``lists.sql`` with these conditions."""
        return sentence.format(conditions=self.conditions.format_map(self.columns))


_NOTHING = _Search("FALSE", {})


def page_script(
    sentence: Sentence, filters: ExecutionFilters, *, cursor: str | None, limit: int
) -> Script[ExecutionPage]:
    """Reads one page of executions; ``sentence`` returns the SQL of a name.

    Raises:
        InvalidArgument: the cursor is none.
    """
    bounds = yield from _bounds(sentence, filters, cursor)
    texts = yield from _text_searches(sentence, filters)
    rows_by_id = yield from _newest(sentence("list_executions"), _searches(filters, cursor, bounds, texts), limit + 1)
    newest = sorted(rows_by_id, reverse=True)
    items = [ExecutionSummary.from_row(rows_by_id[execution_id]) for execution_id in newest[:limit]]
    return ExecutionPage(items=items, next_cursor=items[-1].execution_id if len(newest) > limit else None)


def statistics_script(sentence: Sentence, filters: ExecutionFilters, *, cap: int) -> Script[ExecutionStatistics]:
    """Reads the statistics of the executions that the filters let through."""
    bounds = yield from _bounds(sentence, filters, None)
    texts = yield from _text_searches(sentence, filters)
    counts: dict[str, int] = {}
    ends: dict[str, Row] = {}
    for status in ExecutionStatus:
        if filters.status not in (None, status):
            counts[status.value] = 0
            continue
        searches = _searches(replace(filters, status=status), None, bounds, texts)
        counts[status.value] = yield from _count(sentence, searches, most=cap + 1)
        if status in (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED):
            ends |= yield from _newest(sentence("recent_ends"), searches, RECENT)
    recent = [ends[execution_id] for execution_id in sorted(ends, reverse=True)]
    completed = [row for row in recent if row["status"] == "completed"][:RECENT]
    ended = recent[:RECENT]
    seconds = list(_seconds(completed))
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
    position = re.fullmatch(r"([0-9]{1,18}):(.*)", cursor or f"0:{NO_ID}")
    if position is None or not is_id(position[2]):
        raise InvalidArgument("cursor", repr(cursor)[:80], "next_cursor of a page of log lines")
    return {
        "execution_id": execution_id,
        "step_execution_id": sought_id(filters.step_execution_id),
        "within": filters.within,
        "severity": 0 if filters.level is None else list(LogLevel).index(filters.level),
        "pattern": None if filters.text is None else pattern_of(filters.text),
        "cursor_sequence": int(position[1]),
        "cursor_id": position[2],
    }


def log_page(rows: list[dict[str, Any]], *, limit: int) -> LogPage:
    items = [LogRecord.from_row(row) for row in rows[:limit]]
    more = len(rows) > limit
    return LogPage(items=items, next_cursor=f"{items[-1].sequence}:{items[-1].log_id}" if more else None)


def pattern_of(text: str) -> str:
    """The pattern of ``LIKE ... ESCAPE '!'`` that finds this text, taken literally, anywhere."""
    literal = re.sub("([!%_])", r"!\1", text)
    return f"%{literal}%"


def _bounds(sentence: Sentence, filters: ExecutionFilters, cursor: str | None) -> Script[_Search | None]:
    """The range of ids of a time window, so that a list, which goes by id, ends with it; None: not known.

    For a wide window every start in it is read. That is quicker only than walking to the end of the window past
    everything later, or than searching a text in everything earlier.
    """
    if not filters.has_window:
        return None
    window = _filtered(ExecutionFilters(started_after=filters.started_after, started_before=filters.started_before))
    sql = window.sql(sentence("window_bounds"))
    [row] = yield Statement(sql, [{**window.params, "most": NARROW_WINDOW}])
    if row["executions"] == NARROW_WINDOW:
        if not filters.text and (filters.started_before is None or cursor is not None):
            return None
        [row] = yield Statement(sql, [{**window.params, "most": _EVERY}])
    return _Search(_IN_BOUNDS, row) if row["executions"] else _NOTHING


def _text_searches(sentence: Sentence, filters: ExecutionFilters) -> Script[list[_Search] | None]:
    """One search for each place in which the text may be found; None when there is no text."""
    if not filters.text:
        return None
    pattern = pattern_of(filters.text)
    pipelines = yield Statement(sentence("find_pipelines"), [{"pattern": pattern, "limit": MOST_PIPELINES}])
    searches = [
        _Search(_OF_PIPELINE.format(number=number), {f"found_pipeline_{number}": row["id"]})
        for number, row in enumerate(pipelines)
    ]
    if (found := ids_beginning(filters.text.lower())) is not None:
        searches.append(_Search(_ID_BEGINS, {"lowest_id": found[0], "highest_id": found[1]}))
    if is_storable_id(filters.text):
        bounds = {"alias": filters.text, "alias_end": f"{filters.text}\U0010ffff", "most_of_alias": MOST_OF_ALIAS}
        searches.append(_Search(_ALIAS_BEGINS, bounds))
    if filters.searches_errors:
        searches.append(_Search(_ERROR_HAS, {"pattern": pattern}))
    return searches or [_NOTHING]


def _searches(
    filters: ExecutionFilters, cursor: str | None, bounds: _Search | None, texts: list[_Search] | None
) -> list[_Search]:
    """Searches that together find every execution which the filters let through."""
    base = _filtered(filters, cursor)
    searches = [base] if texts is None else [base.also(text) for text in texts]
    started = searches if bounds is None else [search.also(bounds) for search in searches]
    if not filters.has_window or filters.status not in _MAY_NOT_HAVE_STARTED:
        return started
    return [*started, *(search.among_not_started() for search in searches)]


def _filtered(filters: ExecutionFilters, cursor: str | None = None) -> _Search:
    values = {
        "status": filters.status,
        "pipeline_id": sought_id(filters.pipeline_id),
        "failure_group": filters.failure_group,
        "failed_after": filters.failed_after,
        "started_after": filters.started_after,
        "started_before": filters.started_before,
        "cursor": cursor,
    }
    if cursor is not None and not is_id(cursor):
        raise InvalidArgument("cursor", repr(cursor)[:80], "next_cursor of a page of executions")
    if filters.failed_after is not None and filters.failure_group is None:
        raise InvalidArgument("failed_after", "no failure_group", "one, whose failures since then are meant")
    params = {name: value for name, value in values.items() if value is not None}
    columns = _STARTED if filters.failure_group is None else _FAILED_ALIKE
    return _Search(" AND ".join(_CONDITIONS[name] for name in params) or "TRUE", params, columns)


def _count(sentence: Sentence, searches: list[_Search], *, most: int) -> Script[int]:
    """How many executions the searches find together, counted up to ``most``."""
    params = {key: value for search in searches for key, value in search.params.items()} | {"most": most}
    every = " UNION ".join(search.sql(sentence("found_executions")) for search in searches)
    [row] = yield Statement(sentence("count_found").format(searches=every), [params])
    return row["executions"]


def _newest(sentence: str, searches: list[_Search], limit: int) -> Script[dict[str, Row]]:
    """The newest ``limit`` rows of each search, by their execution's id."""
    newest: dict[str, Row] = {}
    for search in searches:
        rows = yield Statement(search.sql(sentence), [{**search.params, "limit": limit}])
        newest |= {row["execution_id"]: row for row in rows}
    return newest


def _seconds(rows: list[Row]) -> Iterator[float]:
    for row in rows:
        yield max(0.0, (parse_time(row["completed_at"]) - parse_time(row["started_at"])).total_seconds())
