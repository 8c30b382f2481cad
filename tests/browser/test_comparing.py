"""Two executions side by side: with the last good one from an execution's page, and two that were selected."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looks import NARROW, WIDE, problems
from tests.browser.site import ROOT, Site, fits
from tests.browser.test_running import until

AIRPORTS = ROOT / "examples" / "data_quality" / "airports.csv"


@pytest.fixture(scope="module")
def pair(site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An execution, and one before it with the same input that went another way, since its file was another."""
    table = tmp_path_factory.mktemp("tables") / "airports.csv"
    whole = AIRPORTS.read_text(encoding="utf-8").splitlines(keepends=True)
    good = run(site, table, "".join(whole[:200]))
    return run(site, table, "".join(whole[:150])), good


def run(site: Site, table: Path, text: str) -> str:
    table.write_text(text, encoding="utf-8")
    execution_id = site.start_execution("data-quality", {"file": str(table)})
    until(lambda: site.execution(execution_id)["status"] == "completed", "the end of the execution")
    return execution_id


def address(pair: tuple[str, str]) -> str:
    return f"/compare?a={pair[0]}&b={pair[1]}"


def ends_with(text: str) -> re.Pattern[str]:
    return re.compile(f"{re.escape(text)}$")


def test_an_execution_is_compared_with_the_last_good_one(page: Page, pair: tuple[str, str]) -> None:
    page.goto(f"/executions/{pair[0]}")
    page.get_by_role("link", name="Compare", exact=True).click()
    page.wait_for_url(ends_with(address(pair)))
    expect(page.get_by_text("ingest got the same input in both, and gave another output.")).to_be_visible()
    diverged = page.get_by_role("button", name=re.compile("they diverged here first"))
    expect(diverged).to_be_visible()
    expect(diverged).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Show the step").click()
    expect(diverged).to_have_attribute("aria-pressed", "true")
    side = page.get_by_role("complementary", name="What differs")
    expect(side.get_by_text("$.rows", exact=True)).to_be_visible()
    expect(side.get_by_text("149", exact=True)).to_be_visible()
    expect(side.get_by_text("199", exact=True)).to_be_visible()
    page.wait_for_url("**run=ingest**")
    page.get_by_role("link", name="Swap").click()
    page.wait_for_url(ends_with(address((pair[1], pair[0]))))


def test_two_that_are_selected_in_the_list_are_compared(page: Page, pair: tuple[str, str]) -> None:
    page.goto("/executions")
    for execution_id in reversed(pair):
        page.get_by_role("checkbox", name=f"Select Data quality {execution_id[-8:]}").check()
    page.get_by_role("link", name="Compare", exact=True).click()
    page.wait_for_url(ends_with(address(pair)))
    expect(page.get_by_text("Where they first diverged")).to_be_visible()


def test_the_runs_are_walked_by_keys_alone(page: Page, pair: tuple[str, str]) -> None:
    page.goto(f"{address(pair)}&show=all")
    runs = page.get_by_role("list", name="Aligned runs").get_by_role("button")
    runs.first.focus()
    page.keyboard.press("ArrowDown")
    expect(runs.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(runs.nth(1)).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("chosen", ["", "&run=ingest"])
def test_a_narrow_screen_is_not_scrolled_sideways_and_axe_finds_nothing_serious(
    page: Page, pair: tuple[str, str], chosen: str
) -> None:
    page.set_viewport_size(NARROW)
    page.goto(f"{address(pair)}{chosen}")
    expect(page.get_by_text("diverged first")).to_be_visible()
    page.wait_for_load_state("networkidle")
    fits(page)
    page.set_viewport_size(WIDE)
    expect(page.get_by_text("diverged first")).to_be_visible()
    assert problems(page) == []
