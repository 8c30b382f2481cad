"""A pooler in transaction mode, for tests: a client has a session of the server only until its transaction ends.

As PgBouncer before 1.21 does it: what a client leaves on a session (a prepared statement, a setting, a listener) stays
there for whoever comes next, and a setting in the startup message is refused. The server must trust the pooler.
"""

import asyncio
import secrets
import struct
import threading
from collections import deque
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from urllib.parse import parse_qs, urlsplit

_PROTOCOL, _CANCEL, _TLS, _GSS = 196608, 80877102, 80877103, 80877104
_ALLOWED = {"user", "database", "application_name", "client_encoding", "datestyle", "timezone"}
_PATIENCE_SECONDS = 60.0
_ENDED = (OSError, asyncio.IncompleteReadError)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Session:
    """One session of the server, which serves one client at a time, or none."""

    def __init__(self, streams: Streams, greeting: bytes, key: bytes) -> None:
        self.reader, self.writer = streams
        self.greeting, self.key = greeting, key
        self.client: _Client | None = None


class _Client:
    """A client's connection: its session, and how many of its requests the server has not finished."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.session: _Session | None = None
        self.unfinished, self.is_between_syncs = 0, False


class Pooler:
    """Shares few sessions of a server among any number of clients.

    Attributes:
        url: the database, by way of the pooler.
        prepared: the names of all statements that clients prepared by name.
        refused: the startup parameters that were refused.
    """

    def __init__(self, server: str, sessions: int) -> None:
        parts = urlsplit(server)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._host = options.get("host") or parts.hostname or "127.0.0.1"
        self._port = int(options.get("port") or parts.port or 5432)
        self._sessions = sessions
        self._idle: dict[tuple[str, str], deque[_Session]] = {}
        self._freed = asyncio.Condition()
        self._clients: dict[bytes, _Client] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self.url = ""
        self.prepared: set[str] = set()
        self.refused: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from its first byte to its last."""
        with suppress(*_ENDED, asyncio.CancelledError), closing(writer.transport):  # cancelled: the pooler ends
            if (startup := await self._startup(reader, writer)) is not None:
                await self._serve_client(reader, _Client(writer), startup)

    async def _startup(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, str] | None:
        """The parameters of a client; None: it wanted something else, or was refused."""
        while True:
            body = await _body(reader)
            code = int.from_bytes(body[:4])
            if code in (_TLS, _GSS):
                writer.write(b"N")
            elif code == _CANCEL:
                await self._cancel(body[4:])
                return None
            else:
                break
        words = [word.decode() for word in body[4:].rstrip(b"\0").split(b"\0")]
        parameters = dict(zip(words[::2], words[1::2], strict=True))
        if refused := sorted(parameters.keys() - _ALLOWED):
            self.refused += refused
            text = f"SFATAL\0C08P01\0Munsupported startup parameter: {refused[0]}\0\0"
            writer.write(_message(b"E", text.encode()))
            return None
        return parameters

    async def _serve_client(self, reader: asyncio.StreamReader, client: _Client, startup: dict[str, str]) -> None:
        pool = startup["user"], startup["database"]
        key = secrets.token_bytes(8)
        if pool not in self._idle:
            self._idle[pool] = deque([await self._open(pool)])
            for _ in range(self._sessions - 1):
                self._idle[pool].append(await self._open(pool))
        session = await self._free_session(pool)
        client.writer.write(_message(b"R", bytes(4)) + session.greeting + _message(b"K", key) + _message(b"Z", b"I"))
        await self._give_back(pool, session)
        self._clients[key] = client
        try:
            while True:
                kind, body = await _next(reader)
                if kind == b"X":
                    return
                if kind == b"P" and (name := body.partition(b"\0")[0]):
                    self.prepared.add(name.decode())
                if client.session is None:
                    client.session = await self._free_session(pool)
                    client.session.client = client
                client.is_between_syncs = kind not in (b"S", b"Q")
                client.unfinished += not client.is_between_syncs
                client.session.writer.write(_message(kind, body))
                await client.session.writer.drain()
        finally:
            del self._clients[key]
            if client.session is not None:  # left inside a transaction: so the server rolls it back
                client.session.client = None
                client.session.writer.close()

    async def _free_session(self, pool: tuple[str, str]) -> _Session:
        """The one that has been idle for longest: rarely the one that this client had before."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._idle[pool])
            return self._idle[pool].popleft()

    async def _give_back(self, pool: tuple[str, str], session: _Session) -> None:
        async with self._freed:
            self._idle[pool].append(session)
            self._freed.notify()

    async def _open(self, pool: tuple[str, str]) -> _Session:
        """A new session of the server, ready for its first request."""
        reader, writer = await self._streams()
        try:
            greeting, key = await self._greeting(pool, reader, writer)
        except BaseException:  # also cancelled: the pooler ends
            writer.close()
            raise
        session = _Session((reader, writer), greeting, key)
        task = asyncio.create_task(self._pass_answers(pool, session), name="pooler:answers")
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)
        return session

    async def _greeting(
        self, pool: tuple[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[bytes, bytes]:
        """What the server says of a new session, and the key that cancels in it."""
        user, database = pool
        text = f"user\0{user}\0database\0{database}\0client_encoding\0utf-8\0\0".encode()
        writer.write(struct.pack("!ii", len(text) + 8, _PROTOCOL) + text)
        greeting, key = b"", b""
        while True:
            kind, body = await _next(reader)
            if kind == b"S":
                greeting += _message(kind, body)
            elif kind == b"K":
                key = body
            elif kind == b"Z":
                return greeting, key
            elif kind != b"R" or body != bytes(4):
                raise RuntimeError(f"the server does not let the pooler in: {body!r}")

    async def _pass_answers(self, pool: tuple[str, str], session: _Session) -> None:
        """What the server says goes to the client of the moment; nobody's is lost, notifications among it."""
        with suppress(*_ENDED), closing(session.writer.transport):
            while True:
                kind, body = await _next(session.reader)
                client = session.client
                if client is None:
                    continue
                client.writer.write(_message(kind, body))
                client.unfinished -= kind == b"Z"
                if (kind, body) == (b"Z", b"I") and not client.unfinished and not client.is_between_syncs:
                    session.client = client.session = None
                    await self._give_back(pool, session)
        if session.client is not None:
            session.client.session = None
            session.client.writer.close()
        if session in self._idle[pool]:
            self._idle[pool].remove(session)
        with suppress(*_ENDED):
            await self._give_back(pool, await self._open(pool))

    async def _cancel(self, key: bytes) -> None:
        client = self._clients.get(key)
        if client is not None and client.session is not None:
            _, writer = await self._streams()
            writer.write(struct.pack("!ii", 16, _CANCEL) + client.session.key)
            await writer.drain()
            writer.close()

    async def _streams(self) -> Streams:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        return await asyncio.open_connection(self._host, self._port)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


async def _body(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)


async def _next(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    return await reader.readexactly(1), await _body(reader)


@contextmanager
def pooler_before(server: str, *, sessions: int = 3) -> Generator[Pooler]:
    """A pooler before the server of a URL, in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="pooler", daemon=True)
    thread.start()

    async def listen() -> tuple[asyncio.Server, Pooler]:
        pooler = Pooler(server, sessions)
        return await asyncio.start_server(pooler.serve, "127.0.0.1", 0), pooler

    async def stop() -> None:
        listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # so that what is closed is closed

    listening, pooler = asyncio.run_coroutine_threadsafe(listen(), loop).result(_PATIENCE_SECONDS)
    port = listening.sockets[0].getsockname()[1]
    parts = urlsplit(server)
    try:
        pooler.url = f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}"
        yield pooler
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(_PATIENCE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE_SECONDS)
        loop.close()
