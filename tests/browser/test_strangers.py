"""Small things that strangers meet: odd and long names, wrong addresses, short words, and pages that are only heard."""

import asyncio
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.browser.site import Site, fits, question_of

MEANINGS = {
    "SR": "Completed / ",
    "CR": "fallback",
    "PC": "Retries / ",
    "HIR": "asked a person",
    "WCT": "Workflow completion time",
}
LONG = "x" * 200
LINES = """
Math.max(0, ...[...document.querySelectorAll("main :is(li, tr, article) *")]
    .filter((e) => [...e.childNodes].some((node) => node.nodeType === 3 && node.data.includes("xxxxxxxx")))
    .map((e) => Math.round(e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight))))
"""
"""Of the longest name in a row of a list."""

SLUGS = ("new", "a/b", "what?", "100%", "#1", "two words", "..")


# Before the browser, whose event loop would be in the way.
@pytest.fixture(scope="module", autouse=True)
def long_execution(site: Site) -> str:
    """A failed execution, everything about which has the longest name that there is."""
    return asyncio.run(_record(site.database_url))


async def _record(database_url: str) -> str:
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        for slug in SLUGS:
            await tracker.register_pipeline(slug, f"Of the slug {slug}")
        pipeline_id = await tracker.register_pipeline(LONG, LONG)
        execution = tracker.execution(pipeline_id, pipeline_name=LONG)
        with pytest.raises(LookupError):
            async with execution, execution.step(LONG):
                raise LookupError(LONG * 3)
        return execution.id


@pytest.mark.parametrize("width", [360, 1440])
def test_one_long_name_breaks_no_page(page: Page, site: Site, long_execution: str, width: int) -> None:
    with site.api() as api:
        failure = api.get("/api/failures", params={"pipeline_id": LONG}).json()["items"][0]["id"]
    page.set_viewport_size({"width": width, "height": 900})
    for path in (
        "/pipelines",
        f"/pipelines/{LONG}",
        "/executions",
        f"/executions/{long_execution}",
        f"/executions/{long_execution}?step={LONG}",
        "/failures",
        f"/failures/{quote(failure, safe='')}",
        "/insights",
        f"/compare?a={long_execution}&b={long_execution}",
    ):
        page.goto(path)
        expect(page.get_by_text("xxxxxxxx").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        fits(page, width)
        assert page.evaluate(LINES) <= 2, path
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/insights")
    expect(page.get_by_role("region", name="Slowest steps").get_by_text("xxxxxxxx").first).to_be_visible()
    assert page.evaluate(
        "[...document.querySelectorAll('main div[tabindex]')].every((e) => e.scrollWidth <= e.clientWidth)"
    )


def test_a_pipeline_is_opened_by_whatever_slug_it_has(page: Page) -> None:
    for slug in SLUGS:
        page.goto("/pipelines")
        page.get_by_role("link", name=f"Of the slug {slug}", exact=True).click()
        expect(page.get_by_role("heading", name=f"Of the slug {slug}", level=1)).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name=f"Of the slug {slug}", level=1)).to_be_visible()


def test_a_wrong_address_says_so_in_a_persons_words_and_leads_on(page: Page) -> None:
    for path, words, link in (
        ("/pipelines/nobody", "There is no such pipeline", "All pipelines"),
        ("/pipelines/code-review?version=99", "There is no version 99 of it", "The current version"),
        ("/executions/nobody", "There is no execution with this id", "All executions"),
        ("/inbox/nobody", "There is no question with this id", "All questions"),
        ("/failures/nobody", "There are no such failures", "All failures"),
        ("/nothing/100%", "There is no page here", "Pipelines"),
    ):
        page.goto(path)
        main = page.get_by_role("main")
        expect(main.get_by_text(words)).to_be_visible()
        expect(main.get_by_role("link", name=link, exact=True)).to_be_visible()
        for technical in ("could not be read", "ia-modules ", "404", "await"):
            expect(main.get_by_text(technical, exact=False)).to_have_count(0)


def test_another_page_is_heard_by_its_heading_and_a_status_when_it_changes(page: Page, site: Site) -> None:
    page.goto("/pipelines")
    expect(page.get_by_role("link", name="Run Code review")).to_be_visible()
    page.get_by_role("navigation").get_by_role("link", name="Metrics").click()
    expect(page.get_by_role("heading", name="Metrics", level=1)).to_be_focused()

    execution_id = site.start_execution("payment", {})
    with site.api() as api:
        question_id = question_of(api, execution_id)
    page.get_by_role("navigation").get_by_role("link", name="Executions").click()
    expect(page.get_by_role("heading", name="Executions", level=1)).to_be_focused()
    page.locator(f"[data-execution='{execution_id}'] a").click()
    page.wait_for_url(f"**/executions/{execution_id}")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    announced = page.locator("header [aria-live='polite']")
    expect(announced).to_have_text("")
    with site.api() as api:
        body = {"response": {"approved": True}, "responded_by": "ann"}
        assert api.post(f"/api/interactions/{question_id}/respond", json=body).status_code == 202
    expect(announced).to_have_text(re.compile(": Completed$"))


def test_short_words_are_explained_by_keyboard_and_what_a_page_started_says_so(page: Page) -> None:
    page.goto("/insights")
    for word, meaning in MEANINGS.items():
        page.get_by_role("button", name=f"{word}: what it stands for").focus()
        expect(page.get_by_role("tooltip").filter(has_text=meaning)).to_be_visible()

    page.goto("/pipelines/flaky-service?run=1")
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/executions/*")
    started_by = page.locator("header dl > div").filter(has_text="Started by")
    expect(started_by).to_contain_text("Page")
