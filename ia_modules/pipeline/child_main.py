"""The other side of :mod:`ia_modules.pipeline.child_process`: serves its owner, and ends with it.

When the owner dies, the system ends this process, whatever its code does at that moment.
"""

import asyncio
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

from ia_modules.pipeline.child_process import LENGTH

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

Hear = Callable[[bytes], None]


class Send:
    """Sends messages to the owner; on the loop."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)

    def __call__(self, message: bytes) -> None:
        self._writer.write(LENGTH.pack(len(message)))
        self._writer.write(message)

    async def flushed(self) -> None:
        """Wait until all of it has left this process: it arrives, whatever becomes of that."""
        await self._writer.drain()


def serve(channel: int, lifeline: int, host: Callable[[Send], AbstractAsyncContextManager[Hear]]) -> None:
    """Take in what the owner says until it closes the channel.

    Args:
        channel: a descriptor of the socket on which messages come.
        lifeline: a descriptor of a pipe whose other end the owner has, and nobody writes to.
        host: given what sends a message to the owner, opens what takes in each that comes; both on the loop.
    """
    _die_with(lifeline)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a signal to all: the owner says what is to stop
    with socket.socket(fileno=channel) as owner:
        asyncio.run(_serve(owner, host))


def _die_with(lifeline: int) -> None:
    """Have the system end this process and what it has started when the other end of a pipe is closed.

    On Linux by a signal that no code can hold up; elsewhere by a thread, which waits for code that holds Python's lock.
    """
    if fcntl is not None and hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
        if not select.select([lifeline], [], [], 0)[0]:
            return
    threading.Thread(target=_die_after, args=(lifeline,), name="lifeline", daemon=True).start()


def _die_after(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


async def _serve(owner: socket.socket, host: Callable[[Send], AbstractAsyncContextManager[Hear]]) -> None:
    reader, writer = await asyncio.open_connection(sock=owner)
    async with host(Send(writer)) as hear:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                hear(await reader.readexactly(length))
