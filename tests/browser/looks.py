"""How a page looks, whatever it is about: what axe finds on it in light and in dark."""

from collections.abc import Collection
from typing import Any

from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.site import ROOT

# Its rule about the size of what is touched (24 px, WCAG 2.2) is off by default.
AXE = (ROOT / "showcase_app/frontend/node_modules/axe-core/axe.min.js").read_text(encoding="utf-8") + (
    ';axe.configure({rules: [{id: "target-size", enabled: true}]});'
)
OF_COLOURS = ("color-contrast", "link-in-text-block")
"""Axe's rules about colours, which are all that a theme changes."""

SERIOUS = ("serious", "critical")
ANY = ("minor", "moderate", *SERIOUS)

# A colour that has just changed is measured as it was, until a frame has been drawn and its transition has ended: then
# the transitions of what inherits it begin.
_STILL = """async () => {
    const frame = () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const isEnding = (each) => each.effect?.getComputedTiming().endTime !== Infinity;
    const ending = () => document.getAnimations().filter(isEnding);
    await frame();
    for (let some = ending(); some.length > 0; some = ending()) {
        await Promise.allSettled(some.map((each) => each.finished));
        await frame();
    }
}"""
_RUN = """(rules) => axe
    .run({ resultTypes: ["violations"], ...(rules.length && { runOnly: rules }) })
    .then((results) => results.violations)"""

WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=360, height=780)
Problem = tuple[str, str, list[str]]


def problems(page: Page, *left_out: str, impacts: Collection[str] = SERIOUS) -> list[Problem]:
    """What axe finds on a page as it is, in light and in dark: the rule, what it asks for, and the elements."""
    page.evaluate(AXE)
    found = _violations(page)
    _show(page, "dark")
    found += _violations(page, OF_COLOURS)
    _show(page, "light")
    return [
        (violation["id"], violation["help"], [node["html"][:300] for node in violation["nodes"]][:5])
        for violation in found
        if violation["impact"] in impacts and violation["id"] not in left_out
    ]


def _violations(page: Page, rules: Collection[str] = ()) -> list[dict[str, Any]]:
    """Of these rules; of all that are on, when none is named."""
    page.evaluate(_STILL)
    return page.evaluate(_RUN, list(rules))


def _show(page: Page, theme: str) -> None:
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    other = "light" if theme == "dark" else "dark"
    expect(page.locator(f"[aria-label='Switch to {other}']").first).to_be_attached()
