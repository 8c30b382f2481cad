"""5,000 executions, 461 of which failed in six ways: why is one click from their list, and nobody scrolls for it."""

import asyncio
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ia_modules.database.manager import DatabaseManager
from ia_modules.failure_groups import group_of
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.browser.site import Site, fits

EXECUTIONS, FAILED = 5_000, 461
WAYS = (
    ("ValueError", "customer id missing", 211),
    ("KeyError", "'amount'", 120),
    ("TimeoutError", "no answer from the bank", 70),
    ("OSError", "the disk is full", 40),
    ("RuntimeError", "shard is away", 15),
    ("LookupError", "no such order", 5),
)
DEFINITION: dict[str, Any] = {
    "name": "Billing",
    "steps": [{"id": "charge", "step_class": "Charge", "module": "billing"}],
    "flow": {"start_at": "charge", "paths": [{"from": "charge", "to": "end"}]},
}

# One each minute, the newest now; those that failed are the newest, one way after the other. Version 7 came with them.
_EXECUTIONS = """
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, pipeline_version, status, trigger, sequence, total_steps, completed_steps,
    created_at, started_at, completed_at)
SELECT CAST(lpad(to_hex(CAST(:ms AS BIGINT) + n * 60000), 12, '0') || '7' || lpad(to_hex(n), 3, '0') || '8'
            || lpad(to_hex(n), 15, '0') AS UUID),
       CAST(:pipeline_id AS UUID), 'Billing', 6, 'completed', 'api', 3, 1, 1,
       to_timestamp((CAST(:ms AS BIGINT) + n * 60000) / 1000.0),
       to_timestamp((CAST(:ms AS BIGINT) + n * 60000) / 1000.0),
       to_timestamp((CAST(:ms AS BIGINT) + n * 60000 + 900) / 1000.0)
  FROM generate_series(1, CAST(:executions AS INTEGER)) AS n"""
_FAIL = """
UPDATE pipeline_executions
   SET status = 'failed', pipeline_version = 7, failure_group = :failure_group, error_type = 'StepError',
       error_message = :error_message, completed_steps = 0, failed_steps = 1
 WHERE execution_id IN (
       SELECT execution_id FROM pipeline_executions ORDER BY execution_id DESC LIMIT :count OFFSET :skip)"""
_GROUP = """
INSERT INTO failure_groups (pipeline_id, failure_group, rule, step_id, error_type, message, created_at)
SELECT CAST(:pipeline_id AS UUID), :failure_group, 2, 'charge', :error_type, :message, MIN(completed_at)
  FROM pipeline_executions WHERE failure_group = :failure_group"""


@pytest.fixture(scope="module", autouse=True)
def history(site: Site) -> None:
    asyncio.run(_write(site.database_url))


async def _write(url: str) -> None:
    async with DatabaseManager(url) as database, ExecutionTracker(database) as tracker:
        definitions = [{**DEFINITION, "slug": "billing", "version": str(version)} for version in range(1, 8)]
        versions = [
            await tracker.register_version("billing", "Billing", definition, new_version=True)
            for definition in definitions
        ]
        of_pipeline = {"pipeline_id": versions[0].pipeline_id}
        now = int((await tracker.now()).timestamp() * 1000)
        times = {"ms": now - EXECUTIONS * 60_000, "executions": EXECUTIONS}
        await database.execute_async(_EXECUTIONS, of_pipeline | times)
        skip = 0
        for error_type, message, count in WAYS:
            group = group_of("charge", error_type, message)
            text = f"Step 'charge' failed: {error_type}: {message}"
            named = {"failure_group": group.id}
            await database.execute_async(_FAIL, named | {"error_message": text, "count": count, "skip": skip})
            about = {"error_type": group.error_type, "message": group.message}
            await database.execute_async(_GROUP, of_pipeline | named | about)
            skip += count
        await database.execute_async("ANALYZE")


def test_one_click_from_the_list_shows_the_groups_with_count_first_seen_and_version(page: Page) -> None:
    page.goto("/executions")
    expect(page.locator("[data-execution]").first).to_be_visible()
    page.get_by_role("button", name=f"Why {FAILED} failed").click()
    groups = page.get_by_role("table", name="Groups of failures in the last 30 days")
    for error_type, message, count in WAYS:
        group = groups.get_by_role("row", name=f"{error_type}: {message}", exact=True)
        expect(group.get_by_role("link", name=str(count), exact=True)).to_be_visible()
        expect(group).to_contain_text("since v7")
        expect(group.locator("time").first).to_have_text(re.compile("ago|now"))
        box = group.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900, "nobody scrolls for it"
    assert page.evaluate("window.scrollY") == 0
    expect(groups.get_by_role("row")).to_have_count(1 + len(WAYS))
    groups.get_by_role("link", name="5", exact=True).click()
    page.wait_for_url("**failure=billing.**")
    expect(page.get_by_role("checkbox", name=re.compile("^Failed"))).to_have_accessible_name(re.compile("Failed 5$"))
    page.locator("[data-execution] a").first.click()
    banner = page.get_by_role("alert").filter(has_text="Began with v7")
    expect(banner).to_contain_text("It failed so 5 times")
    expect(banner.get_by_role("link", name="What differs")).to_be_visible()


def test_a_row_says_the_cause_first_and_an_error_that_is_in_the_list_is_found(page: Page) -> None:
    page.goto("/executions?status=failed&status=cancelled")
    cell = page.locator("[data-execution] [data-column=error]").first
    expect(cell).to_have_text(re.compile(r"^ValueError: customer id missing\s*charge$"))
    cause = cell.get_by_text("ValueError: customer id missing")
    assert cause.evaluate("(element) => element.scrollWidth <= element.clientWidth"), "it is not cut"
    page.get_by_role("searchbox", name="Search executions").fill("the DISK is")
    page.wait_for_url("**q=the**")
    expect(page.locator("[data-execution] [data-column=error]").first).to_contain_text("the disk is full")
    expect(page.get_by_role("checkbox", name=re.compile("^Failed"))).to_have_accessible_name(re.compile("Failed 40$"))
    page.set_viewport_size({"width": 360, "height": 780})
    card = page.get_by_role("listitem").filter(has_text="OSError: the disk is full").first
    expect(card).to_be_visible()
    fits(page)
