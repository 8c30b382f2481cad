"""Steps that call another server, which counts: what writes is called once for each execution, and by no replay."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import InvalidArgument
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from ia_modules.testing import replay_async
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.cli.programs import PATIENCE_SECONDS, lines_until, piped
from tests.unit.worker.queue import until

EXECUTIONS = 40

CALLING = """
from urllib.request import Request, urlopen

from ia_modules.pipeline.core import Step


class Call(Step):
    def run(self, data):
        address = f"{self.config['url']}/{self.context.step_id}/{self.context.execution_id}"
        with urlopen(Request(address, data=b"", method="POST"), timeout=60) as answer:
            return {"calls": int(answer.read())}
"""
WRITING = f"""{CALLING}
import os

urlopen(Request(f"{{os.environ['COUNTING_URL']}}/imported/writing", data=b"", method="POST"), timeout=60).close()
"""


class Counting(ThreadingHTTPServer):
    """Counts the calls of its addresses; ``send`` is refused until its gate is open."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Counted)
        self.calls: Counter[tuple[str, str]] = Counter()
        self.lock, self.gate = threading.Lock(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, step_id: str) -> Counter[str]:
        """How often a step has called, by execution."""
        with self.lock:
            return Counter(
                {execution_id: calls for (step, execution_id), calls in self.calls.items() if step == step_id}
            )


class _Counted(BaseHTTPRequestHandler):
    server: Counting  # pyright: ignore[reportIncompatibleVariableOverride] - the only one that makes it

    def do_POST(self) -> None:
        _, step_id, execution_id = self.path.split("/")
        with self.server.lock:
            self.server.calls[step_id, execution_id] += 1
            calls = self.server.calls[step_id, execution_id]
        is_open = step_id != "send" or self.server.gate.is_set()
        body = str(calls).encode()
        self.send_response(200 if is_open else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def counting() -> Generator[Counting]:
    with Counting() as server:
        thread = threading.Thread(target=server.serve_forever, name="counting")
        thread.start()
        yield server
        server.shutdown()
        thread.join(PATIENCE_SECONDS)


@pytest.fixture
def folder(counting: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline that scores, reads, writes and sends; it fails as long as nothing may be sent."""
    folder = tmp_path / "calls"
    folder.mkdir()
    (folder / "scoring.py").write_text("def score(data):\n    return {'score': 7}\n")
    (folder / "calling.py").write_text(CALLING)
    (folder / "writing.py").write_text(WRITING)
    call = {"step_class": "Call", "config": {"url": counting.url}}
    steps = [
        {"id": "score", "module": "scoring", "step_class": "score", "effect": "pure"},
        {"id": "load", "module": "calling", "effect": "read", **call},
        {"id": "write", "module": "writing", "effect": "write", **call},
        {"id": "send", "module": "writing", "effect": "external", **call},
    ]
    names = [step["id"] for step in steps]
    paths = [{"from": one, "to": other} for one, other in pairwise(names)]
    document = {"name": "Calls", "steps": steps, "flow": {"start_at": "score", "paths": paths}}
    (folder / "pipeline.json").write_text(json.dumps(document))
    monkeypatch.setenv(FOLDERS_VARIABLE, str(folder))
    monkeypatch.setenv("COUNTING_URL", counting.url)
    return folder


@contextmanager
def working(database_url: str) -> Generator[None]:
    """A worker in a process of its own."""
    with piped(database_url, "worker", "--slots", "8") as process:
        lines_until(process, lambda line: line.startswith("Worker "))
        yield


@asynccontextmanager
async def served(database_url: str, folder: Path) -> AsyncGenerator[tuple[httpx.AsyncClient, Callable[[], None]]]:
    """The API in a process of its own that runs nothing, and what kills it."""
    with piped(database_url, "serve", "--port", "0", "--slots", "0", "--pipelines", str(folder)) as process:
        line = lines_until(process, lambda line: line.startswith("ia_modules serves"))[-1]
        url = next(word for word in line.split() if word.startswith("http://"))

        def kill() -> None:
            process.kill()
            process.wait()

        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as api:
            yield api, kill


async def test_a_bulk_request_whose_server_is_killed_and_that_is_repeated_writes_once_for_each_execution(
    database_url: str, database: DatabaseManager, counting: Counting, folder: Path
) -> None:
    async with ExecutionTracker(database) as tracker, Client(database, tracker=tracker) as client:
        await client.register(folder / "pipeline.json")
        ids = {(await client.queue("calls", {"n": n})).execution_id for n in range(EXECUTIONS)}

        async def in_status(status: ExecutionStatus) -> int:
            return (await client.statistics()).by_status[status]

        async def reruns() -> dict[str, str]:
            """By their ids, which execution each repeats."""
            items = (await client.executions(limit=1000)).items
            return {item.execution_id: item.rerun_of for item in items if item.rerun_of is not None}

        async with served(database_url, folder) as (killed, kill), served(database_url, folder) as (api, _):
            with working(database_url):
                await until(lambda: in_status(ExecutionStatus.FAILED), lambda number: number == EXECUTIONS)
            assert counting.of("write") == dict.fromkeys(ids, 1)
            counting.gate.set()
            dry = {"action": "rerun", "filter": {"status": "failed"}, "dry_run": True}
            token = (await killed.post("/api/executions/bulk", json=dry)).raise_for_status().json()["token"]
            body, headers = {"action": "rerun", "token": token}, {"Idempotency-Key": "monday"}
            sent = asyncio.create_task(killed.post("/api/executions/bulk", json=body, headers=headers))
            await until(reruns, lambda found: len(found) > 2)
            kill()
            with suppress(httpx.HTTPError):  # it may have been done in time
                await sent
            with working(database_url):
                requests = [api.post("/api/executions/bulk", json=body, headers=headers) for _ in range(3)]
                for answer in await asyncio.gather(*requests):
                    assert answer.json()["done"] == EXECUTIONS
                await until(lambda: in_status(ExecutionStatus.COMPLETED), lambda number: number == EXECUTIONS)
                again = await api.post("/api/executions/bulk", json=body, headers=headers)
                assert again.json()["done"] == EXECUTIONS
                new = await reruns()
                assert sorted(new.values()) == sorted(ids)
                assert counting.of("write") == dict.fromkeys({*ids, *new}, 1)

                some = sorted(ids)[:5]
                from_send = {"action": "rerun", "execution_ids": some, "rerun": {"from_step": "send"}}
                for _ in range(2):
                    answer = await api.post("/api/executions/bulk", json=from_send, headers={"Idempotency-Key": "send"})
                    assert answer.json()["done"] == len(some)
                await until(lambda: in_status(ExecutionStatus.COMPLETED), lambda number: number == EXECUTIONS + 5)
        last = (await reruns()).keys() - new.keys()
    assert counting.of("write") == dict.fromkeys({*ids, *new}, 1), "what was copied was called once more"
    assert counting.of("send") == dict.fromkeys({*ids, *new, *last}, 1)


async def test_a_replay_calls_no_step_that_writes_and_imports_none(
    database_url: str, database: DatabaseManager, counting: Counting, folder: Path, tmp_path: Path
) -> None:
    counting.gate.set()
    async with ExecutionTracker(database) as tracker, Client(database, tracker=tracker) as client:
        await client.register(folder / "pipeline.json")
        queued = await client.queue("calls")
        with working(database_url):
            ended = await client.wait(queued.execution_id, timeout_seconds=PATIENCE_SECONDS)
        assert ended.status is ExecutionStatus.COMPLETED
        await client.export_run(queued.execution_id, tmp_path / "run.iarun")
    before = Counter(counting.calls)
    report = await replay_async(tmp_path / "run.iarun", folder=folder)
    report.assert_same()
    assert [each.step_run for each in report.replayed] == ["score#1"]
    assert counting.calls == before
    named = await replay_async(tmp_path / "run.iarun", steps=["load", "score"], folder=folder)
    assert [each.replayed for each in named.differences] == [{"calls": 2}], "it was called for the second time"
    for step_id in ("write", "send"):
        with pytest.raises(InvalidArgument, match="a replay calls no step that writes"):
            await replay_async(tmp_path / "run.iarun", steps=["load", step_id], folder=folder)
    assert counting.calls - before == {("load", queued.execution_id): 1}
