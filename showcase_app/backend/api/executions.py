"""What ran and what runs: lists, numbers, one execution with its steps, one attempt of a step."""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, HTTPException, Path, Query, Response
from fastapi.responses import StreamingResponse

from ia_modules.models import LogLevel, StepExecutionRecord
from ia_modules.tracker.details import Stored, read_execution, read_payloads, read_step, read_steps
from ia_modules.tracker.lists import LogFilters
from showcase_app.backend.api.problems import told
from showcase_app.backend.dependencies import Executions, Note, Pipelines, Services, Tracker
from showcase_app.backend.schemas import (
    BULK_LIMIT,
    ID_PATTERN,
    LARGEST_CURSOR,
    PAGE_LIMIT,
    AskedId,
    BulkOut,
    BulkRequest,
    ChangesOut,
    ExecutionDetail,
    ExecutionOut,
    ExecutionPageOut,
    ExecutionPayloadsOut,
    ExecutionQuery,
    ExecutionScope,
    ExportOut,
    LogPageOut,
    SearchText,
    StatisticsOut,
    StepDetail,
    StepPageOut,
)
from showcase_app.backend.services.execution_service import searched_in

STEPS_IN_DETAIL = 1000
RERUNS_IN_DETAIL = 20

router = APIRouter(prefix="/api/executions", tags=["executions"])

_NOT_FOUND = told({404: "There is none with this id."})
_LOCATION = {"Location": {"description": "Where it can be read.", "schema": {"type": "string"}}}
_ATTACHMENT = {"Content-Disposition": {"description": "A file name for it.", "schema": {"type": "string"}}}

Id = Annotated[str, Path(pattern=ID_PATTERN)]


@router.get("", summary="List executions")
async def list_executions(executions: Executions, query: Annotated[ExecutionQuery, Query()]) -> ExecutionPageOut:
    """Newest first, without payloads. Pages stay put while new executions come in."""
    filters = query.as_filters(query.status)
    page = await executions.list_executions(filters, cursor=query.cursor, limit=query.limit)
    return ExecutionPageOut.of(page, searched=searched_in(filters))


@router.get("/statistics", summary="Count executions")
async def get_statistics(executions: Executions, query: Annotated[ExecutionScope, Query()]) -> StatisticsOut:
    """How many there are of each status, up to 10,000 of each, and how the newest went."""
    filters = query.as_filters()
    return StatisticsOut.of(await executions.count(filters), searched=searched_in(filters))


@router.post("/bulk", summary="Cancel or re-run many executions")
async def change_executions(executions: Executions, note: Note, request: BulkRequest) -> BulkOut:
    """Each is cancelled or run again by itself: what cannot be is told, and keeps none of the others back."""
    chosen = request.filter

    async def note_one(execution_id: str) -> None:
        await note(f"execution.{request.action}", execution_id)

    changed = await executions.change_many(
        request.action,
        request.execution_ids,
        filters=None if chosen is None else chosen.as_filters(chosen.status),
        limit=BULK_LIMIT,
        dry_run=request.dry_run,
        note=note_one,
    )
    return BulkOut.from_record(changed)


@router.get("/{execution_id}", summary="Read an execution", response_model=ExecutionDetail, responses=_NOT_FOUND)
async def get_execution(services: Services, execution_id: Id) -> Response:
    """The execution and the first 1,000 attempts of its steps, with their payloads up to 64 KiB each.

    Its `sequence` is a cursor for the socket: nothing up to it is missing here, unless there are `more_steps`.
    """
    found = await read_execution(
        services.database, execution_id, step_limit=STEPS_IN_DETAIL, rerun_limit=RERUNS_IN_DETAIL
    )
    answer = ExecutionDetail.of(found).model_dump(mode="json")
    return _json(answer | found.execution.payloads | {"steps": _with_payloads(answer["steps"], found.steps.items)})


@router.get(
    "/{execution_id}/payloads",
    summary="Read the payloads of an execution",
    response_model=ExecutionPayloadsOut,
    responses=_NOT_FOUND,
)
async def get_execution_payloads(services: Services, execution_id: Id) -> Response:
    """Its input, output and metadata as they are stored, however large they are."""
    return _json({"execution_id": execution_id} | await read_payloads(services.database, execution_id))


@router.get(
    "/{execution_id}/steps",
    summary="List the attempts of an execution's steps",
    response_model=StepPageOut,
    responses=_NOT_FOUND,
)
async def list_step_executions(
    services: Services,
    execution_id: Id,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="At most this many.")] = 50,
    cursor: Annotated[str | None, Query(pattern=ID_PATTERN, description="`next_cursor` of the page before.")] = None,
) -> Response:
    """In the order in which they began, with their payloads up to 64 KiB each."""
    page = await read_steps(services.database, execution_id, cursor=cursor, limit=limit)
    answer = StepPageOut.of(page).model_dump(mode="json")
    return _json(answer | {"items": _with_payloads(answer["items"], page.items)})


@router.get(
    "/{execution_id}/steps/{step_execution_id}",
    summary="Read one attempt of a step",
    response_model=StepDetail,
    responses=_NOT_FOUND,
)
async def get_step_execution(services: Services, execution_id: Id, step_execution_id: Id) -> Response:
    """Everything of one attempt, however large its payloads are."""
    stored = await read_step(services.database, execution_id, step_execution_id)
    return _json(StepDetail.of(stored).model_dump(mode="json") | stored.payloads)


@router.get("/{execution_id}/changes", summary="Read what is new of an execution", responses=_NOT_FOUND)
async def get_changes(
    tracker: Tracker,
    execution_id: Id,
    after: Annotated[int, Query(ge=0, le=LARGEST_CURSOR, description="`upto` of the last answer.")] = 0,
) -> ChangesOut:
    """What the socket `/ws/executions/{execution_id}?after=N` would say now, for clients without sockets."""
    changes = await tracker.changes(execution_id, after)
    if after > changes.execution.sequence:
        detail = f"after={after} is ahead of the execution, which is at {changes.execution.sequence}."
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return ChangesOut.of(changes)


@router.get("/{execution_id}/logs", summary="List the log lines of an execution", responses=_NOT_FOUND)
async def list_logs(
    executions: Executions,
    execution_id: Id,
    step_execution_id: Annotated[AskedId | None, Query(description="Only of this attempt.")] = None,
    level: Annotated[LogLevel | None, Query(description="Only of this level or more severe.")] = None,
    q: Annotated[SearchText | None, Query(description="Only those with this in them.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="At most this many.")] = 200,
    cursor: Annotated[AskedId | None, Query(description="`next_cursor` of the page before.")] = None,
) -> LogPageOut:
    """Oldest first."""
    filters = LogFilters(step_execution_id=step_execution_id, level=level, text=q or None)
    return LogPageOut.of(await executions.list_logs(execution_id, filters, cursor=cursor, limit=limit))


@router.post(
    "/{execution_id}/cancel",
    summary="Cancel an execution",
    status_code=HTTPStatus.ACCEPTED,
    responses=told({404: "There is none with this id.", 409: "It has ended already."}),
)
async def cancel_execution(executions: Executions, note: Note, execution_id: Id) -> ExecutionOut:
    """What nobody runs is cancelled at once; what runs is, as soon as its worker has stopped it."""
    stopped = await executions.cancel(execution_id)
    await note("execution.cancel", execution_id)
    return ExecutionOut.from_record(stopped)


@router.post(
    "/{execution_id}/rerun",
    summary="Run an execution again",
    status_code=HTTPStatus.ACCEPTED,
    responses=told({404: "There is none with this id.", 409: "Workers cannot run its pipeline.", 202: _LOCATION}),
)
async def rerun_execution(pipelines: Pipelines, note: Note, execution_id: Id, response: Response) -> ExecutionOut:
    """A new execution of the same version with the same input."""
    started = await pipelines.rerun(execution_id)
    await note("execution.rerun", execution_id)
    response.headers["Location"] = f"/api/executions/{started.execution_id}"
    return ExecutionOut.from_record(started)


@router.get(
    "/{execution_id}/export",
    summary="Export an execution",
    response_model=ExportOut,
    responses=told({404: "There is none with this id.", 200: _ATTACHMENT}),
)
async def export_execution(executions: Executions, execution_id: Id) -> StreamingResponse:
    """Everything on record about it in one file, however large."""
    parts = await executions.export(execution_id)
    name = f"execution-{execution_id.replace(':', '_')}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parts, media_type="application/json", headers=headers)


def _with_payloads(answers: list[dict[str, Any]], steps: list[Stored[StepExecutionRecord]]) -> list[dict[str, Any]]:
    return [answer | step.payloads for answer, step in zip(answers, steps, strict=True)]


def _json(answer: dict[str, Any]) -> Response:
    """An answer whose payloads stand in it as they were stored."""
    return Response(orjson.dumps(answer), media_type="application/json")
