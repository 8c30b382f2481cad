"""Executions and attempts whose payloads are handed on as the text they are stored as.

A payload may have 16 MiB. To parse it and to write it again would stop the server for half a second, for nothing. An
execution may have many attempts: what is read of them at once is bounded, by number and by bytes.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import ExecutionNotFound, InvalidArgument, StepExecutionNotFound
from ia_modules.models import (
    NO_ID,
    ExecutionId,
    ExecutionRecord,
    InteractionRecord,
    Row,
    RunPath,
    StepExecutionRecord,
    is_id,
    sought_id,
)
from ia_modules.paths import GRAPH
from ia_modules.payload import size_bytes
from ia_modules.pipeline.outputs import referenced_bytes
from ia_modules.tracker.alias import row_id, rows_of
from ia_modules.tracker.audit import EXECUTION_START
from ia_modules.tracker.rebuilding import with_output
from ia_modules.tracker.responses import records

INLINE_BYTES = 65_536
"""Payloads up to this size come with an execution and with its steps; larger ones are asked for alone."""

ANSWER_BYTES = 16 * 2**20
"""What the payloads of all steps of one answer come to at most: as much as one payload may have."""

_OF_RUN = {"step_id": "step_id = :step_id", "iteration": "iteration = :iteration"}

R = TypeVar("R", ExecutionRecord, StepExecutionRecord)

_SIZES = {
    "input_data": "input_bytes",
    "output_data": "output_bytes",
    "metadata": "metadata_bytes",
    "input_refs": "input_refs_bytes",
    "traceback": "traceback_bytes",
}


@dataclass(frozen=True, slots=True)
class Stored(Generic[R]):
    """A record with its payloads left out, and the payloads beside it.

    Attributes:
        sizes: bytes of each payload, under the names that answers give them, such as ``input_bytes``.
        omitted: the payloads that are there but were not read.
    """

    record: R
    payloads: dict[str, orjson.Fragment]
    sizes: dict[str, int]
    omitted: list[str]


@dataclass(frozen=True, slots=True)
class StoredSteps:
    """Some attempts of an execution, in the order in which they began; ``more`` says that others come after them."""

    items: list[Stored[StepExecutionRecord]]
    more: bool


@dataclass(frozen=True, slots=True)
class StoredExecution:
    """An execution with its first attempts, the newest re-runs of it, and its questions to people.

    Of the questions that are asked within its steps, those that are open, up to 100 of them.

    ``started_by``: the name of who asked for it; None: not on record, as of what a program records itself.
    """

    execution: Stored[ExecutionRecord]
    steps: StoredSteps
    rerun_ids: list[str]
    interactions: list[InteractionRecord]
    started_by: str | None


async def read_execution(
    database: DatabaseManager, execution_id: str, *, step_limit: int, rerun_limit: int
) -> StoredExecution:
    """An execution and what belongs to it, of one moment.

    Raises:
        ExecutionNotFound
    """

    def read() -> Script[StoredExecution]:
        params: dict[str, str | int] = {"execution_id": execution_id, "inline_bytes": INLINE_BYTES}
        rows = yield from rows_of(database.query, "get_execution_detail", params)
        if not rows:
            raise ExecutionNotFound(execution_id)
        row, params["execution_id"] = rows[0], rows[0]["execution_id"]
        if row["output_refs"] is not None:
            row = {**row, "output_bytes": referenced_bytes(row["output_refs"])}
            row = row if row["output_bytes"] > INLINE_BYTES else (yield from with_output(database.query, row))
        steps = yield from _read_steps(database, rows[0]["execution_id"], GRAPH, NO_ID, step_limit)
        reruns = yield Statement(database.query("list_reruns"), [params | {"limit": rerun_limit}])
        rows = yield Statement(
            database.query("get_interactions"), [params | {"awaited": False, "within": None, "most_within": 100}]
        )
        questions = yield from records(database.query, rows, InteractionRecord)
        start = {"subject": params["execution_id"], "action": EXECUTION_START}
        starts = yield Statement(database.query("read_last_audit"), [start])
        return StoredExecution(
            execution=_stored(ExecutionRecord, row),
            steps=steps,
            rerun_ids=[each["execution_id"] for each in reruns],
            interactions=questions,
            started_by=starts[0]["actor"] if starts else None,
        )

    return await database.read(read())


async def read_steps(
    database: DatabaseManager,
    execution_id: str,
    *,
    within: RunPath = GRAPH,
    step_id: str | None = None,
    iteration: int | None = None,
    cursor: str | None,
    limit: int,
) -> StoredSteps:
    """The attempts of an execution that began after the one whose id is ``cursor``; None: from the first on.

    Args:
        within: the path of the run whose parts they are; the graph's own steps by default.
        step_id: only of this step; None: of all.
        iteration: only of this iteration; None: of all.

    Raises:
        ExecutionNotFound
        InvalidArgument: the cursor is none.
    """
    after = NO_ID if cursor is None else cursor
    if not is_id(after):
        raise InvalidArgument("cursor", repr(cursor)[:80], "next_cursor of a page of steps")

    def read() -> Script[StoredSteps]:
        found = yield from row_id(database.query, execution_id)
        return (yield from _read_steps(database, found, within, after, limit, step_id=step_id, iteration=iteration))

    return await database.read(read())


async def read_payloads(database: DatabaseManager, execution_id: str) -> tuple[ExecutionId, dict[str, orjson.Fragment]]:
    """The id of an execution, and its payloads, however large.

    Raises:
        ExecutionNotFound
    """

    def read() -> Script[dict[str, Any]]:
        rows = yield from rows_of(database.query, "get_execution_payloads", {"execution_id": execution_id})
        if not rows:
            raise ExecutionNotFound(execution_id)
        return (yield from with_output(database.query, rows[0]))

    row = await database.read(read())
    return row["execution_id"], _fragments(row)


async def read_step(
    database: DatabaseManager, execution_id: str, step_execution_id: str
) -> Stored[StepExecutionRecord]:
    """One attempt, all of it, however large.

    Raises:
        ExecutionNotFound
        StepExecutionNotFound: also when it is one of another execution.
    """
    query = database.query

    def read() -> Script[dict[str, Any]]:
        rows = yield Statement(query("get_step"), [{"step_execution_id": sought_id(step_execution_id)}])
        if not rows or rows[0]["execution_id"] != (yield from row_id(query, execution_id)):
            raise StepExecutionNotFound(step_execution_id)
        return rows[0]

    row = await database.read(read())
    return _stored(StepExecutionRecord, {_SIZES[name]: size_bytes(row[name]) for name in _SIZES} | row)


def _read_steps(
    database: DatabaseManager,
    execution_id: str,
    within: RunPath,
    cursor: str,
    limit: int,
    *,
    step_id: str | None = None,
    iteration: int | None = None,
) -> Script[StoredSteps]:
    run = {name: value for name, value in (("step_id", step_id), ("iteration", iteration)) if value is not None}
    conditions = " AND ".join(_OF_RUN[name] for name in run) or "TRUE"
    params = run | {
        "execution_id": execution_id,
        "within": within,
        "cursor": cursor,
        "limit": limit + 1,
        "inline_bytes": INLINE_BYTES,
        "answer_bytes": ANSWER_BYTES,
    }
    rows = yield Statement(database.query("list_step_details").format(conditions=conditions), [params])
    return StoredSteps([_stored(StepExecutionRecord, row) for row in rows[:limit]], more=len(rows) > limit)


def _stored(kind: type[R], row: Row) -> Stored[R]:
    payloads = _fragments(row)
    return Stored(
        record=kind.from_row({**row, **dict.fromkeys(payloads)}),
        payloads=payloads,
        sizes={size: row[size] for name, size in _SIZES.items() if name in row},
        omitted=[name for name, size in _SIZES.items() if name in row and row[name] is None and row[size] > 0],
    )


def _fragments(row: Row) -> dict[str, orjson.Fragment]:
    """The payloads among the columns of a row that are stored as JSON."""
    return {name: orjson.Fragment(row[name] or "null") for name in _SIZES if name in row and name != "traceback"}
