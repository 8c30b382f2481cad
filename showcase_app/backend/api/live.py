"""The sockets: what is new of an execution, and which executions change. Every frame is one JSON object.

``WS /ws/executions/{execution_id}?after=N&within=``, its own id or its caller's (`alias`), percent-encoded

    {"type": "changes", "after", "upto", "more", "messages"}   what GET …/changes?after=N would say
    {"type": "resync", "after": N}                             too slow: what was kept is dropped, and read again
    {"type": "ping"}                                           after 20 seconds without anything else

``within`` is the path of the run whose steps and lines are told; without it they are the graph's own. The messages are
``{"type", "sequence", "data"}``; ``data`` is a row without payloads: ``step_update`` (a step execution as it is now),
``log`` (a line; its own data only up to 64 KiB, else null and "data_omitted"), and last of all ``execution_update``.
**``upto`` is the client's cursor**: after a lost connection it asks for what comes after it, and nothing is missing or
repeated. The first frame comes at once, without messages when there is nothing new: then the client has caught up. All
that waits for a client goes out as one frame. What it is too slow for is merged into the rows as they stand: after a
``resync`` go on as before, the frames that follow begin at ``after``.

``WS /ws/executions``

    {"type": "hints", "items": [{"execution_id", "sequence", "status"}]}   these changed; ten frames a second at most
    {"type": "resync"}                                                     something did: ask again for what is shown
    {"type": "ping"}

The first frame is a ``resync``. An approver gets no ``hints``, and a ``resync`` where its open questions have changed.

A socket stays open until the client closes it, also when the execution has ended. The server closes with 4401 (a key is
needed), 4404 (no execution has this id), 4400 (``after`` is no cursor of it, ``within`` no path), 1012 (it shuts down),
1013 (the database is away) or 1011 (what is new cannot be told); after the last three the client comes again. A client
that takes nothing for a minute is dropped. What a client sends is not read.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Protocol
from urllib.parse import unquote

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from ia_modules.errors import DatabaseError, ExecutionNotFound, InvalidArgument
from ia_modules.live.feed import RESYNC_LISTS, Feed, Page
from ia_modules.models import Changes
from ia_modules.paths import named
from ia_modules.tracker.inbox import Person
from ia_modules.tracker.reader import ExecutionReader
from showcase_app.backend.dependencies import Container, CurrentCaller
from showcase_app.backend.schemas.base import LARGEST_CURSOR
from showcase_app.backend.schemas.changes import messages_of

logger = logging.getLogger("ia_modules.showcase")

router = APIRouter()

_PING = '{"type":"ping"}'
_PING_SECONDS = 20.0
_SEND_SECONDS = 60.0  # a client that takes nothing for so long is gone, or as good as
_CLOSE_SECONDS = 5.0
_LOOKS_APART_SECONDS = 1.0  # at an inbox that is as it was


def encode(changes: Changes) -> Page:
    """A page of changes as JSON, encoded once for all its clients."""
    *rows, execution = (message.model_dump_json() for message in messages_of(changes))
    return Page(changes.after, changes.upto, changes.more, ",".join(rows), execution)


@router.websocket("/ws/executions")
async def watch_executions(websocket: WebSocket, services: Container, caller: CurrentCaller) -> None:
    person = caller.only_asked
    if person is None:
        sending = partial(_send_hints, websocket, services.feed)
    else:
        sending = partial(_send_changes_of_inbox, websocket, services.feed, services.execution_tracker, person)
    await _converse(websocket, sending, "socket:lists")


@router.websocket("/ws/executions/{execution_id}")
async def watch_execution(websocket: WebSocket, services: Container, execution_id: str) -> None:
    execution_id = unquote(execution_id)  # it comes as it was sent, see addresses.py
    sending = partial(_send_changes, websocket, services.feed, execution_id)
    await _converse(websocket, sending, f"socket:{execution_id}")


async def _send_hints(websocket: WebSocket, feed: Feed) -> None:
    async with feed.follow_all() as follower:
        await _send(websocket, follower.next)


async def _send_changes_of_inbox(websocket: WebSocket, feed: Feed, rows: ExecutionReader, person: Person) -> None:
    async with feed.follow_all() as follower:
        await _send(websocket, InboxFollower(follower, rows, person).next)


class Frames(Protocol):
    """Where frames come from, such as a :class:`ia_modules.live.feed.ListFollower`."""

    async def next(self, patience_seconds: float) -> str | None: ...


class InboxFollower:
    """Is told that the open questions of a person have changed, and nothing of any other or of an execution."""

    def __init__(self, executions: Frames, rows: ExecutionReader, person: Person) -> None:
        self._executions, self._rows, self._person = executions, rows, person
        self._mark: str | None = None

    async def next(self, patience_seconds: float) -> str | None:
        """A resync, the first one at once; None: nothing happened for so long.

        Raises:
            DatabaseError: the database cannot be read.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + patience_seconds
        while await self._executions.next(max(0.0, until - clock())) is not None:
            mark = await self._rows.mark_of_inbox(self._person)
            if mark != self._mark:
                self._mark = mark
                return RESYNC_LISTS
            if clock() + _LOOKS_APART_SECONDS >= until:
                break
            await asyncio.sleep(_LOOKS_APART_SECONDS)
        return None


async def _send_changes(websocket: WebSocket, feed: Feed, execution_id: str) -> None:
    within = named(websocket.query_params.get("within", ""))
    async with feed.follow(execution_id, _cursor_of(websocket), within=within) as follower:
        await _send(websocket, follower.next)


async def _send(websocket: WebSocket, next_frame: Callable[[float], Awaitable[str | None]]) -> None:
    """Send frames until cancelled, and a ping when there is none for a while."""
    while True:
        frame = await next_frame(_PING_SECONDS) or _PING
        async with asyncio.timeout(_SEND_SECONDS):
            await websocket.send_text(frame)


async def _converse(websocket: WebSocket, send: Callable[[], Coroutine[None, None, None]], name: str) -> None:
    """Send until the client goes, and say goodbye when sending fails."""
    await websocket.accept()
    try:
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(send(), name=name)
            await _until_disconnected(websocket)
            sending.cancel()
    except* WebSocketDisconnect:
        pass
    except* ExecutionNotFound:
        await _close(websocket, 4404, "no execution has this id")
    except* InvalidArgument as invalid:
        await _close(websocket, 4400, str(invalid.exceptions[0])[:100])  # a reason has 123 bytes at most
    except* TimeoutError:
        pass  # it would not read a farewell either
    except* DatabaseError:
        await _close(websocket, 1013, "try again later")
    except* Exception as failed:
        logger.error("The socket %s ends: what is new cannot be told", name, exc_info=failed)
        await _close(websocket, 1011, "what is new cannot be told; the server's log says why")


async def _until_disconnected(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _cursor_of(websocket: WebSocket) -> int:
    after = websocket.query_params.get("after", "0")
    if not (re.fullmatch(r"[0-9]{1,10}", after) and int(after) <= LARGEST_CURSOR):
        raise InvalidArgument("after", repr(after[:20]), f"a whole number from 0 to {LARGEST_CURSOR}")
    return int(after)


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    with suppress(WebSocketDisconnect, TimeoutError):  # it may be gone, or not read this either
        async with asyncio.timeout(_CLOSE_SECONDS):
            await websocket.close(code, reason)
