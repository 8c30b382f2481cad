"""A server with keys: the pages ask for one, and show a viewer what may not be done."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.conftest import new_name, postgresql_database

KEYS = "ada:operator=first-key-0123456789,vic:viewer=second-key-0123456789"


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


def sign_in(page: Page, key: str) -> None:
    page.goto("/pipelines")
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


def test_a_session_that_has_ended_meanwhile_is_asked_for_anew(page: Page) -> None:
    sign_in(page, "second-key-0123456789")
    expect(page.get_by_role("heading", name="Pipelines")).to_be_visible()
    page.context.clear_cookies()
    # At once and where it is still there: the page may have asked for something by itself meanwhile.
    page.evaluate("document.querySelector('nav a[href=\"/system\"]')?.click()")
    expect(page.locator("input[type=password]")).to_be_focused()
