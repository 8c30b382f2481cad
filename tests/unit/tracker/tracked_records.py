"""What stands on record of tracked programs, read when they are over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import parse_time
from ia_modules.paths import path_of


@dataclass(frozen=True)
class RecordedCall:
    """A step of an execution, or one within a step."""

    status: str
    input_data: Any
    output_data: Any
    error: tuple[str | None, str | None]
    seconds: float


@dataclass(frozen=True)
class RecordedProgram:
    """An execution with all its calls, by path."""

    name: str
    status: str
    input_data: Any
    output_data: Any
    error: tuple[str | None, str | None]
    calls: dict[str, RecordedCall]
    metadata: Any = None

    @property
    def statuses(self) -> dict[str, str]:
        return {path: call.status for path, call in self.calls.items()}


def programs_in(url: str) -> list[RecordedProgram]:
    """The executions in a database, in the order in which they began."""
    with DatabaseManager(url) as database:
        executions = database.fetch_all("SELECT * FROM pipeline_executions ORDER BY execution_id")
        steps = database.fetch_all("SELECT * FROM step_executions ORDER BY within, step_id, iteration, attempt")
    return [
        RecordedProgram(
            name=row["pipeline_name"],
            status=row["status"],
            input_data=_decoded(row["input_data"]),
            output_data=_decoded(row["output_data"]),
            error=(row["error_type"], row["error_message"]),
            metadata=_decoded(row["metadata"]),
            calls={
                path_of(step["within"], step["step_id"], step["iteration"]): RecordedCall(
                    status=step["status"],
                    input_data=_decoded(step["input_data"]),
                    output_data=_decoded(step["output_data"]),
                    error=(step["error_type"], step["error_message"]),
                    seconds=(parse_time(step["completed_at"]) - parse_time(step["started_at"])).total_seconds(),
                )
                for step in steps
                if step["execution_id"] == row["execution_id"]
            },
        )
        for row in executions
    ]


def _decoded(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


Programs = Callable[[], list[RecordedProgram]]
"""Gives what is on record of the calls of a test, when all is written."""


def only(programs: Programs) -> RecordedProgram:
    [one] = programs()
    return one
