"""The head of a request: how large it may be, and how long it may take."""

import asyncio
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from showcase_app.backend.api import connection
from showcase_app.backend.api.trust import MOST_HEAD_BYTES, MOST_HEADERS
from tests.showcase.server import PATIENCE_SECONDS, Server, running

BEGINNINGS = {
    "a header": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ",
    "a cookie": b"GET /health HTTP/1.1\r\nHost: localhost\r\nCookie: ",
    "an address": b"GET /health?",
    "a socket": b"GET /ws/executions HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX: ",
    "a trailer": b"POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    "a chunk": b"POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
}


@pytest.fixture
def dialect() -> str:
    """Nothing here is about the database."""
    return "sqlite"


@contextmanager
def connected(server: Server) -> Generator[socket.socket]:
    host, _, port = server.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as client:
        yield client


def received(client: socket.socket) -> bytes:
    """Everything up to the end of the connection; what the server sent before it cut the client off."""
    parts: list[bytes] = []
    with suppress(ConnectionError):
        parts.extend(iter(lambda: client.recv(65536), b""))
    return b"".join(parts)


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
async def test_what_does_not_end_is_cut_off_when_it_is_too_large(
    server: Server, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(connection, "_HEARD_OUT_SECONDS", 0.05)
    with connected(server) as client:
        client.sendall(beginning)
        with pytest.raises(ConnectionError):
            while True:
                await asyncio.to_thread(client.sendall, b"a" * 65536)
    assert (await api.get("/health")).status_code == 200


def test_who_is_cut_off_learns_the_limits(server: Server) -> None:
    for beginning in (BEGINNINGS["a header"], BEGINNINGS["an address"], BEGINNINGS["a socket"]):
        with connected(server) as client:
            client.sendall(beginning + b"a" * MOST_HEAD_BYTES)
            answer = received(client)
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert b"32,768 bytes or 100 headers" in answer


async def test_a_head_that_ends_is_refused_by_its_size_and_by_the_number_of_its_headers(api: httpx.AsyncClient) -> None:
    def many(count: int) -> Iterator[tuple[str, str]]:
        return ((f"x{number}", "1") for number in range(count))

    for headers, status in (
        ([("x", "a" * (MOST_HEAD_BYTES - 500))], 200),
        ([("x", "a" * (MOST_HEAD_BYTES + 1))], 431),
        ([*many(MOST_HEADERS - 10)], 200),
        ([*many(MOST_HEADERS + 1)], 431),
    ):
        answer = await api.get("/health", headers=headers)
        assert answer.status_code == status
        assert "content-security-policy" in answer.headers or status == 431


async def test_a_connection_that_says_nothing_or_too_slowly_is_closed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_HEAD_SECONDS", 0.05)
    with running(Server(database_url)) as server:
        for beginning in (b"", b"GET /health HTTP/1.1\r\nHost: loc"):
            with connected(server) as client:
                client.sendall(beginning)
                assert received(client) == b""


async def test_a_trailer_is_no_header(server: Server) -> None:
    request = (
        b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        b'Transfer-Encoding: chunked\r\n\r\nb\r\n{"key":"x"}\r\n0\r\nHost: evil.example\r\n\r\n'
    )
    with connected(server) as client:
        client.sendall(request)
        assert received(client).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "request_head",
    [
        "GET /ws/executions HTTP/1.1\r\nX: " + "a" * 9_000,
        "GET /ws/executions HTTP/1.1\r\nContent-Length: 1",
    ],
    ids=["a long header", "a body"],
)
def test_a_handshake_that_cannot_be_read_is_answered_and_keeps_no_server_from_stopping(
    database_url: str, request_head: str
) -> None:
    upgrade = "\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    with running(Server(database_url)) as server, connected(server) as client:
        client.sendall((request_head + upgrade).encode())
        answer = received(client)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"cannot be read" in answer
