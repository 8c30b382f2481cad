"""A step with very much within it."""

import asyncio
from pathlib import Path
from typing import Any

from ia_modules import Inner, current
from ia_modules.pipeline.core import Step

LOOK_SECONDS = 0.02
SEARCHES, BAD = 60, (7, 41)


async def search(number: int) -> dict[str, int]:
    current.context.log(f"looking for {number}")
    if number in BAD:
        raise OSError(f"no answer to {number}")
    return {"found": number * 2}


def vote(on: str) -> str:
    return f"yes to {on}"


async def judge(on: str) -> str:
    return await current.context.step(Inner("vote", key="ann"), vote, on)


class Think(Step):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        verdict = await self.context.step("judge", judge, "storks")
        for number in range(1, SEARCHES + 1):
            try:
                await self.context.step("search", search, number)
            except OSError:
                continue
        while not (Path(data["folder"]) / "go").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(LOOK_SECONDS)
        await self.context.step("sum up", vote, "all of it")
        return {"verdict": verdict}


def plain(data: dict[str, Any]) -> dict[str, Any]:
    return {"plain": True}
