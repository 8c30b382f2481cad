"""What an execution writes and waits for: bytes of the write-ahead log, commits, round trips. Counts, not times.

    make bench

One execution has five steps that do nothing and 500 bytes of input and of each result. A checkpoint comes first, then
executions that are not counted. Full pages, which PostgreSQL writes once after each checkpoint, are counted by
themselves. With 50 at a time the counts depend on how many share a commit, and so on the machine.
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

from benchmarks.tracking import PAYLOAD, chain, record_one
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.sqlite_thread import SqliteThread
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.postgres import embedded_server

COUNTED = {1: 40, 50: 400}
"""How many executions are counted, by how many there are at a time."""

Read = Callable[[], Awaitable[Counter[str]]]
"""Reads how much of each kind there has been so far."""


class CountedFile(apsw.VFSFile):
    """A file of SQLite, which counts what is written to a write-ahead log."""

    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], counts: Counter[str]) -> None:
        super().__init__("unix", name, flags)
        self._counts = counts if flags[0] & apsw.SQLITE_OPEN_WAL else Counter[str]()

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - the name that SQLite calls
        self._counts["bytes"] += len(data)
        is_frame_header = len(data) == 24
        self._counts["commits"] += is_frame_header and bytes(data[4:8]) != bytes(4)  # the last frame of a commit
        super().xWrite(data, offset)  # pyright: ignore[reportUnknownMemberType] - apsw names a type that it lacks


class CountedFiles(apsw.VFS):
    """All files of SQLite, from here on."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__("counted", "unix", makedefault=True)
        self._counts = counts

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> CountedFile:  # noqa: N802 - as above
        return CountedFile(name, flags, self._counts)


@contextmanager
def sqlite() -> Generator[tuple[str, Read]]:
    """The URL of a new database, and what was written to it: ``bytes``, ``commits``, and ``hops`` to its threads."""
    counts = Counter[str]()
    files, submit = CountedFiles(counts), SqliteThread.submit

    def counted(self: SqliteThread, job: Any) -> Any:
        counts["hops"] += 1
        return submit(self, job)

    async def read() -> Counter[str]:
        return counts.copy()

    SqliteThread.submit = counted
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'benchmark.db'}", read
    finally:
        SqliteThread.submit = submit
        files.unregister()


@contextmanager
def postgresql() -> Generator[tuple[str, Read]]:
    """The same on PostgreSQL: ``bytes`` without those of ``full pages``, ``commits`` and ``round trips``."""
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
                "SELECT CAST(sum(record_size) AS BIGINT) AS bytes, CAST(sum(fpi_size) AS BIGINT) AS full_pages"
                " FROM pg_get_wal_stats(CAST(:began AS pg_lsn), pg_current_wal_lsn())",
                {"began": began["place"]},
            )
            assert row is not None
            return counts + Counter({"bytes": row["bytes"], "full pages": row["full_pages"]})

        try:
            with relay(server, Path(folder), counts) as url:
                yield url, read
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
            counts["commits"] += head[:1] == b"C" and body.startswith(b"COMMIT")
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


async def measure(name: str, url: str, read: Read) -> None:
    async with DatabaseManager(url) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("benchmark", "Benchmark")
        pipeline, services = chain(), ServiceRegistry({"execution_tracker": tracker})
        works: dict[str, Callable[[], Awaitable[object]]] = {
            "as a pipeline": lambda: pipeline.run(PAYLOAD, services=services),
            "recorded by hand": lambda: record_one(tracker, pipeline_id),
        }
        for work_name, work in works.items():
            for at_once, count in COUNTED.items():
                if database.dialect == "postgresql":
                    await database.execute_async("CHECKPOINT")
                await repeat(count, at_once, work)
                before = await read()
                await repeat(count, at_once, work)
                kinds = {kind: (number - before[kind]) / count for kind, number in sorted((await read()).items())}
                text = " | ".join(f"{kind} {value:8,.1f}" for kind, value in kinds.items())
                print(f"{name:<11} {work_name:<17} {at_once:>2} at a time, per execution: {text}", flush=True)


async def repeat(count: int, at_once: int, work: Callable[[], Awaitable[object]]) -> None:
    numbers = list(range(count))

    async def worker() -> None:
        while numbers:
            numbers.pop()
            await work()

    await asyncio.gather(*(worker() for _ in range(at_once)))


def main() -> None:
    for name, place in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with place() as (url, read):
            asyncio.run(measure(name, url, read))


if __name__ == "__main__":
    main()
