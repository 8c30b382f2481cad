"""A server with keys: the pages ask for one, and show a viewer what may not be done."""

from collections.abc import Generator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import PATIENCE_SECONDS, Site, question_of
from tests.conftest import new_name, postgresql_database

KEYS = (
    "ada:operator=first-key-0123456789,vic:viewer=second-key-0123456789,"
    "ann:approver=third-key-0123456789,bob:approver=fourth-key-0123456789"
)


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest) -> Generator[Site]:
    server, template = (request.getfixturevalue(name) for name in ("postgresql_server", "postgresql_template"))
    with postgresql_database(server, new_name(), template=template) as url:
        site = Site(url)
        site.start({"IA_MODULES_API_KEYS": KEYS})
        try:
            yield site
        finally:
            site.stop()


def sign_in(page: Page, key: str, path: str = "/pipelines") -> None:
    page.goto(path)
    page.locator("input[type=password]").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_a_wrong_key_is_refused_and_the_right_one_opens_the_pages_until_signed_out(page: Page) -> None:
    sign_in(page, "no-key")
    expect(page.get_by_text("This key is nobody's", exact=False)).to_be_visible()
    expect(page.get_by_role("heading", name="Pipelines")).to_have_count(0)
    sign_in(page, "first-key-0123456789")
    expect(page.get_by_role("link", name="Run Code review")).to_be_visible()
    cookies = page.context.cookies()
    assert [(cookie.get("httpOnly"), cookie.get("sameSite")) for cookie in cookies] == [(True, "Strict")]
    assert "first-key-0123456789" not in str(cookies)
    page.get_by_role("button", name="Sign out ada").click()
    expect(page.locator("input[type=password]")).to_be_visible()


def test_a_viewer_sees_everything_and_is_told_why_nothing_can_be_started(page: Page) -> None:
    sign_in(page, "second-key-0123456789")
    expect(page.get_by_role("link", name="Code review", exact=True)).to_be_visible()
    run = page.get_by_role("button", name="Run Code review")
    expect(run).to_be_disabled()
    expect(run).to_have_accessible_name("Run Code review: You are signed in as a viewer; this needs an operator.")


def test_a_viewer_reads_a_definition_and_nothing_that_is_sent_for_it_fails(page: Page) -> None:
    sign_in(page, "second-key-0123456789")
    expect(page.get_by_role("link", name="Code review", exact=True)).to_be_visible()
    new = page.get_by_role("button", name="New pipeline")
    expect(new).to_be_disabled()
    answers: list[tuple[str, int]] = []
    page.on("response", lambda answer: answers.append((answer.request.method, answer.status)))
    page.goto("/pipelines/code-review?tab=definition")
    text = page.get_by_label("Definition as JSON, to read")
    expect(text).to_contain_text('"slug": "code-review"')
    expect(text).to_have_attribute("contenteditable", "false")
    expect(page.get_by_text("You are signed in as a viewer", exact=False)).to_be_visible()
    text.click()
    page.keyboard.type("x")
    expect(text).not_to_contain_text("x{")
    expect(page.get_by_role("button", name="Score")).to_be_visible()
    expect(page.get_by_text("ia_modules.steps").first).to_be_visible()
    for name in ("Save version", "Run once", "Undo all"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.goto("/pipelines/new")
    expect(page.get_by_text("You cannot store a pipeline here")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert answers
    assert [(method, status) for method, status in answers if method != "GET" or status >= 400] == []


def test_a_session_that_has_ended_meanwhile_is_asked_for_anew(page: Page) -> None:
    sign_in(page, "second-key-0123456789")
    expect(page.get_by_role("heading", name="Pipelines")).to_be_visible()
    page.context.clear_cookies()
    # At once and where it is still there: the page may have asked for something by itself meanwhile.
    page.evaluate("document.querySelector('nav a[href=\"/system\"]')?.click()")
    expect(page.locator("input[type=password]")).to_be_focused()


def test_an_approver_answers_what_it_is_asked_and_sees_nothing_else(page: Page, site: Site) -> None:
    headers = {"Authorization": "Bearer first-key-0123456789"}
    with httpx.Client(base_url=site.url, headers=headers, timeout=PATIENCE_SECONDS) as api:
        ids = list[str]()
        for name, users in (("For ann", ["ann"]), ("For bob", ["bob"])):
            steps = [{"id": "ask", "type": "human_input", "config": {"prompt": f"{name}?", "assigned_users": users}}]
            definition = {"name": name, "steps": steps, "flow": {"start_at": "ask", "paths": []}}
            stored = api.post("/api/pipelines", json={"definition": definition}).raise_for_status().json()
            begins = {"input_data": {"amount": 200}}
            started = api.post(f"/api/pipelines/{stored['slug']}/executions", json=begins).raise_for_status().json()
            ids.append(question_of(api, started["execution_id"]))
        anns, bobs = ids

        sign_in(page, "third-key-0123456789", f"/inbox/{anns}")  # the address survives it
        expect(page.get_by_role("heading", name="For ann: ask")).to_be_visible()
        links = page.get_by_role("navigation").get_by_role("link")
        expect(links).to_have_count(1)
        expect(links).to_have_accessible_name("Inbox 1 waiting")
        expect(page.get_by_role("tree", name="Input of the execution")).to_contain_text("amount:200")
        expect(page.get_by_label("Your name")).to_have_count(0)
        page.get_by_role("button", name="Send answer").click()
        expect(page.get_by_role("region", name="Answer on record")).to_contain_text("ann")
        expect(page.get_by_text("not verified")).to_have_count(0)
        expect(links).to_have_accessible_name("Inbox")
        assert api.get(f"/api/interactions/{anns}").json()["verified"] is True

        page.goto(f"/inbox/{bobs}")
        expect(page.get_by_text("This question is not for you")).to_be_visible()
        page.goto("/inbox?status=all")
        expect(page.locator(f"[data-question='{anns}']")).to_be_visible()
        expect(page.locator(f"[data-question='{bobs}']")).to_have_count(0)
        for path in ("/pipelines", "/executions", "/insights", "/system"):
            page.goto(path)
            expect(page.get_by_role("heading", name="This page is not for your key")).to_be_visible()
        page.goto("/")
        expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
