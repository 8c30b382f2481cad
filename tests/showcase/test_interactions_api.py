"""Questions to people over HTTP: found, answered, assigned to others; with keys in the key's name only."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx
import pytest

from ia_modules.database.manager import DatabaseManager
from showcase_app.backend.settings import ApiKey, Role
from tests.showcase.server import Server, running

OP = ApiKey(name="op", role=Role.OPERATOR, key="op-0123456789abcdef")
ANN = ApiKey(name="ann", role=Role.APPROVER, key="ann-0123456789abcdef")
BOB = ApiKey(name="bob", role=Role.APPROVER, key="bob-0123456789abcdef")
VIC = ApiKey(name="vic", role=Role.VIEWER, key="vic-0123456789abcdef")
SCHEMA = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}, "why": {"type": "string"}},
    "required": ["approved"],
}
YES, NO = {"approved": True}, {"approved": False, "why": "too dear"}


@pytest.fixture
def guarded(database_url: str) -> Generator[Server]:
    with running(Server(database_url, keys=(OP, ANN, BOB, VIC))) as server:
        yield server


@pytest.fixture
async def clients(guarded: Server) -> AsyncGenerator[dict[str, httpx.AsyncClient]]:
    """A client for each key, by its name."""
    clients = {key.name: guarded.client(headers={"Authorization": f"Bearer {key.key}"}) for key in (OP, ANN, BOB, VIC)}
    yield clients
    for client in clients.values():
        await client.aclose()


async def ask(
    api: httpx.AsyncClient, slug: str = "approve", *, input_data: dict[str, Any] | None = None, **config: Any
) -> str:
    """The id of a question that an execution of a pipeline of its own waits for."""
    step = {"id": "ask", "type": "human_input", "config": {"prompt": "Ship?", "ui_schema": SCHEMA, **config}}
    definition = {"name": slug, "slug": slug, "steps": [step], "flow": {"start_at": "ask"}}
    created = await api.post("/api/pipelines", json={"definition": definition})
    assert created.status_code in (201, 409), created.text
    started = await api.post(f"/api/pipelines/{slug}/executions", json={"input_data": input_data or {}})
    execution_id = started.json()["execution_id"]
    while not (questions := (await api.get(f"/api/executions/{execution_id}")).json()["interactions"]):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return questions[0]["interaction_id"]


async def respond(api: httpx.AsyncClient, interaction_id: str, response: object, **more: object) -> httpx.Response:
    return await api.post(f"/api/interactions/{interaction_id}/respond", json={"response": response, **more})


async def inbox(api: httpx.AsyncClient, **query: str) -> list[str]:
    answer = await api.get("/api/interactions", params=query)
    assert answer.status_code == 200, answer.text
    return [item["interaction_id"] for item in answer.json()["items"]]


async def ended(api: httpx.AsyncClient, execution_id: str) -> str:
    while (status := await status_of(api, execution_id)) not in ("completed", "failed"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return status


async def status_of(api: httpx.AsyncClient, execution_id: str) -> str:
    return (await api.get(f"/api/executions/{execution_id}")).json()["status"]


async def test_a_question_is_found_answered_and_its_execution_goes_on(api: httpx.AsyncClient) -> None:
    question_id = await ask(api)
    question = (await api.get(f"/api/interactions/{question_id}")).json()
    assert (question["prompt"], question["ui_schema"], question["status"]) == ("Ship?", SCHEMA, "pending")
    assert (question["step_id"], question["pipeline_name"], question["pipeline_version"]) == ("ask", "approve", 1)
    assert (question["assigned_users"], question["answers"], question["responses"]) == ([], 1, [])
    assert await inbox(api, status="pending") == [question_id]
    assert await inbox(api, status="pending", pipeline_id=question["pipeline_id"]) == [question_id]
    assert await inbox(api, status="answered") == await inbox(api, assigned_to="ann") == []

    answer = await respond(api, question_id, NO, responded_by="ann")
    assert answer.status_code == 202
    answered = answer.json()
    assert (answered["status"], answered["actor"], answered["verified"]) == ("answered", "ann", False)
    assert (answered["response"], answered["answered_by"]) == (NO, 1)
    assert await inbox(api, status="answered") == [question_id]
    assert await ended(api, question["execution_id"]) == "completed"
    steps = (await api.get(f"/api/executions/{question['execution_id']}")).json()["steps"]
    assert [step["output_data"] for step in steps] == [{"human_input": NO}]


async def test_what_led_to_a_question_comes_with_it(api: httpx.AsyncClient) -> None:
    question_id = await ask(api, input_data={"amount": 9007199254740993, "rate": 1.0})
    read = await api.get(f"/api/interactions/{question_id}")
    answered = await respond(api, question_id, YES)
    for answer in (read, answered):
        assert '"data":{},"input_data":{"amount":9007199254740993,"rate":1.0}' in answer.text


async def test_a_wrong_answer_is_refused_at_its_field_and_nothing_is_stored(
    api: httpx.AsyncClient, database: DatabaseManager
) -> None:
    question_id = await ask(api)
    for response, field in (({}, "response.approved"), ({"approved": "yes"}, "response.approved"), ([], "response")):
        answer = await respond(api, question_id, response)
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (422, "urn:ia-modules:invalid-answer")
        assert [(each["location"], each["field"]) for each in problem["errors"]] == [("body", field)]
    assert (await api.get(f"/api/interactions/{question_id}")).json()["responses"] == []
    assert await database.fetch_all_async("SELECT * FROM audit_log WHERE action = 'interaction.answer'") == []
    missing = await api.post("/api/interactions/0199c3f2-0000-7000-8000-000000000040/respond", json={"response": 1})
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:ia-modules:interaction-not-found")


async def test_who_comes_second_is_told_who_was_first_and_the_same_answer_is_the_same(
    api: httpx.AsyncClient, database: DatabaseManager
) -> None:
    question_id = await ask(api)
    first = await respond(api, question_id, YES, responded_by="ann")
    late = await respond(api, question_id, NO, responded_by="bob")
    problem = late.json()
    assert (late.status_code, problem["type"]) == (409, "urn:ia-modules:already-answered")
    assert "answered by ann" in problem["detail"]
    assert problem["answered"] == {"by": "ann", "at": first.json()["completed_at"]}
    again = await respond(api, question_id, YES, responded_by="ann")
    assert (again.status_code, again.json()) == (202, first.json())
    rows = await database.fetch_all_async("SELECT actor FROM audit_log WHERE action = 'interaction.answer'")
    assert [row["actor"] for row in rows] == ["ann"]


async def test_without_keys_a_name_is_needed_where_people_are_meant_and_held_to_the_assignment(
    api: httpx.AsyncClient,
) -> None:
    question_id = await ask(api, assigned_users=["ann", "bob"], answers="all")
    for body, found in (({}, "no name"), ({"responded_by": "eve"}, "'eve'")):
        answer = await respond(api, question_id, YES, **body)
        problem = answer.json()
        assert answer.status_code == 422
        assert problem["errors"][0]["field"] == "responded_by"
        assert found in problem["detail"]
    assert await inbox(api, assigned_to="ann") == [question_id]
    once = (await respond(api, question_id, NO, responded_by="ann")).json()
    assert (once["status"], once["answered_by"], once["response"]) == ("pending", 1, None)
    await respond(api, question_id, YES, responded_by="ann")
    twice = (await respond(api, question_id, YES, responded_by="bob")).json()
    assert (twice["status"], twice["actor"]) == ("answered", "bob")
    assert [(each["actor"], each["revision"], each["response"]) for each in twice["responses"]] == [
        ("ann", 1, NO),
        ("ann", 2, YES),
        ("bob", 1, YES),
    ]
    assert await ended(api, once["execution_id"]) == "completed"
    steps = (await api.get(f"/api/executions/{once['execution_id']}")).json()["steps"]
    assert [(each["actor"], each["response"]) for each in steps[0]["output_data"]["human_input"]["answers"]] == [
        ("ann", YES),
        ("bob", YES),
    ]


async def test_a_question_is_assigned_to_others(api: httpx.AsyncClient, database: DatabaseManager) -> None:
    question_id = await ask(api, assigned_users=["ann"])
    path = f"/api/interactions/{question_id}/assign"
    assigned = await api.post(path, json={"assigned_users": ["bob"]})
    assert (assigned.status_code, assigned.json()["assigned_users"]) == (200, ["bob"])
    assert (await respond(api, question_id, YES, responded_by="ann")).status_code == 422
    assert (await respond(api, question_id, YES, responded_by="bob")).status_code == 202
    assert (await api.post(path, json={"assigned_users": ["ann"]})).status_code == 409
    [row] = await database.fetch_all_async("SELECT actor, detail FROM audit_log WHERE action = 'interaction.assign'")
    assert (row["actor"], row["detail"]) == ("local", '{"assigned_users":["bob"]}')


async def test_many_questions_that_are_alike_get_the_same_answer_each_by_itself(api: httpx.AsyncClient) -> None:
    alike = [await ask(api) for _ in range(3)]
    other = await ask(api, "other")
    await respond(api, alike[0], NO, responded_by="ann")

    async def bulk(ids: list[str], response: object) -> httpx.Response:
        body = {"interaction_ids": ids, "response": response, "responded_by": "bob"}
        return await api.post("/api/interactions/bulk", json=body)

    for ids, response, field in (([alike[1], other], YES, "interaction_ids"), (alike[1:], {}, "response.approved")):
        refused = await bulk(ids, response)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    done = (await bulk([*alike, alike[1]], YES)).json()
    assert done["done"] == 2
    [left] = done["refused"]
    assert (left["interaction_id"], left["actor"]) == (alike[0], "ann")
    assert left["closed_at"] is not None
    for question_id in alike[1:]:
        assert (await api.get(f"/api/interactions/{question_id}")).json()["actor"] == "bob"


async def test_a_cancelled_execution_closes_its_questions(api: httpx.AsyncClient) -> None:
    question_id = await ask(api)
    execution_id = (await api.get(f"/api/interactions/{question_id}")).json()["execution_id"]
    await api.post(f"/api/executions/{execution_id}/cancel")
    late = await respond(api, question_id, YES)
    assert late.status_code == 409
    assert "by" not in late.json()["answered"]
    assert await inbox(api, status="cancelled") == [question_id]


async def test_questions_come_in_pages(api: httpx.AsyncClient) -> None:
    ids = [await ask(api) for _ in range(3)]
    page = (await api.get("/api/interactions", params={"limit": 2})).json()
    assert [item["interaction_id"] for item in page["items"]] == ids[:0:-1]
    assert await inbox(api, cursor=page["next_cursor"]) == ids[:1]
    for wrong in ({"cursor": "nothing"}, {"status": "open"}, {"whose": "ann"}):
        assert (await api.get("/api/interactions", params=wrong)).status_code == 422


async def pending(api: httpx.AsyncClient) -> int:
    """How many questions the caller is said to have."""
    answer = await api.get("/api/interactions/count")
    assert answer.status_code == 200, answer.text
    assert answer.json()["capped"] is False
    return answer.json()["pending"]


async def test_open_questions_are_counted_and_an_approver_is_told_of_its_own(
    clients: dict[str, httpx.AsyncClient],
) -> None:
    op, ann, bob, vic = (clients[name] for name in ("op", "ann", "bob", "vic"))
    assert await pending(op) == 0
    theirs = await ask(op, assigned_users=["ann"])
    await ask(op, "open")
    assert [await pending(each) for each in (op, vic, ann, bob)] == [2, 2, 2, 1]
    await respond(ann, theirs, YES)
    assert [await pending(each) for each in (op, ann, bob)] == [1, 1, 1]


async def test_with_keys_the_key_answers_and_nobody_else(clients: dict[str, httpx.AsyncClient]) -> None:
    op, ann, bob = clients["op"], clients["ann"], clients["bob"]
    theirs = await ask(op, assigned_users=["ann"])
    anybodys = await ask(op, "open")
    of_role = await ask(op, "role", assigned_role="approver")
    assert await inbox(ann) == [of_role, anybodys, theirs]
    assert await inbox(bob) == [of_role, anybodys]
    assert await inbox(op) == [of_role, anybodys, theirs]
    forged = await respond(ann, theirs, YES, responded_by="bob")
    assert (forged.status_code, forged.json()["errors"][0]["field"]) == (422, "responded_by")
    assert (await bob.get(f"/api/interactions/{theirs}")).status_code == 403
    for stranger in (bob, op):
        assert (await respond(stranger, theirs, YES)).status_code == 403
    together = await bob.post("/api/interactions/bulk", json={"interaction_ids": [anybodys, theirs], "response": YES})
    assert (together.status_code, await pending(bob)) == (403, 2)
    assert (await respond(op, of_role, YES)).status_code == 403
    answer = (await respond(ann, theirs, YES, responded_by="ann")).json()
    assert (answer["actor"], answer["verified"]) == ("ann", True)
    assert (await respond(bob, of_role, YES)).status_code == 202
    assert (await respond(op, anybodys, YES)).status_code == 202
    assert (await respond(ann, anybodys, NO)).json()["answered"]["by"] == "op"


async def test_with_keys_a_question_is_assigned_to_keys(clients: dict[str, httpx.AsyncClient]) -> None:
    op = clients["op"]
    path = f"/api/interactions/{await ask(op, assigned_users=['ann'])}/assign"
    refused = await op.post(path, json={"assigned_users": ["bob", "eve"]})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "assigned_users")
    assert (await op.post(path, json={"assigned_users": ["bob"]})).json()["assigned_users"] == ["bob"]
