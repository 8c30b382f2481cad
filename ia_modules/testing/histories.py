"""Random histories of several concurrent writers, and the check that a journal's answers make sense.

The answers are held against :mod:`ia_modules.testing.model`: the sequence numbers of the changes put them in an order,
in which the model must give the same answers and end with the same rows. For a refused transition there must be a
moment, while it was being written, at which the model refuses it too.

A history goes through phases. In each the clock stands, so that every time is known; then it jumps, forwards or back,
and everybody looks for what is due and claims what is in the queue.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import strategies as st

from ia_modules.errors import TrackerError
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    Lease,
    LogLevel,
    PipelineId,
    RunPath,
    StepExecutionId,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.payload import encode
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.model import BEGAN, CHANGED, UNCHANGED, PlainExecution
from ia_modules.transitions import (
    ELSEWHERE,
    Claim,
    ExecutionUpdate,
    LogLine,
    NewExecution,
    OwnershipChange,
    Recovery,
    RequestCancel,
    Requeue,
    StepStart,
    StepUpdate,
    TakeOver,
    Transition,
    WakeUp,
)
from ia_modules.usage import Spent, Usage

_BY_MODEL = encode([], "usage")
_OWNER, _STRANGER = "ann", "bob"
_TASKS = 3
_SLOTS = 6  # attempts that a history may start; updates also name ones that were never started
_MANY = 1_000  # the histories before have left executions in the queue
_CLUSTER = "a cluster"
_WORK = run_path(GRAPH, "step-0", 1)
LEVELS = (GRAPH, _WORK, run_path(_WORK, "step-1", 1), run_path(GRAPH, "step-0", 2))
"""What the steps of a history are within: the graph, and runs of its own steps."""


@dataclass(frozen=True)
class Operation:
    """What a writer asks for: a transition built from these parts.

    ``start`` and ``update`` are numbers of attempts in the history. ``numbered``: the attempt says itself which one it
    is. ``wake_after_seconds``: how long the attempt that it starts or updates waits. ``logs``: a line of this level, at
    the attempt that it updates. ``drops_output``: where that completes. ``used``: all that it has used so far.
    ``elsewhere``: what it starts and updates runs on the cluster.
    """

    writer: str = _OWNER
    ownership: OwnershipChange | None = None
    creates: bool = False
    start: int | None = None
    begins_as: StepStatus = StepStatus.RUNNING
    within: RunPath = GRAPH
    numbered: bool = False
    wake_after_seconds: float | None = None
    update: int | None = None
    step_status: StepStatus | None = None
    status: ExecutionStatus | None = None
    logs: LogLevel | None = None
    drops_output: bool = False
    used: Spent | None = None
    elsewhere: bool = False
    epoch: int | None = None


@dataclass(frozen=True)
class Phase:
    """While the clock stands: for each of several tasks what it asks for, one after the other.

    Attributes:
        rests: what the owner lets the execution rest as, after the tasks; None: it does not.
        wake_after_seconds: how long the attempt waits that begins with the rest; None: as long as nobody wakes it.
        jump_seconds: how far the clock is set on, or back, after that.
    """

    tasks: list[list[Operation]]
    rests: ExecutionStatus | None = None
    wake_after_seconds: float | None = None
    jump_seconds: float = 0


@dataclass(frozen=True)
class PhasedHistory:
    """``delay_seconds``: the execution waits for so long before anybody runs it; None: it runs from the beginning."""

    phases: list[Phase]
    delay_seconds: float | None = None


def operations() -> st.SearchStrategy[Operation]:
    slot = st.integers(0, _SLOTS - 1)
    begins_as = st.sampled_from([StepStatus.RUNNING, StepStatus.RUNNING, StepStatus.PENDING, StepStatus.WAITING])
    levels = st.sampled_from(LEVELS)
    waits = st.sampled_from([None, 0, 5, 20])
    ends = st.sampled_from(
        [
            StepStatus.COMPLETED,
            StepStatus.COMPLETED,
            StepStatus.FAILED,
            StepStatus.SKIPPED,
            StepStatus.LOST,
            StepStatus.WAITING,
        ]
    )
    statuses = st.sampled_from([status for status in ExecutionStatus if status is not ExecutionStatus.PENDING])
    takings = st.sampled_from([TakeOver(), TakeOver(reopen=True), Claim(), Requeue()])
    ends_of_recovery = st.sampled_from([ExecutionStatus.PENDING, ExecutionStatus.PENDING, ExecutionStatus.FAILED])
    recoveries = st.builds(Recovery, status=ends_of_recovery, counted=st.booleans())
    steps = [  # twice: most of a history should be work
        st.builds(
            Operation,
            start=slot,
            begins_as=begins_as,
            within=levels,
            numbered=st.booleans(),
            wake_after_seconds=waits,
        ),
        st.builds(Operation, update=slot, step_status=ends, wake_after_seconds=waits, drops_output=st.booleans()),
        st.builds(Operation, update=slot, step_status=ends, start=slot, within=levels),
        st.builds(Operation, update=slot, step_status=st.none() | ends, used=sums()),
        st.builds(Operation, start=slot, within=levels, wake_after_seconds=waits, elsewhere=st.just(value=True)),
        st.builds(Operation, update=slot, step_status=st.none() | ends, elsewhere=st.just(value=True)),
    ]
    return st.one_of(
        *steps,
        *steps,
        st.builds(Operation, logs=st.sampled_from([LogLevel.INFO, LogLevel.OUTPUT]), update=st.none() | slot),
        st.builds(Operation, logs=st.just(LogLevel.OUTPUT), update=slot, step_status=ends, drops_output=st.booleans()),
        st.builds(Operation, creates=st.just(value=True), start=slot),
        st.builds(Operation, start=slot, epoch=st.integers(1, 3)),
        st.builds(Operation, writer=st.just(_STRANGER), update=slot, step_status=ends),
        st.builds(Operation, writer=st.sampled_from([_OWNER, _STRANGER]), ownership=takings),
        st.builds(Operation, ownership=recoveries, epoch=st.none() | st.integers(1, 3)),
        st.builds(Operation, writer=st.just(_STRANGER), ownership=st.just(RequestCancel()) | st.just(WakeUp())),
        st.builds(Operation, status=statuses),
    )


def sums() -> st.SearchStrategy[Spent]:
    """Of an attempt so far; one may be older than another, and then says nothing."""
    few = st.integers(0, 3)
    return st.builds(
        Spent, input_tokens=few, output_tokens=few, cost_micros=st.none() | st.integers(0, 5), unpriced_calls=few
    )


def histories() -> st.SearchStrategy[PhasedHistory]:
    """Histories of some phases, the last of which is the longest: most executions live until then."""
    resting = (None, ExecutionStatus.WAITING, ExecutionStatus.WAITING_FOR_HUMAN)

    def phases(max_size: int) -> st.SearchStrategy[Phase]:
        tasks = st.lists(st.lists(operations(), max_size=max_size), min_size=_TASKS, max_size=_TASKS)
        waits, jumps = st.sampled_from([None, 0, 5, 20]), st.sampled_from([0, 4, 5, 20, 3600, -5, -3600])
        return st.builds(Phase, tasks, st.sampled_from(resting), waits, jumps)

    joined = st.tuples(st.lists(phases(max_size=1), max_size=3), phases(max_size=8)).map(
        lambda parts: [*parts[0], parts[1]]
    )
    return st.builds(PhasedHistory, joined, st.none() | st.none() | st.sampled_from([0, 5, 3600]))


@dataclass(frozen=True)
class Written:
    """What became of a transition.

    Attributes:
        low: the highest sequence that anybody had been told before it was written.
        now: the time at which it was written.
        is_look: nobody asked for it by name: it is what came of looking for what is due, or of claiming, while nobody
            else wrote.
    """

    transition: Transition
    outcome: str
    sequence: int
    low: int
    now: datetime
    is_look: bool = False


class _Stage:
    """One execution, and what everybody has been told of it."""

    def __init__(
        self, journals: Sequence[OperatorJournal], pipeline_id: PipelineId, delay_seconds: float | None
    ) -> None:
        self._journals = journals
        self._attempts = [StepExecutionId(new_id()) for _ in range(_SLOTS)]
        self._new = NewExecution(
            pipeline_id=pipeline_id,
            pipeline_name="History",
            managed=True,
            status=ExecutionStatus.RUNNING if delay_seconds is None else ExecutionStatus.WAITING,
            run_at=None if delay_seconds is None else BEGAN + timedelta(seconds=delay_seconds),
        )
        self._highest = 0
        self.execution_id = ExecutionId(new_id())
        self.answers: list[Written] = []
        self.now = BEGAN

    async def create(self) -> None:
        await self._record(Transition(execution_id=self.execution_id, writer=_OWNER, new=self._new))

    async def work(self, phase: Phase) -> None:
        """Let the tasks loose on it, each through one of the journals, all at the same time; then let it rest."""

        async def write(number: int, wanted: list[Operation]) -> None:
            for operation in wanted:
                await asyncio.sleep(0)  # let the others in, also where the journal itself never waits
                await self._record(self._build(operation), number)

        async with asyncio.TaskGroup() as writers:
            for number, wanted in enumerate(phase.tasks):
                writers.create_task(write(number, wanted))
        if phase.rests is not None:
            start = StepStart(
                step_execution_id=StepExecutionId(new_id()),
                step_id="rest",
                step_name="rest",
                step_type="task",
                status=StepStatus.PENDING,
                wake_after_seconds=phase.wake_after_seconds,
            )
            rest = ExecutionUpdate(status=phase.rests, released=True)
            await self._record(Transition(execution_id=self.execution_id, writer=_OWNER, starts=(start,), change=rest))

    async def look(self) -> None:
        """Everybody looks for what is due, and claims; the owner takes over what was claimed, to have work again."""
        await asyncio.gather(*(_wake(journal) for journal in self._journals))
        await self._note(WakeUp(), refused=UNCHANGED)
        await asyncio.gather(*(journal.ownership.claim(_MANY, cluster=_CLUSTER) for journal in self._journals))
        if await self._note(Claim(), refused="InvalidTransition") == CHANGED:
            await self._record(Transition(execution_id=self.execution_id, writer=_OWNER, ownership=TakeOver()))

    async def _note(self, change: WakeUp | Claim, *, refused: str) -> str:
        """What has become of it since the last answer: the change, or nothing."""
        found = await self._journals[0].get_execution(self.execution_id)
        assert found is not None
        outcome = CHANGED if found.sequence > self._highest else refused
        transition = Transition(execution_id=self.execution_id, writer=found.owner or _OWNER, ownership=change)
        self.answers.append(Written(transition, outcome, found.sequence, self._highest, self.now, is_look=True))
        self._highest = found.sequence
        return outcome

    async def _record(self, transition: Transition, number: int = 0) -> None:
        low, sequence = self._highest, 0
        try:
            recorded = await self._journals[number % len(self._journals)].record(transition)
            outcome, sequence = (CHANGED if recorded.changed else UNCHANGED), recorded.sequence
        except TrackerError as refused:
            outcome = type(refused).__name__
        self._highest = max(self._highest, sequence)
        self.answers.append(Written(transition, outcome, sequence, low, self.now))

    def _build(self, operation: Operation) -> Transition:
        updates, starts = (), ()
        awaits = f"{ELSEWHERE}{_CLUSTER}" if operation.elsewhere else None
        at = None if operation.update is None else self._attempts[operation.update]
        if operation.update is not None:
            output = encode({"by": operation.update, "as": operation.step_status}, "output")
            updates = (
                StepUpdate(
                    step_execution_id=self._attempts[operation.update],
                    status=operation.step_status,
                    output_data=output,
                    wake_after_seconds=operation.wake_after_seconds,
                    drops_output=operation.drops_output,
                    awaits=awaits,
                    usage=None if operation.used is None else Usage(spent=operation.used, by_model=_BY_MODEL),
                ),
            )
        if operation.start is not None:
            kind = "numbered" if operation.numbered else "step"  # no number is given twice
            step = f"{kind}-{operation.start % 2}"
            starts = (
                StepStart(
                    step_execution_id=self._attempts[operation.start],
                    step_id=step,
                    step_name=step,
                    step_type="task",
                    within=operation.within,
                    iteration=operation.start + 1 if operation.numbered else None,
                    status=operation.begins_as,
                    wake_after_seconds=operation.wake_after_seconds,
                    awaits=awaits,
                ),
            )
        return Transition(
            execution_id=self.execution_id,
            writer=operation.writer,
            lease=None if operation.epoch is None else Lease(self.execution_id, operation.epoch),
            ownership=operation.ownership,
            new=self._new if operation.creates else None,
            updates=updates,
            starts=starts,
            change=ExecutionUpdate(status=operation.status) if operation.status else None,
            logs=() if operation.logs is None else (_line(operation.logs, at),),
        )


def _line(level: LogLevel, attempt: StepExecutionId | None) -> LogLine:
    return LogLine(log_id=new_id(), message="line", level=level, step_execution_id=attempt)


async def run_history(
    journals: Sequence[OperatorJournal],
    pipeline_id: PipelineId,
    history: PhasedHistory,
    set_clock: Callable[[datetime], Awaitable[None]],
) -> tuple[ExecutionId, list[Written]]:
    """Create one execution and run a history of it, whose clock is the one of the journals' records."""
    stage = _Stage(journals, pipeline_id, history.delay_seconds)
    await set_clock(stage.now)
    await stage.create()
    for phase in history.phases:
        await stage.work(phase)
        stage.now += timedelta(seconds=phase.jump_seconds)
        await set_clock(stage.now)
        await stage.look()
    return stage.execution_id, stage.answers


async def _wake(journal: OperatorJournal) -> None:
    while await journal.ownership.wake_due() == 0:
        pass  # more may be due


def explain(answers: list[Written]) -> list[PlainExecution]:
    """The model's states after each sequence number, when the answers can be explained; an AssertionError otherwise."""
    changes = {answer.sequence: answer for answer in answers if answer.outcome == CHANGED}
    assert len(changes) == sum(answer.outcome == CHANGED for answer in answers), (
        f"two changes were given the same sequence number: {answers}"
    )
    states = [PlainExecution()]
    for sequence in range(1, len(changes) + 1):
        assert sequence in changes, f"nothing explains sequence {sequence}: {answers}"
        state = deepcopy(states[-1])
        change = changes[sequence]
        outcome = state.record(change.transition, change.now)
        assert outcome == CHANGED, (
            f"sequence {sequence} was acknowledged, but by the rules it is {outcome}: {change.transition}"
        )
        states.append(state)
    for answer in answers:
        if answer.is_look and isinstance(answer.transition.ownership, WakeUp):
            assert (answer.outcome == CHANGED) == states[answer.low].is_due(answer.now), (
                f"{answer.outcome} at {answer.now}, of {states[answer.low].row}"
            )
        elif answer.outcome != CHANGED:
            moments = states[answer.low :][: 1 if answer.is_look else None]
            assert any(
                deepcopy(moment).record(answer.transition, answer.now) == answer.outcome for moment in moments
            ), f"nothing explains the answer {answer}"
    return states
