"""Graphs of many steps: parallel ones of one kind in one group, live; found by name; one time wherever it is shown."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looks import ANY, problems
from tests.browser.site import Site
from tests.browser.test_running import mark, was_reloaded

WORKERS = 60
GROUP = f"{WORKERS} × Worker"  # noqa: RUF001 - the sign that the page has
FAILING = ["w7", "w41"]


def test_sixty_workers_are_one_group_that_counts_live_opens_in_place_and_leads_to_those_that_failed(
    page: Page, site: Site, tmp_path: Path
) -> None:
    store(site, fan(WORKERS))
    execution_id = site.start_execution("fan", {"folder": str(tmp_path), "failing": FAILING})
    page.goto(f"/executions/{execution_id}")
    group = page.get_by_role("button", name=re.compile(f"^{GROUP}"))
    expect(group).to_have_accessible_name(f"{GROUP}: {WORKERS} running")
    mark(page)
    (tmp_path / "go").touch()
    expect(group).to_have_accessible_name(f"{GROUP}: 58 done, 2 failed")
    expect(group).to_have_attribute("aria-expanded", "false")
    steps = page.locator(".react-flow__node-step")
    expect(steps).to_have_count(2)

    assert problems(page, impacts=ANY) == []

    before = group.bounding_box()
    group.focus()
    page.keyboard.press("Enter")
    expect(group).to_have_attribute("aria-expanded", "true")
    first = page.get_by_role("button", name=re.compile("^Worker 1, Completed"))
    expect(first).to_be_visible()
    after = group.bounding_box()
    assert before is not None
    assert after is not None
    assert (round(after["x"]), round(after["y"])) == (round(before["x"]), round(before["y"]))

    to_failed = page.get_by_role("button", name="2 failed: go to the next")
    for step_id in FAILING:
        to_failed.click()
        page.wait_for_url(f"**step={step_id}**")
        step = page.get_by_role("button", name=re.compile(f"^Worker {step_id[1:]}, Failed"))
        expect(step).to_have_attribute("aria-pressed", "true")
        expect(step).to_be_in_viewport()
    assert not was_reloaded(page)

    page.get_by_role("button", name="Show all of the graph").click()
    group.focus()
    page.keyboard.press("Enter")
    expect(group).to_have_attribute("aria-expanded", "false")
    expect(steps).to_have_count(2)


def test_a_step_is_found_by_its_name_and_took_the_same_time_in_graph_list_and_timeline(
    page: Page, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "go").touch()
    store(site, fan(WORKERS))
    execution_id = site.start_execution("fan", {"folder": str(tmp_path)})
    page.goto(f"/executions/{execution_id}")
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    page.get_by_placeholder("Find one of").fill("join")
    page.get_by_role("option", name="Join (join)").click()
    page.wait_for_url("**step=join**")
    node = page.get_by_role("button", name=re.compile("^Join, Completed"))
    expect(node).to_have_attribute("aria-pressed", "true")
    run_time = re.compile("^Run time")
    in_graph = node.get_by_title(run_time).text_content()
    panel = page.get_by_role("region", name="Step Join")
    expect(panel.get_by_title(run_time)).to_have_text(str(in_graph))
    timeline = page.get_by_role("region", name="Timeline")
    row = timeline.locator("[data-selected]").filter(has_text="Join")
    expect(row.get_by_title(run_time)).to_have_text(str(in_graph))
    page.get_by_role("radiogroup", name="How the steps are shown").get_by_text("List").click()
    listed = page.get_by_role("list", name="Steps").get_by_role("button", name=re.compile("Join"))
    expect(listed.get_by_title(run_time)).to_have_text(str(in_graph))


@pytest.mark.parametrize("width", [1440, 360])
def test_all_of_a_row_of_three_hundred_is_shown_on_request(page: Page, site: Site, width: int) -> None:
    store(site, row(300))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/pipelines/fan")
    expect(page.get_by_role("img", name="Small map of the graph: drag to move")).to_be_visible()
    expect(page.get_by_role("button", name="Worker 1", exact=True)).to_be_visible()
    frame = page.get_by_role("application")
    page.get_by_role("button", name="Show all of the graph").click()
    expect(page.locator(".react-flow__node-step")).to_have_count(0)  # from so far away none has elements of its own
    shapes = page.locator(".react-flow__node-shape path")
    room, drawn = frame.bounding_box(), shapes.last.bounding_box()
    assert room is not None
    assert drawn is not None
    assert drawn["x"] >= room["x"] - 1
    assert drawn["x"] + drawn["width"] <= room["x"] + room["width"] + 1
    assert drawn["y"] + drawn["height"] <= room["y"] + room["height"] + 1


def test_an_opened_group_of_sixty_stays_within_a_narrow_screen(page: Page, site: Site, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    store(site, fan(WORKERS))
    execution_id = site.start_execution("fan", {"folder": str(tmp_path), "failing": FAILING})
    site.until_ended(execution_id)
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(f"/executions/{execution_id}")
    group = page.get_by_role("button", name=re.compile(f"^{GROUP}"))
    before = group.bounding_box()
    group.focus()
    page.keyboard.press("Enter")
    expect(group).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("button", name=re.compile("^Worker 1, Completed"))).to_be_visible()
    after = group.bounding_box()
    assert before is not None
    assert after is not None
    assert (round(after["x"]), round(after["y"])) == (round(before["x"]), round(before["y"]))
    assert len(set(sides_of_workers(page))) == 1  # one below the other

    to_failed = page.get_by_role("button", name="2 failed: go to the next")
    for step_id in FAILING:
        to_failed.click()
        page.wait_for_url(f"**step={step_id}**")
        step = page.get_by_role("button", name=re.compile(f"^Worker {step_id[1:]}, Failed"))
        expect(step).to_have_attribute("aria-pressed", "true")
        step.scroll_into_view_if_needed()  # what is beside it on a wide screen is below the graph here
        expect(step).to_be_in_viewport(ratio=1)
        sides_of_workers(page)
    assert problems(page, impacts=ANY) == []


def sides_of_workers(page: Page) -> list[tuple[float, float]]:
    """Left and right of every worker that is drawn, each within the frame of the graph."""
    room = page.get_by_role("application").bounding_box()
    assert room is not None
    boxes = [each.bounding_box() for each in page.get_by_role("button", name=re.compile("^Worker ")).all()]
    sides = [(box["x"], box["x"] + box["width"]) for box in boxes if box is not None]
    assert len(sides) > 1
    assert all(room["x"] <= left and right <= room["x"] + room["width"] for left, right in sides)
    return sides


def store(site: Site, definition: dict[str, Any]) -> None:
    """Make it the current version of the pipeline."""
    with site.api() as api:
        api.put("/api/pipelines/fan", json={"definition": definition}).raise_for_status()


def worker(number: int) -> dict[str, Any]:
    handling = {"continue_on_error": True}
    names = {"id": f"w{number}", "name": f"Worker {number}"}
    return names | {"module": "steps", "step_class": "Worker", "error_handling": handling}


def definition_of(steps: list[dict[str, Any]], paths: list[tuple[str, str]]) -> dict[str, Any]:
    parameters = [{"name": "folder", "schema": {}}, {"name": "failing", "schema": {}, "default": []}]
    return {
        "name": "Fan",
        "parameters": parameters,
        "steps": steps,
        "flow": {
            "start_at": steps[0]["id"],
            "paths": [{"from": source, "to": target} for source, target in paths],
        },
    }


def fan(width: int) -> dict[str, Any]:
    """So many workers between a split and a join."""
    workers = [worker(number) for number in range(1, width + 1)]
    paths = [(each["id"], "join") for each in workers] + [("split", each["id"]) for each in workers]
    split, join = (
        {"id": name.lower(), "name": name, "module": "steps", "step_class": name} for name in ("Split", "Join")
    )
    return definition_of([split, *workers, join], paths)


def row(length: int) -> dict[str, Any]:
    """So many workers, one after the other."""
    numbers = range(1, length + 1)
    paths = [(f"w{number}", f"w{number + 1}") for number in numbers[:-1]]
    return definition_of([worker(number) for number in numbers], paths)
