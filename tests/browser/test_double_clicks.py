"""A double click does one thing, wherever something is changed: what is sent has a key, and is on record once."""

import asyncio
import re
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from tests.browser.site import Site
from tests.browser.test_editor import register, rename, write
from tests.browser.test_inbox import ask_with
from tests.browser.test_run_file_exchange import choose, open_import
from tests.conftest import new_name, postgresql_database

ASK = {"name": "Ask elsewhere", "steps": [{"id": "ask", "type": "human_input"}], "flow": {"start_at": "ask"}}
KEY = "idempotency-key"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pipelines whose files tests change, and a run file."""
    folder = tmp_path_factory.mktemp("pipelines")
    for slug in ("stored", "chosen"):
        write(folder, slug)
    asyncio.run(_record(folder))
    return folder


async def _record(folder: Path) -> None:
    async with Client(f"sqlite:///{folder / 'elsewhere.db'}") as client:
        await client.register(ASK)
        queued = await client.queue("ask-elsewhere", {"n": 1})
        await client.export_run(queued.execution_id, folder / "ask.iarun")


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, folder: Path) -> Generator[Site]:
    server, template = (request.getfixturevalue(name) for name in ("postgresql_server", "postgresql_template"))
    with postgresql_database(server, new_name(), template=template) as url:
        site = Site(url, "--pipelines", str(folder), "--slots", "4")
        site.start()
        try:
            yield site
        finally:
            site.stop()


@pytest.fixture
def sent(page: Page) -> list[str]:
    """The keys of what the page sends to change something; what the editor asks changes nothing."""
    keys: list[str] = []

    def of_request(request: Request) -> None:
        if request.method != "GET" and not request.url.endswith("/api/definitions/validate"):
            keys.append(request.headers.get(KEY, "none"))

    page.on("request", of_request)
    return keys


def on_record(site: Site, action: str) -> int:
    """How often something was done; read in a thread, since Playwright's event loop runs in this one."""

    def read() -> int:
        with DatabaseManager(site.database_url) as database:
            return len(database.fetch_all("SELECT 1 FROM audit_log WHERE action = :action", {"action": action}))

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(read).result()


def has_one_key(sent: list[str]) -> bool:
    return len(set(sent)) == 1 and re.fullmatch("[0-9a-f]{32}", sent[0]) is not None


def test_a_version_is_saved_once(page: Page, site: Site, sent: list[str]) -> None:
    page.goto("/pipelines/stored?tab=definition")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    rename(page, " twice")
    page.get_by_role("button", name="Save version").dblclick()
    expect(page.get_by_text("Version 2 is saved, and current.")).to_have_count(1)
    expect(page.get_by_role("heading", name="Stored twice", level=1)).to_be_visible()
    assert has_one_key(sent)
    assert on_record(site, "pipeline.update") == 1


def test_a_new_pipeline_is_saved_once_and_then_archived_once(page: Page, site: Site, sent: list[str]) -> None:
    before = on_record(site, "pipeline.create")
    page.goto("/pipelines/new")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    page.get_by_role("button", name="Save pipeline").dblclick()
    expect(page.get_by_role("heading", name="My first pipeline", level=1)).to_be_visible()
    assert has_one_key(sent)
    assert on_record(site, "pipeline.create") == before + 1
    sent.clear()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Archive").click()
    page.get_by_role("dialog").get_by_role("button", name="Archive", exact=True).dblclick()
    expect(page.get_by_text("My first pipeline is archived.")).to_have_count(1)
    assert has_one_key(sent)
    assert on_record(site, "pipeline.archive") == 1


def test_a_version_is_chosen_once(page: Page, site: Site, folder: Path, sent: list[str]) -> None:
    page.goto("/pipelines/chosen?tab=definition")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    rename(page, " on the page")
    page.get_by_role("button", name="Save version").click()
    expect(page.get_by_role("heading", name="Chosen on the page", level=1)).to_be_visible()
    register(site, write(folder, "chosen", description="From the file."))
    page.goto("/pipelines/chosen")
    before = on_record(site, "pipeline.make_current")
    sent.clear()
    page.get_by_role("button", name="Make version 3 current").dblclick()
    expect(page.get_by_text("Version 3 is the current one.")).to_have_count(1)
    assert has_one_key(sent)
    assert on_record(site, "pipeline.make_current") == before + 1


def test_a_group_of_failures_is_muted_and_not_unmuted_again_and_mended_once(
    page: Page, site: Site, sent: list[str], tmp_path: Path
) -> None:
    site.until_ended(site.start_execution("failing", {"folder": str(tmp_path), "number": 0}))
    page.goto("/failures")
    page.get_by_role("button", name=re.compile("^Mute ")).dblclick()
    expect(page.get_by_role("button", name=re.compile("^Unmute "))).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert has_one_key(sent)
    assert (on_record(site, "failure.mute"), on_record(site, "failure.unmute")) == (1, 0)
    sent.clear()
    page.get_by_role("button", name=re.compile("^Unmute ")).dblclick()
    expect(page.get_by_role("button", name=re.compile("^Mute "))).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert has_one_key(sent)
    assert (on_record(site, "failure.mute"), on_record(site, "failure.unmute")) == (1, 1)
    sent.clear()
    page.get_by_role("button", name=re.compile("^Mended")).click()
    page.get_by_role("dialog").get_by_role("button", name="Mended by v1").dblclick()
    expect(page.get_by_text("Mended by v1", exact=True)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert has_one_key(sent)
    assert on_record(site, "failure.mend") == 1


def test_others_are_asked_once_and_answer_once(page: Page, site: Site, sent: list[str]) -> None:
    question_id = ask_with(site, "Twice", prompt="Ship?", assigned_users=["ann"])
    page.goto(f"/inbox/{question_id}")
    page.get_by_role("button", name="Ask others").click()
    dialog = page.get_by_role("dialog", name="Ask others")
    dialog.locator("input:visible").fill("eve")
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Ask them").dblclick()
    expect(dialog).to_have_count(0)
    assert has_one_key(sent)
    assert on_record(site, "interaction.assign") == 1
    sent.clear()
    page.get_by_label("Your name").fill("eve")
    page.get_by_role("button", name="Send answer").dblclick()
    expect(page.get_by_text("Answered by eve", exact=False).first).to_be_visible()
    assert has_one_key(sent)
    assert on_record(site, "interaction.answer") == 1


def test_a_run_file_is_taken_in_once(page: Page, site: Site, folder: Path, sent: list[str]) -> None:
    dialog = open_import(page)
    choose(dialog, folder / "ask.iarun")
    dialog.get_by_role("button", name="Take it in").dblclick()
    expect(dialog.get_by_text("1 execution came as a copy.")).to_be_visible()
    assert has_one_key(sent)
    assert on_record(site, "execution.import") == 1
