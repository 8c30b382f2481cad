"""Steps that say on disk that they ran, one of which waits for a file."""

import asyncio
from pathlib import Path
from typing import Any

from ia_modules.pipeline.core import Step

LOOK_SECONDS = 0.02


class _Telling(Step):
    def tell(self, data: dict[str, Any]) -> None:
        """Add a line to what ran: the execution and the step."""
        with (Path(data["folder"]) / "ran.txt").open("a", encoding="utf-8") as ran:
            ran.write(f"{self.context.execution_id} {self.context.step_id}\n")


class Prepare(_Telling):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        self.tell(data)
        return {"counted": list(range(data["count"]))}


class Wait(_Telling):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        self.tell(data)
        self.context.log("waiting at the gate")
        while not (Path(data["folder"]) / "go").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(LOOK_SECONDS)
        return {"opened": True}


class Finish(_Telling):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        self.tell(data)
        return {"finished": True}
