"""What steps give as it comes: in pages, and as server-sent events.

    event: output      data: a piece, {"text", "values", "channel", "step_id", "attempt", "cursor", …}   id: its cursor
    event: end         data: {"cursor"}: what gave it has ended, and all of it has been sent             id: the cursor

``Last-Event-ID``, which a browser sends by itself when it connects again, is the cursor: nothing is sent twice, and
nothing is missing. After ``end`` a client closes; one that comes again gets ``end`` again. What is silent is kept open
by a comment each 15 seconds. Nobody waits for a client, the step least of all, and nothing is compressed.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from ia_modules.client import Client
from ia_modules.pieces import OutputPiece
from showcase_app.backend.api.executions import PathId, PathName
from showcase_app.backend.api.problems import described
from showcase_app.backend.dependencies import Door
from showcase_app.backend.schemas.output import OutputEnd, OutputPageOut, OutputPieceOut
from showcase_app.backend.schemas.requests import IdParameter

router = APIRouter(prefix="/api/executions", tags=["executions"])

_NOT_FOUND = described({404: "There is none with this id."})
_BEGINNING = "0"
_EVENTS_KEPT = 32  # of 64 KiB at most

OutputAfter = Annotated[
    IdParameter | None, Query(description="A piece's `cursor`, or a `sequence`; left out: the beginning.")
]
LastEventId = Annotated[
    IdParameter | None,
    Header(alias="Last-Event-ID", description="Instead of `after`: the `id` of the last event that was received."),
]


@router.get("/{execution_id}/output", summary="Read what steps gave as it came", responses=_NOT_FOUND)
async def read_output(
    client: Door,
    execution_id: PathName,
    step_execution_id: Annotated[IdParameter | None, Query(description="Only of this attempt.")] = None,
    after: OutputAfter = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most this many pieces.")] = 200,
) -> OutputPageOut:
    """At all levels, in the order in which it was written. `cursor` asks for what comes after, also later."""
    return OutputPageOut.of(await client.output(execution_id, after, step_execution_id=step_execution_id, limit=limit))


class _Events:
    """The events of the last pieces, each encoded once for all who follow it: a piece never changes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], ServerSentEvent] = OrderedDict()

    def of(self, piece: OutputPiece) -> ServerSentEvent:
        key = piece.execution_id, piece.cursor
        event = self._kept.get(key)
        if event is None:
            data = OutputPieceOut.of(piece).model_dump_json()
            event = self._kept[key] = ServerSentEvent(raw_data=data, event="output", id=piece.cursor)
            if len(self._kept) > _EVENTS_KEPT:
                self._kept.popitem(last=False)
        return event


_events = _Events()


class _Stream:
    """What is asked for, which is there: what is wrong with a question is answered before anything is sent."""

    def __init__(self, client: Client, execution_id: str, step_execution_id: str | None, cursor: str) -> None:
        self._client, self._execution_id, self._step_execution_id = client, execution_id, step_execution_id
        self._cursor = cursor

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """The events, until what gives the output has ended."""
        cursor = self._cursor
        pieces = self._client.stream(self._execution_id, cursor, step_execution_id=self._step_execution_id)
        async with aclosing(pieces):
            async for piece in pieces:
                cursor = piece.cursor
                yield _events.of(piece)
        yield ServerSentEvent(data=OutputEnd(cursor=cursor), event="end", id=cursor)


async def _stream(
    client: Door, execution_id: PathName, after: OutputAfter = None, last_event_id: LastEventId = None
) -> _Stream:
    cursor = last_event_id or after
    await client.output(execution_id, cursor, limit=1)
    return _Stream(client, execution_id, None, cursor or _BEGINNING)


async def _stream_of_attempt(
    client: Door,
    execution_id: PathName,
    step_execution_id: PathId,
    after: OutputAfter = None,
    last_event_id: LastEventId = None,
) -> _Stream:
    cursor = last_event_id or after
    await client.output(execution_id, cursor, step_execution_id=step_execution_id, limit=1)
    return _Stream(client, execution_id, step_execution_id, cursor or _BEGINNING)


@router.get(
    "/{execution_id}/stream",
    summary="Follow what steps give as it comes",
    response_class=EventSourceResponse,
    responses=_NOT_FOUND,
)
async def follow_output(stream: Annotated[_Stream, Depends(_stream)]) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events, `output` for each piece at any level, and `end` when the execution has ended."""
    async for event in stream.events():
        yield event


@router.get(
    "/{execution_id}/steps/{step_execution_id}/stream",
    summary="Follow what one attempt of a step gives as it comes",
    response_class=EventSourceResponse,
    responses=_NOT_FOUND,
)
async def follow_output_of_attempt(
    stream: Annotated[_Stream, Depends(_stream_of_attempt)],
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events, `output` for each piece, and `end` when the attempt has ended."""
    async for event in stream.events():
        yield event
