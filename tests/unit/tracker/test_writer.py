"""What a program writes of its executions, and what is refused before it is written."""

from typing import Any, cast

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    AlreadyFinished,
    ExecutionNotFound,
    InvalidArgument,
    InvalidStatus,
    LeaseLost,
    PayloadError,
    PipelineNotFound,
    StepExecutionNotFound,
    TransactionMisuse,
)
from ia_modules.models import ExecutionStatus, PipelineId, StepExecutionId, StepStatus, new_id
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import Failure, StepStart, StepUpdate, Transition


async def test_a_run_is_told_from_start_to_end(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    execution_id = await tracker.start_execution(
        pipeline_id, "Nightly import", {"day": 1}, total_steps=2, metadata={"by": "cron"}
    )
    load = await tracker.start_step_execution(execution_id, "load", "Load", "task", {"file": "a"}, {"tries": 3})
    assert await tracker.complete_step_execution(load, "completed", {"rows": 3}, retry_count=1) is True
    check = await tracker.start_step_execution(execution_id, "check", "Check", "task")
    failure = Failure(type="ValueError", message="bad row", traceback="Traceback: …")
    assert await tracker.complete_step_execution(check, StepStatus.FAILED, failure=failure) is True
    assert await tracker.update_execution_status(execution_id, "failed", error_message="bad row") is True

    execution = await tracker.get_execution(execution_id)
    assert execution is not None
    assert (execution.status, execution.completed_steps, execution.failed_steps) == (ExecutionStatus.FAILED, 1, 1)
    assert (execution.total_steps, execution.input_data, execution.metadata) == (2, {"day": 1}, {"by": "cron"})
    assert (execution.error_message, execution.owner) == ("bad row", tracker.owner)
    assert execution.duration_seconds is not None
    steps = await tracker.get_execution_steps(execution_id)
    assert [(step.step_id, step.step_name, step.status) for step in steps] == [
        ("load", "Load", StepStatus.COMPLETED),
        ("check", "Check", StepStatus.FAILED),
    ]
    assert (steps[0].input_data, steps[0].output_data, steps[0].metadata) == ({"file": "a"}, {"rows": 3}, {"tries": 3})
    assert (steps[0].retry_count, steps[0].worker) == (1, tracker.owner)
    assert (steps[1].error_type, steps[1].error_message, steps[1].traceback) == (
        "ValueError",
        "bad row",
        "Traceback: …",
    )
    assert await tracker.get_step_execution(load) == steps[0]
    assert await tracker.get_step_execution("nobody") is None


async def test_given_counts_replace_what_was_counted(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly import")
    await tracker.update_execution_status(execution_id, "running", completed_steps=7, failed_steps=2)
    await tracker.update_execution_status(execution_id, "completed", output_data={"done": True})
    execution = await tracker.get_execution(execution_id)
    assert execution is not None
    assert (execution.completed_steps, execution.failed_steps, execution.output_data) == (7, 2, {"done": True})


async def test_what_is_wrong_is_refused_and_named(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    with pytest.raises(PipelineNotFound, match="'no-such'.*Register it first"):
        await tracker.start_execution("no-such", "Nothing")
    with pytest.raises(PayloadError, match="input of pipeline .*nan"):
        await tracker.start_execution(pipeline_id, "Nightly", float("nan"))
    execution_id = await tracker.start_execution(pipeline_id, "Nightly")
    with pytest.raises(InvalidStatus, match="'done'.*completed"):
        await tracker.update_execution_status(execution_id, "done")
    with pytest.raises(PayloadError, match="id of the step"):
        await tracker.start_step_execution(execution_id, "", "No id", "task")
    with pytest.raises(ExecutionNotFound, match="'nobody'"):
        await tracker.start_step_execution("nobody", "load", "Load", "task")
    with pytest.raises(StepExecutionNotFound, match="'nothing'"):
        await tracker.complete_step_execution("nothing", "completed")
    step_id = await tracker.start_step_execution(execution_id, "load", "Load", "task")
    with pytest.raises(InvalidStatus, match="'running'.*completed, failed"):
        await tracker.complete_step_execution(step_id, "running")
    with pytest.raises(PayloadError, match=r"output of step execution .*at \$\.when found a value of type object"):
        await tracker.complete_step_execution(step_id, "completed", {"when": cast("Any", object())})
    await tracker.update_execution_status(execution_id, "completed")
    with pytest.raises(AlreadyFinished, match="already completed, since .*; it cannot become failed"):
        await tracker.update_execution_status(execution_id, "failed")
    assert len((await tracker.list_executions()).items) == 1


@pytest.mark.parametrize("count", [-1, 2**31, 10**20, 1.5, "5", True])
async def test_counts_are_whole_numbers_that_both_databases_can_hold(
    tracker: ExecutionTracker, pipeline_id: PipelineId, count: Any
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    step_id = await tracker.start_step_execution(execution_id, "load", "Load", "task")
    with pytest.raises(InvalidArgument, match="total_steps"):
        await tracker.start_execution(pipeline_id, total_steps=count)
    with pytest.raises(InvalidArgument, match="retry_count"):
        await tracker.complete_step_execution(step_id, "completed", retry_count=count)
    with pytest.raises(InvalidArgument, match="failed_steps"):
        await tracker.update_execution_status(execution_id, "running", failed_steps=count)


async def test_texts_for_people_are_cleaned_and_words_are_checked(
    tracker: ExecutionTracker, database: DatabaseManager
) -> None:
    pipeline_id = await tracker.register_pipeline("a", "A", {}, description="a\0b\ud800", source_folder="c\0")
    row = await database.fetch_one_async("SELECT description FROM pipelines")
    assert row == {"description": "a\ufffdb\ufffd\ufffd\ufffd"}
    execution_id = await tracker.start_execution(pipeline_id)
    await tracker.log(execution_id, cast("Any", ValueError("not a text")))
    assert [line.message for line in (await tracker.changes(execution_id)).logs] == ["not a text"]
    with pytest.raises(InvalidStatus, match="Unknown level 'loud'.*warning"):
        await tracker.log(execution_id, "x", level="loud")
    with pytest.raises(PayloadError, match="trigger"):
        await tracker.start_execution(pipeline_id, trigger="")
    failure = Failure(type="a\0", message="b\0", traceback="c\0")
    await tracker.update_execution_status(execution_id, "failed", failure=failure)
    execution = await tracker.get_execution(execution_id)
    assert execution is not None
    assert (execution.error_type, execution.error_message) == ("a\ufffd", "b\ufffd")


async def test_a_line_stands_only_at_a_step_of_its_own_execution(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    one, other = [await tracker.start_execution(pipeline_id) for _ in range(2)]
    step_id = await tracker.start_step_execution(other, "load", "Load", "task")
    for wrong in (step_id, "nowhere"):
        with pytest.raises(StepExecutionNotFound):
            await tracker.log(one, "line", step_execution_id=wrong)
    await tracker.log(other, "line", step_execution_id=step_id)


async def test_an_attempt_that_ends_is_over_before_the_next_begins(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    first = await tracker.start_step_execution(execution_id, "one", "One", "task")
    second = StepStart(step_execution_id=StepExecutionId(new_id()), step_id="two", step_name="Two", step_type="task")
    ends = StepUpdate(step_execution_id=first, status=StepStatus.COMPLETED)
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, updates=(ends,), starts=(second,)))
    one, two = await tracker.get_execution_steps(execution_id)
    assert one.completed_at is not None
    assert two.started_at is not None
    assert one.completed_at <= two.started_at


async def test_a_process_writes_only_what_it_owns_until_it_takes_over(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database_url: str
) -> None:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly")
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as other:
        with pytest.raises(LeaseLost, match="belongs to") as lost:
            await other.update_execution_status(execution_id, "completed")
        assert lost.value.owner == tracker.owner
        assert (await other.take_over(execution_id)).epoch == 2
        assert await other.update_execution_status(execution_id, "completed") is True
    with pytest.raises(LeaseLost):
        await tracker.start_step_execution(execution_id, "late", "Late", "task")


async def test_tracking_inside_the_callers_transaction_is_refused(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database: DatabaseManager
) -> None:
    async with database.transaction():
        with pytest.raises(TransactionMisuse):
            await tracker.start_execution(pipeline_id, "Nightly")
    assert await tracker.start_execution(pipeline_id, "Nightly")


WIDEST = "\U0001f600"
"""A character of four bytes."""


async def test_ids_of_200_characters_are_stored_and_longer_ones_are_refused_with_words(
    tracker: ExecutionTracker,
) -> None:
    longest = WIDEST * 200
    pipeline_id = await tracker.register_pipeline(longest, WIDEST * 500)
    execution_id = await tracker.start_execution(pipeline_id, trigger=WIDEST * 500)
    for _ in range(2):
        step = await tracker.start_step_execution(execution_id, longest, WIDEST * 500, "task")
        await tracker.complete_step_execution(step, "completed")
    assert {step.step_id for step in await tracker.get_execution_steps(execution_id)} == {longest}
    with pytest.raises(PayloadError, match=r"slug of the pipeline .* 201 characters; expected 1 to 200"):
        await tracker.register_pipeline("x" * 201, "x")
    with pytest.raises(PayloadError, match=r"id of the step .* 3,000 characters; expected 1 to 200"):
        await tracker.start_step_execution(execution_id, "x" * 3000, "x", "task")
    with pytest.raises(PayloadError, match=r"owner .* 201 characters; expected 1 to 200"):
        await tracker.take_over(execution_id, owner="x" * 201)
    with pytest.raises(PipelineNotFound):
        await tracker.start_execution("x" * 3000)
