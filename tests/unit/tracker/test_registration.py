"""Which version a definition is, and which one is current, while older and newer programs run side by side."""

import asyncio
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import PipelineConflict, StepError
from ia_modules.models import PipelineRecord
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.runner import TRACKER_SERVICE, Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.registration import last_hash
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import nothing, started


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


def test_what_a_file_gave_last_is_its_own_hosts_and_only_for_a_new_host_anothers() -> None:
    def gave(host: str, path: str, content_hash: str) -> dict[str, str]:
        return {"host": host, "path": path, "content_hash": content_hash}

    newest_first = [gave("b", "/f", "4"), gave("a", "/g", "3"), gave("a", "/f", "2"), gave("a", "/f", "1")]
    assert last_hash(newest_first, {"host": "a", "path": "/f"}) == "2"
    assert last_hash(newest_first, {"host": "c", "path": "/f"}) == "4"
    assert last_hash(newest_first, {"host": "c", "path": "/h"}) is None


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
