"""What a process of :mod:`ia_modules.pipeline.process_pool` runs: attempts, one after the other, until told to end."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ia_modules.pipeline.child_main import Hear, Send, serve
from ia_modules.pipeline.remote_calls import encoded, read_by_host
from ia_modules.pipeline.remote_host import RemoteHost


def main(channel: int, lifeline: int, services: str | None) -> None:
    """Make attempts until the owner closes the channel.

    Args:
        channel, lifeline: of :func:`ia_modules.pipeline.child_main.serve`.
        services: what makes the services of steps, as ``MODULE:NAME``; None: there are none.
    """

    @asynccontextmanager
    async def host(send: Send) -> AsyncGenerator[Hear]:
        async with RemoteHost(lambda message: send(encoded(message)), services=services) as made:
            yield lambda message: made.hear(read_by_host(message))

    serve(channel, lifeline, host)
