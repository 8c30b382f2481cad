"""Resuming and running again on the page of an execution: what is said before, and that nothing starts twice."""

import json
import re
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.browser.site import Site


def completed(page: Page, site: Site, folder: Path) -> str:
    """A gated execution that has completed."""
    (folder / "go").touch()
    execution_id = site.start_execution("gated", {"folder": str(folder)})
    page.goto(f"/executions/{execution_id}")
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    return execution_id


def ran(folder: Path, execution_id: str) -> list[str]:
    """The steps that ran in an execution."""
    lines = (folder / "ran.txt").read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith(execution_id)]


def shown_id(page: Page) -> str:
    return page.url.rpartition("/")[2].partition("?")[0]


def test_a_step_is_run_again_on_another_input_and_a_double_click_starts_one(
    page: Page, site: Site, tmp_path: Path
) -> None:
    first = completed(page, site, tmp_path)
    page.goto(f"/executions/{first}?step=wait")
    page.get_by_role("button", name="Re-run from here").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_text("1 step run is kept")).to_be_visible()
    expect(form.get_by_text("Wait for the gate: not said: may have effects")).to_be_visible()
    expect(form.get_by_text("Prepare, its result is kept")).to_have_count(1)
    form.get_by_text("Another input").click()
    editor = form.get_by_label("Input as JSON")
    expect(editor).to_contain_text('"count": 3')
    other = tmp_path / "other"
    other.mkdir()
    (other / "go").touch()
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(json.dumps({"folder": str(other)}))
    expect(editor).not_to_contain_text('"count"')
    form.get_by_role("button", name="Run again").dblclick()
    page.wait_for_url(lambda url: first not in url)
    second = shown_id(page)
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    expect(page.locator("header dt").get_by_text("Re-run of")).to_be_visible()
    expect(page.locator("header").get_by_text(", by local")).to_be_visible()
    assert site.execution(first)["rerun_ids"] == [second]
    assert (ran(other, second), ran(tmp_path, second)) == (["wait"], ["finish"]), "later steps see the state without it"
    page.get_by_role("button", name=re.compile("^Prepare, Completed.*copied from an earlier execution")).click()
    panel = page.get_by_role("region", name="Step Prepare")
    panel.get_by_role("link", name="the execution that this one repeats").click()
    page.wait_for_url(f"**/executions/{first}?step=prepare")
    expect(page.locator("header dt").get_by_text("Re-run", exact=True)).to_be_visible()

    page.goto(f"/executions/{second}?view=list")
    copied = "Copied from an earlier execution: it did not run"
    expect(page.get_by_role("button", name=f"Prepare {copied} here")).to_be_visible()
    page.goto(f"/compare?a={second}&b={first}&show=all")
    runs = page.get_by_role("list", name="Aligned runs")
    expect(runs.get_by_role("img", name=f"{copied} in A")).to_have_count(1)
    runs.get_by_role("button", name=re.compile("Prepare")).click()
    expect(page.get_by_text("A did not run it: its result is copied from an earlier execution.")).to_be_visible()


def test_a_reply_that_is_lost_is_asked_for_again_and_starts_nothing_twice(
    page: Page, site: Site, tmp_path: Path
) -> None:
    first = completed(page, site, tmp_path)
    lost: list[str] = []

    def lose(route: Route) -> None:
        answer = route.fetch()
        if lost:
            route.fulfill(response=answer)
            return
        lost.append(answer.json()["execution_id"])
        route.abort("connectionreset")

    page.route(f"**/api/executions/{first}/rerun", lose)
    page.get_by_role("button", name="Re-run", exact=True).click()
    form = page.get_by_role("dialog")
    form.get_by_text("Another input").click()
    form.get_by_label("Count").fill("5")
    form.get_by_role("button", name="Run again").click()
    expect(form.get_by_text("The server cannot be reached")).to_be_visible()
    form.get_by_role("button", name="Run again").click()
    page.wait_for_url(f"**/executions/{lost[0]}")
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    assert site.execution(first)["rerun_ids"] == lost
    assert site.execution(lost[0])["output_data"] == {"counted": [0, 1, 2, 3, 4]}


def test_what_was_cancelled_goes_on_where_it_stopped_and_its_page_says_what_runs(
    page: Page, site: Site, tmp_path: Path
) -> None:
    execution_id = site.start_execution("gated", {"folder": str(tmp_path)})
    page.goto(f"/executions/{execution_id}")
    expect(page.get_by_role("button", name=re.compile("^Wait for the gate, Running"))).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_be_disabled()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_label("Why").fill("The wrong folder.")
    page.get_by_role("dialog").get_by_role("button", name="Cancel the execution").click()
    expect(page.locator("header").get_by_text("Cancelled").first).to_be_visible()
    (tmp_path / "go").touch()
    page.get_by_role("button", name="Resume").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_text("Finish: not said: may have effects")).to_be_visible()
    form.get_by_role("button", name="Resume", exact=True).click()
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    assert ran(tmp_path, execution_id) == ["prepare", "wait", "wait", "finish"]
