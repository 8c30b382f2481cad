"""Addresses with names that may have a slash in them, which routes would take for theirs: callers' ids, slugs.

So the name of an execution, a pipeline or a group of failures comes to its route as it was sent, percent-encoded, and
the route decodes it. A name that is also a route (``statistics``) is reached with one of its characters encoded.
"""

import re
from functools import partial
from urllib.parse import unquote

from pydantic import BeforeValidator
from starlette.types import ASGIApp, Receive, Scope, Send

_NAMES = re.compile(r"(/(?:api/(?:executions|failures|pipelines)|ws/executions)/)([^/]+)(.*)", re.DOTALL)

AS_SENT = BeforeValidator(partial(unquote, errors="strict"))
"""Decodes the name in the path of a route."""


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
