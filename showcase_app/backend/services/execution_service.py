"""Executions: found, counted, stopped, run again and exported, all over the tracker's rows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import orjson

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import AlreadyFinished, DatabaseError, ExecutionNotFound, IAModulesError, ReadTooLong
from ia_modules.models import ExecutionId, ExecutionStatus, ExecutionSummary
from ia_modules.tracker.details import read_payloads, read_step, read_steps
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters, ExecutionPage, ExecutionStatistics, LogFilters, LogPage
from showcase_app.backend.services.pipeline_service import PipelineService

PATIENCE_SECONDS = 15.0
"""How long a list may take; one that needs longer is stopped in the database too."""

T = TypeVar("T")

_AT_ONCE = 20
_LINES_AT_ONCE = 500

Action = Literal["cancel", "rerun"]
Change = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An execution that was left as it is, and why."""

    execution_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What came of changing many.

    Attributes:
        matched_capped: there are more than were looked at.
    """

    matched: int
    matched_capped: bool
    done: int
    refused: list[Refused]


class ExecutionService:
    def __init__(self, database: DatabaseManager, tracker: ExecutionTracker, pipelines: PipelineService) -> None:
        self._database = database
        self._tracker = tracker
        self._pipelines = pipelines
        self._changes: Mapping[Action, Change] = {"cancel": self.cancel, "rerun": pipelines.rerun}
        self._checks: Mapping[Action, Change] = {"cancel": self.check_cancel, "rerun": pipelines.check_rerun}

    async def list_executions(self, filters: ExecutionFilters, *, cursor: str | None, limit: int) -> ExecutionPage:
        """A page of executions, newest first.

        Raises:
            ReadTooLong
        """
        return await _in_time(self._tracker.list_executions(filters, cursor, limit))

    async def count(self, filters: ExecutionFilters) -> ExecutionStatistics:
        """How they stand.

        Raises:
            ReadTooLong
        """
        return await _in_time(self._tracker.get_execution_statistics(filters))

    async def list_logs(self, execution_id: str, filters: LogFilters, *, cursor: str | None, limit: int) -> LogPage:
        """A page of an execution's lines, oldest first.

        Raises:
            ExecutionNotFound
        """
        await self._pipelines.get_execution_from_db(execution_id)
        return await self._tracker.list_logs(execution_id, filters, cursor, limit)

    async def cancel(self, execution_id: str) -> ExecutionSummary:
        """Ask for it to be stopped; as it stands then.

        Raises:
            ExecutionNotFound, AlreadyFinished
        """
        await self._tracker.request_cancel(ExecutionId(execution_id))
        return await self._pipelines.get_execution_from_db(execution_id)

    async def check_cancel(self, execution_id: str) -> None:
        """Raise what :meth:`cancel` would, and stop nothing."""
        standing = await self._pipelines.get_execution_from_db(execution_id)
        if standing.status.is_terminal:
            raise AlreadyFinished("execution", execution_id, status=standing.status, wanted="cancelled")

    async def change_many(
        self,
        action: Action,
        execution_ids: list[str] | None,
        *,
        filters: ExecutionFilters | None,
        limit: int,
        dry_run: bool,
        note: Callable[[str], Awaitable[None]],
    ) -> Changed:
        """Cancel or run again those that are named, or the newest that the filters find: each by itself.

        Of those that filters find, only what has not ended is cancelled, and only what has ended is run again.

        Args:
            dry_run: change nothing, and say which would be refused.
            note: is told the id of each that was changed.

        Raises:
            DatabaseError: it went away in between; what had been changed is noted, the rest was left.
        """
        named = list(dict.fromkeys(execution_ids or []))
        ids, more = (named, False) if filters is None else await self._matching(action, filters, limit)
        change = self._checks[action] if dry_run else self._changes[action]
        turn = asyncio.Semaphore(_AT_ONCE)

        async def attempt(execution_id: str) -> Refused | None:
            async with turn:
                try:
                    await change(execution_id)
                except DatabaseError:
                    raise
                except IAModulesError as error:
                    return Refused(execution_id=execution_id, reason=str(error))
                if not dry_run:
                    await note(execution_id)
            return None

        try:
            async with asyncio.TaskGroup() as group:  # when the database goes away, the others are not begun
                attempts = [group.create_task(attempt(execution_id)) for execution_id in ids]
        except* DatabaseError as away:
            raise away.exceptions[0] from None
        refused = [outcome for task in attempts if (outcome := task.result()) is not None]
        done = 0 if dry_run else len(ids) - len(refused)
        return Changed(matched=len(ids), matched_capped=more, done=done, refused=refused)

    async def _matching(self, action: Action, filters: ExecutionFilters, limit: int) -> tuple[list[str], bool]:
        """The newest that are found and that the action is for, and whether there are more."""
        suited = [each for each in ExecutionStatus if each.is_terminal is (action == "rerun")]
        pages = [
            await self.list_executions(replace(filters, status=status), cursor=None, limit=limit)
            for status in suited
            if filters.status in (None, status)
        ]
        found = sorted((item.execution_id for page in pages for item in page.items), reverse=True)
        more = len(found) > limit or any(page.next_cursor is not None for page in pages)
        return [*found[:limit]], more

    async def export(self, execution_id: str) -> AsyncIterator[bytes]:
        """Everything on record about an execution as JSON, in parts. Of one that runs: what was read meanwhile.

        Raises:
            ExecutionNotFound: at once, before the first part is asked for.
        """
        summary = await self._pipelines.get_execution_from_db(execution_id)
        return self._parts(summary)

    async def _parts(self, summary: ExecutionSummary) -> AsyncIterator[bytes]:
        execution_id = summary.execution_id
        record = await self._tracker.get_execution(execution_id)
        if record is None:
            raise ExecutionNotFound(execution_id)
        told = summary.to_dict() | {
            "error_message": record.error_message,
            "queue_seconds": record.queue_seconds,
            "duration_seconds": record.duration_seconds,
        }
        yield b'{"execution":' + orjson.dumps(told | await read_payloads(self._database, execution_id))
        yield b',"definition":' + await self._definition(summary)
        yield b',"steps":['
        async for part in self._steps(execution_id):
            yield part
        yield b'],"interactions":'
        yield orjson.dumps([each.to_dict() for each in await self._tracker.get_interactions(execution_id)])
        yield b',"logs":['
        async for part in self._lines(execution_id):
            yield part
        yield b"]}"

    async def _definition(self, summary: ExecutionSummary) -> bytes:
        asked = {"pipeline_id": summary.pipeline_id, "version": summary.pipeline_version}
        if summary.pipeline_version is None:
            return b"null"
        row = await self._database.fetch_one_async(self._database.query("get_definition_text"), asked)
        return b"null" if row is None else row["definition"].encode()

    async def _steps(self, execution_id: str) -> AsyncIterator[bytes]:
        cursor: str | None = None
        separator = b""
        while True:
            page = await read_steps(self._database, execution_id, cursor=cursor, limit=100)
            for each in page.items:
                step = each
                if each.omitted:
                    step = await read_step(self._database, execution_id, each.record.step_execution_id)
                told = step.record.to_dict() | {"duration_seconds": step.record.duration_seconds} | step.payloads
                yield separator + orjson.dumps(told)
                separator = b","
            if not page.more:
                return
            cursor = page.items[-1].record.step_execution_id

    async def _lines(self, execution_id: str) -> AsyncIterator[bytes]:
        cursor: str | None = None
        separator = b""
        while True:
            page = await self._tracker.list_logs(execution_id, LogFilters(), cursor, _LINES_AT_ONCE)
            for line in page.items:
                yield separator + orjson.dumps(line.to_dict() | {"data_omitted": False})
                separator = b","
            if page.next_cursor is None:
                return
            cursor = page.next_cursor


def searched_in(filters: ExecutionFilters) -> str | None:
    """Where the text of the filters was looked for, in words; None without a text."""
    if not filters.text:
        return None
    if filters.searches_errors:
        return "The beginning of the id, name and slug of the pipeline, and errors inside the time window."
    return "The beginning of the id, and name and slug of the pipeline. Errors are searched only inside a time window."


async def _in_time(answer: Awaitable[T]) -> T:
    """Raise ReadTooLong when the answer takes too long; what the database does for it is stopped then."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer
    except TimeoutError:
        advice = "Ask for less: a shorter time window, or no text."
        raise ReadTooLong("the executions", PATIENCE_SECONDS, advice) from None
