"""A TCP proxy to the PostgreSQL of a test, whose connections can fall silent, as behind a firewall that forgot them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_KEEPALIVE_SECONDS = 10.0


class Proxy:
    """Passes on what client and server send each other.

    Attributes:
        url: the server's URL, by way of the proxy.
        refuses: how many new connections will be closed at once.
    """

    def __init__(self, server: str) -> None:
        self._parts = urlsplit(server)
        self._options = dict(parse_qsl(self._parts.query))
        self._silent: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._of_server: set[asyncio.StreamWriter] = set()
        self.url, self.refuses = "", 0.0

    def go_silent(self) -> None:
        """From now on, today's connections swallow everything; new ones work.

        The client never sees an end. The server sees one after a while, as by its TCP keepalive: a session cut off
        inside a message counts as busy, and no other limit of the server ends it and its locks.
        """
        for writer in self._open - self._silent:
            if writer in self._of_server:
                asyncio.get_running_loop().call_later(_KEEPALIVE_SECONDS, writer.transport.abort)
        self._silent |= self._open

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses > 0:
            self.refuses -= 1
            writer.close()
            return
        server_reader, server_writer = await self._server()
        self._open |= {writer, server_writer}
        self._of_server.add(server_writer)
        await asyncio.gather(self._pump(reader, server_writer), self._pump(server_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if writer not in self._silent:
                    writer.write(data)
                    await writer.drain()
            if writer not in self._silent:
                writer.close()

    async def _server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = self._options.get("host") or self._parts.hostname or ""
        port = int(self._options.get("port") or self._parts.port or 5432)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    def listens(self, port: int) -> None:
        credentials, at, _ = self._parts.netloc.rpartition("@")
        options = {key: value for key, value in self._options.items() if key not in ("host", "port")}
        netloc = f"{credentials}{at}127.0.0.1:{port}"
        self.url = urlunsplit(self._parts._replace(netloc=netloc, query=urlencode({**options, "sslmode": "disable"})))

    def abort(self) -> None:
        """End all connections, the silent ones too: where they are closed no more waits for their answer."""
        for writer in self._open:
            writer.transport.abort()


@asynccontextmanager
async def proxy_to(server: str) -> AsyncGenerator[Proxy]:
    """A proxy to a PostgreSQL server, named by its URL, for as long as the block lasts."""
    proxy = Proxy(server)
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as listener:
        proxy.listens(listener.sockets[0].getsockname()[1])
        try:
            yield proxy
        finally:
            proxy.abort()
