"""How soon each page is there with 100,000 executions: in a real Chromium that has fetched nothing yet.

The server is a process of its own. First paint (FCP) is when anything of the page is there, largest paint (LCP) when
the largest part of it is, both as browsers report them, from the start of the navigation. Each visit is one of a new
profile, so its code is fetched, too; an empty page of the same server is visited in the same round.
"""

import asyncio
import time
from dataclasses import dataclass
from functools import partial

from playwright.async_api import Browser, async_playwright

from benchmarks.figures import Figure, ratio
from benchmarks.graphs import EMPTY, PATIENCE_SECONDS
from benchmarks.race import Bench
from benchmarks.streams import server
from ia_modules import DatabaseManager
from tests.browser.site import CHROMIUM_OPTIONS, chromium
from tests.scale import analyze, execution_id, failure_group, generate, pipeline_id

WITH_STEPS = 20_000

PAINTS = """
window.paints = { first: 0, largest: 0 };
new PerformanceObserver((list) => {
  for (const entry of list.getEntriesByName("first-contentful-paint")) window.paints.first = entry.startTime;
}).observe({ type: "paint", buffered: true });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.paints.largest = entry.startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
"""


@dataclass(frozen=True, slots=True)
class Paints:
    """Milliseconds."""

    first: float
    largest: float


def measure_pages(bench: Bench) -> list[Figure]:
    executions, pages = bench.size(100_000, quick=300), bench.size(len(addresses("")), quick=3)
    figures: list[Figure] = []
    for database in bench.databases:
        found = asyncio.run(_visited(bench.new_database(database), executions, pages, min(bench.rounds, 3)))
        for what, of in {"FCP": "first", "LCP": "largest"}.items():
            taken = {
                case: Figure(database, case, f"ms {what}", tuple(getattr(each, of) for each in rounds))
                for case, rounds in found.items()
            }
            figures += taken.values()
            unit = f"{what} of {EMPTY}"
            figures += [ratio(each, taken[EMPTY], unit, better="less") for case, each in taken.items() if case != EMPTY]
    return figures


def addresses(newest: str) -> dict[str, str]:
    """The pages by their names, with what they show filled in."""
    pipeline = pipeline_id(20)
    return {
        EMPTY: "/nothing/here",
        "pipelines": "/pipelines",
        "a pipeline": f"/pipelines/{pipeline}",
        "executions": "/executions",
        "executions, failed": "/executions?status=failed",
        "an execution": f"/executions/{newest}",
        "failures": "/failures",
        "failures alike": f"/failures/{pipeline}.{failure_group(0)}",
        "inbox": "/inbox",
        "metrics": "/insights",
        "system": "/system",
    }


async def _visited(database_url: str, executions: int, pages: int, rounds: int) -> dict[str, list[Paints]]:
    until_ms = int(time.time() * 1000)
    async with DatabaseManager(database_url) as database:
        await generate(database, executions, with_steps=min(WITH_STEPS, executions), until_ms=until_ms)
        await analyze(database)
    paths = dict(list(addresses(execution_id(executions, executions, until_ms=until_ms)).items())[:pages])
    found: dict[str, list[Paints]] = {case: [] for case in paths}
    with server(database_url) as (url, _):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_OPTIONS)
            visit = partial(_paints, browser, url)
            await visit(paths[EMPTY])  # what the first visit of a server and a browser costs belongs to no page
            for number in range(rounds):
                for case in paths if number % 2 == 0 else reversed(list(paths)):
                    found[case].append(await visit(paths[case]))
            await browser.close()
    return found


async def _paints(browser: Browser, url: str, path: str) -> Paints:
    """What a new visitor sees when, once nothing of the page is on its way any more."""
    context = await browser.new_context(base_url=url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    try:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        await page.add_init_script(PAINTS)
        await page.goto(path)
        await page.locator("html[data-code=here]").wait_for(state="attached")  # all else is fetched after the page
        paints = await page.evaluate("window.paints")
        return Paints(paints["first"], paints["largest"])
    finally:
        await context.close()
