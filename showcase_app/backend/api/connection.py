"""A connection as uvicorn serves it, with limits for what uvicorn reads without any: the head of a request."""

from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from showcase_app.backend.api.problems import CONTENT_TYPE, problem_response
from showcase_app.backend.api.trust import MOST_HEAD_BYTES, SESSION_COOKIE, TOO_LARGE_HEAD, session_in

_HEAD_SECONDS = 20.0  # from the first byte, or from the connection, to the end of the head
_HEARD_OUT_SECONDS = 1.0  # before the connection is closed: who is cut off while it sends does not see the answer
_UNREADABLE_HANDSHAKE = (
    "This handshake of a socket cannot be read; expected a GET of HTTP/1.1 without a body, whose headers have at most "
    "8,192 bytes each."
)


class LimitedConnection(HttpToolsProtocol):
    """Ends a connection whose head does not end: 431 after so many bytes, no answer after so long.

    What uvicorn's parser holds back between two parts of a body (chunk extensions, trailers) has the same limit.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._held_back_bytes = 0
        self._is_refused = False
        self._head_limit: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for begin in range(0, len(data), MOST_HEAD_BYTES):  # so that no more of a long head is parsed either
            if self._is_refused or self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            part = data[begin : begin + MOST_HEAD_BYTES]
            self._held_back_bytes += len(part)
            super().data_received(part)
            if self._held_back_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_limit is not None:  # else it is a trailer, which nothing here reads
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._held_back_bytes = 0
        self._end_head()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._held_back_bytes = 0
        super().on_body(body)

    def handle_websocket_upgrade(self) -> None:
        """As uvicorn does it; but there a handshake that websockets cannot read stays open, and breaks the shutdown.

        The cookies of other programs are left out: websockets takes no more than 8,192 bytes of a header.
        """
        self.scope["headers"] = [
            (name, _session_alone(value) if name == b"cookie" else value) for name, value in self.scope["headers"]
        ]
        super().handle_websocket_upgrade()
        socket = cast(WebSocketsSansIOProtocol, self.transport.get_protocol())
        if socket.conn.handshake_exc is not None and not self.transport.is_closing():
            self._answer(HTTPStatus.BAD_REQUEST, _UNREADABLE_HANDSHAKE)
            self.transport.close()

    def _begin_head(self) -> None:
        if self._head_limit is None:
            self._head_limit = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _end_head(self) -> None:
        if self._head_limit is not None:
            self._head_limit.cancel()
            self._head_limit = None

    def _refuse(self) -> None:
        self._is_refused = True
        self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LARGE_HEAD)
        self.loop.call_later(_HEARD_OUT_SECONDS, self.transport.close)

    def _answer(self, status: HTTPStatus, detail: str) -> None:
        body = bytes(problem_response(status, detail, instance="").body)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {CONTENT_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)


def _session_alone(cookies: bytes) -> bytes:
    return f"{SESSION_COOKIE}={session_in(cookies.decode('latin-1'))}".encode("latin-1")
