"""Pipelines as they are shown: how each did lately, and one with its definition. All of it is read from the rows."""

import math
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import orjson

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    Json,
    PipelineId,
    PipelineRecord,
    PipelineVersionRecord,
    Row,
    parse_time,
)
from ia_modules.pipeline.inputs import input_schema_of
from ia_modules.tracker.details import INLINE_BYTES
from ia_modules.tracker.lists import COUNT_CAP, pattern_of
from ia_modules.tracker.metrics import success_rate
from showcase_app.backend.services.definitions import Node, Way, defaults_of, understood

STRIP = 30
"""Executions in the strip of bars that shows how a pipeline did lately."""

ENDED = 100
"""Executions that its success rate and its typical times are made of."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentExecution:
    """A bar of the strip."""

    execution_id: ExecutionId
    status: ExecutionStatus
    created_at: Any
    started_at: Any
    completed_at: Any
    duration_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOverview(PipelineRecord):
    """A pipeline, and how it did lately.

    Attributes:
        recent: the newest executions, oldest first.
        success_rate: completed among the newest that completed or failed; None: there are none.
        p50_seconds, p95_seconds: of those of them that completed; None: there are none.
        active: executions that have not ended, counted up to 10,000.
    """

    runnable: bool
    step_count: int
    recent: list[RecentExecution]
    success_rate: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    active: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineView(PipelineOverview):
    """A pipeline with one of its definitions."""

    version: int | None
    source_folder_known: bool
    definition: dict[str, Any] | None
    input_schema: dict[str, Any] | None
    default_input: dict[str, Any]
    last_input: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinePage:
    items: list[PipelineOverview]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """One definition; None: it is no object."""

    version: int
    content_hash: str
    created_at: Any
    is_current: bool
    definition: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    items: list[VersionView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphView:
    pipeline_id: PipelineId
    version: int
    start_at: str
    nodes: list[Node]
    edges: list[Way]


async def read_overviews(
    database: DatabaseManager, *, search: str | None, archived: bool, cursor: str | None, limit: int
) -> PipelinePage:
    """Pipelines by slug, those after ``cursor``."""
    asked = {
        "is_active": not archived,
        "pattern": pattern_of(search) if search else None,
        "cursor": cursor or "",
        "limit": limit + 1,
    }

    def read() -> Script[PipelinePage]:
        rows = yield Statement(database.query("list_pipeline_page"), [asked])
        pipelines = [PipelineRecord.from_row(row) for row in rows[:limit]]
        items = yield from _overviews(database, pipelines)
        return PipelinePage(items=items, next_cursor=items[-1].slug if len(rows) > limit else None)

    return await database.read(read())


async def read_view(
    database: DatabaseManager, pipeline: PipelineRecord, stored: PipelineVersionRecord | None
) -> PipelineView:
    """A pipeline with one of its versions, None = it has none."""

    def read() -> Script[tuple[PipelineOverview, Json]]:
        [overview] = yield from _overviews(database, [pipeline])
        asked = {"pipeline_id": pipeline.id, "inline_bytes": INLINE_BYTES}
        last = yield Statement(database.query("last_input_of_pipeline"), [asked])
        return overview, orjson.loads(last[0]["input_data"] or "null") if last else None

    overview, last_input = await database.read(read())
    definition = None if stored is None else understood(stored)
    return PipelineView(
        **_fields_of(overview),
        version=None if stored is None else stored.version,
        source_folder_known=stored is not None and stored.source_folder is not None,
        definition=None if stored is None else _object(stored.definition),
        input_schema=None if definition is None else input_schema_of(definition),
        default_input={} if definition is None else defaults_of(definition),
        last_input=_object(last_input),
    )


async def read_versions(
    database: DatabaseManager, pipeline: PipelineRecord, *, before: int | None, limit: int
) -> VersionPage:
    """The versions of a pipeline below ``before``, newest first."""
    asked = {"pipeline_id": pipeline.id, "before": 2**31 - 1 if before is None else before, "limit": limit + 1}
    rows = await database.fetch_all_async(database.query("list_pipeline_versions"), asked)
    versions = [PipelineVersionRecord.from_row(row) for row in rows[:limit]]
    items = [
        VersionView(
            version=each.version,
            content_hash=each.content_hash,
            created_at=each.created_at,
            is_current=each.version == pipeline.current_version,
            definition=_object(each.definition),
        )
        for each in versions
    ]
    return VersionPage(items=items, next_cursor=str(items[-1].version) if len(rows) > limit else None)


def _overviews(database: DatabaseManager, pipelines: list[PipelineRecord]) -> Script[list[PipelineOverview]]:
    query = database.query
    ids: list[dict[str, Any]] = [{"pipeline_id": each.id} for each in pipelines]
    versions = [{"pipeline_id": each.id, "version": each.current_version} for each in pipelines if each.current_version]
    steps = yield Statement(query("count_pipeline_steps"), versions)
    recent = yield Statement(query("recent_executions_of_pipeline"), [each | {"limit": STRIP} for each in ids])
    ended = yield Statement(query("recent_ends_of_pipeline"), [each | {"limit": ENDED} for each in ids])
    active = yield Statement(query("count_active_of_pipeline"), [each | {"limit": COUNT_CAP} for each in ids])
    step_counts = {row["pipeline_id"]: row["steps"] for row in steps}
    active_counts = {row["pipeline_id"]: row["active"] for row in active}
    return [
        PipelineOverview(
            **_fields_of(pipeline),
            runnable=pipeline.current_version is not None,
            step_count=step_counts.get(pipeline.id, 0),
            recent=[_bar(row) for row in reversed(recent) if row["pipeline_id"] == pipeline.id],
            **_outcome([row for row in ended if row["pipeline_id"] == pipeline.id]),
            active=active_counts[pipeline.id],
        )
        for pipeline in pipelines
    ]


def _outcome(ended: list[Row]) -> dict[str, Any]:
    seconds = sorted(_seconds(row) or 0.0 for row in ended if row["status"] == ExecutionStatus.COMPLETED)
    return {
        "success_rate": success_rate(len(seconds), len(ended) - len(seconds)),
        "p50_seconds": _percentile(seconds, 0.5),
        "p95_seconds": _percentile(seconds, 0.95),
    }


def _percentile(ordered: list[float], fraction: float) -> float | None:
    """The smallest value that so much of all is not above (the nearest rank); None when there is none."""
    return ordered[math.ceil(fraction * len(ordered)) - 1] if ordered else None


def _bar(row: Row) -> RecentExecution:
    times = {
        name: None if row[name] is None else parse_time(row[name])
        for name in ("created_at", "started_at", "completed_at")
    }
    return RecentExecution(
        execution_id=row["execution_id"],
        status=ExecutionStatus(row["status"]),
        **times,
        duration_seconds=_seconds(row),
    )


def _seconds(row: Row) -> float | None:
    if row["started_at"] is None or row["completed_at"] is None:
        return None
    return max(0.0, (parse_time(row["completed_at"]) - parse_time(row["started_at"])).total_seconds())


def _fields_of(record: PipelineRecord) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _object(value: Json) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
