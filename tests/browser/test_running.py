"""From the form to the end, live: what a visitor does, also when the socket or the server dies meanwhile."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import APIResponse, Page, Route, WebSocketRoute, expect

from tests.browser.site import PATIENCE_SECONDS, ROOT, Site

LOOK_SECONDS = 0.05


def until(true: Callable[[], bool], what: str) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"never came: {what}")
        time.sleep(LOOK_SECONDS)


def mark(page: Page) -> None:
    """Leave something in the page that a reload would lose."""
    page.evaluate("window.notReloaded = true")


def was_reloaded(page: Page) -> bool:
    return page.evaluate("window.notReloaded !== true")


def wait_is_running(site: Site, execution_id: str) -> bool:
    return any(
        step["step_id"] == "wait" and step["status"] == "running" for step in site.execution(execution_id)["steps"]
    )


def test_code_review_runs_from_the_form_and_finishes_live_and_the_cli_lists_it(page: Page, site: Site) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Pipelines")).to_be_visible()
    for name in ("Code review", "Data quality", "Flaky service"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    mark(page)
    page.get_by_role("link", name="Run Code review").click()
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/executions/*")
    execution_id = page.url.rpartition("/")[2].partition("?")[0]
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    assert not was_reloaded(page)

    shown = subprocess.run(
        [sys.executable, "-m", "ia_modules.cli", "executions", "list", "--json", "--db", site.database_url],
        capture_output=True,
        text=True,
        check=True,
    )
    assert execution_id in shown.stdout


def test_the_form_says_at_the_field_what_is_wrong(page: Page, tmp_path: Path) -> None:
    page.goto("/pipelines/gated?run=1")
    form = page.get_by_role("dialog")
    form.get_by_label("Count").fill("99")
    form.get_by_role("button", name="Run", exact=True).click()
    expect(form.get_by_label("Count")).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_label("Count")).to_have_accessible_description(re.compile("10"))
    assert "/executions/" not in page.url
    form.get_by_label("Count").fill("4")
    form.get_by_label("Folder").fill(str(tmp_path))
    (tmp_path / "go").touch()
    form.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/executions/*")
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()


def test_an_untouched_form_starts_exactly_what_it_was_filled_in_with(page: Page, site: Site) -> None:
    page.goto("/pipelines/exact?run=1")
    form = page.get_by_role("dialog")
    number, rate = (form.get_by_label(name, exact=True) for name in ("Id", "Rate"))
    expect(number).to_have_value("9007199254740993")
    expect(number).to_have_accessible_description(re.compile("Kept as text"))
    expect(form.get_by_label("Anything")).to_have_value(re.compile('"__proto__"'))
    run = form.get_by_role("button", name="Run", exact=True)
    run.click()
    deep = '{"__proto__":{"deep":[18446744073709551615]}}'
    assert input_text(page, site) == f'{{"id":9007199254740993,"rate":0.5,"anything":{deep}}}'
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    page.get_by_role("tab", name="Input", exact=True).click()
    rows = page.get_by_role("tree", name="Input of the execution").get_by_role("treeitem")
    for row in ("id:9007199254740993", "rate:0.5", "__proto__:1 key", "0:18446744073709551615"):
        expect(rows.filter(has_text=re.compile(f"^{re.escape(row)}$"))).to_be_visible()

    page.goto("/pipelines/exact?run=1")
    rate.fill("")
    rate.press_sequentially("9007199254740993")
    for key in ("ArrowUp", "Tab"):  # counting on, and leaving the field, would make a double of it
        rate.press(key)
        expect(rate).to_have_value("9007199254740993")
    run.click()
    assert input_text(page, site) == f'{{"id":9007199254740993,"rate":9007199254740993,"anything":{deep}}}'

    page.goto("/pipelines/exact?run=1")
    form.get_by_text("JSON", exact=True).click()
    form.get_by_label("Input as JSON").fill('{"id": 9007199254740995, "rate": 1.0, "anything": {"__proto__": -0.0}}')
    run.click()
    written = '{"id":9007199254740995,"rate":1.0,"anything":{"__proto__":-0.0}}'
    assert input_text(page, site) == written
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()

    page.goto("/pipelines/exact?run=1")
    form.get_by_text("Last input", exact=True).click()
    expect(number).to_have_value("9007199254740995")
    expect(rate).to_have_value("1.0")
    run.click()
    assert input_text(page, site) == written

    page.set_viewport_size({"width": 1440, "height": 3000})  # the editor has the lines that are in view
    page.goto("/pipelines/exact?tab=definition")
    for text in ("9007199254740993", "18446744073709551615", "__proto__"):
        expect(page.get_by_label("Definition as JSON")).to_contain_text(text)


def input_text(page: Page, site: Site) -> str:
    """The input of the execution that the page has just gone to, as the server has it."""
    page.wait_for_url("**/executions/*")
    execution_id = page.url.rpartition("/")[2].partition("?")[0]
    with site.api() as api:
        text = api.get(f"/api/executions/{execution_id}/payloads").raise_for_status().text
    return text.partition('"input_data":')[2].partition(',"output_data"')[0]


def test_an_execution_starts_at_a_time_of_the_form_and_never_at_half_of_one(page: Page) -> None:
    page.goto("/pipelines/data-quality?run=1")
    form = page.get_by_role("dialog")
    start_at = form.get_by_label("Start at")
    start_at.fill("2999-12-31 2")
    form.get_by_role("button", name="Run later", exact=True).click()
    expect(start_at).to_be_focused()
    expect(form.get_by_text("No time yet.", exact=False)).to_be_visible()
    assert "/executions/" not in page.url
    start_at.fill("2999-12-31 23:00")
    form.get_by_role("button", name="Run later", exact=True).click()
    page.wait_for_url("**/executions/*")
    expect(page.locator("header").get_by_text("Waiting", exact=True)).to_be_visible()
    expect(page.get_by_role("definition").filter(has_text=re.compile(r"^in \d+ d"))).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the execution").click()
    expect(page.locator("header").get_by_text("Cancelled").first).to_be_visible()


def test_a_killed_socket_comes_back_and_misses_nothing(page: Page, site: Site, tmp_path: Path) -> None:
    sockets: list[WebSocketRoute] = []
    killed: list[WebSocketRoute] = []
    frames: list[str] = []

    def pass_on(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        sockets.append(socket)

        def to_page(frame: str | bytes) -> None:
            if socket not in killed:
                frames.append(str(frame))
                socket.send(frame)

        server.on_message(to_page)

    page.route_web_socket("**/ws/executions/*", pass_on)
    execution_id = site.start_execution("gated", {"folder": str(tmp_path)})
    until(lambda: wait_is_running(site, execution_id), "the step that waits")
    page.goto(f"/executions/{execution_id}")
    expect(page.locator("[data-live=live]")).to_be_visible()
    mark(page)
    killed.append(sockets[-1])
    sockets[-1].close(code=1012)
    (tmp_path / "go").touch()
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    expect(page.locator("[data-live=live]")).to_be_visible()
    assert not was_reloaded(page)
    assert len(sockets) > len(killed)

    pages = [message for frame in frames if (message := json.loads(frame))["type"] == "changes"]
    numbers = [number for message in pages for number in (message["after"], message["upto"])]
    assert numbers == sorted(numbers)
    assert all(one["upto"] == next_["after"] for one, next_ in pairwise(pages)), "something was missed in between"
    record = site.execution(execution_id)
    assert numbers[-1] == record["sequence"]
    page.get_by_text("List", exact=True).click()
    shown = page.get_by_role("list", name="Steps").get_by_role("listitem")
    expect(shown).to_have_count(len(record["steps"]))
    for step in record["steps"]:
        row = shown.filter(has_text=step["step_name"])
        expect(row.get_by_role("img", name=step["status"].capitalize())).to_be_visible()


def test_a_page_follows_a_server_that_is_killed_with_ten_executions_running_and_started_again(
    page: Page, site: Site, tmp_path: Path
) -> None:
    folders = [tmp_path / str(number) for number in range(10)]
    for folder in folders:
        folder.mkdir()
    ids = [site.start_execution("gated", {"folder": str(folder)}) for folder in folders]
    until(lambda: all(wait_is_running(site, execution_id) for execution_id in ids), "ten executions at the gate")
    page.goto(f"/executions/{ids[0]}")
    expect(page.locator("[data-live=live]")).to_be_visible()
    page.wait_for_load_state("networkidle")  # all of its code is there: what is not yet is another test's
    mark(page)

    site.kill()
    expect(page.locator("[data-live=reconnecting]")).to_be_visible()
    for folder in folders:
        (folder / "go").touch()
    site.start()

    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    assert not was_reloaded(page)
    until(lambda: {site.execution(each)["status"] for each in ids} == {"completed"}, "the end of all ten")
    for execution_id, folder in zip(ids, folders, strict=True):
        ran = Counter((folder / "ran.txt").read_text(encoding="utf-8").split("\n")[:-1])
        assert ran[f"{execution_id} prepare"] == 1, "a completed step ran twice"
        assert ran[f"{execution_id} wait"] == 2, "what ran when the server died is run again"
        assert ran[f"{execution_id} finish"] == 1
        statuses = Counter((step["step_id"], step["status"]) for step in site.execution(execution_id)["steps"])
        assert statuses == {
            ("prepare", "completed"): 1,
            ("wait", "lost"): 1,
            ("wait", "completed"): 1,
            ("finish", "completed"): 1,
        }


def test_a_question_appears_while_the_page_reads_again_and_stays_when_the_older_answer_comes(
    page: Page, site: Site, tmp_path: Path
) -> None:
    execution_id = site.start_execution("question", {"folder": str(tmp_path)})
    page.goto(f"/executions/{execution_id}?step=ask")
    expect(page.locator("[data-live=live]")).to_be_visible()

    answers: list[tuple[Route, APIResponse]] = []
    page.route(f"**/api/executions/{execution_id}", lambda route: answers.append((route, route.fetch())))
    page.get_by_role("button", name="Re-run", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Run again").click()
    expect(page.locator("header dt").get_by_text("Re-run of")).to_be_visible()
    answers.clear()  # the page that is left waits for none
    page.go_back()  # it was re-run since it was read
    for _ in range(round(PATIENCE_SECONDS / LOOK_SECONDS)):
        if not answers:
            page.wait_for_timeout(LOOK_SECONDS * 1000)
    assert answers, "the page did not read again"
    expect(page.locator("[data-live=live]")).to_be_visible()
    (tmp_path / "gate").touch()
    panel = page.get_by_role("region", name="Step Ask")
    expect(panel.get_by_text("Is it good?")).to_be_visible()
    (tmp_path / "work").touch()
    expect(page.get_by_role("button", name=re.compile("^Work, Completed"))).to_be_visible()

    assert all(answer.json()["interactions"] == [] for _, answer in answers), "read before the question was asked"
    reruns = page.locator("header dt").get_by_text("Re-run", exact=True)
    expect(reruns).to_have_count(0)
    for route, answer in answers:
        route.fulfill(response=answer)
    expect(reruns).to_have_count(1)  # the answer has come
    expect(panel.get_by_text("Is it good?")).to_be_visible()


def test_cancelling_stops_what_runs_and_the_page_shows_it(page: Page, site: Site, tmp_path: Path) -> None:
    execution_id = site.start_execution("gated", {"folder": str(tmp_path)})
    until(lambda: wait_is_running(site, execution_id), "the step that waits")
    page.goto(f"/executions/{execution_id}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the execution").click()
    expect(page.locator("header").get_by_text("Cancelled").first).to_be_visible()
    until(lambda: site.execution(execution_id)["status"] == "cancelled", "the cancellation on record")


def test_the_list_shows_new_executions_by_itself_and_keeps_its_filter_in_the_address(
    page: Page, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "go").touch()
    page.goto("/executions")
    expect(page.locator("[data-live=live]")).to_be_visible()
    execution_id = site.start_execution("gated", {"folder": str(tmp_path)})
    row = page.locator(f"a[href='/executions/{execution_id}']").first
    expect(row).to_be_visible()
    page.get_by_role("group", name="Status").get_by_text("Failed").click()
    page.wait_for_url("**status=failed**")
    page.reload()
    expect(page.get_by_role("checkbox", name=re.compile("^Failed"))).to_be_checked()
    expect(page.get_by_text("No execution matches")).to_be_visible()
    expect(page.locator(f"a[href='/executions/{execution_id}']")).to_have_count(0)


@pytest.mark.parametrize("slug", ["data-quality", "flaky-service"])
def test_the_other_examples_run_to_their_end(page: Page, site: Site, slug: str) -> None:
    execution_id = site.start_execution(slug, {})
    page.goto(f"/executions/{execution_id}")
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()


def test_pages_come_from_the_built_files_and_unknown_addresses_of_the_api_are_told_apart(site: Site) -> None:
    with httpx.Client(base_url=site.url, timeout=PATIENCE_SECONDS) as client:
        deep = client.get("/executions/some-id")
        assert (deep.status_code, deep.headers["content-type"]) == (200, "text/html; charset=utf-8")
        built = (ROOT / "showcase_app/frontend/dist/index.html").read_text(encoding="utf-8")
        assert deep.text == built.replace('="./', '="/')
        for path in ("/api/nothing", "/assets/nothing.js"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path
        assert client.get("/..%2f..%2fpackage.json").text == deep.text
