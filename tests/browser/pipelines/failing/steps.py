"""Steps that say on disk that they ran, the second of which fails."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from ia_modules.pipeline.core import Step


class _Telling(Step):
    def tell(self, data: dict[str, Any]) -> None:
        """Add a line to what ran: the number of the execution, and the step."""
        with (Path(data["folder"]) / "ran.txt").open("a", encoding="utf-8") as ran:
            ran.write(f"{data['number']} {self.context.step_id}\n")


class Load(_Telling):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        self.tell(data)
        return {"loaded": data["number"]}


class Charge(_Telling):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        self.tell(data)
        if (Path(data["folder"]) / "mended").exists():
            return {"paid": data["loaded"]}
        raise _failure(data["number"])


def _failure(number: int) -> Exception:
    """The first two ways differ by one word; what is said in the same way differs by ids, numbers, times and paths."""
    path, time = f"/data/{uuid4().hex}/{number}.csv", datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    ways = (
        LookupError(f"no order {uuid4()} of customer {number}"),
        LookupError(f"no invoice {uuid4()} of customer {number}"),
        TimeoutError(f"no answer from host{number} since {time.isoformat()}"),
        OSError(f"cannot read {path}"),
        ValueError(f"{path} has {number} rows, expected {number + 1}"),
        RuntimeError(f"shard {number} is away since {time:%H:%M:%S}"),
    )
    return ways[number % len(ways)]
