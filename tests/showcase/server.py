"""A real server for tests: uvicorn in a thread, on a free port, as ``ia-modules serve`` runs it."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from ia_modules.cli.serve import address_of, listen, server_config
from showcase_app.backend.main import create_app
from showcase_app.backend.settings import Settings

PATIENCE_SECONDS = 20.0

T = TypeVar("T")
Message = dict[str, Any]


class Server(uvicorn.Server):
    """The server, with what a test wants to know of it: its address, its loop, and when it is up."""

    def __init__(self, database_url: str) -> None:
        self.listener = listen("127.0.0.1", 0)
        self.url = address_of(self.listener)
        self.up = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        super().__init__(server_config(create_app(Settings(database_url=database_url))))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.up.set()

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    @asynccontextmanager
    async def watch(self, execution_id: str, after: int | str = 0, **options: Any) -> AsyncGenerator[ClientConnection]:
        """A socket that watches an execution."""
        url = f"ws://{self.host}/ws/executions/{execution_id}?after={after}"
        async with connect(url, max_size=None, **options) as client:
            yield client

    async def sending(self, execution_id: str) -> asyncio.Task[Any]:
        """The task that sends the changes of an execution to its only client, as soon as there is one."""

        async def look() -> asyncio.Task[Any]:
            name = f"socket:{execution_id}"
            found: list[asyncio.Task[Any]] = []
            while not found:  # nothing tells of a task's birth
                found = [task for task in asyncio.all_tasks() if task.get_name() == name]
                await asyncio.sleep(0)
            return found[0]

        return await self._in_its_loop(look())

    async def until_ended(self, task: asyncio.Task[Any]) -> None:
        """Wait until a task of the server has ended."""
        await self._in_its_loop(asyncio.wait([task]))

    async def _in_its_loop(self, work: Coroutine[Any, Any, T]) -> T:
        assert self.loop is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))


@contextmanager
def running(server: Server) -> Generator[Server]:
    """Run a server in a thread for as long as the block lasts."""
    thread = threading.Thread(target=server.run, kwargs={"sockets": [server.listener]}, name="server")
    thread.start()
    try:
        assert server.up.wait(PATIENCE_SECONDS), "the server did not start"
        yield server
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "the server did not stop"


async def receive(client: ClientConnection) -> Message:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return json.loads(await client.recv())


async def receive_page(client: ClientConnection) -> list[Message]:
    """The messages up to the execution_update that ends a page."""
    page = [await receive(client)]
    while page[-1]["type"] != "execution_update":
        page.append(await receive(client))
    return page


async def receive_upto(client: ClientConnection, sequence: int) -> list[Message]:
    """The messages of all pages up to the one that ends at or after a sequence number."""
    messages = await receive_page(client)
    while messages[-1]["sequence"] < sequence:
        messages += await receive_page(client)
    return messages
