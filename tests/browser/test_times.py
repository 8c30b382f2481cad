"""Times as a reader wants them, in a zone where clocks are put back: on every page, by pointer, keyboard and touch."""

import asyncio
import re
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.browser.site import PATIENCE_SECONDS, Site

FIRST, SECOND = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
"""Both half past two in Berlin."""

MOVED = "UPDATE {table} SET created_at = :at, started_at = :at, completed_at = :end WHERE execution_id = :id"


# Before the browser, whose event loop would be in the way.
@pytest.fixture(scope="module", autouse=True)
def night(site: Site) -> list[str]:
    """Two executions that began in the hour that comes twice; the first went on for two days."""
    return asyncio.run(_record(site.database_url))


async def _record(database_url: str) -> list[str]:
    ids = list[str]()
    async with DatabaseManager(database_url) as database:
        async with ExecutionTracker(database) as tracker:
            pipeline_id = await tracker.register_pipeline("night", "Night")
            for _ in range(2):
                execution = tracker.execution(pipeline_id, pipeline_name="Night")
                async with execution, execution.step("look"):
                    pass
                ids.append(execution.id)
        for execution_id, began, lasted in zip(ids, (FIRST, SECOND), (timedelta(days=2), timedelta(0)), strict=True):
            moved = {"at": began, "end": began + lasted, "id": execution_id}
            for table in ("pipeline_executions", "step_executions"):
                await database.execute_async(MOVED.format(table=table), moved)
    return ids


@pytest.fixture
def context(browser: Browser, site: Site) -> Generator[BrowserContext]:
    context = browser.new_context(
        base_url=site.url,
        viewport={"width": 1440, "height": 900},
        timezone_id="Europe/Berlin",
        locale="en-US",
        has_touch=True,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    yield context
    context.close()


def show_times(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile("^Times: ")).click()
    page.get_by_role("menuitemradio", name=name).click()


def test_both_of_an_hour_that_comes_twice_are_told_apart_on_every_page(page: Page, night: list[str]) -> None:
    first, second = night
    page.goto("/executions")
    show_times(page, "Europe/Berlin")
    expect(page.locator(f"[data-execution='{first}'] time")).to_have_text("2026-10-25 02:30:00 +02:00")
    expect(page.locator(f"[data-execution='{second}'] time")).to_have_text("2026-10-25 02:30:00 +01:00")
    page.locator(f"[data-execution='{first}'] a").click()
    page.wait_for_url(f"**/executions/{first}")
    expect(page.locator("header dl time").first).to_have_text("2026-10-25 02:30:00 +02:00")
    expect(page.get_by_role("region", name="Timeline").get_by_text("2026-10-26", exact=True)).to_be_visible()
    show_times(page, "UTC")
    expect(page.locator("header dl time").first).to_have_text("2026-10-25 00:30:00 UTC")
    page.reload()
    expect(page.locator("header dl time").first).to_have_text("2026-10-25 00:30:00 UTC")

    page.goto("/executions?started_after=2026-10-25T01:00:00Z&started_before=2026-10-25T02:00:00Z")
    expect(page.locator(f"[data-execution='{second}']")).to_be_visible()
    expect(page.locator(f"[data-execution='{first}']")).to_have_count(0)
    expect(page.get_by_label("From", exact=True)).to_have_value("2026-10-25 01:00 UTC")
    show_times(page, "Europe/Berlin")
    expect(page.get_by_label("From", exact=True)).to_have_value("2026-10-25 02:00 +01:00")
    page.get_by_role("button", name="Choose from a calendar").first.click()
    calendar = page.get_by_role("dialog").filter(has_text="October 2026")
    calendar.get_by_role("button", name="25 October 2026").click(trial=True)  # in sight, as its clock is
    expect(calendar.get_by_label("Hours")).to_have_value("02")
    page.keyboard.press("Escape")
    page.get_by_label("From", exact=True).fill("2026-10-25 02:00")  # the first of both
    expect(page.locator(f"[data-execution='{first}']")).to_be_visible()


def test_the_exact_time_comes_up_at_the_focus_and_by_a_tap(page: Page, night: list[str]) -> None:
    exactly = "2026-10-25 02:30:00.000 +01:00 Europe/Berlin"
    page.goto(f"/executions/{night[1]}")
    started = page.locator("header dl").get_by_role("button").filter(has=page.locator("time")).first
    expect(started).to_be_visible()
    started.focus()
    expect(page.get_by_role("tooltip")).to_contain_text(exactly)
    expect(page.get_by_role("tooltip")).to_contain_text("2026-10-25 01:30:00.000 UTC")
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip").filter(has_text=exactly)).to_have_count(0)
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto("/executions")
    listed = page.locator(f"[data-execution='{night[1]}'] time")
    listed.tap()
    expect(page.get_by_role("tooltip")).to_contain_text(exactly)
    assert page.url.endswith("/executions")
