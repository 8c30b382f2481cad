"""What ran and what runs: lists, numbers, one execution with its steps, one attempt of a step."""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, HTTPException, Path, Query, Response

from ia_modules.models import ExecutionStatus, PipelineId, StepExecutionRecord
from ia_modules.web.execution_tracker import ExecutionFilters
from showcase_app.backend.api.problems import Problem
from showcase_app.backend.dependencies import Services, Tracker
from showcase_app.backend.schemas import (
    ID_PATTERN,
    LARGEST_CURSOR,
    AskedTime,
    ChangesOut,
    ExecutionDetail,
    ExecutionPageOut,
    ExecutionPayloadsOut,
    StatisticsOut,
    StepDetail,
    StepPageOut,
)
from showcase_app.backend.services.stored import Stored, read_execution, read_payloads, read_step, read_steps

PAGE_LIMIT = 500
STEPS_IN_DETAIL = 1000

router = APIRouter(prefix="/api/executions", tags=["executions"])

_REFUSED: dict[int | str, dict[str, Any]] = {422: {"model": Problem, "description": "A parameter is not understood."}}
_NOT_FOUND = {404: {"model": Problem, "description": "There is none with this id."}, **_REFUSED}

Id = Annotated[str, Path(pattern=ID_PATTERN)]


@router.get("", summary="List executions", responses=_REFUSED)
async def list_executions(
    tracker: Tracker,
    status: Annotated[ExecutionStatus | None, Query(description="Only these.")] = None,
    pipeline_id: Annotated[str | None, Query(pattern=ID_PATTERN, description="Only of this pipeline.")] = None,
    started_after: Annotated[
        AskedTime | None, Query(description="Started at or after this time.", examples=["2026-11-24T03:00:00Z"])
    ] = None,
    started_before: Annotated[AskedTime | None, Query(description="Started before this time.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="At most this many.")] = 50,
    cursor: Annotated[str | None, Query(pattern=ID_PATTERN, description="`next_cursor` of the page above.")] = None,
) -> ExecutionPageOut:
    """Newest first, without payloads. Pages stay put while new executions come in."""
    filters = ExecutionFilters(
        status=status,
        pipeline_id=None if pipeline_id is None else PipelineId(pipeline_id),
        started_after=started_after,
        started_before=started_before,
    )
    return ExecutionPageOut.of(await tracker.list_executions(filters, cursor, limit))


@router.get("/statistics", summary="Count executions")
async def get_statistics(tracker: Tracker) -> StatisticsOut:
    """How many there are of each status, and how long the newest took."""
    return StatisticsOut.from_record(await tracker.get_execution_statistics())


@router.get("/{execution_id}", summary="Read an execution", response_model=ExecutionDetail, responses=_NOT_FOUND)
async def get_execution(services: Services, execution_id: Id) -> Response:
    """The execution and the first 1,000 attempts of its steps, with their payloads up to 64 KiB each.

    Its `sequence` is a cursor for the socket: nothing up to it is missing here, unless there are `more_steps`.
    """
    stored, steps = await read_execution(services.database, execution_id, step_limit=STEPS_IN_DETAIL)
    answer = ExecutionDetail.of(stored, steps).model_dump(mode="json")
    return _json(answer | stored.payloads | {"steps": _with_payloads(answer["steps"], steps.items)})


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


def _with_payloads(answers: list[dict[str, Any]], steps: list[Stored[StepExecutionRecord]]) -> list[dict[str, Any]]:
    return [answer | step.payloads for answer, step in zip(answers, steps, strict=True)]


def _json(answer: dict[str, Any]) -> Response:
    """An answer whose payloads stand in it as they were stored."""
    return Response(orjson.dumps(answer), media_type="application/json")
