"""Who may talk to the server at all: requests that name this machine, and pages that it served itself.

A page of another site can make a browser on this machine send requests here. Under a name of its own (DNS rebinding) it
is refused by the ``Host`` header; a socket, which browsers let any page open, by its ``Origin``. An ``Origin`` that is
no address at all is nobody's, and refused everywhere.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from showcase_app.backend.api.problems import problem_response
from showcase_app.backend.settings import is_loopback


class TrustedCallers:
    """Answers in the application's place when a caller is refused: 421 for the name, 403 for the page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        named, origin = headers.getlist("host"), headers.get("origin")
        host = named[0] if len(named) == 1 else ""
        if not is_loopback(_name_of(host)):
            detail = f"This server answers to 127.0.0.1, localhost and [::1], not to {host!r}."
            refusal = problem_response(HTTPStatus.MISDIRECTED_REQUEST, detail, instance=scope["path"])
        elif origin is not None and not _may_ask(origin, host, scope["type"]):
            detail = f"A page of {origin!r} may not ask {host!r} for this."
            refusal = problem_response(HTTPStatus.FORBIDDEN, detail, instance=scope["path"])
        else:
            await self._app(scope, receive, send)
            return
        await refusal(scope, receive, send)


def _may_ask(origin: str, host: str, kind: str) -> bool:
    """Whether a page may send a request of this kind (``http`` or ``websocket``) to a host."""
    try:
        page = urlsplit(origin).netloc
    except ValueError:
        return False
    return kind == "http" or page.lower() == host.lower()


def _name_of(host: str) -> str:
    """The host of a ``Host`` header, without its port and without the brackets of IPv6; empty when it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
