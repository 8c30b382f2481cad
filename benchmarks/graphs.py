"""How graphs of many steps are shown: in a real Chromium, at rest and while they run, against an empty page.

The server, its worker and what runs are in this process; the browser is beside it on the same machine. What it draws is
timed inside the page, from the start of the navigation. A long task is what keeps the page from answering: more than
50 ms, as browsers report them.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from playwright.async_api import Page, async_playwright

from benchmarks.figures import Figure, ratio
from benchmarks.flows import pass_on
from benchmarks.race import Bench, alternate
from benchmarks.sockets import serving
from benchmarks.work import PAYLOAD
from ia_modules import Flow, Runner, ServiceRegistry
from tests.browser.site import CHROMIUM_OPTIONS, chromium

EMPTY = "an empty page"
PATIENCE_SECONDS = 120.0

LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longTasks.push(entry.duration);
}).observe({ type: "longtask", buffered: true });
"""
LONGEST = "() => Math.max(0, ...window.longTasks.splice(0))"
IS_DRAWN = """
() => document.querySelector(".react-flow__node-step, .react-flow__node-group") !== null
  && document.querySelector("[aria-label^='Graph of the pipeline']")?.getAttribute("aria-busy") === "false"
"""
IS_EMPTY = "() => document.body.textContent.includes('There is no page here')"
NOW = "() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(() => then(performance.now()))))"


@dataclass(frozen=True, slots=True)
class Shown:
    """Milliseconds.

    Attributes:
        empty: until an empty page of the same server is there.
        drawn: until the graph of an execution that has ended is.
        all_of_it: until all of it is, from the click.
        longest: the longest task of the page while it ran, from the first step to the last; 0: none was long.
    """

    empty: float
    drawn: float
    all_of_it: float
    longest: float


Code = Callable[..., Any]


@dataclass(slots=True)
class Gate:
    """The first step of what is shown: it says that it runs, and waits until the page has been drawn."""

    began: asyncio.Event
    opened: asyncio.Event

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        self.began.set()
        await self.opened.wait()
        return {"text": data["text"]}


def measure_graphs(bench: Bench) -> list[Figure]:
    folded, wide, long = bench.size(60, quick=8), bench.size(400, quick=8), bench.size(2_000, quick=20)
    shapes: dict[str, Callable[[Code], Flow]] = {
        f"{folded} side by side, of one class": partial(side_by_side, [pass_on] * folded),
        f"{wide} side by side, of {wide} classes": partial(side_by_side, [named(f"worker_{n}") for n in range(wide)]),
        f"{long:,} in a row": partial(in_a_row, long),
    }
    database = bench.databases[0]  # what the pages do is the same on both
    measures = {case: partial(shown, bench, database, make) for case, make in shapes.items()}
    figures: list[Figure] = []
    for case, rounds in alternate(measures, min(bench.rounds, 3)).items():

        def figure(unit: str, name: str, of: list[Shown] = rounds, case: str = case) -> Figure:
            return Figure("", case, unit, tuple(getattr(each, name) for each in of))

        empty, drawn = figure(f"ms, {EMPTY}", "empty"), figure("ms until drawn", "drawn")
        figures += [
            empty,
            drawn,
            figure("ms, all of it", "all_of_it"),
            figure("longest task, ms", "longest"),
            ratio(drawn, empty, f"of {EMPTY}", better="less"),
        ]
    return figures


def side_by_side(middle: Sequence[Code], first: Code) -> Flow:
    """One step, then these beside each other, then one that waits for all of them."""
    flow = Flow(f"{len(middle)} side by side")
    flow.add(first, id="first")
    flow.add(named("join"), id="last")
    for number, code in enumerate(middle):
        flow.add(code, id=f"step-{number}")
        flow.connect("first", f"step-{number}")
        flow.connect(f"step-{number}", "last")
    return flow


def in_a_row(length: int, first: Code) -> Flow:
    """So many, one after the other."""
    flow = Flow(f"{length} in a row")
    flow.add(first, id="step-0")
    for number in range(1, length):
        flow.add(pass_on, id=f"step-{number}")
        flow.connect(f"step-{number - 1}", f"step-{number}")
    return flow


def named(name: str) -> Code:
    """A function of this name that passes on what it gets: steps of other functions are not drawn as one."""

    async def code(data: dict[str, Any]) -> dict[str, Any]:
        return {"text": data["text"]}

    code.__name__ = code.__qualname__ = name
    return code


def shown(bench: Bench, database: str, make: Callable[[Code], Flow]) -> Shown:
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:  # the server's own loop
        return runner.run(_shown(bench.new_database(database), make))


async def _shown(database_url: str, make: Callable[[Code], Flow]) -> Shown:
    gate = Gate(asyncio.Event(), asyncio.Event())
    async with serving(database_url) as (url, tracker), opened(url) as page:
        empty = await until(page, "/nothing/here", IS_EMPTY)
        runner = Runner(tracker, services=ServiceRegistry({"execution_tracker": tracker}))
        started = await runner.start(make(gate.run).load(), PAYLOAD)
        address = f"/executions/{started.execution_id}"
        async with asyncio.TaskGroup() as group:
            group.create_task(started.to_end())
            await gate.began.wait()
            await until(page, address, IS_DRAWN)
            await page.evaluate(LONGEST)  # those of opening it do not count
            gate.opened.set()
        await page.locator("header").get_by_text("Completed").first.wait_for()
        longest = await page.evaluate(LONGEST)
        drawn = await until(page, address, IS_DRAWN)
        before = await page.evaluate(NOW)
        await page.get_by_role("button", name="Show all of the graph").click()
        return Shown(empty, drawn, await page.evaluate(NOW) - before, longest)


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Page]:
    """A page of a new browser, which counts its long tasks."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_OPTIONS)
        page = await browser.new_page(base_url=url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        await page.add_init_script(LONG_TASKS)
        try:
            yield page
        finally:
            await browser.close()


async def until(page: Page, path: str, is_true: str) -> float:
    """Milliseconds from the start of the navigation until something is so, and painted."""
    await page.goto(path)
    await page.wait_for_function(is_true)
    return await page.evaluate(NOW)
