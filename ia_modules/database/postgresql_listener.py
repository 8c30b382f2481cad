"""LISTEN on its own connection, renewed when it is lost. Behind a pooler it is a look at what was committed."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal, NoReturn

from ia_modules.database.postgresql_errors import DRIVER_ERRORS, translated
from ia_modules.database.postgresql_session import CLEANUP_SECONDS, AsyncpgConnection
from ia_modules.tasks import background

CHANNEL = "ia_modules"

_HOLD_LOCK = "SELECT pg_try_advisory_lock_shared(x'69615f6d'::int, x'6c697374'::int)"  # "ia_m", "list"
HAS_LISTENERS = """
SELECT EXISTS (
       SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND (classid, objid, objsubid) = (x'69615f6d'::int, x'6c697374'::int, 2)
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS found
"""
"""Whether any connection to this database listens: each holds a lock, which ends with it."""

_WAITING_SIGNALS = 1000
_RECONNECT_SECONDS = (0.1, 10.0)
_CHECK_SECONDS = 30.0
_ANSWER_SECONDS = 10.0

_COMMITTED = "SELECT pg_current_snapshot()::text"
"""A text that changes when a transaction that wrote has ended, in any database of the server."""

logger = logging.getLogger(__name__)


class Listener:
    """The payloads of the channel, for one reader.

    Signals are queued; when too many are, one None ("something may have changed") replaces all of them.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[AsyncpgConnection]],
        is_pooled: Callable[[AsyncpgConnection], Awaitable[bool]],
        place: str,
        poll_seconds: float,
    ) -> None:
        """Make one that does not listen yet.

        Args:
            connect: gives a connection that prepares no statement by name.
            is_pooled: whether a session behind it is its own only until a transaction ends, so that it cannot listen.
            place: host and port.
            poll_seconds: how often to look where it cannot listen.
        """
        self._connect, self._is_pooled = connect, is_pooled
        self._place, self._poll_seconds = place, poll_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inbox: asyncio.Queue[str | Literal[False] | None] = asyncio.Queue()

    async def signals(self) -> AsyncGenerator[str | None]:
        """Payloads; None as soon as it listens, and when some may have been missed. Ends at :meth:`stop`.

        Raises:
            Exception: the task that listens has failed, which is also logged.
        """
        self._loop = asyncio.get_running_loop()
        listening = background(self._listen(), "ia-modules:listen")
        listening.add_done_callback(self._stopped)
        try:
            while (signal := await self._inbox.get()) is not False:
                yield signal
            if listening.done():
                listening.result()
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    def stop(self) -> None:
        """End the signals; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopped)

    def _stopped(self, _listening: object = None) -> None:
        self._inbox.put_nowait(False)

    def _put(self, signal: str | None) -> None:
        if self._inbox.qsize() >= _WAITING_SIGNALS:
            while not self._inbox.empty():
                self._inbox.get_nowait()
            signal = None
        self._inbox.put_nowait(signal)

    async def _listen(self) -> None:
        wait, longest = _RECONNECT_SECONDS
        while True:
            try:
                async with self._connected() as (connection, lost):
                    if await self._is_pooled(connection):
                        wait, _ = _RECONNECT_SECONDS
                        await self._look(connection)
                    await connection.execute(_HOLD_LOCK, timeout=_ANSWER_SECONDS)
                    await connection.add_listener(CHANNEL, self._on_notification)
                    wait, _ = _RECONNECT_SECONDS
                    self._put(None)
                    await _until(lost, connection)
                logger.warning("The connection that listens to PostgreSQL at %s was lost.", self._place)
            except DRIVER_ERRORS as error:
                logger.warning("No notifications for now. %s", translated(error, self._place))
            await asyncio.sleep(wait)
            wait = min(2 * wait, longest)

    def _on_notification(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        self._put(payload)

    async def _look(self, connection: AsyncpgConnection) -> NoReturn:
        """Put None whenever something was committed, until the connection is lost."""
        before = None
        while True:
            now = await connection.fetchval(_COMMITTED, timeout=_ANSWER_SECONDS)
            if now != before:
                self._put(None)
            before = now
            await asyncio.sleep(self._poll_seconds)

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[tuple[AsyncpgConnection, asyncio.Event]]:
        """A connection, and the event of its loss."""
        lost = asyncio.Event()

        def on_loss(_connection: object) -> None:
            lost.set()

        connection = await self._connect()
        try:
            connection.add_termination_listener(on_loss)
            yield connection, lost
        finally:
            with suppress(*DRIVER_ERRORS):
                await connection.close(timeout=CLEANUP_SECONDS)


async def _until(lost: asyncio.Event, connection: AsyncpgConnection) -> None:
    """Wait until the connection ends; query it now and then, as a silent network reports no end."""
    while not lost.is_set():
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await lost.wait()
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=_ANSWER_SECONDS)
