"""A reverse proxy in front of a server, below a path, as nginx is set up: what it hands on has that path, or not."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

PATIENCE_SECONDS = 60.0

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Hands on what comes below ``root_path``, sockets too; 404 to all else, 502 while nothing is behind it."""

    def __init__(self, port: int, root_path: str, *, strips: bool) -> None:
        self._port, self._root, self._strips = port, root_path.encode(), strips
        self.url = ""
        self._up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        asyncio.run(self._serve())

    def end(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._over.set)

    def wait(self) -> None:
        assert self._up.wait(PATIENCE_SECONDS)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{self._root.decode()}"
        self._up.set()
        await self._over.wait()
        server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold the connection, since a loop holds its tasks weakly, and a stream its reader."""
        connection = asyncio.create_task(self._connection(reader, writer), name="proxy:connection")
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, and then the bytes of both sides as they come."""
        async with _closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            request_line, *headers = head.rstrip(b"\r\n").split(b"\r\n")
            method, path, version = request_line.split(b" ")
            if not path.startswith(self._root):
                writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            elif (behind := await self._connect()) is None:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            else:
                path = path.removeprefix(self._root) or b"/" if self._strips else path
                kept = [each for each in headers if not each.lower().startswith(b"connection:")]
                is_socket = any(each.lower().startswith(b"upgrade:") for each in headers)
                kept.append(b"Connection: Upgrade" if is_socket else b"Connection: close")
                async with _closing(behind[1]):
                    behind[1].write(b"\r\n".join([b" ".join((method, path, version)), *kept, b"", b""]))
                    await _both_ways((reader, writer), behind, until_one_ends=is_socket)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        with suppress(OSError):
            return await asyncio.open_connection("127.0.0.1", self._port)
        return None


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncGenerator[None]:
    """Whatever becomes of a connection, it is closed, and that is waited for."""
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            yield
            await writer.drain()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _both_ways(one: Ends, other: Ends, *, until_one_ends: bool) -> None:
    pumps = [asyncio.create_task(_pump(one[0], other[1])), asyncio.create_task(_pump(other[0], one[1]))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED if until_one_ends else asyncio.ALL_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await source.read(2**16):
            to.write(part)
            await to.drain()
        to.write_eof()


@contextmanager
def proxied(port: int, root_path: str, *, strips: bool) -> Generator[Proxy]:
    """A proxy in a thread of its own, for as long as the block lasts."""
    proxy = Proxy(port, root_path, strips=strips)
    thread = threading.Thread(target=proxy.run, name="proxy")
    thread.start()
    try:
        proxy.wait()
        yield proxy
    finally:
        proxy.end()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "the proxy did not end"
