"""Addresses that name an execution: a caller's own id may have a slash in it, which routes would take for theirs.

So the name of an execution comes to its route as it was sent, percent-encoded; the route decodes it. A name that is
also a route (``statistics``) is reached when one of its characters is sent encoded.
"""

import re
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_NAMES_EXECUTION = re.compile(r"(/(?:api|ws)/executions/)([^/]+)(.*)", re.DOTALL)


class NamedExecutions:
    """Keeps the name of an execution in the path of a request as it was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent: bytes = scope.get("raw_path") or b""
        if named := _NAMES_EXECUTION.fullmatch(sent.decode("latin-1")):
            before, name, after = named.groups()
            scope = {**scope, "path": f"{before}{name}{unquote(after)}"}
        await self._app(scope, receive, send)
