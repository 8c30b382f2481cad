"""Very many log lines: what was left out, and the way to what one looks for."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.site import Site


def test_of_12_000_lines_those_before_the_crash_are_found_and_what_is_left_out_is_said(page: Page, site: Site) -> None:
    execution_id = site.start_execution("chatty", {})
    site.until_ended(execution_id)
    page.goto(f"/executions/{execution_id}?step=talk&tab=logs")
    left_out = page.get_by_text(re.compile(r"^2,051 lines are left out: "))
    expect(left_out).to_be_visible()
    page.get_by_role("button", name="Full width").click()
    lines = page.get_by_role("dialog", name="Log lines of Talk").get_by_role("log")
    expect(lines.get_by_text("line 1, which", exact=False).first).to_be_in_viewport()

    page.get_by_role("button", name="To the end").click()
    expect(page.get_by_text(re.compile("^10,004 lines"))).to_be_visible()
    expect(lines.get_by_text("line 12050, which", exact=False)).to_be_in_viewport()
    assert lines.get_by_role("link").count() < 200, "those in view are drawn, and some around them"
    for number in (28_000, 84_000, 28_000):
        page.get_by_role("button", name="Next error").click()
        error = lines.get_by_text(f"the bank refused order {number}")
        expect(error).to_be_in_viewport()
        expect(error).to_contain_text("shop.cart")
        expect(lines.get_by_text(f"line {number // 7}, which", exact=False)).to_be_in_viewport()
    expect(page).to_have_url(re.compile(r"[?&]line="))

    page.goto(page.url)  # as somebody does to whom the address was sent
    expect(lines.get_by_text("the bank refused order 28000")).to_be_in_viewport()
    page.get_by_role("button", name="Wrap long lines").click()
    page.get_by_role("textbox", name="Search in the log lines").fill("ORDER 7700 and")
    expect(page.get_by_text("2 lines found")).to_be_visible()
    expect(page).to_have_url(re.compile(r"[?&]q=ORDER\+7700\+and"))
    expect(left_out).to_contain_text("The search does not see them.")
    expect(lines.get_by_text("line 1100, which is about the order 7700", exact=False)).to_be_visible()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download all of these lines").click()
    assert downloading.value.suggested_filename == f"Talk-{execution_id}.log"
    first, gap = Path(downloading.value.path()).read_text(encoding="utf-8").splitlines()
    assert "INFO shop.orders: line 1100, which is about the order 7700" in first
    assert "2,051 lines are left out here" in gap
