"""Changing many executions or questions: which ones, each by itself, and what came of it."""

import asyncio
import base64
import binascii
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, cast

import orjson

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import AlreadyRepeated, DatabaseError, IAModulesError, InvalidArgument
from ia_modules.models import Effect, ExecutionId, ExecutionStatus, is_id
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.ahead import StepAhead, StepEffect
from ia_modules.tracker.lists import ExecutionFilters
from ia_modules.tracker.reader import ExecutionReader

BULK_LIMIT = 1000
"""How many executions one call changes."""

BulkAction = Literal["cancel", "resume", "rerun", "delete"]

TOKEN_LIMIT_CHARACTERS = 2**16
"""A token over :data:`BULK_LIMIT` ids is shorter."""

_AT_ONCE = 20
_ENDED = frozenset(status for status in ExecutionStatus if status.is_terminal)
_SUITED: Mapping[BulkAction, frozenset[ExecutionStatus]] = {
    "cancel": frozenset(ExecutionStatus) - _ENDED,
    "resume": _ENDED - {ExecutionStatus.COMPLETED},
    "rerun": _ENDED,
    "delete": _ENDED,
}
"""What each action is for."""

Named = Literal["by ids", "by filter", "by token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An execution that was left as it is, and why."""

    execution_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An execution that is not run again with others, since it is already.

    Attributes:
        rerun_id: what repeats it: a re-run, or a re-run of one.
        status: of that: under way, or completed; another one where it is among those to run again itself.
    """

    execution_id: ExecutionId
    rerun_id: ExecutionId
    status: ExecutionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAheadOfMany(StepEffect):
    """A step that runs in some of many executions, or may; ``executions``: in how many."""

    executions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What came of changing many.

    Attributes:
        matched: how many were looked at: those that were changed, refused and left out.
        matched_capped: the filters find more than were looked at, or may: what has no index is looked for in
            ``look_back`` executions only.
        done: how many were changed, now or by the same request before; 0 in a dry run.
        refused: those that were left as they are; in a dry run those that would be.
        left_out: of a re-run that does not name them: those that have one under way or completed.
        token: of a dry run with filters: names those that it found, for the same action; None otherwise.
        steps: of a dry run: what a re-run or a resume of them runs, or may.
    """

    matched: int
    matched_capped: bool
    done: int
    refused: list[Refused]
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])
    token: str | None = None
    steps: list[StepAheadOfMany] = field(default_factory=list[StepAheadOfMany])


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


@dataclass(frozen=True, slots=True)
class Chosen:
    """The executions that are meant, each once; ``more``: filters find others, too."""

    ids: list[str]
    named: Named
    more: bool = False


async def choose(
    reader: ExecutionReader,
    action: BulkAction,
    *,
    execution_ids: Iterable[str] | None = None,
    filters: ExecutionFilters | None = None,
    token: str | None = None,
    skip: int = 0,
    limit: int = BULK_LIMIT,
) -> Chosen:
    """What one of ``execution_ids``, ``filters`` and ``token`` means.

    Args:
        skip: so many of those that a token names are left out, from its beginning on.
        limit: at most so many of a token; of filters, the newest so many.

    Raises:
        InvalidArgument: the token is none of a dry run of this action.
    """
    if token is not None:
        return Chosen(ids_of_token(token, action)[skip : skip + limit], "by token")
    if filters is None:
        return Chosen(list(dict.fromkeys(execution_ids or [])), "by ids")
    ids, more = await find_suited(reader, filters, action=action, limit=limit)
    return Chosen(ids, "by filter", more)


async def find_suited(
    reader: ExecutionReader, filters: ExecutionFilters, *, action: BulkAction, limit: int
) -> tuple[list[str], bool]:
    """The newest executions that filters find among those that an action is for; whether there are more."""
    statuses = [each for each in filters.statuses if each in _SUITED[action]]
    pages = [await reader.list_executions(replace(filters, status=status), limit=limit) for status in statuses]
    ids = sorted((item.execution_id for page in pages for item in page.items), reverse=True)
    more = len(ids) > limit or any(page.next_cursor or page.looked_back_to for page in pages)
    return [*ids[:limit]], more


def token_over(action: BulkAction, ids: Sequence[str]) -> str:
    """A text that names executions for an action; whoever has it can do nothing that naming them would not do."""
    packed = zlib.compress(orjson.dumps([action, *ids]), level=9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def ids_of_token(token: str, action: BulkAction) -> list[str]:
    """The executions that a token names, in their order.

    Raises:
        InvalidArgument: it is none of this action.
    """
    expected = f"one of a dry run of {action!r}, whole and unchanged"
    try:
        if len(token) > TOKEN_LIMIT_CHARACTERS:
            raise ValueError(f"{len(token):,} characters")
        unpacked = zlib.decompressobj()
        packed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        text = unpacked.decompress(packed, 64 * BULK_LIMIT)
        found: object = orjson.loads(text) if unpacked.eof else None
    except (binascii.Error, zlib.error, ValueError):
        raise InvalidArgument("token", "no token", expected) from None
    named = cast("list[Any]", found) if isinstance(found, list) else []
    if not named or not all(is_id(each) for each in named[1:]):
        raise InvalidArgument("token", "no token", expected)
    if named[0] != action:
        raise InvalidArgument("token", f"one of {named[0]!r}", expected)
    return named[1:]


def key_of_each(idempotency_key: str, execution_id: str) -> str:
    """The idempotency key of one execution, in a request about many that has this key."""
    return f"bulk:{content_hash(encode([idempotency_key, execution_id], 'idempotency key'))}"


async def find_repeated(
    database: DatabaseManager, ids: Sequence[str], *, idempotency_key: str | None = None
) -> list[LeftOut]:
    """Those of some executions that are run again already, or are about to be: what repeats them is among them.

    Another request at the same moment may find none, too; so each is queued only where it is still not repeated then.

    Args:
        ids: row ids.
        idempotency_key: of the request about all of them; what it began before does not count.
    """
    rows = await database.fetch_all_async(database.query("list_repeats"), {"ids": orjson.dumps([*ids]).decode()})
    found: dict[str, LeftOut] = {}
    begun = set[str]()
    for row in rows:
        repeated = row["execution_id"]
        if idempotency_key is not None and row["idempotency_key"] == key_of_each(idempotency_key, repeated):
            begun.add(repeated)
        status = ExecutionStatus(row["status"])
        found.setdefault(repeated, LeftOut(execution_id=repeated, rerun_id=row["rerun_id"], status=status))
    return [found[each] for each in ids if each in found and each not in begun]


def left_out_of(repeated: AlreadyRepeated) -> LeftOut:
    """One that somebody else has run again since it was looked for."""
    return LeftOut(
        execution_id=ExecutionId(repeated.execution_id),
        rerun_id=ExecutionId(repeated.rerun_id),
        status=ExecutionStatus(repeated.status),
    )


def steps_of_many(plans: Iterable[Iterable[StepAhead]]) -> list[StepAheadOfMany]:
    """What runs in many executions, each step once, those in most of them first."""
    counts: dict[tuple[str, str, Effect | None], int] = {}
    for steps in plans:
        for step in steps:
            key = (step.step_id, step.step_name, step.effect)
            counts[key] = counts.get(key, 0) + 1
    in_order = sorted(counts.items(), key=lambda item: -item[1])
    return [
        StepAheadOfMany(step_id=step_id, step_name=name, effect=effect, executions=count)
        for (step_id, name, effect), count in in_order
    ]


async def change_each(execution_ids: Iterable[str], change: Callable[[str], Awaitable[object]]) -> list[Refused]:
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
