"""What calls of models used: in the list and its order, in header and step, by model, and in Metrics."""

import re

from playwright.sync_api import Page, expect

from tests.browser.site import Site


def test_tokens_and_cost_are_seen_from_the_list_to_the_step_and_over_time(page: Page, site: Site) -> None:
    ids: list[str] = []
    for cost in ("1.5", "20", "0.000228"):
        ids.append(site.start_execution("models", {"cost": cost}))
        site.until_ended(ids[-1])
    middle, dear, cheap = ids

    page.goto("/executions")
    rows = page.locator("[data-execution]")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_have_attribute("data-execution", cheap)
    expect(rows.nth(0)).to_contain_text("0.000228 + ?")
    page.get_by_role("button", name="Cost").click()
    expect(page).to_have_url(re.compile(r"[?&]sort=cost"))
    for place, execution_id in enumerate((dear, middle, cheap)):
        expect(rows.nth(place)).to_have_attribute("data-execution", execution_id)
    expect(page.get_by_role("columnheader", name="Cost")).to_have_attribute("aria-sort", "descending")

    page.goto(f"/executions/{middle}?step=think")
    facts = page.locator("header dl")
    expect(facts).to_contain_text("1,210 in, 80 out")
    expect(facts).to_contain_text("1.50 USD, 1 call has no price")
    page.get_by_role("button", name="by model").click()
    by_model = page.get_by_role("table", name="By model")
    expect(by_model.get_by_role("row")).to_have_count(3)
    expect(by_model).to_contain_text("house-large")
    expect(by_model.get_by_role("row").nth(2)).to_contain_text("no price")
    page.keyboard.press("Escape")
    expect(page.get_by_text("house-large, house-new")).to_be_visible()
    expect(page.get_by_text("310 ms")).to_be_visible()

    page.goto("/insights")
    models = page.get_by_role("region", name="Models")
    expect(models).to_contain_text("3,630 in, 240 out; 21.500228 USD; 3 calls have no price")
    expect(models.get_by_role("table", name="By model")).to_contain_text("house-new")
    expect(models.get_by_role("figure", name="Cost over time")).to_be_visible()
