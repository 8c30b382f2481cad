"""What a server that is busy still answers: /health, an echo, and what it tells sockets, while 50 executions run in it.

The executions run in the server's own process, one after the other in each of 50 places, as the embedded worker runs
them. ``python -m benchmarks.busy URL TIMES`` is a client: it asks /health and the echo so often, and prints how long
each answer took.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import uvicorn
from websockets.asyncio.client import connect

from benchmarks.figures import ROOT, Figure, ratio
from benchmarks.flows import chain
from benchmarks.race import Bench, alternate
from benchmarks.sockets import PACED, latencies_of, p99_of, serving, watchers, write_paced
from benchmarks.work import PAYLOAD
from ia_modules import ExecutionTracker, Runner, ServiceRegistry
from ia_modules.live.feed import pages_apart_seconds

AT_ONCE = 50
ASKED = 200
IDLE, BUSY = "idle", f"{AT_ONCE} executions run"


@dataclass(frozen=True, slots=True)
class Answers:
    """p99 in milliseconds.

    Attributes:
        health_idle, echo_idle: with nothing else to do.
        health, echo: while executions run.
        heard: from the commit until a socket has read it, while they run, without the feed's own pause.
    """

    health_idle: float
    echo_idle: float
    health: float
    echo: float
    heard: float


def measure_busy(bench: Bench) -> list[Figure]:
    sockets = bench.size(100, quick=3)
    found = alternate(
        {database: partial(answers, bench, database, sockets) for database in bench.databases}, min(bench.rounds, 3)
    )
    figures: list[Figure] = []
    for database, rounds in found.items():

        def figure(case: str, name: str, of: list[Answers] = rounds, database: str = database) -> Figure:
            return Figure(database, case, "p99 ms", tuple(getattr(each, name) for each in of))

        health, echo = figure(f"/health, {BUSY}", "health"), figure(f"echo, {BUSY}", "echo")
        idle, heard = figure(f"/health, {IDLE}", "health_idle"), figure(f"{sockets:,} sockets hear, {BUSY}", "heard")
        figures += [
            idle,
            figure(f"echo, {IDLE}", "echo_idle"),
            health,
            echo,
            heard,
            ratio(health, idle, "of /health idle", better="less"),
            ratio(heard, echo, "of the echo", better="less"),
        ]
    return figures


def answers(bench: Bench, database: str, sockets: int) -> Answers:
    url = bench.new_database(database)
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:  # the server's own loop
        return runner.run(_answers(bench, url, sockets))


async def _answers(bench: Bench, database_url: str, sockets: int) -> Answers:
    times = bench.size(ASKED, quick=5)
    async with serving(database_url) as (url, tracker):
        health_idle, echo_idle = await times_of(url, times)
        async with busy(tracker):
            health, echo = await times_of(url, times)
            async with watchers(url, tracker, sockets, 0) as (execution_id, clients):
                assert clients is not None
                committed = await write_paced(tracker, execution_id, bench.size(PACED, quick=5))
                await tracker.log(execution_id, "end")
                answer, _ = await clients.communicate()
        heard = p99_of(latencies_of(json.loads(answer), committed)) - pages_apart_seconds(sockets) * 1000
    return Answers(p99_of(health_idle), p99_of(echo_idle), p99_of(health), p99_of(echo), max(heard, 0.0))


@asynccontextmanager
async def busy(tracker: ExecutionTracker) -> AsyncGenerator[None]:
    """So many executions run while the block lasts."""
    runner = Runner(tracker, services=ServiceRegistry({"execution_tracker": tracker}))
    loaded, is_over = chain().load(), asyncio.Event()

    async def work() -> None:
        while not is_over.is_set():
            await runner.run(loaded, PAYLOAD)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
        try:
            yield
        finally:
            is_over.set()


async def times_of(url: str, times: int) -> tuple[list[float], list[float]]:
    """How long /health and the echo took each time, in milliseconds, from another process."""
    command = (sys.executable, "-m", "benchmarks.busy", url, str(times))
    client = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    answer, _ = await client.communicate()
    took: dict[str, list[float]] = json.loads(answer)
    return took["health"], took["echo"]


async def ask(url: str, times: int) -> dict[str, Any]:
    took: dict[str, list[float]] = {"health": [], "echo": []}
    async with (
        httpx.AsyncClient(base_url=url) as client,
        connect(f"{url.replace('http', 'ws')}/echo") as socket,
    ):
        for _ in range(times):
            began = time.perf_counter()
            (await client.get("/health")).raise_for_status()
            answered = time.perf_counter()
            await socket.send("anybody there?")
            await socket.recv()
            took["health"].append((answered - began) * 1000)
            took["echo"].append((time.perf_counter() - answered) * 1000)
    return took


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1], int(sys.argv[2])))))
