"""Writing a definition: what is suggested, drawn, tried and saved, and what becomes of it when its file changes too."""

import json
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.looks import problems
from tests.browser.site import Site, fits
from tests.conftest import new_name, postgresql_database

INTERACTION_MILLISECONDS = 200
"""After this a key that is pressed is meant for the suggestions that have just come up."""


def shop(**changes: Any) -> dict[str, Any]:
    """A definition whose code every server has."""
    read = {"id": "read", "module": "ia_modules.steps", "step_class": "read_table", "inputs": {"text": "a\n1"}}
    return {"name": "Shop", "slug": "shop", "steps": [read], "flow": {"start_at": "read", "paths": []}, **changes}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pipelines that the server is started with, and whose files tests change."""
    folder = tmp_path_factory.mktemp("pipelines")
    for slug in ("shop", "edited-first", "edited-late"):
        write(folder, slug)
    return folder


def write(folder: Path, slug: str, **changes: Any) -> Path:
    file = folder / f"{slug}.json"
    name = slug.replace("-", " ").capitalize()
    file.write_text(json.dumps(shop(**{"name": name, "slug": slug, **changes})), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, folder: Path) -> Generator[Site]:
    server, template = (request.getfixturevalue(name) for name in ("postgresql_server", "postgresql_template"))
    with postgresql_database(server, new_name(), template=template) as url:
        site = Site(url, "--pipelines", str(folder))
        site.start()
        try:
            yield site
        finally:
            site.stop()


def editor(page: Page) -> Locator:
    return page.get_by_label("Definition as JSON")


def take(page: Page, label: str) -> None:
    """Take what is suggested first, which is this."""
    first = page.locator("li[role=option][aria-selected=true] .cm-completionLabel")
    expect(first).to_have_text(label)
    page.wait_for_timeout(INTERACTION_MILLISECONDS)
    page.keyboard.press("Enter")
    expect(first.filter(has_text=re.compile(f"^{re.escape(label)}$"))).to_have_count(0)


def rename(page: Page, more: str) -> None:
    """Write at the end of the name, which stands in the second line."""
    editor(page).click()
    page.keyboard.press("Control+Home")
    for key in ("ArrowDown", "End", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    page.keyboard.type(more)


def test_a_pipeline_is_written_by_keyboard_from_what_is_suggested_and_drawn_beside(page: Page) -> None:
    page.goto("/pipelines/new")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    editor(page).click()
    page.keyboard.press("Control+a")
    page.keyboard.type("{")
    page.keyboard.type('"na')
    take(page, "name")
    page.keyboard.type("By hand")
    page.keyboard.press("ArrowRight")
    page.keyboard.type(',"ste')
    take(page, "steps")
    page.keyboard.press("Escape")
    page.keyboard.type("{")
    page.keyboard.type('"i')
    take(page, "id")
    page.keyboard.type("read")
    page.keyboard.press("ArrowRight")
    page.keyboard.type(',"modu')
    take(page, "module")
    take(page, "ia_modules.steps")  # it comes up by itself
    page.keyboard.type(',"step_c')
    take(page, "step_class")
    page.keyboard.type("read")
    take(page, "read_table")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.type(',"fl')
    take(page, "flow")
    page.keyboard.type('"sta')
    take(page, "start_at")
    take(page, "read")
    graph = page.get_by_role("region", name="Graph of what is written")
    expect(graph.get_by_role("button", name="read")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.type(',"outp')
    take(page, "outputs")
    page.keyboard.type('"all": "{rows')
    take(page, "steps.read.output.rows")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    assert json.loads(editor(page).inner_text()) == {
        "name": "By hand",
        "steps": [{"id": "read", "module": "ia_modules.steps", "step_class": "read_table"}],
        "flow": {"start_at": "read"},
        "outputs": {"all": "{steps.read.output.rows}"},
    }

    page.keyboard.press("Control+End")
    page.keyboard.type("]")
    expect(page.get_by_text("As it was last", exact=False)).to_be_visible()
    expect(graph.get_by_role("button", name="read")).to_be_visible()


def test_all_problems_are_shown_at_once_and_each_leads_to_its_place(page: Page, site: Site) -> None:
    page.goto("/pipelines/shop?tab=definition")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    wrong = shop(surprise=1, flow={"start_at": "read", "paths": [{"from": "read", "to": "nobody"}]})
    wrong["steps"][0]["module"] = "os"
    editor(page).click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(json.dumps(wrong, indent=1))
    expect(page.get_by_text("3 problems", exact=True)).to_be_visible()
    problems = page.get_by_role("list", name="Problems").get_by_role("listitem")
    for place, line in (
        ("surprise", '"surprise": 1'),
        ("steps[0].module", '"module": "os"'),
        ("flow.paths", '"nobody"'),
    ):
        problems.filter(has_text=place).get_by_role("button").click()
        expect(page.locator(".cm-activeLine")).to_contain_text(line)
    once = page.get_by_role("button", name="Run once")
    expect(once).to_be_disabled()
    page.get_by_role("button", name="Undo all").click()
    graph = page.get_by_role("region", name="Graph of what is written")
    graph.get_by_role("button", name="read").click()
    expect(editor(page)).to_be_focused()


def test_what_is_written_runs_once_and_back_leads_to_it(page: Page, site: Site) -> None:
    page.goto("/pipelines/shop?tab=definition")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    rename(page, " on trial")
    page.get_by_label("What this version is for").fill("a try")
    page.get_by_role("button", name="Run once").click()
    page.get_by_role("dialog").get_by_role("button", name="Run once").click()
    page.wait_for_url("**/executions/*")
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    execution = site.execution(page.url.rpartition("/")[2])
    with site.api() as api:
        stored = api.get("/api/pipelines/shop", params={"version": execution["pipeline_version"]}).json()
    assert (stored["current_version"], stored["version"], stored["name"]) == (1, 2, "Shop")
    assert (stored["definition"]["name"], stored["version_note"]) == ("Shop on trial", "a try")
    assert stored["beside"] == [], "nobody is to choose for a try"
    page.go_back()
    expect(editor(page)).to_contain_text("Shop on trial")
    expect(page.get_by_text("Version 2.", exact=False)).to_be_visible()


def test_a_file_that_changed_after_an_edit_on_the_page_is_a_conflict_until_somebody_chooses(
    page: Page, site: Site, folder: Path
) -> None:
    page.goto("/pipelines/edited-first?tab=definition")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    rename(page, " on the page")
    page.get_by_role("button", name="Save version").click()
    expect(page.get_by_role("heading", name="Edited first on the page", level=1)).to_be_visible()
    register(site, write(folder, "edited-first", description="From the file."))

    page.goto("/pipelines")
    conflict = page.get_by_role("link", name="Conflict: v3 beside v2")
    expect(conflict).to_be_visible()
    conflict.click()
    both = page.get_by_role("alert").filter(has_text="Version 3 stands beside version 2")
    expect(both).to_contain_text("changed after version 2 was chosen")
    both.get_by_role("link", name="What differs").click()
    expect(page.get_by_text("From the file.").first).to_be_visible()
    both.get_by_role("button", name="Make version 3 current").click()
    expect(both).to_have_count(0)
    expect(page.get_by_role("combobox", name="Version", exact=True)).to_have_value("v3 (current)")
    page.goto("/pipelines")
    expect(page.get_by_role("link", name="Edited first", exact=True)).to_be_visible()
    expect(page.get_by_text("Conflict", exact=False)).to_have_count(0)


def test_an_edit_of_what_the_file_has_changed_meanwhile_is_stored_beside_it(
    page: Page, site: Site, folder: Path
) -> None:
    page.goto("/pipelines/edited-late?tab=definition")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    rename(page, " by me")
    register(site, write(folder, "edited-late", description="From the file."))
    page.get_by_role("button", name="Save version").click()
    both = page.get_by_role("alert").filter(has_text="Version 3 stands beside version 2")
    expect(both).to_contain_text("edited on a page")
    page.goto("/pipelines")
    expect(page.get_by_role("link", name="Conflict: v3 beside v2")).to_be_visible()
    page.goto("/pipelines/edited-late")
    both.get_by_role("button", name="Keep version 2").click()
    expect(both).to_have_count(0)


def register(site: Site, file: Path) -> None:
    """As somebody does who changes a file on the server's host."""
    command = [sys.executable, "-m", "ia_modules.cli", "pipelines", "import", str(file), "--new-version"]
    subprocess.run([*command, "--db", site.database_url], check=True, capture_output=True, text=True)


@pytest.mark.parametrize("width", [360, 1440])
def test_the_editor_with_its_suggestions_is_for_everybody(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/pipelines/shop?tab=definition")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    page.get_by_text("ia_modules.steps", exact=True).first.press("Enter")
    expect(page.get_by_text("Adds up the numbers of one column", exact=False)).to_be_visible()
    editor(page).click()
    page.keyboard.press("Control+Home")
    page.keyboard.press("End")
    page.keyboard.type('"')
    expect(page.get_by_role("option").first).to_be_visible()
    expect(page.get_by_text(re.compile("^1 problem$"))).to_be_visible()
    page.wait_for_load_state("networkidle")
    fits(page, width)
    assert problems(page, "target-size") == []  # the suggestions lie over what is next to them until they close
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    assert problems(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Undo all").click()
    expect(page.get_by_text("It can be saved")).to_be_visible()
    page.get_by_role("button", name="Run once").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Run once")).to_be_visible()
    fits(page, width)
    assert problems(page) == []
