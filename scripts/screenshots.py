"""``make screenshots``: every page, light and dark, wide and narrow, photographed into ``docs/screenshots``.

A server of its own on an empty SQLite file runs the example pipelines until there is something to see; then a headless
Chromium looks at each page as a visitor would.
"""

import itertools
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.site import CHROMIUM_OPTIONS, chromium, question_of

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "screenshots"
PATIENCE_SECONDS = 60.0
STILL_MILLISECONDS = 700
SHOPS = 60
STOPPED = ("completed", "failed", "cancelled", "waiting_for_human")

SIZES = {"1440": (1440, 900), "360": (360, 780)}
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Shot:
    """A page to photograph: its name, its address, and what must be on it before the picture is taken."""

    name: str
    path: str
    ready: Callable[[Page], None]


def main() -> None:
    """Replace the pictures in docs/screenshots."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with serving() as url, httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as api, sync_playwright() as playwright:
        shots = list(shots_of(api))
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_OPTIONS)
        for shot in shots:
            for theme in THEMES:
                for width, size in SIZES.items():
                    photograph(browser, url, shot, theme, size, FOLDER / f"{shot.name}-{theme}-{width}.png")
        browser.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER.relative_to(ROOT)}")


@contextmanager
def serving() -> Generator[str]:
    """The address of a server on an empty database, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", "0", "--db", f"sqlite:///{folder}/ia.db", "--pipelines", str(ROOT / "examples")]
        command = [sys.executable, "-m", "ia_modules.cli", "serve", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as server:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            try:
                if found is None:
                    sys.exit("the server did not start")
                yield found[0]
            finally:
                server.send_signal(signal.SIGTERM)


WITHOUT_PLACES = """([pattern, instead]) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data.replace(new RegExp(pattern), instead);
    if (text !== texts.currentNode.data) texts.currentNode.data = text;
  }
}"""
PLACES = [
    (re.escape(str(ROOT / "examples")), "/srv/pipelines"),
    (rf"{re.escape(tempfile.gettempdir())}/\w+/", "/var/lib/ia/"),
]
"""Folders of the machine that takes the pictures, and what is shown in their place."""


def shots_of(api: httpx.Client) -> Iterator[Shot]:
    """Make history, then name every page over it."""
    pipelines: dict[str, str] = {item["slug"]: item["id"] for item in api.get("/api/pipelines").json()["items"]}
    slugs = ("code-review", "data-quality", "flaky-service", "approval")
    review, quality, flaky, approval = (pipelines[slug] for slug in slugs)
    for _ in range(6):
        run(api, review, {})
        run(api, quality, {})
        run(api, flaky, {"sku": "kettle"})
        run(api, flaky, {"sku": "teapot"})
    for number in range(3):
        run(api, review, {"folder": f"/no/folder/{number}"})
        run(api, quality, {"file": f"/no/table/{number}.csv"})
    for number in range(5):
        run(api, flaky, {"sku": f"samovar-{number}"})
    waiting = run(api, approval, {})
    failed = run(api, flaky, {"sku": "nothing-like-it"})
    known = mark_failures(api)
    wobbly = run(api, flaky, {"sku": "kettle"})
    looped = run(api, quality, {})
    reviewed = run(api, review, {})
    wide = run(api, stored(api, many("Sixty shops", SHOPS, in_a_row=False)), {})
    long = run(api, stored(api, many("Forty shops, one after the other", 40, in_a_row=True)), {})

    yield Shot("pipelines", "/pipelines", seen("Code review"))
    yield Shot("pipeline", f"/pipelines/{review}", drawn("Code review"))
    yield Shot("pipeline-definition", f"/pipelines/{quality}?tab=definition", drawn("It can be saved"))
    yield Shot("run", f"/pipelines/{flaky}?run=1", seen("Article"))
    yield Shot("new-pipeline", "/pipelines/new", drawn("It can be saved"))
    yield Shot("executions", "/executions", seen("Code review"))
    yield Shot("executions-failed", "/executions?status=failed", seen("Flaky service"))
    yield Shot("execution-wide", f"/executions/{wide}", drawn("2 failed"))
    yield Shot(
        "execution-wide-opened",
        f"/executions/{wide}?step=shop_7",
        opened(f"{SHOPS} \N{MULTIPLICATION SIGN} read_table"),
    )
    yield Shot("execution-long", f"/executions/{long}", drawn("Completed"))
    yield Shot("execution", f"/executions/{reviewed}", drawn("Completed"))
    yield Shot("execution-loop", f"/executions/{looped}", drawn("Completed"))
    yield Shot("execution-retries", f"/executions/{wobbly}?step=stock", drawn("Completed"))
    yield Shot("execution-failed", f"/executions/{failed}", drawn("Failed"))
    yield Shot("rerun", f"/executions/{reviewed}?step=score&do=rerun-step", drawn("idempotency keys of its own"))
    yield Shot("resume", f"/executions/{failed}?do=resume", drawn("the same idempotency keys"))
    yield Shot("execution-approval", f"/executions/{waiting}?step=approve", drawn("Waiting for a person"))
    yield Shot("failures", "/failures", seen("Mended by"))
    yield Shot("failure", f"/failures/{known}", seen("The newest"))
    yield Shot("compare", f"/compare?a={failed}&b={wobbly}", drawn("diverged"))
    questions = open_questions(api)
    yield Shot("inbox", "/inbox", seen("Pay"))
    yield Shot("question", f"/inbox/{questions[0]}", seen("Send answer"))
    yield Shot("metrics", "/insights", seen("Success rate"))
    yield Shot("system", "/system", seen("Workers"))


def many(name: str, count: int, *, in_a_row: bool) -> dict[str, Any]:
    """A definition of so many shops whose tables are read, one after the other or side by side; there two have none."""
    ids = [f"shop_{number}" for number in range(1, count + 1)]
    ends = {} if in_a_row else {"first": "Open", "last": "Close"}
    empty = () if in_a_row else ("shop_7", "shop_41")
    steps = [
        {
            "id": step_id,
            "name": ends.get(step_id, step_id.replace("_", " ").capitalize()),
            "module": "ia_modules.steps",
            "step_class": "read_table",
            "inputs": {"text": "" if step_id in empty else "region,amount\nNorth,120"},
            "error_handling": {"continue_on_error": True},
        }
        for step_id in [*ends, *ids]
    ]
    chain = [{"from": one, "to": other} for one, other in itertools.pairwise(ids)]
    fan = [{"from": "first", "to": each} for each in ids] + [{"from": each, "to": "last"} for each in ids]
    flow = {"start_at": steps[0]["id"], "paths": chain if in_a_row else fan}
    return {"name": name, "steps": steps, "flow": flow}


def stored(api: httpx.Client, definition: dict[str, Any]) -> str:
    """The id of a pipeline of this definition."""
    return api.post("/api/pipelines", json={"definition": definition}).raise_for_status().json()["id"]


def open_questions(api: httpx.Client) -> list[str]:
    """Questions that wait, of executions that ask whether to pay."""
    schema = {
        "type": "object",
        "required": ["approved"],
        "properties": {
            "approved": {"type": "boolean"},
            "reason": {"type": "string", "x-widget": "textarea", "description": "The payee reads it."},
        },
    }
    prompt = "Pay **{{ parameters.amount }} EUR** to {{ parameters.payee }}?\n\n- due in {{ parameters.days }} days"
    config = {"prompt": prompt, "ui_schema": schema, "assigned_users": ["ann", "bob"], "timeout_seconds": 259_200}
    definition: dict[str, Any] = {
        "name": "Payment",
        "parameters": [{"name": name, "schema": {}} for name in ("payee", "amount", "days")],
        "steps": [{"id": "approve", "type": "human_input", "config": config}],
        "flow": {"start_at": "approve", "paths": []},
    }
    pipeline = stored(api, definition)
    payments = [("Kettle & Sons", 1290, 3), ("Teapot Ltd", 480, 10), ("Cups and More", 75.5, 14)]
    ids = [begin(api, pipeline, {"payee": payee, "amount": amount, "days": days}) for payee, amount, days in payments]
    return [question_of(api, execution_id) for execution_id in ids]


def mark_failures(api: httpx.Client) -> str:
    """Say of two groups of failures what becomes of them; returns the id of the largest one."""
    groups: list[dict[str, Any]] = api.get("/api/failures").raise_for_status().json()["items"]
    largest, second, third = sorted(groups, key=lambda group: -group["count"])[:3]
    api.post(f"/api/failures/{second['id']}/mended", json={"version": 1}).raise_for_status()
    api.post(f"/api/failures/{third['id']}/mute").raise_for_status()
    return largest["id"]


def begin(api: httpx.Client, pipeline_id: str, input_data: dict[str, Any]) -> str:
    """Queue an execution; returns its id."""
    started = api.post(f"/api/pipelines/{pipeline_id}/executions", json={"input_data": input_data}).raise_for_status()
    return started.json()["execution_id"]


def run(api: httpx.Client, pipeline_id: str, input_data: dict[str, Any]) -> str:
    """Run a pipeline on the server until it ends or waits for people; returns the execution's id."""
    execution_id = begin(api, pipeline_id, input_data)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while api.get(f"/api/executions/{execution_id}").json()["status"] not in STOPPED:
        if time.monotonic() > deadline:
            sys.exit(f"{execution_id} did not end")
        time.sleep(0.05)
    return execution_id


def seen(text: str) -> Callable[[Page], None]:
    """Wait until a text is on the page."""
    return lambda page: page.get_by_text(text).first.wait_for()


def drawn(text: str) -> Callable[[Page], None]:
    """Wait until a text is on the page and its graph is drawn."""

    def ready(page: Page) -> None:
        seen(text)(page)
        page.locator(".react-flow__node").first.wait_for()

    return ready


def opened(name: str) -> Callable[[Page], None]:
    """Open the group of this name in the graph."""

    def ready(page: Page) -> None:
        group = page.get_by_role("button", name=re.compile(f"^{name}"))
        group.focus()
        page.keyboard.press("Enter")
        page.locator("[aria-expanded=true][aria-roledescription='group of steps']").wait_for()

    return ready


def photograph(browser: Browser, url: str, shot: Shot, theme: Theme, size: tuple[int, int], file: Path) -> None:
    width, height = size
    context = browser.new_context(
        base_url=url, color_scheme=theme, viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(shot.path)
    shot.ready(page)
    page.wait_for_load_state("networkidle")
    for place in PLACES:
        page.evaluate(WITHOUT_PLACES, place)
    file.write_bytes(still(page))
    context.close()


def still(page: Page) -> bytes:
    """The picture of a page that has stopped changing: charts, graphs and editors draw themselves in their own time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    picture = page.screenshot()
    while time.monotonic() < deadline:
        page.wait_for_timeout(STILL_MILLISECONDS)
        last, picture = picture, page.screenshot()
        if picture == last:
            break
    return picture


if __name__ == "__main__":
    main()
