"""SQLite: one writer thread, a few reader threads, and transactions as jobs of the writer."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, TypeVar

import apsw

from ia_modules.database.driver import (
    Params,
    Plan,
    Rows,
    Script,
    Session,
    Statement,
    closed_message,
    time_limit_message,
)
from ia_modules.database.sqlite_connection import Access, SqliteConnection, SqliteSettings, Synchronous
from ia_modules.database.sqlite_file import DatabaseFile
from ia_modules.database.sqlite_thread import Job, Jobs, SqliteThread
from ia_modules.database.url import MEMORY, DatabaseUrl
from ia_modules.errors import DatabaseClosed, DatabaseError, DatabaseReadOnly, TransactionMisuse

T = TypeVar("T")

_READERS = 3


def utc_now() -> datetime:
    """The default clock; tests may pass another."""
    return datetime.now(UTC)


class SqliteDriver:
    """One SQLite file, or a database in memory, whose only connection serves reads and writes."""

    def __init__(
        self,
        url: DatabaseUrl,
        *,
        now: Callable[[], datetime] | None,
        busy_timeout_seconds: float,
        synchronous: Synchronous,
        poll_seconds: float,
        access: Access = "shared",
    ) -> None:
        self._url, self._poll_seconds = url, poll_seconds
        self._settings = SqliteSettings(
            file=DatabaseFile(url.target),
            busy_timeout_seconds=busy_timeout_seconds,
            synchronous=synchronous,
            now=now or utc_now,
            access=access,
        )
        self._writer: SqliteThread | None = None
        self._readers: list[SqliteThread] = []
        self._watchers: set[SqliteThread] = set()
        self._ending: list[SqliteThread] = []
        self._starting = Lock()
        self._closed = False

    async def open(self) -> None:
        await self.perform(Statement("SELECT count(*) FROM sqlite_master"))

    async def close(self) -> None:
        with self._starting:
            if not self._closed:
                self._closed = True
                self._stop_threads()
        for thread in self._ending:  # a cancelled close() may be repeated; the threads end anyway
            await thread.stopped()

    def exists(self) -> bool:
        return self._writer is not None or Path(self._url.target).exists()

    async def run(
        self,
        script: Script[T],
        lock_timeout_seconds: float | None = None,
        statement_timeout_seconds: float | None = None,
    ) -> T:
        def job(connection: SqliteConnection) -> T:
            with connection.waiting_for_locks(lock_timeout_seconds):
                return connection.run(script, begin="BEGIN IMMEDIATE")

        return await self._write(job)

    @property
    def writes_plans(self) -> bool:
        return True

    async def write_plan(
        self,
        plan: Plan,
        lock_timeout_seconds: float | None = None,
        statement_timeout_seconds: float | None = None,
    ) -> bool:
        def job(connection: SqliteConnection) -> bool:
            with connection.waiting_for_locks(lock_timeout_seconds):
                return connection.write_plan(plan)

        return await self._write(job)

    async def read(self, script: Script[T]) -> T:
        return await self._read(lambda connection: connection.run(script, begin="BEGIN"))

    async def execute(self, sql: str, params: Params) -> int:
        def job(connection: SqliteConnection) -> int:
            affected = connection.execute(sql, params)
            connection.refuse_open_transaction(sql)
            return affected

        return await self._write(job)

    async def perform(self, statement: Statement) -> Rows:
        def job(connection: SqliteConnection) -> Rows:
            rows = connection.perform(statement)
            connection.refuse_open_transaction(statement.sql)
            return rows

        if len(statement.rows) != 1:
            return await self.run(_only(statement))
        try:
            return await self._read(job)
        except DatabaseReadOnly:  # the statement writes; the reader changed nothing
            return await self._write(job)

    @asynccontextmanager
    async def transaction(self, timeout_seconds: float) -> AsyncGenerator[Session]:
        session = _SqliteTransaction(timeout_seconds)
        served = self._started_writer().submit(session.serve)
        served.add_done_callback(session.never_begun)
        try:
            await asyncio.wrap_future(session.begun)
            yield session
        except BaseException:
            session.end(commit=False)
            if not served.cancel():
                with suppress(DatabaseError):
                    await asyncio.shield(asyncio.wrap_future(served))
            raise
        session.end(commit=True)
        await asyncio.shield(asyncio.wrap_future(served))

    async def notify(self, payload: str) -> None:
        """Do nothing: a commit changes ``data_version``, which :meth:`signals` polls."""

    async def has_listeners(self) -> bool:
        """No: nothing is sent."""
        return False

    async def signals(self) -> AsyncGenerator[str | None]:
        await self.open()
        watcher = self._started_writer() if self._url.target == MEMORY else self._started_watcher()
        seen: int | None = None
        try:
            while not self._closed:
                version = await watcher.perform(SqliteConnection.version)
                if version != seen:
                    seen = version
                    yield None
                await asyncio.sleep(self._poll_seconds)
        finally:
            if watcher is not self._writer:
                watcher.stop()

    def _stop_threads(self) -> None:
        """Stop every thread, the writer last: the last connection to close moves the WAL into the file."""
        others = [*self._readers, *self._watchers]
        for thread in others:
            thread.stop()
        self._ending = others
        if self._writer:
            self._writer.stop(after=others)
            self._ending = [*others, self._writer]

    async def _write(self, job: Callable[[SqliteConnection], T]) -> T:
        return await self._started_writer().perform(job)

    async def _read(self, job: Callable[[SqliteConnection], T]) -> T:
        if self._url.target != MEMORY:
            return await (await self._reader()).perform(job)

        def reading(connection: SqliteConnection) -> T:
            with connection.only_reading():
                return job(connection)

        return await self._write(reading)

    async def _reader(self) -> SqliteThread:
        """A reader; all share one queue. They start after the writer has set up the file."""
        if not self._readers:
            await self._write(lambda _: None)
            with self._starting:
                self._refuse_when_closed()
                if not self._readers:
                    jobs: Jobs = SimpleQueue()
                    self._readers = [
                        self._new_thread(f"reader-{number}", writes=False, jobs=jobs)
                        for number in range(1, _READERS + 1)
                    ]
        return self._readers[0]

    def _started_writer(self) -> SqliteThread:
        with self._starting:
            self._refuse_when_closed()
            if self._writer is None:
                self._writer = self._new_thread("writer", writes=True)
            return self._writer

    def _started_watcher(self) -> SqliteThread:
        with self._starting:
            self._refuse_when_closed()
            watcher = self._new_thread("watcher", writes=False)
            self._watchers.add(watcher)
            watcher.when_stopped(lambda: self._watchers.discard(watcher))
            return watcher

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise DatabaseClosed(closed_message(self._url.safe))

    def _new_thread(self, role: str, *, writes: bool, jobs: Jobs | None = None) -> SqliteThread:
        return SqliteThread(f"ia-sqlite-{role}", self._settings, writes=writes, jobs=jobs)


def _only(statement: Statement) -> Script[Rows]:
    return (yield statement)


class _SqliteTransaction:
    """A transaction with a handle: one job of the writer thread, which runs its statements until the end.

    No other writer runs meanwhile, and the time limit holds even while the user's code hangs.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._requests: SimpleQueue[tuple[Job, Future[Any]] | bool] = SimpleQueue()
        self._ending = Lock()
        self._ended = self._abandoned = False
        self.begun: Future[None] = Future()

    async def execute(self, sql: str, params: Params) -> int:
        return await self._on_writer(lambda connection: connection.execute(sql, params), sql)

    async def perform(self, statement: Statement) -> Rows:
        return await self._on_writer(lambda connection: connection.perform(statement), statement.sql)

    def end(self, *, commit: bool) -> None:
        """End the transaction after the statements queued so far."""
        self._requests.put(commit)

    def never_begun(self, served: Future[None]) -> None:
        """Fail the wait for :attr:`begun` when the transaction never began."""
        if not served.cancelled() and not self.begun.done():
            self.begun.set_exception(served.exception() or TransactionMisuse("The transaction ended before it began."))

    def serve(self, connection: SqliteConnection) -> None:
        """Run the transaction on the writer thread, from BEGIN to the end.

        Raises:
            TransactionMisuse: the time limit came first; everything was rolled back.
        """
        connection.control("BEGIN IMMEDIATE")
        if not self.begun.set_running_or_notify_cancel():
            return
        self.begun.set_result(None)
        deadline = time.monotonic() + self._timeout_seconds
        try:
            with connection.interrupted_when(lambda: self._abandoned or time.monotonic() > deadline):
                commit = self._serve_until(deadline, connection)
            if commit:
                connection.commit()
        finally:
            self._refuse_the_rest()

    def _serve_until(self, deadline: float, connection: SqliteConnection) -> bool:
        while True:
            try:
                request = self._requests.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise TransactionMisuse(time_limit_message(self._timeout_seconds)) from None
            if isinstance(request, bool):
                return request
            job, future = request
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job(connection))
            except BaseException as error:  # noqa: BLE001 - the caller gets every error of its job
                future.set_exception(self._told(error, is_late=time.monotonic() > deadline))

    def _told(self, error: BaseException, *, is_late: bool) -> BaseException:
        """The error of a statement; one that the time limit has interrupted says so, as all that ends by it does."""
        if not (is_late and isinstance(error.__cause__, apsw.InterruptError)):
            return error
        over = TransactionMisuse(time_limit_message(self._timeout_seconds))
        over.__cause__ = error
        return over

    async def _on_writer(self, job: Callable[[SqliteConnection], T], sql: str) -> T:
        def watched(connection: SqliteConnection) -> T:
            result = job(connection)
            connection.refuse_ended_transaction(sql)
            return result

        future: Future[T] = Future()
        with self._ending:
            if self._ended:
                raise TransactionMisuse(time_limit_message(self._timeout_seconds))
            self._requests.put((watched, future))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            self._abandoned = True
            raise

    def _refuse_the_rest(self) -> None:
        with self._ending:
            self._ended = True
        while not self._requests.empty():
            request = self._requests.get()
            if not isinstance(request, bool) and request[1].set_running_or_notify_cancel():
                request[1].set_exception(TransactionMisuse(time_limit_message(self._timeout_seconds)))
