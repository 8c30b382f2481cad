import asyncio

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.loading import VersionLoader
from tests.unit.worker.queue import Place

COUNTS = """
import threading
from ia_modules.pipeline.core import Step
from pathlib import Path

with (Path(__file__).parent / "loaded.txt").open("a") as loaded:
    loaded.write("once")
while not (Path(__file__).parent / "gates" / "import").exists():
    threading.Event().wait(0.01)

class Work(Step):
    async def run(self, data):
        return data
"""


async def test_a_version_is_loaded_once_for_all_who_wait_and_has_a_limit(
    database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    stored = await place.stored(tracker)
    (place.folder / "steps.py").write_text(COUNTS)
    impatient = VersionLoader(allowed=AllowedCode(), limit_seconds=0.01)
    for _ in range(2):  # the thread that was left goes on, and no second one is begun
        with pytest.raises(PipelineDefinitionError, match=r"has not ended after 0\.01 s"):
            await impatient.load(stored)
    place.open("import")
    loaded = await asyncio.gather(
        *(VersionLoader(allowed=AllowedCode(), limit_seconds=60).load(stored) for _ in range(2))
    )
    assert [pipeline.definition.name for pipeline in loaded] == ["Rows", "Rows"]
    assert (place.folder / "loaded.txt").read_text() == "once"
