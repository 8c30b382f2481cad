"""Lists of executions: filters, free text, pages and capped counts. Nothing here scans a table.

Free text may be found in several places, and several statuses may be wanted. For an OR over them the database would
read every execution; so each of these is a search of its own, which uses its index, and the results are merged.

What has no index (errors, and some filters) is looked for in the newest executions that the other filters let through,
``look_back`` of them for each search. An answer says how far back that was.
"""

import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from ia_modules.database.manager import Script, Statement
from ia_modules.errors import InvalidArgument
from ia_modules.models import (
    ExecutionStatus,
    ExecutionSummary,
    PipelineId,
    Row,
    format_time,
    ids_beginning,
    is_id,
    parse_time,
    sought_id,
)
from ia_modules.payload import check_count, is_storable_id

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

LOOK_BACK = 10_000
"""What has no index is looked for in so many executions, where nobody wants more."""

MOST_LOOK_BACK = 1_000_000

ERROR_CHARACTERS = 2_000
"""So much of an error is searched."""

_EVERY = 2**31 - 1

Sort = Literal["newest", "cost"]
"""The order of a list: the newest first, or the dearest, without those of which no cost is known."""

Sentence = Callable[[str], str]
"""The SQL of a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilters:
    """Filters of a list of executions; None = any.

    The time window is of the start; for an execution that has not started, of its creation.

    Attributes:
        status: one, or any of several.
        failure_group: of those that failed alike, see :mod:`ia_modules.failure_groups`.
        failed_after: of a failure group: failed at this time or later.
        text: found at the beginning of the id or of the alias (as it is written), in name or slug of the pipeline, or
            in the first 2,000 characters of the error; the whole id of an execution in no error.
        attributes: values by their keys, as ``searchable`` of the pipeline's file names them; all of them, exactly.
        version: of the pipeline.
        trigger: what started it, such as ``api`` or ``cli``.
        worker: found in the name of the process that runs it, or ran it last.
        min_seconds, max_seconds: how long it took, or what runs has taken so far; what has not started is left out.
        look_back: version, trigger, worker, seconds and errors have no index: they are looked for in so many of the
            newest executions that all else lets through, 1 to 1,000,000; errors in so many that failed and so many that
            were cancelled; each value of an attribute in so many that have it, where it is not all that is wanted.
    """

    status: ExecutionStatus | tuple[ExecutionStatus, ...] | None = None
    pipeline_id: PipelineId | None = None
    failure_group: str | None = None
    failed_after: datetime | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    text: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    version: int | None = None
    trigger: str | None = None
    worker: str | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    look_back: int = LOOK_BACK

    @property
    def has_window(self) -> bool:
        return self.started_after is not None or self.started_before is not None

    @property
    def statuses(self) -> tuple[ExecutionStatus, ...]:
        """Those that are let through."""
        if self.status is None:
            return tuple(ExecutionStatus)
        several = (self.status,) if isinstance(self.status, str) else self.status
        return tuple(dict.fromkeys(map(ExecutionStatus, several)))


_CONDITIONS: Mapping[str, str] = {
    "status": "{status} = :status",
    "pipeline_id": "{pipeline_id} = :pipeline_id",
    "failure_group": "failure_group = :failure_group",
    "failed_after": "COALESCE(completed_at, NULL) >= :failed_after",
    "started_after": "{begin} >= :started_after",
    "started_before": "{begin} < :started_before",
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
_IN_ORDER_OF_COST = {
    "status": "status || ''",
    "pipeline_id": "COALESCE(pipeline_id, NULL)",
    "begin": "COALESCE(started_at, created_at)",
}
_NEWEST_FIRST, _DEAREST_FIRST = "ORDER BY execution_id DESC", "ORDER BY cost_micros DESC, execution_id DESC"
_MICROS_DIGITS = 18
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
_VALUE_ALONE = """execution_id IN (SELECT execution_id FROM execution_attributes
   WHERE key = :key AND value = :value AND {cursor} ORDER BY execution_id DESC LIMIT :limit)"""
_IN_BOUNDS = "execution_id >= :first_id AND execution_id <= :last_id"
_OF_PIPELINE = "{{pipeline_id}} = :found_pipeline_{number}"
_ERROR_HAS = f"""ia_fold(COALESCE(error_type || ': ', '') || COALESCE(substr(error_message, 1, {ERROR_CHARACTERS}), ''))
   LIKE ia_fold(:pattern) ESCAPE '!'"""
_WITH_ERRORS = (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)
_TOOK = "(SELECT seconds FROM execution_times AS timed WHERE timed.execution_id = pipeline_executions.execution_id)"
_LOOKED_FOR: Mapping[str, str] = {
    "version": "pipeline_version = :version",
    "trigger": "trigger = :trigger",
    "worker": "ia_fold(owner) LIKE ia_fold(:worker) ESCAPE '!'",
    "min_seconds": "CASE WHEN completed_at IS NULL THEN started_at <= ia_now(-CAST(:min_seconds AS DOUBLE PRECISION))"
    f" ELSE {_TOOK} >= :min_seconds END",
    "max_seconds": "CASE WHEN completed_at IS NULL THEN started_at >= ia_now(-CAST(:max_seconds AS DOUBLE PRECISION))"
    f" ELSE {_TOOK} <= :max_seconds END",
}
"""Filters that no index has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPage:
    """Some executions, newest first, with the first 500 characters of an error's message.

    Attributes:
        next_cursor: the cursor of the next, older page; None: this is the last one.
        looked_back_to: what has no index was looked for in executions that were created after this; None: in all.
    """

    items: list[ExecutionSummary]
    next_cursor: str | None
    looked_back_to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionStatistics:
    """How many executions have which status, and how they ended.

    Attributes:
        by_status: number of executions for every status, at most ``cap``.
        capped: the statuses of which there are more than ``cap``, or may be more than were found.
        total: the sum of what was counted.
        success_rate: completed among completed and failed, 0 to 1, of the newest 1,000 of these; None: there are none.
        median_seconds: median duration of the newest 1,000 that completed; None: there are none.
        looked_back_to: what has no index was looked for in executions that were created after this; None: in all.
    """

    total: int
    by_status: Mapping[str, int]
    capped: tuple[str, ...]
    cap: int
    success_rate: float | None
    median_seconds: float | None
    looked_back_to: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "by_status": dict(self.by_status),
            "capped": list(self.capped),
            "cap": self.cap,
            "success_rate": self.success_rate,
            "median_seconds": self.median_seconds,
            "looked_back_to": None if self.looked_back_to is None else format_time(self.looked_back_to),
        }


@dataclass(frozen=True, slots=True)
class _Search:
    """One search for executions: SQL conditions and the values of their parameters.

    Attributes:
        columns: the expressions that the conditions use for ``{status}``, ``{pipeline_id}`` and ``{begin}``.
        looked_for: conditions that no index has, looked at where the others are true.
    """

    conditions: str
    params: Mapping[str, Any]
    columns: Mapping[str, str] = field(default_factory=lambda: _STARTED)
    looked_for: str | None = None

    def also(self, other: "_Search") -> "_Search":
        """Executions that both searches find."""
        looked_for = [each for each in (self.looked_for, other.looked_for) if each is not None]
        return replace(
            self,
            conditions=f"{self.conditions} AND {other.conditions}",
            params={**self.params, **other.params},
            looked_for=" AND ".join(looked_for) or None,
        )

    def among_not_started(self) -> "_Search":
        return replace(self, conditions=f"started_at IS NULL AND {self.conditions}", columns=_NOT_STARTED)

    def sql(self, sentence: str) -> str:
        """A sentence of ``lists.sql`` with all conditions."""
        every = self.conditions if self.looked_for is None else f"{self.conditions} AND {self.looked_for}"
        return sentence.format(conditions=every.format_map(self.columns))

    def sql_with_index(self, sentence: str) -> str:
        """The same with those that an index has."""
        return sentence.format(conditions=self.conditions.format_map(self.columns))


_NOTHING = _Search("FALSE", {})


def page_script(
    sentence: Sentence, filters: ExecutionFilters, *, cursor: str | None, limit: int, sort: Sort = "newest"
) -> Script[ExecutionPage]:
    """Reads one page of executions; ``sentence`` returns the SQL of a name.

    Raises:
        InvalidArgument: the cursor is none.
    """
    if sort == "cost":
        return (yield from _dearest(sentence, filters, cursor=cursor, limit=limit))
    check_count(filters.look_back, "look_back", low=1, high=MOST_LOOK_BACK)
    below = _below(cursor)
    alone = _value_alone(filters, below)
    searches, looked_back_to = ([alone], None) if alone is not None else (yield from _found(sentence, filters, cursor))
    if alone is None and below is not None:
        searches = [search.also(below) for search in searches]
    rows_by_id = yield from _newest(sentence("list_executions"), searches, limit + 1)
    newest = sorted(rows_by_id, reverse=True)
    items = [ExecutionSummary.from_row(rows_by_id[execution_id]) for execution_id in newest[:limit]]
    return ExecutionPage(
        items=items,
        next_cursor=items[-1].execution_id if len(newest) > limit else None,
        looked_back_to=looked_back_to,
    )


def _dearest(sentence: Sentence, filters: ExecutionFilters, *, cursor: str | None, limit: int) -> Script[ExecutionPage]:
    """The dearest first, in the order of their own index; without those of which no cost is known."""
    check_count(filters.look_back, "look_back", low=1, high=MOST_LOOK_BACK)
    searches, looked_back_to = yield from _found(sentence, filters, None)
    cheaper = _Search("cost_micros IS NOT NULL", {}) if cursor is None else _cheaper(cursor)
    by_cost = sentence("list_executions").replace(_NEWEST_FIRST, _DEAREST_FIRST)
    searches = [replace(search.also(cheaper), columns=_IN_ORDER_OF_COST) for search in searches]
    rows = (yield from _newest(by_cost, searches, limit + 1)).values()
    found = sorted(rows, key=lambda row: (row["cost_micros"], row["execution_id"]), reverse=True)
    items = [ExecutionSummary.from_row(row) for row in found[:limit]]
    is_last = len(found) <= limit
    next_cursor = None if is_last else f"{items[-1].cost_micros}:{items[-1].execution_id}"
    return ExecutionPage(items=items, next_cursor=next_cursor, looked_back_to=looked_back_to)


def _cheaper(cursor: str) -> _Search:
    """What comes after a page of the dearest. Raises InvalidArgument: the cursor is none."""
    micros, _, execution_id = cursor.partition(":")
    if not (micros.isascii() and micros.isdecimal() and len(micros) <= _MICROS_DIGITS and is_id(execution_id)):
        raise InvalidArgument("cursor", repr(cursor)[:80], "next_cursor of a page of executions in order of their cost")
    return _Search(
        "cost_micros <= :most_micros AND (cost_micros < :most_micros OR execution_id < :cursor)",
        {"most_micros": int(micros), "cursor": execution_id},
    )


def statistics_script(sentence: Sentence, filters: ExecutionFilters, *, cap: int) -> Script[ExecutionStatistics]:
    """Reads the statistics of the executions that the filters let through."""
    check_count(filters.look_back, "look_back", low=1, high=MOST_LOOK_BACK)
    bounds = yield from _bounds(sentence, filters, None)
    texts = yield from _text_searches(sentence, filters)
    attributes = yield from _attributes(sentence, filters)
    in_errors = yield from _may_be_in_errors(sentence, filters)
    counts = dict.fromkeys((status.value for status in ExecutionStatus), 0)
    reaches: dict[str, datetime] = {}
    ends: dict[str, Row] = {}
    for status in filters.statuses:
        every = _searches(replace(filters, status=status), bounds, texts, attributes, in_errors=in_errors)
        searches, reach = yield from _within_reach(sentence, every, filters.look_back)
        if (looked_back_to := _nearest(reach, attributes)) is not None:
            reaches[status.value] = looked_back_to
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
        capped=tuple(status for status, count in counts.items() if count > cap or status in reaches),
        cap=cap,
        success_rate=sum(row["status"] == "completed" for row in ended) / len(ended) if ended else None,
        median_seconds=statistics.median(seconds) if seconds else None,
        looked_back_to=max(reaches.values(), default=None),
    )


def pattern_of(text: str) -> str:
    """The pattern of ``LIKE ... ESCAPE '!'`` that finds this text, taken literally, anywhere."""
    literal = re.sub("([!%_])", r"!\1", text)
    return f"%{literal}%"


def _found(
    sentence: Sentence, filters: ExecutionFilters, cursor: str | None
) -> Script[tuple[list[_Search], datetime | None]]:
    """The searches of a list, and how far back everything is looked at; None: all is."""
    bounds = yield from _bounds(sentence, filters, cursor)
    texts = yield from _text_searches(sentence, filters)
    attributes = yield from _attributes(sentence, filters)
    in_errors = yield from _may_be_in_errors(sentence, filters)
    every = _searches(filters, bounds, texts, attributes, in_errors=in_errors)
    searches, reach = yield from _within_reach(sentence, every, filters.look_back)
    return searches, _nearest(reach, attributes)


def _value_alone(filters: ExecutionFilters, below: _Search | None) -> _Search | None:
    """As many of the newest executions with a value as a page takes; None: something else is wanted, too.

    An index has them in the order of the list, so that neither more are looked at nor fewer found.
    """
    if len(filters.attributes) != 1 or replace(filters, attributes={}, look_back=LOOK_BACK) != ExecutionFilters():
        return None
    [(key, value)] = filters.attributes.items()
    if not (is_storable_id(key) and is_storable_id(value)):
        return _NOTHING
    cursor = _Search("TRUE", {}) if below is None else below
    return _Search(_VALUE_ALONE.format(cursor=cursor.conditions), {"key": key, "value": value, **cursor.params})


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
        walks_only = not filters.text and _looked_for(filters) is None
        if walks_only and (filters.started_before is None or cursor is not None):
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
    return searches


@dataclass(frozen=True, slots=True)
class _Attributes:
    """Executions that have some values; ``looked_back_to``: others that have them were created before this."""

    search: _Search
    looked_back_to: datetime | None


def _attributes(sentence: Sentence, filters: ExecutionFilters) -> Script[_Attributes | None]:
    """The newest executions that have each value; None: no value is wanted."""
    search: _Search | None = None
    ends: list[datetime] = []
    for number, (key, value) in enumerate(filters.attributes.items()):
        if not (is_storable_id(key) and is_storable_id(value)):
            return _Attributes(_NOTHING, None)
        params = {f"key_{number}": key, f"value_{number}": value}
        rows = yield Statement(
            sentence("find_attribute_reach"), [{"key": key, "value": value, "look_back": filters.look_back}]
        )
        after = ""
        if rows:
            ends.append(parse_time(rows[0]["created_at"]))
            after, params[f"after_{number}"] = f" AND execution_id > :after_{number}", rows[0]["execution_id"]
        found = f"SELECT execution_id FROM execution_attributes WHERE key = :key_{number} AND value = :value_{number}"  # noqa: S608 - numbers of ours
        one = _Search(f"execution_id IN ({found}{after})", params)
        search = one if search is None else search.also(one)
    return None if search is None else _Attributes(search, max(ends, default=None))


def _nearest(reach: datetime | None, attributes: _Attributes | None) -> datetime | None:
    """How far back everything was looked at; None: all was."""
    ends = [reach, None if attributes is None else attributes.looked_back_to]
    return max((end for end in ends if end is not None), default=None)


def _may_be_in_errors(sentence: Sentence, filters: ExecutionFilters) -> Script[bool]:
    """Whether a text is looked for in errors: there is one, and it is not the whole id of an execution."""
    if not filters.text:
        return False
    execution_id = filters.text.lower()
    return not (is_id(execution_id) and (yield Statement(sentence("find_execution"), [{"execution_id": execution_id}])))


def _searches(
    filters: ExecutionFilters,
    bounds: _Search | None,
    texts: list[_Search] | None,
    attributes: _Attributes | None,
    *,
    in_errors: bool,
) -> list[_Search]:
    """Searches that together find every execution which the filters let through."""
    searches: list[_Search] = []
    for status in (None,) if filters.status is None else filters.statuses:
        base = _filtered(filters, status, attributes)
        found = [base] if texts is None else [base.also(text) for text in texts]
        searches += found if bounds is None else [search.also(bounds) for search in found]
        if filters.has_window and status in _MAY_NOT_HAVE_STARTED:
            searches += [search.among_not_started() for search in found]
    if in_errors and filters.text:
        has = _Search("TRUE", {"pattern": pattern_of(filters.text)}, looked_for=_ERROR_HAS)
        for status in (each for each in _WITH_ERRORS if each in filters.statuses):
            found = _filtered(filters, status, attributes).also(has)
            searches.append(found if bounds is None else found.also(bounds))
            if filters.has_window:
                searches.append(found.among_not_started())
    return searches or [_NOTHING]


def _within_reach(
    sentence: Sentence, searches: list[_Search], look_back: int
) -> Script[tuple[list[_Search], datetime | None]]:
    """The searches, in the newest ``look_back`` executions where no index helps; until when these go back.

    None: no execution is left out.
    """
    within: list[_Search] = []
    ends: list[datetime] = []
    for number, search in enumerate(searches):
        if search.looked_for is None:
            within.append(search)
            continue
        rows = yield Statement(
            search.sql_with_index(sentence("find_reach")), [{**search.params, "look_back": look_back}]
        )
        if rows:
            ends.append(parse_time(rows[0]["created_at"]))
            search = search.also(
                _Search(f"execution_id > :reach_{number}", {f"reach_{number}": rows[0]["execution_id"]})
            )
        within.append(search)
    return within, max(ends, default=None)


def _below(cursor: str | None) -> _Search | None:
    """What is older than a page. Raises InvalidArgument: the cursor is none."""
    if cursor is None:
        return None
    if not is_id(cursor):
        raise InvalidArgument("cursor", repr(cursor)[:80], "next_cursor of a page of executions")
    return _Search("execution_id < :cursor", {"cursor": cursor})


def _looked_for(filters: ExecutionFilters) -> _Search | None:
    """The filters that no index has; None: there are none."""
    values = {
        "version": filters.version,
        "trigger": filters.trigger,
        "worker": None if filters.worker is None else pattern_of(filters.worker),
        "min_seconds": filters.min_seconds,
        "max_seconds": filters.max_seconds,
    }
    params = {name: value for name, value in values.items() if value is not None}
    return _Search("TRUE", params, looked_for=" AND ".join(_LOOKED_FOR[name] for name in params)) if params else None


def _filtered(
    filters: ExecutionFilters, status: ExecutionStatus | None = None, attributes: _Attributes | None = None
) -> _Search:
    """The filters without their text; of a status and with attributes where there are any."""
    values = {
        "status": status,
        "pipeline_id": sought_id(filters.pipeline_id),
        "failure_group": filters.failure_group,
        "failed_after": filters.failed_after,
        "started_after": filters.started_after,
        "started_before": filters.started_before,
    }
    if filters.failed_after is not None and filters.failure_group is None:
        raise InvalidArgument("failed_after", "no failure_group", "one, whose failures since then are meant")
    params = {name: value for name, value in values.items() if value is not None}
    columns = _STARTED if filters.failure_group is None else _FAILED_ALIKE
    found = _Search(" AND ".join(_CONDITIONS[name] for name in params) or "TRUE", params, columns)
    if attributes is not None:
        found = found.also(attributes.search)
    looked_for = _looked_for(filters)
    return found if looked_for is None else found.also(looked_for)


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
