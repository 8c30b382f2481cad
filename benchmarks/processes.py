"""What processes of their own gain for steps that compute, against threads of one process; and what each costs."""

import asyncio
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.figures import Figure, ratio
from benchmarks.race import Bench, alternate
from ia_modules import Flow

BRANCHES = 4
LOOPS = 12_000_000
QUICK_LOOPS = 10_000


def compute(data: dict[str, Any]) -> dict[str, Any]:
    """Sums squares, in pure Python."""
    total = 0
    for number in range(data["loops"]):
        total = (total + number * number) % 1_000_003
    return {"total": total}


async def begin(data: dict[str, Any]) -> dict[str, Any]:
    return {}


def branches(isolation: str) -> Flow:
    """Four steps that compute at the same time."""
    flow = Flow(f"Branches in a {isolation}")
    flow.add(begin, id="begin")
    for number in range(BRANCHES):
        flow.add(compute, id=f"compute-{number}", isolation=isolation)
        flow.connect("begin", f"compute-{number}")
    return flow


def measure_processes(bench: Bench) -> list[Figure]:
    loops = bench.size(LOOPS, quick=QUICK_LOOPS)
    flows = {isolation: branches(isolation) for isolation in ("thread", "process")}
    for flow in flows.values():
        seconds_of(flow, QUICK_LOOPS)  # processes are started once, and used again
    runs: dict[tuple[str, int], Callable[[], float]] = {
        (isolation, each): partial(seconds_of, flow, each) for isolation, flow in flows.items() for each in (loops, 1)
    }
    found = alternate(runs, bench.rounds)
    case = f"{BRANCHES} branches that compute, {os.cpu_count()} processors"
    threads = Figure("", f"{case}, in threads", "s", tuple(found["thread", loops]))
    processes = Figure("", f"{case}, in processes", "s", tuple(found["process", loops]))
    gain = ratio(threads, processes, "times as fast as in threads")
    idle = {isolation: tuple(1e3 * each for each in found[isolation, 1]) for isolation in flows}
    names = {"thread": "threads", "process": "processes"}
    costs = [Figure("", f"{BRANCHES} branches that do nothing, in {names[each]}", "ms", idle[each]) for each in flows]
    return [threads, processes, Figure("", processes.case, gain.unit, gain.rounds, "more"), *costs]


def seconds_of(flow: Flow, loops: int) -> float:
    began = time.perf_counter()
    asyncio.run(flow.run({"loops": loops}))
    return time.perf_counter() - began
