"""A process that says again what it is told, for the tests of processes of one's own."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from ia_modules.pipeline.child_main import Hear, Send, serve


def main(channel: int, lifeline: int, closed: str, sent_first: str | None) -> None:
    """Sends back what it is sent; writes a file when it may close what it has."""

    @asynccontextmanager
    async def host(send: Send) -> AsyncGenerator[Hear]:
        if sent_first is not None:
            send(sent_first.encode())
        try:
            yield lambda message: send(message[::-1])
        finally:
            await asyncio.to_thread(Path(closed).write_text, "closed")

    serve(channel, lifeline, host)
