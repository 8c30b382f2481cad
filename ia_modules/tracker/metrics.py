"""Metrics of many executions: success, retries, questions to people, times, throughput. All are read from the rows.

A window has the executions that *started* in it, whatever their status is now. Counts are of the whole window, times
and steps of its newest ``SAMPLE`` executions, as sorting all of them would take too long. Percentiles are by nearest
rank: the smallest value that at least so many of all values do not exceed.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any

from ia_modules.database.driver import Params
from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import ReadTooLong
from ia_modules.models import ExecutionStatus, PipelineId, Row, parse_time, sought_id

SAMPLE = 2_000
"""Times and steps are of so many executions at most."""

BUCKET_SAMPLE = 1_000
"""The times of one part of a history are of so many executions at most."""

BUCKETS = 60
"""A history has about so many parts at most."""

PATIENCE_SECONDS = 10.0

_ENDED = [status for status in ExecutionStatus if status.is_terminal]
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_BUCKET_SECONDS = (_MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR, 4 * _HOUR, 12 * _HOUR, _DAY, 7 * _DAY)
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long ``count`` executions took from start to end; all of it is None for none."""

    count: int = 0
    mean_seconds: float | None = None
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    p99_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineMetrics:
    """The executions of one pipeline, with the times of those in the sample that completed."""

    pipeline_id: PipelineId
    pipeline_name: str
    by_status: Mapping[ExecutionStatus, int]
    times: Times

    @property
    def executions(self) -> int:
        return sum(self.by_status.values())

    @property
    def success_rate(self) -> float | None:
        return success_rate(self.by_status[ExecutionStatus.COMPLETED], self.by_status[ExecutionStatus.FAILED])


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """A step of a pipeline, over the executions of the sample.

    Attributes:
        runs: step runs that ended: all attempts of one iteration, of which the last one completed or failed.
        failed: of these, whose last attempt failed.
        made_good: of these, completed by their fallback, or failed and continued.
        retries: attempts made again after one that failed.
        p50_seconds, p95_seconds: of the attempt that ended the run.
    """

    step_id: str
    pipeline_id: PipelineId
    pipeline_name: str
    runs: int
    failed: int
    made_good: int
    retries: int
    p50_seconds: float | None
    p95_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowMetrics:
    """Metrics of the executions that started in a window.

    Attributes:
        since: its start; None: all executions.
        until: the database's time when it was read.
        first_start: when the first of them started; None for none.
        by_status: the number of executions for every status.
        retries: attempts made again after one that failed, in executions that ended.
        interventions: executions that ended and had a question to a person.
        times: of those in the sample that completed.
        sample: how many executions times and steps are of; fewer than ``executions`` when there are more than SAMPLE.
    """

    since: datetime | None
    until: datetime
    first_start: datetime | None
    by_status: Mapping[ExecutionStatus, int]
    retries: int
    interventions: int
    times: Times
    steps: Sequence[StepMetrics]
    pipelines: Sequence[PipelineMetrics]
    sample: int

    @property
    def executions(self) -> int:
        return sum(self.by_status.values())

    @property
    def completed(self) -> int:
        return self.by_status[ExecutionStatus.COMPLETED]

    @property
    def failed(self) -> int:
        return self.by_status[ExecutionStatus.FAILED]

    @property
    def ended(self) -> int:
        return sum(self.by_status[status] for status in _ENDED)

    @property
    def sampled(self) -> bool:
        """Whether there are more executions than times and steps are of."""
        return self.sample < self.executions

    @property
    def throughput_per_hour(self) -> float | None:
        """Executions that ended, per hour of the window (of everything: since the first start); None for none."""
        began = self.since or self.first_start
        seconds = 0.0 if began is None else (self.until - began).total_seconds()
        return self.ended * _HOUR / seconds if self.executions and seconds > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The executions that started from ``start`` on and before ``end``; the times are of the newest that completed."""

    start: datetime
    end: datetime
    started: int
    completed: int
    failed: int
    cancelled: int
    retries: int
    human_interventions: int
    p50_seconds: float | None
    p95_seconds: float | None

    @property
    def success_rate(self) -> float | None:
        return success_rate(self.completed, self.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Equal parts of a window, oldest first, without gaps."""

    bucket_seconds: int
    buckets: Sequence[Bucket]


def success_rate(completed: int, failed: int) -> float | None:
    """Completed / (completed + failed), without cancelled ones; None when there are neither."""
    return completed / (completed + failed) if completed + failed else None


class MetricsReader:
    """Measures windows of executions. Nothing is cached: every call reads the rows.

    Args:
        patience_seconds: time limit of one call.
    """

    def __init__(self, database: DatabaseManager, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._database, self._patience_seconds = database, patience_seconds

    async def measure(self, window: timedelta | None = None, pipeline_id: str | None = None) -> WindowMetrics:
        """Metrics of the executions that started within the last ``window``; None = all. An unknown pipeline has none.

        Raises:
            ReadTooLong: there are too many to be counted in time.
        """
        async with self._in_time():
            return await self._database.read(self._measure(window, sought_id(pipeline_id)))

    async def count(self, window: timedelta) -> dict[ExecutionStatus, int]:
        """The number of executions for every status that started within the last ``window``. Raises ReadTooLong."""

        def read() -> Script[dict[ExecutionStatus, int]]:
            params = {"since": (yield from self._now()) - window, "pipeline_id": None}
            return _by_status((yield Statement(self._database.query("count_window"), [params])))

        async with self._in_time():
            return await self._database.read(read())

    async def history(self, window: timedelta | None = None, pipeline_id: str | None = None) -> History:
        """The same executions in equal parts of time by their start; the first part may begin before the window.

        Raises:
            ReadTooLong
        """
        async with self._in_time():
            return await self._database.read(self._history(window, sought_id(pipeline_id)))

    def _measure(self, window: timedelta | None, pipeline_id: str | None) -> Script[WindowMetrics]:
        query = self._database.query
        until = yield from self._now()
        since = None if window is None else until - window
        params = {"since": since or _BEGINNING, "pipeline_id": pipeline_id, "limit": SAMPLE}
        first_start = yield from self._first_start(params)
        counted = yield Statement(query("count_window"), [params])
        retried = yield Statement(query("count_window_retries"), [params])
        intervened = yield Statement(query("count_window_interventions"), [params])
        timed = yield Statement(query("time_window"), [params])
        steps = yield Statement(query("time_window_steps"), [params])
        times = {row["pipeline_id"]: _times(row) for row in timed}
        by_status = _by_status(counted)
        return WindowMetrics(
            since=since,
            until=until,
            first_start=first_start,
            by_status=by_status,
            retries=int(retried[0]["retries"]),
            interventions=intervened[0]["interventions"],
            times=times.get(None, Times()),
            steps=[_step(row) for row in steps],
            pipelines=_pipelines(counted, times),
            sample=min(SAMPLE, sum(by_status.values())),
        )

    def _history(self, window: timedelta | None, pipeline_id: str | None) -> Script[History]:
        until = yield from self._now()
        if window is None:
            since = (yield from self._first_start({"since": _BEGINNING, "pipeline_id": pipeline_id})) or until
        else:
            since = until - window
        seconds = bucket_seconds(until - since)
        parts = list(pairwise(bucket_edges(since, until, seconds)))
        params = {"pipeline_id": pipeline_id, "limit": BUCKET_SAMPLE}
        rows = yield Statement(
            self._database.query("measure_bucket"), [{"start": start, "end": end, **params} for start, end in parts]
        )
        return History(
            bucket_seconds=seconds,
            buckets=[_bucket(start, end, row) for (start, end), row in zip(parts, rows, strict=True)],
        )

    def _now(self) -> Script[datetime]:
        rows = yield Statement(self._database.query("read_now"))
        return parse_time(rows[0]["now"])

    def _first_start(self, params: Params) -> Script[datetime | None]:
        rows = yield Statement(self._database.query("read_first_start"), [params])
        first = rows[0]["first_start"]
        return None if first is None else parse_time(first)

    @asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._patience_seconds):
                yield
        except TimeoutError as error:
            raise ReadTooLong("metrics", self._patience_seconds, "Ask for a shorter window.") from error


def bucket_seconds(span: timedelta) -> int:
    """How long each part of a history is: a round time, of which a span has about BUCKETS at most."""
    least = span.total_seconds() / BUCKETS
    return next((seconds for seconds in _BUCKET_SECONDS if seconds >= least), ceil(least / _DAY) * _DAY)


def bucket_edges(since: datetime, until: datetime, seconds: int) -> list[datetime]:
    """Where the parts begin and the last one ends: multiples of ``seconds`` that ``since`` and ``until`` lie between.

    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> [edge.minute for edge in bucket_edges(noon, noon + timedelta(minutes=7), 300)]
    [0, 5, 10]
    """
    first, last = int(since.timestamp() // seconds), int(until.timestamp() // seconds) + 1
    return [datetime.fromtimestamp(number * seconds, UTC) for number in range(first, last + 1)]


def _by_status(counted: Sequence[Row]) -> dict[ExecutionStatus, int]:
    by_status = dict.fromkeys(ExecutionStatus, 0)
    for row in counted:
        by_status[ExecutionStatus(row["status"])] += row["executions"]
    return by_status


def _pipelines(counted: Sequence[Row], times: Mapping[Any, Times]) -> list[PipelineMetrics]:
    """Those with most executions first."""
    rows: dict[PipelineId, list[Row]] = {}
    for row in counted:
        rows.setdefault(row["pipeline_id"], []).append(row)
    found = [
        PipelineMetrics(
            pipeline_id=pipeline_id,
            pipeline_name=of_one[0]["pipeline_name"],
            by_status=_by_status(of_one),
            times=times.get(pipeline_id, Times()),
        )
        for pipeline_id, of_one in rows.items()
    ]
    return sorted(found, key=lambda pipeline: (-pipeline.executions, pipeline.pipeline_id))


def _times(row: Row) -> Times:
    return Times(count=row["executions"], **{name: row[name] for name in _TIMES})


_TIMES = ("mean_seconds", "p50_seconds", "p95_seconds", "p99_seconds")


def _step(row: dict[str, Any]) -> StepMetrics:
    retries = int(row.pop("retries"))  # PostgreSQL sums into a number of any size
    return StepMetrics(**row, retries=retries)


def _bucket(start: datetime, end: datetime, row: dict[str, Any]) -> Bucket:
    retries = int(row.pop("retries"))
    return Bucket(start=start, end=end, retries=retries, **row)
