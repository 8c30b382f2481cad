"""Changing many executions or questions: which ones, each by itself, and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from ia_modules.errors import DatabaseError, IAModulesError
from ia_modules.models import ExecutionStatus
from ia_modules.tracker.lists import ExecutionFilters
from ia_modules.tracker.reader import ExecutionReader

BULK_LIMIT = 1000
"""How many executions one call changes."""

BulkAction = Literal["cancel", "rerun", "delete"]

_AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An execution that was left as it is, and why."""

    execution_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What came of changing many.

    Attributes:
        matched: how many were looked at.
        matched_capped: the filters find more than were looked at.
        done: how many were changed; 0 in a dry run.
        refused: those that were left as they are; in a dry run those that would be.
    """

    matched: int
    matched_capped: bool
    done: int
    refused: list[Refused]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedAnswer:
    """A question that did not take an answer, and why; ``actor`` and ``closed_at``: who decided it, and when."""

    interaction_id: str
    reason: str
    actor: str | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredEach:
    """What came of one answer to many questions: how many have it, and those that were left."""

    done: int
    refused: list[RefusedAnswer]


async def find_suited(
    reader: ExecutionReader, filters: ExecutionFilters, *, ended: bool, limit: int
) -> tuple[list[str], bool]:
    """The newest executions that filters find among those that have ``ended`` or have not; whether there are more."""
    statuses = [each for each in ExecutionStatus if each.is_terminal is ended and filters.status in (None, each)]
    pages = [await reader.list_executions(replace(filters, status=status), limit=limit) for status in statuses]
    ids = sorted((item.execution_id for page in pages for item in page.items), reverse=True)
    more = len(ids) > limit or any(page.next_cursor is not None for page in pages)
    return [*ids[:limit]], more


async def change_each(execution_ids: list[str], change: Callable[[str], Awaitable[object]]) -> list[Refused]:
    """Change each by itself, a few at the same time; those that were refused.

    Raises:
        DatabaseError: it went away; the changes that had not begun are left out.
    """
    turn = asyncio.Semaphore(_AT_ONCE)

    async def attempt(execution_id: str) -> Refused | None:
        async with turn:
            try:
                await change(execution_id)
            except DatabaseError:
                raise
            except IAModulesError as error:
                return Refused(execution_id=execution_id, reason=str(error))
        return None

    try:
        async with asyncio.TaskGroup() as group:  # when the database goes away, the others are not begun
            attempts = [group.create_task(attempt(execution_id)) for execution_id in execution_ids]
    except* DatabaseError as away:
        raise away.exceptions[0] from None
    return [refused for task in attempts if (refused := task.result()) is not None]
