"""What a process of :mod:`ia_modules.pipeline.process_pool` runs: attempts, one after the other, until told to end.

When its owner dies, the system ends it, whatever its code does at that moment.
"""

import asyncio
import os
import select
import signal
import socket
import struct
import threading
from contextlib import suppress

from ia_modules.pipeline.remote_calls import ToOwner, encoded, read_by_host
from ia_modules.pipeline.remote_host import RemoteHost

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

_LENGTH = struct.Struct("!Q")


def main(channel: int, lifeline: int, services: str | None) -> None:
    """Make attempts until the owner closes the channel.

    Args:
        channel: a descriptor of the socket on which requests come.
        lifeline: a descriptor of a pipe whose other end the owner has, and nobody writes to.
        services: what makes the services of steps, as ``MODULE:NAME``; None: there are none.
    """
    _die_with(lifeline)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a signal to all: the owner says what is to stop
    with socket.socket(fileno=channel) as owner:
        asyncio.run(_serve(owner, services))


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


async def _serve(owner: socket.socket, services: str | None) -> None:
    reader, writer = await asyncio.open_connection(sock=owner)

    def send(message: ToOwner) -> None:
        text = encoded(message)
        writer.write(_LENGTH.pack(len(text)))
        writer.write(text)

    async with RemoteHost(send, services=services) as host:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
                host.hear(read_by_host(await reader.readexactly(length)))
