"""Threads that own SQLite connections: each runs one job after another, so nothing else needs a lock."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from ia_modules.database.driver import closed_message
from ia_modules.database.sqlite_connection import Settings, SqliteConnection
from ia_modules.errors import DatabaseClosed, DatabaseError

T = TypeVar("T")
Job = Callable[[SqliteConnection], Any]


class Result(Future[T]):
    """What a job will have returned or raised."""

    abandoned = False
    """Set it when nobody waits any more: a statement that still runs is interrupted then, and its job fails."""


Jobs = SimpleQueue[tuple[Job, Result[Any]] | None]


class Worker:
    """One thread with a connection of its own, opened at the first job.

    Workers that share ``jobs`` take turns: whoever is free takes the next one.
    """

    def __init__(self, name: str, settings: Settings, *, writes: bool, jobs: Jobs | None = None) -> None:
        self._settings, self._writes = settings, writes
        self._jobs: Jobs = SimpleQueue() if jobs is None else jobs
        self._connection: SqliteConnection | None = None
        self._ending, self._stopped = threading.Lock(), False
        self._after: Sequence[Worker] = ()
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()  # who gives up waiting for the end does not prevent it
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[SqliteConnection], T]) -> Result[T]:
        """Queue a job. Cancelling its result drops it if it has not begun."""
        result: Result[T] = Result()
        with self._ending:
            if self._stopped:
                raise DatabaseClosed(closed_message(self._settings.file.path))
            self._jobs.put((job, result))
        return result

    async def perform(self, job: Callable[[SqliteConnection], T]) -> T:
        """Queue a job and wait for it. When the caller is cancelled, the job is dropped or interrupted."""
        result = self.submit(job)
        try:
            return await asyncio.wrap_future(result)
        except asyncio.CancelledError:
            result.abandoned = True
            raise

    def stop(self, *, after: "Sequence[Worker]" = ()) -> None:
        """End after the jobs queued so far. Workers that share a queue must all be stopped.

        Args:
            after: others that are being stopped; this one closes its connection when theirs are closed.
        """
        with self._ending:
            if not self._stopped:
                self._stopped, self._after = True, after
                self._jobs.put(None)

    async def stopped(self) -> None:
        """Wait for the end of a stopped worker: its connection is closed. It ends also when nobody waits."""
        await asyncio.wrap_future(self._ended)
        self._thread.join()  # nothing is left for it to do but to return

    def when_stopped(self, callback: Callable[[], object]) -> None:
        """Call back at its end, in its thread."""
        self._ended.add_done_callback(lambda _: callback())

    def join(self) -> None:
        """Wait for the end of a stopped worker, in another's thread."""
        self._thread.join()

    def _work(self) -> None:
        while item := self._jobs.get():
            job, result = item
            if result.set_running_or_notify_cancel():
                self._settle(job, result)
            del item, job, result  # nothing of this job may live on while the thread waits for the next
        try:
            for other in self._after:
                other.join()
            if self._connection is not None:
                if self._writes:
                    self._connection.optimize()
                self._connection.close()
        finally:
            self._ended.set_result(None)

    def _settle(self, job: Job, result: Result[Any]) -> None:
        try:
            result.set_result(self._run(job, result))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to who waits for the result
            result.set_exception(error)

    def _run(self, job: Job, result: Result[Any]) -> Any:
        if self._connection is None:
            self._connection = SqliteConnection(self._settings, writes=self._writes)
        connection = self._connection
        connection.check_file()
        try:
            with connection.interrupted_when(lambda: result.abandoned):
                return job(connection)
        finally:
            self._leave_no_transaction(connection)

    def _leave_no_transaction(self, connection: SqliteConnection) -> None:
        """A connection that cannot even roll back is replaced."""
        try:
            connection.roll_back()
        except DatabaseError:
            self._connection = None
            connection.close()
