"""Steps on a Ray cluster: where one runs appears in its panel, and on the system page what it holds."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ClusterNode, JoinedCluster
from ia_modules.payload import encode
from ia_modules.testing.contract_transitions import runs_on
from ia_modules.testing.places_contract import THERE, runs_at
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import Transition
from tests.browser.looks import problems
from tests.browser.site import Site

T = TypeVar("T")

PLACE = replace(THERE, node="1dba27f00b4af5b9c8a9e6a40e3c")
NODE = ClusterNode(node=PLACE.node, total={"CPU": 4.0, "GPU": 1.0}, free={"CPU": 3.0, "GPU": 0.5})
JOINED = JoinedCluster(cluster=PLACE.cluster, nodes=(NODE,))


def done(site: Site, work: Callable[[DatabaseManager, ExecutionTracker], Awaitable[T]]) -> T:
    """What a tracker does on the site's database; in a thread, as Playwright's loop is in this one."""

    async def on_loop() -> T:
        async with (
            DatabaseManager(site.database_url) as database,
            ExecutionTracker(database, lease_seconds=None) as tracker,
        ):
            return await work(database, tracker)

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(on_loop())).result()


@pytest.fixture
def placing(site: Site) -> Transition:
    """Of an attempt that runs on a cluster, and waits there for what it needs: what is written when it has that."""

    async def begin(_: DatabaseManager, tracker: ExecutionTracker) -> Transition:
        execution_id = await tracker.start_execution(await tracker.register_pipeline("nightly", "Nightly training"))
        attempt = await tracker.start_step_execution(execution_id, "train", "Train", "task")
        await tracker.record(replace(runs_on(execution_id, attempt, PLACE.cluster), writer=tracker.owner))
        return replace(runs_at(execution_id, attempt, PLACE), writer=tracker.owner)

    return done(site, begin)


def test_where_a_step_runs_appears_while_one_looks_and_what_it_holds_on_the_system_page(
    page: Page, site: Site, placing: Transition
) -> None:
    page.goto(f"/executions/{placing.execution_id}?step=train")
    panel = page.get_by_role("region", name="Step Train")
    expect(panel.get_by_text("Run time").first).to_be_visible()
    expect(panel.get_by_text("Ray node")).to_have_count(0)
    done(site, lambda _, tracker: tracker.record(placing))
    expect(panel).to_contain_text("process 6500 · 1 CPU, 0.5 GPU · waited 3.3 s")
    expect(panel.get_by_text("1dba27…")).to_have_attribute("title", PLACE.node)

    page.goto("/system")
    cluster = page.get_by_role("region", name=f"Ray cluster {PLACE.cluster}")
    expect(cluster).to_contain_text("no worker that is alive has joined it")

    async def join(database: DatabaseManager, _: ExecutionTracker) -> None:
        sql = "UPDATE workers SET cluster = :cluster WHERE stopped_at IS NULL"
        await database.execute_async(sql, {"cluster": encode(JOINED.to_dict(), "cluster")})

    done(site, join)
    expect(cluster.get_by_role("img", name="1 of 4 CPU in use")).to_be_visible()
    expect(cluster.get_by_role("img", name="0.5 of 1 GPU in use")).to_be_visible()
    assert problems(page) == []
    cluster.get_by_role("link", name="Nightly training").click()
    expect(page.get_by_role("region", name="Step Train")).to_contain_text("process 6500")
