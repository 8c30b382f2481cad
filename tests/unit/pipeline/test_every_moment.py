"""What stands on record after each commit while one branch waits for a person, another runs, and somebody answers."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules.database.driver import Plan, Script
from ia_modules.errors import StepError
from ia_modules.models import ExecutionId, ExecutionStatus, StepStatus
from ia_modules.payload import encode
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.inputs import prepare_input
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner, StartedExecution
from ia_modules.pipeline.start import new_execution, record_start, registered_version
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import Recorded, Transition
from tests.unit.pipeline.factories import ask, document
from tests.unit.pipeline.programs import nothing, pipeline_of
from tests.unit.pipeline.random_files import TIMES, files
from tests.unit.pipeline.test_runner_properties import SEEDS, TIMINGS, assert_as_expected
from tests.unit.pipeline.world import ANSWER, INPUT, World, expected_of, pipeline_in

T = TypeVar("T")


async def nothing_yet() -> None:
    """Before or after a commit."""


@dataclass
class Watch:
    """The commits of whoever runs an execution, one at a time: something may be done before each, and after it."""

    before: Callable[[], Awaitable[None]] = nothing_yet
    after: Callable[[], Awaitable[None]] = nothing_yet
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def commit(self, write: Callable[[], Awaitable[T]]) -> T:
        async with self.turn:
            await self.before()
            await self.after()
            written = await write()
            await self.after()
            return written


class WatchedJournal(MemoryJournal):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    async def record(self, transition: Transition) -> Recorded:
        record = partial(super().record, transition)
        is_of_another = self._watch.turn.locked()  # nothing here is interrupted: it is what is done before a commit
        return await (record() if is_of_another else self._watch.commit(record))


@dataclass
class WatchedDriver:
    driver: Any
    watch: Watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)

    async def run(self, script: Script[T], *limits: float | None) -> T:
        return await self.watch.commit(partial(self.driver.run, script, *limits))

    async def write_plan(self, plan: Plan, *limits: float | None) -> bool:
        return await self.watch.commit(partial(self.driver.write_plan, plan, *limits))


@asynccontextmanager
async def watched(journal: Any, watch: Watch) -> AsyncGenerator[tuple[OperatorJournal, OperatorJournal]]:
    """The journal of a process whose commits are watched, and one of others on the same records."""
    if isinstance(journal, MemoryJournal):
        both = WatchedJournal(watch)
        yield both, both
        return
    database = copy(journal._database)
    database._driver = WatchedDriver(database._driver, watch)
    tracker = ExecutionTracker(database, lease_seconds=None)
    try:
        yield tracker, journal
    finally:
        await tracker.close()


async def right_status(journal: OperatorJournal, execution_id: ExecutionId) -> ExecutionStatus:
    """The status of an execution, which is the one that its attempts and questions make it."""
    execution = await journal.get_execution(execution_id)
    assert execution is not None
    steps = await journal.get_execution_steps(execution_id)
    questions = await journal.get_interactions(execution_id)
    open_steps = {step.step_execution_id: step.status for step in steps if not step.status.is_terminal}
    open_questions = {each.step_execution_id for each in questions if each.status == "pending"}
    assert open_questions <= {id_ for id_, status in open_steps.items() if status is StepStatus.WAITING}
    if steps and not open_steps:
        assert execution.status.is_terminal
    elif open_steps and open_steps.keys() == open_questions:
        assert (execution.status, execution.owner) == (ExecutionStatus.WAITING_FOR_HUMAN, None)
    elif execution.owner is None:
        assert execution.status is ExecutionStatus.PENDING
        assert StepStatus.RUNNING not in open_steps.values()
    else:
        assert execution.status is ExecutionStatus.RUNNING
    changes = await journal.changes(execution_id)
    assert (changes.execution.status, changes.execution.sequence) == (execution.status, execution.sequence)
    assert {each.interaction_id: each.status for each in changes.interactions} == {
        each.interaction_id: each.status for each in questions
    }
    return execution.status


async def open_questions(journal: OperatorJournal, execution_id: ExecutionId) -> list[str]:
    questions = await journal.get_interactions(execution_id)
    return [each.interaction_id for each in questions if each.status == "pending"]


async def queued(
    journal: OperatorJournal, pipeline: LoadedPipeline, input_data: Mapping[str, Any] = INPUT
) -> ExecutionId:
    version = await registered_version(journal, pipeline, new_version=True)
    text = encode(prepare_input(pipeline.definition, input_data), "input")
    return await record_start(
        journal, await new_execution(journal, pipeline.definition, version, text, queued=True, trigger="test")
    )


async def taken(
    journal: OperatorJournal, pipeline: LoadedPipeline, execution_id: ExecutionId, *, managed: bool
) -> StartedExecution:
    """Gone on with by whoever runs it, as a worker does it or a program."""
    runner = Runner(journal)
    if not managed:
        return await runner.resume(pipeline, execution_id)
    [claimed] = [each for each in await journal.ownership.claim(100) if each.execution_id == execution_id]
    return runner.claimed(pipeline, claimed.input_data, claimed.lease)


async def run_to_end(
    journal: OperatorJournal,
    pipeline: LoadedPipeline,
    execution_id: ExecutionId,
    *,
    managed: bool,
    answer: Callable[[], Awaitable[None]],
) -> None:
    """Run it as far as it goes, and answer a question whenever all of it waits; raises StepError where it fails."""
    started = await taken(journal, pipeline, execution_id, managed=managed)
    while (status := await Runner(journal).to_end(started)) is not ExecutionStatus.COMPLETED:
        if status is ExecutionStatus.WAITING_FOR_HUMAN:
            await answer()
        started = await taken(journal, pipeline, execution_id, managed=managed)


BRANCHES = document(
    *("first", ask(prompt="Well?"), "a", "b", "c", "join"),
    paths=[("first", "ask"), ("first", "a"), ("a", "b"), ("b", "c"), ("ask", "join"), ("c", "join")],
)
"""One branch asks a person while the other one runs three steps."""


async def answered_before(
    place: int, journal: OperatorJournal, *, managed: bool
) -> tuple[list[ExecutionStatus], ExecutionStatus]:
    """Answer just before the commit of this place, counted from the question on, or when all of it waits.

    Returns:
        The status before and after each commit, and the one in which the execution was answered.
    """
    pipeline = pipeline_of(BRANCHES, dict.fromkeys(("first", "a", "b", "c", "join"), nothing))
    watch, passed = Watch(), count()
    statuses: list[ExecutionStatus] = []
    answered_in: list[ExecutionStatus] = []
    async with watched(journal, watch) as (own, others):
        execution_id = await queued(own, pipeline)

        async def look() -> None:
            statuses.append(await right_status(others, execution_id))

        async def answer() -> None:
            await look()
            answered_in.append(statuses[-1])
            [question] = await open_questions(others, execution_id)
            await others.answer_interaction(question, ANSWER, actor="ann")
            await look()

        async def answer_in_time() -> None:
            if not answered_in and await open_questions(others, execution_id) and next(passed) == place:
                await answer()

        watch.before, watch.after = answer_in_time, look
        await run_to_end(own, pipeline, execution_id, managed=managed, answer=answer)
        steps = await others.get_execution_steps(execution_id)
    assert sorted((step.step_id, step.status) for step in steps) == [
        (step_id, StepStatus.COMPLETED) for step_id in ("a", "ask", "b", "c", "first", "join")
    ]
    [status] = answered_in
    return statuses, status


@pytest.mark.parametrize("dialect", ["memory", "sqlite", "postgresql", "pooled"])
@pytest.mark.parametrize("managed", [False, True])
async def test_whichever_commit_an_answer_comes_before_the_status_is_right_at_every_moment(
    journal: OperatorJournal, *, managed: bool
) -> None:
    """Before the first commit after the question, before the second, and so on; at last when all of it waits."""
    place, answered_in = -1, ExecutionStatus.RUNNING
    seen: set[ExecutionStatus] = set()
    while answered_in is ExecutionStatus.RUNNING:
        place += 1
        statuses, answered_in = await answered_before(place, journal, managed=managed)
        seen.update(statuses)
        if answered_in is ExecutionStatus.RUNNING:
            assert ExecutionStatus.WAITING_FOR_HUMAN not in statuses
    assert place > 1, "there was no moment at which one branch waited while the other ran"
    assert answered_in is ExecutionStatus.WAITING_FOR_HUMAN
    assert seen == {ExecutionStatus(each) for each in ("pending", "running", "waiting_for_human", "completed")}


@settings(
    max_examples=20 * TIMES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files(may_end=True), SEEDS, TIMINGS, st.integers(1, 4), st.booleans())
async def test_whatever_asks_and_whenever_it_is_answered_the_status_is_right_and_the_end_is_the_reference_s(
    journal: OperatorJournal, file: dict[str, Any], seed: int, timing: int, asks_one_in: int, managed: bool
) -> None:
    chance = random.Random(timing)
    world = World(seed, random.Random(timing), asks_one_in=asks_one_in)
    pipeline, watch = pipeline_in(world, file), Watch()
    async with watched(journal, watch) as (own, others):
        execution_id = await queued(own, pipeline)

        async def look() -> None:
            await right_status(others, execution_id)

        async def answer() -> None:
            questions = await open_questions(others, execution_id)
            await others.answer_interaction(chance.choice(questions), ANSWER, actor="ann")
            await look()

        async def answer_at_times() -> None:
            if chance.random() < 0.3 and await open_questions(others, execution_id):
                await answer()

        watch.before, watch.after = answer_at_times, look
        with suppress(StepError):
            await run_to_end(own, pipeline, execution_id, managed=managed, answer=answer)
        assert len(world.ran) == len(set(world.ran)), f"code before a question ran again: {world.ran}"
        await assert_as_expected(others, execution_id, expected_of(world, file))
