"""A server with keys goes on answering while somebody without one, or somebody with one, does what costs it most."""

import asyncio
import http.cookies
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from showcase_app.backend.settings import ApiKey, Role
from tests.showcase.server import Server, running

KEY = ApiKey(name="ada", role=Role.OPERATOR, key="ada-0123456789abcdef")
BEARER = {"Authorization": f"Bearer {KEY.key}"}
BACKSLASHES = {"Cookie": 'a="' + "\\" * 30_000 + '"'}
JSON = {"Content-Type": "application/json"}

Attack = Callable[[Server, httpx.AsyncClient], Awaitable[object]]


@pytest.fixture
def dialect() -> str:
    """Nothing here is about the database."""
    return "sqlite"


@asynccontextmanager
async def connection_to(server: Server) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = server.host.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def cookies(_: Server, client: httpx.AsyncClient) -> None:
    await client.get("/api/session", headers=BACKSLASHES)


async def long_cookies(_: Server, client: httpx.AsyncClient) -> None:
    await client.get("/api/session", headers={"Cookie": 'a="' + "\\" * 400_000 + '"'})


async def cookies_of_sockets(server: Server, _: httpx.AsyncClient) -> None:
    async with connect(f"ws://{server.host}/ws/executions", additional_headers=BACKSLASHES) as socket:
        await socket.recv()


async def many_headers(server: Server, _: httpx.AsyncClient) -> None:
    async with connection_to(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + b"x: 1\r\n" * 5_000 + b"\r\n")
        await reader.read()


async def large_bodies(_: Server, client: httpx.AsyncClient) -> None:
    await client.post("/api/session", content=b'{"key": "' + b"x" * 17_000_000, headers=JSON)


async def wrong_keys(_: Server, client: httpx.AsyncClient) -> None:
    await client.get("/api/executions", headers={"Authorization": "Bearer " + "x" * 30_000})


async def wrong_sign_ins(_: Server, client: httpx.AsyncClient) -> None:
    await client.post("/api/session", json={"key": "x" * 1000})


async def silent_connections(server: Server, _: httpx.AsyncClient) -> None:
    async with connection_to(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n")
        await reader.read()


async def bars(_: Server, client: httpx.AsyncClient) -> None:
    definition = {"name": "x", "steps": [{"id": "a", "inputs": {"x": "|" * 60_000}}], "flow": {"start_at": "a"}}
    await client.post("/api/definitions/validate", json={"definition": definition}, headers=BEARER)


ATTACKS: list[Attack] = [
    cookies,
    long_cookies,
    cookies_of_sockets,
    many_headers,
    large_bodies,
    wrong_keys,
    wrong_sign_ins,
    silent_connections,
    bars,
]


@asynccontextmanager
async def under(attack: Attack, server: Server, at_once: int) -> AsyncGenerator[None]:
    """While several clients do this again and again."""

    async def again_and_again() -> None:
        async with server.client() as client:
            while True:
                with suppress(httpx.HTTPError, WebSocketException, OSError):
                    await attack(server, client)

    attackers = [asyncio.create_task(again_and_again()) for _ in range(at_once)]
    try:
        yield
    finally:
        for attacker in attackers:
            attacker.cancel()
        ended = await asyncio.gather(*attackers, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_a_server_with_keys_is_healthy_while_it_is_attacked(database_url: str, attack: Attack) -> None:
    with running(Server(database_url, keys=(KEY,))) as server:
        async with (
            under(attack, server, at_once=4),
            server.client() as client,
        ):
            for _ in range(10):
                health = (await client.get("/health")).json()
                assert health["status"] == "healthy", health


async def test_no_cookie_reaches_a_parser_that_others_can_slow_down(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    monkeypatch.setattr(http.cookies, "_unquote", lambda text: parsed.append(text) or text)
    with running(Server(database_url, keys=(KEY,))) as server:
        async with server.client() as client:
            for path in ("/", "/health", "/api/session", "/api/executions", "/docs"):
                answer = await client.get(path, headers=BACKSLASHES)
                assert answer.status_code == (401 if path in ("/api/executions", "/docs") else 200), path
                answer = await client.get(path, headers=BACKSLASHES | BEARER)
                assert answer.status_code == 200, path
        for headers in (BACKSLASHES, BACKSLASHES | BEARER):
            with suppress(WebSocketException):
                async with connect(f"ws://{server.host}/ws/executions/nobody", additional_headers=headers) as socket:
                    await socket.recv()
    assert parsed == []


async def test_wrong_keys_are_counted_wherever_they_are_shown(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running(Server(database_url, keys=(KEY,))) as server:
        async with server.client() as client:
            for path in ("/api/executions", "/api/session", "/health", "/metrics"):
                await client.get(path, headers={"Authorization": "Bearer guessed-0123456789"})
            await client.post("/api/session", json={"key": "guessed-0123456789"})
            await client.get("/api/executions", headers={"Cookie": "ia_session=old"})  # as when its key was taken away
            async with connect(
                f"ws://{server.host}/ws/executions", additional_headers={"Authorization": "Bearer guessed"}
            ) as socket:
                with suppress(WebSocketException):
                    await socket.recv()
            numbers = (await client.get("/metrics", headers=BEARER)).text
    assert "ia_wrong_keys_total 6.0" in numbers.splitlines()
    assert caplog.messages == ["Refused a wrong key from 127.0.0.1; 1 since the server started."]
    assert "guessed" not in caplog.text
