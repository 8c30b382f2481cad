"""A real Chromium against a real server on PostgreSQL. No page may ask other hosts for anything, or fail in secret."""

from collections.abc import Generator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser.site import CHROMIUM_OPTIONS, PATIENCE_SECONDS, Site, chromium
from tests.conftest import new_name, postgresql_database


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest) -> Generator[Site]:
    server, template = (request.getfixturevalue(name) for name in ("postgresql_server", "postgresql_template"))
    with postgresql_database(server, new_name(), template=template) as url:
        site = Site(url, "--slots", "10", "--lease-seconds", "3")
        site.start()
        try:
            yield site
        finally:
            site.stop()


# For one module at a time, and around the site: while Playwright is at work its event loop seems to run in this thread,
# so that no other test could start one, and no database could be made or dropped.
@pytest.fixture(scope="module")
def browser(site: Site) -> Generator[Browser]:
    assert site.url
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, site: Site) -> Generator[BrowserContext]:
    context = browser.new_context(base_url=site.url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, site: Site) -> Generator[Page]:
    """A tab whose every error fails the test; what a test expects to fail it takes out of ``page_errors``."""
    page = context.new_page()
    errors: list[str] = []
    host = urlsplit(site.url).netloc

    def of_console(message: ConsoleMessage) -> None:
        # What the network does is told by the browser itself; tests break it on purpose, and pages show it.
        of_network = "Failed to load resource" in message.text or "WebSocket" in message.text
        if message.type == "error" and not of_network:
            errors.append(message.text)

    def of_request(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.netloc != host:
            errors.append(f"asked another host: {request.url}")

    page.on("console", of_console)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", of_request)
    yield page
    assert errors == []
