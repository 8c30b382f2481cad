"""Compressed answers: whole ones of 1 KiB or more, for clients that take gzip.

What comes in parts (exports, run files, server-sent events) is sent as it is made: compressed, its parts would wait for
each other. So are files that the pages' build has compressed already, and sockets.
"""

import asyncio
import gzip
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEAST_BYTES = 1024
_IN_THREAD_BYTES = 64 * 2**10  # zlib lets the event loop go on meanwhile
_LEVEL = 5
_EVENTS = "text/event-stream"  # whose head is sent at once: there may be no event for a while
_TEXTS = ("text/", "application/json", "application/problem+json", "image/svg+xml")


class Compressed:
    """Compresses the answers of an application that are complete in one piece and not compressed yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            send = _compressing(send, takes_gzip="gzip" in encodings_of(Headers(scope=scope)))
        await self._app(scope, receive, send)


def _compressing(send: Send, *, takes_gzip: bool) -> Send:
    head: Message | None = None

    async def sending(message: Message) -> None:
        nonlocal head
        if message["type"] == "http.response.start" and _is_text(headers := MutableHeaders(scope=message)):
            headers.add_vary_header("Accept-Encoding")
            head = message  # until it is known how long the body is
            return
        if head is not None:
            body: bytes = message.get("body", b"")
            if takes_gzip and len(body) >= _LEAST_BYTES and not message.get("more_body", False):
                message = {**message, "body": await _gzip(body)}
                headers = MutableHeaders(scope=head)
                headers["Content-Encoding"] = "gzip"
                headers["Content-Length"] = str(len(message["body"]))
            await send(head)
            head = None
        await send(message)

    return sending


def _is_text(headers: Headers) -> bool:
    """Whether it is a text for which nobody has chosen an encoding yet."""
    kind = headers.get("content-type", "")
    is_text = kind.startswith(_TEXTS) and not kind.startswith(_EVENTS)
    return is_text and "content-encoding" not in headers and "vary" not in headers


async def _gzip(body: bytes) -> bytes:
    if len(body) < _IN_THREAD_BYTES:
        return gzip.compress(body, _LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)


def encodings_of(headers: Mapping[str, str]) -> frozenset[str]:
    """The encodings that a client takes, of those that it names: not the ones with ``q=0``."""
    named = (part.partition(";") for part in headers.get("accept-encoding", "").lower().split(","))
    return frozenset(name.strip() for name, _, weight in named if not _is_zero(weight))


def _is_zero(weight: str) -> bool:
    name, _, value = weight.replace(" ", "").partition("=")
    return name == "q" and value.rstrip("0").rstrip(".") in ("", "0")
