"""Questions to people on the pages: found in the inbox, answered there and where they are asked, by one or many."""

import json
import re
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.browser.site import Site, fits, question_of

EXACT = 9007199254740993


def ask(site: Site, **input_data: Any) -> tuple[str, str]:
    """An execution of Payment that waits, and its question."""
    execution_id = site.start_execution("payment", input_data)
    with site.api() as api:
        return execution_id, question_of(api, execution_id)


def ask_with(site: Site, name: str, **config: Any) -> str:
    """The question that an execution of a pipeline of its own waits with."""
    steps = [{"id": "ask", "type": "human_input", "config": config}]
    definition = {"name": name, "steps": steps, "flow": {"start_at": "ask", "paths": [{"from": "ask", "to": "end"}]}}
    with site.api() as api:
        stored = api.post("/api/pipelines", json={"definition": definition}).raise_for_status().json()
        return question_of(api, site.start_execution(stored["slug"], {}))


def respond(site: Site, question_id: str, name: str, **response: Any) -> None:
    with site.api() as api:
        body = {"response": response, "responded_by": name}
        api.post(f"/api/interactions/{question_id}/respond", json=body).raise_for_status()


def answers_of(site: Site, question_id: str) -> str:
    """The answers on record, as the server has them."""
    with site.api() as api:
        return json.dumps(api.get(f"/api/interactions/{question_id}").json()["responses"])


def steps_of(site: Site, execution_id: str) -> list[str]:
    return [step["step_id"] for step in site.execution(execution_id)["steps"]]


def row(page: Page, question_id: str) -> Any:
    return page.locator(f"[data-question='{question_id}']")


def answer(page: Page, choice: str, reason: str = "") -> None:
    page.get_by_role("radio", name=choice, exact=True).check()
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Send answer").click()


def test_two_executions_wait_in_the_inbox_and_go_on_live_down_the_branch_that_was_answered(
    page: Page, site: Site
) -> None:
    page.goto("/inbox")
    expect(page.locator("[data-live=live]")).to_be_visible()
    paid, to_pay = ask(site, payee="ann", amount=200)
    declined, to_decline = ask(site, payee="bob", amount=900)
    for question_id, prompt in ((to_pay, "Pay 200 to ann?"), (to_decline, "Pay 900 to bob?")):
        expect(row(page, question_id)).to_contain_text(prompt)  # by itself
        expect(row(page, question_id)).to_contain_text("anybody")
    with site.api() as api:
        waiting = api.get("/api/interactions/count").json()["pending"]
    count = page.get_by_role("navigation").get_by_role("link", name=re.compile("^Inbox"))
    expect(count).to_have_accessible_name(f"Inbox {waiting} waiting")

    watching = page.context.new_page()
    watching.goto(f"/executions/{paid}")
    expect(watching.get_by_role("heading", name="Approve waits for anybody")).to_be_visible()
    watching.evaluate("window.notReloaded = true")

    row(page, to_pay).get_by_role("link").click()
    page.wait_for_url(f"**/inbox/{to_pay}")
    expect(page.get_by_role("region", name="Question").locator("strong")).to_have_text("200")
    data = page.get_by_role("tree", name="Data of the question")
    expect(data.get_by_role("treeitem").filter(has_text=f"number:{EXACT}")).to_be_visible()
    answer(page, "Yes")
    expect(page.get_by_text("Answered by local (not verified)", exact=False)).to_be_visible()

    expect(watching.locator("header").get_by_text("Completed").first).to_be_visible()
    expect(watching.get_by_role("heading", name="Approve waits for anybody")).to_have_count(0)
    assert watching.evaluate("window.notReloaded") is True
    watching.close()
    assert steps_of(site, paid) == ["approve", "pay"]

    page.goto(f"/executions/{declined}")  # the other one where it is asked
    page.get_by_label("Your name").fill("zoe")
    answer(page, "No", "too dear")
    expect(page.locator("header").get_by_text("Completed").first).to_be_visible()
    assert steps_of(site, declined) == ["approve", "decline"]

    page.goto("/inbox?status=answered")
    expect(row(page, to_decline)).to_contain_text("Answered by zoe (not verified)")
    row(page, to_decline).get_by_role("link").click()
    record = page.get_by_role("region", name="Answer on record")
    expect(record).to_contain_text("too dear")
    expect(record).to_contain_text("zoe (not verified)")


def test_what_waits_is_counted_on_the_closed_menu_of_a_narrow_screen_live(page: Page, site: Site) -> None:
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto("/executions")
    expect(page.locator("[data-live=live]")).to_be_visible()
    ask(site)
    with site.api() as api:
        waiting = api.get("/api/interactions/count").json()["pending"]
    menu = page.get_by_role("button", name=f"Navigation, {waiting} waiting in the inbox")
    expect(menu).to_be_visible()
    expect(page.locator("header").get_by_text(str(waiting), exact=True)).to_be_visible()
    fits(page)
    menu.click()
    expect(page.get_by_role("link", name=f"Inbox {waiting} waiting")).to_be_in_viewport()
    expect(page.locator("header").get_by_text(str(waiting), exact=True)).to_have_count(0)


def test_the_inbox_keeps_its_filters_in_the_address(page: Page, site: Site) -> None:
    anns = ask_with(site, "For ann", prompt="For ann?", assigned_users=["ann"])
    bobs = ask_with(site, "For bob", prompt="For bob?", assigned_users=["bob"])
    page.goto("/inbox")
    expect(row(page, bobs)).to_be_visible()
    page.get_by_label("Assigned to").fill("ann")
    page.wait_for_url(re.compile(r"/inbox\?assigned_to=ann$"))
    expect(row(page, bobs)).to_have_count(0)
    page.get_by_role("radiogroup", name="Status").get_by_text("Answered").click()
    page.wait_for_url("**status=answered**")
    expect(page.get_by_text("No question matches")).to_be_visible()
    page.go_back()
    page.reload()
    expect(row(page, anns)).to_be_visible()
    expect(page.get_by_label("Assigned to")).to_have_value("ann")


def test_a_wrong_answer_is_refused_at_its_field_here_and_by_the_server(page: Page, site: Site) -> None:
    _, question_id = ask(site)
    page.goto(f"/inbox/{question_id}")
    reason = page.get_by_label("Reason")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    page.get_by_role("radio", name="No", exact=True).check()
    reason.fill("x" * 41)
    page.get_by_role("button", name="Send answer").click()
    expect(reason).to_have_accessible_description(re.compile("At most 40"))
    assert answers_of(site, question_id) == "[]"

    of_words = {"type": "string", "pattern": "(?i)^[a-z ]*$"}  # as no browser knows it
    schema = {"type": "object", "properties": {"reason": of_words}}
    question_id = ask_with(site, "In words", prompt="Why?", ui_schema=schema)
    page.goto(f"/inbox/{question_id}")
    reason.fill("42")
    page.get_by_role("button", name="Send answer").click()
    expect(reason).to_have_attribute("aria-invalid", "true")
    expect(reason).to_be_focused()
    assert answers_of(site, question_id) == "[]"
    reason.fill("too dear")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_text("Answered by local (not verified)", exact=False)).to_be_visible()


def test_a_second_answer_from_another_session_is_refused_with_who_was_first_and_what_was_typed_stays(
    page: Page, browser: Browser, site: Site
) -> None:
    _, question_id = ask(site)
    page.route_web_socket("**/ws/executions", lambda _: None)  # it is not told that somebody was first
    page.goto(f"/inbox/{question_id}")
    page.get_by_label("Your name").fill("bob")
    page.get_by_role("radio", name="No", exact=True).check()
    page.get_by_label("Reason").fill("too dear")

    other = browser.new_context(base_url=site.url).new_page()
    other.goto(f"/inbox/{question_id}")
    other.get_by_label("Your name").fill("ann")
    answer(other, "Yes")
    expect(other.get_by_text("Answered by ann (not verified)", exact=False)).to_be_visible()
    other.context.close()

    page.get_by_role("button", name="Send answer").click()
    late = page.get_by_role("alert").filter(has_text="Answered by ann")
    expect(late).to_contain_text("Yours was not sent")
    expect(late.locator("time")).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("too dear")
    expect(page.get_by_role("button", name="Send answer")).to_be_disabled()
    assert "too dear" not in answers_of(site, question_id)


def test_an_untouched_form_sends_the_default_to_the_last_digit(page: Page, site: Site) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "integer", "title": "Id", "default": EXACT}}}
    question_id = ask_with(site, "Exact answer", prompt="Is it this one?", ui_schema=schema)
    page.goto(f"/inbox/{question_id}")
    expect(page.get_by_label("Id", exact=True)).to_have_value(str(EXACT))
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("region", name="Answer on record")).to_contain_text(str(EXACT))
    assert f'"response": {{"id": {EXACT}}}' in answers_of(site, question_id)


def test_several_people_answer_and_may_change_their_answer_until_it_is_decided(page: Page, site: Site) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    config: dict[str, Any] = {"assigned_users": ["ann", "bob", "eve"], "answers": 2, "decided_by": "ok"}
    config |= {"timeout_seconds": 86400, "on_timeout": {"ok": False}}
    question_id = ask_with(site, "Vote", prompt="Ship?", ui_schema=schema, **config)
    page.goto(f"/inbox/{question_id}")
    expect(page.get_by_text("0 answered; decided when 2 agree on “ok”")).to_be_visible()
    expect(page.get_by_text(re.compile("^in 23 h"))).to_be_visible()
    facts = page.locator("dl").first
    expect(facts).to_contain_text('{"ok":false} is added to the answers')
    expect(facts).to_contain_text("not yet: ann, bob, eve")
    page.get_by_role("radio", name="No", exact=True).check()
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_text("Say who answers.")).to_be_visible()
    page.get_by_label("Your name").fill("zoe")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_label("Your name")).to_have_accessible_description(re.compile("'zoe'"))
    page.get_by_label("Your name").fill("ann")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_text("1 answered; decided when 2 agree on “ok”")).to_be_visible()
    expect(facts).to_contain_text("ok: false 1; not yet: bob, eve")
    page.get_by_role("radio", name="Yes", exact=True).check()
    page.get_by_role("button", name="Change my answer").click()
    record = page.get_by_role("region", name="Answers on record").get_by_role("listitem")
    expect(record).to_have_count(2)
    expect(record.first).to_contain_text("changed since")
    respond(site, question_id, "bob", ok=True)
    expect(page.get_by_text("Answered by 2 people", exact=False)).to_be_visible()  # by itself
    expect(record).to_have_count(3)


def test_others_are_asked_instead_and_what_can_never_be_decided_is_refused_at_its_field(page: Page, site: Site) -> None:
    question_id = ask_with(site, "Holiday", prompt="Ship?", assigned_users=["ann", "bob"], answers=2)
    page.goto(f"/inbox/{question_id}")
    page.get_by_role("button", name="Ask others").click()
    dialog = page.get_by_role("dialog", name="Ask others")
    names = dialog.locator("input:visible")
    page.keyboard.press("Backspace")
    dialog.get_by_role("button", name="Ask them").click()
    expect(dialog.get_by_text("at least 2 names")).to_be_visible()
    names.fill("eve")
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Ask them").click()
    expect(dialog).to_have_count(0)
    expect(page.locator("dl").first).to_contain_text("ann, eve")
    expect(page.locator("dl").first).to_contain_text("not yet: ann, eve")
    page.goto("/inbox?assigned_to=eve")
    expect(row(page, question_id)).to_be_visible()


def test_what_the_deadline_has_decided_is_said(page: Page, site: Site) -> None:
    question_id = ask_with(site, "Soon", prompt="Soon?", timeout_seconds=0.5, on_timeout={"ok": False})
    page.goto(f"/inbox/{question_id}")
    expect(page.get_by_text("Nobody answered in time", exact=False)).to_be_visible()  # by itself
    expect(page.locator("dl").first).to_contain_text("What the deadline decided")
    expect(page.locator("dl").first).to_contain_text('the answer is {"ok":false}')


def test_many_that_are_alike_get_one_answer_and_those_answered_meanwhile_are_listed(page: Page, site: Site) -> None:
    ids = [ask(site, payee=name, amount=77)[1] for name in ("cleo", "dan", "eve")]
    page.goto("/inbox")
    for question_id in ids:
        row(page, question_id).get_by_role("checkbox").check()
    page.get_by_role("button", name="Answer…").click()
    dialog = page.get_by_role("dialog")
    for name in ("cleo", "dan", "eve"):
        expect(dialog.get_by_role("treeitem").filter(has_text=f'payee:"{name}"')).to_be_visible()
    respond(site, ids[0], "zoe", approved=False)
    dialog.get_by_role("radio", name="Yes").check()
    dialog.get_by_label("Your name").fill("bob")
    dialog.get_by_role("button", name="Answer 3 questions").click()
    expect(dialog.get_by_text("2 questions have this answer.")).to_be_visible()
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    expect(dialog.get_by_role("listitem")).to_contain_text("Answered by zoe")
    dialog.get_by_role("button", name="Close", exact=True).click()
    for question_id in ids:
        expect(row(page, question_id)).to_have_count(0)
    for question_id in ids[1:]:
        assert '"actor": "bob"' in answers_of(site, question_id)


HOSTILE = """# Pay?

<script>window.attacked = "script"</script>
<img src="x" onerror="window.attacked = 'onerror'">
<a href="javascript:window.attacked='raw link'">raw</a>
<iframe src="https://example.org"></iframe>

[first](javascript:window.attacked='link') [second](JaVaScRiPt:window.attacked='case')
[third](data:text/html,<script>alert(1)</script>) [fourth](/api/session) [fifth](//example.org)
![picture](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+) ![far](https://example.org/a.png)

[web](https://example.org/) **bold**
"""


def test_foreign_text_does_nothing_but_be_read(page: Page, site: Site) -> None:
    question_id = ask_with(site, "Hostile", prompt=HOSTILE)
    page.goto(f"/inbox/{question_id}")
    text = page.get_by_role("region", name="Question")
    expect(text.locator("strong")).to_have_text("bold")
    expect(text.locator("script, img, iframe, style, form, input")).to_have_count(0)
    expect(text).to_contain_text('window.attacked = "script"')  # as it was written
    links = text.locator("a")
    hrefs = [links.nth(place).get_attribute("href") for place in range(links.count())]
    assert hrefs == ["https://example.org/a.png", "https://example.org/"]
    for place in range(links.count()):
        expect(links.nth(place)).to_have_attribute("rel", "noopener noreferrer")
    assert page.evaluate("window.attacked") is None

    deep = ask_with(site, "Deeply nested", prompt=">" * 20_000)
    page.goto(f"/inbox/{deep}")
    expect(page.get_by_role("button", name="Send answer")).to_be_visible()
    expect(text.locator("blockquote")).to_have_count(0)
    page.goto("/inbox")
    expect(row(page, deep)).to_be_visible()
