"""The body of a request: how much of it is read, and that nothing in it is the server's own fault."""

import socket
from collections.abc import AsyncGenerator

import httpx
import pytest

from showcase_app.backend.api import bodies
from showcase_app.backend.api.bodies import MOST_BODY_BYTES
from tests.showcase.server import PATIENCE_SECONDS, Server

JSON = {"Content-Type": "application/json"}
LIMITS = {
    ("POST", "/api/session"): 16_384,
    ("DELETE", "/api/session"): 16_384,
    ("POST", "/api/nothing"): 16_384,
    ("POST", "/api/executions/x/cancel"): 16_384,
    ("POST", "/api/executions/x/rerun"): MOST_BODY_BYTES,
    ("POST", "/api/executions/x/rerun/plan"): MOST_BODY_BYTES,
    ("POST", "/api/executions/x/resume"): 16_384,
    ("POST", "/api/executions/bulk"): 1_048_576,
    ("POST", "/api/executions/import"): 33_555_456,
    ("POST", "/api/failures/x/mended"): 16_384,
    ("POST", "/api/interactions/bulk"): 1_048_576,
    ("POST", "/api/interactions/x/respond"): 1_048_576,
    ("POST", "/api/interactions/x/assign"): 16_384,
    ("POST", "/api/pipelines"): MOST_BODY_BYTES,
    ("PUT", "/api/pipelines/x"): MOST_BODY_BYTES,
    ("POST", "/api/pipelines/x/current"): 16_384,
    ("POST", "/api/pipelines/x/run-once"): MOST_BODY_BYTES,
    ("POST", "/api/pipelines/x/executions"): MOST_BODY_BYTES,
    ("POST", "/api/definitions/validate"): MOST_BODY_BYTES,
}
READS_NO_BODY = {"/api/session": {405, 204}, "/api/nothing": {404, 405}}


@pytest.fixture
def dialect() -> str:
    """Nothing here is about the database."""
    return "sqlite"


@pytest.mark.parametrize("is_announced", [True, False])
@pytest.mark.parametrize(("method", "path"), LIMITS, ids=str)
async def test_a_body_is_read_up_to_what_its_route_takes(
    api: httpx.AsyncClient, method: str, path: str, *, is_announced: bool
) -> None:
    limit = LIMITS[method, path]

    async def answer_to(size_bytes: int) -> httpx.Response:
        async def in_parts() -> AsyncGenerator[bytes]:
            for begin in range(0, size_bytes, 2**20):
                yield b" " * min(2**20, size_bytes - begin)

        content = b" " * size_bytes if is_announced else in_parts()
        return await api.request(method, path, content=content, headers=JSON)

    answers = [await answer_to(limit), await answer_to(limit + 1)]
    if answers[0].status_code != 422:  # nothing but space is no JSON; here no body is read at all
        assert {answer.status_code for answer in answers} <= READS_NO_BODY[path]
        return
    assert (answers[1].status_code, answers[1].headers["content-type"]) == (413, "application/problem+json")
    assert f"{limit:,} bytes" in answers[1].json()["detail"]
    assert answers[1].headers["x-content-type-options"] == "nosniff"


def send(server: Server, path: str, announced_bytes: int, body: bytes = b"") -> bytes:
    """The beginning of the answer to a request whose body never ends."""
    host, _, port = server.host.partition(":")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {announced_bytes}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as client:
        client.sendall(head.encode() + body)
        answer = client.recv(65536)
        while answer.startswith(b"HTTP/1.1 100") and answer.count(b"HTTP/1.1") == 1:
            answer += client.recv(65536)
    return answer


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    assert send(server, "/api/session", 17_000_000).startswith(b"HTTP/1.1 413 ")
    assert send(server, "/api/pipelines", MOST_BODY_BYTES + 1).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_stops_coming_is_waited_for_only_so_long(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_PAUSE_SECONDS", 0.05)
    for body in (b"", b'{"key": '):
        answer = send(server, "/api/session", 100, body)
        assert b"HTTP/1.1 408 Request Timeout" in answer
        assert b"connection: close" in answer.lower()


async def test_the_document_has_the_limit_of_each_body(api: httpx.AsyncClient) -> None:
    paths = (await api.get("/openapi.json")).json()["paths"]
    operations = {(method.upper(), path): each for path, of in paths.items() for method, each in of.items()}
    documented = {
        place: each["responses"]["413"]["description"] for place, each in operations.items() if "requestBody" in each
    }
    assert documented == {
        place: f"The body has more than {limit:,} bytes."
        for (method, path), limit in LIMITS.items()
        if "requestBody" in operations.get(place := (method, template_of(path)), ())
    }


def template_of(path: str) -> str:
    kind = path.split("/")[2]
    return path.replace("/x", f"/{{{kind.removesuffix('s')}_id}}")


@pytest.mark.parametrize(
    "value",
    [
        "[" * 5_000 + "]" * 5_000,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        "[" * 900 + "]" * 900,
        "9" * 5_000,
        "9" * 400,
        "NaN",
        "-Infinity",
        "1e999",
        '"\\ud800"',
        '"\\u0000"',
        '{"\\u0000": 1}',
        "[",
        "",
        '"',
        "\x00",
    ],
    ids=lambda value: value[:12],
)
async def test_nothing_in_a_body_is_a_fault_of_the_server(api: httpx.AsyncClient, value: str) -> None:
    pipeline = {"slug": "x", "name": "x", "steps": [{"id": "a", "type": "human_input"}], "flow": {"start_at": "a"}}
    stored = await api.post("/api/pipelines", json={"definition": pipeline})
    assert stored.status_code == 201, stored.text
    for method, path in LIMITS:
        for name in ("definition", "input_data", "key", "execution_ids", "filter", "step_output", "token"):
            content = f'{{"{name}": {value}}}'.encode()
            answer = await api.request(method, path, content=content, headers=JSON)
            assert answer.status_code < 500, (path, name)
