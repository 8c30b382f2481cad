"""One HTTP call with nothing but asyncio, so that a step that is stopped or takes too long hangs up at once."""

import asyncio
import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

ANSWER_LIMIT_BYTES = 1_048_576


class ServiceError(Exception):
    """The service answered that it cannot: trying again does not help.

    Attributes:
        status: of the answer, such as 500.
    """

    def __init__(self, what: str, status: int, message: str) -> None:
        super().__init__(f"{what} answered {status}: {message}")
        self.status = status


class ServiceBusy(ServiceError):
    """It answered that it cannot now (503): trying again may help."""


async def call(method: str, url: str, *, key: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON object that the service answers.

    Args:
        key: the same for every attempt at the same thing: the service can tell a repetition by it.

    Raises:
        ServiceBusy: 503.
        ServiceError: any other status than 200.
        ConnectionError: there is nobody, or the answer never came.
    """
    parts = urlsplit(url)
    what = f"{method} {parts.path}"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\nIdempotency-Key: {key}\r\n"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()
        answer = await reader.read(ANSWER_LIMIT_BYTES)
        while not reader.at_eof() and len(answer) < ANSWER_LIMIT_BYTES:
            answer += await reader.read(ANSWER_LIMIT_BYTES - len(answer))
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    if not answer:
        raise ConnectionResetError(f"{what}: the service hung up without an answer")
    return _read(answer, what)


def _read(answer: bytes, what: str) -> dict[str, Any]:
    head, _, content = answer.partition(b"\r\n\r\n")
    status = int(head.split(maxsplit=2)[1])
    if status != 200:
        kind = ServiceBusy if status == 503 else ServiceError
        raise kind(what, status, json.loads(content).get("error", ""))
    answered: dict[str, Any] = json.loads(content)
    return answered
