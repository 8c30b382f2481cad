"""Async generators as steps: what they yield is emitted as it comes, and their result follows from it.

async def run(self, data):
    async for token in self.services["llm"].stream(data["question"]):
        yield token
"""

import inspect
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Any, cast

from ia_modules.payload import is_record
from ia_modules.pipeline.current import current


def awaited(value: Any) -> Awaitable[Any] | None:
    """What gives the result of a value that is awaited, or of an async generator; None: it is the result itself."""
    if inspect.isawaitable(value):
        return value
    return streamed(cast("AsyncGenerator[Any]", value)) if inspect.isasyncgen(value) else None


async def streamed(pieces: AsyncGenerator[Any]) -> Any:
    """Emit what an async generator yields, in the attempt that runs here; None is nothing.

    Returns: what ``context.result`` was given; else the last piece where that is a dict, a model or a dataclass; else
        ``{"text": …}``, all pieces of text joined.
    """
    context, texts, last = current.context, list[str](), None
    async with aclosing(pieces):
        async for piece in pieces:
            if piece is None:
                continue
            context.emit(piece)
            last = piece
            if isinstance(piece, str):
                texts.append(piece)
    if context.own_result:
        return context.own_result.pop()
    return last if is_record(last) else {"text": "".join(texts)}
