"""Steps that call a model, which counts: what is on record is what it answered, over failures, retries and kills."""

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, ExecutionStatus, StepStatus
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.cli.programs import PATIENCE_SECONDS, lines_until, piped
from tests.unit.worker.queue import until

EXECUTIONS, KILLS, SLOTS = 6, 3, 4
SILENT_FOR_LONG = "UPDATE workers SET heartbeat_at = ia_now(-60)"  # as if the lease of the dead had passed

ASKING = """
import json
from decimal import Decimal
from urllib.request import Request, urlopen

from ia_modules import current

URL = "{url}"


def ask(model, number):
    body = json.dumps({{"model": model, "messages": [{{"role": "user", "content": str(number)}}]}}).encode()
    with urlopen(Request(f"{{URL}}/v1/chat/completions", data=body, method="POST"), timeout=600) as answer:
        answered = json.loads(answer.read())
    usage = answered["usage"]
    current.context.usage(
        model=answered["model"],
        provider="house",
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage["completion_tokens"],
        cost=Decimal(usage["prompt_tokens"]) / 1_000_000 if model == "large" else None,
    )
    if answered["choices"][0]["message"]["content"] == "cannot be parsed":
        raise ValueError("the answer cannot be parsed")
    return usage["completion_tokens"]


def outline(data):
    ask("small", 0)
    return {{}}


def think(data):
    return {{"words": sum(current.context.call("ask", ask, "large", number) for number in range(4))}}


def summary(data):
    ask("large", 9)
    return {{}}
"""


class Model(ThreadingHTTPServer):
    """A model of the tests' own, that speaks like the real ones: it counts what it answers.

    Every fifth request it refuses, and every seventh answer cannot be parsed. While it holds, requests wait, and are
    answered when it goes on, unless they were abandoned meanwhile.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.condition = threading.Condition()
        self.counted: Counter[tuple[str, str]] = Counter()
        self.requests = self.refused = self.spoiled = self.held = self.life = 0
        self.answers_left = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def answer_so_many_more(self, answers: int) -> None:
        with self.condition:
            self.answers_left = answers
            self.condition.notify_all()

    def abandon(self) -> None:
        """Who asked is gone: what it waited for is not answered, and not counted."""
        with self.condition:
            self.life += 1
            self.condition.notify_all()

    def sums(self, model: str | None = None) -> dict[str, int]:
        with self.condition:
            found: Counter[str] = Counter()
            for (of, what), number in self.counted.items():
                found[what] += number if model in (None, of) else 0
            return dict(found)


class _Asked(BaseHTTPRequestHandler):
    server: Model  # pyright: ignore[reportIncompatibleVariableOverride] - the only one that makes it

    def do_POST(self) -> None:
        model = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        server = self.server
        with server.condition:
            life = server.life
            server.held += 1
            server.condition.wait_for(lambda: server.answers_left > 0 or server.life > life)
            server.held -= 1
            if server.life > life:
                return
            server.requests += 1
            if server.requests % 5 == 0:
                server.refused += 1
                answer: dict[str, Any] | None = None
            else:
                server.answers_left -= 1
                answer = self._counted(model)
        with suppress(OSError):  # who asked may be gone
            self._send(answer)

    def _counted(self, model: str) -> dict[str, Any]:
        number = self.server.counted[model, "calls"] + self.server.counted["", "calls"]
        tokens = {"prompt_tokens": 100 + 7 * number, "completion_tokens": 10 + number % 13}
        for what, count in (("calls", 1), *tokens.items()):
            self.server.counted[model, what] += count
        is_spoiled = self.server.requests % 7 == 0
        self.server.spoiled += is_spoiled
        content = "cannot be parsed" if is_spoiled else "an answer"
        message = {"role": "assistant", "content": content}
        return {"model": model, "choices": [{"index": 0, "message": message}], "usage": tokens}

    def _send(self, answer: dict[str, Any] | None) -> None:
        body = json.dumps(answer or {"error": {"message": "overloaded"}}).encode()
        self.send_response(503 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def model() -> Generator[Model]:
    with Model() as server:
        thread = threading.Thread(target=server.serve_forever, name="model")
        thread.start()
        yield server
        server.abandon()
        server.shutdown()
        thread.join(PATIENCE_SECONDS)


@pytest.fixture
def file(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "asking"
    folder.mkdir()
    (folder / "asking.py").write_text(ASKING.format(url=model.url))
    retry = {"retry": {"max_attempts": 20, "initial_delay": 0}}
    names = ["outline", "think", "summary"]
    steps = [{"id": name, "module": "asking", "step_class": name, "error_handling": retry} for name in names]
    paths = [{"from": one, "to": other} for one, other in pairwise(names)]
    document = {"name": "Asking", "steps": steps, "flow": {"start_at": "outline", "paths": paths}}
    (folder / "pipeline.json").write_text(json.dumps(document))
    monkeypatch.setenv(FOLDERS_VARIABLE, str(folder))
    return folder / "pipeline.json"


@contextmanager
def worker(database_url: str) -> Generator[subprocess.Popen[str]]:
    with piped(database_url, "worker", "--slots", str(SLOTS), "--lease-seconds", "2") as process:
        lines_until(process, lambda line: line.startswith("Worker "))
        yield process


async def test_the_sum_is_what_the_model_counted_over_failures_retries_and_kills(
    database_url: str, database: DatabaseManager, model: Model, file: Path
) -> None:
    async with ExecutionTracker(database) as tracker, Client(database, tracker=tracker) as client:
        await client.register(file)
        ids = [(await client.queue("asking", {"n": n})).execution_id for n in range(EXECUTIONS)]

        async def sums() -> dict[str, int]:
            records = [await client.execution(execution_id) for execution_id in ids]
            return {
                "prompt_tokens": sum(record.input_tokens or 0 for record in records),
                "completion_tokens": sum(record.output_tokens or 0 for record in records),
            }

        async def is_all_on_record() -> bool:
            """All that it may answer is answered, and told; what runs waits for it, and no request is on its way."""
            counted = model.sums()
            counted.pop("calls", None)
            open_ones = [id_ for id_ in ids if not (await client.summary(id_)).status.is_terminal]
            waits = model.held == min(SLOTS, len(open_ones))
            return model.answers_left == 0 and waits and await sums() == counted

        for kill in range(KILLS):
            with worker(database_url) as killed:
                model.answer_so_many_more(5 + kill)
                await until(is_all_on_record, lambda is_so: is_so)
                killed.kill()
                killed.wait()
            await database.execute_async(SILENT_FOR_LONG)
            model.abandon()
        model.answer_so_many_more(10_000)
        with worker(database_url):
            for execution_id in ids:
                ended = await client.wait(execution_id, timeout_seconds=PATIENCE_SECONDS)
                assert ended.status is ExecutionStatus.COMPLETED
        counted = model.sums()
        calls = counted.pop("calls")
        assert await sums() == counted
        assert model.refused, "nothing was refused"
        assert model.spoiled, "all answers could be parsed"
        await assert_by_model(client, model, ids)
        statuses = [step.status for id_ in ids for step in await client.steps(id_)]
        assert StepStatus.LOST in statuses, "nobody was killed in the middle"
        assert calls > EXECUTIONS * 6


async def assert_by_model(client: Client, model: Model, ids: list[ExecutionId]) -> None:
    found: dict[str, Counter[str]] = {"small": Counter(), "large": Counter()}
    for execution_id in ids:
        for used in (await client.usage(execution_id)).models:
            assert used.provider == "house"
            assert (used.cost_micros, used.unpriced_calls) == (
                (used.input_tokens, 0) if used.model == "large" else (None, used.calls)
            )
            found[used.model] += Counter(
                {"calls": used.calls, "prompt_tokens": used.input_tokens, "completion_tokens": used.output_tokens}
            )
    assert {name: dict(sums) for name, sums in found.items()} == {name: model.sums(name) for name in found}
    window = await client.usage_of_window()
    assert {used.model: used.calls for used in window.models} == {name: model.sums(name)["calls"] for name in found}
