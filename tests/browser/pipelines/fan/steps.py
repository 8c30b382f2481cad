"""Steps beside each other that wait for a file."""

import asyncio
from pathlib import Path
from typing import Any

from ia_modules.pipeline.core import Step

LOOK_SECONDS = 0.02


class Split(Step):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"split": True}


class Worker(Step):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        while not (Path(data["folder"]) / "go").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(LOOK_SECONDS)
        if self.context.step_id in data["failing"]:
            raise ValueError("this one was to fail")
        return {}


class Join(Step):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"joined": True}
