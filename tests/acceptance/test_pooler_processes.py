"""Two servers and a worker behind a pooler in transaction mode: the examples run, and what is open stays live."""

import asyncio
import json
from collections.abc import Generator
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.browser.site import ROOT, Site
from tests.pooler import Pooler
from tests.showcase.server import Picture, receive
from tests.unit.cli.programs import finished, lines_until, piped

EXAMPLES: dict[str, dict[str, Any]] = {
    "code-review": {"folder": str(ROOT / "ia_modules" / "live")},
    "data-quality": {},
    "flaky-service": {},
}
"""Each with its input."""


@pytest.fixture
def sites(pooler: Pooler) -> Generator[tuple[Site, Site]]:
    """Two servers that run nothing themselves."""
    one, other = Site(pooler.url, "--slots", "0"), Site(pooler.url, "--slots", "0")
    try:
        one.start()
        other.start()
        yield one, other
    finally:
        one.stop()
        other.stop()


async def test_the_examples_run_behind_a_pooler_and_open_pages_are_live(
    pooler: Pooler, sites: tuple[Site, Site]
) -> None:
    first, second = sites
    socket = second.url.replace("http://", "ws://")
    with piped(pooler.url, "worker", "--lease-seconds", "2") as worker:
        lines_until(worker, lambda line: line.startswith("Worker "))
        for slug, input_data in EXAMPLES.items():
            async with connect(f"{socket}/ws/executions") as listed:
                execution_id = await asyncio.to_thread(first.start_execution, slug, input_data)
                assert (await receive(listed))["type"] in ("hints", "resync")
            picture = Picture()
            async with connect(f"{socket}/ws/executions/{execution_id}?after=0", max_size=None) as page:
                while not picture.ended:
                    await picture.follow(page)
            assert picture.steps
        worker.terminate()
        assert worker.wait(60) == 0
    status, text, _ = finished(pooler.url, "executions", "list", "--status", "completed", "--json")
    assert (status, len(json.loads(text)["items"])) == (0, len(EXAMPLES))
    assert pooler.prepared == set()
