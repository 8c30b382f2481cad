import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, cast

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import BlockingCallOnLoop, InvalidArgument, NestingTooDeep, PayloadError
from ia_modules.models import (
    EFFECTS,
    ExecutionRecord,
    ExecutionStatus,
    PipelineId,
    RunPath,
    StepExecutionRecord,
    StepStatus,
)
from ia_modules.paths import path_of
from ia_modules.place import RecordedPlace, here, run_by_pipeline
from ia_modules.tracker.execution_tracker import ExecutionTracker


@pytest.fixture
async def tracker(database: DatabaseManager) -> AsyncIterator[ExecutionTracker]:
    async with ExecutionTracker(database) as tracker:
        yield tracker


@pytest.fixture
async def pipeline_id(tracker: ExecutionTracker) -> PipelineId:
    return await tracker.register_pipeline("program", "Somebody's program")


async def only_execution(tracker: ExecutionTracker) -> tuple[ExecutionRecord, list[StepExecutionRecord]]:
    (summary,) = (await tracker.list_executions()).items
    record = await tracker.get_execution(summary.execution_id)
    assert record is not None
    return record, await tracker.get_execution_steps(summary.execution_id)


async def test_a_program_that_ends_well(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    async with tracker.execution(pipeline_id, input_data={"n": 2}, total_steps=2) as execution:
        for name in ("one", "two"):
            async with execution.step(name, input_data={"name": name}) as step:
                await step.progress(0.5, "half")
                await step.log("working")
                step.output = {"length": len(name)}
        await execution.log("nearly there")
        execution.output = {"sum": 6}
    record, steps = await only_execution(tracker)
    assert (record.status, record.output_data, record.completed_steps) == (ExecutionStatus.COMPLETED, {"sum": 6}, 2)
    assert [(step.status, step.output_data, step.progress) for step in steps] == [
        (StepStatus.COMPLETED, {"length": 3}, 0.5)
    ] * 2
    logs = (await tracker.changes(record.execution_id)).logs
    assert [line.message for line in logs] == ["working", "working", "nearly there"]
    assert [line.step_execution_id for line in logs] == [steps[0].step_execution_id, steps[1].step_execution_id, None]


async def test_an_exception_is_recorded_and_goes_on_its_way(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    with pytest.raises(ZeroDivisionError):
        async with tracker.execution(pipeline_id) as execution, execution.step("divide") as step:
            step.output = {"never": "stored"}
            print(1 / 0)
    record, (step_record,) = await only_execution(tracker)
    assert (record.status, record.error_type, record.error_message) == (
        ExecutionStatus.FAILED,
        "ZeroDivisionError",
        "division by zero",
    )
    assert (step_record.status, step_record.error_type) == (StepStatus.FAILED, "ZeroDivisionError")
    assert step_record.output_data is None
    assert "print(1 / 0)" in (step_record.traceback or "")


async def test_a_failed_step_that_is_tried_again_is_its_next_attempt(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    async with tracker.execution(pipeline_id) as execution:
        for attempt in (1, 2):
            try:
                async with execution.step("flaky") as step:
                    if attempt == 1:
                        raise ConnectionError("not yet")
                    step.output = "at last"
            except ConnectionError:
                continue
    record, steps = await only_execution(tracker)
    assert [(step.iteration, step.attempt, step.status) for step in steps] == [
        (1, 1, StepStatus.FAILED),
        (1, 2, StepStatus.COMPLETED),
    ]
    assert (record.completed_steps, record.failed_steps) == (1, 0)


async def test_cancellation_is_recorded_as_such(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    inside = asyncio.Event()

    async def program() -> None:
        async with tracker.execution(pipeline_id) as execution, execution.step("wait"):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(program())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    record, (step,) = await only_execution(tracker)
    assert (record.status, step.status) == (ExecutionStatus.CANCELLED, StepStatus.CANCELLED)


async def test_a_result_that_cannot_be_stored_fails_the_step_that_made_it(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    with pytest.raises(PayloadError, match="nan"):
        async with tracker.execution(pipeline_id) as execution, execution.step("divide") as step:
            step.output = {"ratio": float("nan")}
    record, (step_record,) = await only_execution(tracker)
    assert (record.status, step_record.status) == (ExecutionStatus.FAILED, StepStatus.FAILED)
    assert (record.error_type, step_record.error_type) == ("PayloadError", "PayloadError")


async def test_steps_that_run_at_the_same_time_are_all_recorded(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    barrier = asyncio.Barrier(8)

    async with tracker.execution(pipeline_id) as execution:

        async def work(number: int) -> None:
            async with execution.step(f"part-{number}") as step:
                await barrier.wait()
                step.output = number

        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(work(number))
    record, steps = await only_execution(tracker)
    assert record.completed_steps == 8
    assert sorted(step.output_data for step in steps) == list(range(8))  # pyright: ignore[reportArgumentType]


async def test_what_could_not_be_recorded_is_a_note_on_the_programs_own_exception(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    with pytest.raises(ValueError, match="mine") as raised:
        async with tracker.execution(pipeline_id) as execution:
            await tracker.take_over(execution.id, owner="somebody else")
            raise ValueError("mine")
    assert "could not record" in "".join(traceback.format_exception(raised.value))
    assert "somebody else" in "".join(raised.value.__notes__)


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


async def test_an_exception_that_cannot_say_what_it_is_stays_what_it_is(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    with pytest.raises(Speechless):
        async with tracker.execution(pipeline_id):
            raise Speechless
    record, _ = await only_execution(tracker)
    assert (record.status, record.error_type) == (ExecutionStatus.FAILED, "Speechless")
    assert "cannot be shown" in (record.error_message or "")


async def test_a_program_that_is_cancelled_while_it_begins_does_not_seem_to_run_for_ever(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    async def program() -> None:
        async with tracker.execution(pipeline_id) as execution, execution.step("one"):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(program()) for _ in range(60)]
    for turns, task in enumerate(tasks):
        for _ in range(turns % 20):
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)
    page = await tracker.list_executions(limit=100)
    assert {item.status for item in page.items} <= {ExecutionStatus.CANCELLED}
    for item in page.items:
        steps = await tracker.get_execution_steps(item.execution_id)
        assert {step.status for step in steps} <= {StepStatus.CANCELLED}


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
async def test_progress_is_a_fraction(tracker: ExecutionTracker, pipeline_id: PipelineId, fraction: float) -> None:
    with pytest.raises(InvalidArgument, match="progress of step 'one'.*0 to 1"):
        async with tracker.execution(pipeline_id) as execution, execution.step("one") as step:
            await step.progress(fraction)


async def test_a_step_may_say_what_it_does_outside(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    async with tracker.execution(pipeline_id) as execution:
        for effect in (None, *EFFECTS):
            async with execution.step(f"does {effect}", effect=effect):
                pass
    _, steps = await only_execution(tracker)
    assert [step.effect for step in steps] == [None, *EFFECTS]
    with pytest.raises(InvalidArgument, match="effect of step 'one'.*'none'.*pure, read, write, external"):
        await tracker.start_step_execution("e", "one", "One", "task", effect=cast(Any, "none"))


async def runs_of(tracker: ExecutionTracker, execution_id: str, within: str = "") -> list[tuple[str, StepStatus]]:
    """Paths and statuses at a level, in the order of their paths."""
    steps = await tracker.get_execution_steps(execution_id, within=RunPath(within))
    return sorted((path_of(step.within, step.step_id, step.iteration), step.status) for step in steps)


async def test_a_step_inside_the_block_of_another_is_a_part_of_it(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    done = StepStatus.COMPLETED
    async with tracker.execution(pipeline_id) as execution:
        for _ in range(2):
            async with execution.step("load"), execution.step("read"), execution.step("part"):
                pass
        async with execution.step("check"):
            pass
    assert here.get() is None
    assert await runs_of(tracker, execution.id) == [("check#1", done), ("load#1", done), ("load#2", done)]
    assert await runs_of(tracker, execution.id, "load#2") == [("load#2/read#1", done)]
    assert await runs_of(tracker, execution.id, "load#2/read#1") == [("load#2/read#1/part#1", done)]
    record = await tracker.get_execution(execution.id)
    assert record is not None
    assert record.completed_steps == 3


async def test_siblings_that_run_at_the_same_time_stay_siblings(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    barrier = asyncio.Barrier(3)

    async with tracker.execution(pipeline_id) as execution:

        async def part(name: str) -> None:
            async with execution.step(name):
                await barrier.wait()
                async with execution.step("inner"):
                    await barrier.wait()

        async with execution.step("all"):
            await asyncio.gather(*map(part, "abc"))
    done = StepStatus.COMPLETED
    assert await runs_of(tracker, execution.id, "all#1") == [(f"all#1/{name}#1", done) for name in "abc"]
    for name in "abc":
        assert await runs_of(tracker, execution.id, f"all#1/{name}#1") == [(f"all#1/{name}#1/inner#1", done)]


async def test_the_calls_without_blocks_take_their_level_from_the_block_around(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    async with tracker.execution(pipeline_id) as execution, execution.step("load"):
        await tracker.start_step_execution(execution.id, "read", "Read", "task")
        await tracker.start_step_execution(execution.id, "beside", "Beside", "task", within="")
        await tracker.start_step_execution(execution.id, "named", "Named", "task", within="other#1")
    assert await runs_of(tracker, execution.id, "load#1") == [("load#1/read#1", StepStatus.CANCELLED)]
    assert await runs_of(tracker, execution.id, "other#1") == [("other#1/named#1", StepStatus.CANCELLED)]
    (load, beside) = await tracker.get_execution_steps(execution.id)
    assert (load.status, beside.step_id, beside.status) == (StepStatus.COMPLETED, "beside", StepStatus.CANCELLED)
    [read] = await tracker.get_execution_steps(execution.id, within=RunPath("load#1"))
    assert read.error_type == "RunEnded"


async def test_run_again_a_part_gets_the_next_iteration(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    async with tracker.execution(pipeline_id) as execution:
        for attempt in (1, 2):
            with suppress(ConnectionError):
                async with execution.step("load"):
                    async with execution.step("read"):
                        pass
                    if attempt == 1:
                        raise ConnectionError
    done = StepStatus.COMPLETED
    assert await runs_of(tracker, execution.id, "load#1") == [("load#1/read#1", done), ("load#1/read#2", done)]


async def test_an_execution_inside_a_step_of_another_has_levels_of_its_own(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    async with tracker.execution(pipeline_id) as outer, outer.step("start"):
        async with tracker.execution(pipeline_id) as other, other.step("alone"):
            pass
        async with outer.step("after"):
            pass
    done = StepStatus.COMPLETED
    assert await runs_of(tracker, other.id) == [("alone#1", done)]
    assert await runs_of(tracker, outer.id, "start#1") == [("start#1/after#1", done)]


async def test_a_block_may_be_ended_in_another_context(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    execution = tracker.execution(pipeline_id)
    await execution.__aenter__()
    step = execution.step("left behind")
    await asyncio.create_task(step.__aenter__())
    await step.__aexit__(None, None, None)
    async with execution.step("next"):
        pass
    await execution.__aexit__(None, None, None)
    assert [path for path, _ in await runs_of(tracker, execution.id)] == ["left behind#1", "next#1"]


async def test_what_its_pipeline_runs_is_recorded_by_hand_inside_of_its_steps_alone(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    with run_by_pipeline(execution_id, tracker):
        for within in (None, ""):
            with pytest.raises(InvalidArgument, match=r"is run by its pipeline.*context\.step, or within=…"):
                await tracker.start_step_execution(execution_id, "one", "One", "task", within=within)
        await tracker.start_step_execution(execution_id, "one", "One", "task", within="think#1")
        token = here.set(RecordedPlace(execution_id, RunPath("think#2")))
        await tracker.start_step_execution(execution_id, "one", "One", "task")
        here.reset(token)
    assert await runs_of(tracker, execution_id) == []
    for path in ("think#1", "think#2"):
        assert await runs_of(tracker, execution_id, path) == [(f"{path}/one#1", StepStatus.RUNNING)]


async def test_what_is_too_deep_is_refused_before_it_is_written(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    deep = "d" * 170
    async with tracker.execution(pipeline_id) as execution:
        last = execution.step(deep)
        with pytest.raises(NestingTooDeep):
            async with execution.step(deep), execution.step(deep), last, execution.step("one"):
                pass
        with pytest.raises(InvalidArgument, match="path of a run"):
            await tracker.start_step_execution(execution.id, "one", "One", "task", within="a" * 501)
    step = await tracker.get_step_execution(last.id)
    assert step is not None
    assert (step.status, step.error_type) == (StepStatus.FAILED, "NestingTooDeep")


async def test_metadata_may_be_said_at_the_end(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    async with tracker.execution(pipeline_id, metadata={"by": "cron"}) as execution:
        async with execution.step("load", metadata={"file": "a"}) as step:
            step.metadata = {"file": "a", "rows": 3}
        async with execution.step("check", metadata={"kept": True}):
            pass
        async with execution.step("send") as step:
            step.metadata = ["late"]
        assert isinstance(execution.metadata, dict)
        execution.metadata["seconds"] = 2
    record, steps = await only_execution(tracker)
    assert record.metadata == {"by": "cron", "seconds": 2}
    assert [each.metadata for each in steps] == [{"file": "a", "rows": 3}, {"kept": True}, ["late"]]


async def test_metadata_that_cannot_be_stored_fails_its_step_and_replaces_no_exception(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    with pytest.raises(PayloadError, match="metadata"):
        async with tracker.execution(pipeline_id) as execution, execution.step("load") as step:
            step.metadata = cast(Any, object())
    _, (load,) = await only_execution(tracker)
    assert (load.status, load.error_type) == (StepStatus.FAILED, "PayloadError")
    execution = tracker.execution(pipeline_id)
    with pytest.raises(ValueError, match="mine") as raised:
        async with execution:
            execution.metadata = cast(Any, object())
            raise ValueError("mine")
    assert "could not record its metadata" in "".join(raised.value.__notes__)
    record = await tracker.get_execution(execution.id)
    assert record is not None
    assert (record.status, record.error_type) == (ExecutionStatus.FAILED, "ValueError")


async def test_a_name_that_is_not_there_is_refused(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    async with tracker.execution(pipeline_id) as execution, execution.step("load") as step:
        for block in (cast(Any, execution), cast(Any, step)):
            with pytest.raises(AttributeError, match="ouput"):
                block.ouput = {"rows": 3}


def test_a_synchronous_program_is_recorded_the_same(database_url: str) -> None:
    with DatabaseManager(database_url) as database:
        tracker = ExecutionTracker(database)
        pipeline_id = tracker.call(tracker.register_pipeline("program", "Somebody's program"))
        with tracker.execution(pipeline_id, input_data={"n": 2}) as execution:
            with execution.step("load", metadata={"file": "a"}) as step:
                with execution.step("read") as read:
                    read.progress(0.5, "half")
                    read.log("working")
                    read.output = {"rows": 3}
                assert read.output == {"rows": 3}
                step.metadata = {"rows": 3}
                assert step.metadata == {"rows": 3}
                assert step.id != read.id
            execution.log("nearly there", level="warning")
            execution.output = {"sum": 6}
        with pytest.raises(LookupError, match="mine"), tracker.execution(pipeline_id) as failed:
            raise LookupError("mine")
        record = tracker.call(tracker.get_execution(execution.id))
        other = tracker.call(tracker.get_execution(failed.id))
        [load] = tracker.call(tracker.get_execution_steps(execution.id))
        [inner] = tracker.call(tracker.get_execution_steps(execution.id, within=RunPath("load#1")))
        logs = tracker.call(tracker.changes(execution.id)).logs
        tracker.call(tracker.close())
    assert here.get() is None
    assert record is not None
    assert (record.status, record.output_data) == (ExecutionStatus.COMPLETED, {"sum": 6})
    assert (load.status, load.metadata) == (StepStatus.COMPLETED, {"rows": 3})
    assert (inner.output_data, inner.progress_message) == ({"rows": 3}, "half")
    assert [line.message for line in logs] == ["nearly there"]
    assert other is not None
    assert (other.status, other.error_message) == (ExecutionStatus.FAILED, "mine")


def test_ctrl_c_in_a_synchronous_program_is_a_cancellation(database_url: str) -> None:
    with DatabaseManager(database_url) as database:
        tracker = ExecutionTracker(database)
        pipeline_id = tracker.call(tracker.register_pipeline("program", "Somebody's program"))
        execution = tracker.execution(pipeline_id)
        with pytest.raises(KeyboardInterrupt), execution as running, running.step("wait"):
            raise KeyboardInterrupt
        record = tracker.call(tracker.get_execution(execution.id))
        tracker.call(tracker.close())
    assert record is not None
    assert record.status is ExecutionStatus.CANCELLED


async def test_a_thread_beside_the_loop_records_on_that_loop(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    async with tracker.execution(pipeline_id) as execution:

        def work() -> None:
            with execution.step("in a thread") as step, execution.step("inside"):
                step.output = 1

        await asyncio.to_thread(work)
        with pytest.raises(BlockingCallOnLoop, match=r"Use: async with execution\.step\(\.\.\.\)\."):
            work()
        with pytest.raises(BlockingCallOnLoop, match=r"Use: async with tracker\.execution\(\.\.\.\)\."):
            tracker.execution(pipeline_id).__enter__()
    done = StepStatus.COMPLETED
    assert await runs_of(tracker, execution.id) == [("in a thread#1", done)]
    assert await runs_of(tracker, execution.id, "in a thread#1") == [("in a thread#1/inside#1", done)]


def test_a_name_that_is_not_there_is_refused_without_a_loop_too(database_url: str) -> None:
    with DatabaseManager(database_url) as database:
        tracker = ExecutionTracker(database)
        pipeline_id = tracker.call(tracker.register_pipeline("program", "Somebody's program"))
        with tracker.execution(pipeline_id) as execution, execution.step("load") as step:
            for block in (cast(Any, execution), cast(Any, step)):
                with pytest.raises(AttributeError, match="ouput"):
                    block.ouput = {"rows": 3}
        tracker.call(tracker.close())


async def test_a_notebook_shows_what_an_execution_has_come_to(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    async with tracker.execution(pipeline_id, total_steps=2, input_data={"file": "<a>"}) as execution:
        async with execution.step("load"):
            pass
        running = await tracker.get_execution(execution.id)
        execution.output = {"rows": 3}
    ended = await tracker.get_execution(execution.id)
    summary = await tracker.get_execution_summary(execution.id)
    assert running is not None
    assert ended is not None
    assert summary is not None
    assert "● running" in running._repr_html_()
    assert "1 completed, 0 failed, of 2" in running._repr_html_()
    assert "● completed" in ended._repr_html_()
    assert "&quot;rows&quot;: 3" in ended._repr_html_()
    assert "&lt;a&gt;" in ended._repr_html_()
    assert "rows" not in summary._repr_html_()
