"""Names that are full of what addresses are made of: a slug and ids of steps, through every page that names them."""

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.browser.site import ROOT, Site, question_of
from tests.browser.test_running import until

FILE = ROOT / "tests/browser/pipelines/strange/pipeline.json"
DEFINITION = json.loads(FILE.read_text(encoding="utf-8"))
SLUG, NAME = DEFINITION["slug"], DEFINITION["name"]
READ, ASK, CHARGE = (step["id"] for step in DEFINITION["steps"])
THEIRS = "theirs/50% of #1? %2F"
"""A slug that only programs choose: a definition's has no space and no slash."""


# Before the browser, whose event loop would be in the way.
@pytest.fixture(scope="module", autouse=True)
def recorded(site: Site) -> str:
    """An execution that a program of its own has recorded, and that failed."""
    return asyncio.run(_record(site.database_url))


async def _record(database_url: str) -> str:
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline(THEIRS, "Theirs")
        execution = tracker.execution(pipeline_id, pipeline_name="Theirs")
        with pytest.raises(LookupError):
            async with execution, execution.step("a/b #1?"):
                raise LookupError("no order 17 of a/b?")
        return execution.id


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("strange")


@pytest.fixture(scope="module")
def waiting(site: Site, folder: Path) -> tuple[str, str]:
    """An execution, and the question that it asks."""
    execution_id = site.start_execution(quote(SLUG, safe=""), {"folder": str(folder)})
    with site.api() as api:
        return execution_id, question_of(api, execution_id)


def failed(site: Site, waiting: tuple[str, str]) -> str:
    """The id of the execution, whose question is answered, on whichever test that falls."""
    execution_id, question_id = waiting
    if site.execution(execution_id)["status"] == "waiting_for_human":
        with site.api() as api:
            body = {"response": {"why/not": "50 %"}, "responded_by": "ann"}
            assert api.post(f"/api/interactions/{question_id}/respond", json=body).status_code == 202
    until(lambda: site.execution(execution_id)["status"] == "failed", "the failure of the execution")
    return execution_id


def test_a_question_is_found_answered_and_then_the_execution_fails(
    page: Page, site: Site, waiting: tuple[str, str]
) -> None:
    execution_id, question_id = waiting
    page.goto("/inbox")
    listed = page.locator(f"[data-question='{question_id}']")
    expect(listed).to_contain_text("Charge 100 % of a/b?")
    expect(listed).to_contain_text(f"{NAME} v1 · {ASK}")
    listed.get_by_role("link").click()
    page.wait_for_url(f"**/inbox/{question_id}")
    expect(page.get_by_role("heading", name=f"{NAME}: {ASK}")).to_be_visible()
    page.get_by_label("Why/not").fill("50 %")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("region", name="Answer on record")).to_contain_text("50 %")
    until(lambda: site.execution(execution_id)["status"] == "failed", "the failure of the execution")
    page.goto(f"/executions/{execution_id}?step={quote(ASK, safe='')}")
    expect(page.get_by_role("region", name="Step Ask")).to_be_visible()
    page.goto(f"/executions/{execution_id}")
    page.get_by_role("link", name=NAME).first.click()
    expect(page.get_by_text(SLUG)).to_be_visible()
    page.goto("/pipelines")
    page.get_by_role("link", name=NAME, exact=True).click()
    page.wait_for_url(f"**/pipelines/{quote(SLUG, safe='')}")
    expect(page.get_by_text(SLUG)).to_be_visible()
    page.reload()
    expect(page.get_by_text(SLUG)).to_be_visible()


def test_its_group_of_failures_is_shown_marked_listed_and_run_again_from_its_step(
    page: Page, site: Site, waiting: tuple[str, str], folder: Path
) -> None:
    execution_id = failed(site, waiting)
    page.goto(f"/executions/{execution_id}")
    page.get_by_role("alert").get_by_role("link", name="It failed so once").click()
    page.wait_for_url("**/failures/**")
    what = page.get_by_role("region", name="What failed")
    expect(what).to_contain_text("no account for")
    page.reload()
    expect(what).to_contain_text("no account for")
    what.get_by_role("button", name=re.compile("^Mute")).click()
    expect(page.get_by_text("Muted", exact=True)).to_be_visible()
    page.get_by_role("link", name=CHARGE, exact=True).click()
    page.wait_for_url("**/pipelines/**step=**")
    expect(page.get_by_text(SLUG)).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="1 execution", exact=True).click()
    page.wait_for_url("**/executions?**")
    expect(page.locator(f"[data-execution='{execution_id}']")).to_be_visible()
    page.go_back()
    (folder / "mended").touch()
    what.get_by_role("button", name=re.compile("^Re-run")).click()
    dialog = page.get_by_role("dialog", name=f"Re-run from {CHARGE}")
    dialog.get_by_role("button", name="Run again 1").click()
    expect(dialog.get_by_text("1 execution queued again.")).to_be_visible()
    [again] = site.execution(execution_id)["rerun_ids"]
    until(lambda: site.execution(again)["status"] == "completed", "the end of the re-run")

    page.goto(f"/compare?a={again}&b={execution_id}")
    expect(page.get_by_text(f"{CHARGE} got the same input in both")).to_be_visible()
    page.get_by_role("button", name="Show the step").click()
    page.wait_for_url("**run=**")
    page.reload()
    expect(page.get_by_role("complementary", name="What differs")).to_contain_text("no account for 50 % of a/b?")


def test_it_is_run_again_from_a_step_with_another_input(page: Page, site: Site, waiting: tuple[str, str]) -> None:
    execution_id = failed(site, waiting)
    page.goto(f"/executions/{execution_id}?step={quote(READ, safe='')}")
    page.get_by_role("button", name="Re-run from here").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_text("Charge: external")).to_be_visible()
    form.get_by_text("Another input").click()
    editor = form.get_by_label("Input as JSON")
    expect(editor).to_contain_text('"folder"')
    form.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: execution_id not in url)
    again = page.url.rpartition("/")[2].partition("?")[0]
    expect(page.locator("header dt").get_by_text("Re-run of")).to_be_visible()
    with site.api() as api:
        question_of(api, again)
    expect(page.get_by_role("heading", name="Ask waits for anybody")).to_be_visible()


def test_what_a_program_called_as_it_liked_has_its_pages_too(page: Page, recorded: str) -> None:
    page.goto(f"/executions/{recorded}")
    page.get_by_role("alert").get_by_role("link", name="It failed so once").click()
    page.wait_for_url("**/failures/**")
    expect(page.get_by_role("region", name="What failed")).to_contain_text("no order <n> of a/b?")
    page.reload()
    page.get_by_role("link", name="Theirs", exact=True).click()
    expect(page.get_by_text(THEIRS)).to_be_visible()
    page.goto("/pipelines")
    page.get_by_role("link", name="Theirs", exact=True).click()
    page.wait_for_url(f"**/pipelines/{quote(THEIRS, safe='')}")
    expect(page.get_by_text(THEIRS)).to_be_visible()
