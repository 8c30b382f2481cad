"""What watchers cost the writer, and how soon they are told: one server, one execution, none to two hundred sockets.

    python -m benchmarks.sockets

The writer is in the server's own process, as the embedded worker is, and each of its records is durable before it is
acknowledged. First it writes at a pace that leaves room: how long it takes from the commit until a client in another
process has read it. Then as fast as it can, four records at a time: the rate, with all of them on the same machine.
Ratios within one run can be compared; absolute numbers belong to the machine. SQLite writes to a temporary folder,
PostgreSQL is the server from the wheel (with fsync), or IA_TEST_POSTGRES_URL, as for ``benchmarks.tracking``.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from ia_modules.cli.commands.serve import address_of, listen, server_config
from ia_modules.models import ExecutionId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from showcase_app.backend.main import create_app
from showcase_app.backend.settings import Settings
from tests.postgres import embedded_server

PACED, PACE_SECONDS = 100, 0.02
FAST_SECONDS, AT_ONCE = 3.0, 4
CASES = {"no socket": (0, 0), "199 sockets": (199, 0), "199 and one that never reads": (199, 1)}
DATA = {"text": "x" * 200}


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies in milliseconds, None without sockets."""

    records_per_second: float
    p50: float | None
    p99: float | None


@asynccontextmanager
async def serving(database_url: str) -> AsyncGenerator[tuple[str, ExecutionTracker]]:
    """A server in this loop: its address, and the tracker that it works with."""
    app = create_app(Settings(database_url=database_url, slots=0))
    server, listener = uvicorn.Server(server_config(app)), listen("127.0.0.1", 0)
    running = asyncio.create_task(server.serve(sockets=[listener]), name="server")
    while not server.started:  # noqa: ASYNC110 - it tells in no other way
        await asyncio.sleep(0.01)
    try:
        yield address_of(listener), app.state.services.execution_tracker
    finally:
        server.should_exit = True
        await running


async def measure(database_url: str, sockets: int, lazy: int) -> Measured:
    async with (
        serving(database_url) as (url, tracker),
        watchers(url, tracker, sockets, lazy) as (execution_id, clients),
    ):
        committed = await write_paced(tracker, execution_id)
        rate = await write_fast(tracker, execution_id)
        await tracker.log(execution_id, "end")
        if clients is None:
            return Measured(rate, None, None)
        answer, _ = await clients.communicate()
        received: dict[str, list[float]] = json.loads(answer)
        latencies = [(moment - committed[line]) * 1000 for line in committed for moment in received[line]]
        return Measured(rate, statistics.median(latencies), statistics.quantiles(latencies, n=100)[98])


async def write_paced(tracker: ExecutionTracker, execution_id: ExecutionId) -> dict[str, float]:
    """When each line was committed, by its text."""
    committed: dict[str, float] = {}
    for number in range(PACED):
        await tracker.log(execution_id, f"paced {number}", data=DATA)
        committed[f"paced {number}"] = time.monotonic()
        await asyncio.sleep(PACE_SECONDS)
    return committed


async def write_fast(tracker: ExecutionTracker, execution_id: ExecutionId) -> float:
    """Records per second."""
    began, written = time.monotonic(), 0

    async def write() -> None:
        nonlocal written
        while time.monotonic() - began < FAST_SECONDS:
            await tracker.log(execution_id, "fast", data=DATA)
            written += 1

    await asyncio.gather(*(write() for _ in range(AT_ONCE)))
    return written / (time.monotonic() - began)


@asynccontextmanager
async def watchers(
    url: str, tracker: ExecutionTracker, sockets: int, lazy: int
) -> AsyncGenerator[tuple[ExecutionId, asyncio.subprocess.Process | None]]:
    """An execution and the process whose sockets watch it, all of them connected."""
    execution_id = await tracker.start_execution(await tracker.register_pipeline("benchmark", "Benchmark"))
    if not sockets:
        yield execution_id, None
        return
    clients = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "benchmarks.sockets",
            "--watch",
            f"{url.replace('http', 'ws')}/ws/executions/{execution_id}",
        ),
        *("--sockets", str(sockets), "--lazy", str(lazy)),
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    try:
        assert clients.stdout is not None
        assert await clients.stdout.readline() == b"ready\n"
        yield execution_id, clients
    finally:
        if clients.returncode is None:
            clients.kill()
            await clients.wait()


async def watch(url: str, sockets: int, lazy: int) -> dict[str, list[float]]:
    """When each paced line was read, once for each socket."""
    async with AsyncExitStack() as stack:
        for _ in range(lazy):
            await stack.enter_async_context(without_reading(url))
        clients = [await stack.enter_async_context(connect(url, max_size=None)) for _ in range(sockets)]
        for client in clients:
            await client.recv()  # how it stands
        print("ready", flush=True)
        heard = await asyncio.gather(*(read_to_the_end(client) for client in clients))
    received: dict[str, list[float]] = {}
    for moment, frame in (frames for one in heard for frames in one):
        for message in json.loads(frame).get("messages", ()):
            line: dict[str, Any] = message["data"]
            if str(line.get("message", "")).startswith("paced"):
                received.setdefault(line["message"], []).append(moment)
    return received


async def read_to_the_end(client: ClientConnection) -> list[tuple[float, str]]:
    """The frames with a paced line in them, and when they were read; what they say is looked at later."""
    frames: list[tuple[float, str]] = []
    while '"end"' not in (frame := str(await client.recv())):
        if "paced" in frame:
            frames.append((time.monotonic(), frame))
    return frames


@asynccontextmanager
async def without_reading(url: str) -> AsyncGenerator[None]:
    """A socket that takes what its few buffers hold and no more."""
    endpoint = socket.socket()
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    host, _, port = url.removeprefix("ws://").partition("/")[0].partition(":")
    endpoint.connect((host, int(port)))
    async with connect(url, sock=endpoint, max_queue=1, close_timeout=0.1):
        yield


def compare(name: str, database_url: str) -> None:
    alone: Measured | None = None
    for case, (sockets, lazy) in CASES.items():
        with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:  # the server's own loop
            found = runner.run(measure(database_url, sockets, lazy))
        alone = alone or found
        delays = "" if found.p50 is None else f" | told after {found.p50:5.1f} ms (p50) {found.p99:5.1f} ms (p99)"
        ratio = found.records_per_second / alone.records_per_second
        print(f"{name:<11} {case:<29} {found.records_per_second:6.0f} records/s {ratio:5.2f}{delays}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="What watchers cost the writer, and how soon they are told.")
    parser.add_argument("--watch", help="be the clients of this socket")
    parser.add_argument("--sockets", type=int)
    parser.add_argument("--lazy", type=int)
    options = parser.parse_args()
    if options.watch:
        print(json.dumps(asyncio.run(watch(options.watch, options.sockets, options.lazy))))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare("SQLite", f"sqlite:///{Path(folder) / 'benchmark.db'}")
    if url := os.environ.get("IA_TEST_POSTGRES_URL"):
        compare("PostgreSQL", url)
        return
    with embedded_server(durable=True) as url:
        compare("PostgreSQL", url)


if __name__ == "__main__":
    main()
