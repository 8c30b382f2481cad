"""Failures in groups: two hundred executions that failed in six ways."""

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.site import Site
from tests.browser.test_every_page import AXE
from tests.browser.test_running import mark, until, was_reloaded

EXECUTIONS, WAYS = 200, 6
MESSAGES = (
    "LookupError: no order <id> of customer <n>",
    "LookupError: no invoice <id> of customer <n>",
    "TimeoutError: no answer from host<n> since <time>",
    "OSError: cannot read <path>",
    "ValueError: <path> has <n> rows, expected <n>",
    "RuntimeError: shard <n> is away since <time>",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("failing")


@pytest.fixture(scope="module")
def failed(site: Site, folder: Path) -> list[str]:
    """Executions by their number; that, by six, is the way in which each failed."""
    ids = [site.start_execution("failing", {"folder": str(folder), "number": number}) for number in range(EXECUTIONS)]
    with site.api() as api:
        until(lambda: counted(api)["failed"] == EXECUTIONS, "the failure of all executions")
    return ids


def counted(api: httpx.Client) -> dict[str, int]:
    return api.get("/api/executions/statistics").raise_for_status().json()["by_status"]


def group_of(page: Page, message: str) -> Locator:
    return page.get_by_role("article", name=message, exact=True)


def test_six_ways_are_six_groups(page: Page, failed: list[str]) -> None:
    page.goto("/failures")
    groups = page.get_by_role("list", name="Groups of failures").get_by_role("article")
    expect(groups).to_have_count(WAYS)
    for way, message in enumerate(MESSAGES):
        expect(group_of(page, message).get_by_role("link", name="failed so")).to_have_text(str(len(failed[way::WAYS])))


def test_the_number_of_a_group_leads_to_its_executions_and_a_failed_one_back_to_its_group(
    page: Page, failed: list[str]
) -> None:
    of_hosts = failed[2::WAYS]
    page.goto("/failures?window=24h")
    group_of(page, MESSAGES[2]).get_by_role("link", name="failed so").click()
    page.wait_for_url("**/executions?**")
    words = parse_qs(urlsplit(page.url).query)
    assert re.fullmatch(r"failing\.[0-9a-f]{16}", words["failure"][0])
    assert list(words) == ["failure", "failed_after"]
    expect(page.get_by_role("radio", name=re.compile("^Failed"))).to_have_accessible_name(
        re.compile(rf"Failed {len(of_hosts)}$")
    )
    expect(page.locator("[data-execution]").first).to_be_visible()
    shown: list[str] = page.evaluate(
        "[...document.querySelectorAll('[data-execution]')].map((e) => e.dataset.execution)"
    )
    assert shown
    assert set(shown) <= set(of_hosts)
    page.goto(f"/executions/{of_hosts[0]}")
    page.get_by_role("alert").get_by_role("link", name=f"It failed so {len(of_hosts)} times").click()
    page.wait_for_url("**/failures/failing.*")
    what = page.get_by_role("region", name="What failed")
    expect(what).to_contain_text("no answer from host<n> since <time>")
    expect(page.get_by_role("region", name="The newest").get_by_role("listitem")).to_have_count(5)


def test_what_is_said_of_a_group_stays_until_a_version_that_mends_it_fails_so_again(
    page: Page, site: Site, failed: list[str], folder: Path
) -> None:
    assert failed
    page.goto("/failures")
    group = group_of(page, MESSAGES[3])
    group.get_by_role("button", name=re.compile("^Mute")).click()
    expect(group.get_by_text("Muted", exact=True)).to_be_visible()
    expect(group.get_by_role("button", name=re.compile("^Open .* again$"))).to_have_text("Unmute")
    page.goto("/failures?state=open")
    expect(page.get_by_role("list", name="Groups of failures").get_by_role("article")).to_have_count(WAYS - 1)
    page.get_by_role("radiogroup", name="State").get_by_text("Muted").click()
    page.wait_for_url("**state=muted**")
    group.get_by_role("button", name=re.compile("^Mark .* as mended$")).click()
    page.get_by_role("dialog").get_by_role("button", name="Mended by v1").click()
    expect(group).to_have_count(0)
    page.goto("/failures")
    expect(group.get_by_text("Mended by v1", exact=True)).to_be_visible()
    expect(page.locator("[data-live=live]")).to_be_visible()
    mark(page)
    (folder / "mended").unlink(missing_ok=True)
    site.start_execution("failing", {"folder": str(folder), "number": 3})
    expect(group.get_by_text("Open again", exact=True)).to_be_visible()
    assert not was_reloaded(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("place", ["groups", "group", "executions"])
def test_axe_finds_nothing_serious(page: Page, failed: list[str], place: str, theme: Literal["light", "dark"]) -> None:
    assert failed
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    go_to(page, place)
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((results) => results.violations)")
    serious = [
        (violation["id"], [node["html"][:300] for node in violation["nodes"]][:5])
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("place", ["groups", "group", "executions"])
def test_a_narrow_screen_is_not_scrolled_sideways(page: Page, failed: list[str], place: str) -> None:
    assert failed
    page.set_viewport_size({"width": 360, "height": 780})
    go_to(page, place)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def go_to(page: Page, place: str) -> None:
    """One of the places where groups of failures are shown."""
    page.goto("/failures")
    group = group_of(page, MESSAGES[4])
    expect(group).to_be_visible()
    if place == "group":
        group.get_by_role("link", name=re.compile("^ValueError")).click()
        expect(page.get_by_role("region", name="The newest").get_by_role("listitem")).to_have_count(5)
    elif place == "executions":
        group.get_by_role("link", name="failed so").click()
        expect(page.get_by_text("Failures like")).to_be_visible()
        expect(page.locator("[data-execution]").first).to_be_visible()
    page.wait_for_load_state("networkidle")
