"""What is known of running executions is a guess: whoever else writes to them, the answers are those of the rows."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from ia_modules.database.driver import Plan
from ia_modules.database.manager import DatabaseManager, Script
from ia_modules.errors import AlreadyFinished, DatabaseUnavailable, ExecutionNotFound, LeaseLost
from ia_modules.models import ExecutionId, ExecutionStatus, RunPath, StepExecutionId, StepStatus, new_id
from ia_modules.payload import encode
from ia_modules.tracker import known
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import (
    ExecutionUpdate,
    LogLine,
    NewExecution,
    NewInteraction,
    StepStart,
    StepUpdate,
    Transition,
)

MANY = 50


class Watched(DatabaseManager):
    """Counts how it is written to and read; ``forgets`` answers of plans that are written."""

    counts: Counter[str]
    forgets = 0

    async def write_plan(self, plan: Plan, **limits: Any) -> bool:
        written = await super().write_plan(plan, **limits)
        self.counts["plan" if written else "missed"] += 1
        if self.forgets:
            self.forgets -= 1
            raise DatabaseUnavailable("the connection broke before the answer came")
        return written

    async def run(self, script: Script[Any], **limits: Any) -> Any:
        self.counts["script"] += 1
        return await super().run(script, **limits)

    async def read(self, script: Script[Any]) -> Any:
        self.counts["read"] += 1
        return await super().read(script)


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Watched]:
    database = Watched(database_url)
    database.counts = Counter()
    async with database:
        yield database


@pytest.fixture
async def tracker(database: Watched) -> AsyncGenerator[ExecutionTracker]:
    async with ExecutionTracker(database, lease_seconds=None) as tracker:
        await tracker.register_pipeline("work", "Work")
        yield tracker


@pytest.fixture
async def other(database_url: str) -> AsyncGenerator[ExecutionTracker]:
    """Another process, which does not know what the first one knows."""
    async with DatabaseManager(database_url) as database, ExecutionTracker(database, lease_seconds=None) as tracker:
        yield tracker


async def begun(tracker: ExecutionTracker) -> ExecutionId:
    """An execution that has made two attempts of a step, the second of which runs, in one transition each."""
    pipeline = await tracker.get_pipeline("work")
    assert pipeline is not None
    execution_id = ExecutionId(new_id())
    first, second = attempt("a"), attempt("a")
    new = NewExecution(pipeline_id=pipeline.id)
    failed = StepUpdate(step_execution_id=first.step_execution_id, status=StepStatus.FAILED)
    for transition in (
        Transition(writer=tracker.owner, execution_id=execution_id, new=new, starts=(first,)),
        Transition(writer=tracker.owner, execution_id=execution_id, updates=(failed,), starts=(second,)),
    ):
        await tracker.record(transition)
    return execution_id


def attempt(step_id: str) -> StepStart:
    return StepStart(step_execution_id=StepExecutionId(new_id()), step_id=step_id, step_name="A", step_type="task")


async def go_on(tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    """Another step begins, logs and ends."""
    start, line = attempt("b"), LogLine(log_id=new_id(), message="line")
    ended = StepUpdate(step_execution_id=start.step_execution_id, status=StepStatus.COMPLETED)
    await tracker.record(Transition(writer=tracker.owner, execution_id=execution_id, starts=(start,), logs=(line,)))
    await tracker.record(Transition(writer=tracker.owner, updates=(ended,)))


async def finish(tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    [running] = [step for step in await tracker.get_execution_steps(execution_id) if step.status is StepStatus.RUNNING]
    ended = StepUpdate(step_execution_id=running.step_execution_id, status=StepStatus.COMPLETED)
    change = ExecutionUpdate(status=ExecutionStatus.COMPLETED)
    transition = Transition(writer=tracker.owner, execution_id=execution_id, updates=(ended,), change=change)
    await tracker.record(transition)


async def test_each_plain_transition_is_one_plan_and_nothing_is_read(
    tracker: ExecutionTracker, database: Watched
) -> None:
    await begun(tracker)
    database.counts.clear()
    execution_id = await begun(tracker)
    await go_on(tracker, execution_id)
    assert database.counts == {"plan": 4}
    await finish(tracker, execution_id)
    assert database.counts["plan"] == 5
    assert database.counts["script"] == database.counts["missed"] == 0


async def deleted(other: ExecutionTracker, execution_id: ExecutionId) -> None:
    database = other._database
    await database.execute_async("DELETE FROM pipeline_executions WHERE execution_id = :id", {"id": execution_id})


CONFLICTS: list[tuple[Callable[[ExecutionTracker, ExecutionId], Awaitable[Any]], type[Exception] | None]] = [
    (lambda other, execution_id: other.take_over(execution_id), LeaseLost),
    (lambda other, execution_id: other.request_cancel(execution_id), None),
    (deleted, ExecutionNotFound),
]


@pytest.mark.parametrize(("interfere", "error"), CONFLICTS)
async def test_what_another_process_did_meanwhile_is_met_by_its_own_writer_alone(
    tracker: ExecutionTracker,
    other: ExecutionTracker,
    database: Watched,
    interfere: Callable[[ExecutionTracker, ExecutionId], Awaitable[Any]],
    error: type[Exception] | None,
) -> None:
    ids = await asyncio.gather(*(begun(tracker) for _ in range(MANY)))
    await interfere(other, ids[7])
    database.counts.clear()
    outcomes = await asyncio.gather(*(go_on(tracker, execution_id) for execution_id in ids), return_exceptions=True)
    expected = [None if error is None else error]
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [each for each in expected if each]
    assert isinstance(outcomes[7], error or type(None))
    assert database.counts["missed"] == 1  # what came with it was read once and is known again
    database.counts.clear()
    others = [execution_id for execution_id in ids if execution_id != ids[7] or error is None]
    await asyncio.gather(*(go_on(tracker, execution_id) for execution_id in others))
    assert database.counts["plan"] > 0
    assert database.counts.keys() == {"plan"}
    for execution_id in others:
        record = await tracker.get_execution(execution_id)
        assert record is not None
        steps = await tracker.get_execution_steps(execution_id)
        assert (record.completed_steps, record.failed_steps) == (2, 0)
        assert [step.attempt for step in steps if step.step_id == "a"] == [1, 2]


async def test_a_refusal_is_read_from_the_rows(
    tracker: ExecutionTracker, other: ExecutionTracker, database: Watched
) -> None:
    """By what is known the step ends differently; by the rows the execution has gone to somebody else."""
    execution_id = await begun(tracker)
    await other.take_over(execution_id)
    strange = StepUpdate(step_execution_id=StepExecutionId(new_id()), status=StepStatus.COMPLETED)
    with pytest.raises(LeaseLost):
        await tracker.record(Transition(writer=tracker.owner, execution_id=execution_id, updates=(strange,)))


async def test_what_ended_elsewhere_is_not_ended_again(
    tracker: ExecutionTracker, other: ExecutionTracker, database: Watched
) -> None:
    execution_id = await begun(tracker)
    await other.take_over(execution_id)
    await other.update_execution_status(execution_id, "failed")
    with pytest.raises((LeaseLost, AlreadyFinished)):
        await go_on(tracker, execution_id)
    record = await tracker.get_execution(execution_id)
    assert record is not None
    assert record.status is ExecutionStatus.FAILED


async def test_a_plan_whose_answer_was_lost_counts_once_and_its_execution_is_known_again(
    tracker: ExecutionTracker, database: Watched
) -> None:
    execution_id = await begun(tracker)
    for _ in range(3):
        database.forgets = 1
        await go_on(tracker, execution_id)
    database.counts.clear()
    await go_on(tracker, execution_id)
    assert database.counts == {"plan": 2}
    await finish(tracker, execution_id)
    record = await tracker.get_execution(execution_id)
    changes = await tracker.changes(execution_id)
    assert record is not None
    assert (record.completed_steps, record.failed_steps, len(changes.steps), len(changes.logs)) == (5, 0, 6, 4)


async def test_no_more_executions_are_known_than_was_said(database: Watched) -> None:
    async with ExecutionTracker(database, lease_seconds=None, known_executions=2) as tracker:
        await tracker.register_pipeline("work", "Work")
        ids = [await begun(tracker) for _ in range(3)]
        database.counts.clear()
        for execution_id in ids[1:]:
            await go_on(tracker, execution_id)
        assert database.counts == {"plan": 4}
        await go_on(tracker, ids[0])  # read, and known in place of the one that was written longest ago
        await go_on(tracker, ids[0])
        await go_on(tracker, ids[2])
        assert database.counts == {"plan": 4 + 1 + 2 + 2, "script": 1, "read": 1}
        for execution_id in ids:
            await finish(tracker, execution_id)


async def test_what_was_claimed_untouched_is_not_read(tracker: ExecutionTracker, database: Watched) -> None:
    pipeline = await tracker.get_pipeline("work")
    assert pipeline is not None
    execution_id = ExecutionId(new_id())
    new = NewExecution(pipeline_id=pipeline.id, status=ExecutionStatus.PENDING, managed=True)
    await tracker.record(Transition(writer=tracker.owner, execution_id=execution_id, new=new))
    for reads in (0, 1):  # at first nothing ever ran of it; then something may have
        [claim] = await tracker.ownership.claim(5)
        database.counts.clear()
        await go_on(tracker, execution_id)
        assert (database.counts["script"], database.counts["plan"]) == (reads, 2 - reads)
        back = ExecutionUpdate(status=ExecutionStatus.PENDING, released=True)
        await tracker.record(Transition(writer=tracker.owner, lease=claim.lease, change=back))


async def test_what_has_too_many_attempts_to_be_read_is_not_known_again(
    tracker: ExecutionTracker, other: ExecutionTracker, database: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "READ_ATTEMPTS", 3)
    for extra, reads in ((0, 1), (1, 4)):  # once for the conflict, or for every transition
        execution_id = await begun(tracker)
        for _ in range(1 + extra):
            start = attempt("c")
            await tracker.record(Transition(writer=tracker.owner, execution_id=execution_id, starts=(start,)))
        await other.request_cancel(execution_id)
        database.counts.clear()
        await tracker.log(execution_id, "a line")
        await tracker.log(execution_id, "another")
        await go_on(tracker, execution_id)
        assert database.counts["script"] == reads


async def test_with_none_known_everything_is_read_first(database: Watched) -> None:
    async with ExecutionTracker(database, lease_seconds=None, known_executions=0) as tracker:
        await tracker.register_pipeline("work", "Work")
        await go_on(tracker, await begun(tracker))
        assert database.counts["plan"] == database.counts["missed"] == 0


async def test_the_end_of_an_attempt_closes_its_question_also_where_what_ran_within_it_is_not_known_any_more(
    tracker: ExecutionTracker,
) -> None:
    execution_id = await tracker.start_execution(await tracker.register_pipeline("asks", "Asks"))
    outer, inner = [StepExecutionId(new_id()) for _ in range(2)]
    within = RunPath("a#1")
    starts = (
        StepStart(step_execution_id=outer, step_id="a", step_name="a", step_type="task"),
        StepStart(step_execution_id=inner, step_id="b", step_name="b", step_type="task", within=within),
    )
    ask = NewInteraction(interaction_id=new_id(), step_execution_id=outer, ui_schema=encode({}, "schema"), prompt="?")

    def done(attempt: StepExecutionId) -> tuple[StepUpdate, ...]:
        return (StepUpdate(step_execution_id=attempt, status=StepStatus.COMPLETED),)

    transition = Transition(execution_id=execution_id, writer=tracker.owner)
    for each in ({"starts": starts}, {"updates": done(inner)}, {"asks": (ask,)}, {"updates": done(outer)}):
        await tracker.record(replace(transition, **each))
    assert [question.status for question in await tracker.get_interactions(execution_id)] == ["cancelled"]
