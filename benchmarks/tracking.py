"""What tracking costs: executions of five steps, each of whose twelve records is durable before it is acknowledged.

    make bench

Ratios within one run can be compared; absolute numbers belong to the machine and to what else it does. SQLite writes to
a temporary folder, PostgreSQL is the server from the wheel (with fsync), or IA_TEST_POSTGRES_URL, where the tables are
made in a database of their own name that must be empty.
"""

import asyncio
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.postgres import embedded_server

STEPS, RECORDS = 5, 12
PAYLOAD = {"text": "x" * 480}
ROUNDS = 3


async def record_one(tracker: ExecutionTracker, pipeline_id: str) -> None:
    """Twelve records: start and end of an execution and of five steps."""
    execution_id = await tracker.start_execution(pipeline_id, input_data=PAYLOAD, total_steps=STEPS)
    for number in range(STEPS):
        step_id = await tracker.start_step_execution(execution_id, f"step-{number}", "Step", "task", PAYLOAD)
        await tracker.complete_step_execution(step_id, "completed", PAYLOAD)
    await tracker.update_execution_status(execution_id, "completed", output_data=PAYLOAD)


def chain() -> Flow:
    """The same work as a pipeline: the end of a step and the start of the next are one record."""
    flow = Flow("Chain")

    async def step(data: dict[str, object]) -> dict[str, str]:
        return PAYLOAD

    nodes = [flow.add(step, id=f"step-{number}") for number in range(STEPS)]
    for before, after in itertools.pairwise(nodes):
        flow.connect(before.id, after.id)
    return flow


async def rate(count: int, at_once: int, work: Callable[[], Coroutine[None, None, object]]) -> float:
    """Executions per second, the median of a few rounds."""

    async def worker(numbers: list[int]) -> None:
        while numbers:
            numbers.pop()
            await work()

    rates: list[float] = []
    for _ in range(ROUNDS):
        numbers = list(range(count))
        began = time.perf_counter()
        await asyncio.gather(*(worker(numbers) for _ in range(at_once)))
        rates.append(count / (time.perf_counter() - began))
    return statistics.median(rates)


async def measure(name: str, url: str) -> None:
    async with DatabaseManager(url) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("benchmark", "Benchmark")
        pipeline, services = chain(), ServiceRegistry({"execution_tracker": tracker})
        alone = await rate(60, 1, lambda: record_one(tracker, pipeline_id))
        together = await rate(600, 50, lambda: record_one(tracker, pipeline_id))
        run = await rate(60, 1, lambda: pipeline.run(services=services))
        print(
            f"{name:<11} one at a time {alone:6.0f} executions/s {alone * RECORDS:7.0f} records/s"
            f" | 50 at a time {together:6.0f} {together * RECORDS:7.0f} | gain {together / alone:4.1f}"
            f" | as a pipeline, one at a time {run:6.0f} ({run / alone:4.2f} of recording by hand)",
            flush=True,
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure("SQLite", f"sqlite:///{Path(folder) / 'benchmark.db'}"))
    if url := os.environ.get("IA_TEST_POSTGRES_URL"):
        asyncio.run(measure("PostgreSQL", url))
        return
    with embedded_server(durable=True) as url:
        asyncio.run(measure("PostgreSQL", url))


if __name__ == "__main__":
    main()
