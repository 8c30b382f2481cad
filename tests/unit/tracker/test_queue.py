import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import IdempotencyConflict, PayloadError, PipelineDefinitionError
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.queue import enqueue, find_queued
from tests.unit.pipeline.factories import document, task


async def test_a_request_is_found_by_its_key_and_its_hash(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        registered = await tracker.register_version("p", "P", document(task("a", module="m", step_class="C")))
        stored = await tracker.get_pipeline_version(registered.pipeline_id)
        assert stored is not None
        assert await find_queued(tracker, stored.pipeline_id, "k", "hash") is None
        queued = await enqueue(tracker, stored, {}, trigger="test", idempotency_key="k", request_hash="hash")
        assert await find_queued(tracker, stored.pipeline_id, "k", "hash") == (queued.execution_id, False)
        with pytest.raises(IdempotencyConflict):
            await find_queued(tracker, stored.pipeline_id, "k", "another")
        with pytest.raises(PayloadError, match="idempotency key"):
            await find_queued(tracker, stored.pipeline_id, "", "hash")


async def test_what_is_no_definition_is_not_queued(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        registered = await tracker.register_version("p", "P", ["no", "pipeline"])
        stored = await tracker.get_pipeline_version(registered.pipeline_id)
        assert stored is not None
        with pytest.raises(PipelineDefinitionError):
            await enqueue(tracker, stored, {}, trigger="test")
        assert (await tracker.list_executions()).items == []
