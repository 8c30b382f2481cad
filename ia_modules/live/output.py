"""Output for all who follow it in this process: each page is read once, and shared.

Who follows the same output has the same cursors, one page after the other. What is new is read by the first who asks
for it; who asks before that reading began gets its page, too, and who comes later finds the page among the last ones.
Who is further behind reads from the rows.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from msgspec import structs

from ia_modules.models import ExecutionId
from ia_modules.pieces import OutputPage

_PIECES_KEPT = 32  # of what several follow, each 64 KiB at most: it is let go with the last of them

ReadOutput = Callable[[ExecutionId, str | int | None, str | None], Awaitable[OutputPage]]
"""A page of an execution, after a cursor, of an attempt or of all."""


class OutputReading:
    """Reads output for everybody who follows it here."""

    def __init__(self, read: ReadOutput) -> None:
        self._read = read
        self._shared: dict[tuple[ExecutionId, str | None], SharedPages] = {}

    @asynccontextmanager
    async def following(
        self, execution_id: ExecutionId, step_execution_id: str | None
    ) -> AsyncGenerator["SharedPages"]:
        """The pages of an execution, or of one attempt, shared with all others who are in such a block."""
        key = execution_id, step_execution_id

        async def read(after: str | int | None) -> OutputPage:
            return await self._read(execution_id, after, step_execution_id)

        pages = self._shared.setdefault(key, SharedPages(read))
        pages.followers += 1
        try:
            yield pages
        finally:
            pages.followers -= 1
            if not pages.followers:
                del self._shared[key]


class SharedPages:
    """The pages of one output, of which the last are kept."""

    def __init__(self, read: Callable[[str | int | None], Awaitable[OutputPage]]) -> None:
        self._read = read
        self._next: dict[str | int | None, asyncio.Task[OutputPage]] = {}
        self._kept: dict[str | int | None, OutputPage] = {}
        self._order: deque[str | int | None] = deque()
        self._pieces = 0
        self.followers = 0

    async def after(self, cursor: str | int | None) -> OutputPage:
        """What comes after a cursor, as it is at this moment or as it was read before; then it says that there is more.

        Raises:
            what the reading raises, to all who share it.
        """
        if (kept := self._kept.get(cursor)) is not None:
            return kept
        reading = self._next.get(cursor)
        if reading is None:
            reading = self._next[cursor] = asyncio.create_task(self._begin(cursor))
            reading.add_done_callback(_look_at)
        return await asyncio.shield(reading)

    async def _begin(self, cursor: str | int | None) -> OutputPage:
        del self._next[cursor]  # what is committed from here on, this reading may miss
        page = await self._read(cursor)
        if page.items and self.followers > 1 and cursor not in self._kept:
            self._keep(cursor, page)
        return page

    def _keep(self, cursor: str | int | None, page: OutputPage) -> None:
        """What stands after a cursor stays; whether more does is asked again."""
        self._kept[cursor] = structs.replace(page, more=True, is_over=False, rests=False)
        self._order.append(cursor)
        self._pieces += len(page.items)
        while self._pieces > _PIECES_KEPT:
            self._pieces -= len(self._kept.pop(self._order.popleft()).items)


def _look_at(reading: asyncio.Task[OutputPage]) -> None:
    """Nobody may be left to hear of its failure: the next reading has it, too."""
    if not reading.cancelled():
        reading.exception()
