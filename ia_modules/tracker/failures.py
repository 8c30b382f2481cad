"""Failures in groups: what failed alike since a time, and what people say of it.

Counts are of a window of time: nothing is kept beside the rows. A group that is muted stays so until somebody says
otherwise; one that was said to be mended by a version is open again when that or a later one fails so, which the
failure itself writes.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any, Literal, get_args

from msgspec import Struct

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import FailureGroupNotFound, ReadTooLong
from ia_modules.models import ExecutionId, Json, PipelineId, Record, format_time, parse_time, sought_id
from ia_modules.payload import check_count, check_name, encode
from ia_modules.tracker.audit import deed_detail, deed_row, done_before
from ia_modules.tracker.metrics import bucket_edges
from ia_modules.transitions import Deed

FailureState = Literal["open", "muted", "mended"]
FAILURE_STATES: tuple[FailureState, ...] = get_args(FailureState)

FAILURES_WINDOW = timedelta(days=7)
"""How far back failures are counted, where nobody says otherwise."""

MOST_GROUPS = 200
"""A list has so many groups at most."""

_PATIENCE_SECONDS = 10.0
_PARTS = 60
_HOUR, _DAY = 3_600, 86_400
_READ_AT_ONCE = 100


class TrendPart(Struct, frozen=True):
    """How often something failed from ``start`` on, up to the next part."""

    start: datetime
    failures: int


class _StoredGroup(Record, kw_only=True, frozen=True):
    pipeline_id: PipelineId
    slug: str
    pipeline_name: str
    failure_group: str
    step_id: str
    error_type: str
    message: str
    state: FailureState
    mended_in_version: int | None
    marked_by: str | None
    marked_at: datetime | None
    reopened_at: datetime | None
    first_at: datetime
    first_version: int | None


class FailureSummary(_StoredGroup, kw_only=True, frozen=True):
    """What failed alike in one pipeline.

    Attributes:
        step_id, error_type: empty where no step failed, or no exception was raised.
        message: the error's, without what differs from run to run.
        state: ``open``, ``muted``, or ``mended`` by ``mended_in_version``.
        marked_by, marked_at: who said so last; None: nobody has.
        reopened_at: when it failed again on ``mended_in_version`` or a later one; None: it has not since it was marked.
        first_at, last_at: when it failed for the first and for the last time; the last is None when its executions are
            deleted.
        first_version: of the oldest of its executions; None: that has none, or they are deleted.
        count: how often it failed in the window.
        versions: of the pipeline, that failed so in the window; None stands for what has no version, and comes first.
        trend: the window in equal parts, oldest first, without gaps.
        execution_id: the newest of its executions, as an example; None when they are deleted.
    """

    last_at: datetime | None
    count: int
    versions: tuple[int | None, ...]
    trend: tuple[TrendPart, ...]
    execution_id: ExecutionId | None

    @property
    def id(self) -> str:
        """What commands and addresses name it by: the pipeline's slug, a full stop, and the group."""
        return f"{self.slug}.{self.failure_group}"

    def to_dict(self) -> dict[str, Any]:
        trend = [{"start": format_time(part.start), "failures": part.failures} for part in self.trend]
        return {"id": self.id, **Record.to_dict(self), "versions": list(self.versions), "trend": trend}


class FailurePage(Struct, kw_only=True, frozen=True):
    """The groups that failed in a window of time, the last one first.

    Attributes:
        part_seconds: how long each part of their trends is: an hour, a day or weeks. The first begins with the window.
        more: whether there are others.
    """

    since: datetime
    until: datetime
    part_seconds: int
    items: tuple[FailureSummary, ...]
    more: bool


@dataclass(slots=True)
class _Counted:
    """What a window has of one group."""

    last_at: datetime
    execution_id: ExecutionId
    count: int = 0
    versions: set[int | None] = field(default_factory=set[int | None])
    parts: dict[int, int] = field(default_factory=dict[int, int])

    def add(self, row: Mapping[str, Any]) -> None:
        self.last_at = max(self.last_at, parse_time(row["last_at"]))
        self.execution_id = max(self.execution_id, row["execution_id"])
        self.count += row["failures"]
        self.versions.add(row["pipeline_version"])
        self.parts[row["part"]] = self.parts.get(row["part"], 0) + row["failures"]


_Key = tuple[PipelineId, str]


@dataclass(frozen=True, slots=True)
class _Occurrences:
    since: datetime
    until: datetime
    part_seconds: int
    starts: tuple[datetime, ...]
    found: Mapping[_Key, _Counted]


@dataclass(frozen=True, slots=True)
class Failures:
    """Reads and marks the failure groups of one database."""

    database: DatabaseManager

    async def page(
        self,
        *,
        pipeline_id: str | None = None,
        since: datetime | timedelta | None = None,
        state: FailureState | None = None,
        limit: int = 50,
    ) -> FailurePage:
        """The groups that failed since a time; as :meth:`ia_modules.Client.failures`."""
        check_count(limit, "limit", low=1, high=MOST_GROUPS)

        def read() -> Script[FailurePage]:
            window = yield from self._count(since, sought_id(pipeline_id), None)
            items: list[FailureSummary] = []
            keys = sorted(window.found, key=lambda key: (window.found[key].last_at, key), reverse=True)
            for at in range(0, len(keys), _READ_AT_ONCE):
                for stored in (yield from self._stored(keys[at : at + _READ_AT_ONCE])):
                    if state is None or stored.state == state:
                        items.append(_summary(stored, window))
                if len(items) > limit:
                    break
            return FailurePage(
                since=window.since,
                until=window.until,
                part_seconds=window.part_seconds,
                items=tuple(items[:limit]),
                more=len(items) > limit,
            )

        async with _in_time():
            return await self.database.read(read())

    async def group(
        self, pipeline_id: PipelineId, failure_group: str, *, since: datetime | timedelta | None = None
    ) -> FailureSummary | None:
        """One group, counted since a time; None when there is none."""

        def read() -> Script[FailureSummary | None]:
            stored = yield from self._stored([(pipeline_id, failure_group)])
            if not stored:
                return None
            window = yield from self._count(since, pipeline_id, failure_group)
            if window.found:
                return _summary(stored[0], window)
            params = {"pipeline_id": pipeline_id, "failure_group": failure_group}
            newest = yield Statement(self.database.query("newest_failure"), [params])
            return _summary(stored[0], window, newest[0] if newest else None)

        async with _in_time():
            return await self.database.read(read())

    async def mark(
        self,
        pipeline_id: PipelineId,
        failure_group: str,
        state: FailureState,
        *,
        version: int | None,
        actor: str,
        idempotency_key: str | None = None,
    ) -> None:
        """Say what becomes of a group, in the place of what was said before; who did is on record.

        Args:
            version: which mends it; None unless it is mended.
            idempotency_key: names the request: sent again, it says nothing.

        Raises:
            FailureGroupNotFound
        """
        query, subject = self.database.query, f"{pipeline_id}.{failure_group}"
        verb = {"open": "unmute", "muted": "mute", "mended": "mend"}[state]
        params = {
            "pipeline_id": pipeline_id,
            "failure_group": failure_group,
            "state": state,
            "version": version,
            "actor": check_name(actor, "name of the actor"),
        }
        detail = deed_detail(None, idempotency_key)
        deed = Deed(actor=actor, action=f"failure.{verb}", detail=encode(detail, "detail") if detail else None)
        facts: dict[str, Json] = {} if version is None else {"version": version}

        def mark() -> Script[None]:
            if not (yield Statement(query("lock_failure_group"), [params])):
                raise FailureGroupNotFound(subject)
            if (yield from done_before(query, deed, subject)) is None:
                yield Statement(query("mark_failure_group"), [params])
                yield deed_row(query, deed, subject, **facts)

        await self.database.run(mark())

    def _stored(self, keys: list[_Key]) -> Script[list[_StoredGroup]]:
        """What is kept of these groups, in their order."""
        params = [{"pipeline_id": pipeline_id, "failure_group": group} for pipeline_id, group in keys]
        rows = yield Statement(self.database.query("get_failure_group"), params)
        return [_StoredGroup.from_row(row) for row in rows]

    def _count(
        self, since: datetime | timedelta | None, pipeline_id: str | None, failure_group: str | None
    ) -> Script[_Occurrences]:
        [clock] = yield Statement(self.database.query("read_now"))
        now = parse_time(clock["now"])
        begin = since if isinstance(since, datetime) else now - (FAILURES_WINDOW if since is None else since)
        begin = min(begin, now)
        until = now + timedelta(microseconds=1)  # with what fails at this moment
        seconds = part_seconds(until - begin)
        edges = [begin, *bucket_edges(begin, until, seconds)[1:-1], until]
        parts = [
            {
                "part": number,
                "start": start,
                "end": end,
                "pipeline_id": pipeline_id,
                "failure_group": failure_group,
            }
            for number, (start, end) in enumerate(pairwise(edges))
        ]
        rows = yield Statement(self.database.query("count_failures"), parts)
        found: dict[_Key, _Counted] = {}
        for row in rows:
            key = (row["pipeline_id"], row["failure_group"])
            if key not in found:
                found[key] = _Counted(parse_time(row["last_at"]), row["execution_id"])
            found[key].add(row)
        return _Occurrences(begin, now, seconds, tuple(edges[:-1]), found)


def part_seconds(span: timedelta) -> int:
    """How long the parts of a trend are, so that there are about 60 at most: an hour, a day, or whole weeks."""
    least = span.total_seconds() / _PARTS
    week = 7 * _DAY
    return next((seconds for seconds in (_HOUR, _DAY) if seconds >= least), ceil(least / week) * week)


def _summary(stored: _StoredGroup, window: _Occurrences, newest: Mapping[str, Any] | None = None) -> FailureSummary:
    """A group with what the window has of it; ``newest``: of one that has nothing there, its newest execution."""
    counted = window.found.get((stored.pipeline_id, stored.failure_group))
    parts = {} if counted is None else counted.parts
    if counted is not None:
        last_at, execution_id = counted.last_at, counted.execution_id
    elif newest is not None:
        last_at, execution_id = parse_time(newest["last_at"]), ExecutionId(newest["execution_id"])
    else:
        last_at, execution_id = None, None
    return FailureSummary(
        **{name: getattr(stored, name) for name in stored.__struct_fields__},
        last_at=last_at,
        count=0 if counted is None else counted.count,
        versions=() if counted is None else tuple(sorted(counted.versions, key=lambda version: version or 0)),
        trend=tuple(TrendPart(start, parts.get(number, 0)) for number, start in enumerate(window.starts)),
        execution_id=execution_id,
    )


@asynccontextmanager
async def _in_time() -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            yield
    except TimeoutError as error:
        raise ReadTooLong("failures", _PATIENCE_SECONDS, "Ask for a shorter window.") from error
