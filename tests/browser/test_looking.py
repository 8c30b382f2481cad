"""What is seen at first sight, and what is reached by keys alone."""

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.site import ROOT, Site

READABLE_PIXELS = 11


def graph_nodes(page: Page) -> list[dict[str, Any]]:
    """The steps of the graph as they are drawn: whether each lies in its frame, and how large its name is."""
    expect(page.get_by_role("group", name="Graph of the pipeline")).to_have_attribute("aria-busy", "false")
    return page.evaluate(
        """() => {
            const frame = document.querySelector(".react-flow").getBoundingClientRect();
            const zoom = new DOMMatrix(getComputedStyle(document.querySelector(".react-flow__viewport")).transform).a;
            return [...document.querySelectorAll(".react-flow__node[role=button]")].map((node) => {
                const box = node.getBoundingClientRect();
                const name = node.querySelector("[title]");
                return {
                    inside: box.left >= frame.left && box.right <= frame.right
                        && box.top >= frame.top && box.bottom <= frame.bottom,
                    pixels: parseFloat(getComputedStyle(name).fontSize) * zoom,
                };
            });
        }"""
    )


def test_all_of_a_graph_is_seen_at_once_and_can_be_read(page: Page) -> None:
    for slug, steps in (("code-review", 9), ("flaky-service", 10), ("data-quality", 5)):
        page.goto(f"/pipelines/{slug}")
        nodes = graph_nodes(page)
        assert len(nodes) == steps, slug
        assert all(node["inside"] for node in nodes), slug
        assert min(node["pixels"] for node in nodes) >= READABLE_PIXELS, slug


def test_a_graph_says_by_which_rules_results_become_the_state(page: Page) -> None:
    page.goto("/pipelines/agent")
    expect(page.get_by_text("merge: messages extend, tokens sum", exact=True)).to_be_visible()


def test_a_step_of_a_definition_says_what_it_is_once_it_is_chosen(page: Page) -> None:
    page.goto("/pipelines/code-review")
    facts = page.get_by_role("complementary", name="The selected step")
    page.get_by_role("button", name="Complexity").click()
    expect(facts.get_by_role("heading", name="Complexity")).to_be_visible()
    page.wait_for_url("**step=complexity**")
    facts.get_by_role("button", name="Close the step").click()
    expect(facts).to_have_count(0)


def test_the_form_that_runs_a_pipeline_begins_in_its_first_field(page: Page) -> None:
    page.goto("/pipelines/flaky-service")
    for _ in range(2):  # the second time its code is there already
        page.get_by_role("link", name="Run Flaky service").click()
        expect(page.get_by_role("dialog").get_by_label("Article")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_list_is_walked_by_keys_which_are_explained_and_leave_other_controls_alone(page: Page, site: Site) -> None:
    ids = [site.start_execution("data-quality", {}) for _ in range(2)]
    page.goto("/executions")
    links = [page.locator(f"a[href='/executions/{each}']") for each in reversed(ids)]
    expect(links[0]).to_be_visible()
    page.keyboard.press("j")
    expect(links[0]).to_be_focused()
    page.keyboard.press("j")
    expect(links[1]).to_be_focused()
    page.keyboard.press("x")
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.get_by_role("button", name="Keys of the list").focus()
    page.keyboard.press("j")
    expect(page.get_by_role("button", name="Keys of the list")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_text("Next row")).to_be_visible()


def test_executions_are_narrowed_to_any_pipeline_and_to_a_window_that_the_address_names(page: Page, site: Site) -> None:
    definition = {
        "name": "Put away",
        "steps": [{"id": "a", "type": "human_input", "config": {"prompt": "Well?"}}],
        "flow": {"start_at": "a", "paths": [{"from": "a", "to": "end"}]},
    }
    with site.api() as api:
        stored = api.post("/api/pipelines", json={"definition": definition})
        assert stored.status_code == 201, json.dumps(stored.json())
        assert api.delete(f"/api/pipelines/{stored.json()['id']}").status_code == 204
    other = site.start_execution("data-quality", {})
    page.goto("/executions?window=1h")
    expect(page.locator(f"a[href='/executions/{other}']").first).to_be_visible()
    page.get_by_role("combobox", name="Pipeline").click()
    for name in ("Code review", "Gated", "Put away (archived)"):
        expect(page.get_by_role("option", name=name, exact=True)).to_be_visible()
    page.get_by_role("option", name="Put away (archived)", exact=True).click()
    page.wait_for_url(f"**pipeline_id={stored.json()['id']}**")
    assert "window=1h" in page.url
    expect(page.get_by_text("No execution matches")).to_be_visible()


def test_ended_executions_do_not_look_unfinished(page: Page, site: Site) -> None:
    execution_id = site.start_execution("code-review", {"folder": str(ROOT / "ia_modules" / "live")})
    page.goto(f"/executions/{execution_id}")
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    expect(page.locator("header").get_by_text("8 ran", exact=True)).to_be_visible()
    page.goto(f"/executions?q={execution_id}")
    expect(page.get_by_role("img", name="8 steps ran", exact=True)).to_be_visible()


def test_the_pipeline_that_one_begins_with_can_be_stored_and_run_as_it_is(page: Page) -> None:
    page.goto("/pipelines/new")
    expect(page.get_by_text("It can be saved")).to_be_visible()
    page.get_by_role("button", name="Save and run").click()
    page.get_by_role("dialog").get_by_role("button", name="Save and run").click()
    page.wait_for_url("**/executions/*")
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    expect(page.locator("header").get_by_text("4 ran", exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="My first pipeline", level=1)).to_be_visible()
    page.get_by_role("link", name="Run My first pipeline").click()
    page.get_by_role("dialog").get_by_label("Target").fill("5000")
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("The total is below 5000. Is the table complete?").first).to_be_visible()
