"""Which version a definition is, and which one is current, while older and newer programs run side by side."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from msgspec import structs

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import PipelineConflict, PipelineNotFound, PipelineVersionNotFound, StaleVersion, StepError
from ia_modules.models import PipelineId, PipelineRecord, RegisteredVersion, new_id
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.runner import TRACKER_SERVICE, Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import nothing, started

FileGives = Callable[..., Awaitable[RegisteredVersion]]


async def pipeline_of(tracker: ExecutionTracker, slug: str) -> PipelineRecord:
    pipeline = await tracker.get_pipeline(slug)
    assert pipeline is not None
    return pipeline


def flow(description: str) -> Flow:
    made = Flow("Nightly", slug="nightly", description=description)
    made.step(nothing)
    return made


async def test_an_older_program_that_runs_moves_the_current_version_for_nobody(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        services = ServiceRegistry({TRACKER_SERVICE: tracker})
        older, newer = flow("older"), flow("newer")
        await older.run(services=services)
        newest = newer.definition
        await tracker.register_version(
            "nightly", "Nightly, renamed", newest.to_json(), description="newer", new_version=True
        )
        result = await older.run(services=services)
        execution = await tracker.get_execution(result["execution_id"])
        assert execution is not None
        assert execution.pipeline_version == 1
        await flow("newest").run(services=services, new_version=True)
        pipeline = await pipeline_of(tracker, "nightly")
        assert (pipeline.current_version, pipeline.name, pipeline.description) == (2, "Nightly, renamed", "newer")


async def test_an_execution_of_an_older_version_is_resumed_without_moving_the_current_one(
    database: DatabaseManager,
) -> None:
    broken = True

    async def flaky(data: dict[str, Any]) -> None:
        if broken:
            raise ConnectionError("later")

    async with ExecutionTracker(database) as tracker:
        run = await started(tracker, document("flaky", slug="nightly"), flaky=flaky)
        with pytest.raises(StepError):
            await run.to_end()
        await tracker.register_version("nightly", "Nightly", {"another": 1}, new_version=True)
        broken = False
        assert (await (await Runner(tracker).resume(run.pipeline, run.execution_id)).to_end())["status"] == "completed"
        assert (await pipeline_of(tracker, "nightly")).current_version == 2


async def test_one_file_registered_by_many_processes_at_once_is_one_version(
    database: DatabaseManager, database_url: str
) -> None:
    async def register(number: int) -> int | None:
        async with DatabaseManager(database_url) as own, ExecutionTracker(own) as tracker:
            registered = await tracker.register_version(
                "nightly", "Nightly", {"a": number}, new_version=True, file="nightly.json"
            )
            return registered.version

    assert await asyncio.gather(*(register(1) for _ in range(4))) == [1] * 4
    assert await asyncio.gather(*(register(2) for _ in range(4))) == [2] * 4
    rows = await database.fetch_all_async("SELECT action FROM audit_log")
    assert [row["action"] for row in rows] == ["pipeline.register_file"] * 2


@pytest.fixture
def file_gives(tracker: ExecutionTracker) -> FileGives:
    """Register what the file ``/srv/nightly.json`` gives."""

    async def register(number: int, path: str = "/srv/nightly.json") -> RegisteredVersion:
        return await tracker.register_version("nightly", "Nightly", {"a": number}, new_version=True, file=path)

    return register


async def chosen_in(tracker: ExecutionTracker, version: int) -> None:
    pipeline = await pipeline_of(tracker, "nightly")
    await tracker.choose_version(pipeline, version, name="Nightly", origin="page", actor="ann")


async def standing(tracker: ExecutionTracker) -> tuple[int | None, str | None, list[tuple[int, str]]]:
    """The current version, who made it that, and what is stored beside it."""
    pipeline = await pipeline_of(tracker, "nightly")
    owner = await tracker.definition_owner(pipeline.id)
    return pipeline.current_version, owner.origin, [(each.version, each.origin) for each in owner.beside]


async def test_a_file_that_changed_after_a_page_edit_is_stored_beside_it_until_somebody_chooses(
    tracker: ExecutionTracker, file_gives: FileGives
) -> None:
    first = await file_gives(1)
    await tracker.register_version(
        "nightly", "Nightly", {"a": 2}, new_version=True, origin="page", author="ann", note="less retries"
    )
    stored = await tracker.get_pipeline_version(first.pipeline_id, 2)
    assert stored is not None
    assert (stored.origin, stored.author, stored.note) == ("page", "ann", "less retries")
    assert not (await file_gives(1)).stored_beside
    assert await standing(tracker) == (2, "page", [])

    changed = await file_gives(3)
    assert (changed.version, changed.current_version, changed.stored_beside) == (3, 2, True)
    for _ in range(2):
        assert not (await file_gives(3)).stored_beside, "it is said once"
    assert await standing(tracker) == (2, "page", [(3, "file")])
    owner = await tracker.definition_owner(first.pipeline_id)
    assert (owner.author, owner.files[0].path, owner.files[0].version) == ("ann", "/srv/nightly.json", 3)

    await chosen_in(tracker, 3)
    assert await standing(tracker) == (3, "page", [])
    assert (await file_gives(4)).current_version == 4, "it was what the file held, so the file is followed"
    assert await standing(tracker) == (4, "file", [])


async def test_to_confirm_the_current_version_puts_aside_what_stands_beside_it(
    tracker: ExecutionTracker, file_gives: FileGives
) -> None:
    await file_gives(1)
    await tracker.register_version("nightly", "Nightly", {"a": 2}, new_version=True, origin="page")
    await file_gives(3)
    await chosen_in(tracker, 2)
    await file_gives(3)
    assert await standing(tracker) == (2, "page", [])
    await file_gives(4)
    assert await standing(tracker) == (2, "page", [(4, "file")])


async def test_choosing_a_version_of_a_file_is_an_edit(tracker: ExecutionTracker, file_gives: FileGives) -> None:
    await file_gives(1)
    await file_gives(2)
    await chosen_in(tracker, 1)
    assert await standing(tracker) == (1, "page", [])
    assert (await file_gives(3)).stored_beside
    assert await standing(tracker) == (1, "page", [(3, "file")])
    rows = await tracker.definition_owner((await pipeline_of(tracker, "nightly")).id)
    assert rows.author == "ann"


async def test_what_was_edited_while_the_file_changed_is_stored_beside_what_it_gave(
    tracker: ExecutionTracker, file_gives: FileGives
) -> None:
    await file_gives(1)
    await file_gives(2)
    register = partial(
        tracker.register_version, "nightly", "Mine", new_version=True, base_version=1, origin="page", author="ann"
    )
    with pytest.raises(StaleVersion):
        await register({"a": 3})
    beside = await register({"a": 3}, stale_beside=True)
    assert (beside.version, beside.current_version, beside.stored_beside) == (3, 2, True)
    assert (await pipeline_of(tracker, "nightly")).name == "Nightly"
    assert await standing(tracker) == (2, "file", [(3, "page")])
    assert (await register({"a": 2}, stale_beside=True)).stored_beside is False, "it is the current one"
    assert (await file_gives(4)).current_version == 4
    assert await standing(tracker) == (4, "file", [])


async def test_two_files_that_differ_are_told_once_and_take_no_turns(
    tracker: ExecutionTracker, file_gives: FileGives
) -> None:
    here, there = partial(file_gives, 1), partial(file_gives, 2, path="/other/nightly.json")
    assert (await here()).current_version == 1
    assert (await there()).current_version == 2
    news: list[bool] = []
    for _ in range(3):
        for register in (here, there):
            registered = await register()
            assert registered.current_version == 2
            news.append(registered.stored_beside)
    assert news == [True, *[False] * 5]
    assert await standing(tracker) == (2, "file", [(1, "file")])
    assert (await file_gives(3)).current_version == 3, "a file that changes is followed"


async def test_only_a_version_that_is_there_is_chosen_and_only_over_the_one_that_was_seen(
    tracker: ExecutionTracker, file_gives: FileGives
) -> None:
    await file_gives(1)
    await file_gives(2)
    pipeline = await pipeline_of(tracker, "nightly")
    choose = partial(tracker.choose_version, pipeline, name="Renamed", description="")
    with pytest.raises(PipelineVersionNotFound):
        await choose(9)
    with pytest.raises(StaleVersion):
        await choose(1, base_version=1)
    assert await standing(tracker) == (2, "file", [])
    assert (await choose(1, base_version=2)).current_version == 1
    chosen = await pipeline_of(tracker, "nightly")
    assert (chosen.name, chosen.description) == ("Renamed", None)
    with pytest.raises(PipelineNotFound):
        await tracker.choose_version(structs.replace(chosen, id=PipelineId(new_id())), 1, name="X")


async def test_a_flow_that_was_edited_runs_as_a_new_version_and_moves_nothing(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        services = ServiceRegistry({TRACKER_SERVICE: tracker})
        for description, version in (("first", 1), ("second", 2), ("first", 1), ("third", 3)):
            result = await flow(description).run(services=services)
            execution = await tracker.get_execution(result["execution_id"])
            assert execution is not None
            assert execution.pipeline_version == version
        assert (await pipeline_of(tracker, "nightly")).current_version == 1
        with pytest.raises(PipelineConflict):
            await flow("fourth").run(services=services, new_version=False)


async def test_a_version_without_a_folder_learns_it_from_a_file_and_keeps_it(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        for folder, expected in ((None, None), ("/a", "/a"), (None, "/a"), ("/b", "/a")):
            registered = await tracker.register_version("p", "P", {"a": 1}, source_folder=folder, file="/a/p.json")
            stored = await tracker.get_pipeline_version(registered.pipeline_id)
            assert stored is not None
            assert (stored.version, stored.source_folder) == (1, expected)
