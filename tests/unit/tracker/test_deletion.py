import pytest
from msgspec.structs import replace

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ExecutionKept, PipelineInUse
from ia_modules.testing.places_contract import THERE, runs_at
from ia_modules.tracker import deletion
from ia_modules.tracker.deletion import Deletion
from ia_modules.tracker.execution_tracker import ExecutionTracker


async def test_a_history_goes_in_parts_and_leaves_their_counts(
    database: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "_EXECUTIONS_AT_ONCE", 2)
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        for _ in range(5):
            await tracker.update_execution_status(await tracker.start_execution(pipeline_id), "completed")
        pipeline = await tracker.get_pipeline("nightly")
        assert pipeline is not None
        assert await Deletion(database, tracker.live).delete_pipeline(pipeline, with_history=True, actor="ann") == 5
        assert await tracker.get_pipeline("nightly") is None
    rows = await database.fetch_all_async("SELECT action, detail FROM audit_log ORDER BY audit_id")
    assert [row["action"] for row in rows] == [*["executions.delete"] * 3, "pipeline.delete"]
    assert '"executions":5' in rows[-1]["detail"]


async def test_an_execution_goes_with_what_is_on_record_of_where_it_ran(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        execution_id = await tracker.start_execution(await tracker.register_pipeline("nightly", "Nightly"))
        attempt = await tracker.start_step_execution(execution_id, "train", "Train", "task")
        await tracker.record(replace(runs_at(execution_id, attempt, THERE), writer=tracker.owner))
        await tracker.update_execution_status(execution_id, "completed")
        assert len(await database.fetch_all_async("SELECT node FROM step_places")) == 1
        await Deletion(database, tracker.live).delete_execution(execution_id, actor="ann")
    assert await database.fetch_all_async("SELECT node FROM step_places") == []


async def test_what_is_started_while_a_pipeline_is_deleted_keeps_it(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        pipeline = await tracker.get_pipeline("nightly")
        assert pipeline is not None

        class Late(Deletion):
            """Somebody starts an execution after the pipeline was looked at."""

            async def set_active(self, *args: object, **options: object) -> None:
                await tracker.start_execution(pipeline_id)

        with pytest.raises(PipelineInUse, match="1 executions that have not ended"):
            await Late(database, tracker.live).delete_pipeline(pipeline, with_history=True, actor="ann")
        assert await database.fetch_all_async("SELECT action FROM audit_log") == []


async def test_what_is_kept_leaves_no_row_in_the_audit_log(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        running = await tracker.start_execution(await tracker.register_pipeline("nightly", "Nightly"))
        with pytest.raises(ExecutionKept, match="is running"):
            await Deletion(database, tracker.live).delete_execution(running, actor="ann")
    assert await database.fetch_all_async("SELECT action FROM audit_log") == []
