"""What followers cost a step that gives a megabyte a second as it comes, and how soon they have it.

A worker, a server and the followers are processes of their own; each follower reads server-sent events. The step gives
4,000 characters every 4 ms, by the clock: what it takes beyond that time is what it was slowed by.
``python -m benchmarks.streams URL FOLLOWERS`` is the followers' process: it prints what each of them received.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import psutil

from benchmarks.figures import ROOT, Figure, ratio
from benchmarks.flows import PIECE, emitter
from benchmarks.race import Bench, DidNotAnswer, alternate
from benchmarks.workers import worker
from ia_modules import Client

PIECES = 750
"""Three megabytes, of the four that are kept of an attempt."""

LIMIT_SECONDS = 300.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Given:
    """What one run took: of the step, until the last follower had all of it, and of the server's memory."""

    seconds: float
    late_seconds: float
    peak_mib: float


def measure_streams(bench: Bench) -> list[Figure]:
    numbers = (0, 1, bench.size(100, quick=3))
    measures = {
        (database, number): partial(_given, bench, database, number)
        for database in bench.databases
        for number in numbers
    }
    found = alternate(measures, min(bench.rounds, 3))
    figures: list[Figure] = []
    for database in bench.databases:
        taken: dict[int, Figure] = {}
        for number in numbers:
            case, rounds = f"{number:,} follow" if number else "nobody follows", found[database, number]
            taken[number] = Figure(database, case, "s of the step", tuple(each.seconds for each in rounds))
            peak = Figure(database, case, "peak MiB of the server", tuple(each.peak_mib for each in rounds))
            figures += [taken[number], peak]
            if number:
                late = tuple(each.late_seconds for each in rounds)
                figures.append(Figure(database, case, "s from the end until all have all", late))
        figures += [ratio(taken[number], taken[0], "of nobody", better="less") for number in numbers if number]
    return figures


def _given(bench: Bench, database: str, followers: int) -> Given:
    return asyncio.run(_measure(bench.new_database(database), followers, bench.size(PIECES, quick=20)))


async def _measure(database_url: str, followers: int, pieces: int) -> Given:
    async with Client(database_url) as client:
        await client.register(emitter())
        execution_id = (await client.queue(emitter().definition.slug, {"pieces": pieces})).execution_id
        with server(database_url) as (url, pid):
            async with following(f"{url}/api/executions/{execution_id}/stream", followers) as ends:
                with worker(database_url):
                    peak = await _peak_bytes(client, execution_id, pid)
                received = await ends()
                peak = max(peak, psutil.Process(pid).memory_info().rss)
        [step] = await client.steps(execution_id)
    if any(each["characters"] != pieces * len(PIECE) for each in received):
        raise DidNotAnswer(f"not every follower received {pieces * len(PIECE):,} characters: {received}")
    assert step.started_at is not None
    assert step.completed_at is not None
    late = max((each["at"] - step.completed_at.timestamp() for each in received), default=0.0)
    return Given((step.completed_at - step.started_at).total_seconds(), max(late, 0.0), peak / 2**20)


async def _peak_bytes(client: Client, execution_id: str, pid: int) -> int:
    """The most memory that a process has while an execution runs to its good end."""
    process, peak = psutil.Process(pid), 0
    async with asyncio.timeout(LIMIT_SECONDS):
        while not (summary := await client.summary(execution_id)).status.is_terminal:
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(LOOK_SECONDS)
    if summary.status != "completed":
        raise DidNotAnswer(f"the execution ended as {summary.status}: {summary.error_message}")
    return peak


@contextmanager
def server(database_url: str) -> Generator[tuple[str, int]]:
    """The address and the id of ``ia-modules serve``, which runs nothing itself and is killed after the block."""
    command = [sys.executable, "-m", "ia_modules.cli", "serve", "--port", "0", "--slots", "0"]
    environment = os.environ | {"DATABASE_URL": database_url}
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            if found is None:
                raise DidNotAnswer("the server did not start")
            yield found[0], process.pid
        finally:
            process.kill()  # the database is thrown away


@asynccontextmanager
async def following(url: str, followers: int) -> AsyncGenerator[Any]:
    """Gives what waits for the end of all followers, which have all been answered already."""
    command = (sys.executable, "-m", "benchmarks.streams", url, str(followers))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None

    async def ends() -> list[dict[str, Any]]:
        async with asyncio.timeout(LIMIT_SECONDS):
            answer, _ = await process.communicate()
        return json.loads(answer)

    try:
        if await process.stdout.readline() != b"ready\n":
            raise DidNotAnswer("the followers could not connect")
        yield ends
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def follow(url: str, followers: int) -> list[dict[str, Any]]:
    """How many characters each follower received, and when it had the last one, in seconds since the epoch."""
    connected = asyncio.Barrier(followers + 1)

    async def one(client: httpx.AsyncClient) -> dict[str, Any]:
        characters = 0
        async with client.stream("GET", url) as answer:
            answer.raise_for_status()
            await connected.wait()
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    characters += len(json.loads(line.removeprefix("data:")).get("text", ""))
                elif line == "event: end":
                    break
        return {"characters": characters, "at": time.time()}

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=LIMIT_SECONDS) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(client)) for _ in range(followers)]
        await connected.wait()
        print("ready", flush=True)
    return [task.result() for task in tasks]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(follow(sys.argv[1], int(sys.argv[2])))))
