"""What ran and what runs: lists, numbers, one execution with its steps, one attempt of a step."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator

from ia_modules.models import LogLevel, RunPath, StepStatus
from ia_modules.paths import GRAPH, LIMIT_CHARACTERS, named
from ia_modules.payload import encode
from ia_modules.tracker.bulk import BULK_LIMIT
from ia_modules.tracker.levels import RunFilters
from ia_modules.tracker.lines import LogFilters
from showcase_app.backend.api.addresses import AS_SENT
from showcase_app.backend.api.bodies import MOST_BODY_BYTES, takes
from showcase_app.backend.api.problems import described
from showcase_app.backend.dependencies import (
    Actor,
    Door,
    Executions,
    IdempotencyKey,
    TraceParent,
    begun_for,
)
from showcase_app.backend.schemas.base import ID_PATTERN, LARGEST_CURSOR
from showcase_app.backend.schemas.changes import ChangesOut
from showcase_app.backend.schemas.comparison import ComparisonOut
from showcase_app.backend.schemas.executions import (
    ExecutionDetail,
    ExecutionOut,
    ExecutionPageOut,
    ExecutionPayloadsOut,
    ExportOut,
    ItemGridOut,
    LastGoodOut,
    LogPageOut,
    RunPageOut,
    StatisticsOut,
    StepDetail,
    StepInputOut,
    StepPageOut,
)
from showcase_app.backend.schemas.requests import (
    PAGE_LIMIT,
    ExecutionName,
    ExecutionQuery,
    ExecutionScope,
    IdParameter,
    RunCursor,
    SearchText,
    StepName,
)
from showcase_app.backend.schemas.steering import (
    AheadOut,
    BulkOut,
    BulkRequest,
    CancelRequest,
    RerunRequest,
    ResumeRequest,
)
from showcase_app.backend.schemas.usage import UsageOut

router = APIRouter(prefix="/api/executions", tags=["executions"])

_NOT_FOUND = described({404: "There is none with this id."})
_LOCATION = {"Location": {"description": "Where it can be read.", "schema": {"type": "string"}}}
_ATTACHMENT = {"Content-Disposition": {"description": "A file name for it.", "schema": {"type": "string"}}}

RERUN_BODY_BYTES = MOST_BODY_BYTES
"""An edited input may be as large as the first one."""

LAST_GOOD = "last-good"

PathId = Annotated[str, Path(pattern=ID_PATTERN)]
PathName = Annotated[
    ExecutionName,
    AS_SENT,
    Path(description="Its own id, or the one that its caller gave it (`alias`), percent-encoded."),
]
Within = Annotated[
    RunPath,
    AfterValidator(named),
    Query(max_length=LIMIT_CHARACTERS, description="The path of the run that is looked into; empty: the graph itself."),
]


@router.get("", summary="List executions")
async def list_executions(executions: Executions, query: Annotated[ExecutionQuery, Query()]) -> ExecutionPageOut:
    """Newest first, without payloads. Pages stay put while new executions come in."""
    return await executions.list_executions(query)


@router.get("/statistics", summary="Count executions")
async def get_statistics(executions: Executions, query: Annotated[ExecutionScope, Query()]) -> StatisticsOut:
    """How many there are of each status, up to 10,000 of each, and how the newest went."""
    return await executions.count(query)


@router.post("/bulk", summary="Cancel, resume or re-run many executions", openapi_extra=takes(2**20))
async def change_executions(
    client: Door, actor: Actor, request: BulkRequest, idempotency_key: IdempotencyKey = None
) -> BulkOut:
    """Changes each execution by itself. A refusal is listed and does not stop the others.

    With an `Idempotency-Key`, what was sent twice, or broke off and is sent again, changes and starts nothing twice.
    """
    chosen, rerun = request.filter, request.rerun
    result = await client.bulk(
        request.action,
        request.execution_ids,
        filters=None if chosen is None else chosen.as_filters(chosen.status),
        token=request.token,
        skip=request.skip or 0,
        limit=request.limit or BULK_LIMIT,
        input_data=rerun and rerun.input_data,
        begin=rerun and rerun.begin,
        version=rerun and rerun.version,
        reason=request.reason,
        dry_run=request.dry_run,
        idempotency_key=idempotency_key,
        actor=actor,
    )
    return BulkOut.from_record(result)


@router.get(
    "/compare",
    summary="Compare two executions",
    responses=described({404: "There is none with one of these ids, or no last good one."}),
)
async def compare_executions(
    executions: Executions,
    a: Annotated[ExecutionName, Query(description="The id of one, its own or its caller's.")],
    b: Annotated[
        ExecutionName | None,
        Query(
            description="Of the other; left out or `last-good`: the newest of the same pipeline that was made before "
            "`a` and completed."
        ),
    ] = None,
) -> ComparisonOut:
    """Their runs aligned by step and iteration, what differs in each, and where they first went different ways.

    They may be of two pipelines, and may still run: then `notes` and `as_of` say so.
    """
    return await executions.compare(a, None if b == LAST_GOOD else b)


@router.get("/{execution_id}", summary="Read an execution", response_model=ExecutionDetail, responses=_NOT_FOUND)
async def get_execution(executions: Executions, execution_id: PathName) -> Response:
    """The execution and the first 1,000 attempts of its steps, with their payloads up to 64 KiB each.

    Its `sequence` is a cursor for the socket: nothing up to it is missing here, unless there are `more_steps`.
    """
    return _json(await executions.detail(execution_id))


@router.get("/{execution_id}/last-good", summary="Read the last good execution before one", responses=_NOT_FOUND)
async def get_last_good(client: Door, execution_id: PathName) -> LastGoodOut:
    """The newest of the same pipeline that was made before this one and completed; a copy only for a copy."""
    return LastGoodOut.from_record({"execution": await client.last_good(execution_id)})


@router.get("/{execution_id}/usage", summary="Sum what an execution used, by model", responses=_NOT_FOUND)
async def get_execution_usage(client: Door, execution_id: PathName) -> UsageOut:
    """What all of its attempts told of their calls of models, at every level and however they ended."""
    return UsageOut.of(await client.usage(execution_id))


@router.get(
    "/{execution_id}/payloads",
    summary="Read the payloads of an execution",
    response_model=ExecutionPayloadsOut,
    responses=_NOT_FOUND,
)
async def get_execution_payloads(executions: Executions, execution_id: PathName) -> Response:
    """Its input, output and metadata as they are stored, however large they are."""
    return _json(await executions.payloads(execution_id))


@router.get(
    "/{execution_id}/steps",
    summary="List the attempts of an execution's steps",
    response_model=StepPageOut,
    responses=_NOT_FOUND,
)
async def list_step_executions(
    executions: Executions,
    execution_id: PathName,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="At most this many.")] = 50,
    cursor: Annotated[str | None, Query(pattern=ID_PATTERN, description="`next_cursor` of the page before.")] = None,
    within: Within = GRAPH,
    step_id: Annotated[StepName | None, Query(description="Only of this step.")] = None,
    iteration: Annotated[int | None, Query(ge=1, lt=2**31, description="Only of this iteration.")] = None,
) -> Response:
    """In the order in which they began, with their payloads up to 64 KiB each."""
    page = await executions.steps(
        execution_id, within=within, step_id=step_id, iteration=iteration, cursor=cursor, limit=limit
    )
    return _json(page)


@router.get("/{execution_id}/runs", summary="List what is within a run", responses=_NOT_FOUND)
async def list_runs(
    client: Door,
    execution_id: PathName,
    status: Annotated[StepStatus | None, Query(description="Only those whose latest attempt stands so.")] = None,
    q: Annotated[SearchText | None, Query(description="Only those with this in their name, or key.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="At most this many.")] = 50,
    after: Annotated[RunCursor | None, Query(description="`next_cursor` of the page before.")] = None,
    within: Within = GRAPH,
) -> RunPageOut:
    """The items of a map, the calls of a step: each as its latest attempt stands, by step and number.

    `within` of what is within one of them is `path`, its own.
    """
    filters = RunFilters(within=within, status=status, text=q or None)
    return RunPageOut.of(await client.runs(execution_id, filters, cursor=after, limit=limit))


@router.get("/{execution_id}/runs/grid", summary="Read how the items of a map stand", responses=_NOT_FOUND)
async def get_item_grid(
    client: Door,
    execution_id: PathName,
    step_id: Annotated[StepName, Query(description="The step of the graph that runs for each item.")],
    iteration: Annotated[int, Query(ge=1, lt=2**31, description="Of this step.")] = 1,
) -> ItemGridOut:
    """Squares in the order of its list, without the items themselves; a few kilobytes, however many there are."""
    return ItemGridOut.of(await client.item_grid(execution_id, step_id, iteration=iteration))


@router.get(
    "/{execution_id}/steps/{step_execution_id}",
    summary="Read one attempt of a step",
    response_model=StepDetail,
    responses=_NOT_FOUND,
)
async def get_step_execution(executions: Executions, execution_id: PathName, step_execution_id: PathId) -> Response:
    """Everything of one attempt, however large its payloads are."""
    return _json(await executions.step(execution_id, step_execution_id))


@router.get(
    "/{execution_id}/steps/{step_execution_id}/input",
    summary="Read what one attempt of a step got",
    response_model=StepInputOut,
    responses=described({404: "There is none with this id.", 409: "It does not follow from its definition."}),
)
async def get_step_input(client: Door, execution_id: PathName, step_execution_id: PathId) -> Response:
    """Its inputs, or the state, put together from the results that it is made of, however large."""
    got = await client.step_input(execution_id, step_execution_id)
    return _json(b'{"step_input":%b}' % encode(got, "input").encode())


@router.get("/{execution_id}/changes", summary="Read what is new of an execution", responses=_NOT_FOUND)
async def get_changes(
    executions: Executions,
    execution_id: PathName,
    after: Annotated[int, Query(ge=0, le=LARGEST_CURSOR, description="`upto` of the last answer.")] = 0,
    within: Within = GRAPH,
) -> ChangesOut:
    """What the socket `/ws/executions/{execution_id}?after=N` would say now, for clients without sockets."""
    return await executions.changes(execution_id, after, within=within)


@router.get("/{execution_id}/logs", summary="List the log lines of an execution", responses=_NOT_FOUND)
async def list_logs(
    client: Door,
    execution_id: PathName,
    step_execution_id: Annotated[IdParameter | None, Query(description="Only of this attempt.")] = None,
    level: Annotated[
        LogLevel | None,
        Query(description="Only of this level or more severe; `output`: what steps gave as it came, and nothing else."),
    ] = None,
    q: Annotated[SearchText | None, Query(description="Only those with this in them.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="At most this many.")] = 200,
    cursor: Annotated[IdParameter | None, Query(description="`next_cursor` of the page before.")] = None,
    within: Within = GRAPH,
) -> LogPageOut:
    """Oldest first: as they were written, or, of one attempt, as they were logged."""
    filters = LogFilters(step_execution_id=step_execution_id, within=within, level=level, text=q or None)
    return LogPageOut.of(await client.log_page(execution_id, filters, cursor=cursor, limit=limit))


@router.post(
    "/{execution_id}/cancel",
    summary="Cancel an execution",
    status_code=HTTPStatus.ACCEPTED,
    responses=described({404: "There is none with this id.", 409: "It has ended already."}),
)
async def cancel_execution(
    client: Door,
    actor: Actor,
    execution_id: PathName,
    request: CancelRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> ExecutionOut:
    """A pending or waiting execution is cancelled at once, a running one as soon as its worker has stopped it."""
    reason = None if request is None else request.reason
    return ExecutionOut.from_record(
        await client.cancel(execution_id, reason=reason, idempotency_key=idempotency_key, actor=actor)
    )


@router.post(
    "/{execution_id}/resume",
    summary="Go on with an execution",
    status_code=HTTPStatus.ACCEPTED,
    responses=described({404: "There is none with this id.", 409: "It has completed, goes on already, or cannot."}),
)
async def resume_execution(
    client: Door,
    actor: Actor,
    execution_id: PathName,
    request: ResumeRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> ExecutionOut:
    """A worker goes on with one that failed or was cancelled, from where it stopped: completed steps are kept."""
    reason = None if request is None else request.reason
    return ExecutionOut.from_record(
        await client.requeue(execution_id, reason=reason, idempotency_key=idempotency_key, actor=actor)
    )


@router.get(
    "/{execution_id}/resume/plan",
    summary="Read what a resumed execution would run",
    responses=described({404: "There is none with this id.", 409: "It has completed, or cannot go on."}),
)
async def plan_resume(client: Door, execution_id: PathName) -> AheadOut:
    """The steps that would run, with what they do outside; of one that has not ended, as if its process were gone."""
    return AheadOut.from_record(await client.plan_resume(execution_id))


@router.post(
    "/{execution_id}/rerun",
    summary="Run an execution again",
    openapi_extra=takes(RERUN_BODY_BYTES),
    status_code=HTTPStatus.ACCEPTED,
    responses=described({404: "There is none with this id.", 409: "Workers cannot run its pipeline.", 202: _LOCATION}),
)
async def rerun_execution(
    client: Door,
    actor: Actor,
    execution_id: PathName,
    response: Response,
    request: RerunRequest | None = None,
    idempotency_key: IdempotencyKey = None,
    traceparent: TraceParent = None,
) -> ExecutionOut:
    """A new execution: whole, with the same input or another, or from a step, with what led to it copied."""
    with begun_for(traceparent):
        rerun_id = await client.rerun(
            execution_id,
            input_data=request and request.input_data,
            begin=request and request.begin,
            version=request and request.version,
            idempotency_key=idempotency_key,
            actor=actor,
        )
    response.headers["Location"] = f"/api/executions/{rerun_id}"
    return ExecutionOut.from_record(await client.summary(rerun_id))


@router.post(
    "/{execution_id}/rerun/plan",
    summary="Read what a re-run would run",
    openapi_extra=takes(RERUN_BODY_BYTES),
    responses=described(
        {404: "There is none with this id.", 409: "Workers cannot run its pipeline, or not from there."}
    ),
)
async def plan_rerun(client: Door, execution_id: PathName, request: RerunRequest | None = None) -> AheadOut:
    """What the same body would copy, ask again and run, with what the steps do outside. Nothing is started.

    It is refused as the re-run itself would be.
    """
    return AheadOut.from_record(
        await client.plan_rerun(
            execution_id,
            input_data=request and request.input_data,
            begin=request and request.begin,
            version=request and request.version,
        )
    )


@router.get(
    "/{execution_id}/export",
    summary="Export an execution",
    response_model=ExportOut,
    responses=described({404: "There is none with this id.", 200: _ATTACHMENT}),
)
async def export_execution(client: Door, execution_id: PathName) -> StreamingResponse:
    """Everything on record about it in one file, however large."""
    row_id = (await client.summary(execution_id)).execution_id
    parts = await client.export(row_id)
    name = f"execution-{row_id.replace(':', '_')}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parts, media_type="application/json", headers=headers)


def _json(body: bytes) -> Response:
    """An answer whose payloads are passed through as stored."""
    return Response(body, media_type="application/json")
