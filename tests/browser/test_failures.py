"""Failures in groups: two hundred executions that failed in six ways, one of which is run again from its step."""

import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from tests.browser.looks import NARROW, WIDE, problems
from tests.browser.site import Site, fits
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
ORDERS = MESSAGES[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("failing")


@pytest.fixture(scope="module")
def failed(site: Site, folder: Path) -> list[str]:
    """Executions by their number; that, by six, is the way in which each failed."""
    ids = [site.start_execution("failing", {"folder": str(folder), "number": number}) for number in range(EXECUTIONS)]
    with site.api() as api:
        until(
            lambda: counted(api)["failed"] == EXECUTIONS,
            "the failure of all executions",
        )
    return ids


def counted(api: httpx.Client) -> dict[str, int]:
    return api.get("/api/executions/statistics").raise_for_status().json()["by_status"]


def executions(api: httpx.Client) -> dict[str, dict[str, Any]]:
    """All executions by their id, as lists have them."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        params = {"limit": 500} | ({} if cursor is None else {"cursor": cursor})
        page = api.get("/api/executions", params=params).raise_for_status().json()
        items += page["items"]
        if (cursor := page["next_cursor"]) is None:
            return {item["execution_id"]: item for item in items}


def group_of(page: Page, message: str) -> Locator:
    return page.get_by_role("article", name=message, exact=True)


def ran(folder: Path) -> Counter[str]:
    """How often each step ran, of all executions."""
    lines = (folder / "ran.txt").read_text(encoding="utf-8").splitlines()
    return Counter(line.partition(" ")[2] for line in lines)


def test_six_ways_are_six_groups_and_one_is_run_again_from_its_step_sent_twice_each_once(
    page: Page, site: Site, failed: list[str], folder: Path
) -> None:
    page.goto("/failures")
    groups = page.get_by_role("list", name="Groups of failures").get_by_role("article")
    expect(groups).to_have_count(WAYS)
    for way, message in enumerate(MESSAGES):
        expect(group_of(page, message).get_by_role("link", name="failed so")).to_have_text(str(len(failed[way::WAYS])))
    of_orders = failed[0::WAYS]
    with site.api() as api:
        before = executions(api)
    assert set(before) == set(failed)
    (folder / "mended").touch()

    group_of(page, ORDERS).get_by_role("button", name="Re-run…").click()
    dialog = page.get_by_role("dialog", name="Re-run from charge")
    expect(
        dialog.get_by_text(f"{len(of_orders)} executions. Each becomes a new execution, which begins at charge")
    ).to_be_visible()
    acting = dialog.get_by_role("alert").get_by_role("listitem")
    expect(acting).to_have_text([f"Charge: external, in {len(of_orders)} executions"])

    lost: list[APIResponse] = []

    def lose_the_first_answer(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch())  # the server has done it
            route.abort()

    page.route("**/api/executions/bulk", lose_the_first_answer)
    send = dialog.get_by_role("button", name=f"Run again {len(of_orders)}", exact=True)
    send.click()
    expect(dialog.get_by_text("Send it again")).to_be_visible()
    assert lost[0].json()["done"] == len(of_orders)
    send.click()
    expect(dialog.get_by_text(f"{len(of_orders)} executions queued again.")).to_be_visible()

    with site.api() as api:
        until(
            lambda: counted(api)["completed"] == len(of_orders),
            "the end of all re-runs",
        )
        after = executions(api)
    again = {each: item for each, item in after.items() if each not in before}
    assert Counter(item["rerun_of"] for item in again.values()) == Counter(of_orders)
    assert {item["status"] for item in again.values()} == {"completed"}
    assert {each: after[each] for each in failed} == before, "those that failed stay as they were"
    assert ran(folder) == {"load": EXECUTIONS, "charge": EXECUTIONS + len(of_orders)}

    page.unroute("**/api/executions/bulk")
    dialog.get_by_role("button", name="Close", exact=True).click()
    expect(dialog).to_have_count(0)
    group_of(page, ORDERS).get_by_role("button", name="Re-run…").click()
    expect(dialog.get_by_text(f"{len(of_orders)} executions left out: they have a re-run")).to_be_visible()
    expect(dialog.get_by_text("None of them can be run again.")).to_be_visible()
    expect(dialog.get_by_role("button", name="Run again", exact=True)).to_be_disabled()


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
    expect(page.get_by_role("checkbox", name=re.compile("^Failed"))).to_have_accessible_name(
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
    expect(group.get_by_role("button", name=re.compile("^Unmute"))).to_have_text("Unmute")
    page.goto("/failures?state=open")
    expect(page.get_by_role("list", name="Groups of failures").get_by_role("article")).to_have_count(WAYS - 1)
    page.get_by_role("radiogroup", name="State").get_by_text("Muted").click()
    page.wait_for_url("**state=muted**")
    group.get_by_role("button", name=re.compile("^Mended")).click()
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


@pytest.mark.parametrize("place", ["groups", "group", "dialog", "executions"])
def test_a_narrow_screen_is_not_scrolled_sideways_and_axe_finds_nothing_serious(
    page: Page, failed: list[str], place: str
) -> None:
    page.set_viewport_size(NARROW)
    go_to(page, failed, place)
    fits(page)
    page.set_viewport_size(WIDE)
    assert problems(page) == []


def go_to(page: Page, failed: list[str], place: str) -> None:
    """One of the places where groups of failures are shown."""
    page.goto("/failures")
    group = group_of(page, MESSAGES[4])
    expect(group).to_be_visible()
    if place == "group":
        group.get_by_role("link", name=re.compile("^ValueError")).click()
        expect(page.get_by_role("region", name="The newest").get_by_role("listitem")).to_have_count(5)
    elif place == "dialog":
        group.get_by_role("button", name="Re-run…").click()
        expect(page.get_by_role("dialog").get_by_text(f"{len(failed[4::WAYS])} executions. Each")).to_be_visible()
    elif place == "executions":
        group.get_by_role("link", name="failed so").click()
        expect(page.get_by_text("Failures like")).to_be_visible()
        expect(page.locator("[data-execution]").first).to_be_visible()
    page.wait_for_load_state("networkidle")


def test_many_are_run_again_in_parts_and_what_broke_off_goes_on_where_it_was(
    page: Page, site: Site, failed: list[str], folder: Path
) -> None:
    assert failed
    (folder / "mended").touch()
    with site.api() as api:
        before = executions(api)
    again_already = {item["rerun_of"] for item in before.values()}
    to_run = {each for each, item in before.items() if item["status"] == "failed"} - again_already
    assert len(to_run) > 100
    page.goto("/executions?status=failed")
    page.get_by_role("checkbox", name=re.compile("^Select Failing")).first.check()
    page.get_by_role("button", name="All that match").click()
    page.get_by_role("button", name="Re-run…").click()
    dialog = page.get_by_role("dialog", name="Run executions again")
    send = dialog.get_by_role("button", name=f"Run again {len(to_run)}", exact=True)
    expect(send).to_be_visible()
    answers: list[APIResponse] = []

    def lose_the_second(route: Route) -> None:
        answers.append(route.fetch())  # the server has done it
        if len(answers) == 2:
            route.abort()
        else:
            route.fulfill(response=answers[-1])

    page.route("**/api/executions/bulk", lose_the_second)
    send.click()
    expect(dialog.get_by_role("alert").filter(has_text="100 executions had their turn before")).to_be_visible()
    send.click()
    expect(dialog.get_by_text(f"{len(to_run)} executions queued again.")).to_be_visible()
    assert len(answers) > 2  # the lost one is sent again
    with site.api() as api:
        after = executions(api)
    assert Counter(item["rerun_of"] for each, item in after.items() if each not in before) == Counter(to_run)
