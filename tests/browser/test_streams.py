"""Output as it comes: it grows on the page, is there again after a reload and a server's death, and reads as a chat."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.looks import problems
from tests.browser.site import Site, fits
from tests.browser.test_running import mark, until, was_reloaded

TURNS = 20


def come(folder: Path, *numbers: int) -> None:
    """Let these parts of the answer come."""
    for number in numbers:
        (folder / str(number)).touch()


def streamed(page: Page) -> Locator:
    return page.get_by_role("region", name="What Answer gave as it came")


def caret(place: Locator) -> Locator:
    return place.locator("[data-caret]")


def test_an_answer_grows_in_its_step_and_is_there_again_after_a_reload(page: Page, site: Site, tmp_path: Path) -> None:
    execution_id = site.start_execution("talking", {"folder": str(tmp_path)})
    page.goto(f"/executions/{execution_id}?step=answer")
    expect(streamed(page)).to_contain_text("search")  # the call of a tool
    mark(page)
    come(tmp_path, 0)
    expect(streamed(page)).to_contain_text("**Kettles** are kept")  # as it is written, while it may change
    expect(caret(streamed(page))).to_have_count(1)
    come(tmp_path, 1)
    expect(streamed(page).get_by_text("Kettles", exact=True)).to_have_js_property("tagName", "STRONG")
    assert not was_reloaded(page)

    page.reload()
    expect(streamed(page)).to_contain_text("Kettles are kept in the third aisle.")
    expect(caret(streamed(page))).to_have_count(1)
    come(tmp_path, 2, 3)
    expect(streamed(page)).to_contain_text("That is all.")
    expect(streamed(page).get_by_role("listitem")).to_have_count(2)
    expect(caret(streamed(page))).to_have_count(0)
    expect(page.get_by_role("region", name="Step Answer").get_by_text("Completed").first).to_be_visible()


def test_an_answer_goes_on_after_its_server_was_killed(page: Page, site: Site, tmp_path: Path) -> None:
    execution_id = site.start_execution("talking", {"folder": str(tmp_path)})
    page.goto(f"/executions/{execution_id}")
    talk = page.get_by_role("list", name="Conversation")
    come(tmp_path, 0)
    expect(talk).to_contain_text("**Kettles** are kept")
    expect(caret(talk)).to_have_count(1)
    page.wait_for_load_state("networkidle")  # all of its code is there
    mark(page)
    site.kill()
    site.start()
    come(tmp_path, 1, 2, 3)
    expect(talk.get_by_text("That is all.")).to_have_count(1)  # of the attempt after, which begins anew
    expect(caret(talk)).to_have_count(0)
    assert not was_reloaded(page)


@pytest.fixture(scope="module")
def chat(site: Site) -> str:
    """A chat of twenty turns, which waits for the next."""
    execution_id = site.start_execution("chat", {})
    with site.api() as api:
        for number in range(1, TURNS + 1):
            question = next_question(site, execution_id)
            body = {"response": {"message": f"message {number}"}, "responded_by": "ann"}
            api.post(f"/api/interactions/{question}/respond", json=body).raise_for_status()
        next_question(site, execution_id)
    return execution_id


def next_question(site: Site, execution_id: str) -> str:
    """The question that waits now, as soon as one does."""
    found: list[str] = []

    def is_there() -> bool:
        questions = site.execution(execution_id)["interactions"]
        found[:] = [each["interaction_id"] for each in questions if each["status"] == "pending"]
        return found != []

    until(is_there, "the next question")
    return found[0]


@pytest.mark.parametrize("width", [1440, 360])
def test_a_chat_of_twenty_turns_reads_as_a_chat(page: Page, chat: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"/executions/{chat}")
    talk = page.get_by_role("list", name="Conversation")
    turns = talk.locator("> li")
    expect(turns).to_have_count(3 * TURNS + 1)  # each a question, its answer and the reply; and the open question
    texts = [re.sub(r"\s+", " ", text) for text in turns.all_text_contents()]
    for number in range(TURNS):
        asked_for, message, reply = texts[3 * number : 3 * number + 3]
        assert "What next?" in asked_for
        assert message.startswith("ann")
        assert message.endswith(f"message {number + 1}")
        assert reply.startswith("Reply")
        assert reply.endswith(f"You wrote message {number + 1}.")
    people = talk.locator("> li[data-by=person]")
    expect(people).to_have_count(TURNS)
    end = talk.evaluate("(list) => list.scrollHeight - list.scrollTop - list.clientHeight")
    assert end <= 1  # it is opened where it goes on
    fits(page, width)
    page.wait_for_load_state("networkidle")
    assert problems(page) == []
