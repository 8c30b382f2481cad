from pathlib import Path

import pytest

from ia_modules import Client, DatabaseManager
from ia_modules.errors import (
    PipelineArchived,
    PipelineConflict,
    PipelineDefinitionError,
    PipelineHasHistory,
    PipelineInputError,
    PipelineInUse,
    PipelineNotFound,
    PipelineVersionNotFound,
    SlugMismatch,
    StaleVersion,
)
from tests.unit.client.doubling import audit, change, document, pin


async def test_what_is_registered_runs_by_its_slug_with_the_version_that_is_named(client: Client, file: Path) -> None:
    first = await client.register(file)
    change(file)
    with pytest.raises(PipelineConflict):
        await client.register(file)
    second = await client.register(file, new_version=True)
    assert (first.version, second.version) == (1, 2)
    ran = await client.run("double", {"n": 1}, version=1)
    assert (await client.execution(ran["execution_id"])).pipeline_version == 1
    assert (await client.pipeline("double")).current_version == 2
    assert [pipeline.slug for pipeline in await client.pipelines()] == ["double"]
    assert (await client.input_schema("double"))["required"] == ["n"]
    with pytest.raises(PipelineVersionNotFound):
        await client.run("double", {"n": 1}, version=9)
    with pytest.raises(PipelineNotFound):
        await client.run("nobody", {"n": 1})
    change(file, "newest")
    with pytest.raises(PipelineInputError):
        await client.queue(file, {"n": "one"}, new_version=True)
    with pytest.raises(PipelineVersionNotFound):
        await client.version("double", 3)
    queued = await client.queue(file, {"n": 1}, new_version=True)
    assert (await client.summary(queued.execution_id)).pipeline_version == 3
    assert (await client.pipeline("double")).current_version == 2
    with pytest.raises(PipelineInputError):
        await client.run("double", {"n": "one"})


async def test_a_document_may_use_what_is_allowed_and_what_lies_beside_the_version_before(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    with pytest.raises(PipelineDefinitionError, match="it allows none"):
        await client.register(document())
    before = await client.register(file)
    newer = document("Doubled") | {"slug": "double"}
    with pytest.raises(PipelineDefinitionError, match="it allows none"):
        await client.check(newer)
    assert (await client.check(newer, version_of="double")).definition.name == "Doubled"
    with pytest.raises(StaleVersion):
        await client.register(newer, version_of="double", base_version=7)
    stored = await client.register(newer, version_of="double", base_version=1, actor="bob")
    assert (stored.version, stored.source_folder) == (2, str(file.parent))
    with pytest.raises(SlugMismatch):
        await client.register(newer | {"slug": "other"}, version_of="double")
    assert await audit(database) == [
        ("ann", "pipeline.create", before.pipeline_id, {"version": 1, "stored_beside": False}),
        ("bob", "pipeline.update", before.pipeline_id, {"version": 2, "stored_beside": False}),
    ]


async def test_an_archived_pipeline_starts_nothing_until_a_version_is_stored(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    stored = await client.register(file)
    ran = await client.run("double", {"n": 1})
    await client.archive("double", actor="bob")
    for attempt in (
        client.start("double", {"n": 1}),
        client.start(file, {"n": 1}),
        client.queue("double", {"n": 1}),
        client.queue(file, {"n": 1}),
        client.rerun(ran["execution_id"]),
    ):
        with pytest.raises(PipelineArchived):
            await attempt
    assert ("bob", "pipeline.archive", stored.pipeline_id, None) in await audit(database)
    await client.register(file)
    assert (await client.run("double", {"n": 1}))["status"] == "completed"
    with pytest.raises(PipelineNotFound):
        await client.archive("nobody")


async def test_a_pipeline_is_deleted_with_its_history_only_when_that_is_meant(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    ran = [(await client.run(file, {"n": n}))["execution_id"] for n in range(3)]
    queued = await client.queue("double", {"n": 1})
    with pytest.raises(PipelineInUse, match="1 executions that have not ended"):
        await client.delete_pipeline("double", with_history=True)
    await client.cancel(queued.execution_id)
    await pin(database, ran[0])
    with pytest.raises(PipelineInUse, match="1 pinned executions"):
        await client.delete_pipeline("double", with_history=True, dry_run=True)
    await database.execute_async("UPDATE pipeline_executions SET pinned = FALSE")
    with pytest.raises(PipelineHasHistory, match="4 executions on record"):
        await client.delete_pipeline("double")
    assert await client.delete_pipeline("double", with_history=True, dry_run=True) == 4
    pipeline = await client.pipeline("double")
    assert pipeline.is_active
    assert await client.delete_pipeline("double", with_history=True, actor="bob") == 4
    with pytest.raises(PipelineNotFound):
        await client.pipeline("double")
    assert (await client.executions()).items == []
    assert (await audit(database))[-2:] == [
        ("bob", "executions.delete", pipeline.id, {"done": 4}),
        ("bob", "pipeline.delete", pipeline.id, {"slug": "double", "executions": 4}),
    ]
    await client.register(file)
    assert await client.delete_pipeline("double") == 0
