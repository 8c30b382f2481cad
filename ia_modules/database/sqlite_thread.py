"""Threads that each own a SQLite connection and run one job after another, so that a connection needs no lock."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from ia_modules.database.driver import closed_message
from ia_modules.database.sqlite_connection import SqliteConnection, SqliteSettings
from ia_modules.errors import DatabaseClosed, DatabaseError, DatabaseReadOnly

T = TypeVar("T")
Job = Callable[[SqliteConnection], Any]


class Result(Future[T]):
    """The value or the error of a job."""

    abandoned = False
    """Set when the caller is cancelled: a running statement is interrupted, and its job fails."""


Jobs = SimpleQueue[tuple[Job, Result[Any]] | None]


class SqliteThread:
    """One thread with a connection of its own, opened at the first job.

    Threads that share ``jobs`` take turns: the next free one takes the next job.
    """

    def __init__(self, name: str, settings: SqliteSettings, *, writes: bool, jobs: Jobs | None = None) -> None:
        self._settings, self._writes = settings, writes
        self._jobs: Jobs = SimpleQueue() if jobs is None else jobs
        self._connection: SqliteConnection | None = None
        self._ending, self._stopped = threading.Lock(), False
        self._after: Sequence[SqliteThread] = ()
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()  # a cancelled wait does not cancel the end
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[SqliteConnection], T]) -> Result[T]:
        """Queue a job. Cancelling its result removes it from the queue, unless it has begun."""
        result: Result[T] = Result()
        with self._ending:
            if self._stopped:
                raise DatabaseClosed(closed_message(self._settings.file.path))
            self._jobs.put((job, result))
        return result

    async def perform(self, job: Callable[[SqliteConnection], T]) -> T:
        """Queue a job and wait for it. Cancelling the caller removes the job from the queue or interrupts it."""
        result = self.submit(job)
        try:
            return await asyncio.wrap_future(result)
        except asyncio.CancelledError:
            result.abandoned = True
            raise

    def stop(self, *, after: "Sequence[SqliteThread]" = ()) -> None:
        """End after the jobs queued so far. Threads that share a queue must all be stopped.

        Args:
            after: other stopped threads; this one closes its connection after theirs.
        """
        with self._ending:
            if not self._stopped:
                self._stopped, self._after = True, after
                self._jobs.put(None)

    async def stopped(self) -> None:
        """Wait until a stopped thread has closed its connection and ended."""
        await asyncio.wrap_future(self._ended)
        self._thread.join()  # it only has to return

    def when_stopped(self, callback: Callable[[], object]) -> None:
        """Call back from this thread when it ends."""
        self._ended.add_done_callback(lambda _: callback())

    def _work(self) -> None:
        while item := self._jobs.get():
            job, result = item
            if result.set_running_or_notify_cancel():
                self._finish(job, result)
            del item, job, result  # a waiting thread must not keep the last job alive
        try:
            for other in self._after:
                other._thread.join()
            if self._connection is not None:
                if self._writes:
                    self._connection.optimize()
                self._connection.close()
        finally:
            self._ended.set_result(None)

    def _finish(self, job: Job, result: Result[Any]) -> None:
        try:
            result.set_result(self._run(job, result))
        except BaseException as error:  # noqa: BLE001 - the caller gets every error of its job
            result.set_exception(error)

    def _run(self, job: Job, result: Result[Any]) -> Any:
        if self._connection is None:
            self._connection = SqliteConnection(self._settings, writes=self._writes)
        connection = self._connection
        connection.check_file()
        try:
            with connection.interrupted_when(lambda: result.abandoned):
                value = job(connection)
            connection.begin_use()
            return value
        except DatabaseReadOnly:
            if (
                self._writes and not connection.is_in_memory
            ):  # it stays so, even when the file may be written again: open it anew next time
                self._connection = None
                connection.close()
            raise
        finally:
            if self._connection is not None:
                self._leave_no_transaction(connection)

    def _leave_no_transaction(self, connection: SqliteConnection) -> None:
        """Roll back what a job left open; replace a connection that cannot."""
        try:
            connection.roll_back()
        except DatabaseError:
            self._connection = None
            connection.close()
