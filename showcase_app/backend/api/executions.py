"""What ran and what runs: lists, numbers, one execution with its steps, one attempt of a step."""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, HTTPException, Path, Query, Response
from pydantic import AwareDatetime

from ia_modules.errors import ExecutionNotFound, StepExecutionNotFound
from ia_modules.models import ExecutionStatus, PipelineId
from ia_modules.web.execution_tracker import ExecutionFilters
from showcase_app.backend.api.problems import Problem
from showcase_app.backend.dependencies import Services, Tracker
from showcase_app.backend.schemas import (
    ID_PATTERN,
    INLINE_BYTES,
    LARGEST_CURSOR,
    ChangesOut,
    ExecutionDetail,
    ExecutionPageOut,
    StatisticsOut,
    StepDetail,
)
from showcase_app.backend.services.stored import read_execution, read_step

PAGE_LIMIT = 500

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
        AwareDatetime | None, Query(description="Started at or after this time.", examples=["2026-11-24T03:00:00Z"])
    ] = None,
    started_before: Annotated[AwareDatetime | None, Query(description="Started before this time.")] = None,
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
async def get_execution(services: Services, tracker: Tracker, execution_id: Id) -> Response:
    """The execution with its payloads and every attempt of every step.

    Its `sequence` is a cursor for the socket: nothing up to it is missing here.
    """
    stored = await read_execution(services.database, execution_id)
    if stored is None:
        raise ExecutionNotFound(execution_id)
    steps = await tracker.get_execution_steps(execution_id, inline_bytes=INLINE_BYTES)
    return _with_payloads(ExecutionDetail.of(stored.record, steps), stored.payloads)


@router.get(
    "/{execution_id}/steps/{step_execution_id}",
    summary="Read one attempt of a step",
    response_model=StepDetail,
    responses=_NOT_FOUND,
)
async def get_step_execution(services: Services, execution_id: Id, step_execution_id: Id) -> Response:
    """Everything of one attempt, however large its input and output are."""
    stored = await read_step(services.database, step_execution_id)
    if stored is None or stored.record.execution_id != execution_id:
        raise StepExecutionNotFound(step_execution_id)
    return _with_payloads(StepDetail.from_record(stored.record), stored.payloads)


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


def _with_payloads(answer: ExecutionDetail | StepDetail, payloads: dict[str, orjson.Fragment]) -> Response:
    """An answer whose payloads stand where they belong, as they were stored."""
    return Response(orjson.dumps(answer.model_dump(mode="json") | payloads), media_type="application/json")
