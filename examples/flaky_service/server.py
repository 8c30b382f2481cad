"""A small shop's services, on this machine only, that fail on purpose and always in the same way.

    GET  /articles/<sku>  answers; 404 to what the shop does not have
    GET  /stock/<sku>     503 to the first two calls with a key, then the answer
    GET  /rates           never answers
    GET  /reviews/<sku>   500, always
    GET  /shipping        answers, slowly
    POST /orders          takes the order, then hangs up without a word; asked again with the same key, it says
                          which order that was
    GET  /calls           how often each was called, and how many orders there are

The key is the header ``Idempotency-Key``. As a program it serves until Ctrl-C:

    python examples/flaky_service/server.py --port 8765
"""

import argparse
import json
import sys
import threading
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

REFUSED_CALLS = 2
SLOW_SECONDS = 0.2
HANG_SECONDS = 30.0
ORDER_LIMIT_BYTES = 65_536
PRICES_USD = {"kettle": 39.0, "teapot": 24.5}
STOCK = {"kettle": 7, "teapot": 0}


class FlakyServer:
    """The services, from :meth:`start` to :meth:`stop`, in daemon threads of this process.

    Attributes:
        calls: how often each service was called.
        orders: the orders taken, by key.
    """

    def __init__(self, port: int = 0) -> None:
        """``port`` 0: any that is free."""
        self._port = port
        self._http: _Http | None = None
        self._lock = threading.Lock()
        self._refused: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.orders: dict[str, dict[str, Any]] = {}
        self.stopping = threading.Event()

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
        threading.Thread(target=self._http.serve_forever, args=(0.02,), name="flaky-service", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop serving; calls that hang are let go."""
        self.stopping.set()
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def count(self, service: str) -> None:
        with self._lock:
            self.calls[service] += 1

    def refuses(self, key: str) -> bool:
        """True to the first calls with a key."""
        with self._lock:
            self._refused[key] += 1
            return self._refused[key] <= REFUSED_CALLS

    def take_order(self, key: str, order: Any) -> tuple[dict[str, Any], bool]:
        """The order with this key, and whether it was there already."""
        with self._lock:
            if key in self.orders:
                return self.orders[key], True
            self.orders[key] = {"order": len(self.orders) + 1, "ordered": order}
            return self.orders[key], False


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, flaky: FlakyServer, port: int) -> None:
        self.flaky = flaky
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about callers that did not wait for the answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    @property
    def flaky(self) -> FlakyServer:
        assert isinstance(self.server, _Http)  # only that one makes these
        return self.server.flaky

    def do_GET(self) -> None:
        flaky = self.flaky
        service, _, name = self.path.strip("/").partition("/")
        flaky.count(service)
        match service:
            case "articles" if name in PRICES_USD:
                self._answer(200, {"sku": name, "price_usd": PRICES_USD[name]})
            case "stock" if flaky.refuses(self._key()):
                self._answer(503, {"error": "too busy, try again"})
            case "stock" if name in STOCK:
                self._answer(200, {"sku": name, "in_stock": STOCK[name]})
            case "rates":
                flaky.stopping.wait(HANG_SECONDS)
            case "reviews":
                self._answer(500, {"error": "the reviews are broken"})
            case "shipping":
                flaky.stopping.wait(SLOW_SECONDS)
                self._answer(200, {"days": 3, "price_usd": 4.9})
            case "calls":
                self._answer(200, {"calls": dict(flaky.calls), "orders": len(flaky.orders)})
            case _:
                self._answer(404, {"error": f"there is no {self.path}"})

    def do_POST(self) -> None:
        flaky = self.flaky
        size = int(self.headers.get("Content-Length") or 0)
        if self.path != "/orders" or not self._key() or size > ORDER_LIMIT_BYTES:
            self._answer(400, {"error": f"POST /orders with a key and at most {ORDER_LIMIT_BYTES} bytes"})
            return
        flaky.count("orders")
        order, known = flaky.take_order(self._key(), json.loads(self.rfile.read(size)))
        if known:
            self._answer(200, {**order, "known": True})
        # else: the connection ends here, and the caller cannot know that the order was taken.

    def _key(self) -> str:
        return self.headers.get("Idempotency-Key") or ""

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        """Keep the console quiet: what was called is on record with the steps."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a small shop that fails on purpose.")
    parser.add_argument("--port", type=int, default=8765, help="on 127.0.0.1; 0 = any that is free")
    with FlakyServer(parser.parse_args().port) as server, suppress(KeyboardInterrupt):
        print(f"serving on {server.url} until Ctrl-C", flush=True)
        server.stopping.wait()


if __name__ == "__main__":
    main()
