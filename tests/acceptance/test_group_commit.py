"""Fifty writers share commits; whatever goes wrong with some of them is theirs alone."""

import asyncio
import contextvars
import gc
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from msgspec.structs import replace

from ia_modules.database.manager import DatabaseManager, Script
from ia_modules.errors import (
    AlreadyFinished,
    ConstraintViolated,
    DatabaseBusy,
    DatabaseUnavailable,
    ExecutionNotFound,
    LeaseLost,
    OtherEventLoop,
    PayloadError,
    PipelineNotFound,
    StepExecutionNotFound,
)
from ia_modules.models import ExecutionId, ExecutionStatus, StepExecutionId, StepStatus, new_id
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import ExecutionUpdate, LogLine, NewExecution, StepStart, StepUpdate, Transition

WRITERS = 50


@pytest.fixture
async def tracker(database: DatabaseManager) -> AsyncIterator[ExecutionTracker]:
    async with ExecutionTracker(database, payload_limit_bytes=10_000) as tracker:
        yield tracker


async def work(tracker: ExecutionTracker, pipeline_id: str, number: int) -> ExecutionId:
    """One execution of three steps, as a writer that nothing is wrong with records it."""
    execution_id = await tracker.start_execution(pipeline_id, "Work", {"number": number}, total_steps=3)
    for step in ("one", "two", "three"):
        step_id = await tracker.start_step_execution(execution_id, step, step, "task", {"number": number})
        assert await tracker.complete_step_execution(step_id, "completed", {"done": step}) is True
    assert await tracker.update_execution_status(execution_id, "completed", output_data={"number": number}) is True
    return execution_id


async def unknown_pipeline(tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    await tracker.start_execution("no-such-pipeline", "Nothing")


async def unknown_execution(tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    await tracker.start_step_execution("no-such-execution", "step", "Step", "task")


async def unknown_step(tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    await tracker.complete_step_execution("no-such-step", "completed")


async def oversize(tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    await tracker.start_step_execution(execution_id, "step", "Step", "task", "x" * 20_000)


async def constraint(tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    """Two attempts with the same number: only the database's unique key sees it, in the middle of the batch."""
    for _ in range(2):
        start = StepStart(
            step_execution_id=StepExecutionId(new_id()),
            step_id="twice",
            step_name="Twice",
            step_type="task",
            iteration=1,
            attempt=1,
        )
        await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, starts=(start,)))


async def lost_lease(tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    await tracker.take_over(execution_id, owner="another process")
    await tracker.start_step_execution(execution_id, "step", "Step", "task")


async def wrong_type(tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    """What no check at the door can foresee: only the decision stumbles over it."""
    update = StepUpdate(step_execution_id=cast("Any", ["no", "id"]), status=StepStatus.COMPLETED)
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, updates=(update,)))


async def second_end(tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    await tracker.update_execution_status(execution_id, "completed")
    await tracker.update_execution_status(execution_id, "failed")


@pytest.mark.parametrize(
    ("fail", "error"),
    [
        (unknown_pipeline, PipelineNotFound),
        (unknown_execution, ExecutionNotFound),
        (unknown_step, StepExecutionNotFound),
        (oversize, PayloadError),
        (constraint, ConstraintViolated),
        (lost_lease, LeaseLost),
        (second_end, AlreadyFinished),
        (wrong_type, Exception),
    ],
)
async def test_of_fifty_concurrent_writers_a_failing_one_fails_alone(
    tracker: ExecutionTracker, database: DatabaseManager, fail: Any, error: type[Exception]
) -> None:
    pipeline_id = await tracker.register_pipeline("work", "Work")
    victim = await tracker.start_execution(pipeline_id, "Victim")
    together = asyncio.Barrier(WRITERS)

    async def good(number: int) -> ExecutionId:
        await together.wait()
        return await work(tracker, pipeline_id, number)

    async def bad() -> ExecutionId:
        await together.wait()
        await fail(tracker, victim)
        raise AssertionError("the failing writer did not fail")

    *stored, failure = await asyncio.gather(*map(good, range(WRITERS - 1)), bad(), return_exceptions=True)
    assert isinstance(failure, error)
    for number, execution_id in enumerate(stored):
        assert isinstance(execution_id, str)
        execution = await tracker.get_execution(execution_id)
        assert execution is not None
        assert (execution.status, execution.completed_steps, execution.sequence) == (ExecutionStatus.COMPLETED, 3, 8)
        assert execution.output_data == {"number": number}
        steps = await tracker.get_execution_steps(execution_id)
        assert [(step.status, step.attempt) for step in steps] == [(StepStatus.COMPLETED, 1)] * 3
    counted = await database.fetch_one_async("SELECT COUNT(*) AS n FROM pipeline_executions")
    assert counted == {"n": WRITERS}


class WatchfulDatabase(DatabaseManager):
    """Knows of every transition that was handed to it when its commit returned."""

    async def run(self, script: Script[Any], **options: Any) -> Any:
        await asyncio.sleep(0)  # everybody who can be told too early is told now
        self.commits = getattr(self, "commits", 0) + 1
        return await super().run(script, **options)

    async def write_plan(self, plan: Any, **options: Any) -> bool:
        await asyncio.sleep(0)
        self.commits = getattr(self, "commits", 0) + 1
        return await super().write_plan(plan, **options)


class ForgetfulDatabase(DatabaseManager):
    """Commits, and loses the answer: the connection breaks after the commit, once."""

    forgotten = 0

    async def run(self, script: Script[Any], **options: Any) -> Any:
        result = await super().run(script, **options)
        self.forget()
        return result

    async def write_plan(self, plan: Any, **options: Any) -> bool:
        result = await super().write_plan(plan, **options)
        self.forget()
        return result

    def forget(self) -> None:
        if self.forgotten < 3:
            self.forgotten += 1
            raise DatabaseUnavailable("the connection broke before the answer came")


class GoneDatabase(DatabaseManager):
    """Cannot be reached while it is gone."""

    gone = False

    async def run(self, script: Script[Any], **options: Any) -> Any:
        if self.gone:
            script.close()
            raise DatabaseUnavailable("nobody answers")
        return await super().run(script, **options)

    async def write_plan(self, plan: Any, **options: Any) -> bool:
        if self.gone:
            raise DatabaseUnavailable("nobody answers")
        return await super().write_plan(plan, **options)


async def test_writers_share_commits(database_url: str) -> None:
    async with WatchfulDatabase(database_url) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("work", "Work")
        before = database.commits
        await asyncio.gather(*(work(tracker, pipeline_id, number) for number in range(WRITERS)))
        transitions = 8 * WRITERS
        assert database.commits - before < transitions / 5


async def test_nothing_is_acknowledged_before_its_commit(database_url: str) -> None:
    async with (
        DatabaseManager(database_url) as database,
        DatabaseManager(database_url) as witness,
        ExecutionTracker(database) as tracker,
    ):
        pipeline_id = await tracker.register_pipeline("work", "Work")

        async def write_and_look() -> None:
            execution_id = await tracker.start_execution(pipeline_id, "Work")
            seen = await witness.fetch_one_async(
                "SELECT status FROM pipeline_executions WHERE execution_id = :id", {"id": execution_id}
            )
            assert seen == {"status": "running"}

        await asyncio.gather(*(write_and_look() for _ in range(WRITERS)))


async def test_a_commit_whose_answer_was_lost_counts_once(database_url: str) -> None:
    async with ForgetfulDatabase(database_url) as database:
        database.forgotten = 3
        async with ExecutionTracker(database) as tracker:
            pipeline_id = await tracker.register_pipeline("work", "Work")
            database.forgotten = 0
            execution_id = await tracker.start_execution(pipeline_id, "Work")
            step_id = await tracker.start_step_execution(execution_id, "one", "One", "task")
            await tracker.log(execution_id, "line", step_execution_id=step_id)
            database.forgotten = 2
            await tracker.complete_step_execution(step_id, "failed")
            execution = await tracker.get_execution(execution_id)
            assert execution is not None
            assert (execution.failed_steps, execution.sequence) == (1, 4)
            changes = await tracker.changes(execution_id)
            assert (len(changes.steps), len(changes.logs)) == (1, 1)
            database.forgotten = 2
            await tracker.update_execution_status(execution_id, "failed")
            assert database.forgotten == 3


async def test_an_unreachable_database_is_an_error_after_the_time_given(database_url: str) -> None:
    async with GoneDatabase(database_url) as database, ExecutionTracker(database, give_up_seconds=0.2) as tracker:
        pipeline_id = await tracker.register_pipeline("work", "Work")
        database.gone = True
        outcomes = await asyncio.gather(
            *(tracker.start_execution(pipeline_id, "Work") for _ in range(5)), return_exceptions=True
        )
        assert Counter(type(outcome) for outcome in outcomes) == {DatabaseUnavailable: 5}
        database.gone = False
        assert await tracker.start_execution(pipeline_id, "Work")
        assert len(await tracker.get_recent_executions()) == 1


async def test_a_writer_that_is_cancelled_leaves_the_others_alone(tracker: ExecutionTracker) -> None:
    pipeline_id = await tracker.register_pipeline("work", "Work")
    new = NewExecution(pipeline_id=pipeline_id, pipeline_name="Work")
    tasks = [
        asyncio.create_task(
            tracker.record(Transition(execution_id=ExecutionId(new_id()), writer=tracker.owner, new=new))
        )
        for _ in range(20)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [True, False] * 10
    await tracker.close()
    stored = {item.execution_id for item in await tracker.get_recent_executions()}
    assert {outcome.execution_id for outcome in outcomes[1::2]} <= stored  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_what_somebody_keeps_locked_holds_up_only_its_own_writer(
    database: DatabaseManager,
) -> None:
    """Rows are locked one by one on PostgreSQL only."""
    async with ExecutionTracker(database, give_up_seconds=4) as tracker:
        pipeline_id = await tracker.register_pipeline("work", "Work")
        ids = [await tracker.start_execution(pipeline_id, "Work") for _ in range(20)]
        outcomes: list[Any] = []

        async def write(execution_id: ExecutionId) -> None:
            try:
                await tracker.log(execution_id, "line")
                outcomes.append(execution_id)
            except DatabaseBusy as error:
                outcomes.append(error)

        async with database.transaction() as handle:
            await handle.fetch_all(
                "SELECT 1 FROM pipeline_executions WHERE execution_id = :id FOR UPDATE", {"id": ids[7]}
            )
            with_clean_context = contextvars.Context()
            writers = [
                asyncio.get_running_loop().create_task(write(execution_id), context=with_clean_context.copy())
                for execution_id in ids
            ]
            await asyncio.wait(writers)
        (busy,) = [outcome for outcome in outcomes if isinstance(outcome, DatabaseBusy)]
        assert {outcome for outcome in outcomes if outcome is not busy} == {*ids} - {ids[7]}
        await write(ids[7])
        assert outcomes[-1] == ids[7]


async def test_an_error_that_many_are_told_is_each_writers_own(database_url: str) -> None:
    async with GoneDatabase(database_url) as database, ExecutionTracker(database, give_up_seconds=0) as tracker:
        pipeline_id = await tracker.register_pipeline("work", "Work")
        database.gone = True
        starts = [tracker.start_execution(pipeline_id, "Work") for _ in range(3)]
        errors = await asyncio.gather(*starts, return_exceptions=True)
        assert len({id(error) for error in errors}) == 3


async def test_a_line_that_comes_again_after_the_end_is_known(tracker: ExecutionTracker) -> None:
    pipeline_id = await tracker.register_pipeline("work", "Work")
    execution_id = await tracker.start_execution(pipeline_id, "Work")
    line = LogLine(log_id=new_id(), message="the last words")
    ending = Transition(
        execution_id=execution_id,
        writer=tracker.owner,
        change=ExecutionUpdate(status=ExecutionStatus.COMPLETED),
        logs=(line,),
    )
    first = await tracker.record(ending)
    assert await tracker.record(ending) == replace(first, changed=False)
    other = replace(ending, logs=(LogLine(log_id=new_id(), message="too late"),))
    with pytest.raises(AlreadyFinished):
        await tracker.record(other)


def test_a_tracker_serves_one_event_loop_at_a_time(database_url: str) -> None:
    async def main() -> None:
        async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
            pipeline_id = await tracker.register_pipeline("work", "Work")
            working = asyncio.create_task(tracker.start_execution(pipeline_id, "Work"))
            await asyncio.sleep(0)
            with pytest.raises(OtherEventLoop, match="tracker of its own"):
                await asyncio.to_thread(lambda: asyncio.run(tracker.start_execution(pipeline_id, "Work")))
            assert await working

    asyncio.run(main())
    gc.collect()  # a connection that was left on the other loop warns now, in this test
