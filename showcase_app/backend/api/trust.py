"""Which requests the server accepts, decided once, before any route.

A page of another site can make a browser on this machine send requests here. Under a name of its own (DNS rebinding) it
is refused by the ``Host`` header. A socket, which browsers let any page open, and a write are refused by their
``Origin``. What it may still ask for, it cannot read: no answer allows another origin to. A form, which is sent without
asking, is not JSON.

On a server that shows a run file, everybody only looks, and whatever would change something is answered with 409.

With keys, whatever is not open needs one (``Authorization: Bearer``), or a session begun with one. Viewers only look;
approvers reach what ``_FOR_APPROVERS`` names and nothing else, so that a new route is closed to them.
The head of a request has a limit before anything in it is read, and its body one of its route's (``bodies``). Cookies
are read here and nowhere after: ``http.cookies``, which FastAPI asks for every request, takes quadratic time for some.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from fastapi import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from showcase_app.backend.api.addresses import rooted
from showcase_app.backend.api.bodies import limit_of, limited
from showcase_app.backend.api.problems import CONTENT_TYPE, problem_response
from showcase_app.backend.services.keyring import ANONYMOUS, LOCAL, Caller, Keyring
from showcase_app.backend.services.wrong_keys import WrongKeys
from showcase_app.backend.settings import Role, Settings, is_loopback

SESSION_COOKIE = "ia_session"

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",  # the graph is placed by style attributes
            "img-src 'self' data: blob:",
            "connect-src 'self'",  # sockets to this server included
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
"""On every answer."""

MOST_HEAD_BYTES, MOST_HEADERS = 32 * 2**10, 100
TOO_LARGE_HEAD = (
    f"The head of the request has more than {MOST_HEAD_BYTES:,} bytes or {MOST_HEADERS} headers, the most that this "
    "server takes. A browser sends the cookies of every program on this host: clear those."
)

_NEEDS_KEY = ("/api", "/ws", "/metrics", "/docs", "/openapi.json")
_SESSION = "/api/session"
_READS = ("GET", "HEAD", "OPTIONS")
_EXPORTS = re.compile(r"/api/executions/.+/run-file", re.DOTALL)  # on record where it is done
_FOR_APPROVERS: Mapping[str, re.Pattern[str]] = {
    "GET": re.compile(r"/api/interactions(?:/[^/]+)?"),  # the list, the count, one
    "HEAD": re.compile(r"/api/interactions(?:/[^/]+)?"),
    "POST": re.compile(r"/api/interactions/(?:bulk|[^/]+/respond)"),
    "socket": re.compile(r"/ws/executions"),  # which tells an approver of its own questions alone
}
"""The paths that an approver's key reaches, by method; the routes narrow them to its own questions."""
_NO_KEY_CLOSES_WITH = 4401
_READ_ONLY = "Always on a server that shows a run file: it is read-only."


@dataclass(frozen=True, slots=True)
class Refusal:
    status: HTTPStatus
    detail: str


class TrustedCallers:
    """Answers instead of the application when a request is refused; routes find the caller in ``state.caller``.

    431 for the size of its head, 421 for the name, 403 for the page or the role, 401 without a key (a socket opens and
    closes with 4401, which is all that a page can see), 409 for a write to a run file, 415 for one that is not JSON.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        keyring: Keyring,
        wrong_keys: WrongKeys,
        routes: Sequence[BaseRoute],
    ) -> None:
        self._app, self._keyring, self._wrong_keys, self._routes = app, keyring, wrong_keys, routes
        self._hosts = settings.hosts | {settings.host.lower()}
        self._is_run_file = settings.run_file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        send = _with_security_headers(send, scope["path"])
        refusal = refused_head(headers) or self._refused_name(headers) or refused_page(headers, scope)
        caller = None if refusal else self._caller(headers, scope)
        if self._is_run_file and caller is not None:
            caller = replace(caller, role=Role.VIEWER) if caller.may_write else caller
            refusal = refused_write_to_run_file(scope)
        refusal = refusal or refused_caller(caller, headers, scope)
        if refusal is None:
            scope.setdefault("state", {})["caller"] = caller or ANONYMOUS
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
            if scope["type"] == "http" and scope["method"] not in _READS:
                announced_bytes = int(headers.get("content-length", "0"))
                receive = limited(receive, limit_of(scope, self._routes), announced_bytes=announced_bytes)
            await self._app(scope, receive, send)
        elif refusal.status is HTTPStatus.UNAUTHORIZED and scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": _NO_KEY_CLOSES_WITH, "reason": "a key is needed"})
        else:
            await _answer(refusal, rooted(HTTPConnection(scope), scope["path"]))(scope, receive, send)

    def _refused_name(self, headers: Headers) -> Refusal | None:
        """The refusal of a ``Host`` that is none of the server's names."""
        named = headers.getlist("host")
        host = named[0] if len(named) == 1 else ""
        name = _name_of(host)
        if is_loopback(name) or name in self._hosts:
            return None
        known = ", ".join(sorted({"127.0.0.1", "localhost", "[::1]", *self._hosts}))
        detail = f"This server answers to {known}, not to {host!r}. IA_MODULES_HOSTS gives it other names."
        return Refusal(HTTPStatus.MISDIRECTED_REQUEST, detail)

    def _caller(self, headers: Headers, scope: Scope) -> Caller | None:
        """The caller; None: neither a key nor a session identifies one. A wrong key is never ignored."""
        if not self._keyring.required:
            return LOCAL
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return self._keyring.caller_of_session(session_in(headers.get("cookie", "")))
        caller = self._keyring.caller_with_key(key.strip())
        if caller is None:
            self._wrong_keys.count(client_address(scope))
        return caller


def refused_head(headers: Headers) -> Refusal | None:
    """The refusal of more headers, or longer ones, than are read."""
    size_bytes = sum(len(name) + len(value) + 4 for name, value in headers.raw)
    if size_bytes <= MOST_HEAD_BYTES and len(headers.raw) <= MOST_HEADERS:
        return None
    return Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LARGE_HEAD)


def refused_page(headers: Headers, scope: Scope) -> Refusal | None:
    """The refusal of a request from a page of another server; programs send no ``Origin``."""
    origin, host = headers.get("origin"), headers.get("host", "")
    if origin is None:
        return None
    try:
        page = urlsplit(origin).netloc
    except ValueError:  # no address at all: nobody's, and refused everywhere
        page = None
    reads = scope["type"] == "http" and scope["method"] in _READS
    if page is not None and (reads or page.lower() == host.lower()):
        return None
    return Refusal(HTTPStatus.FORBIDDEN, f"A page of {origin!r} may not ask {host!r} for this.")


def refused_write_to_run_file(scope: Scope) -> Refusal | None:
    """The refusal of whatever would change something, on a server that shows a run file."""
    if scope["type"] != "http" or not run_file_refuses(scope["method"], scope["path"]):
        return None
    detail = "A run file is read-only. Take it into a database (ia-modules executions import), and do it there."
    return Refusal(HTTPStatus.CONFLICT, detail)


def run_file_refuses(method: str, path: str) -> bool:
    """Whether a server that shows a run file refuses a request: whatever writes, and exports, which go on record."""
    return path != _SESSION and (method not in _READS or _EXPORTS.fullmatch(path) is not None)


_MAY_ONLY: Mapping[Role, str] = {
    Role.VIEWER: "a viewer: it may look, but change nothing",
    Role.APPROVER: "an approver: it may read and answer what it is asked, in /api/interactions, and nothing else",
}


def refused_caller(caller: Caller | None, headers: Headers, scope: Scope) -> Refusal | None:
    """The refusal of an unknown caller, of one that may not do this, or of a body that is not JSON."""
    path, writes = scope["path"], scope["type"] == "http" and scope["method"] not in _READS
    if path != _SESSION:
        if caller is None and (writes or needs_key(path)):
            found = "This key is not known" if "authorization" in headers else "No key or session is known"
            detail = f"{found}; expected Authorization: Bearer KEY, or a session: sign in on the page."
            return Refusal(HTTPStatus.UNAUTHORIZED, detail)
        if caller is not None and (writes or needs_key(path)) and not _may(caller, scope, writes=writes):
            return Refusal(HTTPStatus.FORBIDDEN, f"{caller.actor!r} is {_MAY_ONLY[caller.role]}.")
    return refused_body(headers) if writes else None


def _may(caller: Caller, scope: Scope, *, writes: bool) -> bool:
    if caller.only_asked is None:
        return caller.may_write or not writes
    allowed = _FOR_APPROVERS.get("socket" if scope["type"] == "websocket" else scope["method"])
    return allowed is not None and allowed.fullmatch(scope["path"]) is not None


def refused_body(headers: Headers) -> Refusal | None:
    """The refusal of a body that is not JSON. A request without a body needs no type."""
    content_type = headers.get("content-type")
    sends = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if (content_type or "").partition(";")[0].strip().lower() == "application/json":
        return None
    if content_type is None and not sends:
        return None
    detail = f"The body is {content_type or 'of no named type'}; expected Content-Type: application/json."
    return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


def session_in(cookies: str) -> str:
    """The session in a ``Cookie`` header; empty when it has none."""
    named = (cookie.partition("=") for cookie in cookies.split(";"))
    return next((value.strip() for name, _, value in named if name.strip() == SESSION_COOKIE), "")


def client_address(scope: Scope) -> str:
    """The client's address, for the log."""
    client = scope.get("client")
    return client[0] if client else "an unknown address"


def needs_key(path: str) -> bool:
    """Whether a path needs a key on a server with keys; the pages themselves and ``/health`` are open."""
    return any(path == guarded or path.startswith(f"{guarded}/") for guarded in _NEEDS_KEY)


def document_trust(openapi: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with what routes do not declare: keys, and the answers to refused requests."""
    openapi["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "For programs: one of IA_MODULES_API_KEYS."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION_COOKIE,
            "description": "For the page: `POST /api/session` trades a key for it.",
        },
    }
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            writes, guarded = method.upper() not in _READS, path != _SESSION and needs_key(path)
            responses: dict[str, Any] = operation["responses"]
            answers: dict[str, str] = {}
            if guarded:
                operation["security"] = [{"key": []}, {"session": []}]
                answers["401"] = "No key, or one that is not known; only where the server has keys."
            if writes:
                answers["415"] = "The body is not JSON."
            if run_file_refuses(method.upper(), path):
                if "409" in responses:
                    responses["409"]["description"] += f" {_READ_ONLY}"
                answers["409"] = _READ_ONLY
            for status, description in answers.items():
                responses.setdefault(status, _documented(description))
            operation["responses"] = dict(sorted(responses.items()))
    return openapi


def _documented(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }


def _answer(refusal: Refusal, path: str) -> Response:
    answer = problem_response(refusal.status, refusal.detail, instance=path)
    if refusal.status is HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _with_security_headers(send: Send, path: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if needs_key(path):
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


def _name_of(host: str) -> str:
    """The host of a ``Host`` header, without its port and without the brackets of IPv6; empty when it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
