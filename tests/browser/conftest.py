"""A real Chromium against a real server on PostgreSQL. No page may ask other hosts for anything, or fail in secret."""

from collections.abc import Generator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from tests.browser.looks import WIDE
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


# What the pages are made of is fetched and compiled once for all tests of a module: that is most of what a page costs.
@pytest.fixture(scope="module")
def cache(browser: Browser, site: Site) -> Generator[BrowserContext]:
    """The tabs of a module's tests share its cache, and nothing else."""
    cache = browser.new_context(base_url=site.url, viewport=WIDE, reduced_motion="reduce")
    cache.set_default_timeout(PATIENCE_SECONDS * 1000)
    yield cache
    cache.close()


@pytest.fixture(scope="module")
def storage(cache: BrowserContext) -> CDPSession:
    """From where what pages have stored is removed: a tab that stays open."""
    return cache.new_cdp_session(cache.new_page())


@pytest.fixture
def context(cache: BrowserContext, storage: CDPSession, site: Site) -> Generator[BrowserContext]:
    """As if it were new: without tabs of a test before, and without what they have stored."""
    mine, *_ = cache.pages
    yield cache
    for tab in cache.pages:
        if tab is not mine:
            tab.close()
    cache.clear_cookies()
    storage.send("Storage.clearDataForOrigin", {"origin": site.url, "storageTypes": "all"})


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
