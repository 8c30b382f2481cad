"""A run file in the pages: all of the run is there, without its code, and nothing can be changed."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId
from ia_modules.tracker.run_file_writing import write_run_file
from tests.browser.site import Site, fits
from tests.unit.run_files import MODULE, record_run

FILE = "run.iarun"


async def record(folder: Path) -> ExecutionId:
    async with DatabaseManager(f"sqlite:///{folder / 'ia.db'}") as database:
        execution_id = await record_run(database, folder)
        await write_run_file(database, execution_id, folder / FILE, actor="ann")
    (folder / f"{MODULE}.py").unlink()
    return execution_id


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def execution_id(folder: Path) -> ExecutionId:
    return asyncio.run(record(folder))


@pytest.fixture(scope="module")
def site(folder: Path, execution_id: ExecutionId) -> Generator[Site]:
    site = Site("sqlite:////nowhere/at/all.db", str(folder / FILE))
    site.start()
    try:
        yield site
    finally:
        site.stop()


def test_a_run_is_found_and_shown_with_its_steps_and_what_they_gave(page: Page, execution_id: ExecutionId) -> None:
    page.goto("/executions")
    page.get_by_role("link", name="Nightly").first.click()
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    page.goto(f"/executions/{execution_id}?step=score")
    expect(page.get_by_text("Attempt 2").first).to_be_visible()


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/pipelines", "Nightly"),
        ("/pipelines/nightly", "Nightly"),
        ("/pipelines/nightly?tab=versions", "Saved"),
        ("/insights", "Success rate"),
        ("/system", "Workers"),
    ],
)
def test_every_other_page_is_there_too(page: Page, path: str, seen: str) -> None:
    page.goto(path)
    expect(page.get_by_text(seen).first).to_be_visible()
    page.wait_for_load_state("networkidle")


READ_ONLY = "This is a run file, which is read-only"


def test_what_would_change_something_is_off_and_says_why(page: Page, execution_id: ExecutionId) -> None:
    page.goto(f"/executions/{execution_id}?step=score")
    expect(page.locator("header").get_by_text("Run file, read-only")).to_be_visible()
    for name in ("Cancel", "Resume", "Re-run", "Re-run from here"):
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_be_disabled()
        button.hover(force=True)
        expect(page.get_by_role("tooltip").filter(has_text=READ_ONLY).first).to_be_visible()
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("menuitem", name="Run file: you are looking at one")).to_be_disabled()
    expect(page.get_by_role("menuitem", name="JSON, for scripts")).to_be_enabled()
    page.goto("/executions")
    expect(page.get_by_role("button", name="Take in a run file")).to_be_disabled()
    page.get_by_role("checkbox", name="Select Nightly").check()
    page.get_by_role("button", name="Re-run…").hover()
    expect(page.get_by_role("tooltip").filter(has_text=READ_ONLY)).to_be_visible()
    page.goto("/pipelines/nightly")
    expect(page.get_by_role("button", name=f"Run Nightly: {READ_ONLY}")).to_be_disabled()
    page.set_viewport_size({"width": 360, "height": 780})
    expect(page.locator("header").get_by_text("Run file, read-only")).to_be_visible()
    fits(page)
