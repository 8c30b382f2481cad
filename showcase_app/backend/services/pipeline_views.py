"""Pipelines as they are shown: how each did lately, one with its definition, its versions, its graph. Read anew."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import PipelineDefinitionError
from ia_modules.models import ExecutionStatus, Json, PipelineRecord, PipelineVersionRecord, Row, parse_time
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.merge import rules_text
from ia_modules.pipeline.document.wording import shown
from ia_modules.pipeline.drawing.diagram import edges_of
from ia_modules.pipeline.inputs import input_schema_of
from ia_modules.pipeline.versions import definition_of
from ia_modules.tracker.details import INLINE_BYTES
from ia_modules.tracker.lists import COUNT_CAP, pattern_of
from ia_modules.tracker.metrics import success_rate
from ia_modules.tracker.offers import DefinitionOwner, read_offers, stored_beside
from ia_modules.tracker.registration import definition_owner
from showcase_app.backend.schemas.pipelines import (
    DefinitionOwnerOut,
    GraphEdge,
    GraphNode,
    GraphOut,
    PipelineDetail,
    PipelineOut,
    PipelinePageOut,
    PipelineVersionOut,
    PipelineVersionPageOut,
    RecentExecutionOut,
)

STRIP = 30
"""Executions in the strip of bars that shows how a pipeline did lately."""

ENDED = 100
"""Executions that its success rate and its typical times are made of."""


IsUsable = Callable[[PipelineVersionRecord], bool]
"""Whether the code of a version is found."""


async def read_overviews(
    database: DatabaseManager,
    is_usable: IsUsable,
    *,
    search: str | None,
    archived: bool,
    cursor: str | None,
    limit: int,
) -> PipelinePageOut:
    """Pipelines by slug, those after ``cursor``."""
    params = {
        "is_active": not archived,
        "pattern": pattern_of(search) if search else None,
        "cursor": cursor or "",
        "limit": limit + 1,
    }

    def read() -> Script[PipelinePageOut]:
        rows = yield Statement(database.query("list_pipeline_page"), [params])
        pipelines = [PipelineRecord.from_row(row) for row in rows[:limit]]
        items = yield from _overviews(database, pipelines, is_usable)
        return PipelinePageOut(items=items, next_cursor=items[-1].slug if len(rows) > limit else None)

    return await database.read(read())


async def read_view(
    database: DatabaseManager, is_usable: IsUsable, pipeline: PipelineRecord, stored: PipelineVersionRecord | None
) -> PipelineDetail:
    """A pipeline with one of its versions, None = it has none."""

    def read() -> Script[tuple[PipelineOut, Json, DefinitionOwner]]:
        [overview] = yield from _overviews(database, [pipeline], is_usable)
        params = {"pipeline_id": pipeline.id, "inline_bytes": INLINE_BYTES}
        last = yield Statement(database.query("last_input_of_pipeline"), [params])
        owner = yield from definition_owner(database.query, pipeline.id)
        return overview, orjson.loads(last[0]["input_data"] or "null") if last else None, owner

    overview, last_input, owner = await database.read(read())
    definition = None if stored is None else _understood(stored)
    return PipelineDetail(
        **dict(overview),
        owner=DefinitionOwnerOut.model_validate(owner),
        version=None if stored is None else stored.version,
        version_origin=None if stored is None else stored.origin,
        version_author=None if stored is None else stored.author,
        version_note=None if stored is None else stored.note,
        source_folder_known=stored is not None and stored.source_folder is not None,
        definition=None if stored is None else _object(stored.definition),
        input_schema=None if definition is None else input_schema_of(definition),
        default_input={} if definition is None else defaults_of(definition),
        last_input=_object(last_input),
    )


async def read_versions(
    database: DatabaseManager, pipeline: PipelineRecord, *, before: int | None, limit: int
) -> PipelineVersionPageOut:
    """The versions of a pipeline below ``before``, newest first."""
    params = {"pipeline_id": pipeline.id, "before": 2**31 - 1 if before is None else before, "limit": limit + 1}
    rows = await database.fetch_all_async(database.query("list_pipeline_versions"), params)
    versions = [PipelineVersionRecord.from_row(row) for row in rows[:limit]]
    items = [
        PipelineVersionOut(
            version=each.version,
            content_hash=each.content_hash,
            created_at=each.created_at,
            is_current=each.version == pipeline.current_version,
            origin=each.origin,
            author=each.author,
            note=each.note,
            definition=_object(each.definition),
        )
        for each in versions
    ]
    return PipelineVersionPageOut(items=items, next_cursor=str(items[-1].version) if len(rows) > limit else None)


def graph_of(stored: PipelineVersionRecord) -> GraphOut:
    """The steps of a version, and the edges between them.

    Raises:
        PipelineDefinitionError: what is stored is no definition.
    """
    return drawn(definition_of(stored), pipeline_id=stored.pipeline_id, version=stored.version)


def drawn(definition: PipelineDefinition, *, pipeline_id: str, version: int) -> GraphOut:
    """The graph of a definition; ``version`` 0: it is not stored."""
    graph = Graph(definition)
    return GraphOut(
        pipeline_id=pipeline_id,
        version=version,
        start_at=graph.definition.flow.start_at,
        nodes=_nodes_of(graph),
        edges=_edges_of(graph),
        merge_rules=rules_text(graph.definition.merge),
    )


def _nodes_of(graph: Graph) -> list[GraphNode]:
    """The steps, in the order of the file."""
    definition = graph.definition
    nodes: list[GraphNode] = []
    for step in definition.steps:
        handling = definition.error_handling_of(step)
        nodes.append(
            GraphNode(
                id=step.id,
                name=step.name,
                type=step.type,
                description=step.description,
                module=step.module,
                step_class=step.step_class,
                map_over=None if step.map is None else _text_of(step.map.over.json),
                max_iterations=definition.max_iterations_of(step) if graph.reaches(step.id, step.id) else 1,
                retry_max_attempts=handling.retry.max_attempts if handling.retry else 1,
                timeout_seconds=step.timeout_seconds,
                has_fallback=bool(handling.enable_fallback),
                continues_on_error=bool(handling.continue_on_error),
            )
        )
    return nodes


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def _edges_of(graph: Graph) -> list[GraphEdge]:
    """The edges that leave each step, in the order of the file."""
    found: list[GraphEdge] = []
    for step_id in graph.step_ids:
        indexes: list[int | None] = [index for index, _ in graph.paths_of(step_id)]
        edges = edges_of(graph, step_id)
        for index, edge in zip([*indexes, *[None] * (len(edges) - len(indexes))], edges, strict=True):
            if index is not None:
                leads_back = graph.leads_back(index)
            else:
                leads_back = graph.place[edge.target] <= graph.place[step_id] and graph.reaches(edge.target, step_id)
            found.append(
                GraphEdge(
                    index=index,
                    source=step_id,
                    target=edge.target,
                    label=edge.label,
                    order=edge.order,
                    ends_execution=edge.ends_execution,
                    is_back_edge=leads_back,
                )
            )
    return found


def _understood(stored: PipelineVersionRecord) -> PipelineDefinition | None:
    """What a stored version says; None when it is no definition, which programs that register their own may store."""
    try:
        return definition_of(stored)
    except PipelineDefinitionError:
        return None


def defaults_of(definition: PipelineDefinition) -> dict[str, Any]:
    return {each.name: each.default for each in definition.parameters if each.has_default}


def _overviews(
    database: DatabaseManager, pipelines: list[PipelineRecord], is_usable: IsUsable
) -> Script[list[PipelineOut]]:
    query = database.query
    ids: list[dict[str, Any]] = [{"pipeline_id": each.id} for each in pipelines]
    versions = [{"pipeline_id": each.id, "version": each.current_version} for each in pipelines if each.current_version]
    steps = yield Statement(query("count_pipeline_steps"), versions)
    stored = yield Statement(query("get_pipeline_version"), versions)
    recent = yield Statement(query("recent_executions_of_pipeline"), [each | {"limit": STRIP} for each in ids])
    ended = yield Statement(query("recent_ends_of_pipeline"), [each | {"limit": ENDED} for each in ids])
    active = yield Statement(query("count_active_of_pipeline"), [each | {"limit": COUNT_CAP} for each in ids])
    offers = yield Statement(query("read_offers"), [{"subject": each.id} for each in pipelines])
    step_counts = {row["pipeline_id"]: row["steps"] for row in steps}
    active_counts = {row["pipeline_id"]: row["active"] for row in active}
    current = [PipelineVersionRecord.from_row(row) for row in stored]
    usable = {version.pipeline_id for version in current if is_usable(version)}
    return [
        PipelineOut(
            **pipeline.to_dict(),
            runnable=pipeline.id in usable,
            step_count=step_counts.get(pipeline.id, 0),
            recent=[_bar(row) for row in reversed(recent) if row["pipeline_id"] == pipeline.id],
            **_outcome([row for row in ended if row["pipeline_id"] == pipeline.id]),
            active=active_counts[pipeline.id],
            beside=_beside(pipeline, offers),
        )
        for pipeline in pipelines
    ]


def _beside(pipeline: PipelineRecord, offers: Iterable[Row]) -> list[int]:
    past = read_offers(row for row in offers if row["subject"] == pipeline.id)
    current = pipeline.current_version
    return [] if current is None else [each.version for each in stored_beside(current, past)]


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


def _bar(row: Row) -> RecentExecutionOut:
    return RecentExecutionOut.model_validate({**row, "duration_seconds": _seconds(row)})


def _seconds(row: Row) -> float | None:
    if row["started_at"] is None or row["completed_at"] is None:
        return None
    return max(0.0, (parse_time(row["completed_at"]) - parse_time(row["started_at"])).total_seconds())


def _object(value: Json) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
