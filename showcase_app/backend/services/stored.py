"""Executions and attempts whose payloads are handed on as the text they are stored as.

A payload may have 16 MiB. To parse it and to write it again would stop the server for half a second, for nothing.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionRecord, StepExecutionRecord

R = TypeVar("R", ExecutionRecord, StepExecutionRecord)

_PAYLOADS = ("input_data", "input_refs", "output_data", "metadata")


@dataclass(frozen=True, slots=True)
class Stored(Generic[R]):
    """A record with its payloads left out, and the payloads beside it."""

    record: R
    payloads: dict[str, orjson.Fragment]


async def read_execution(database: DatabaseManager, execution_id: str) -> Stored[ExecutionRecord] | None:
    return await _read(database, ExecutionRecord, "get_execution", {"execution_id": execution_id})


async def read_step(database: DatabaseManager, step_execution_id: str) -> Stored[StepExecutionRecord] | None:
    return await _read(database, StepExecutionRecord, "get_step", {"step_execution_id": step_execution_id})


async def _read(database: DatabaseManager, kind: type[R], query: str, which: dict[str, str]) -> Stored[R] | None:
    row = await database.fetch_one_async(database.query(query), which)
    if row is None:
        return None
    payloads = {name: orjson.Fragment(row[name] or "null") for name in _PAYLOADS if name in row}
    return Stored(kind.from_row({**row, **dict.fromkeys(payloads)}), payloads)
