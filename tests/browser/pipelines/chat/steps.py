"""The half of a chat that is no person."""

from collections.abc import AsyncIterator
from typing import Any


async def reply(data: dict[str, Any]) -> AsyncIterator[str]:
    text = data["human_input"]["message"]
    for word in ("You ", "wrote ", f"**{text}**", "."):
        yield word
