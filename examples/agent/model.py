"""Stands for a language model, on this machine only: it asks for tools, and answers when it knows enough.

    POST /chat   {"messages": […], "max_tokens": n} → lines of JSON: {"text": "…"} for each word as it comes, then
                 {"message": {…}, "input_tokens": n, "output_tokens": n}
    GET  /bill   how many turns and tokens it was asked for in all

It remembers nothing of a conversation: each turn has all messages, as with a real one. Where a tool does not know a
place, it asks for it again, without an end. As a program it serves until Ctrl-C:

    python examples/agent/model.py --port 8766
"""

import argparse
import json
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any, Self

REQUEST_LIMIT_BYTES = 1_048_576

Message = dict[str, Any]


def reply(messages: Sequence[Message]) -> Message:
    """The next message: calls of tools, or the answer."""
    places = re.findall(r"\b(?!How)[A-Z][a-z]+", messages[0]["content"])
    results = {call_text(message["call"]): message["result"] for message in messages if message["role"] == "tool"}
    legs = [{"tool": "distance", "of": list(leg)} for leg in pairwise(places)]
    for leg in legs:
        if results.get(call_text(leg)) is None:
            return {"role": "assistant", "calls": [leg]}
    lengths = [results[call_text(leg)] for leg in legs]
    total = {"tool": "add", "of": lengths}
    if len(lengths) > 1 and call_text(total) not in results:
        return {"role": "assistant", "calls": [total]}
    return {"role": "assistant", "content": f"It is {results.get(call_text(total), lengths[0])} km.", "calls": []}


def call_text(call: Any) -> str:
    """The call of a tool as text that is the same for the same call."""
    return json.dumps(call, sort_keys=True)


class ModelServer:
    """The model, from :meth:`start` to :meth:`stop`, in daemon threads of this process.

    Attributes:
        turns: how often it was asked.
        tokens: how many that took in all.
    """

    def __init__(self, port: int = 0, *, seconds_per_word: float = 0.0) -> None:
        """``port`` 0: any that is free."""
        self._port, self._seconds_per_word = port, seconds_per_word
        self._http: _Http | None = None
        self._lock = threading.Lock()
        self.turns = self.tokens = 0

    @property
    def url(self) -> str:
        assert self._http is not None, "the server has not been started"
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> Self:
        """Serve from now on.

        Raises:
            OSError: the port is taken.
        """
        self._http = _Http(self, self._port)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), name="agent-model", daemon=True).start()
        return self

    def stop(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def take_turn(self, messages: Sequence[Message], max_tokens: int) -> Iterator[dict[str, Any]]:
        """What it says, word by word, and in the end all of it.

        A turn takes more the more messages it reads, and no more than it may.
        """
        message = reply(messages)
        for word in re.findall(r"\S+\s*", message.get("content", "")):
            time.sleep(self._seconds_per_word)
            yield {"text": word}
        tokens = max(0, min(60 + 10 * len(messages), max_tokens))
        read = min(10 * len(messages), tokens)
        with self._lock:
            self.turns += 1
            self.tokens += tokens
        yield {"message": message, "input_tokens": read, "output_tokens": tokens - read}


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, model: ModelServer, port: int) -> None:
        self.model = model
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    @property
    def model(self) -> ModelServer:
        assert isinstance(self.server, _Http)  # only that one makes these
        return self.server.model

    def do_GET(self) -> None:
        model = self.model
        self._answer(200, [{"turns": model.turns, "tokens": model.tokens}])

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if self.path != "/chat" or size > REQUEST_LIMIT_BYTES:
            self._answer(400, [{"error": f"POST /chat with at most {REQUEST_LIMIT_BYTES} bytes"}])
            return
        request = json.loads(self.rfile.read(size))
        self._answer(200, self.model.take_turn(request["messages"], request["max_tokens"]))

    def _answer(self, status: int, lines: Iterable[dict[str, Any]]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-ndjson")
        self.end_headers()
        for line in lines:
            self.wfile.write(json.dumps(line).encode() + b"\n")
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a scripted model.")
    parser.add_argument("--port", type=int, default=8766, help="on 127.0.0.1; 0 = any that is free")
    with ModelServer(parser.parse_args().port) as server, suppress(KeyboardInterrupt):
        print(f"serving on {server.url} until Ctrl-C", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
