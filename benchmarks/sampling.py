"""One way to time: the same work over and over for a few seconds, a number of times at once.

Only the standard library, since the programs of other environments measure with it, too.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

Work = Callable[[], Awaitable[object]]
"""Does the work once; when it returns, all of it is durable."""


class Sample(NamedTuple):
    """What was done in one round; ``cpu_seconds`` is that of the process that did it."""

    executions: int
    seconds: float
    cpu_seconds: float


async def sample(work: Work, *, at_once: int, seconds: float) -> Sample:
    """Begin no work after so many seconds; what has begun then is ended and counted."""
    gc.collect()
    count, began, cpu_began = 0, time.perf_counter(), time.process_time()

    async def repeat() -> None:
        nonlocal count
        while True:
            await work()
            count += 1
            if time.perf_counter() - began >= seconds:
                return

    await asyncio.gather(*(repeat() for _ in range(at_once)))
    return Sample(count, time.perf_counter() - began, time.process_time() - cpu_began)


async def milliseconds(work: Work) -> float:
    """How long it takes once."""
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


async def repeat_times(work: Work, *, at_once: int, times: int) -> None:
    """The work a given number of times."""
    left = list(range(times))

    async def repeat() -> None:
        while left:
            left.pop()
            await work()

    await asyncio.gather(*(repeat() for _ in range(at_once)))


async def answer(work: Work) -> None:
    """Say ``ready``, then for each line of standard input (``[at_once, seconds]``) the sample in a line, to its end."""
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        at_once, seconds = json.loads(line)
        print(json.dumps(await sample(work, at_once=at_once, seconds=seconds)), flush=True)
