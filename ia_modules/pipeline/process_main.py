"""What a process of :mod:`ia_modules.pipeline.process_pool` runs: attempts, until told to end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from ia_modules.pipeline.child_main import Hear, Send, serve
from ia_modules.pipeline.hosted_code import HostedCode
from ia_modules.pipeline.remote_calls import (
    AttemptEnded,
    BeginCall,
    CodeChanged,
    ToOwner,
    encoded,
    numbered,
    read_by_host,
    read_number,
)
from ia_modules.pipeline.remote_host import RemoteHost


def main(channel: int, lifeline: int, services: str | None) -> None:
    """Make attempts until the owner closes the channel.

    Args:
        channel, lifeline: of :func:`ia_modules.pipeline.child_main.serve`.
        services: what makes the services of steps, as ``MODULE:NAME``; None: there are none.
    """

    @asynccontextmanager
    async def host(send: Send) -> AsyncGenerator[Hear]:
        async with HostedCode(services=services) as code:
            attempts = _Hosts(send, code)
            yield attempts.hear
            await attempts.stop()

    serve(channel, lifeline, host)


class _Hosts:
    """Those that have not ended, by their numbers."""

    def __init__(self, send: Send, code: HostedCode) -> None:
        self._send, self._code = send, code
        self._hosts: dict[int, RemoteHost] = {}

    def hear(self, message: bytes) -> None:
        number, body = read_number(message)
        news = read_by_host(body)
        if isinstance(news, BeginCall):
            self._hosts[number] = RemoteHost(partial(self._tell, number), self._code, self._send.flushed)
        if (host := self._hosts.get(number)) is not None:  # else it has ended
            host.hear(news)

    async def stop(self) -> None:
        """Stop them, as far as they do."""
        await asyncio.gather(*(host.stop() for host in list(self._hosts.values())))

    def _tell(self, number: int, message: ToOwner) -> None:
        if isinstance(message, AttemptEnded | CodeChanged):
            self._hosts.pop(number, None)
        self._send(numbered(number, encoded(message)))
