"""A run of a pipeline in this process whose output is read while it comes.

answer = flow.stream({"question": "Is it so?"})
async for piece in answer:
    print(piece.text, end="")
result = await answer.result()
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any

from ia_modules.models import ExecutionId
from ia_modules.pieces import OutputPiece
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.runner import StartedExecution

_LAST_LOOK_SECONDS = 10.0  # for the records to say what this process knows: that it has ended


class StreamedRun:
    """Begins where it is first iterated or its result is first awaited. Use it from the tasks of one event loop."""

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, StartedExecution]], journal: OperatorJournal) -> None:
        """``begin`` puts the execution on record; ``journal``: where."""
        self._begin, self._journal = begin, journal
        self._beginning = asyncio.Lock()
        self._running: asyncio.Task[dict[str, Any]] | None = None
        self._execution_id: ExecutionId | None = None

    @property
    def execution_id(self) -> ExecutionId | None:
        """None until it has begun."""
        return self._execution_id

    async def result(self) -> dict[str, Any]:
        """What ``run`` returns, when it is over; pieces need not be read for that.

        Raises:
            StepError: a step failed; and whatever else ``run`` raises.
            asyncio.CancelledError: this task was cancelled, and with it the run, on record.
        """
        running = await self._begun()
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await _stop(running)
            raise

    async def __aiter__(self) -> AsyncGenerator[OutputPiece]:
        """The pieces that its steps emit, from the first on, at all levels; raises in the end what :meth:`result` does.

        Where the iteration is closed before its end, the run is cancelled, on record.
        """
        running = await self._begun()
        assert self._execution_id is not None
        try:
            async with aclosing(self._journal.stream(self._execution_id, to_rest=True)) as pieces:
                while (piece := await _next(pieces, running)) is not None:
                    yield piece
            await running
        finally:
            await _stop(running)

    async def _begun(self) -> "asyncio.Task[dict[str, Any]]":
        async with self._beginning:
            if self._running is None:
                started = await self._begin()
                self._execution_id = started.execution_id
                self._running = asyncio.create_task(started.to_end(), name=f"run:{started.execution_id}")
        return self._running


async def _next(pieces: AsyncGenerator[OutputPiece], running: "asyncio.Task[Any]") -> OutputPiece | None:
    """The next piece; None: there is none any more, or the end of what runs here did not come on record."""
    reading = asyncio.ensure_future(anext(pieces, None))
    try:
        await asyncio.wait((reading, running), return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            await asyncio.wait((reading,), timeout=_LAST_LOOK_SECONDS)
        return reading.result() if reading.done() else None
    finally:
        if not reading.done():
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading


async def _stop(running: "asyncio.Task[Any]") -> None:
    """Cancel what still runs, and wait until that is on record."""
    if not running.done():
        running.cancel()
        await asyncio.wait((running,))
    if not running.cancelled():
        running.exception()  # it is raised where its result is awaited
