"""Everything on record about one execution as one JSON document, in parts, however large it is."""

from collections.abc import AsyncGenerator

import orjson

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ExecutionNotFound
from ia_modules.models import ExecutionSummary, LogRecord
from ia_modules.tracker.details import read_payloads, read_step, read_steps
from ia_modules.tracker.lines import LogFilters
from ia_modules.tracker.reader import ExecutionReader

_STEPS_AT_ONCE, _LINES_AT_ONCE = 100, 500


async def export_execution(database: DatabaseManager, execution_id: str) -> AsyncGenerator[bytes]:
    """``{execution, definition, steps, interactions, logs}``; payloads as they are stored.

    Steps and lines, also those of level ``output``, are the graph's own; a step's lines inside of its runs are not.
    Of an execution that runs: what is read meanwhile.

    Raises:
        ExecutionNotFound
    """
    reader = ExecutionReader(database)
    record = await reader.get_execution_summary(execution_id)
    if record is None:
        raise ExecutionNotFound(execution_id)
    execution_id, payloads = await read_payloads(database, record.execution_id)
    execution = record.to_dict() | {
        "queue_seconds": record.queue_seconds,
        "duration_seconds": record.duration_seconds,
        "cause": record.cause,
        **payloads,
    }
    yield b'{"execution":' + orjson.dumps(execution)
    yield b',"definition":' + await _definition(database, record)
    yield b',"steps":['
    async for part in _steps(database, execution_id):
        yield part
    yield b'],"interactions":'
    yield orjson.dumps([each.to_dict() for each in await reader.get_interactions(execution_id)])
    yield b',"logs":['
    async for part in _lines(reader, execution_id):
        yield part
    yield b"]}"


async def _definition(database: DatabaseManager, record: ExecutionSummary) -> bytes:
    if record.pipeline_version is None:
        return b"null"
    params = {"pipeline_id": record.pipeline_id, "version": record.pipeline_version}
    row = await database.fetch_one_async(database.query("get_definition_text"), params)
    return b"null" if row is None else row["definition"].encode()


async def _steps(database: DatabaseManager, execution_id: str) -> AsyncGenerator[bytes]:
    cursor: str | None = None
    separator = b""
    while True:
        page = await read_steps(database, execution_id, cursor=cursor, limit=_STEPS_AT_ONCE)
        for each in page.items:
            step = each
            if each.omitted:
                step = await read_step(database, execution_id, each.record.step_execution_id)
            row = step.record.to_dict() | {"duration_seconds": step.record.duration_seconds} | step.payloads
            yield separator + orjson.dumps(row)
            separator = b","
        if not page.more:
            return
        cursor = page.items[-1].record.step_execution_id


async def every_line(
    reader: ExecutionReader, execution_id: str, filters: LogFilters | None = None
) -> AsyncGenerator[LogRecord]:
    """All log lines of an execution that there are now, oldest first; none when there is no such execution."""
    cursor: str | None = None
    while True:
        page = await reader.list_logs(execution_id, filters, cursor, _LINES_AT_ONCE)
        for line in page.items:
            yield line
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


async def _lines(reader: ExecutionReader, execution_id: str) -> AsyncGenerator[bytes]:
    separator = b""
    async for line in every_line(reader, execution_id, LogFilters(with_output=True)):
        yield separator + orjson.dumps(line.to_dict() | {"data_omitted": False})
        separator = b","
