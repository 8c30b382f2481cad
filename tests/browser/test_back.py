"""Back from what a list led to: the list is where it was, with the row by which it was left."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.site import Site
from tests.browser.test_running import until

QUESTIONS, WAYS = 60, 6
HEIGHT, FAR = 420, 240  # pixels
HEADER = 52
LISTS = {
    "executions": ("/executions", "Executions", "/executions/"),
    "pipelines": ("/pipelines", "Pipelines", "/pipelines/"),
    "inbox": ("/inbox", "Inbox", "/inbox/"),
    "failures": ("/failures", "Failures", "/failures/"),
}


@pytest.fixture(scope="module", autouse=True)
def history(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    """More of each than a screen has: questions that wait, and executions that failed in six ways."""
    folder: Path = tmp_path_factory.mktemp("failing")
    for number in range(QUESTIONS):
        site.start_execution("payment", {"payee": f"payee {number}"})
    for number in range(WAYS):
        site.until_ended(site.start_execution("failing", {"folder": str(folder), "number": number}))
    with site.api() as api:
        until(lambda: api.get("/api/interactions/count").raise_for_status().json()["pending"] == QUESTIONS, "questions")


@pytest.mark.parametrize("width", [1440, 360])
@pytest.mark.parametrize("name", LISTS)
def test_back_leads_to_the_place_in_the_list_where_it_was_left(page: Page, name: str, width: int) -> None:
    path, heading, detail = LISTS[name]
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.goto(path)
    links = page.locator(f"main a[href^='{detail}']")
    expect(links.first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.evaluate(f"window.scrollTo(0, {FAR})")
    until(lambda: scrolled_to(page) == FAR, f"{FAR} pixels down")
    followed = next(link for link in links.all() if is_whole(link))
    address = followed.get_attribute("href")
    assert address is not None
    before = followed.bounding_box()
    followed.click()
    page.wait_for_url(f"**{address}")
    expect(page.get_by_role("heading", name=heading, level=1, exact=True)).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("heading", name=heading, level=1, exact=True)).to_be_attached()
    link = page.locator(f"main a[href='{address}']").first
    expect(link).to_be_in_viewport()
    until(lambda: scrolled_to(page) == FAR, f"{FAR} pixels down again")
    after = link.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) <= 1
    expect(link).to_be_focused()


def scrolled_to(page: Page) -> int:
    """Pixels from the top."""
    return round(page.evaluate("window.scrollY"))


def is_whole(link: Locator) -> bool:
    """Whether all of a link is in view, below the bar at the top."""
    box = link.bounding_box()
    return box is not None and box["y"] >= 2 * HEADER and box["y"] + box["height"] <= HEIGHT
