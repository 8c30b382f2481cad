# pyright: reportUnusedExpression=false
"""What an execution takes grows with its step runs, not with their square: in memory, and in the database."""

import gc
import json
import subprocess
import sys
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.authoring import Flow, when
from ia_modules.pipeline.core import StepContext
from ia_modules.pipeline.document.merge import MergeRule
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker

FEW, MANY, MORE_BY_STEP = 100, 500, 1.3
ROOT = Path(__file__).parents[2]

SHAPES = ["chain", "chain with inputs", "fan", "loop", "chat", "branches that join again and again"]

STORED = {
    "sqlite": "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size",
    "postgresql": "SELECT sum(pg_column_size(row.*)) AS bytes FROM step_executions row",
}


def flow_of(shape: str, count: int) -> Flow:
    """About so many step runs, each with a result key of its own."""
    merge: dict[str, MergeRule] = {"messages": "extend", "cost": "sum"} if shape == "chat" else {}
    flow = Flow(f"{shape} of {count}", loop_config={"max_iterations": count}, merge=merge)
    runs = iter(range(2 * count))

    async def work(data: dict[str, Any]) -> dict[str, Any]:
        del data
        number = next(runs)
        if merge:
            return {"messages": [{"role": "user", "content": f"turn {number}"}], "cost": 0.1, "number": number}
        return {f"key{number}": number, "number": number}

    match shape:
        case "loop" | "chat":
            begin, again = flow.add(work, id="begin"), flow.add(work, id="again")
            begin >> again >> when("result.number", "<", count - 2) >> begin
        case "fan":
            first, last = flow.add(work, id="first"), flow.add(work, id="last")
            first >> [flow.add(work, id=f"step{number}", inputs={"x": 1}) for number in range(count)] >> last
        case "branches that join again and again":
            joins = [flow.add(work, id=f"join{number}") for number in range(count // 3)]
            for number, (join, following) in enumerate(pairwise(joins)):
                join >> [flow.add(work, id=f"{side}{number}") for side in ("left", "right")] >> following
        case _:
            inputs = {"inputs": {"seen": "{steps.step0.output.number} | 0"}} if shape == "chain with inputs" else {}
            steps = [flow.add(work, id=f"step{number}", **(inputs if number else {})) for number in range(count)]
            for step, following in pairwise(steps):
                step >> following
    return flow


async def memory_by_step(flow: Flow, services: ServiceRegistry | None = None) -> float:
    """The most bytes that a run took, by step run."""
    flow.load()
    gc.collect()
    tracemalloc.start()
    try:
        result = await flow.run({}, services)
        return tracemalloc.get_traced_memory()[1] / len(result["steps"])
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", SHAPES)
async def test_memory_grows_with_the_steps_and_not_with_their_square(shape: str) -> None:
    await flow_of(shape, 10).run({})  # what the first run imports is of no interest
    few, many = await memory_by_step(flow_of(shape, FEW)), await memory_by_step(flow_of(shape, MANY))
    assert many < MORE_BY_STEP * few, f"{few:.0f} bytes a step of {FEW}, {many:.0f} a step of {MANY}"


async def test_who_follows_has_little_of_a_long_output_in_memory(database: DatabaseManager) -> None:
    flow, piece = Flow("Long output"), "x" * 2**16

    @flow.step
    async def give(context: StepContext) -> None:
        for _ in range(62):  # nearly all that is kept of an attempt
            context.emit(piece)

    async with ExecutionTracker(database) as tracker:
        result = await flow.run({}, ServiceRegistry({"execution_tracker": tracker}))
        characters = 0
        tracemalloc.start()
        try:
            async for each in tracker.stream(result["execution_id"]):
                characters += len(each.text)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert characters == 62 * len(piece)
    assert peak < characters, f"{peak:,} bytes to read {characters:,} characters"


@pytest.mark.parametrize("shape", ["chain", "chat"])
async def test_what_is_stored_grows_with_the_steps_and_not_with_their_square(
    database: DatabaseManager, shape: str
) -> None:
    async with ExecutionTracker(database) as tracker:

        async def stored_bytes() -> int:
            if database.dialect == "sqlite":
                await database.fetch_all_async("PRAGMA wal_checkpoint(TRUNCATE)")
            row = await database.fetch_one_async(STORED[database.dialect])
            return int((row or {})["bytes"] or 0)

        async def by_step(count: int) -> tuple[float, float]:
            before, services = await stored_bytes(), ServiceRegistry({"execution_tracker": tracker})
            memory = await memory_by_step(flow_of(shape, count), services)
            return memory, (await stored_bytes() - before) / count

        await by_step(10)
        (few, few_stored), (many, many_stored) = await by_step(FEW), await by_step(MANY)
    assert many < MORE_BY_STEP * few, f"{few:.0f} bytes a step of {FEW}, {many:.0f} a step of {MANY}"
    assert many_stored < MORE_BY_STEP * few_stored, f"{few_stored:.0f} and {many_stored:.0f} bytes stored by step"


@pytest.mark.parametrize(("shape", "count"), [("chain with inputs", 2000), ("loop", 2000), ("chat", 1000)])
def test_a_long_execution_takes_no_more_for_each_step_than_a_short_one(shape: str, count: int, tmp_path: Path) -> None:
    def by_step(steps: int) -> dict[str, float]:
        command = [sys.executable, "-m", "tests.acceptance.long_execution", shape, str(steps)]
        ran = subprocess.run([*command, str(tmp_path / f"{steps}.db")], cwd=ROOT, check=True, capture_output=True)
        return json.loads(ran.stdout)

    few, many = by_step(MANY), by_step(count)
    for kind in ("memory", "stored"):
        assert many[kind] < MORE_BY_STEP * few[kind], f"{kind}: {few} bytes a step of {MANY}, {many} of {count}"
