"""Subscribers to changes of executions, and the notifications that wake them.

A notification only says *look*; the rows say what changed. So nothing is queued here, and a slow reader delays nobody:
it reads everything, merged, when it looks next. A lost notification costs a poll.

    commit in this process ──────────────────────────────┐
    commit elsewhere → the database's signals → listener ─┴→ the events of subscribers to that execution, or to all
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseError
from ia_modules.models import ExecutionId
from ia_modules.tasks import background, set_within

_ANNOUNCE_EVERY_SECONDS = 0.01
_LOOK_EVERY_SECONDS = 1.0  # for whether anybody listens
_IDS_PER_ANNOUNCEMENT = 200  # 36 characters and a comma each: below PostgreSQL's limit of 8000 bytes
_IDS_HEARD = 10_000
_LISTEN_AGAIN_SECONDS = 1.0
_CLOSE_SECONDS = 2.0  # what a silent database does not pass on until then costs others a poll


@dataclass(slots=True)
class Heard:
    """What has changed, for a subscriber to all executions. Wait for ``look``, then take it.

    Attributes:
        look: set when there is something to take.
        unnamed: something changed whose id is not known, or more ids than are kept.
    """

    look: asyncio.Event = field(default_factory=asyncio.Event)
    ids: set[ExecutionId] = field(default_factory=set)
    unnamed: bool = False

    def take(self) -> tuple[set[ExecutionId], bool]:
        """The ids since the last call, and whether anything else changed."""
        taken = self.ids, self.unnamed
        self.ids, self.unnamed = set(), False
        self.look.clear()
        return taken

    def hear(self, ids: set[ExecutionId] | None) -> None:
        """Adds ids; None: something changed whose id is not known."""
        if ids is None or len(self.ids) + len(ids) > _IDS_HEARD:
            self.unnamed = True
        else:
            self.ids |= ids
        self.look.set()


class Live:
    """Notifies subscribers of executions, in this process and, through the database, in others."""

    def __init__(self, database: DatabaseManager) -> None:
        self._database = database
        self._watchers: defaultdict[ExecutionId, set[asyncio.Event]] = defaultdict(set)
        self._hearers: list[Heard] = []
        self._name = secrets.token_hex(4)  # tells its own announcements when they come back
        self._listener: asyncio.Task[None] | None = None
        self._unannounced: set[ExecutionId] = set()
        self._announcer: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()  # set when the announcer may not pause any more
        self._heard_until = 0.0  # by the monotonic clock: until then somebody listens, as far as is known
        self._closing = False

    @asynccontextmanager
    async def watching(self, execution_id: ExecutionId) -> AsyncGenerator[asyncio.Event]:
        """An event that is set whenever there may be something new of an execution; clear it, then look."""
        event = asyncio.Event()
        self._watchers[execution_id].add(event)
        self._start_listening()
        try:
            yield event
        finally:
            self._watchers[execution_id].discard(event)
            if not self._watchers[execution_id]:
                del self._watchers[execution_id]
            await self._stop_listening_if_unsubscribed()

    @asynccontextmanager
    async def watching_all(self) -> AsyncGenerator[Heard]:
        """Changes of all executions from now on. Those made while listening begins are unnamed."""
        heard = Heard()
        self._hearers.append(heard)
        self._start_listening()
        try:
            yield heard
        finally:
            self._hearers = [other for other in self._hearers if other is not heard]
            await self._stop_listening_if_unsubscribed()

    def committed(self, execution_ids: Iterable[ExecutionId]) -> None:
        """Notifies subscribers of these executions here, and soon in other processes."""
        ids = set(execution_ids)
        self._notify(ids)
        self._unannounced |= ids
        if self._announcer is None or self._announcer.done():  # after a failure the next commit starts it
            self._hurry = asyncio.Event()
            self._announcer = background(self._announce(), "live:announcer")

    async def close(self) -> None:
        """Announces what is left, then stops listening."""
        self._closing = True
        if self._announcer is not None and not self._announcer.done():  # its loop may be closed
            self._hurry.set()
            await asyncio.wait([self._announcer], timeout=_CLOSE_SECONDS)
            self._announcer.cancel()
        await self._stop_listening()

    def _notify(self, ids: set[ExecutionId] | None) -> None:
        """Sets the events of subscribers to these executions; None: of all."""
        for execution_id in list(self._watchers) if ids is None else ids:
            for event in self._watchers.get(execution_id, ()):
                event.set()
        for heard in self._hearers:
            heard.hear(ids)

    async def _announce(self) -> None:
        """Sends the ids of changed executions to other processes, one message in 10 ms at most, in no transaction."""
        while self._unannounced:
            try:
                pause_seconds = await self._announce_some()
            except DatabaseError:  # a wake-up that is lost costs a poll
                if self._closing:
                    return
                pause_seconds = _ANNOUNCE_EVERY_SECONDS
            await set_within(pause_seconds, self._hurry)

    async def _announce_some(self) -> float:
        """Sends one message, or drops all when nobody listens; seconds until the next.

        Who begins to listen after the look reads what there was before it, and is told the rest at the next look.
        """
        now = monotonic()
        if now >= self._heard_until:
            before, self._unannounced = self._unannounced, set()
            if not await self._database.has_listeners():
                return _LOOK_EVERY_SECONDS
            self._unannounced |= before
            self._heard_until = now + _LOOK_EVERY_SECONDS
        ids = [self._unannounced.pop() for _ in range(min(len(self._unannounced), _IDS_PER_ANNOUNCEMENT))]
        await self._database.notify(f"{self._name} {','.join(ids)}")
        return _ANNOUNCE_EVERY_SECONDS

    async def _listen(self) -> None:
        async with aclosing(self._database.signals()) as signals:
            async for payload in signals:
                name, _, ids = (payload or "").partition(" ")
                if name != self._name:  # commits of this process were announced here already
                    self._notify({ExecutionId(id_) for id_ in ids.split(",")} if ids else None)

    def _start_listening(self) -> None:
        if self._listener is None or self._listener.done():
            self._listener = background(self._listen(), "live:listener", on_failure=self._listen_again_later)

    def _listen_again_later(self, error: BaseException) -> None:
        """Wakes everybody: signals since then are lost, and subscribers to all executions have no poll."""
        self._notify(None)
        asyncio.get_running_loop().call_later(_LISTEN_AGAIN_SECONDS, self._listen_if_subscribed)

    def _listen_if_subscribed(self) -> None:
        if (self._watchers or self._hearers) and not self._closing:
            self._start_listening()
            self._notify(None)

    async def _stop_listening_if_unsubscribed(self) -> None:
        if not self._watchers and not self._hearers:
            await self._stop_listening()

    async def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
