"""The server is killed while every page is open: none is lost, nothing untrue is said, and all comes back by itself."""

from collections.abc import Mapping, Sequence

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.browser.site import Site, question_of
from tests.browser.test_every_page import PAGES

AWAY = "The server cannot be reached."
GROUPS: Mapping[str, tuple[str, ...]] = {
    "pipelines": ("pipelines", "pipeline", "definition", "versions", "run", "new pipeline", "no page"),
    "executions": ("executions", "execution", "step", "re-run", "re-run from a step", "waiting execution"),
    "others": ("inbox", "question", "failures", "no failures", "metrics", "system"),
}
NAVIGATION = ("Pipelines", "Executions", "Inbox", "Failures", "Metrics", "System")
NOT_KNOWN = (
    "This page failed",
    "The code for this could not be fetched",
    "No execution matches",
    "No question matches",
    "Nothing has run yet",
    "There are no pipelines yet",
    "There is no execution with this id",
    "There is no question with this id",
    "There are no such failures",
    "Nobody is asked for anything",
    "Nothing failed",
    "It was not",
    "That did not work",
    "It cannot be run again like this",
)
"""What nobody can know while the server is away; where it was there before, it may stay."""

CLICK_EVERYTHING = """async (notKnown) => {
    const CLICKED = ":is(button, a[href], input[type=checkbox], input[type=radio], [role=tab], [role=button])";
    const LEFT_OUT = "[target=_blank], [aria-label^='Copy']"; // they open a tab, and need a clipboard
    const home = location.href;
    const clicked = new Set();
    const untrue = [];
    const nameOf = (element) => `${element.tagName} ${element.getAttribute("aria-label") ?? element.textContent}`;
    const next = (where) =>
        [...document.querySelectorAll(where)].find(
            (element) =>
                element.checkVisibility({ visibilityProperty: true }) &&
                !element.disabled &&
                !element.matches(LEFT_OUT) &&
                !clicked.has(nameOf(element)),
        );
    const calm = () => new Promise((then) => setTimeout(then, 20));
    const look = (after) => {
        const text = document.body.innerText;
        for (const each of notKnown) if (text.includes(each)) untrue.push(`${after}: ${each}`);
        if (document.querySelector("[data-live=live]")) untrue.push(`${after}: it is live`);
        if (document.querySelectorAll("nav a").length < 6) untrue.push(`${after}: the navigation is gone`);
        if (document.querySelector("main > :not([aria-hidden])") === null) untrue.push(`${after}: the page is empty`);
    };
    // Where a link leads, once its page is there; one that is off leads nowhere.
    const arrive = async (link) => {
        const to = new URL(link.href).pathname;
        for (let look = 0; look < 50 && location.pathname !== to; look += 1) await calm();
    };
    const goHome = async () => {
        if (location.href === home) return;
        history.pushState({}, "", home);
        dispatchEvent(new PopStateEvent("popstate", { state: {} }));
        for (let look = 0; look < 5; look += 1) await calm();
    };
    look("at first");
    for (let turn = 0; turn < 80; turn += 1) {
        const inDialog = next(`[role=dialog] ${CLICKED}:not([aria-label^=Close])`);
        const element = inDialog ?? next(`main ${CLICKED}`);
        if (element === undefined) break;
        clicked.add(nameOf(element));
        const isLink = element.matches("a[href]:not([aria-disabled=true])");
        element.click();
        await (isLink ? arrive(element) : calm());
        look(nameOf(element));
        if (inDialog === undefined && document.querySelector("[role=dialog]") === null) await goHome();
    }
    await goHome();
    return [clicked.size, untrue];
}"""


@pytest.fixture(scope="module")
def places(site: Site) -> dict[str, str]:
    """An execution that has ended, one that has failed, one that waits for a person, and its question."""
    ended, talked = site.start_execution("flaky-service", {}), site.start_execution("chatty", {})
    waiting = site.start_execution("payment", {})
    with site.api() as api:
        question = question_of(api, waiting)
    for each in (ended, talked):
        site.until_ended(each)
    return {"execution": ended, "talked": talked, "waiting": waiting, "question": question}


def opened(
    context: BrowserContext, names: Sequence[str], places: Mapping[str, str], errors: list[str]
) -> dict[str, Page]:
    """A tab with each of the pages, to which the code of all others has come too; it collects their errors."""
    tabs = {name: context.new_page() for name in names}
    for name, page in tabs.items():
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(PAGES[name][0].format(**places))
    for name, page in tabs.items():
        expect(page.get_by_text(PAGES[name][1]).first).to_be_visible()
        expect(page.locator("html")).to_have_attribute("data-code", "here")
    return tabs


def changes(request: Request) -> bool:
    """Whether it would change something: some questions are asked with a POST."""
    return request.method not in ("GET", "HEAD") and not request.url.endswith(("/plan", "/validate"))


@pytest.mark.parametrize("group", GROUPS)
def test_no_page_is_lost_and_nothing_untrue_is_said(
    site: Site, context: BrowserContext, places: dict[str, str], group: str
) -> None:
    errors: list[str] = []
    sent: list[str] = []
    clicks: dict[str, int] = {}
    tabs = opened(context, GROUPS[group], places, errors)
    for page in tabs.values():
        page.on("request", lambda request: sent.append(request.url) if changes(request) else None)
    site.kill()
    try:
        for name, page in tabs.items():
            expect(page.get_by_text(AWAY).first).to_be_visible()
            before = page.inner_text("body")
            clicks[name], untrue = page.evaluate(CLICK_EVERYTHING, [each for each in NOT_KNOWN if each not in before])
            assert untrue == [], name
        unvisited = next(iter(tabs.values()))
        for place in NAVIGATION:
            unvisited.get_by_role("navigation").get_by_role("link", name=place).dispatch_event("click")
            expect(unvisited.get_by_role("heading", name=place, level=1)).to_be_visible()
            expect(unvisited.get_by_text(AWAY).first).to_be_visible()
    finally:
        site.start()
    for name, page in tabs.items():
        expect(page.get_by_text(AWAY)).to_have_count(0)
        if page is not unvisited:
            expect(page.get_by_text(PAGES[name][1]).first).to_be_visible()
        expect(page.get_by_text("could not be read")).to_have_count(0)
    assert (sent, errors) == ([], [])
    assert sum(clicks.values()) > len(tabs)  # there is something to click on nearly every page


def test_what_needs_the_server_is_off_with_the_reason_and_what_was_typed_stays(
    site: Site, page: Page, places: dict[str, str]
) -> None:
    page.goto("/pipelines/flaky-service?run=1")
    form = page.get_by_role("dialog")
    form.get_by_label("Article").fill("kept")
    site.kill()
    try:
        expect(page.get_by_text(AWAY).first).to_be_visible()
        run = form.get_by_role("button", name="Run", exact=True)
        expect(run).to_be_disabled()
        expect(form.get_by_label("Article")).to_have_value("kept")
    finally:
        site.start()
    expect(page.get_by_text(AWAY)).to_have_count(0)
    expect(form.get_by_label("Article")).to_have_value("kept")
    run.click()
    page.wait_for_url("**/executions/*")


def test_a_page_whose_code_has_not_come_says_so_in_its_place_and_comes_when_the_server_is_back(
    site: Site, browser: Browser
) -> None:
    context = browser.new_context(base_url=site.url)
    context.route("**/code.json", lambda route: route.fulfill(json=[]))
    page = context.new_page()
    page.goto("/pipelines")
    expect(page.get_by_text("Code review").first).to_be_visible()
    site.kill()
    try:
        expect(page.get_by_text(AWAY).first).to_be_visible()
        page.get_by_role("navigation").get_by_role("link", name="Metrics").click()
        expect(page.get_by_text("The code for this could not be fetched")).to_be_visible()
        page.get_by_role("navigation").get_by_role("link", name="Pipelines").click()
        expect(page.get_by_text("Code review").first).to_be_visible()
        page.get_by_role("navigation").get_by_role("link", name="Metrics").click()
        expect(page.get_by_text("The code for this could not be fetched")).to_be_visible()
    finally:
        site.start()
    expect(page.get_by_role("heading", name="Metrics", level=1)).to_be_visible()
    expect(page.get_by_text("Success rate").first).to_be_visible()
    context.close()
