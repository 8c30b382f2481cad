import asyncio

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.loading import VersionLoader
from tests.unit.worker.queue import Place, until

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


async def test_what_changes_during_a_slow_import_is_seen_by_whoever_loads_after_the_change(
    database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    stored = await place.stored(tracker)
    steps, loader = place.folder / "steps.py", VersionLoader(allowed=AllowedCode(), limit_seconds=60)
    steps.write_text(f"{COUNTS}\n    mark = 1")
    first = asyncio.create_task(loader.load(stored))

    async def has_begun() -> bool:
        return await asyncio.to_thread((place.folder / "loaded.txt").exists)

    await until(has_begun, bool)
    steps.write_text(f"{COUNTS}\n    mark = 2")
    others = [asyncio.create_task(loader.load(stored)) for _ in range(2)]
    await asyncio.sleep(0)
    place.open("import")
    loaded = await asyncio.gather(first, *others)
    assert [{vars(factory)["mark"] for factory in each.factories.values()} for each in loaded] == [{1}, {2}, {2}]
    assert (place.folder / "loaded.txt").read_text() == "onceonce"
