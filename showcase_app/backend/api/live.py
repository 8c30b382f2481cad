"""The socket: what is new of an execution, while it happens.

``WS /ws/executions/{execution_id}?after=N`` sends ``{"type", "sequence", "data"}``; ``data`` is a row without payloads:

    step_update       a step execution as it is now
    log               a line that was written; its own data only up to 64 KiB, else null and "data_omitted"
    execution_update  the execution as it is now; the last message of a page

A page holds everything with ``after < sequence <= upto``, in order, and ends with an ``execution_update`` whose
sequence is ``upto``. **That number is the client's cursor**: after a lost connection it asks for what comes after it,
and nothing is missing or repeated. The numbers of other messages are no cursors, since more of the same number may
follow. Changes that come faster than a client reads are merged into the rows as they stand; nothing is queued for it.

The socket stays open when the execution has ended; the client closes it. The server closes with 4404 (no execution has
this id), 4400 (``after`` is no cursor of it), 1012 (it shuts down) or 1013 (the database is away); after the last two
the client comes again. A client that takes nothing for a minute is dropped. What a client sends is not read.
"""

import asyncio
import re
from contextlib import aclosing, suppress

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from ia_modules.errors import DatabaseError, ExecutionNotFound
from ia_modules.web.execution_tracker import ExecutionTracker
from showcase_app.backend.dependencies import Tracker
from showcase_app.backend.schemas import ID_PATTERN, LARGEST_CURSOR, messages_of

router = APIRouter()

_SEND_SECONDS = 60.0  # a client that takes nothing for so long is gone, or as good as
_CLOSE_SECONDS = 5.0
_BREATH = 50  # messages sent in a row before everybody else gets a turn


class _InvalidCursor(ValueError):
    """``after`` is nothing that this server has told a client."""


@router.websocket("/ws/executions/{execution_id}")
async def watch_execution(websocket: WebSocket, tracker: Tracker, execution_id: str) -> None:
    await websocket.accept()
    try:
        if not re.fullmatch(ID_PATTERN, execution_id):
            raise ExecutionNotFound(execution_id)
        after = _cursor_of(websocket)
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(
                _send_changes(websocket, tracker, execution_id, after), name=f"socket:{execution_id}"
            )
            await _until_disconnected(websocket)
            sending.cancel()
    except* WebSocketDisconnect:
        pass
    except* ExecutionNotFound:
        await _close(websocket, 4404, "no execution has this id")
    except* _InvalidCursor as invalid:
        await _close(websocket, 4400, str(invalid.exceptions[0]))
    except* TimeoutError:
        pass  # it would not read a farewell either
    except* DatabaseError:
        await _close(websocket, 1013, "try again later")


async def _send_changes(websocket: WebSocket, tracker: ExecutionTracker, execution_id: str, after: int) -> None:
    """Send what is new until cancelled. The next page is read when the last one has been taken: nothing is queued."""
    standing = await tracker.get_execution_summary(execution_id)
    if standing is None:
        raise ExecutionNotFound(execution_id)
    if after > standing.sequence:
        raise _InvalidCursor(f"after={after} is ahead of the execution, which is at {standing.sequence}")
    async with aclosing(tracker.subscribe(execution_id, after)) as pages:
        async for page in pages:
            for number, message in enumerate(messages_of(page), start=1):
                async with asyncio.timeout(_SEND_SECONDS):
                    await websocket.send_text(message.model_dump_json())
                if number % _BREATH == 0:
                    await asyncio.sleep(0)


async def _until_disconnected(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _cursor_of(websocket: WebSocket) -> int:
    given = websocket.query_params.get("after", "0")
    if not (re.fullmatch(r"[0-9]{1,10}", given) and int(given) <= LARGEST_CURSOR):
        raise _InvalidCursor(f"after={given[:20]!r} is no whole number from 0 to {LARGEST_CURSOR}")
    return int(given)


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    with suppress(WebSocketDisconnect, TimeoutError):  # it may be gone, or not read this either
        async with asyncio.timeout(_CLOSE_SECONDS):
            await websocket.close(code, reason)
