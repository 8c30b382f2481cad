"""Requests with an `Idempotency-Key` that change something in place: sent twice, at once or later, they do it once.

Those that start, run again, resume and cancel have theirs in test_pipelines_api, test_steering_api and
test_executions_api.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.run_file_writing import write_run_file
from tests.showcase.asking import read
from tests.showcase.test_failures_api import fail
from tests.showcase.test_interactions_api import NO, YES, ask
from tests.showcase.test_run_files_api import in_base64
from tests.unit.run_files import pipeline_file, record_run

KEY = {"Idempotency-Key": "double-click"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One that changes something, and what somebody does after it, so that to do it again would be seen."""

    method: str
    path: str
    body: Any = None
    action: str
    then: tuple[str, str, Any] | None
    shown: Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Site:
    api: httpx.AsyncClient
    database: DatabaseManager
    tracker: ExecutionTracker
    folder: Path

    def shown(self, path: str, *names: str) -> Callable[[], Awaitable[Any]]:
        async def show() -> list[Any]:
            row = await read(self.api, path)
            return [row[name] for name in names]

        return show


def definition(name: str = "Keyed", note: str = "first") -> dict[str, Any]:
    step = {"id": "ask", "type": "human_input", "config": {"prompt": note}}
    return {"name": name, "slug": "keyed", "steps": [step], "flow": {"start_at": "ask"}}


async def stored(site: Site) -> str:
    answer = await site.api.post("/api/pipelines", json={"definition": definition()})
    assert answer.status_code == 201, answer.text
    for note in ("second", "third"):
        answer = await site.api.put("/api/pipelines/keyed", json={"definition": definition(note=note)})
        assert answer.status_code == 200, answer.text
    return answer.json()["id"]


async def create(site: Site) -> Request:
    return Request(
        method="POST",
        path="/api/pipelines",
        body={"definition": definition()},
        action="pipeline.create",
        then=("DELETE", "/api/pipelines/keyed", None),
        shown=site.shown("/api/pipelines/keyed", "is_active", "current_version"),
    )


async def store(site: Site) -> Request:
    await stored(site)
    return Request(
        method="PUT",
        path="/api/pipelines/keyed",
        body={"definition": definition(note="fourth"), "base_version": 3, "if_stale": "beside"},
        action="pipeline.update",
        then=("POST", "/api/pipelines/keyed/current", {"version": 1}),
        shown=site.shown("/api/pipelines/keyed", "current_version", "owner"),
    )


async def refuse_stale(site: Site) -> Request:
    await stored(site)
    return Request(
        method="PUT",
        path="/api/pipelines/keyed",
        body={"definition": definition(note="fourth"), "base_version": 3},
        action="pipeline.update",
        then=("DELETE", "/api/pipelines/keyed", None),
        shown=site.shown("/api/pipelines/keyed", "is_active", "current_version"),
    )


async def choose(site: Site) -> Request:
    await stored(site)
    return Request(
        method="POST",
        path="/api/pipelines/keyed/current",
        body={"version": 1, "base_version": 3},
        action="pipeline.make_current",
        then=("PUT", "/api/pipelines/keyed", {"definition": definition(note="third")}),
        shown=site.shown("/api/pipelines/keyed", "current_version"),
    )


async def archive(site: Site) -> Request:
    await stored(site)
    return Request(
        method="DELETE",
        path="/api/pipelines/keyed",
        action="pipeline.archive",
        then=("PUT", "/api/pipelines/keyed", {"definition": definition(note="third")}),
        shown=site.shown("/api/pipelines/keyed", "is_active"),
    )


def marking(path: str, action: str, then: str, body: Any = None) -> Callable[[Site], Awaitable[Request]]:
    async def mark(site: Site) -> Request:
        pipeline_id = await stored(site)
        await fail(site.tracker, (await Client(site.database, tracker=site.tracker).pipeline(pipeline_id)).id, "no row")
        [group] = (await read(site.api, "/api/failures"))["items"]
        address = f"/api/failures/{group['id']}"
        return Request(
            method="POST",
            path=f"{address}/{path}",
            body=body,
            action=action,
            then=("POST", f"{address}/{then}", None),
            shown=site.shown(address, "state", "mended_in_version", "marked_at"),
        )

    return mark


async def answer(site: Site) -> Request:
    question_id = await ask(site.api, assigned_users=["ann", "bob"], answers=2)
    address = f"/api/interactions/{question_id}"
    return Request(
        method="POST",
        path=f"{address}/respond",
        body={"response": YES, "responded_by": "ann"},
        action="interaction.answer",
        then=("POST", f"{address}/respond", {"response": NO, "responded_by": "ann"}),
        shown=site.shown(address, "status", "responses"),
    )


async def answer_many(site: Site) -> Request:
    ids = [await ask(site.api, assigned_users=["ann", "bob"], answers=2) for _ in range(2)]
    address = f"/api/interactions/{ids[0]}"
    return Request(
        method="POST",
        path="/api/interactions/bulk",
        body={"interaction_ids": ids, "response": YES, "responded_by": "ann"},
        action="interaction.answer",
        then=("POST", f"{address}/respond", {"response": NO, "responded_by": "ann"}),
        shown=site.shown(address, "status", "responses"),
    )


async def assign(site: Site) -> Request:
    question_id = await ask(site.api)
    address = f"/api/interactions/{question_id}"
    return Request(
        method="POST",
        path=f"{address}/assign",
        body={"assigned_users": ["ann"]},
        action="interaction.assign",
        then=("POST", f"{address}/assign", {"assigned_users": ["bob"]}),
        shown=site.shown(address, "assigned_users", "sequence"),
    )


async def take_in(site: Site) -> Request:
    async with DatabaseManager(f"sqlite:///{site.folder / 'source.db'}") as source:
        execution_id = await record_run(source, site.folder)
        await write_run_file(source, execution_id, site.folder / "run.iarun", actor="ann")
    async with Client(site.database) as client:
        await client.register(pipeline_file(site.folder))
    return Request(
        method="POST",
        path="/api/executions/import",
        body=in_base64((site.folder / "run.iarun").read_bytes()),
        action="execution.import",
        then=None,
        shown=site.shown(f"/api/executions/{execution_id}", "status", "imported_at"),
    )


REQUESTS: dict[str, Callable[[Site], Awaitable[Request]]] = {
    "create": create,
    "store, else beside": store,
    "store, else refused": refuse_stale,
    "choose": choose,
    "archive": archive,
    "mute": marking("mute", "failure.mute", "unmute"),
    "unmute": marking("unmute", "failure.unmute", "mute"),
    "mend": marking("mended", "failure.mend", "mute", {"version": 1}),
    "answer": answer,
    "answer many": answer_many,
    "assign": assign,
    "take in": take_in,
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_request_with_a_key_does_once_what_is_sent_twice_at_once_and_again_much_later(
    api: httpx.AsyncClient, database: DatabaseManager, tracker: ExecutionTracker, tmp_path: Path, name: str
) -> None:
    request = await REQUESTS[name](Site(api, database, tracker, tmp_path))
    before = await deeds(database, request.action)

    async def send() -> httpx.Response:
        return await api.request(request.method, request.path, json=request.body, headers=KEY)

    first, second = await asyncio.gather(send(), send())
    assert first.is_success, first.text
    assert second.is_success, second.text
    done = await deeds(database, request.action) - before
    assert done == (2 if name == "answer many" else 1), "each question once"
    if name == "take in":
        assert first.json() == second.json(), "what it brought"
    if request.then is not None:
        method, path, body = request.then
        answered = await api.request(method, path, json=body)
        assert answered.is_success, answered.text
    shown, since = await request.shown(), await deeds(database, request.action)
    again = await send()
    assert again.is_success, again.text
    assert (await request.shown(), await deeds(database, request.action)) == (shown, since)


async def test_another_key_does_it_again(api: httpx.AsyncClient, database: DatabaseManager) -> None:
    await api.post("/api/pipelines", json={"definition": definition()})
    for key in ("one", "two"):
        await api.put("/api/pipelines/keyed", json={"definition": definition()})
        assert (await read(api, "/api/pipelines/keyed"))["is_active"]
        assert (await api.delete("/api/pipelines/keyed", headers={"Idempotency-Key": key})).is_success
        assert not (await read(api, "/api/pipelines/keyed"))["is_active"]
    assert await deeds(database, "pipeline.archive") == 2


async def deeds(database: DatabaseManager, action: str) -> int:
    rows = await database.fetch_all_async("SELECT audit_id FROM audit_log WHERE action = :action", {"action": action})
    return len(rows)
