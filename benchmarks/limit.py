"""The limit: the same twelve records by hand, as quickly as we know how. Nothing is checked, fenced or numbered.

One writer and one connection. What waits when a commit has ended is the next commit: one hop to the thread of SQLite,
one statement and one round trip on PostgreSQL. A write is acknowledged after its COMMIT.
"""

import asyncio
import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Thread
from typing import Any

import apsw
import asyncpg
import orjson
import uuid_utils

from benchmarks.sampling import Work
from benchmarks.work import PAYLOAD, RECORDS, STEPS

Row = tuple[Any, ...]
Write = tuple[str, Row]
"""What is written, one of KINDS, and its values."""

Batch = list[tuple[Sequence[Write], asyncio.Future[None]]]

KINDS = ("begin_execution", "end_step", "begin_step", "end_execution")

SQLITE_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE executions (
    execution_id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL, input TEXT, output TEXT,
    started_at TEXT NOT NULL, completed_at TEXT) STRICT;
CREATE TABLE steps (
    step_execution_id TEXT PRIMARY KEY, execution_id TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
    input TEXT, output TEXT, started_at TEXT NOT NULL, completed_at TEXT) STRICT;
"""
SQLITE: dict[str, str] = {
    "begin_execution": "INSERT INTO executions VALUES (?, 'benchmark', 'running', ?, NULL, ?, NULL)",
    "end_step": "UPDATE steps SET status = 'completed', output = ?2, completed_at = ?3 WHERE step_execution_id = ?1",
    "begin_step": "INSERT INTO steps VALUES (?, ?, ?, 'running', ?, NULL, ?, NULL)",
    "end_execution": "UPDATE executions SET status = 'completed', output = ?2, completed_at = ?3"
    " WHERE execution_id = ?1",
}

POSTGRESQL_SCHEMA = """
CREATE TABLE executions (
    execution_id UUID PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL, input TEXT, output TEXT,
    started_at TIMESTAMPTZ NOT NULL, completed_at TIMESTAMPTZ) WITH (fillfactor = 50);
CREATE TABLE steps (
    step_execution_id UUID PRIMARY KEY, execution_id UUID NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
    input TEXT, output TEXT, started_at TIMESTAMPTZ NOT NULL, completed_at TIMESTAMPTZ) WITH (fillfactor = 50);
"""
POSTGRESQL: dict[str, str] = {
    "begin_execution": "INSERT INTO executions SELECT a, 'benchmark', 'running', b, NULL, c, NULL"
    " FROM unnest(?::uuid[], ?::text[], ?::timestamptz[]) AS t (a, b, c)",
    "end_step": "UPDATE steps SET status = 'completed', output = b, completed_at = c"
    " FROM unnest(?::uuid[], ?::text[], ?::timestamptz[]) AS t (a, b, c) WHERE step_execution_id = a",
    "begin_step": "INSERT INTO steps SELECT a, b, c, 'running', d, NULL, e, NULL"
    " FROM unnest(?::uuid[], ?::uuid[], ?::text[], ?::text[], ?::timestamptz[]) AS t (a, b, c, d, e)",
    "end_execution": "UPDATE executions SET status = 'completed', output = b, completed_at = c"
    " FROM unnest(?::uuid[], ?::text[], ?::timestamptz[]) AS t (a, b, c) WHERE execution_id = a",
}
POSTGRESQL_SETTINGS = {  # a generic plan made on empty tables would scan them for ever
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


class GroupCommit(ABC):
    """Writes that wait together become one commit."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: Batch = []
        self._is_busy = False

    def commit(self, writes: Sequence[Write]) -> asyncio.Future[None]:
        """Ends when the writes are durable."""
        future = self._loop.create_future()
        self._waiting.append((writes, future))
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._write_next)
        return future

    @abstractmethod
    def now(self) -> str | datetime:
        """The time as the database takes it."""

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Begin to write a batch; ends with :meth:`written`, on the loop."""

    def written(self, batch: Batch, error: BaseException | None) -> None:
        for _, future in batch:
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
        self._loop.call_soon(self._write_next)  # after those who go on now and have more to write

    def _write_next(self) -> None:
        batch, self._waiting = self._waiting, []
        self._is_busy = bool(batch)
        if batch:
            self.write(batch)


class SqliteGroupCommit(GroupCommit):
    """One thread, with prepared statements."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._thread = Thread(target=self._work, args=(path,), name="limit")
        self._thread.start()

    def now(self) -> str:
        return datetime.now(UTC).isoformat()

    def write(self, batch: Batch) -> None:
        self._batches.put(batch)

    def close(self) -> None:
        self._batches.put(None)
        self._thread.join()

    def _work(self, path: str) -> None:
        connection: Any = apsw.Connection(path)
        list(connection.execute(SQLITE_SCHEMA))  # to its last statement
        while (batch := self._batches.get()) is not None:
            error: apsw.Error | None = None
            try:
                connection.execute("BEGIN IMMEDIATE")
                for kind, rows in by_kind(batch):
                    connection.executemany(SQLITE[kind], rows)
                connection.execute("COMMIT")
            except apsw.Error as wrong:
                error = wrong
                connection.execute("ROLLBACK")
            self._loop.call_soon_threadsafe(self.written, batch, error)
        connection.close()


class PostgresqlGroupCommit(GroupCommit):
    """One connection; a batch is one statement, and that one transaction."""

    def __init__(self, connection: Any) -> None:
        super().__init__()
        self._connection = connection
        self._prepared: dict[tuple[str, ...], Any] = {}
        self._writing: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        return datetime.now(UTC)

    def write(self, batch: Batch) -> None:
        self._writing = self._loop.create_task(self._write(batch), name="limit")

    async def _write(self, batch: Batch) -> None:
        error: Exception | None = None
        try:
            kinds = by_kind(batch)
            shape = tuple(kind for kind, _ in kinds)
            if shape not in self._prepared:
                self._prepared[shape] = await self._connection.prepare(statement_of(shape))
            arrays = [list(column) for _, rows in kinds for column in zip(*rows, strict=True)]
            await self._prepared[shape].fetch(*arrays)
        except asyncpg.PostgresError as wrong:
            error = wrong
        self.written(batch, error)


def by_kind(batch: Batch) -> list[tuple[str, list[Row]]]:
    """The rows of a batch, those that begin before those that end; an execution has one kind of each row in it."""
    rows: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    for writes, _ in batch:
        for kind, row in writes:
            rows[kind].append(row)
    return [(kind, each) for kind, each in rows.items() if each]


def statement_of(kinds: Sequence[str]) -> str:
    """One statement that writes rows of all these kinds."""
    numbers = itertools.count(1)
    parts = (re.sub(r"\?", lambda _: f"${next(numbers)}", POSTGRESQL[kind]) for kind in kinds)
    return "WITH " + ", ".join(f"{kind} AS ({part})" for kind, part in zip(kinds, parts, strict=True)) + " SELECT 1"


async def record_by_hand(group: GroupCommit, commits: int) -> None:
    """The twelve records of an execution in so many commits, 6 or 12: with 6, an end and the next start are one."""
    size, waiting = RECORDS // commits, list[Write]()

    async def record(kind: str, *row: str) -> None:
        waiting.append((kind, (*row, group.now())))
        if len(waiting) == size:
            writes = waiting.copy()
            waiting.clear()
            await group.commit(writes)

    execution_id = str(uuid_utils.uuid7())
    await record("begin_execution", execution_id, encoded(PAYLOAD))
    for number in range(STEPS):
        step_id = str(uuid_utils.uuid7())
        await record("begin_step", step_id, execution_id, f"step-{number}", encoded(PAYLOAD))
        await record("end_step", step_id, encoded(PAYLOAD))
    await record("end_execution", execution_id, encoded(PAYLOAD))


def encoded(value: object) -> str:
    return orjson.dumps(value).decode()


@asynccontextmanager
async def limit(url: str, commits: int) -> AsyncGenerator[Work]:
    """The limit on a database, with so many commits for an execution."""
    if url.startswith("sqlite:///"):
        group = SqliteGroupCommit(url.removeprefix("sqlite:///"))
        try:
            yield lambda: record_by_hand(group, commits)
        finally:
            group.close()
        return
    connection: Any = await asyncpg.connect(url, server_settings=POSTGRESQL_SETTINGS)
    try:
        await connection.execute(POSTGRESQL_SCHEMA)
        group = PostgresqlGroupCommit(connection)
        yield lambda: record_by_hand(group, commits)
    finally:
        await connection.close()
