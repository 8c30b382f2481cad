"""A step whose answer comes in parts, each when a file of its number is there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from ia_modules.pipeline.core import StepContext

LOOK_SECONDS = 0.02
PARTS = ("**Kettles** are kept", " in the *third* aisle.\n\n", "- steel\n- glass\n\n", "That is all.")


async def answer(folder: str, context: StepContext) -> AsyncIterator[str]:
    context.emit({"tool": "search", "query": "kettle"}, "calls", flush=True)
    for number, part in enumerate(PARTS):
        while not (Path(folder) / str(number)).exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(LOOK_SECONDS)
        yield part
