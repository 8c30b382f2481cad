"""How much of a request's body is read, and how slowly it may come: little, unless the route declares more."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope

MOST_BODY_BYTES = 17 * 2**20
"""The largest payload, and room for what stands around it."""

_SMALL_BODY_BYTES = 16 * 2**10
_PAUSE_SECONDS = 30.0  # between two parts of a body
_LIMIT = "x-most-body-bytes"


def takes(most_bytes: int) -> dict[str, Any]:
    """``openapi_extra`` of a route: the most that a body for it may have. More is answered with 413."""
    return {_LIMIT: most_bytes}


def limit_in(operation: dict[str, Any]) -> int:
    """The limit of an operation in the OpenAPI document."""
    return operation.get(_LIMIT, _SMALL_BODY_BYTES)


def limit_of(scope: Scope, routes: Sequence[BaseRoute]) -> int:
    """The limit of the route that a request is for, in bytes."""
    route = next((route for route in routes if route.matches(scope)[0] is Match.FULL), None)
    return limit_in(getattr(route, "openapi_extra", None) or {})


def limited(receive: Receive, most_bytes: int, *, announced_bytes: int) -> Receive:
    """Receive a body up to a limit; what comes after that is dropped.

    Raises, while the body is received:
        HTTPException: 413 for a larger body, as soon as it is announced or received; 408 for one that stops coming.
    """
    received_bytes, is_complete = 0, False

    async def receiving() -> Message:
        nonlocal received_bytes, is_complete
        if announced_bytes > most_bytes:
            raise _too_large(most_bytes)
        try:
            async with asyncio.timeout(None if is_complete else _PAUSE_SECONDS):
                message = await receive()
        except TimeoutError:
            detail = f"The rest of the body did not come within {_PAUSE_SECONDS:g} s. Send it again, without a pause."
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, detail, {"Connection": "close"}) from None
        received_bytes += len(message.get("body", b""))
        is_complete = not message.get("more_body")
        if received_bytes > most_bytes:
            raise _too_large(most_bytes)
        return message

    return receiving


def _too_large(most_bytes: int) -> HTTPException:
    detail = f"The body has more than {most_bytes:,} bytes, the most that is taken here."
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
