"""A step that goes on when a test says so."""

import asyncio
from pathlib import Path
from typing import Any

from ia_modules.pipeline.core import Step

LOOK_SECONDS = 0.02


class WaitForFile(Step):
    """Waits until a file with the step's id as its name is in the folder."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        while not (Path(data["folder"]) / self.context.step_id).exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(LOOK_SECONDS)
        return {}
