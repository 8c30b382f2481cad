"""What an approver's key reaches: the questions that it may answer, and nothing else."""

import asyncio
import re
from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.inbox import Person
from showcase_app.backend.api.live import InboxFollower
from showcase_app.backend.settings import ApiKey, Role
from tests.showcase.server import PATIENCE_SECONDS, Server, receive, running
from tests.unit.tracker.test_inbox import ask

ANN = ApiKey(name="ann", role=Role.APPROVER, key="ann-0123456789abcdef")
OP = ApiKey(name="op", role=Role.OPERATOR, key="op-0123456789abcdef")

OPEN = {
    ("get", "/health"),
    ("get", "/health/ready"),
    ("get", "/api/session"),
    ("post", "/api/session"),
    ("delete", "/api/session"),
}
"""For everybody, without a key."""

FOR_APPROVERS = {
    ("get", "/api/interactions"),
    ("get", "/api/interactions/count"),
    ("get", "/api/interactions/{interaction_id}"),
    ("post", "/api/interactions/bulk"),
    ("post", "/api/interactions/{interaction_id}/respond"),
}
"""A route that is not here is closed to an approver: one that is to be open is named here and in ``trust.py``."""


@pytest.fixture
def guarded(database_url: str) -> Generator[Server]:
    with running(Server(database_url, keys=(ANN, OP), slots=0)) as server:
        yield server


@pytest.fixture
async def ann(guarded: Server) -> AsyncGenerator[httpx.AsyncClient]:
    async with guarded.client(headers=bearer(ANN)) as client:
        yield client


def bearer(key: ApiKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.key}"}


async def test_every_route_but_those_of_its_questions_is_closed_to_an_approver(
    guarded: Server, ann: httpx.AsyncClient, tracker: ExecutionTracker
) -> None:
    question_id = await ask(tracker, "nightly", users=["ann"])
    question = await tracker.get_interaction(question_id)
    assert question is not None
    places = {"interaction_id": question_id, "execution_id": question.execution_id, "pipeline_id": "nightly"}
    async with guarded.client(headers=bearer(OP)) as op:
        document: dict[str, Any] = (await op.get("/openapi.json")).json()
    reached = set[tuple[str, str]]()
    for path, operations in document["paths"].items():
        filled = re.sub(r"\{(\w+)\}", lambda part: places.get(part[1], "1"), path)
        for method in operations:
            answer = await ann.request(method, filled, json=None if method in ("get", "delete") else {})
            if answer.status_code != 403:
                reached.add((method, path))
            else:
                assert "'ann' is an approver" in answer.json()["detail"], (method, path)
    assert reached == OPEN | FOR_APPROVERS
    for path in ("/openapi.json", "/docs", "/metrics", "/api/nothing", "/api/interactions/", "/api/interactions/1/2"):
        assert (await ann.get(path)).status_code == 403, path
    for method in ("OPTIONS", "PUT", "PATCH", "DELETE"):
        assert (await ann.request(method, f"/api/interactions/{question_id}")).status_code == 403, method


async def test_an_approver_reads_with_its_question_what_led_to_it_and_answers(
    ann: httpx.AsyncClient, tracker: ExecutionTracker
) -> None:
    question_id = await ask(tracker, "nightly", users=["ann"])
    others = await ask(tracker, "nightly", users=["bob"])
    page = (await ann.get("/api/interactions")).json()
    assert [each["interaction_id"] for each in page["items"]] == [question_id]
    assert (await ann.get(f"/api/interactions/{question_id}")).json()["input_data"] == {"amount": 200}
    answered = await ann.post(f"/api/interactions/{question_id}/respond", json={"response": {}})
    assert (answered.status_code, answered.json()["actor"]) == (202, "ann")
    body: dict[str, Any] = {"response": {}, "interaction_ids": [others]}
    for refused in (
        await ann.get(f"/api/interactions/{others}"),
        await ann.post(f"/api/interactions/{others}/respond", json={"response": {}}),
        await ann.post("/api/interactions/bulk", json=body),
    ):
        assert refused.status_code == 403
        assert "is assigned to others, not to 'ann'" in refused.json()["detail"]
    assert (await ann.get("/api/interactions/0199c3f2-0000-7000-8000-0000000000a1")).status_code == 404


async def test_a_socket_tells_an_approver_that_its_questions_have_changed_and_never_of_executions(
    guarded: Server, tracker: ExecutionTracker
) -> None:
    others = await tracker.get_interaction(await ask(tracker, "nightly", users=["bob"]))
    assert others is not None
    with pytest.raises(InvalidStatus) as refused:
        async with guarded.watch(others.execution_id, additional_headers=bearer(ANN)):
            pass
    assert refused.value.response.status_code == 403
    async with connect(f"ws://{guarded.host}/ws/executions", additional_headers=bearer(ANN)) as socket:
        assert await receive(socket) == {"type": "resync"}
        await ask(tracker, "nightly", users=["ann"])
        assert await receive(socket) == {"type": "resync"}


class Executions:
    """Follows executions of which one changes whenever it is asked, so often."""

    def __init__(self, changes: int) -> None:
        self.left = changes

    async def next(self, patience_seconds: float) -> str | None:
        self.left -= 1
        return '{"type":"hints","items":[]}' if self.left >= 0 else None


async def test_what_changes_of_other_executions_is_not_told_to_an_approver(tracker: ExecutionTracker) -> None:
    executions = Executions(3)
    follower = InboxFollower(executions, tracker, Person(name="ann", role="approver"))
    assert await follower.next(60) == '{"type":"resync"}'
    await ask(tracker, "nightly", users=["bob"])
    assert await follower.next(0) is None
    assert await follower.next(60) is None
    assert executions.left == -1
    executions.left = 1
    await ask(tracker, "nightly", users=["ann"])
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await follower.next(60) == '{"type":"resync"}'
