"""A real server for tests: uvicorn in a thread, on a free port, as ``ia-modules serve`` runs it."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import httpx
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from ia_modules.cli.commands.serve import address_of, listen, server_config
from ia_modules.tracker.reader import ExecutionReader
from showcase_app.backend.main import create_app
from showcase_app.backend.services.container import Services
from showcase_app.backend.settings import Settings
from tests.plain_http import NO_CERTIFICATES

PATIENCE_SECONDS = 60.0

T = TypeVar("T")
Frame = dict[str, Any]


class Server(uvicorn.Server):
    """The server, with what a test wants to know of it: its address, its loop, and when it is up."""

    def __init__(self, database_url: str, **settings: Any) -> None:
        self.listener = listen("127.0.0.1", 0)
        self.url = address_of(self.listener)
        self.up = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._app = create_app(Settings(database_url=database_url, **settings))
        super().__init__(server_config(self._app))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.up.set()

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def client(self, **options: Any) -> httpx.AsyncClient:
        """A client of its API, which has the patience of a test."""
        return httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_SECONDS, verify=NO_CERTIFICATES, **options)

    @asynccontextmanager
    async def watch(self, execution_id: str, after: int | str = 0, **options: Any) -> AsyncGenerator[ClientConnection]:
        """A socket that watches an execution."""
        url = f"ws://{self.host}/ws/executions/{execution_id}?after={after}"
        async with connect(url, max_size=None, **options) as client:
            yield client

    @asynccontextmanager
    async def watch_without_reading(self, execution_id: str) -> AsyncGenerator[ClientConnection]:
        """A socket whose client reads only when it is told to, with little room on the way."""
        endpoint = socket.socket()
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        host, _, port = self.host.partition(":")
        endpoint.connect((host, int(port)))
        async with self.watch(
            execution_id, sock=endpoint, max_queue=1, close_timeout=0.1, ping_interval=None
        ) as client:
            yield client

    @property
    def services(self) -> Services:
        """What it works with; only for use in its own loop, see :meth:`run_inside`."""
        return self._app.state.services

    async def sending(self, execution_id: str) -> asyncio.Task[Any]:
        """The task that sends the changes of an execution to its only client, as soon as there is one."""

        async def look() -> asyncio.Task[Any]:
            name = f"socket:{execution_id}"
            found: list[asyncio.Task[Any]] = []
            while not found:  # nothing tells of a task's birth
                found = [task for task in asyncio.all_tasks() if task.get_name() == name]
                await asyncio.sleep(0)
            return found[0]

        return await self.run_inside(look())

    async def until_ended(self, task: asyncio.Task[Any]) -> None:
        """Wait until a task of the server has ended."""
        await self.run_inside(asyncio.wait([task]))

    async def run_inside(self, work: Coroutine[Any, Any, T], patience_seconds: float = PATIENCE_SECONDS) -> T:
        """What comes of work that is done in the server's own loop."""
        assert self.loop is not None
        async with asyncio.timeout(patience_seconds):
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


async def receive(client: ClientConnection) -> Frame:
    """The next frame that says something."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (frame := json.loads(await client.recv()))["type"] == "ping":
            pass
        return frame


class Picture:
    """What a client knows of an execution from what its sockets told it. Refuses frames that break a promise."""

    def __init__(self) -> None:
        self.cursor = 0
        self.execution: Frame = {}
        self.steps: dict[str, Frame] = {}
        self.questions: dict[str, Frame] = {}
        self.lines: dict[str, Frame] = {}
        self.resyncs = 0

    def apply(self, frame: Frame) -> None:
        if frame["type"] == "resync":
            assert frame == {"type": "resync", "after": self.cursor}
            self.resyncs += 1
            return
        assert frame.keys() == {"type", "after", "upto", "more", "messages"}
        assert frame["type"] == "changes"
        assert frame["after"] == self.cursor
        if not frame["messages"]:  # nothing is new: said once, by the first frame of a socket
            assert (frame["upto"], frame["more"]) == (self.cursor, False)
            return
        assert self.cursor < frame["upto"]
        *rows, last = frame["messages"]
        assert (last["type"], last["sequence"]) == ("execution_update", frame["upto"])
        self.execution = last["data"]
        for row in rows:
            assert self.cursor <= row["sequence"] <= frame["upto"]
            assert frame["after"] < row["sequence"] == row["data"]["sequence"]
            self.cursor = row["sequence"]
            if row["type"] == "step_update":
                self.steps[row["data"]["step_execution_id"]] = row["data"]
            elif row["type"] == "interaction_update":
                self.questions[row["data"]["interaction_id"]] = row["data"]
            else:
                assert row["type"] == "log"
                assert row["data"]["log_id"] not in self.lines  # a line never changes: it is told once
                self.lines[row["data"]["log_id"]] = row["data"]
        self.cursor = frame["upto"]

    async def follow(self, client: ClientConnection, upto: int = 0) -> "Picture":
        """Apply frames: one that changes something at least, and all up to a sequence number."""
        self.apply(frame := await receive(client))
        while not frame.get("messages") or self.cursor < upto:
            self.apply(frame := await receive(client))
        return self

    @property
    def ended(self) -> bool:
        """The execution has, and there is no more to say: its row may be ahead of the cursor."""
        return self.execution.get("sequence") == self.cursor and self.execution["status"] == "completed"

    @property
    def messages(self) -> list[str]:
        return [line["message"] for line in self.lines.values()]

    async def check(self, rows: ExecutionReader, execution_id: str) -> None:
        """Equal to the rows, as they stand now."""
        execution = await rows.get_execution_summary(execution_id)
        assert execution is not None
        assert self.execution.items() >= execution.to_dict().items()
        assert self.cursor == execution.sequence
        steps = [step.to_dict() for step in await rows.get_execution_steps(execution_id)]
        assert len(steps) == len(self.steps)
        for step in steps:
            shown = self.steps[step["step_execution_id"]]
            assert shown == {name: step.get(name, shown[name]) for name in shown}
        questions = [question.to_dict() for question in await rows.get_interactions(execution_id)]
        assert [question["interaction_id"] for question in questions] == sorted(self.questions)
        for question in questions:
            assert question.items() >= self.questions[question["interaction_id"]].items()
        lines: list[Frame] = []
        after, more = 0, True
        while more:
            changes = await rows.changes(execution_id, after)
            after, more = changes.upto, changes.more
            lines += [line.to_dict() | {"data_omitted": False} for line in changes.logs]
        assert list(self.lines.values()) == lines
