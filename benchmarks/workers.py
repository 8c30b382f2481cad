"""What worker processes take from one queue on PostgreSQL: ``ia-modules worker``, as anybody starts it."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial

from benchmarks.databases import POSTGRESQL
from benchmarks.figures import ROOT, Figure, ratio
from benchmarks.flows import chain
from benchmarks.race import Bench, alternate, contestant, started
from benchmarks.sampling import repeat_times
from benchmarks.work import PAYLOAD
from ia_modules import Client, DatabaseManager

PROCESSES = (1, 2, 4)
SLOTS = 50
LIMIT_SECONDS = 120.0

STATE = """
SELECT (SELECT count(*) FROM pipeline_executions WHERE status = 'completed') AS completed,
       (SELECT count(DISTINCT worker) FROM step_executions) AS workers"""


def measure_workers(bench: Bench) -> list[Figure]:
    """Executions per second while all processes work, and against one process and the limit in the same round."""
    if POSTGRESQL not in bench.databases:
        return []
    with ExitStack() as stack:
        limit = stack.enter_context(started(contestant("limit:6"), bench.new_database(POSTGRESQL)))
        limit(SLOTS, bench.seconds / 4)

        def rate_of_limit() -> float:
            taken = limit(SLOTS, bench.seconds)
            return taken.executions / taken.seconds

        measures = {0: rate_of_limit, **{number: partial(rate_of_workers, bench, number) for number in PROCESSES}}
        found = alternate(measures, bench.rounds)
    rates = {number: Figure(POSTGRESQL, _name(number), "executions/s", tuple(each)) for number, each in found.items()}
    return [
        *rates.values(),
        *(ratio(rates[number], rates[0], "of the limit") for number in PROCESSES),
        *(ratio(rates[number], rates[1], "of one process") for number in PROCESSES[1:]),
    ]


def _name(processes: int) -> str:
    return (
        f"{processes} process{'es' * (processes > 1)}, {SLOTS} slots each" if processes else f"limit, {SLOTS} at a time"
    )


def rate_of_workers(bench: Bench, processes: int) -> float:
    """Executions per second of so many processes on a full queue."""
    url = bench.new_database(POSTGRESQL)
    asyncio.run(fill(url, bench.size(3_000, quick=60)))
    with ExitStack() as stack:
        for _ in range(processes):
            stack.enter_context(worker(url))
        return asyncio.run(watch(url, processes, bench))


async def fill(url: str, executions: int) -> None:
    async with Client(url) as client:
        await client.register(chain())
        slug = chain().definition.slug
        await repeat_times(lambda: client.queue(slug, PAYLOAD), at_once=SLOTS, times=executions)


async def watch(url: str, processes: int, bench: Bench) -> float:
    """The rate from when all work, for as long as a round takes or until a tenth is left.

    It begins before half is done, also when all is done between two looks: a rate needs some that were completed in it.
    """
    total = bench.size(3_000, quick=60)
    database = DatabaseManager(url, pool_size=1)

    async def state() -> tuple[float, int, int]:
        row = await database.fetch_one_async(STATE)
        assert row is not None
        return time.perf_counter(), row["completed"], row["workers"]

    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            began, first = time.perf_counter(), 0
            now, completed, working = await state()
            while working < processes and completed < total // 2:
                began, first = now, completed
                await asyncio.sleep(0.02)
                now, completed, working = await state()
            while completed == first or (now - began < bench.seconds and completed < total * 0.9):
                await asyncio.sleep(0.05)
                now, completed, _ = await state()
            return (completed - first) / (now - began)
    finally:
        await database.close()


@contextmanager
def worker(url: str, *options: str) -> Generator[subprocess.Popen[bytes]]:
    """A process that is killed after the block."""
    environment = os.environ | {"DATABASE_URL": url, "IA_MODULES_STEP_MODULES": "benchmarks.*"}
    command = [
        sys.executable,
        "-m",
        "ia_modules.cli",
        "worker",
        "--slots",
        str(SLOTS),
        "--grace-seconds",
        "0",
        *options,
    ]
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # the database is thrown away
