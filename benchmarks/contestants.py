"""What does the work, each in a process of its own: ``python -m benchmarks.contestants NAME URL`` answers with samples.

The names are those of ``CONTESTANTS``; one that has a size is named with it: ``chain:1000``. Each process is set up as
``ia-modules worker`` sets up its own, that of the limit too.
"""

import asyncio
import itertools
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

from benchmarks.conflicts import EVERY, other_process
from benchmarks.flows import TenLines, chain, fan_out, loop
from benchmarks.limit import limit
from benchmarks.sampling import Work, answer
from benchmarks.work import PAYLOAD, STEPS
from ia_modules import DatabaseManager, ExecutionTracker, Flow, Runner, ServiceRegistry
from ia_modules.cli.long_running import collect_garbage_seldom, loop_factory
from ia_modules.errors import ExecutionCancelled, LeaseLost
from ia_modules.models import PipelineId


async def record_one(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    """Twelve records, each awaited."""
    execution_id = await tracker.start_execution(pipeline_id, input_data=PAYLOAD, total_steps=STEPS)
    for number in range(STEPS):
        step_id = await tracker.start_step_execution(execution_id, f"step-{number}", "Step", "task", PAYLOAD)
        await tracker.complete_step_execution(step_id, "completed", PAYLOAD)
    await tracker.update_execution_status(execution_id, "completed", output_data=PAYLOAD)


@asynccontextmanager
async def tracker_alone(url: str) -> AsyncGenerator[Work]:
    async with DatabaseManager(url) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("benchmark", "Benchmark")
        yield lambda: record_one(tracker, pipeline_id)


@asynccontextmanager
async def runner(url: str, flow: Flow, input_data: dict[str, Any]) -> AsyncGenerator[Work]:
    """Runs the flow here, recorded by a tracker."""
    async with DatabaseManager(url) as database, ExecutionTracker(database) as tracker:
        running = Runner(tracker, services=ServiceRegistry({"execution_tracker": tracker}))
        loaded = flow.load()
        yield lambda: running.run(loaded, input_data)


@asynccontextmanager
async def disturbed(url: str) -> AsyncGenerator[Work]:
    """The same, of which another process changes one of many."""
    begun = itertools.count(1)
    async with runner(url, chain(), PAYLOAD) as work:
        with other_process(url) as change:

            async def work_on() -> None:
                if next(begun) % EVERY == 0:
                    change()
                with suppress(ExecutionCancelled, LeaseLost):
                    await work()

            yield work_on


def payload(size_bytes: int) -> dict[str, str]:
    return {"text": "x" * (size_bytes - len('{"text":""}'))}


Contestant = Callable[[str, int], AbstractAsyncContextManager[Work]]
"""Prepares the work on the database of a URL, with a size; 0 where there is none."""

CONTESTANTS: dict[str, Contestant] = {
    "limit": limit,
    "tracker": lambda url, _: tracker_alone(url),
    "runner": lambda url, _: runner(url, chain(), PAYLOAD),
    "disturbed": lambda url, _: disturbed(url),
    "logs": lambda url, _: runner(url, chain(code=TenLines), PAYLOAD),
    "payload": lambda url, size_bytes: runner(url, chain(), payload(size_bytes)),
    "chain": lambda url, steps: runner(url, chain(steps), PAYLOAD),
    "fan-out": lambda url, width: runner(url, fan_out(width), PAYLOAD),
    "loop": lambda url, iterations: runner(url, loop(iterations), PAYLOAD),
}


async def main(name: str, url: str) -> None:
    kind, _, size = name.partition(":")
    async with CONTESTANTS[kind](url, int(size or 0)) as work:
        await answer(work)


if __name__ == "__main__":
    collect_garbage_seldom()
    with asyncio.Runner(loop_factory=loop_factory()) as runner_of_loop:
        runner_of_loop.run(main(*sys.argv[1:]))
