"""The work as pipelines: the plain chain, and other shapes."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from benchmarks.work import STEPS
from ia_modules import Flow, Step, StepContext, first, otherwise, when

LINES = 10
PIECE = "a word and one more " * 200


async def pass_on(data: dict[str, Any]) -> dict[str, Any]:
    return {"text": data["text"]}


def count_up(count: int) -> dict[str, list[int]]:
    return {"numbers": list(range(count))}


async def add_one(number: int, count: int) -> int:
    return number + 1


async def stay_at_the_end(number: int, count: int) -> int:
    """The same, and the last one is not done before long: what is killed has not ended."""
    if number == count - 1:
        await asyncio.sleep(600)
    return number + 1


async def emit(pieces: int, context: StepContext) -> None:
    """A megabyte a second, by the clock, in pieces of 4,000 characters."""
    clock = asyncio.get_running_loop().time
    began = clock()
    for number in range(1, pieces + 1):
        context.emit(PIECE)
        await asyncio.sleep(began + number * len(PIECE) / 1e6 - clock())


class TenLines(Step):
    """The same, with ten lines of log."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        for number in range(LINES):
            self.context.log(f"line {number} of a step that tells what it does")
        return {"text": data["text"]}


def chain(steps: int = STEPS, code: Callable[..., Any] | type[Step] = pass_on) -> Flow:
    """One step after the other."""
    flow = Flow(f"Chain of {steps}, {code.__name__}")
    nodes = [flow.add(code, id=f"step-{number}") for number in range(steps)]
    for before, after in itertools.pairwise(nodes):
        flow.connect(before.id, after.id)
    return flow


def fan_out(width: int) -> Flow:
    """One step, then so many beside each other, then one that waits for all of them."""
    flow = Flow(f"Fan-out of {width}")
    flow.add(pass_on, id="first")
    flow.add(pass_on, id="last")
    for number in range(width):
        flow.add(pass_on, id=f"step-{number}")
        flow.connect("first", f"step-{number}")
        flow.connect(f"step-{number}", "last")
    return flow


def loop(iterations: int) -> Flow:
    """One step that runs so many times, then one more."""
    flow = Flow(f"Loop of {iterations}", loop_config={"max_iterations": iterations})
    again, last = flow.add(pass_on, id="again"), flow.add(pass_on, id="last")
    again >> first(when("run.iteration", "<", iterations) >> again, otherwise >> last)  # pyright: ignore[reportUnusedExpression]
    return flow


def emitter() -> Flow:
    """One step that gives so many pieces of output, at its pace."""
    flow = Flow("Emitter", parameters={"pieces": 1})
    flow.add(emit, id="emit")
    return flow


def mapped(code: Callable[..., Any], at_once: int) -> Flow:
    """One step that gives ``count`` numbers, then one that runs for each of them; what they give is not collected."""
    flow = Flow(f"Map, {code.__name__}", parameters={"count": 1})
    numbers = flow.add(count_up, id="count")
    inputs = {"number": "{item}", "count": "{parameters.count}"}
    work = flow.map(code, id="work", over="count.numbers", inputs=inputs, max_concurrency=at_once, collect=False)
    flow.paths(numbers >> work)
    return flow
