"""Executions over HTTP: lists that end in time, and one execution with its payloads as the text they are stored as."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import orjson

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import InvalidArgument, ReadTooLong
from ia_modules.models import RunPath, StepExecutionRecord
from ia_modules.tracker.details import Stored, read_execution, read_payloads, read_step, read_steps
from ia_modules.tracker.lists import ExecutionFilters
from showcase_app.backend.schemas.changes import ChangesOut
from showcase_app.backend.schemas.comparison import ComparisonOut
from showcase_app.backend.schemas.executions import (
    ExecutionDetail,
    ExecutionPageOut,
    StatisticsOut,
    StepDetail,
    StepPageOut,
)
from showcase_app.backend.schemas.requests import ExecutionQuery, ExecutionScope

PATIENCE_SECONDS = 15.0
"""How long a list may take; one that needs longer is stopped in the database too."""

STEPS_IN_DETAIL, RERUNS_IN_DETAIL = 1000, 20

_SEARCHED = "The beginning of the id and of the caller's id, name and slug of the pipeline"

_ASK_FOR_LESS = "Ask for less: a shorter time window, or no text."

T = TypeVar("T")


class ExecutionService:
    def __init__(self, database: DatabaseManager, client: Client, trace_url: str | None = None) -> None:
        """``trace_url``: where people find traces, with ``{trace_id}`` in it; None: nowhere that is known."""
        self._database, self._client, self._trace_url = database, client, trace_url

    async def list_executions(self, query: ExecutionQuery) -> ExecutionPageOut:
        """A page of executions, newest first. Raises ReadTooLong."""
        filters = query.as_filters(query.status)
        page = await _in_time(self._client.executions(filters, cursor=query.cursor, limit=query.limit, sort=query.sort))
        return ExecutionPageOut.of(page, searched=searched_in(filters))

    async def count(self, scope: ExecutionScope) -> StatisticsOut:
        """How they stand. Raises ReadTooLong."""
        filters = scope.as_filters()
        return StatisticsOut.of(await _in_time(self._client.statistics(filters)), searched=searched_in(filters))

    async def detail(self, execution_id: str) -> bytes:
        """An :class:`ExecutionDetail` as JSON. Raises ExecutionNotFound."""
        read = await read_execution(
            self._database, execution_id, step_limit=STEPS_IN_DETAIL, rerun_limit=RERUNS_IN_DETAIL
        )
        answer = ExecutionDetail.of(read, trace_url=self._trace_url).model_dump(mode="json")
        steps = _with_payloads(answer["steps"], read.steps.items)
        return orjson.dumps(answer | read.execution.payloads | {"steps": steps})

    async def payloads(self, execution_id: str) -> bytes:
        """Its payloads as JSON, however large. Raises ExecutionNotFound."""
        row_id, payloads = await read_payloads(self._database, execution_id)
        return orjson.dumps({"execution_id": row_id} | payloads)

    async def steps(
        self,
        execution_id: str,
        *,
        within: RunPath,
        step_id: str | None,
        iteration: int | None,
        cursor: str | None,
        limit: int,
    ) -> bytes:
        """A :class:`StepPageOut` as JSON. Raises ExecutionNotFound."""
        page = await read_steps(
            self._database,
            execution_id,
            within=within,
            step_id=step_id,
            iteration=iteration,
            cursor=cursor,
            limit=limit,
        )
        answer = StepPageOut.of(page).model_dump(mode="json")
        return orjson.dumps(answer | {"items": _with_payloads(answer["items"], page.items)})

    async def step(self, execution_id: str, step_execution_id: str) -> bytes:
        """A whole :class:`StepDetail` as JSON. Raises StepExecutionNotFound."""
        stored = await read_step(self._database, execution_id, step_execution_id)
        return orjson.dumps(StepDetail.of(stored).model_dump(mode="json") | stored.payloads)

    async def compare(self, a: str, b: str | None) -> ComparisonOut:
        """Two executions beside each other; None: the last good one.

        Raises:
            ExecutionNotFound
            NothingToCompareWith: there is no last good one.
            ReadTooLong
        """
        advice = "Export both, and compare the files."
        comparison = await _in_time(self._client.compare(a, b), what="the two executions", advice=advice)
        return ComparisonOut.from_record(comparison)

    async def changes(self, execution_id: str, after: int, *, within: RunPath) -> ChangesOut:
        """What is newer than a cursor, of one level.

        Raises:
            ExecutionNotFound
            InvalidArgument: the cursor is ahead of the execution.
        """
        changes = await self._client.tracker.changes(execution_id, after, within=within)
        if after > changes.execution.sequence:
            raise InvalidArgument("cursor", str(after), f"at most {changes.execution.sequence}, where the execution is")
        return ChangesOut.of(changes)


def searched_in(filters: ExecutionFilters) -> str | None:
    """Where the text of the filters was looked for, in words; None without a text."""
    if not filters.text:
        return None
    errors = f"errors of the newest {filters.look_back:,} that failed and that were cancelled"
    return f"{_SEARCHED}; unless it is the whole id of one, {errors}."


async def _in_time(answer: Awaitable[T], *, what: str = "the executions", advice: str = _ASK_FOR_LESS) -> T:
    """Raise ReadTooLong when the answer takes too long; what the database does for it is stopped then."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer
    except TimeoutError:
        raise ReadTooLong(what, PATIENCE_SECONDS, advice) from None


def _with_payloads(answers: list[dict[str, Any]], steps: list[Stored[StepExecutionRecord]]) -> list[dict[str, Any]]:
    return [answer | step.payloads for answer, step in zip(answers, steps, strict=True)]
