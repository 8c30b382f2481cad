"""One rule, two ways to write it: what is planned on what is known gives the rows that reading first gives."""

import os
import shutil
from asyncio import gather
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules.database.driver import Plan
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import (
    EFFECTS,
    ExecutionId,
    ExecutionStatus,
    JsonText,
    Lease,
    LogLevel,
    PipelineId,
    RunPath,
    StepExecutionId,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.testing.model import BEGAN
from ia_modules.testing.places_contract import THERE
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import (
    Answer,
    Claim,
    ExecutionUpdate,
    Expiry,
    FailedStep,
    Failure,
    LogLine,
    NewExecution,
    NewInteraction,
    OwnershipChange,
    Recorded,
    Recovery,
    RequestCancel,
    StepStart,
    StepUpdate,
    TakeOver,
    Transition,
)
from ia_modules.usage import Spent, Usage
from tests.conformance.clock import Clock, set_clock_of
from tests.conftest import new_name, postgresql_database

TIMES = int(os.environ.get("IA_TEST_TIMES", "1"))
EXECUTIONS, ATTEMPTS, BEGUN, INNER = 3, 7, 3, 2
OWNER, STRANGER = "ann", "bob"
WITHIN = (GRAPH, GRAPH, GRAPH, run_path(GRAPH, "step-0", 1), run_path(run_path(GRAPH, "step-0", 1), "step-1", 1))
TEXTS = JsonText('{"text":"äöü"}'), JsonText("[1,null]"), None
TABLES = (
    "pipeline_executions",
    "execution_aliases",
    "execution_requests",
    "step_executions",
    "execution_logs",
    "interactions",
)
EVERYTHING = {  # everything that a table has of some executions, in the order of its ids
    table: f"SELECT * FROM {table} WHERE execution_id = :execution_id ORDER BY 1" for table in TABLES
} | {
    "failure_groups": "SELECT failure_groups.* FROM failure_groups JOIN pipeline_executions"
    " USING (pipeline_id, failure_group) WHERE execution_id = :execution_id",
    "step_places": "SELECT step_places.* FROM step_places JOIN step_executions USING (step_execution_id)"
    " WHERE execution_id = :execution_id ORDER BY 1",
}


USAGES = st.builds(
    Usage,
    spent=st.builds(
        Spent,
        input_tokens=st.integers(0, 3),
        output_tokens=st.integers(0, 3),
        cost_micros=st.none() | st.integers(0, 3),
        unpriced_calls=st.integers(0, 2),
    ),
    by_model=st.just(TEXTS[1]),
    first_token_ms=st.sampled_from([None, 5]),
)


@dataclass(frozen=True)
class Parts:
    """A transition of which executions and attempts are still numbers."""

    execution: int = 0
    is_new: bool = False
    begins_as: ExecutionStatus = ExecutionStatus.RUNNING
    named: bool = False
    writer: str = OWNER
    epoch: int | None = None
    by_attempt: bool = False
    starts: list[tuple[int, dict[str, Any]]] = field(default_factory=list[tuple[int, dict[str, Any]]])
    updates: list[tuple[int, dict[str, Any]]] = field(default_factory=list[tuple[int, dict[str, Any]]])
    lines: list[int | None] = field(default_factory=list[int | None])
    change: ExecutionUpdate | None = None
    ownership: OwnershipChange | None = None
    asks: int | None = None
    expires: int | None = None
    answers: int | None = None


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def parts() -> st.SearchStrategy[Parts]:
    execution, attempt = st.integers(0, EXECUTIONS - 1), st.integers(0, ATTEMPTS - 1)
    texts = st.sampled_from(TEXTS)
    failures = st.sampled_from([None, Failure(type="ValueError", message="no"), Failure(type=None, message="no")])
    start = st.fixed_dictionaries(
        {
            "within": st.sampled_from(WITHIN),
            "iteration": st.sampled_from([None, None, 1, 2]),
            "status": st.sampled_from([StepStatus.RUNNING] * 3 + [StepStatus.PENDING, StepStatus.SKIPPED]),
            "worker": st.sampled_from([None, "w"]),
            "input_data": texts,
            "input_refs": texts,
            "metadata": texts,
            "effect": st.sampled_from([None, *EFFECTS]),
            "wake_after_seconds": st.sampled_from([None, None, 5.0]),
            "awaits": st.sampled_from([None, None, None, "ray:a"]),
        }
    )
    ends = [StepStatus.COMPLETED] * 4 + [StepStatus.FAILED] * 2 + [None, *StepStatus]
    update = st.fixed_dictionaries(
        {
            "status": st.sampled_from(ends),
            "worker": st.sampled_from([None, None, "v"]),
            "output_data": texts,
            "routes": texts,
            "failure": failures,
            "retry_count": st.sampled_from([None, 0, 3]),
            "progress": st.sampled_from([None, None, 0.5]),
            "progress_message": st.sampled_from([None, None, "half"]),
            "wake_after_seconds": st.sampled_from([None, None, None, -1.0, 60.0]),
            "awaits": st.sampled_from([None, None, None, "answer", "ray:a"]),
            "usage": st.sampled_from([None, None]) | USAGES,
            "place": st.sampled_from([None] * 9 + [THERE]),
        }
    )
    change = st.builds(
        ExecutionUpdate,
        status=st.sampled_from([None] * 4 + [ExecutionStatus.RUNNING] * 4 + [*ExecutionStatus]),
        total_steps=st.sampled_from([None, 7]),
        completed_steps=st.sampled_from([None, None, 2]),
        failed_steps=st.sampled_from([None, None, 2]),
        output_data=texts,
        output_refs=texts,
        failure=failures,
        failed_step=st.sampled_from([None, FailedStep(step_id="step-0", failure=Failure(type="OSError", message="7"))]),
        finds_failed_step=st.sampled_from([False, False, False, True]),
        released=st.sampled_from([False] * 4 + [True]),
    )
    owning = st.sampled_from(
        [TakeOver(), TakeOver(reopen=True), RequestCancel(), Claim(), Recovery(status=ExecutionStatus.PENDING)]
    )
    begun = st.integers(0, BEGUN - 1)
    starts = st.lists(st.tuples(attempt, start), max_size=2, unique_by=lambda each: each[0])
    updates = st.lists(st.tuples(begun | attempt, update), max_size=2)
    lines = st.lists(some(begun | attempt), max_size=2)
    work = st.builds(
        Parts,
        execution=execution,
        writer=st.sampled_from([OWNER] * 9 + [STRANGER]),
        epoch=st.sampled_from([None, None, None, 1, 1, 2]),
        by_attempt=st.booleans(),
        starts=starts,
        updates=updates,
        lines=lines,
        change=st.sampled_from([None, None]) | change,
        asks=st.sampled_from([None] * 9) | attempt,
        expires=st.sampled_from([None] * 9) | attempt,
    )
    one = st.fixed_dictionaries({"status": st.just(StepStatus.COMPLETED), "output_data": texts})
    plain = [
        st.builds(Parts, execution=execution, starts=st.lists(st.tuples(attempt, start), min_size=1, max_size=1)),
        st.builds(Parts, execution=execution, updates=st.lists(st.tuples(begun, update), min_size=1, max_size=1)),
        st.builds(Parts, execution=execution, updates=st.lists(st.tuples(begun, one), min_size=1, max_size=1)),
        st.builds(Parts, execution=execution, starts=starts, updates=updates, lines=lines),
        st.builds(Parts, execution=execution, change=change),
    ]
    return st.one_of(
        *plain,
        *plain,
        work,
        st.builds(
            Parts,
            execution=execution,
            is_new=st.just(value=True),
            begins_as=st.sampled_from([ExecutionStatus.RUNNING] * 3 + [ExecutionStatus.PENDING]),
            named=st.booleans(),
            starts=starts,
            lines=st.lists(st.none(), max_size=1),
        ),
        st.builds(Parts, execution=execution, writer=st.sampled_from([OWNER, OWNER, STRANGER]), ownership=some(owning)),
        st.builds(Parts, execution=execution, writer=st.just(STRANGER), answers=attempt),
    )


def running(within: RunPath = GRAPH, iteration: int | None = None) -> dict[str, Any]:
    return {"within": within, "iteration": iteration, "status": StepStatus.RUNNING}


NO = Failure(type="ValueError", message="no")
COMPLETED, FAILED = {"status": StepStatus.COMPLETED}, {"status": StepStatus.FAILED}
END = ExecutionUpdate(status=ExecutionStatus.COMPLETED)
SELDOM: list[list[Parts]] = [  # what chance seldom finds; each part comes alone, after the one before
    [  # progress takes recoveries back
        Parts(ownership=Recovery(status=ExecutionStatus.PENDING, counted=True)),
        Parts(ownership=Claim()),
        Parts(starts=[(3, running())]),
        Parts(updates=[(3, COMPLETED)]),
    ],
    [Parts(asks=0), Parts(updates=[(0, COMPLETED), (1, COMPLETED), (2, COMPLETED)], change=END)],
    [Parts(updates=[(0, {"progress": 0.5}), (1, COMPLETED), (2, COMPLETED)], change=END)],
    [Parts(updates=[(1, COMPLETED), (2, COMPLETED)], change=END)],
    [Parts(updates=[(0, COMPLETED), (1, COMPLETED), (2, COMPLETED)], change=END, starts=[(3, running())])],
    [Parts(updates=[(0, COMPLETED)]), Parts(updates=[(1, FAILED), (1, COMPLETED)]), Parts(lines=[1])],
    *(
        [
            Parts(updates=[(0, FAILED), (1, {**FAILED, "failure": NO}), (2, COMPLETED)]),
            Parts(starts=[(3, running(iteration=1))]),  # what failed first is tried again
            Parts(updates=[(3, COMPLETED)]),
            Parts(change=ExecutionUpdate(status=ExecutionStatus.FAILED, finds_failed_step=is_found, failed_step=step)),
        ]
        for is_found, step in ((True, None), (False, None), (False, FailedStep(step_id="a", failure=NO)))
    ),
    [Parts(updates=[(1, {"progress": 0.5}), (1, {"progress": 0.75})])],
    [Parts(updates=[(0, FAILED)]), Parts(starts=[(4, running(iteration=1))]), Parts(updates=[(4, COMPLETED)])],
    [Parts(updates=[(0, FAILED)]), Parts(starts=[(4, running())]), Parts(updates=[(4, COMPLETED)])],
    [
        Parts(change=ExecutionUpdate(failure=Failure(type="ValueError", message="no"))),
        Parts(change=ExecutionUpdate(failure=Failure(type=None, message="never"), total_steps=7)),
        Parts(change=ExecutionUpdate(completed_steps=2)),
    ],
    *(
        [  # what runs elsewhere, and what it calls, outlives its process and not its attempt
            Parts(updates=[(0, {"awaits": "ray:a"})]),
            Parts(starts=[(3, {**running(WITHIN[-2], 1), "awaits": "ray:a"})]),
            Parts(ownership=Recovery(status=status)),
            Parts(ownership=Claim()),
            Parts(updates=[(0, ends)]),
        ]
        for status in (ExecutionStatus.PENDING, ExecutionStatus.FAILED)
        for ends in (COMPLETED, {"status": StepStatus.LOST})
    ),
    [
        Parts(updates=[(0, {"place": THERE}), (1, {"progress": 0.5})]),
        Parts(updates=[(0, {**COMPLETED, "place": THERE})]),
    ],
    [Parts(lines=[INNER, None]), Parts(updates=[(INNER, COMPLETED)], lines=[INNER]), Parts(updates=[(0, COMPLETED)])],
]


class Story:
    """The ids of some executions, the same for both ways."""

    def __init__(self, pipeline_id: PipelineId) -> None:
        self._pipeline_id = pipeline_id
        self.executions = [ExecutionId(new_id()) for _ in range(EXECUTIONS)]
        self._attempts = [[StepExecutionId(new_id()) for _ in range(ATTEMPTS)] for _ in range(EXECUTIONS)]
        self._questions = [[new_id() for _ in range(ATTEMPTS)] for _ in range(EXECUTIONS)]

    def beginning(self) -> list[Transition]:
        """Each execution, with some attempts, one of them within the run of the first."""
        starts = [(number, running(WITHIN[-2] if number == INNER else GRAPH)) for number in range(BEGUN)]
        return [self.transition_of(Parts(execution=number, is_new=True, starts=starts)) for number in range(EXECUTIONS)]

    def transition_of(self, parts: Parts) -> Transition:
        execution_id = self.executions[parts.execution]
        attempts, questions = self._attempts[parts.execution], self._questions[parts.execution]
        new = NewExecution(
            pipeline_id=self._pipeline_id,
            status=parts.begins_as,
            managed=parts.begins_as is ExecutionStatus.PENDING,
            alias=new_id() if parts.named else None,
            idempotency_key=new_id() if parts.named else None,
            total_steps=3,
            input_data=TEXTS[0],
        )
        alone = parts.ownership is not None or parts.answers is not None
        by_attempt = parts.by_attempt and parts.updates and not parts.starts
        return Transition(
            writer=parts.writer,
            execution_id=None if by_attempt else execution_id,
            lease=None if parts.epoch is None or by_attempt else Lease(execution_id, parts.epoch),
            new=new if parts.is_new else None,
            starts=tuple(
                StepStart(
                    step_execution_id=attempts[number],
                    step_id=f"step-{number % 2}",
                    step_name="Step",
                    step_type="task",
                    attempt=None if values["iteration"] is None else 1 + number // 2,
                    **values,
                )
                for number, values in parts.starts
            ),
            updates=tuple(StepUpdate(step_execution_id=attempts[number], **values) for number, values in parts.updates),
            logs=tuple(
                LogLine(
                    log_id=new_id(),
                    message="line",
                    age_seconds=0.25,
                    level=LogLevel.WARNING,
                    step_execution_id=None if number is None else attempts[number],
                    data=TEXTS[1],
                )
                for number in parts.lines
            ),
            change=parts.change,
            ownership=parts.ownership,
            asks=()
            if parts.asks is None or alone
            else (
                NewInteraction(
                    interaction_id=questions[parts.asks],
                    step_execution_id=attempts[parts.asks],
                    ui_schema=JsonText("{}"),
                ),
            ),
            expires=()
            if parts.expires is None or alone
            else (Expiry(interaction_id=questions[parts.expires], seen=1),),
            answer=None
            if parts.answers is None
            else Answer(interaction_id=questions[parts.answers], actor="cleo", response=JsonText("1")),
        )


class Counted(DatabaseManager):
    """Knows how many plans it wrote."""

    plans = 0

    async def write_plan(self, plan: Plan, **limits: Any) -> bool:
        written = await super().write_plan(plan, **limits)
        self.plans += written
        return written


@dataclass(frozen=True)
class TwoWays:
    """Two databases with the same pipeline and the same clock, and a tracker on each."""

    databases: tuple[Counted, Counted]
    trackers: tuple[ExecutionTracker, ExecutionTracker]
    pipeline_id: PipelineId
    clock: Clock

    async def set_clock(self, seconds: int) -> None:
        at = BEGAN + timedelta(seconds=seconds)
        await self.clock.set(at)
        if self.databases[0].dialect == "postgresql":
            await gather(*(set_clock_of(database, at) for database in self.databases))


@pytest.fixture
def urls(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    with ExitStack() as stack:
        if dialect == "sqlite":
            paths = [tmp_path / f"{name}.db" for name in ("plan", "script")]
            for path in paths:
                shutil.copy(request.getfixturevalue("sqlite_template"), path)
            yield [f"sqlite:///{path}" for path in paths]
        else:
            server, template = (request.getfixturevalue(f"postgresql_{name}") for name in ("server", "template"))
            copy = partial(postgresql_database, server, template=template)
            yield [stack.enter_context(copy(name=new_name())) for _ in range(2)]


@pytest.fixture
async def two_ways(urls: list[str], dialect: str) -> AsyncGenerator[TwoWays]:
    clock, pipeline_id = Clock(), PipelineId(new_id())
    add = "INSERT INTO pipelines (id, slug, name, created_at, updated_at) VALUES (:id, 'w', 'Work', ia_now(), ia_now())"
    async with AsyncExitStack() as stack:
        databases: list[Counted] = []
        trackers: list[ExecutionTracker] = []
        for url, known in zip(urls, (100, 0), strict=True):
            database = Counted(url, synchronous="NORMAL", now=clock if dialect == "sqlite" else None)
            databases.append(await stack.enter_async_context(database))
            await database.execute_async(add, {"id": pipeline_id})
            trackers.append(await stack.enter_async_context(ExecutionTracker(database, known_executions=known)))
        yield TwoWays((databases[0], databases[1]), (trackers[0], trackers[1]), pipeline_id, clock)


async def recorded(tracker: ExecutionTracker, batch: list[Transition]) -> list[Recorded | str]:
    """What became of transitions that came at once; of a refused one the name of its error."""
    outcomes = await gather(*map(tracker.record, batch), return_exceptions=True)
    return [outcome if isinstance(outcome, Recorded) else type(outcome).__name__ for outcome in outcomes]


async def rows(database: DatabaseManager, execution_ids: list[ExecutionId]) -> dict[str, list[dict[str, Any]]]:
    return {
        table: [
            row
            for execution_id in execution_ids
            for row in await database.fetch_all_async(sql, {"execution_id": execution_id})
        ]
        for table, sql in EVERYTHING.items()
    }


async def assert_equal(two_ways: TwoWays, history: list[list[Parts]]) -> None:
    story = Story(two_ways.pipeline_id)
    batches = [story.beginning(), *([story.transition_of(parts) for parts in batch] for batch in history)]
    for seconds, batch in enumerate(batches):
        await two_ways.set_clock(10 * seconds)
        planned, scripted = [await recorded(tracker, batch) for tracker in two_ways.trackers]
        assert planned == scripted, batch
    planned, scripted = [await rows(database, story.executions) for database in two_ways.databases]
    assert planned == scripted


@settings(max_examples=40 * TIMES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(parts(), min_size=1, max_size=5), min_size=4, max_size=8))
async def test_both_ways_give_the_same_answers_and_the_same_rows(two_ways: TwoWays, history: list[list[Parts]]) -> None:
    before = two_ways.databases[0].plans
    await assert_equal(two_ways, history)
    assert two_ways.databases[0].plans > before
    assert two_ways.databases[1].plans == 0


@pytest.mark.parametrize("parts", SELDOM)
async def test_both_ways_agree_on_what_chance_seldom_finds(two_ways: TwoWays, parts: list[Parts]) -> None:
    await assert_equal(two_ways, [[part] for part in parts])
    await assert_equal(two_ways, [parts])
