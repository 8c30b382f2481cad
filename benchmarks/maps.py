"""What a step for each entry of a list costs as the list grows: time, bytes, memory, its page, a death in the middle.

All of it is run by ``ia-modules worker``, as anybody starts it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import psutil
import uvicorn

from benchmarks.figures import Figure, ratio
from benchmarks.flows import add_one, mapped, stay_at_the_end
from benchmarks.graphs import IS_DRAWN, opened, until
from benchmarks.race import Bench, DidNotAnswer, alternate
from benchmarks.sockets import serving
from benchmarks.workers import worker
from ia_modules import Client, DatabaseManager

T = TypeVar("T")

AT_ONCE = 50
FIRST = 100
"""A map of so many items comes before: what is made once belongs to no item."""

LIMIT_SECONDS = 1_800.0
LOOK_SECONDS = 0.005
BYTES = {
    "sqlite": "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size",
    "postgresql": "SELECT pg_database_size(current_database()) AS bytes",
}
OWNER = "SELECT owner, sequence, ia_now() AS now FROM pipeline_executions WHERE execution_id = :execution_id"
CLAIMED = "SELECT ia_now() AS now FROM pipeline_executions WHERE execution_id = :execution_id AND owner <> :owner"
BEGUN = """
SELECT iteration FROM step_executions
 WHERE execution_id = :execution_id AND within = 'work#1' AND step_id = 'work' AND iteration > :number LIMIT 1"""
AGAIN = """
SELECT created_at FROM step_executions
 WHERE execution_id = :execution_id AND within = 'work#1' AND sequence > :sequence AND created_at > :dead_at
 ORDER BY created_at LIMIT 1"""


@dataclass(frozen=True, slots=True)
class MapTaken:
    """What one map took: of each item, of the worker, and until its page is drawn."""

    ms_each: float
    bytes_each: float
    peak_mib: float
    drawn_ms: float


def measure_maps(bench: Bench) -> list[Figure]:
    few, many = bench.size(1_000, quick=20), bench.size(100_000, quick=60)
    runs: dict[tuple[str, int], Callable[[], MapTaken]] = {
        (database, count): partial(whole_map, bench, database, count)
        for database in bench.databases
        for count in (few, many)
    }
    found = alternate(runs, 1)  # a process of its own each time, and a hundred thousand items are rounds enough
    figures: list[Figure] = []
    for database in bench.databases:
        small, large = (_figures(database, count, found[database, count]) for count in (few, many))
        figures += [*small.values(), *large.values()]
        for name, unit in {"ms_each": "of the time", "bytes_each": "of the bytes", "peak_mib": "of the peak"}.items():
            figures.append(ratio(large[name], small[name], f"{unit} with {few:,}", better="less"))
        seconds = on_loop(seconds_until_an_item_begins(bench.new_database(database), many))
        figures.append(Figure(database, f"killed at {many // 2:,} of {many:,}", "s from claim to item", (seconds,)))
    return figures


def _figures(database: str, count: int, found: list[MapTaken]) -> dict[str, Figure]:
    units = {"ms_each": "ms each", "bytes_each": "bytes each", "peak_mib": "peak MiB", "drawn_ms": "ms until drawn"}
    return {
        name: Figure(database, f"{count:,} items", unit, tuple(getattr(each, name) for each in found))
        for name, unit in units.items()
    }


def whole_map(bench: Bench, database: str, count: int) -> MapTaken:
    return on_loop(_whole_map(bench.new_database(database), count))


async def _whole_map(url: str, count: int) -> MapTaken:
    async with maps(url) as (client, database):
        with worker(url) as process:
            first = await queued(client, add_one, FIRST)
            await client.wait(first, timeout_seconds=LIMIT_SECONDS)
            before = await size_of(database)
            execution_id = await queued(client, add_one, count)
            peak = await peak_bytes(client, execution_id, process.pid)
            after = await size_of(database)
        _, step = await client.steps(execution_id)
        assert step.started_at is not None
        assert step.completed_at is not None
        seconds = (step.completed_at - step.started_at).total_seconds()
    async with serving(url) as (site, _), opened(site) as page:
        drawn = await until(page, f"/executions/{execution_id}", IS_DRAWN)
    return MapTaken(seconds * 1000 / count, (after - before) / count, peak / 2**20, drawn)


async def peak_bytes(client: Client, execution_id: str, pid: int) -> int:
    """The most memory that a process has while an execution runs to its good end.

    Raises:
        DidNotAnswer: it ended in another way.
    """
    process, peak = psutil.Process(pid), 0
    async with asyncio.timeout(LIMIT_SECONDS):
        while not (summary := await client.summary(execution_id)).status.is_terminal:
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(10 * LOOK_SECONDS)  # seldom: it takes of the time that is measured
    if summary.status != "completed":
        raise DidNotAnswer(f"the map ended as {summary.status}: {summary.error_message}")
    return max(peak, process.memory_info().rss)


async def seconds_until_an_item_begins(url: str, count: int) -> float:
    """Kill a worker in the middle of a map; how long another takes from its claim to the first item that it begins."""
    async with maps(url) as (client, database), asyncio.timeout(LIMIT_SECONDS):
        execution_id = await queued(client, stay_at_the_end, count)
        look = partial(first_row, database, execution_id=execution_id)
        with worker(url, "--lease-seconds", "1") as process:
            await look(BEGUN, number=count // 2)
            process.kill()
            process.wait()
        dead = await look(OWNER)
        with worker(url):
            claimed = await look(CLAIMED, owner=dead["owner"])
            again = await look(AGAIN, sequence=dead["sequence"], dead_at=dead["now"])
        return max(0.0, (moment(again["created_at"]) - moment(claimed["now"])).total_seconds())


@asynccontextmanager
async def maps(url: str) -> AsyncGenerator[tuple[Client, DatabaseManager]]:
    """A client that knows the maps, and its database."""
    async with DatabaseManager(url) as database, Client(database) as client:
        for code in (add_one, stay_at_the_end):
            await client.register(mapped(code, AT_ONCE))
        yield client, database


async def queued(client: Client, code: Callable[..., Any], count: int) -> str:
    return (await client.queue(mapped(code, AT_ONCE).definition.slug, {"count": count})).execution_id


async def size_of(database: DatabaseManager) -> int:
    return (await first_row(database, BYTES[database.dialect]))["bytes"]


async def first_row(database: DatabaseManager, sql: str, **params: Any) -> Mapping[str, Any]:
    """The row, as soon as there is one."""
    while (row := await database.fetch_one_async(sql, params)) is None:  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(LOOK_SECONDS)
    return row


def moment(value: Any) -> datetime:
    """A time as either database gives it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def on_loop(measuring: Coroutine[Any, Any, T]) -> T:
    """Run it on the loop that servers run on."""
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        return runner.run(measuring)
