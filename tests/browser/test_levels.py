"""What is within a step: counted and listed live, found, opened like a step at every depth, by the keyboard alone."""

import re
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.looks import ANY, NARROW, problems
from tests.browser.site import Site, fits
from tests.browser.test_running import mark, was_reloaded

ADDRESSES = ("?step=think", "?step=think&in=7..search", "?step=think&in=1..judge")
MANY, PER_SQUARE = 2_500, 2
TIMES = "\u00d7"
Places = dict[str, str]


@pytest.fixture(scope="module")
def ended(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("deep")
    (folder / "go").touch()
    execution_id = site.start_execution("deep", {"folder": str(folder)})
    site.until_ended(execution_id)
    return execution_id


def run_mapped(site: Site, folder: Path, **params: int) -> str:
    """Run to its end a step for each of the entries of a list, two of which it fails for."""
    (folder / "go").touch()
    execution_id = site.start_execution("mapped", {"folder": str(folder), **params})
    site.until_ended(execution_id)
    return execution_id


@pytest.fixture(scope="module")
def mapped(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    return run_mapped(site, tmp_path_factory.mktemp("mapped"))


def squares(page: Page) -> Locator:
    return within(page).get_by_role("listbox")


def square(page: Page, name: str) -> Locator:
    return squares(page).get_by_role("option", name=name, exact=True)


def within(page: Page) -> Locator:
    return page.get_by_role("region", name="Within this step")


def names(page: Page) -> Locator:
    return within(page).get_by_role("row").get_by_role("button")


def has_focus(element: Locator) -> None:
    expect(element).to_be_focused()


def test_what_comes_within_a_step_that_runs_is_shown_live(page: Page, site: Site, tmp_path: Path) -> None:
    execution_id = site.start_execution("deep", {"folder": str(tmp_path)})
    page.goto(f"/executions/{execution_id}?step=think")
    expect(within(page).get_by_role("button", name="All 61")).to_be_visible()
    expect(within(page).get_by_role("button", name="Failed 2")).to_be_visible()
    expect(within(page).get_by_role("button", name="Running")).to_have_count(0)
    mark(page)
    (tmp_path / "go").touch()
    expect(within(page).get_by_role("button", name="All 62")).to_be_visible()
    expect(within(page).get_by_role("button", name="Completed 60")).to_be_visible()
    assert not was_reloaded(page)


def test_a_step_with_nothing_within_it_says_nothing_of_it(page: Page, ended: str) -> None:
    page.goto(f"/executions/{ended}?step=plain")
    expect(page.get_by_role("region", name="Step Plain").get_by_role("tab", name="Output")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(within(page)).to_have_count(0)


def test_runs_are_found_by_status_and_name_and_by_page(page: Page, ended: str) -> None:
    page.goto(f"/executions/{ended}?step=think")
    expect(names(page)).to_have_count(50)
    within(page).get_by_role("button", name="Next").click()
    expect(names(page)).to_have_count(12)
    expect(names(page).last).to_have_text("sum up")
    within(page).get_by_role("button", name="Before").click()
    expect(names(page).first).to_have_text("judge")
    within(page).get_by_role("button", name="Failed 2").click()
    expect(names(page)).to_have_text(["search#7", "search#41"])
    expect(within(page).get_by_text("OSError: no answer to 41")).to_be_visible()
    within(page).get_by_role("button", name="All 62").click()
    within(page).get_by_role("textbox", name="Search in the names").fill("SUM")
    expect(names(page)).to_have_text(["sum up"])
    within(page).get_by_role("textbox", name="Search in the names").fill("nobody")
    expect(within(page).get_by_text("None of them is like that.")).to_be_visible()


def test_a_run_is_opened_and_left_by_the_keyboard_alone(page: Page, ended: str) -> None:
    page.goto(f"/executions/{ended}?step=think")
    within(page).get_by_role("button", name="Failed 2").focus()
    page.keyboard.press("Enter")
    expect(names(page)).to_have_count(2)
    names(page).first.focus()
    page.keyboard.press("ArrowDown")
    has_focus(names(page).nth(1))
    page.keyboard.press("Enter")
    has_focus(page.get_by_role("heading", name="search #41"))
    run = page.get_by_role("region", name="Run search")
    expect(run.get_by_text("think#1/search#41")).to_be_visible()
    expect(run.get_by_text("no answer to 41").first).to_be_visible()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    back = page.get_by_role("navigation", name="The runs around it").get_by_role("button", name="Think")
    has_focus(back)
    page.keyboard.press("Enter")
    expect(within(page)).to_be_visible()
    has_focus(names(page).filter(has_text="#41"))


def test_a_run_shows_what_a_step_shows_and_what_is_within_it(page: Page, ended: str) -> None:
    page.goto(f"/executions/{ended}?step=think")
    names(page).filter(has_text=re.compile("^search$")).click()
    run = page.get_by_role("region", name="Run search")
    expect(run.get_by_text("found")).to_be_visible()
    run.get_by_role("tab", name="Input").click()
    expect(run.get_by_text("number")).to_be_visible()
    run.get_by_role("tab", name="Logs").click()
    expect(run.get_by_text("looking for 1")).to_be_visible()
    run.get_by_role("button", name="Think").click()
    names(page).filter(has_text="judge").click()
    names(page).filter(has_text="vote[ann]").click()
    vote = page.get_by_role("region", name="Run vote[ann]")
    expect(vote.get_by_text("think#1/judge#1/vote[ann]#1")).to_be_visible()
    expect(vote.get_by_text("yes to storks")).to_be_visible()
    page.reload()
    expect(vote.get_by_text("yes to storks")).to_be_visible()
    page.get_by_role("navigation", name="The runs around it").get_by_role("button", name="judge #1").click()
    has_focus(names(page).filter(has_text="vote[ann]"))


def test_the_timeline_and_the_list_have_them_below_their_step(page: Page, ended: str) -> None:
    page.goto(f"/executions/{ended}?step=think&view=list")
    timeline = page.get_by_role("region", name="Timeline")
    bar = timeline.get_by_role("option", name="search, iteration 7: Failed")
    expect(bar).to_have_count(1)
    steps = page.get_by_role("list", name="Steps")
    expect(steps.get_by_text("54 more in the panel of the step")).to_be_visible()
    steps.get_by_role("button", name=re.compile("judge")).click()
    page.wait_for_url("**in=1..judge**")
    expect(page.get_by_role("heading", name="judge")).to_be_visible()
    expect(timeline.get_by_role("option", name=re.compile("^judge"))).to_have_attribute("aria-selected", "true")
    steps.get_by_role("button", name=re.compile("Plain")).click()
    page.wait_for_url(re.compile("step=plain"))
    expect(page.get_by_role("region", name="Step Plain")).to_be_visible()
    expect(bar).to_have_count(0)


def test_a_map_is_one_node_that_counts_its_items_live(page: Page, site: Site, tmp_path: Path) -> None:
    execution_id = site.start_execution("mapped", {"folder": str(tmp_path)})
    page.goto(f"/executions/{execution_id}?step=work")
    node = page.get_by_role("group", name=re.compile("^Graph")).get_by_role("button", name=re.compile("^Worker"))
    standing = "60 items: 38 completed, 2 failed, 10 running, 10 not begun"
    expect(node).to_have_accessible_name(re.compile(f"^Worker, Running.*, {standing}$"))
    expect(node).to_contain_text(f"Worker {TIMES} 60")
    expect(node).to_contain_text("38 done · 2 failed")
    expect(square(page, "50: Running")).to_be_visible()
    expect(square(page, "51: Not begun")).to_have_attribute("aria-disabled", "true")
    mark(page)
    grids: list[str] = []
    page.on("request", lambda request: grids.append(request.url) if "/runs/grid?" in request.url else None)
    (tmp_path / "go").touch()
    expect(node).to_contain_text("58 done · 2 failed")
    expect(square(page, "60: Completed")).to_be_visible()
    assert not was_reloaded(page)
    assert 0 < len(grids) < 20  # of 20 items each began, or ended, or both


def test_squares_show_how_items_stand_and_open_them_by_the_keyboard_alone(page: Page, mapped: str) -> None:
    page.goto(f"/executions/{mapped}?step=work")
    expect(squares(page).get_by_role("option")).to_have_count(60)
    expect(within(page).get_by_text("60 items: 58 completed, 2 failed.")).to_be_visible()
    within(page).get_by_role("button", name="Failed 2").click()
    expect(names(page)).to_have_text(["doc-7work #7", "doc-31work #31"])
    expect(squares(page).locator("[data-faded]")).to_have_count(58)
    within(page).get_by_role("button", name="All 60").click()
    within(page).get_by_role("textbox", name="Search in the names").fill("doc-31")
    expect(squares(page).locator("[data-found]")).to_have_count(1)
    expect(square(page, "31: Failed")).to_have_attribute("data-found", "true")
    squares(page).focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    has_focus(page.get_by_role("heading", name="doc-7 work #7"))
    expect(page.get_by_role("region", name="Run doc-7").get_by_text("no answer to 7").first).to_be_visible()
    around = page.get_by_role("navigation", name="The runs around it").get_by_role("button", name="Worker")
    around.click()
    has_focus(names(page).filter(has_text="#7"))
    squares(page).focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    has_focus(page.get_by_role("heading", name="doc-60 work #60"))
    around.click()
    has_focus(squares(page))  # it is on no page of the table that is shown
    page.keyboard.press("Enter")
    has_focus(page.get_by_role("heading", name="doc-60 work #60"))


def test_of_very_many_items_a_square_is_several_and_leads_to_them(page: Page, site: Site, tmp_path: Path) -> None:
    execution_id = run_mapped(site, tmp_path, count=MANY)
    page.goto(f"/executions/{execution_id}?step=work")
    node = page.get_by_role("group", name=re.compile("^Graph")).get_by_role("button", name=re.compile("^Worker"))
    expect(node).to_contain_text(f"Worker {TIMES} 2,500")
    expect(node).to_contain_text("2,498 done · 2 failed")
    expect(squares(page).get_by_role("option")).to_have_count(MANY // PER_SQUARE)
    square(page, "31 to 32, at worst: Failed").click()
    expect(within(page).get_by_text("From item 31, page 1")).to_be_visible()
    expect(names(page).first).to_have_text("doc-31work #31")
    within(page).get_by_role("button", name="Before").click()
    expect(names(page).first).to_have_text("doc-1work #1")


def test_only_the_failed_items_of_a_map_are_run_again(page: Page, site: Site, tmp_path: Path) -> None:
    first = run_mapped(site, tmp_path)
    (tmp_path / "mended").touch()
    page.goto(f"/executions/{first}?step=work")
    page.get_by_role("button", name="Re-run from here").click()
    form = page.get_by_role("dialog")
    form.get_by_text("Only the failed items").click()
    expect(form.get_by_text("58 items are kept, with results; 2 run.")).to_be_visible()
    form.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: first not in url)
    expect(form, "its graph has a node of that name too").to_be_hidden()
    node = page.get_by_role("group", name=re.compile("^Graph")).get_by_role("button", name=re.compile("^Worker"))
    expect(node).to_contain_text("60 done")
    node.click()
    expect(within(page).get_by_text("60 items: 60 completed.")).to_be_visible()
    second = re.search("executions/([^?/]+)", page.url)
    assert second is not None
    with site.api() as api:
        runs = api.get(f"/api/executions/{second[1]}/runs", params={"within": "work#1", "limit": 100}).json()["items"]
    assert [run["step_name"] for run in runs if run["copied_from"] is None] == ["doc-7", "doc-31"]
    square(page, "7: Completed").click()
    expect(page.get_by_role("region", name="Run doc-7").get_by_text("score")).to_be_visible()


@pytest.mark.parametrize("address", [*ADDRESSES, "?step=work"])
def test_axe_finds_nothing_and_a_narrow_screen_has_all_of_it(page: Page, ended: str, mapped: str, address: str) -> None:
    page.goto(f"/executions/{mapped if 'work' in address else ended}{address}")
    expect(page.get_by_role("tab", name="Output")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert problems(page, impacts=ANY) == []
    page.set_viewport_size(NARROW)
    fits(page)


@pytest.fixture(scope="module")
def opened_file(site: Site, ended: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """The run as a file, shown by a server of its own."""
    path = tmp_path_factory.mktemp("file") / "deep.iarun"
    with site.api() as api:
        path.write_bytes(api.get(f"/api/executions/{ended}/run-file").raise_for_status().content)
    shown = Site("sqlite:////nowhere/at/all.db", str(path))
    shown.start()
    try:
        yield shown
    finally:
        shown.stop()


def test_a_run_file_has_what_is_within_its_steps(page: Page, ended: str, opened_file: Site) -> None:
    with opened_file.api() as api:
        level = api.get(f"/api/executions/{ended}/runs", params={"within": "think#1"}).raise_for_status().json()
    assert level["by_status"] == {"completed": 60, "failed": 2}
