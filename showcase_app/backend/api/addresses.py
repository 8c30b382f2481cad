"""Addresses: below a path that a proxy gives the server, and with names that may have a slash in them.

Routes would take a slash in a caller's id or a slug for theirs. So the name of an execution, a pipeline or a group of
failures comes to its route as it was sent, percent-encoded, and the route decodes it. A name that is also a route
(``statistics``) is reached with one of its characters encoded.
"""

import re
from functools import partial
from urllib.parse import unquote

from pydantic import BeforeValidator
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NAMES = re.compile(r"(/(?:api/(?:executions|failures|pipelines)|ws/executions)/)([^/]+)(.*)", re.DOTALL)

AS_SENT = BeforeValidator(partial(unquote, errors="strict"))
"""Decodes the name in the path of a route."""


class BelowRoot:
    """Takes the root path off requests that still have it, as not every proxy does that, and puts it into answers.

    Routes know it from the state of the request (``rooted``); what they say in ``Location`` begins without it. ASGI's
    own ``root_path`` stays empty: routes would take that off once more, after it was decided who may ask for a path.
    """

    def __init__(self, app: ASGIApp, *, root_path: str) -> None:
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            root, raw = self._root_path, (scope.get("raw_path") or b"").decode("latin-1")
            scope = {**scope, "state": {**scope.get("state", {}), "root_path": root}}
            if root and (raw == root or raw.startswith(f"{root}/")):
                below, raw_below = scope["path"].removeprefix(root), raw.removeprefix(root)
                scope |= {"path": below or "/", "raw_path": (raw_below or "/").encode("latin-1")}
            send = _with_root(send, root)
        await self._app(scope, receive, send)


def _with_root(send: Send, root: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and root:
            headers = MutableHeaders(scope=message)
            if headers.get("location", "").startswith("/"):
                headers["location"] = f"{root}{headers['location']}"
        await send(message)

    return sending


def rooted(connection: HTTPConnection, path: str) -> str:
    """A path of the server as its clients have it."""
    return f"{connection.scope.get('state', {}).get('root_path', '')}{path}"


class NamesAsSent:
    """Keeps the name in the path of a request as it was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent: bytes = scope.get("raw_path") or b""
        if named := _NAMES.fullmatch(sent.decode("latin-1")):
            before, name, after = named.groups()
            scope = {**scope, "path": f"{before}{name}{unquote(after)}"}
        await self._app(scope, receive, send)
