import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    AlreadyFinished,
    ConstraintViolated,
    DatabaseError,
    ExecutionNotFound,
    InteractionNotFound,
    InvalidArgument,
    InvalidStatus,
    LeaseLost,
    PayloadError,
    PipelineConflict,
    PipelineNotFound,
    StepExecutionNotFound,
    TransactionMisuse,
)
from ia_modules.models import ExecutionId, ExecutionStatus, PipelineId, StepExecutionId, StepStatus, new_id
from ia_modules.payload import encode
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters
from ia_modules.transitions import ExecutionUpdate, Failure, NewInteraction, StepStart, StepUpdate, Transition


@pytest.fixture
async def tracker(database: DatabaseManager) -> AsyncIterator[ExecutionTracker]:
    async with ExecutionTracker(database) as tracker:
        yield tracker


@pytest.fixture
async def pipeline_id(tracker: ExecutionTracker) -> PipelineId:
    return await tracker.register_pipeline("nightly", "Nightly import")


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


async def test_payloads_over_the_inline_size_are_left_out_of_the_steps(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly import")
    step_id = await tracker.start_step_execution(execution_id, "load", "Load", "task", "x" * 98, None)
    await tracker.complete_step_execution(step_id, "completed", "y" * 99)
    (step,) = await tracker.get_execution_steps(execution_id, inline_bytes=100)
    assert (step.input_bytes, step.output_bytes) == (100, 101)
    assert (step.input_data, step.output_data) == ("x" * 98, None)
    (whole,) = await tracker.get_execution_steps(execution_id)
    assert whole.output_data == "y" * 99


async def test_what_is_wrong_is_refused_and_named(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    with pytest.raises(PipelineNotFound, match="'no-such'.*register_pipeline"):
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
    with pytest.raises(PayloadError, match=r"output of step execution .*at \$\.when found a value of type datetime"):
        await tracker.complete_step_execution(step_id, "completed", {"when": datetime.now(UTC)})
    await tracker.update_execution_status(execution_id, "completed")
    with pytest.raises(AlreadyFinished, match="already completed; it cannot become failed"):
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


@pytest.mark.parametrize("nothing", ["a\0b", "\ud800", "x" * 501, 7])
async def test_an_id_that_nothing_can_have_is_not_found(
    tracker: ExecutionTracker, pipeline_id: PipelineId, nothing: Any
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    assert await tracker.get_execution(nothing) is None
    assert await tracker.get_execution_steps(nothing) == []
    assert await tracker.get_step_execution(nothing) is None
    assert await tracker.get_interactions(nothing) == []
    with pytest.raises(PipelineNotFound):
        await tracker.start_execution(nothing)
    for refused in (
        tracker.start_step_execution(nothing, "load", "Load", "task"),
        tracker.update_execution_status(nothing, "completed"),
        tracker.log(nothing, "line"),
        tracker.take_over(nothing),
        tracker.request_cancel(nothing),
        tracker.changes(nothing),
    ):
        with pytest.raises(ExecutionNotFound):
            await refused
    for refused in (
        tracker.complete_step_execution(nothing, "completed"),
        tracker.log(execution_id, "line", step_execution_id=nothing),
    ):
        with pytest.raises(StepExecutionNotFound):
            await refused
    with pytest.raises(InteractionNotFound):
        await tracker.answer_interaction(nothing, {}, actor="ann")
    with pytest.raises(InvalidArgument, match="cursor"):
        await tracker.list_executions(cursor=nothing)


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


@pytest.mark.parametrize("limit", [0, -1, 1001, "5"])
async def test_limits_have_limits(tracker: ExecutionTracker, pipeline_id: PipelineId, limit: Any) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    with pytest.raises(InvalidArgument, match="limit"):
        await tracker.get_recent_executions(limit)
    if limit != 1001:
        with pytest.raises(InvalidArgument, match="limit"):
            await tracker.changes(execution_id, limit=limit)


async def test_a_line_stands_only_at_a_step_of_its_own_execution(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    one, other = [await tracker.start_execution(pipeline_id) for _ in range(2)]
    step_id = await tracker.start_step_execution(other, "load", "Load", "task")
    for wrong in (step_id, "nowhere"):
        with pytest.raises(StepExecutionNotFound):
            await tracker.log(one, "line", step_execution_id=wrong)
    await tracker.log(other, "line", step_execution_id=step_id)


async def test_everybody_who_waits_for_a_cancellation_is_told(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    first, second = [asyncio.create_task(tracker.cancellation(execution_id)) for _ in range(2)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    await tracker.request_cancel(execution_id)
    await second


async def test_answering_and_cancelling_do_not_wait_for_each_other(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database_url: str
) -> None:
    """Both lock the execution before its question: whoever is second finds it cancelled or answered."""
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as other:
        for _ in range(40):
            execution_id = await tracker.start_execution(pipeline_id)
            step_id = await tracker.start_step_execution(execution_id, "ask", "Ask", "human_input")
            ask = NewInteraction(interaction_id=new_id(), step_execution_id=step_id, ui_schema=encode({}, "schema"))
            change = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN)
            waits = Transition(execution_id=execution_id, writer=tracker.owner, asks=(ask,), change=change)
            await tracker.record(waits)
            outcomes = await asyncio.gather(
                other.answer_interaction(ask.interaction_id, {"yes": True}, actor="ann"),
                tracker.request_cancel(execution_id),
                return_exceptions=True,
            )
            assert not [outcome for outcome in outcomes if isinstance(outcome, DatabaseError)]


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


async def test_a_pipeline_with_history_cannot_be_deleted_from_under_it(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database: DatabaseManager
) -> None:
    await tracker.start_execution(pipeline_id, "Nightly")
    with pytest.raises(ConstraintViolated):
        await database.execute_async("DELETE FROM pipelines WHERE id = :id", {"id": pipeline_id})
    empty = await tracker.register_pipeline("empty", "Empty")
    assert await database.execute_async("DELETE FROM pipelines WHERE id = :id", {"id": empty}) == 1


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


async def test_lists_are_newest_first_and_paged_without_gaps(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    other = await tracker.register_pipeline("weekly", "Weekly")
    ids = [
        await tracker.start_execution(pipeline_id if number % 2 else other, "Some", {"large": "x" * 100})
        for number in range(7)
    ]
    await tracker.update_execution_status(ids[3], "completed")
    newest = ids[::-1]
    assert [item.execution_id for item in await tracker.get_recent_executions()] == newest
    assert [item.execution_id for item in await tracker.get_recent_executions(2, other)] == [ids[6], ids[4]]

    seen: list[ExecutionId] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = await tracker.list_executions(cursor=cursor, limit=3)
        seen += [item.execution_id for item in page.items]
        cursor, pages = page.next_cursor, pages + 1
    assert (seen, pages) == (newest, 3)

    async def found(**filters: object) -> list[ExecutionId]:
        page = await tracker.list_executions(ExecutionFilters(**filters))  # pyright: ignore[reportArgumentType]
        return [item.execution_id for item in page.items]

    assert await found(status=ExecutionStatus.COMPLETED) == [ids[3]]
    assert await found(status=ExecutionStatus.COMPLETED, pipeline_id=other) == []
    third = await tracker.get_execution(ids[3])
    assert third is not None
    assert third.started_at is not None
    assert await found(started_after=third.started_at) == newest[:4]
    assert await found(started_before=third.started_at) == newest[4:]
    assert await found(started_after=third.started_at + timedelta(hours=1)) == []


async def test_statistics_count_every_status(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    nothing = await tracker.get_execution_statistics()
    assert (nothing.total, nothing.success_rate, nothing.median_seconds) == (0, None, None)
    for status in ("completed", "completed", "completed", "failed", "running"):
        execution_id = await tracker.start_execution(pipeline_id, "Nightly")
        await tracker.update_execution_status(execution_id, status)
    some = await tracker.get_execution_statistics()
    assert some.total == 5
    assert some.by_status == {
        "pending": 0,
        "running": 1,
        "waiting_for_human": 0,
        "completed": 3,
        "failed": 1,
        "cancelled": 0,
    }
    assert some.success_rate == 0.75
    assert some.median_seconds is not None


async def test_a_pipelines_definition_is_kept_in_versions(tracker: ExecutionTracker, database: DatabaseManager) -> None:
    pipeline_id = await tracker.register_pipeline("etl", "ETL", {"steps": [1]}, description="first", source_folder="/x")
    assert await tracker.register_pipeline("etl", "ETL renamed", {"steps": [1]}) == pipeline_id
    with pytest.raises(PipelineConflict, match="'etl'.*version 1"):
        await tracker.register_pipeline("etl", "ETL refused", {"steps": [2]})
    await tracker.register_pipeline("etl", "ETL", {"steps": [2]}, new_version=True)
    row = await database.fetch_one_async("SELECT name, description, current_version FROM pipelines")
    assert row == {"name": "ETL", "description": "first", "current_version": 2}
    await tracker.register_pipeline("etl", "ETL", {"steps": [1]})
    row = await database.fetch_one_async("SELECT current_version FROM pipelines")
    assert row == {"current_version": 1}


async def test_tracking_inside_the_callers_transaction_is_refused(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database: DatabaseManager
) -> None:
    async with database.transaction():
        with pytest.raises(TransactionMisuse):
            await tracker.start_execution(pipeline_id, "Nightly")
    assert await tracker.start_execution(pipeline_id, "Nightly")


async def test_a_subscriber_gets_what_was_and_what_comes(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly")
    step_id = await tracker.start_step_execution(execution_id, "load", "Load", "task")
    async with aclosing(tracker.subscribe(execution_id, poll_seconds=60)) as stream:
        first = await anext(stream)
        assert [(step.step_id, step.status) for step in first.steps] == [("load", StepStatus.RUNNING)]
        assert first.upto == 2
        await tracker.complete_step_execution(step_id, "completed")
        second = await anext(stream)
        assert (second.after, second.upto) == (2, 3)
        assert [step.status for step in second.steps] == [StepStatus.COMPLETED]
        await tracker.log(execution_id, "half way", step_execution_id=step_id, level="warning", data={"n": 1})
        third = await anext(stream)
        assert [(line.level, line.message, line.data) for line in third.logs] == [("warning", "half way", {"n": 1})]
    async with aclosing(tracker.subscribe(execution_id, after=3, poll_seconds=60)) as stream:
        again = await anext(stream)
        assert (again.steps, again.logs, again.upto) == ((), third.logs, 4)


async def test_a_subscriber_is_woken_by_another_process(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database_url: str
) -> None:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly")
    async with (
        DatabaseManager(database_url) as database,
        ExecutionTracker(database) as other,
        aclosing(other.subscribe(execution_id, poll_seconds=60)) as stream,
    ):
        assert (await anext(stream)).upto == 1
        coming = asyncio.ensure_future(anext(stream))
        while not coming.done():  # the listener may not listen yet: change something until it is noticed
            await tracker.log(execution_id, "tick")
            await asyncio.wait([coming], timeout=0.1)
        assert (await coming).logs[0].message == "tick"


async def test_a_subscriber_of_nothing_is_told(tracker: ExecutionTracker) -> None:
    with pytest.raises(ExecutionNotFound, match="'nobody'"):
        async with aclosing(tracker.subscribe("nobody")) as stream:
            await anext(stream)
