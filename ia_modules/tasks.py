"""Tasks of the process itself, which outlive whoever starts them; and waiting, so long at most, for an event."""

import asyncio
import contextvars
from collections.abc import Coroutine
from contextlib import suppress


def background(work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
    """A task of the running loop in a context of its own: it must not inherit, say, its starter's transaction."""
    return asyncio.get_running_loop().create_task(work, name=name, context=contextvars.Context())


async def set_within(seconds: float | None, event: asyncio.Event) -> bool:
    """Wait for an event, so long at most; whether it came. On Python 3.11 wait_for can swallow a cancellation."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False
