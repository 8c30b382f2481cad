"""What an execution that runs or waits takes of memory, in a process of its own.

``python -m benchmarks.memory KIND COUNT URL`` prints KiB for each of so many executions: ``running`` in a step that
does not end, or ``waiting`` for a person.
"""

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Coroutine
from functools import partial
from typing import Any

import psutil

from benchmarks.databases import NewDatabase
from benchmarks.figures import ROOT, Figure
from benchmarks.race import Bench, alternate
from benchmarks.work import PAYLOAD
from ia_modules import DatabaseManager, ExecutionTracker, Flow, Runner, ServiceRegistry

FIRST = 20
"""So many run before the first look: what is made once belongs to no execution."""

AT_ONCE = 50


def measure_memory(bench: Bench) -> list[Figure]:
    counts = {
        "running": (bench.size(1_000, quick=20), bench.size(10_000, quick=40)),
        "waiting": (bench.size(10_000, quick=40),),
    }
    measures = {
        (database, kind, count): partial(kib_each, bench.new_database, database, kind, count)
        for database in bench.databases
        for kind, numbers in counts.items()
        for count in numbers
    }
    found = alternate(measures, 1)  # a process of its own each time: it varies little
    return [
        Figure(database, f"{count:,} {kind}", "KiB each", tuple(sizes), better="less")
        for (database, kind, count), sizes in found.items()
    ]


def kib_each(new_database: NewDatabase, database: str, kind: str, count: int) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", kind, str(count), new_database(database)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


async def main(kind: str, count: int, url: str) -> None:
    flow = Flow(f"That is {kind}")
    never = asyncio.Event()
    began = asyncio.Semaphore(0)

    async def stay(data: dict[str, Any]) -> None:
        began.release()
        await never.wait()

    if kind == "running":
        flow.add(stay)
    else:
        flow.ask("ask", prompt="Is it good?")
    async with DatabaseManager(url) as database, ExecutionTracker(database) as tracker:
        runner = Runner(tracker, services=ServiceRegistry({"execution_tracker": tracker}))
        loaded = flow.load()
        kept: list[asyncio.Task[Any]] = []

        async def put(number: int) -> None:
            """So many more that run or wait."""
            for _ in range(number // AT_ONCE + 1):
                some = [_task(runner.run(loaded, PAYLOAD)) for _ in range(min(AT_ONCE, number))]
                number -= len(some)
                if kind == "running":
                    kept.extend(some)
                    for _ in some:
                        await began.acquire()
                else:
                    await asyncio.gather(*some)

        await put(FIRST)
        before = resident_bytes()
        await put(count)
        print((resident_bytes() - before) / 1024 / count, flush=True)
        os._exit(0)  # what runs would be cancelled, one by one; the database is thrown away


def _task(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.create_task(work, name="execution")


def resident_bytes() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
