"""Executions by an id of their caller's, over HTTP and the socket: it is any text, percent-encoded in addresses."""

import asyncio
import json
from urllib.parse import quote

import httpx

from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.showcase.asking import found, queue_some, read, refused
from tests.showcase.server import Server, receive

ALIASES = [
    "order-17",
    "a/b/steps",
    "Grüße, 世界 🚀",
    "100 % sure?#&=+",
    "%2F",
    "steps",
    "..",
    "a\nb",
    "x" * 200,
    "bulk",
]
START = "/api/pipelines/ask/executions"


def address(alias: str, rest: str = "") -> str:
    """The path of an execution; dots are encoded too, as they would be taken for folders."""
    return f"/api/executions/{quote(alias, safe='').replace('.', '%2E')}{rest}"


async def test_an_execution_is_named_by_any_text_of_its_callers(
    idle: httpx.AsyncClient, idle_server: Server, tracker: ExecutionTracker
) -> None:
    await queue_some(idle, 0)
    for alias in ALIASES:
        begun = (await idle.post(START, json={"execution_id": alias})).json()
        execution_id = begun["execution_id"]
        assert begun["alias"] == alias
        detail = await read(idle, address(alias))
        assert (detail["execution_id"], detail["alias"]) == (execution_id, alias)
        assert (await read(idle, address(alias, "/payloads")))["execution_id"] == execution_id
        assert (await read(idle, address(alias, "/steps")))["items"] == []
        assert (await read(idle, address(alias, "/logs")))["items"] == []
        assert (await read(idle, address(alias, "/changes")))["messages"][-1]["data"]["execution_id"] == execution_id
        export = await idle.get(address(alias, "/export"))
        assert export.json()["execution"]["alias"] == alias
        assert execution_id in export.headers["content-disposition"]
        assert execution_id in (await idle.get(address(alias, "/run-file"))).headers["content-disposition"]
        async with idle_server.watch(address(alias).removeprefix("/api/executions/")) as socket:
            assert (await receive(socket))["messages"][-1]["data"]["execution_id"] == execution_id
        large = {"input_data": {"text": "x" * 20_000}}  # more than routes take that declare nothing
        rerun = (await idle.post(address(alias, "/rerun"), json=large)).json()
        assert (rerun["rerun_of"], rerun["alias"]) == (execution_id, None)
        assert (await idle.post(address(alias, "/cancel"))).json()["status"] == "cancelled"
        assert await found(idle, q=alias[:9]) == [execution_id]
    bulk = {"action": "rerun", "execution_ids": ALIASES[:3]}
    assert (await idle.post("/api/executions/bulk", json=bulk)).json()["done"] == 3


async def test_a_start_sent_twice_starts_once_and_another_request_with_its_id_is_refused(
    idle: httpx.AsyncClient,
) -> None:
    await queue_some(idle, 0)
    body = {"execution_id": "order 17", "input_data": {"n": 1}}
    answers = await asyncio.gather(*(idle.post(START, json=body) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["execution_id"] for answer in answers}) == 1
    other = await idle.post(START, json=body | {"input_data": {"n": 2}})
    assert (other.status_code, other.json()["type"]) == (409, "urn:ia-modules:execution-id-conflict")
    row = await idle.post(START, json=body | {"execution_id": answers[0].json()["execution_id"]})
    assert row.status_code == 409
    for wrong in ("", "x" * 201, "NUL\0", 17):
        assert (await idle.post(START, json=body | {"execution_id": wrong})).status_code == 422
    half = await idle.post(
        START, content=json.dumps(body | {"execution_id": "\ud800"}), headers={"Content-Type": "application/json"}
    )
    assert half.status_code == 422


async def test_what_nobody_named_is_not_found(idle: httpx.AsyncClient) -> None:
    for name in ("nobody", "a%2Fb", "%E2%98%83", "100%"):
        assert (await refused(idle, f"/api/executions/{name}"))[0] == 404
    for name in ("%00", "%FF", "%ED%A0%80"):
        assert (await refused(idle, f"/api/executions/{name}"))[0] == 422
    assert (await refused(idle, f"/api/executions/{'x' * 201}"))[0] == 422


async def test_a_name_that_is_a_route_is_reached_encoded(idle: httpx.AsyncClient) -> None:
    await queue_some(idle, 0)
    begun = (await idle.post(START, json={"execution_id": "statistics"})).json()
    assert (await read(idle, "/api/executions/%73tatistics"))["execution_id"] == begun["execution_id"]
    assert "by_status" in await read(idle, "/api/executions/statistics")
