"""Traces of executions whose workers are killed, as a collector gets them by OTLP over HTTP."""

import gzip
import json
import subprocess
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, ExecutionStatus, RunPath, StepExecutionRecord, StepStatus
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from ia_modules.traces.ids import span_id_of
from tests.unit.cli.programs import PATIENCE_SECONDS, lines_until, piped
from tests.unit.worker.queue import until

EXECUTIONS, KILLS = 6, 2

STEPS = """
import asyncio
from pathlib import Path

from ia_modules import StepContext

FOLDER = Path(__file__).parent


async def search(secret: str) -> dict:
    return {"found": secret}


async def first(secret: str, context: StepContext) -> dict:
    return await context.step("search", search, secret)


async def second(secret: str, context: StepContext) -> dict:
    await context.step("before", search, secret)
    while not (FOLDER / f"go-{context.attempt}").exists():
        await asyncio.sleep(0.01)  # between two looks
    return await context.step("after", search, secret)
"""


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Collected)
        self.spans: list[Any] = []
        self.bytes = b""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Collected(BaseHTTPRequestHandler):
    server: Collector  # pyright: ignore[reportIncompatibleVariableOverride] - the only one that makes it

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        request = ExportTraceServiceRequest.FromString(body)
        self.server.bytes += body
        self.server.spans += [
            span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
        ]
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def collector() -> Generator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, name="collector")
        thread.start()
        yield server
        server.shutdown()
        thread.join(PATIENCE_SECONDS)


@pytest.fixture
def folder(collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "steps.py").write_text(STEPS)
    document = {
        "name": "Traced",
        "parameters": {"secret": "of a customer"},
        "steps": [{"id": name, "module": "steps", "step_class": name} for name in ("first", "second")],
        "flow": {"start_at": "first", "paths": [{"from": "first", "to": "second"}]},
    }
    (tmp_path / "pipeline.json").write_text(json.dumps(document))
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    return tmp_path


@contextmanager
def worker(database_url: str) -> Generator[subprocess.Popen[str]]:
    options = ("--slots", str(EXECUTIONS), "--lease-seconds", "2", "--traces", "otlp")
    with piped(database_url, "worker", *options) as process:
        lines_until(process, lambda line: line.startswith("Worker "))
        reader = threading.Thread(target=process.communicate, name="reader")
        reader.start()
        try:
            yield process
        finally:
            process.kill()  # where it has not ended
            reader.join(PATIENCE_SECONDS)


async def rows_of(client: Client, execution_id: ExecutionId) -> list[StepExecutionRecord]:
    """All attempts, at both levels."""
    rows = await client.steps(execution_id)
    for path in ("first#1", "second#1"):
        rows += await client.tracker.get_execution_steps(execution_id, within=RunPath(path))
    return rows


async def waiting(client: Client, execution_id: ExecutionId) -> int | None:
    """Which attempt of the second step runs and has made its first call; None: none."""
    rows = await rows_of(client, execution_id)
    has_called = any(row.step_id == "before" and row.status is StepStatus.COMPLETED for row in rows)
    running = [row.attempt for row in rows if row.step_id == "second" and row.status is StepStatus.RUNNING]
    return running[0] if running and has_called else None


async def test_each_attempt_has_one_span_below_the_right_one_whatever_process_made_it(
    database: DatabaseManager, database_url: str, collector: Collector, folder: Path
) -> None:
    """Two workers are killed in the middle of the second step; a third one ends what they began."""
    async with Client(database) as client:
        ids = [
            (await client.queue(folder / "pipeline.json", {}, new_version=True)).execution_id for _ in range(EXECUTIONS)
        ]
        for kill in range(1, KILLS + 1):
            with worker(database_url) as process:
                for execution_id in ids:
                    await until(partial(waiting, client, execution_id), lambda attempt, kill=kill: attempt == kill)
                process.kill()
                process.wait()
            await database.execute_async("UPDATE workers SET heartbeat_at = ia_now(-60)")  # as if its lease had passed
        (folder / f"go-{KILLS + 1}").touch()
        with worker(database_url) as process:

            async def completed() -> int:
                return (await client.statistics()).by_status[ExecutionStatus.COMPLETED]

            await until(completed, lambda number: number == EXECUTIONS)
            process.terminate()
            assert process.wait(PATIENCE_SECONDS) == 0
        rows = {execution_id: await rows_of(client, execution_id) for execution_id in ids}
    by_id: dict[int, Any] = {int.from_bytes(span.span_id): span for span in collector.spans}
    assert set(by_id) == {span_id_of(id_) for id_ in ids} | {
        span_id_of(row.step_execution_id) for each in rows.values() for row in each
    }
    twice = [id_ for id_, times in Counter(bytes(span.span_id) for span in collector.spans).items() if times > 1]
    assert all(len({span.SerializeToString() for span in collector.spans if span.span_id == id_}) == 1 for id_ in twice)
    for execution_id, attempts in rows.items():
        seconds = sorted((row for row in attempts if row.step_id == "second"), key=lambda row: row.attempt)
        assert [row.status for row in seconds] == [StepStatus.LOST] * KILLS + [StepStatus.COMPLETED]
        parent_of = {
            row.step_id: int.from_bytes(by_id[span_id_of(row.step_execution_id)].parent_span_id) for row in attempts
        }
        (first,) = [row for row in attempts if row.step_id == "first"]
        assert parent_of == {
            "first": span_id_of(execution_id),
            "second": span_id_of(execution_id),
            "search": span_id_of(first.step_execution_id),
            "before": span_id_of(seconds[0].step_execution_id),
            "after": span_id_of(seconds[-1].step_execution_id),
        }
        spans = [by_id[span_id_of(id_)] for id_ in (execution_id, *(row.step_execution_id for row in attempts))]
        assert {span.trace_id.hex() for span in spans} == {execution_id.replace("-", "")}
    assert b"customer" not in collector.bytes
