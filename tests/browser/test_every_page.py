"""Each page, light and dark, wide and narrow: nothing that axe finds serious, nothing wider than the screen."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.looks import NARROW, WIDE, problems
from tests.browser.site import Site, fits, question_of

PAGES = {
    "pipelines": ("/pipelines", "Code review"),
    "pipeline": ("/pipelines/code-review", "Code review"),
    "definition": ("/pipelines/code-review?tab=definition", "It can be saved"),
    "versions": ("/pipelines/code-review?tab=versions", "Saved"),
    "run": ("/pipelines/flaky-service?run=1", "Article"),
    "new pipeline": ("/pipelines/new", "New pipeline"),
    "executions": ("/executions", "Flaky service"),
    "execution": ("/executions/{execution}", "Flaky service"),
    "step": ("/executions/{execution}?step=stock", "Attempt 3"),
    "logs": ("/executions/{talked}?tab=logs", "2,051 lines are left out"),
    "logs in full width": ("/executions/{talked}?tab=logs&wide=logs", "2,051 lines are left out"),
    "re-run": ("/executions/{execution}?do=rerun", "idempotency keys of its own"),
    "re-run from a step": ("/executions/{execution}?step=stock&do=rerun-step", "idempotency keys of its own"),
    "waiting execution": ("/executions/{waiting}", "Send answer"),
    "inbox": ("/inbox", "Pay 200 to ann?"),
    "question": ("/inbox/{question}", "Send answer"),
    "failures": ("/failures", "out of breath"),
    "no failures": ("/failures/code-review.0", "There are no such failures"),
    "metrics": ("/insights", "Success rate"),
    "system": ("/system", "Workers"),
    "no page": ("/nothing/here", "There is no page here"),
}


@pytest.fixture(scope="module")
def ended_execution(site: Site, browser: Browser) -> str:
    """An execution with retries, a fallback and a failed step; ended."""
    execution_id = site.start_execution("flaky-service", {})
    page = browser.new_page(base_url=site.url)
    page.goto(f"/executions/{execution_id}")
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    page.close()
    return execution_id


@pytest.fixture(scope="module")
def places(site: Site, ended_execution: str) -> dict[str, str]:
    """What the addresses name: that execution, one that waits for a person, and its question."""
    waiting = site.start_execution("payment", {})
    talked = site.start_execution("chatty", {})
    site.until_ended(talked)
    with site.api() as api:
        return {
            "execution": ended_execution,
            "talked": talked,
            "waiting": waiting,
            "question": question_of(api, waiting),
        }


@pytest.mark.parametrize("name", PAGES)
def test_a_narrow_screen_is_not_scrolled_sideways_and_axe_finds_nothing_serious(
    page: Page, places: dict[str, str], name: str
) -> None:
    path, seen = PAGES[name]
    page.set_viewport_size(NARROW)
    page.goto(path.format(**places))
    expect(page.get_by_text(seen).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    fits(page)
    page.set_viewport_size(WIDE)
    expect(page.get_by_text(seen).first).to_be_visible()
    assert problems(page) == []


def test_every_page_is_reached_by_the_keyboard_alone(page: Page) -> None:
    page.goto("/pipelines")
    expect(page.get_by_text("Code review").first).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    for name, heading in ((each, each) for each in ("Executions", "Failures", "Metrics", "System")):
        link = page.get_by_role("navigation").get_by_role("link", name=name)
        for _ in range(200):
            page.keyboard.press("Tab")
            if link.evaluate("(element) => element === document.activeElement"):
                break
        expect(link).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()


def test_a_failed_question_is_shown_as_failed_and_never_as_nothing(page: Page) -> None:
    page.route("**/api/pipelines?**", lambda route: route.fulfill(status=500, body="{}"))
    page.route("**/api/pipelines", lambda route: route.fulfill(status=500, body="{}"))
    page.goto("/pipelines")
    expect(page.get_by_role("alert")).to_contain_text("could not be read")
    expect(page.get_by_text("There are no pipelines yet")).to_have_count(0)


def test_a_definition_that_names_a_module_of_the_machine_is_refused_with_the_reason(page: Page) -> None:
    page.goto("/pipelines/new")
    editor = page.get_by_role("textbox", name="Definition as JSON")
    definition = (
        '{"name": "Sly", "steps": [{"id": "a", "module": "os", "step_class": "system"}], '
        '"flow": {"start_at": "a", "paths": []}}'
    )
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(definition)
    expect(page.get_by_role("list", name="Problems").get_by_text("'os'", exact=False).first).to_be_visible()
