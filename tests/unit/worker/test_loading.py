import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker import loading
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


async def test_what_was_loaded_is_used_again_until_its_code_changes(
    database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    stored, loader = await place.stored(tracker), VersionLoader(allowed=AllowedCode(), limit_seconds=60)
    first = await loader.load(stored)
    (place.folder / "unrelated.py").write_text("")
    assert await loader.load(stored) is first
    with (place.folder / "steps.py").open("a") as steps:
        steps.write("\nWork.mark = 1\n")
    changed = await loader.load(stored)
    assert [vars(each).get("mark") for each in (first.factories["one"], changed.factories["one"])] == [None, 1]
    (place.folder / "steps.py").unlink()
    with pytest.raises(PipelineDefinitionError, match="not among the modules"):
        await loader.load(stored)


async def test_a_module_that_comes_beside_takes_the_place_of_what_is_installed(
    database: DatabaseManager, tracker: ExecutionTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("installed", "beside"):
        (tmp_path / name).mkdir()
    monkeypatch.syspath_prepend(tmp_path / "installed")
    (tmp_path / "installed" / "steps_of_two.py").write_text("def go(data):\n    return 1\n")
    place = Place(tmp_path / "beside", {"id": "go", "class": "go", "module": "steps_of_two"})
    stored = await place.stored(tracker)
    loader = VersionLoader(allowed=AllowedCode(modules=("steps_of_two",)), limit_seconds=60)
    installed = await loader.load(stored)
    assert await loader.load(stored) is installed
    (place.folder / "steps_of_two.py").write_text("def go(data):\n    return 2\n")
    codes = [each.factories["go"].code for each in (installed, await loader.load(stored))]  # pyright: ignore[reportFunctionMemberAccess]
    assert [code({}) for code in codes] == [1, 2]


async def test_a_version_is_kept_until_its_folder_is_another_and_no_more_than_some(
    database: DatabaseManager, tracker: ExecutionTracker, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_KEPT", 1)
    loader = VersionLoader(allowed=AllowedCode(), limit_seconds=60)
    await place.enqueue(tracker)
    (claim,) = await tracker.ownership.claim(1)
    assert loader.stored(claim) is None
    stored = await tracker.get_pipeline_version(claim.pipeline_id, claim.pipeline_version)
    assert stored is not None
    await loader.load(stored)
    assert loader.stored(claim) is stored
    assert loader.stored(replace(claim, source_folder="/elsewhere")) is None
    await loader.load(replace(stored, version=2))
    assert loader.stored(claim) is None
