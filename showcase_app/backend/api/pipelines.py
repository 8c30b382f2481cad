"""What can be run: pipelines, their versions and graphs, and starting them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from showcase_app.backend.api.addresses import AS_SENT
from showcase_app.backend.api.bodies import MOST_BODY_BYTES, takes
from showcase_app.backend.api.problems import described
from showcase_app.backend.dependencies import (
    Actor,
    Door,
    IdempotencyKey,
    Pipelines,
    SentFrom,
    TraceParent,
    begun_for,
)
from showcase_app.backend.schemas.base import LARGEST_CURSOR, PipelineName
from showcase_app.backend.schemas.executions import ExecutionOut
from showcase_app.backend.schemas.pipelines import (
    CurrentVersionRequest,
    GraphOut,
    NewPipelineRequest,
    NewVersionRequest,
    PipelineDetail,
    PipelinePageOut,
    PipelineVersionPageOut,
    RunOnceRequest,
)
from showcase_app.backend.schemas.requests import RunRequest, SearchText

LIST_LIMIT = 200

router = APIRouter(prefix="/api/pipelines", tags=["pipelines"])

_NOT_FOUND = "There is none with this id or slug."
_LOCATION = {"Location": {"description": "Where it can be read.", "schema": {"type": "string"}}}

SlugOrId = Annotated[PipelineName, AS_SENT, Path(description="Id or slug, percent-encoded.", examples=["code-review"])]
Version = Annotated[int | None, Query(ge=1, le=LARGEST_CURSOR, description="Which version; none: the current one.")]
Limit = Annotated[int, Query(ge=1, le=LIST_LIMIT, description="At most this many.")]


@router.get("", summary="List pipelines")
async def list_pipelines(
    pipelines: Pipelines,
    q: Annotated[SearchText | None, Query(description="Only those with this in name, slug or description.")] = None,
    archived: Annotated[bool, Query(description="The archived ones instead.")] = False,
    limit: Limit = 50,
    cursor: Annotated[SearchText | None, Query(description="`next_cursor` of the page before.")] = None,
) -> PipelinePageOut:
    """By slug, with how each did lately."""
    return await pipelines.list_pipelines(search=q, archived=archived, cursor=cursor, limit=limit)


@router.post(
    "",
    summary="Store a pipeline",
    status_code=201,
    responses=described({409: "Its slug stands for another definition.", 201: _LOCATION}),
    openapi_extra=takes(MOST_BODY_BYTES),
)
async def create_pipeline(
    pipelines: Pipelines,
    actor: Actor,
    origin: SentFrom,
    request: NewPipelineRequest,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> PipelineDetail:
    """Its steps may only use modules that are allowed on this server. The same definition again changes nothing."""
    stored = await pipelines.create(
        request.definition, note=request.note, origin=origin, idempotency_key=idempotency_key, actor=actor
    )
    response.headers["Location"] = f"/api/pipelines/{stored.id}"
    return stored


@router.get("/{pipeline_id}", summary="Read a pipeline", responses=described({404: _NOT_FOUND}))
async def get_pipeline(pipelines: Pipelines, pipeline_id: SlugOrId, version: Version = None) -> PipelineDetail:
    """With its definition, and what a form for a run is drawn from."""
    return await pipelines.get(pipeline_id, version=version)


@router.put(
    "/{pipeline_id}",
    summary="Store a new version",
    responses=described({404: _NOT_FOUND, 409: "`base_version` is not the current one."}),
    openapi_extra=takes(MOST_BODY_BYTES),
)
async def update_pipeline(
    pipelines: Pipelines,
    actor: Actor,
    origin: SentFrom,
    pipeline_id: SlugOrId,
    request: NewVersionRequest,
    idempotency_key: IdempotencyKey = None,
) -> PipelineDetail:
    """Shows what was stored. What it has had before becomes current again; an archived pipeline is active again."""
    return await pipelines.update(pipeline_id, request, origin=origin, idempotency_key=idempotency_key, actor=actor)


@router.post(
    "/{pipeline_id}/current",
    summary="Choose the current version",
    responses=described({404: "There is no such pipeline or version.", 409: "`base_version` is not the current one."}),
)
async def make_version_current(
    pipelines: Pipelines,
    actor: Actor,
    origin: SentFrom,
    pipeline_id: SlugOrId,
    request: CurrentVersionRequest,
    idempotency_key: IdempotencyKey = None,
) -> PipelineDetail:
    """It runs where no other is named; what was stored beside the current one is decided with that.

    Of a pipeline that a file owns this is an edit: what the file holds later is stored beside it, unless this is what
    it held.
    """
    return await pipelines.make_current(
        pipeline_id, request, origin=origin, idempotency_key=idempotency_key, actor=actor
    )


@router.delete(
    "/{pipeline_id}",
    summary="Archive or delete a pipeline",
    status_code=204,
    responses=described({404: _NOT_FOUND, 409: "Executions of it have not ended."}),
)
async def delete_pipeline(
    client: Door,
    actor: Actor,
    pipeline_id: SlugOrId,
    with_history: Annotated[bool, Query(description="Delete it, and all its executions with it.")] = False,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Archived, it keeps its history but starts no more.

    With its history it is archived, then deleted in parts; a request that breaks off is made again, and goes on.
    """
    if with_history:
        await client.delete_pipeline(pipeline_id, with_history=True, actor=actor)
    else:
        await client.archive(pipeline_id, idempotency_key=idempotency_key, actor=actor)


@router.get(
    "/{pipeline_id}/versions", summary="List the versions of a pipeline", responses=described({404: _NOT_FOUND})
)
async def list_pipeline_versions(
    pipelines: Pipelines,
    pipeline_id: SlugOrId,
    limit: Limit = 20,
    cursor: Annotated[
        str | None, Query(pattern=r"^[0-9]{1,9}$", description="`next_cursor` of the page before.")
    ] = None,
) -> PipelineVersionPageOut:
    """Newest first, with their definitions."""
    before = None if cursor is None else int(cursor)
    return await pipelines.list_versions(pipeline_id, before=before, limit=limit)


@router.get(
    "/{pipeline_id}/graph",
    summary="Read the graph of a pipeline",
    responses=described({404: "There is no such pipeline or version, or it has no definition."}),
)
async def get_pipeline_graph(pipelines: Pipelines, pipeline_id: SlugOrId, version: Version = None) -> GraphOut:
    """Its steps and the paths between them, in the order of the file."""
    return await pipelines.graph(pipeline_id, version=version)


@router.post(
    "/{pipeline_id}/run-once",
    summary="Run a definition once",
    status_code=HTTPStatus.ACCEPTED,
    responses=described({404: _NOT_FOUND, 409: "It is archived, or the key stands for another.", 202: _LOCATION}),
    openapi_extra=takes(MOST_BODY_BYTES),
)
async def run_definition_once(
    client: Door,
    actor: Actor,
    origin: SentFrom,
    pipeline_id: SlugOrId,
    request: RunOnceRequest,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    traceparent: TraceParent = None,
) -> ExecutionOut:
    """It is stored as a version that does not become the current one, and one execution of that is started.

    Its steps may only use modules that are allowed on this server. Nothing is stored where it or the input is wrong.
    """
    with begun_for(traceparent):
        queued = await client.run_once(
            request.definition,
            request.input_data,
            version_of=pipeline_id,
            note=request.note,
            origin=origin,
            trigger=origin,
            idempotency_key=idempotency_key,
            actor=actor,
        )
    response.headers["Location"] = f"/api/executions/{queued.execution_id}"
    return ExecutionOut.from_record(await client.summary(queued.execution_id))


@router.post(
    "/{pipeline_id}/executions",
    summary="Start an execution",
    status_code=HTTPStatus.ACCEPTED,
    responses=described(
        {
            404: _NOT_FOUND,
            409: "It is archived, has no definition to run, or the id stands for another.",
            202: _LOCATION,
        }
    ),
    openapi_extra=takes(MOST_BODY_BYTES),
)
async def start_execution(
    client: Door,
    actor: Actor,
    pipeline_id: SlugOrId,
    request: RunRequest,
    response: Response,
    sent_from: SentFrom,
    idempotency_key: IdempotencyKey = None,
    traceparent: TraceParent = None,
) -> ExecutionOut:
    """It is pending, and runs as soon as a worker is free; with `run_at` it waits until then."""
    with begun_for(traceparent):
        queued = await client.queue(
            pipeline_id,
            request.input_data,
            version=request.version,
            execution_id=request.execution_id,
            trigger=sent_from,
            priority=request.priority or 0,
            run_at=request.run_at,
            idempotency_key=idempotency_key,
            actor=actor,
        )
    response.headers["Location"] = f"/api/executions/{queued.execution_id}"
    return ExecutionOut.from_record(await client.summary(queued.execution_id))
