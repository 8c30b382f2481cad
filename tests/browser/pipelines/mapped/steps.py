"""A list of documents, and a step for one of them."""

import asyncio
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.02
BAD, FREE = (7, 31), 40


def listed(data: dict[str, Any]) -> dict[str, Any]:
    return {"documents": [{"id": f"doc-{number}", "number": number} for number in range(1, data["count"] + 1)]}


async def work(data: dict[str, Any]) -> dict[str, Any]:
    number = data["number"]
    if number in BAD and not (Path(data["folder"]) / "mended").exists():
        raise OSError(f"no answer to {number}")
    while number > FREE and not (Path(data["folder"]) / "go").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(LOOK_SECONDS)
    return {"score": number}
