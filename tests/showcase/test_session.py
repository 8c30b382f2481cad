from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from showcase_app.backend.settings import ApiKey, Role
from tests.showcase.server import Server, running

ADA = ApiKey(name="ada", role=Role.OPERATOR, key="ada-0123456789abcdef")
BOB = ApiKey(name="bob", role=Role.VIEWER, key="bob-0123456789abcdef")
GUARDED = ("/api/executions", "/api/executions/statistics", "/docs", "/openapi.json", "/metrics", "/api/nothing")
OPEN = ("/", "/health", "/health/ready", "/api/session")
SIGNED_IN = {"signed_in": True, "run_file": False}


@pytest.fixture
def dialect() -> str:
    """Nothing here is about the database."""
    return "sqlite"


@pytest.fixture
def server(database_url: str) -> Generator[Server]:
    with running(Server(database_url, keys=(ADA, BOB))) as server:
        yield server


@pytest.fixture
async def page(server: Server) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser that shows a page of the server: it keeps cookies and says where a write comes from."""
    async with server.client(headers={"Origin": server.url}) as client:
        yield client


def bearer(key: ApiKey | str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key if isinstance(key, str) else key.key}"}


async def sign_in(page: httpx.AsyncClient, key: ApiKey) -> httpx.Response:
    return await page.post("/api/session", json={"key": key.key})


async def test_without_a_key_only_the_pages_the_health_and_the_question_who_i_am_are_answered(
    api: httpx.AsyncClient,
) -> None:
    for path in GUARDED:
        answer = await api.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
        assert answer.headers["content-type"] == "application/problem+json"
    for path in OPEN:
        assert (await api.get(path)).status_code == 200, path
    assert (await api.get("/api/session")).json() == {
        "actor": "anonymous",
        "role": "viewer",
        "keys_required": True,
        "run_file": False,
        "signed_in": False,
    }


async def test_a_write_needs_a_key_wherever_it_goes(api: httpx.AsyncClient) -> None:
    for path in ("/api/pipelines", "/", "/health"):
        assert (await api.post(path, json={})).status_code == 401, path


async def test_a_sign_in_that_fails_goes_to_the_log_without_its_key(
    api: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await api.post("/api/session", json={"key": "guessed-0123456789"})).status_code == 401
    assert caplog.messages == ["Refused a wrong key from 127.0.0.1; 1 since the server started."]
    assert "guessed" not in caplog.text


async def test_a_program_calls_with_its_key(api: httpx.AsyncClient) -> None:
    for key, role in ((ADA, "operator"), (BOB, "viewer")):
        answer = await api.get("/api/session", headers=bearer(key))
        assert answer.json() == {"actor": key.name, "role": role, **SIGNED_IN, "keys_required": True}
        assert (await api.get("/api/executions", headers=bearer(key))).status_code == 200


@pytest.mark.parametrize("key", ["x", ADA.key[:-1], ADA.key + "x", ADA.key.upper(), "\xe9", "ada"])
async def test_a_key_that_is_nobodys_is_refused(api: httpx.AsyncClient, key: str) -> None:
    headers = [(b"Authorization", f"Bearer {key}".encode("latin-1"))]
    assert (await api.get("/api/executions", headers=headers)).status_code == 401
    answer = await api.post("/api/session", json={"key": key})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_a_page_signs_in_once_and_out_again(page: httpx.AsyncClient) -> None:
    signed_in = await sign_in(page, ADA)
    assert (signed_in.status_code, signed_in.json()["actor"]) == (200, "ada")
    attributes = {part.strip().lower() for part in signed_in.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", "max-age=2592000"} <= attributes
    assert "secure" not in attributes
    assert ADA.key not in signed_in.headers["set-cookie"]
    assert (await page.get("/api/session")).json()["actor"] == "ada"
    assert (await page.get("/api/executions")).status_code == 200
    assert (await page.delete("/api/session")).status_code == 204
    assert (await page.get("/api/executions")).status_code == 401


async def test_the_cookie_is_secure_when_the_page_came_over_https(page: httpx.AsyncClient) -> None:
    by_a_proxy = {"X-Forwarded-Proto": "https"}  # uvicorn takes its word from a proxy on this machine
    answer = await page.post("/api/session", json={"key": ADA.key}, headers=by_a_proxy)
    assert "; secure" in answer.headers["set-cookie"].lower()


async def test_a_session_holds_on_other_servers_and_ends_with_its_key(
    database_url: str, page: httpx.AsyncClient
) -> None:
    session = (await sign_in(page, ADA)).cookies["ia_session"]
    new_key = ApiKey(name="ada", role=Role.OPERATOR, key="another-0123456789")
    for keys, status in (((BOB, ADA), 200), ((ADA,), 200), ((new_key, BOB), 401)):
        with running(Server(database_url, keys=keys)) as other:
            async with other.client(cookies={"ia_session": session}) as client:
                assert (await client.get("/api/executions")).status_code == status


async def test_a_session_that_was_changed_is_nobodys(page: httpx.AsyncClient) -> None:
    session = (await sign_in(page, BOB)).cookies["ia_session"]
    page.cookies.clear()
    for forged in ("", "x", session[:-2], session.replace("session", "sessions"), f"{session}x", "a.b.c"):
        headers = {"Cookie": f"ia_session={forged}"}
        assert (await page.get("/api/executions", headers=headers)).status_code == 401, forged
    assert (await page.get("/api/executions", headers={"Cookie": f"other=1; ia_session={session}"})).status_code == 200


async def test_a_viewer_looks_and_changes_nothing(page: httpx.AsyncClient) -> None:
    await sign_in(page, BOB)
    assert (await page.get("/api/executions")).status_code == 200
    for method, path in (
        ("POST", "/api/pipelines"),
        ("PUT", "/api/pipelines/x"),
        ("DELETE", "/api/pipelines/x"),
        ("POST", "/api/executions/x/cancel"),
        ("PATCH", "/api/nothing"),
    ):
        answer = await page.request(method, path)
        assert answer.status_code == 403, path
        assert "viewer" in answer.json()["detail"]


async def test_a_socket_without_a_key_is_told_so_before_anything_else(server: Server) -> None:
    for path in ("/ws/executions", "/ws/executions/nobody"):
        for headers in ({}, bearer("wrong")):
            async with connect(f"ws://{server.host}{path}", additional_headers=headers) as client:
                with pytest.raises(ConnectionClosed) as closed:
                    await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401


async def test_a_socket_opens_for_a_key_and_for_a_session(server: Server, page: httpx.AsyncClient) -> None:
    session = (await sign_in(page, BOB)).cookies["ia_session"]
    others = "; ".join(f"app{number}={'v' * 1000}" for number in range(20))
    cookies = (f"ia_session={session}", f"{others}; ia_session={session}; last=1")
    for headers in (bearer(BOB), *({"Cookie": each, "Origin": server.url} for each in cookies)):
        async with connect(f"ws://{server.host}/ws/executions/nobody", additional_headers=headers) as client:
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404  # it was let in, and there is no such execution


async def test_without_keys_everybody_on_this_machine_is_local(database_url: str) -> None:
    local: dict[str, Any] = {"actor": "local", "role": "operator", **SIGNED_IN, "keys_required": False}
    with running(Server(database_url)) as server:
        async with server.client() as client:
            assert (await client.get("/api/session")).json() == local
            assert (await client.post("/api/session", json={"key": "whatever"})).json() == local


async def test_the_document_names_the_keys_and_who_is_refused(api: httpx.AsyncClient) -> None:
    document = (await api.get("/openapi.json", headers=bearer(BOB))).json()
    assert set(document["components"]["securitySchemes"]) == {"key", "session"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            guarded = path != "/api/session" and path.startswith(("/api", "/metrics"))
            assert ("security" in operation) == guarded, path
            assert ("401" in operation["responses"]) or not guarded, path
            assert "403" in operation["responses"], path
            assert ("415" in operation["responses"]) == (method != "get"), path


async def test_an_execution_names_the_page_or_the_program_and_the_key_that_started_it(
    page: httpx.AsyncClient, api: httpx.AsyncClient
) -> None:
    definition = {"name": "Ask", "steps": [{"id": "ask", "type": "human_input"}]}
    definition |= {"flow": {"start_at": "ask", "paths": []}}
    await sign_in(page, ADA)
    assert (await page.post("/api/pipelines", json={"definition": definition})).status_code == 201
    by_hand = (await page.post("/api/pipelines/ask/executions", json={})).json()["execution_id"]
    by_program = await api.post("/api/pipelines/ask/executions", json={}, headers=bearer(ADA))
    again = await api.post(f"/api/executions/{by_hand}/rerun", json={}, headers=bearer(ADA))

    async def started(execution_id: str) -> tuple[str, str]:
        found = (await page.get(f"/api/executions/{execution_id}")).json()
        return found["trigger"], found["started_by"]

    assert await started(by_hand) == ("page", "ada")
    assert await started(by_program.json()["execution_id"]) == ("api", "ada")
    assert await started(again.json()["execution_id"]) == ("rerun", "ada")
