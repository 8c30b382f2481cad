"""Live changes for followers: each change is read and encoded once for all followers in this process.

    an execution changes → its channel reads the rows → one page, encoded → the queue of each follower → frames

A follower that comes late, or whose queue was full, is behind its channel: it reads the missing pages from the rows by
itself, then takes the pages that came meanwhile. Nobody waits for a follower, and its queue is bounded.

A frame is one JSON text as a socket carries it: ``changes`` of one execution, ``hints`` at those that changed, or
``resync``.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import orjson
from msgspec import structs

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    DatabaseBusy,
    DatabaseClosed,
    DatabaseError,
    DatabaseUnavailable,
    ExecutionNotFound,
    IAModulesError,
    InvalidArgument,
)
from ia_modules.live.wake_up import Live
from ia_modules.models import Changes, ExecutionId, ExecutionSummary, RunPath, is_id
from ia_modules.paths import GRAPH
from ia_modules.tasks import background, set_within

RESYNC_LISTS = '{"type":"resync"}'
"""Something changed that cannot be named: who shows a list asks for it again."""

_ROWS_PER_PAGE = 200  # of each kind
_CHARACTERS_PER_PAGE = 2**18  # a frame is copied for each socket, and many clients take no more than 1 MiB
_PAGES_KEPT, _CHARACTERS_KEPT = 64, 2**19  # for one follower, whose frame they become
_POLL_SECONDS = 1.0
_PAGES_APART_SECONDS, _FOR_EACH_FOLLOWER_SECONDS = 0.02, 0.0005  # what changes meanwhile is told in one page
_HINTS_KEPT = 1000
_HINTS_APART_SECONDS = 0.12
_RESYNCS_APART_SECONDS = 1.0  # where nobody can say what changed, every commit is one


def pages_apart_seconds(followers: int) -> float:
    """Between two pages of one feed: longer with more followers, so that sending leaves time for writing."""
    return max(_PAGES_APART_SECONDS, _FOR_EACH_FOLLOWER_SECONDS * followers)


@dataclass(frozen=True)
class Page:
    """What is new of an execution, with ``after < sequence <= upto``, encoded.

    Attributes:
        rows: the messages about steps, questions and lines, as JSON with commas between them; empty without any.
        execution: the message about the execution, which ends a page; empty in a page without anything new.
    """

    after: int
    upto: int
    more: bool
    rows: str
    execution: str

    @cached_property
    def frame(self) -> str:
        """The text of this page alone, encoded once."""
        messages = ",".join(filter(None, (self.rows, self.execution)))
        more = "true" if self.more else "false"
        return f'{{"type":"changes","after":{self.after},"upto":{self.upto},"more":{more},"messages":[{messages}]}}'

    @property
    def size(self) -> int:
        return len(self.rows) + len(self.execution)


Encode = Callable[[Changes], Page]


def merged(pages: list[Page]) -> Page:
    """Pages of which each begins where the one before ended, as one: what they say of the execution, only once."""
    if len(pages) == 1:
        return pages[0]
    return replace(pages[-1], after=pages[0].after, rows=",".join(page.rows for page in pages if page.rows))


def until(changes: Changes, upto: int) -> Changes:
    """The part of a page up to a sequence number. Rows that have moved beyond it are in a later page."""
    if changes.upto <= upto:
        return changes
    return structs.replace(
        changes,
        steps=tuple(step for step in changes.steps if step.sequence <= upto),
        interactions=tuple(question for question in changes.interactions if question.sequence <= upto),
        logs=tuple(line for line in changes.logs if line.sequence <= upto),
        upto=upto,
    )


def small_page(changes: Changes, encode: Encode) -> tuple[Page, int]:
    """The first changes that fit into one frame, and how many rows they are. One number is never split."""
    page = encode(changes)
    while page.size > _CHARACTERS_PER_PAGE:
        sequences = sorted({row.sequence for row in changes.rows})
        if len(sequences) < 2:
            break
        changes = until(changes, sequences[len(sequences) // 2 - 1])
        page = encode(changes)
    return page, len(changes.rows)


class FeedRows(Protocol):
    """Where the truth is: the tracker."""

    @property
    def live(self) -> Live: ...
    async def changes(self, execution_id: str, after: int = 0, *, within: RunPath = GRAPH, limit: int) -> Changes: ...
    async def get_execution_summary(self, execution_id: str) -> ExecutionSummary | None: ...


class Reading:
    """Reads one level of an execution page by page: as many rows as fit into one frame by the size of the last page."""

    def __init__(self, rows: FeedRows, encode: Encode, execution_id: ExecutionId, within: RunPath) -> None:
        self._rows, self._encode, self._execution_id, self._within = rows, encode, execution_id, within
        self._limit = _ROWS_PER_PAGE

    async def read(self, after: int, *, upto: int | None = None) -> Page | None:
        """What comes after a number, and not after another; None: there is nothing."""
        changes = await self._rows.changes(self._execution_id, after, within=self._within, limit=self._limit)
        if upto is not None:
            changes = until(changes, upto)
        if changes.upto <= after:
            return None
        page, count = small_page(changes, self._encode)
        self._limit = min(max(1, count * _CHARACTERS_PER_PAGE // page.size), _ROWS_PER_PAGE)
        return page


class Feed:
    """All followers in this process, of single executions and of lists."""

    def __init__(self, rows: FeedRows, database: DatabaseManager, encode: Encode) -> None:
        self._rows, self._encode = rows, encode
        self._channels: dict[tuple[ExecutionId, RunPath], _Channel] = {}
        self._hints = _HintReader(database, rows.live)

    @property
    def execution_subscribers(self) -> int:
        """How many follow an execution here."""
        return sum(len(channel.followers) for channel in self._channels.values())

    @property
    def list_subscribers(self) -> int:
        """How many follow all executions here."""
        return len(self._hints.followers)

    @asynccontextmanager
    async def follow(self, execution_id: str, after: int, *, within: RunPath = GRAPH) -> AsyncGenerator["Follower"]:
        """Follow one level of an execution: first the changes after a cursor, then new ones.

        Args:
            within: the path of the run whose parts and lines are followed; the graph's own by default.

        Raises:
            ExecutionNotFound
            InvalidArgument: the cursor is ahead of the execution.
            DatabaseError: the database cannot be read.
        """
        standing = await self._rows.get_execution_summary(execution_id)
        if standing is None:
            raise ExecutionNotFound(execution_id)
        if after > standing.sequence:
            raise InvalidArgument("after", str(after), f"at most {standing.sequence}, where the execution is")
        row_id = standing.execution_id
        channel = self._channels.get((row_id, within))
        if channel is None or channel.failure is not None:
            reading = Reading(self._rows, self._encode, row_id, within)
            channel = self._channels[row_id, within] = _Channel(self._rows.live, reading, standing)
        follower = Follower(channel, Reading(self._rows, self._encode, row_id, within), after)
        channel.followers.append(follower)
        try:
            yield follower
        finally:
            channel.followers.remove(follower)
            if not channel.followers:
                if self._channels.get((row_id, within)) is channel:
                    del self._channels[row_id, within]
                await channel.close()

    @asynccontextmanager
    async def follow_all(self) -> AsyncGenerator["ListFollower"]:
        """Follow all executions from now on."""
        async with self._hints.following() as follower:
            yield follower


class Follower:
    """Receives the changes of one execution: numbers strictly rise, none is missing, at rest they equal the rows."""

    def __init__(self, channel: "_Channel", reading: Reading, after: int) -> None:
        self._channel, self._own_reading = channel, reading
        self._cursor = after  # up to here it has been given frames
        self._buffered: deque[Page] = deque()
        self._buffered_from = max(after, channel.cursor)  # where what is kept begins: until there it reads by itself
        self._buffered_upto = self._buffered_from
        self._resync = False
        self._greeted = False
        self.wake = asyncio.Event()

    async def next(self, patience_seconds: float) -> str | None:
        """The next frame; everything that waits is in it. None: nothing happened for so long.

        The first one comes at once, without messages when there is nothing new: so it is known that nothing was missed.

        Raises:
            ExecutionNotFound: it was deleted.
            DatabaseError: the database cannot be read.
            Exception: what is new cannot be encoded.
        """
        while True:
            self.wake.clear()
            if self._channel.failure is not None:
                raise self._channel.failure
            if self._resync:
                self._resync = False
                return f'{{"type":"resync","after":{self._cursor}}}'
            if self._cursor < self._buffered_from:
                upto = self._buffered_from  # which may move on while it reads
                page = await self._own_reading.read(self._cursor, upto=upto)
                self._cursor = upto if page is None else page.upto
                if page is not None:
                    self._greeted = True
                    return page.frame
            elif self._buffered:
                page = merged(list(self._buffered))
                self._buffered.clear()
                self._cursor = self._buffered_from = page.upto
                self._greeted = True
                return page.frame
            elif not self._greeted:
                self._greeted = True
                return Page(self._cursor, self._cursor, False, "", "").frame
            elif not await set_within(patience_seconds, self.wake):
                return None

    def offer(self, page: Page) -> None:
        """Keep a page until it is taken. When there is no room, drop what is kept: the rows have it."""
        if page.upto <= self._buffered_upto:
            return  # it came with a cursor that the channel had not reached yet
        fits = (
            len(self._buffered) < _PAGES_KEPT
            and sum(kept.size for kept in self._buffered) + page.size <= _CHARACTERS_KEPT
        )
        if page.after == self._buffered_upto and (fits or not self._buffered):
            self._buffered.append(page)
        else:
            self._resync = self._resync or bool(self._buffered)
            self._buffered.clear()
            self._buffered_from = page.upto
        self._buffered_upto = page.upto
        self.wake.set()


class _Channel:
    """Reads what is new of one execution, and offers it to all who follow it."""

    def __init__(self, live: Live, reading: Reading, standing: ExecutionSummary) -> None:
        self._live, self._rows, self._execution_id = live, reading, standing.execution_id
        self.cursor = standing.sequence
        self.followers: list[Follower] = []
        self.failure: BaseException | None = None
        self._reading = background(self._run(), f"feed:{self._execution_id}", on_failure=self._end)

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _run(self) -> None:
        try:
            async with self._live.watching(self._execution_id) as look:
                while True:
                    look.clear()
                    page = await self._tell()
                    if page is not None:
                        await asyncio.sleep(0 if page.more else pages_apart_seconds(len(self.followers)))
                    if page is None or not page.more:
                        await set_within(_POLL_SECONDS, look)  # a wake-up may get lost
        except IAModulesError as error:
            self._end(error)

    def _end(self, failure: BaseException) -> None:
        """Give every follower the failure; nothing more follows."""
        self.failure = failure
        for follower in self.followers:
            follower.wake.set()

    async def _tell(self) -> Page | None:
        """Offer what is new; None: nothing is, or the database is away, and nothing is lost by looking again later."""
        try:
            page = await self._rows.read(self.cursor)
        except DatabaseClosed:
            raise
        except (DatabaseUnavailable, DatabaseBusy):
            return None
        if page is None:
            return None
        self.cursor = page.upto
        for follower in self.followers:
            follower.offer(page)
        return page


@dataclass(frozen=True)
class Hints:
    """Which executions changed: of each, the JSON that says so."""

    items: Mapping[str, str]

    @cached_property
    def frame(self) -> str:
        return f'{{"type":"hints","items":[{",".join(self.items.values())}]}}'


class ListFollower:
    """Receives which executions change, the latest of each. The first frame is a resync: read everything."""

    def __init__(self) -> None:
        self._buffered: list[Hints] = []
        self._resync = True
        self._failure: BaseException | None = None
        self._wake = asyncio.Event()

    async def next(self, patience_seconds: float) -> str | None:
        """The next frame; everything that waits is in it. None: nothing happened for so long.

        Raises:
            Exception: nothing more follows.
        """
        self._wake.clear()
        if not (self._resync or self._buffered or self._failure or await set_within(patience_seconds, self._wake)):
            return None
        if self._failure is not None:
            raise self._failure
        if self._resync:
            self._resync = False
            return RESYNC_LISTS
        kept, self._buffered = self._buffered, []
        return (kept[0] if len(kept) == 1 else _united(kept)).frame

    def offer(self, hints: Hints | None) -> None:
        """Keep hints until they are taken, or a resync (None), which stands for all that were kept."""
        if hints is not None and sum(len(kept.items) for kept in (*self._buffered, hints)) <= _HINTS_KEPT:
            self._buffered.append(hints)
        else:
            self._resync = True
            self._buffered.clear()
        self._wake.set()

    def end(self, failure: BaseException) -> None:
        """Nothing more follows: its reader gets the failure."""
        self._failure = failure
        self._wake.set()


class _HintReader:
    """Reads where the executions stand that changed, once for all who follow lists; works while somebody does."""

    def __init__(self, database: DatabaseManager, live: Live) -> None:
        self._database, self._live = database, live
        self.followers: list[ListFollower] = []
        self._reading: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[ListFollower]:
        follower = ListFollower()
        self.followers.append(follower)
        if self._reading is None or self._reading.done():
            self._reading = background(self._run(), "feed:lists", on_failure=self._end)
        try:
            yield follower
        finally:
            self.followers.remove(follower)
            if not self.followers:
                reading, self._reading = self._reading, None  # who comes while it ends has one begun anew
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        unnamed, resync_from = False, 0.0
        async with self._live.watching_all() as heard:
            while True:
                await set_within(resync_from - clock() if unnamed else None, heard.look)
                ids, more = heard.take()
                hints, missing = await self._read(ids)
                unnamed = unnamed or more or missing
                if unnamed and clock() >= resync_from:
                    unnamed, resync_from = False, clock() + _RESYNCS_APART_SECONDS
                    self._offer(None)
                if hints.items:
                    self._offer(hints)
                await asyncio.sleep(_HINTS_APART_SECONDS)

    async def _read(self, ids: set[ExecutionId]) -> tuple[Hints, bool]:
        """Where these executions stand, and whether some could not be found, or not be read."""
        if not ids:
            return Hints({}), False
        params = {"ids": orjson.dumps(sorted(filter(is_id, ids))).decode()}
        try:
            rows = await self._database.fetch_all_async(self._database.query("hints"), params)
        except DatabaseError:
            return Hints({}), True
        return Hints({row["execution_id"]: orjson.dumps(row).decode() for row in rows}), len(rows) < len(ids)

    def _end(self, failure: BaseException) -> None:
        for follower in self.followers:
            follower.end(failure)

    def _offer(self, hints: Hints | None) -> None:
        for follower in self.followers:
            follower.offer(hints)


def _united(kept: list[Hints]) -> Hints:
    items: dict[str, str] = {}
    for hints in kept:
        items |= hints.items
    return Hints(items)
