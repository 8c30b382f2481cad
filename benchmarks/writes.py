"""What an execution writes and waits for: bytes of the write-ahead log, commits, round trips. Counts, not times.

On PostgreSQL a checkpoint comes first, and full pages, which it writes once after each, are left out.
"""

import asyncio
import tempfile
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import apsw

from benchmarks.contestants import CONTESTANTS
from benchmarks.databases import POSTGRESQL, SQLITE, NewDatabase, new_databases
from benchmarks.figures import Figure
from benchmarks.race import Bench
from benchmarks.sampling import repeat_times
from ia_modules import DatabaseManager
from ia_modules.database.sqlite_thread import SqliteThread
from tests.postgres import database_on, embedded_server

COUNTED = {1: 40, 50: 400}
"""How many executions are counted, by how many there are at a time."""

Read = Callable[[], Awaitable[Counter[str]]]
"""Reads how much of each kind there has been so far."""


class CountedFile(apsw.VFSFile):
    """A file of SQLite, which counts what is written and flushed of a write-ahead log."""

    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], counts: Counter[str]) -> None:
        super().__init__("unix", name, flags)
        self._counts = counts if flags[0] & apsw.SQLITE_OPEN_WAL else Counter[str]()

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - the name that SQLite calls
        self._counts["WAL bytes"] += len(data)
        is_frame_header = len(data) == 24
        self._counts["commits"] += is_frame_header and bytes(data[4:8]) != bytes(4)  # the last frame of a commit
        super().xWrite(data, offset)  # pyright: ignore[reportUnknownMemberType] - apsw names a type that it lacks

    def xSync(self, flags: int) -> None:  # noqa: N802 - as above
        self._counts["flushes"] += 1
        super().xSync(flags)


class CountedFiles(apsw.VFS):
    """All files of SQLite, from here on."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__("counted", "unix", makedefault=True)
        self._counts = counts

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> CountedFile:  # noqa: N802 - as above
        return CountedFile(name, flags, self._counts)


@contextmanager
def on_sqlite() -> Generator[tuple[NewDatabase, Read]]:
    """New files, and what was written to them: ``WAL bytes``, ``commits``, ``flushes``, and ``hops to threads``."""
    counts = Counter[str]()
    files, submit = CountedFiles(counts), SqliteThread.submit

    def counted(self: SqliteThread, job: Any) -> Any:
        counts["hops to threads"] += 1
        return submit(self, job)

    async def read() -> Counter[str]:
        return counts.copy()

    SqliteThread.submit = counted
    try:
        with new_databases() as new_database:
            yield new_database, read
    finally:
        SqliteThread.submit = submit
        files.unregister()


@contextmanager
def on_postgresql() -> Generator[tuple[NewDatabase, Read]]:
    """New databases on a server of our own, and ``WAL bytes`` without full pages, ``commits``, ``round trips``."""
    with embedded_server(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        counts = Counter[str]()
        admin = DatabaseManager(server, pool_size=1)
        admin.execute("CREATE EXTENSION pg_walinspect")
        admin.execute("ALTER SYSTEM SET wal_keep_size = '4GB'")  # a checkpoint would delete what is read here
        admin.fetch_one("SELECT pg_reload_conf()")
        began = admin.fetch_one("SELECT pg_current_wal_lsn() AS place")
        assert began is not None

        async def read() -> Counter[str]:
            row = await asyncio.to_thread(
                admin.fetch_one,
                "SELECT CAST(sum(record_size) AS BIGINT) AS bytes, CAST(sum(count) FILTER (WHERE"
                " \"resource_manager/record_type\" = 'Transaction/COMMIT') AS BIGINT) AS commits"
                " FROM pg_get_wal_stats(CAST(:began AS pg_lsn), pg_current_wal_lsn(), true)",
                {"began": began["place"]},
            )
            assert row is not None
            return counts + Counter({"WAL bytes": row["bytes"], "commits": row["commits"] or 0})

        try:
            with (
                relay(server, Path(folder), counts) as relayed,
                new_databases(server=server) as new_database,
            ):
                yield lambda kind: database_on(relayed, urlsplit(new_database(kind)).path.removeprefix("/")), read
        finally:
            admin.close_sync()


@contextmanager
def relay(server: str, folder: Path, counts: Counter[str]) -> Generator[str]:
    """The server by way of a socket in the folder, where the server's answers are counted.

    Each round trip of the protocol ends with one message, ReadyForQuery.
    """
    parts = urlsplit(server)
    options = dict(parse_qsl(parts.query))
    upstream = f"{options['host']}/.s.PGSQL.{options.get('port', 5432)}"
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay", daemon=True)

    async def requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
            counts["round trips"] += head[:1] == b"Z"
            writer.write(head + body)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(upstream)
        with suppress(OSError, asyncio.IncompleteReadError):
            await asyncio.gather(requests(reader, to_server), answers(from_server, writer))
        writer.close()

    async def listen() -> asyncio.Server:
        return await asyncio.start_unix_server(serve, folder / ".s.PGSQL.5432")

    async def stop() -> None:
        listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread.start()
    listening = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        query = urlencode(options | {"host": str(folder), "port": "5432"}, safe="/")
        yield urlunsplit(parts._replace(query=query))
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def count(url: str, name: str, at_once: int, times: int, read: Read) -> dict[str, float]:
    """What one of so many executions took, by kind."""
    kind, _, size = name.partition(":")
    async with CONTESTANTS[kind](url, int(size or 0)) as work:
        await repeat_times(work, at_once=at_once, times=times)
        if not url.startswith("sqlite"):
            await checkpoint(url)
        before = await read()
        await repeat_times(work, at_once=at_once, times=times)
        after = await read()
    return {each: (after[each] - before[each]) / times for each in sorted(after)}


async def checkpoint(url: str) -> None:
    database = DatabaseManager(url, pool_size=1)
    try:
        await database.execute_async("CHECKPOINT")
    finally:
        await database.close()


def measure_writes(bench: Bench) -> list[Figure]:
    """Counts for an execution of each contestant. With 50 at a time they depend on how many share a commit."""
    figures: list[Figure] = []
    for database in bench.databases:
        with PLACES[database]() as (new_database, read):
            for at_once, times in COUNTED.items():
                for case, name in CASES.items():
                    url = new_database(database)
                    counts = asyncio.run(count(url, name, at_once, bench.size(times, quick=at_once), read))
                    better = "less" if at_once == 1 else None
                    figures += [
                        Figure(database, f"{case}, {at_once} at a time", kind, (number,), better)
                        for kind, number in counts.items()
                    ]
    return figures


PLACES = {SQLITE: on_sqlite, POSTGRESQL: on_postgresql}
CASES = {
    "limit, 6 commits": "limit:6",
    "limit, 12 commits": "limit:12",
    "tracker, 12 awaits": "tracker",
    "runner": "runner",
    "runner, ten lines a step": "logs",
}
