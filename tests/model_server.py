"""A server of models of the tests' own: OpenAI's protocol on loopback, streamed or whole; counts, fails and hangs."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Message = dict[str, Any]
Reply = Callable[[list[Message]], Message]


class ModelServer(ThreadingHTTPServer):
    """Answers what ``reply`` makes of a conversation; its n-th answer has the id ``answer-n``.

    Attributes:
        answers: how many it gave.
        failing: how many requests it answers with 503 from now on; not more than 0: none.
        cuts: whether its streams end in the middle.
        open: while it is not set, requests wait: a server that hangs.
        counted: the tokens it asks to be paid for, in all.
        used: those of each answer, in order.
        requests: what it was asked, in order.
    """

    daemon_threads = True

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.reply, self.lock = reply, threading.Lock()
        self.answers = self.failing = 0
        self.cuts = False
        self.open = threading.Event()
        self.open.set()
        self.counted: Counter[str] = Counter()
        self.used: list[dict[str, int]] = []
        self.requests: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def count(self, messages: int) -> tuple[int, dict[str, int]]:
        with self.lock:
            self.answers += 1
            used = {"prompt_tokens": 100 * messages + self.answers, "completion_tokens": 10 + self.answers % 7}
            self.counted.update(used)
            self.used.append(used)
            return self.answers, used

    def fails(self, request: dict[str, Any]) -> bool:
        with self.lock:
            self.requests.append(request)
            self.failing -= 1
            return self.failing >= 0


class _Request(BaseHTTPRequestHandler):
    server: ModelServer  # pyright: ignore[reportIncompatibleVariableOverride] - the only one that makes it

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.open.wait()
        with suppress(OSError):  # who asked may be gone
            if self.server.fails(request):
                self._send(503, "application/json", [json.dumps({"error": {"message": "overloaded"}})])
            elif self.path.endswith("/embeddings"):
                self._send(200, "application/json", [json.dumps(self._embedded(request))])
            elif request.get("stream"):
                self._send(200, "text/event-stream", self._chunks(request))
            else:
                self._send(200, "application/json", [json.dumps(self._whole(request))])

    def _embedded(self, request: dict[str, Any]) -> dict[str, Any]:
        _, used = self.server.count(1)
        data = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}]
        usage = {"prompt_tokens": used["prompt_tokens"], "total_tokens": used["prompt_tokens"]}
        return {"object": "list", "model": request["model"], "data": data, "usage": usage}

    def _answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], Message, dict[str, Any]]:
        message = {"role": "assistant", "content": None, **self.server.reply(request["messages"])}
        number, used = self.server.count(len(request["messages"]))
        usage = {
            **used,
            "total_tokens": sum(used.values()),
            "prompt_tokens_details": {"cached_tokens": 50},
            "completion_tokens_details": {"reasoning_tokens": 3},
        }
        return {"id": f"answer-{number}", "created": 1_700_000_000, "model": request["model"]}, message, usage

    def _whole(self, request: dict[str, Any]) -> dict[str, Any]:
        head, message, usage = self._answer(request)
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        choices = [{"index": 0, "message": message, "finish_reason": reason}]
        return {**head, "object": "chat.completion", "choices": choices, "usage": usage}

    def _chunks(self, request: dict[str, Any]) -> Iterator[str]:
        head, message, usage = self._answer(request)

        def chunk(delta: dict[str, Any] | None, reason: str | None = None) -> str:
            choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
            content = {**head, "object": "chat.completion.chunk", "choices": choices}
            return f"data: {json.dumps(content if delta is not None else {**content, 'usage': usage})}\n\n"

        yield chunk({"role": "assistant", "content": ""})
        for word in (message["content"] or "").split(" ") if message["content"] else ():
            yield chunk({"content": word + " "})
        if self.server.cuts:
            return
        for index, call in enumerate(message.get("tool_calls", ())):
            yield chunk({"tool_calls": [{"index": index, **call}]})
        yield chunk({}, "tool_calls" if message.get("tool_calls") else "stop")
        yield chunk(None)
        yield "data: [DONE]\n\n"

    def _send(self, status: int, content_type: str, parts: Any) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Connection", "close")
        self.end_headers()
        for part in parts:
            self.wfile.write(part.encode())
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextmanager
def model_server(reply: Reply) -> Generator[ModelServer]:
    with ModelServer(reply) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="model")
        thread.start()
        try:
            yield server
        finally:
            server.open.set()
            server.shutdown()
            thread.join()


def tool_call(name: str, nth: int, /, **arguments: Any) -> Message:
    """A message that asks for one call of a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"tool_calls": [{"id": f"call-{nth}", "type": "function", "function": function}]}
