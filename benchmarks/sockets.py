"""What watchers cost the writer, how soon they hear, and how much: one server, one execution, up to 1,000 sockets.

The writer is in the server's own process, as the embedded worker is, and each of its records is durable before it is
acknowledged. First it writes at a pace that leaves room: how long it takes from the commit until a client in another
process has read it. Then as fast as it can, four records at a time: the rate, with all of them on the same machine.
``python -m benchmarks.sockets URL SOCKETS LAZY`` is the clients' process.
"""

import asyncio
import json
import socket
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from fastapi import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.figures import ROOT, Figure, ratio
from benchmarks.race import Bench, alternate
from benchmarks.sampling import sample
from ia_modules import ExecutionTracker
from ia_modules.cli.commands.serve import address_of, listen, server_config
from ia_modules.models import ExecutionId
from showcase_app.backend.main import create_app
from showcase_app.backend.settings import Settings

PACED, PACE_SECONDS = 100, 0.02
AT_ONCE = 4
END_SECONDS = 120.0
DATA = {"text": "x" * 200}
NO_SOCKET = "no socket"


@dataclass(frozen=True, slots=True)
class Heard:
    """What was written and heard: latencies in milliseconds; nothing is heard without sockets."""

    records_per_second: float
    messages_per_second: float = 0.0
    p50: float = 0.0
    p99: float = 0.0


UNITS = {"records_per_second": "records/s", "messages_per_second": "messages/s", "p50": "p50 ms", "p99": "p99 ms"}


def measure_sockets(bench: Bench) -> list[Figure]:
    """Written and heard with no socket, 1, 100, 1,000, and 100 beside one that never reads."""
    few, many = bench.size(100, quick=5), bench.size(1_000, quick=10)
    cases = {
        NO_SOCKET: (0, 0),
        "1 socket": (1, 0),
        f"{few:,} sockets": (few, 0),
        f"{few:,} and one that never reads": (few, 1),
        f"{many:,} sockets": (many, 0),
    }
    measures = {
        (database, case): partial(measure_once, bench, database, *numbers)
        for database in bench.databases
        for case, numbers in cases.items()
    }
    found = alternate(measures, min(bench.rounds, 3))
    figures = [
        Figure(database, case, unit, tuple(getattr(each, name) for each in heard))
        for (database, case), heard in found.items()
        for name, unit in UNITS.items()
        if case != NO_SOCKET or name == "records_per_second"
    ]
    rates = {(each.database, each.case): each for each in figures if each.unit == UNITS["records_per_second"]}
    return figures + [
        ratio(each, rates[database, NO_SOCKET], f"of {NO_SOCKET}")
        for (database, case), each in rates.items()
        if case != NO_SOCKET
    ]


def measure_once(bench: Bench, database: str, sockets: int, lazy: int) -> Heard:
    url = bench.new_database(database)
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:  # the server's own loop
        return runner.run(_measure(bench, url, sockets, lazy))


async def _measure(bench: Bench, database_url: str, sockets: int, lazy: int) -> Heard:
    async with (
        serving(database_url) as (url, tracker),
        watchers(url, tracker, sockets, lazy) as (execution_id, clients),
    ):
        committed = await write_paced(tracker, execution_id, bench.size(PACED, quick=5))
        rate = await write_fast(tracker, execution_id, bench.seconds)
        await tracker.log(execution_id, "end")
        if clients is None:
            return Heard(rate)
        async with asyncio.timeout(END_SECONDS):
            answer, _ = await clients.communicate()
        heard: dict[str, Any] = json.loads(answer)
        latencies = latencies_of(heard, committed)
        return Heard(rate, heard["messages"] / heard["seconds"], statistics.median(latencies), p99_of(latencies))


def latencies_of(heard: Mapping[str, Any], committed: Mapping[str, float]) -> list[float]:
    """Milliseconds from the commit of each paced line until each socket had it."""
    return [(moment - committed[line]) * 1000 for line, moments in heard["paced"].items() for moment in moments]


def p99_of(latencies: Sequence[float]) -> float:
    return statistics.quantiles(latencies, n=100)[98]


@asynccontextmanager
async def serving(database_url: str) -> AsyncGenerator[tuple[str, ExecutionTracker]]:
    """A server in this loop: its address, and the tracker that it works with."""
    app = create_app(Settings(database_url=database_url, slots=0))
    app.add_api_websocket_route("/echo", echo)
    server, listener = uvicorn.Server(server_config(app)), listen("127.0.0.1", 0)
    running = asyncio.create_task(server.serve(sockets=[listener]), name="server")
    while not server.started:  # noqa: ASYNC110 - it tells in no other way
        await asyncio.sleep(0.01)
    try:
        yield address_of(listener), app.state.services.execution_tracker
    finally:
        server.should_exit = True
        await running


async def echo(websocket: WebSocket) -> None:
    """What any message costs on this server, beside what ours do."""
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text(await websocket.receive_text())


async def write_paced(tracker: ExecutionTracker, execution_id: ExecutionId, lines: int) -> dict[str, float]:
    """When each line was committed, by its text."""
    committed: dict[str, float] = {}
    for number in range(lines):
        await tracker.log(execution_id, f"paced {number}", data=DATA)
        committed[f"paced {number}"] = time.monotonic()
        await asyncio.sleep(PACE_SECONDS)
    return committed


async def write_fast(tracker: ExecutionTracker, execution_id: ExecutionId, seconds: float) -> float:
    """Records per second."""

    async def write() -> None:
        await tracker.log(execution_id, "fast", data=DATA)

    taken = await sample(write, at_once=AT_ONCE, seconds=seconds)
    return taken.executions / taken.seconds


@asynccontextmanager
async def watchers(
    url: str, tracker: ExecutionTracker, sockets: int, lazy: int
) -> AsyncGenerator[tuple[ExecutionId, asyncio.subprocess.Process | None]]:
    """An execution and the process whose sockets watch it, all of them connected."""
    execution_id = await tracker.start_execution(await tracker.register_pipeline("benchmark", "Benchmark"))
    if not sockets:
        yield execution_id, None
        return
    watched = f"{url.replace('http', 'ws')}/ws/executions/{execution_id}"
    command = (sys.executable, "-m", "benchmarks.sockets", watched, str(sockets), str(lazy))
    clients = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, limit=2**26, cwd=ROOT)
    try:
        assert clients.stdout is not None
        assert await clients.stdout.readline() == b"ready\n"
        yield execution_id, clients
    finally:
        if clients.returncode is None:
            clients.kill()
            await clients.wait()


async def watch(url: str, sockets: int, lazy: int) -> dict[str, Any]:
    """When each paced line was read, once for each socket; how many other messages were, and in how many seconds."""
    async with AsyncExitStack() as stack:
        for _ in range(lazy):
            await stack.enter_async_context(without_reading(url))
        clients = [await stack.enter_async_context(connect(url, max_size=None)) for _ in range(sockets)]
        for client in clients:
            await client.recv()  # how it stands
        print("ready", flush=True)
        heard = await asyncio.gather(*(read_to_the_end(client) for client in clients))
    paced: dict[str, list[float]] = {}
    for moment, frame in (frames for each in heard for frames in each.paced):
        for message in json.loads(frame).get("messages", ()):
            line: dict[str, Any] = message["data"]
            if str(line.get("message", "")).startswith("paced"):
                paced.setdefault(line["message"], []).append(moment)
    began, ended = min(each.began for each in heard), max(each.ended for each in heard)
    return {"paced": paced, "messages": sum(each.messages for each in heard), "seconds": ended - began}


@dataclass(slots=True)
class Listener:
    """What one socket read: frames with a paced line, and when; and how many others, from when to when."""

    paced: list[tuple[float, str]]
    messages: int = 0
    began: float = 0.0
    ended: float = 0.0


async def read_to_the_end(client: ClientConnection) -> Listener:
    """Frames are looked at later: that takes time from who reads the next."""
    listener = Listener([])
    while True:
        frame = str(await client.recv())
        listener.ended = time.monotonic()
        if "paced" in frame:
            listener.paced.append((listener.ended, frame))
        if fast := frame.count('"fast"'):
            listener.began = listener.began or listener.ended
            listener.messages += fast
        if '"end"' in frame:
            return listener


@asynccontextmanager
async def without_reading(url: str) -> AsyncGenerator[None]:
    """A socket that takes what its few buffers hold and no more."""
    endpoint = socket.socket()
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    host, _, port = url.removeprefix("ws://").partition("/")[0].partition(":")
    endpoint.connect((host, int(port)))
    async with connect(url, sock=endpoint, max_queue=1, close_timeout=0.1):
        yield


if __name__ == "__main__":
    print(json.dumps(asyncio.run(watch(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
