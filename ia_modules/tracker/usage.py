"""What calls of models used, by model and over time: sums of what attempts have told, read from their rows.

All attempts count that ran here, at every level and however they ended; what came from a run file does not. Of a window
they are those that *began* in it, by the time that their ids begin with.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import ReadTooLong
from ia_modules.models import Row, parse_time, sought_id
from ia_modules.tracker.alias import row_id
from ia_modules.tracker.metrics import PATIENCE_SECONDS, bucket_edges, bucket_seconds
from ia_modules.usage import installation_currency

MOST_MODELS_LISTED = 200
"""Of one execution or one window, those that cost most."""

_HIGHEST = "f" * 8 + "-ffff-ffff-ffff-" + "f" * 12


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSums:
    """Sums of what was told.

    Attributes:
        cost_micros: in millionths of the currency, of the calls whose cost is known; None: of none is it.
        unpriced_calls: calls whose cost nobody knows.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int | None = None
    unpriced_calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageOfModel(UsageSums):
    """The same of one model of one provider (None: not told)."""

    model: str
    provider: str | None
    calls: int
    cached_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageBucket(UsageSums):
    """The same of the attempts that began from ``start`` on and before ``end``."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageByModel:
    """What an execution used, the dearest model first."""

    currency: str
    models: Sequence[UsageOfModel]

    def to_dict(self) -> dict[str, Any]:
        return {"currency": self.currency, "models": [asdict(model) for model in self.models]}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowUsage(UsageByModel):
    """What was used in a window: as a whole, by model, and in equal parts of time, oldest first, without gaps.

    Attributes:
        since: where the window begins; None: with the first that told something.
        until: the database's time when it was read.
    """

    since: datetime | None
    until: datetime
    total: UsageSums
    bucket_seconds: int
    buckets: Sequence[UsageBucket]


class UsageReader:
    """Reads what was used. Nothing is cached: every call reads the rows.

    Args:
        patience_seconds: time limit of one call.
    """

    def __init__(self, database: DatabaseManager, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._database, self._patience_seconds = database, patience_seconds

    async def of_execution(self, execution_id: str) -> UsageByModel:
        """What all attempts of an execution used, by model.

        Raises:
            ExecutionNotFound
            ReadTooLong: it has too many attempts to be summed in time.
        """

        def read() -> Script[Sequence[Row]]:
            id_ = yield from row_id(self._database.query, execution_id)
            return (yield Statement(self._database.query("usage_of_execution"), [{"execution_id": id_, **_MOST}]))

        return UsageByModel(currency=installation_currency(), models=_models(await self._in_time(read())))

    async def of_window(self, window: timedelta | None = None, pipeline_id: str | None = None) -> WindowUsage:
        """What attempts used that began within the last ``window``; None = all. An unknown pipeline has none.

        Raises:
            ReadTooLong: there are too many to be summed in time.
        """
        return await self._in_time(self._of_window(window, sought_id(pipeline_id)))

    def _of_window(self, window: timedelta | None, pipeline_id: str | None) -> Script[WindowUsage]:
        query = self._database.query
        [now] = yield Statement(query("read_now"))
        until = parse_time(now["now"])
        since = None if window is None else until - window
        of = {"first_id": _first_id(since), "end_id": _HIGHEST, "pipeline_id": pipeline_id}
        [whole] = yield Statement(query("sum_usage"), [of])
        models = yield Statement(query("usage_of_window"), [of | _MOST])
        began = since or (until if whole["first_start"] is None else parse_time(whole["first_start"]))
        seconds = bucket_seconds(until - began)
        parts = list(pairwise(bucket_edges(began, until, seconds)))
        ends = [end for _, end in parts]
        first_ids = [_first_id(since), *(_first_id(start) for start, _ in parts[1:])]
        sums = yield Statement(
            query("sum_usage"),
            [
                {"first_id": first_id, "end_id": _first_id(end), "pipeline_id": pipeline_id}
                for first_id, end in zip(first_ids, ends, strict=True)
            ],
        )
        return WindowUsage(
            currency=installation_currency(),
            models=_models(models),
            since=since,
            until=until,
            total=UsageSums(**_sums(whole)),
            bucket_seconds=seconds,
            buckets=[
                UsageBucket(start=start, end=end, **_sums(row)) for (start, end), row in zip(parts, sums, strict=True)
            ],
        )

    async def _in_time(self, script: Script[Any]) -> Any:
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await self._database.read(script)
        except TimeoutError as error:
            raise ReadTooLong("usage", self._patience_seconds, "Ask for a shorter window.") from error


_MOST = {"limit": MOST_MODELS_LISTED}


def _first_id(moment: datetime | None) -> str:
    """The lowest id that may have been made at a time: a UUIDv7 begins with its milliseconds."""
    milliseconds = 0 if moment is None else int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"


def _models(rows: Sequence[Row]) -> list[UsageOfModel]:
    return [
        UsageOfModel(
            model=row["model"] or "",
            provider=row["provider"],
            calls=int(row["calls"]),
            cached_tokens=int(row["cached_tokens"]),
            reasoning_tokens=int(row["reasoning_tokens"]),
            **_sums(row),
        )
        for row in rows
    ]


def _sums(row: Row) -> dict[str, Any]:
    """PostgreSQL sums into a number of any size."""
    cost = row["cost_micros"]
    names = ("input_tokens", "output_tokens", "unpriced_calls")
    return {name: int(row[name] or 0) for name in names} | {"cost_micros": None if cost is None else int(cost)}
