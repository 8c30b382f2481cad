"""Run files on the pages: an execution is taken along as one, and others are taken in as copies or refused in words."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.run_file_reading import checked
from ia_modules.tracker.run_file_writing import write_run_file
from showcase_app.backend.api.run_files import MOST_FILE_BYTES
from tests.browser.looks import NARROW, problems
from tests.browser.site import Site, fits
from tests.browser.test_running import until
from tests.unit.run_files import MODULE, record_run

ASK = {"name": "Ask elsewhere", "steps": [{"id": "ask", "type": "human_input"}], "flow": {"start_at": "ask"}}


# Before the browser, whose event loop would be in the way.
@pytest.fixture(scope="module", autouse=True)
def ids(folder: Path) -> list[ExecutionId]:
    """Two executions of another database, one the re-run of the other; beside them a file whose code is not here."""
    return asyncio.run(_record(folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


async def _record(folder: Path) -> list[ExecutionId]:
    async with DatabaseManager(f"sqlite:///{folder / 'elsewhere.db'}") as elsewhere:
        async with Client(elsewhere, allowed=AllowedCode(), actor="ann") as client:
            await client.register(ASK)
            first = await client.queue("ask-elsewhere", {"n": 1})
            again = await client.rerun(first.execution_id)
            await client.export_run(again, folder / "ask.iarun", lineage=True)
        other = await record_run(elsewhere, folder)
        await write_run_file(elsewhere, other, folder / "code.iarun", actor="ann")
    (folder / "none.iarun").write_text("{}")
    with (folder / "large.iarun").open("wb") as large:
        large.truncate(MOST_FILE_BYTES + 1)
    return [first.execution_id, ExecutionId(again)]


@pytest.fixture(scope="module")
def ended(site: Site) -> str:
    execution_id = site.start_execution("flaky-service", {})
    until(lambda: site.execution(execution_id)["status"] == "completed", "the end of the execution")
    return execution_id


def open_export(page: Page, execution_id: str) -> Locator:
    page.goto(f"/executions/{execution_id}")
    page.get_by_role("button", name="Export").click()
    page.get_by_role("menuitem", name="Download as run file…").click()
    dialog = page.get_by_role("dialog", name="Download as run file")
    expect(dialog.get_by_text("Inside: 1 run; inputs, outputs and")).to_be_visible()
    return dialog


def open_import(page: Page) -> Locator:
    page.goto("/executions")
    page.get_by_role("button", name="Take in a run file").click()
    dialog = page.get_by_role("dialog", name="Take in a run file")
    expect(dialog.get_by_text(f"of at most {MOST_FILE_BYTES // 2**20} MiB")).to_be_visible()
    return dialog


def choose(dialog: Locator, file: Path) -> None:
    with dialog.page.expect_file_chooser() as chooser:
        dialog.get_by_role("button", name="Run file").click()
    chooser.value.set_files(file)


def test_an_execution_is_taken_along_with_what_was_said_to_be_inside(page: Page, ended: str) -> None:
    dialog = open_export(page, ended)
    dialog.get_by_role("checkbox", name="Log lines").uncheck()
    inside = dialog.get_by_text(re.compile("^Inside: 1 run; inputs and outputs, in full, and no log lines"))
    expect(inside).to_be_visible()
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == f"execution-{ended}.iarun"
    contents, _ = checked(Path(download.value.path()))
    assert (contents.execution_id, contents.left_out) == (ended, ("logs",))
    expect(inside).to_contain_text(contents.inside)
    expect(dialog.get_by_text(contents.rows_sha256)).to_be_visible()


def test_a_file_is_taken_in_once_and_its_executions_are_marked_as_copies_wherever_they_are(
    page: Page, folder: Path, ids: list[ExecutionId]
) -> None:
    first, again = ids
    copy = page.get_by_role("img", name=re.compile("^Copy of a run that went on elsewhere: .*SHA-256"))
    dialog = open_import(page)
    expect(page.locator("[data-live=live]")).to_be_visible()
    choose(dialog, folder / "ask.iarun")
    dialog.get_by_role("button", name="Take it in").click()
    expect(dialog.get_by_text("2 executions came as copies.")).to_be_visible()
    expect(dialog.get_by_role("listitem").filter(has_text=again[-8:])).to_contain_text("the run that it is the file of")
    dialog.get_by_role("button", name="Take it in").click()
    expect(dialog.get_by_text("Everything in it was here already: nothing has changed.")).to_be_visible()
    link = dialog.get_by_role("link", name=f"…{first[-8:]}")
    expect(page.locator("[data-execution]").filter(has=copy)).to_have_count(2)
    link.click()
    page.wait_for_url(f"**/executions/{first}")
    expect(page.locator("[data-execution]")).to_have_count(0)  # the address changes before the list has gone
    expect(copy).to_be_visible()
    contents, _ = checked(folder / "ask.iarun")
    expect(page.locator("header dl")).to_contain_text(f"{contents.rows_sha256[:12]}…")
    expect(page.get_by_role("button", name="Resume")).to_be_disabled()
    page.goto(f"/compare?a={again}&b={first}")
    expect(copy).to_have_count(2)
    page.set_viewport_size(NARROW)
    page.goto("/executions")
    expect(page.locator(f"[data-execution='{first}']").filter(has=copy)).to_be_visible()
    fits(page)


def test_what_is_refused_is_said_at_the_field_and_brings_nothing(page: Page, site: Site, folder: Path) -> None:
    with site.api() as api:
        before = api.get("/api/executions/statistics").json()["total"]
    dialog = open_import(page)
    for name, words in (("none", "it is no SQLite file"), ("code", f"'{MODULE}', which is not among the modules")):
        choose(dialog, folder / f"{name}.iarun")
        dialog.get_by_role("button", name="Take it in").click()
        expect(dialog.get_by_text(words)).to_be_visible()
    choose(dialog, folder / "large.iarun")
    expect(dialog.get_by_text("ia-modules executions import large.iarun")).to_be_visible()
    expect(dialog.get_by_role("button", name="Take it in")).to_be_disabled()
    with site.api() as api:
        assert api.get("/api/executions/statistics").json()["total"] == before


@pytest.mark.parametrize("which", ["export", "import", "refused"])
def test_axe_finds_nothing_serious_and_a_narrow_screen_is_not_scrolled_sideways(
    page: Page, ended: str, folder: Path, which: str
) -> None:
    page.set_viewport_size(NARROW)
    dialog = open_export(page, ended) if which == "export" else open_import(page)
    if which == "refused":
        choose(dialog, folder / "code.iarun")
        dialog.get_by_role("button", name="Take it in").click()
        expect(dialog.get_by_text(f"'{MODULE}'")).to_be_visible()
    page.wait_for_load_state("networkidle")
    fits(page)
    assert problems(page) == []
