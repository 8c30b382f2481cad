"""Reads two executions for a comparison: of one moment, and no more of their payloads than is looked into."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import ExecutionNotFound, NothingToCompareWith
from ia_modules.models import (
    ExecutionSummary,
    JsonText,
    PipelineVersionRecord,
    StepExecutionId,
    StepExecutionRecord,
    parse_time,
)
from ia_modules.pipeline.comparing.alignment import ComparedExecution, RunAddress, attempts_by_run, counted
from ia_modules.pipeline.comparing.contrast import LOOKED_INTO_BYTES, NOTHING, Payload
from ia_modules.pipeline.outputs import referenced_bytes
from ia_modules.tracker.alias import rows_of
from ia_modules.tracker.batch import Query
from ia_modules.tracker.reader import ExecutionReader
from ia_modules.tracker.rebuilding import with_output

ATTEMPTS_LIMIT = 20_000
"""So many attempts of each execution are compared."""

KEPT_BYTES = 16 * 2**20
"""The payloads of all steps are kept up to this size together; of the others only the hashes."""

_AT_ONCE, _BYTES_AT_ONCE = 100, 8 * 2**20  # attempts whose payloads one statement reads

Both = tuple[ComparedExecution, ComparedExecution]


async def last_good(reader: ExecutionReader, execution_id: str) -> ExecutionSummary:
    """The last good one of an execution; see :meth:`ExecutionReader.get_last_good`.

    Raises:
        ExecutionNotFound
        NothingToCompareWith: there is none.
    """
    execution = await reader.get_execution_summary(execution_id)
    if execution is None:
        raise ExecutionNotFound(execution_id)
    good = await reader.get_last_good(execution)
    if good is None:
        raise NothingToCompareWith(execution.execution_id, execution.pipeline_name)
    return good


async def read_both(database: DatabaseManager, a: str, b: str) -> tuple[Both, datetime]:
    """Two executions, and when they were read.

    Raises:
        ExecutionNotFound: one of the ids names none.
        StepConflict: the output of one cannot be made again; somebody else has changed rows.
    """
    query = database.query

    def read() -> Script[tuple[Both, datetime]]:
        [clock] = yield Statement(query("clock"))
        row_a = yield from _row(query, a)
        row_b = yield from _row(query, b)
        inputs = yield from _own_payloads(query, "input", row_a, row_b)
        outputs = yield from _own_payloads(query, "output", row_a, row_b)
        one = yield from _records(query, row_a)
        other = yield from _records(query, row_b)
        plan_a, plan_b = _plans(one, other)
        of_one = yield from _payloads(query, one.steps, plan_a)
        of_other = yield from _payloads(query, other.steps, plan_b)
        one = replace(one, input=inputs[0], output=outputs[0], contents=of_one)
        other = replace(other, input=inputs[1], output=outputs[1], contents=of_other)
        return (one, other), parse_time(clock["now"])

    return await database.read(read())


def _row(query: Query, execution_id: str) -> Script[dict[str, Any]]:
    """The execution, its payloads as far as they are looked into."""
    params = {"execution_id": execution_id, "inline_bytes": LOOKED_INTO_BYTES}
    rows = yield from rows_of(query, "get_execution_detail", params)
    if not rows:
        raise ExecutionNotFound(execution_id)
    row = rows[0]
    if row["output_refs"] is not None:
        row = {**row, "output_bytes": referenced_bytes(row["output_refs"])}
        row = row if row["output_bytes"] > LOOKED_INTO_BYTES else (yield from with_output(query, row))
    return row


def _own_payloads(query: Query, name: str, a: dict[str, Any], b: dict[str, Any]) -> Script[tuple[Payload, Payload]]:
    """The inputs of both executions, or their outputs."""
    match _reading((a[f"{name}_bytes"], b[f"{name}_bytes"]), 2 * LOOKED_INTO_BYTES):
        case _HowMuch.TEXT:
            return Payload.of(a[f"{name}_data"]), Payload.of(b[f"{name}_data"])
        case _HowMuch.SIZE:
            return Payload(a[f"{name}_bytes"]), Payload(b[f"{name}_bytes"])
        case _HowMuch.HASH:
            one = yield from _hash_of_own(query, name, a)
            other = yield from _hash_of_own(query, name, b)
            return one, other


def _hash_of_own(query: Query, name: str, row: dict[str, Any]) -> Script[Payload]:
    [whole] = yield Statement(query("get_execution_payloads"), [{"execution_id": row["execution_id"]}])
    whole = (yield from with_output(query, whole)) if name == "output" else whole
    return _hashed(row[f"{name}_bytes"], whole[f"{name}_data"])


def _records(query: Query, row: dict[str, Any]) -> Script[ComparedExecution]:
    """An execution without its payloads."""
    params = {"execution_id": row["execution_id"], "limit": ATTEMPTS_LIMIT + 1}
    steps = yield Statement(query("list_compared_steps"), [params])
    versions: list[dict[str, Any]] = []
    if row["pipeline_version"] is not None:
        version = {"pipeline_id": row["pipeline_id"], "version": row["pipeline_version"]}
        versions = yield Statement(query("get_pipeline_version"), [version])
    return ComparedExecution(
        execution=ExecutionSummary.from_row(row),
        version=PipelineVersionRecord.from_row(versions[0]) if versions else None,
        input=NOTHING,
        output=NOTHING,
        steps=[StepExecutionRecord.from_row(step) for step in steps[:ATTEMPTS_LIMIT]],
        contents={},
        more_steps=len(steps) > ATTEMPTS_LIMIT,
    )


class _HowMuch(Enum):
    """What is read of a payload; the same of both that are compared."""

    SIZE = "its size, which tells already"
    TEXT = "all of it"
    HASH = "its hash"


class _Portion(NamedTuple):
    """What is read of an attempt."""

    input: _HowMuch
    output: _HowMuch


def _plans(*both: ComparedExecution) -> list[dict[StepExecutionId, _Portion]]:
    """What is read of the attempts that count, of both: texts as long as there is room, the earliest first."""
    runs = [{address: counted(made) for address, made in attempts_by_run(each.steps).items()} for each in both]
    plans: list[dict[StepExecutionId, _Portion]] = [{} for _ in both]
    room = KEPT_BYTES
    for address in _by_beginning(runs):
        pair = [each.get(address) for each in runs]
        readings: list[_HowMuch] = []
        for sizes in _sizes(pair):
            readings.append(_reading(sizes, room))
            room -= sum(sizes) if readings[-1] is _HowMuch.TEXT else 0
        for plan, step in zip(plans, pair, strict=True):
            if step is not None:
                plan[step.step_execution_id] = _Portion(*readings)
    return plans


def _by_beginning(runs: Sequence[Mapping[RunAddress, StepExecutionRecord]]) -> list[RunAddress]:
    began: dict[RunAddress, int] = {}
    for each in runs:
        for place, address in enumerate(each):
            began[address] = min(place, began.get(address, place))
    return sorted(began, key=lambda address: (began[address], address))


def _sizes(pair: Sequence[StepExecutionRecord | None]) -> Iterator[tuple[int, int]]:
    """Of both inputs, then of both outputs; what only one has got is compared with nothing."""
    a, b = pair
    yield (0, 0) if a is None or b is None else (a.input_bytes, b.input_bytes)
    yield 0 if a is None else a.output_bytes, 0 if b is None else b.output_bytes


def _reading(sizes: tuple[int, int], room: int) -> _HowMuch:
    if max(sizes) <= LOOKED_INTO_BYTES and sum(sizes) <= room:
        return _HowMuch.TEXT
    return _HowMuch.HASH if sizes[0] == sizes[1] else _HowMuch.SIZE


def _payloads(
    query: Query, steps: Sequence[StepExecutionRecord], plan: Mapping[StepExecutionId, _Portion]
) -> Script[dict[StepExecutionId, tuple[Payload, Payload]]]:
    """Input and output of the attempts that are planned."""
    contents: dict[StepExecutionId, tuple[Payload, Payload]] = {}
    for some in _batches([step for step in steps if step.step_execution_id in plan]):
        wanted = [
            {
                "step_execution_id": step.step_execution_id,
                "with_input": plan[step.step_execution_id].input is not _HowMuch.SIZE,
                "with_output": plan[step.step_execution_id].output is not _HowMuch.SIZE,
            }
            for step in some
        ]
        rows = yield Statement(query("get_compared_payloads"), wanted)
        for step, row in zip(some, rows, strict=True):
            readings = plan[step.step_execution_id]
            contents[step.step_execution_id] = (
                _content(readings.input, step.input_bytes, row["input_data"]),
                _content(readings.output, step.output_bytes, row["output_data"]),
            )
    return contents


def _batches(steps: Sequence[StepExecutionRecord]) -> Iterator[list[StepExecutionRecord]]:
    """The attempts whose payloads are read by one statement each."""
    some: list[StepExecutionRecord] = []
    size = 0
    for step in steps:
        if some and (len(some) == _AT_ONCE or size + step.input_bytes + step.output_bytes > _BYTES_AT_ONCE):
            yield some
            some, size = [], 0
        some.append(step)
        size += step.input_bytes + step.output_bytes
    if some:
        yield some


def _content(reading: _HowMuch, size: int, text: JsonText | None) -> Payload:
    match reading:
        case _HowMuch.TEXT:
            return Payload.of(text)
        case _HowMuch.HASH:
            return _hashed(size, text)
        case _HowMuch.SIZE:
            return Payload(size)


def _hashed(size: int, text: JsonText | None) -> Payload:
    return Payload(size, digest=hashlib.sha256((text or "").encode()).hexdigest())
