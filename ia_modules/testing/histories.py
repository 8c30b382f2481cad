"""Random histories of several concurrent writers, and the check that a journal's answers make sense.

The answers are held against :mod:`ia_modules.testing.model`: the sequence numbers of the changes put them in an order,
in which the model must give the same answers and end with the same rows. For a refused transition there must be a
moment, while it was being written, at which the model refuses it too.
"""

import asyncio
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from hypothesis import strategies as st

from ia_modules.errors import TrackerError
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    Lease,
    PipelineId,
    RunPath,
    StepExecutionId,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.payload import encode
from ia_modules.pipeline.journal import Journal
from ia_modules.testing.model import CHANGED, UNCHANGED, PlainExecution
from ia_modules.transitions import (
    Claim,
    ExecutionUpdate,
    LogLine,
    NewExecution,
    OwnershipChange,
    Recovery,
    RequestCancel,
    StepStart,
    StepUpdate,
    TakeOver,
    Transition,
    WakeUp,
)

_OWNER, _STRANGER = "ann", "bob"
_TASKS = 3
_SLOTS = 6  # attempts that a history may start; updates also name ones that were never started
_WORK = run_path(GRAPH, "step-0", 1)
LEVELS = (GRAPH, _WORK, run_path(_WORK, "step-1", 1), run_path(GRAPH, "step-0", 2))
"""What the steps of a history are within: the graph, and runs of its own steps."""


@dataclass(frozen=True)
class Operation:
    """What a writer asks for: a transition built from these parts.

    ``start`` and ``update`` are numbers of attempts in the history. ``numbered``: the attempt says itself which one it
    is.
    """

    writer: str = _OWNER
    ownership: OwnershipChange | None = None
    creates: bool = False
    start: int | None = None
    begins_as: StepStatus = StepStatus.RUNNING
    within: RunPath = GRAPH
    numbered: bool = False
    update: int | None = None
    step_status: StepStatus | None = None
    status: ExecutionStatus | None = None
    logs: bool = False
    epoch: int | None = None


def operations() -> st.SearchStrategy[Operation]:
    slot = st.integers(0, _SLOTS - 1)
    begins_as = st.sampled_from([StepStatus.RUNNING, StepStatus.RUNNING, StepStatus.PENDING, StepStatus.WAITING])
    levels = st.sampled_from(LEVELS)
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
    takings = st.sampled_from([TakeOver(), TakeOver(reopen=True), Claim()])
    ends_of_recovery = st.sampled_from([ExecutionStatus.PENDING, ExecutionStatus.PENDING, ExecutionStatus.FAILED])
    recoveries = st.builds(Recovery, status=ends_of_recovery, counted=st.booleans())
    steps = [  # twice: most of a history should be work
        st.builds(Operation, start=slot, begins_as=begins_as, within=levels, numbered=st.booleans()),
        st.builds(Operation, update=slot, step_status=ends),
        st.builds(Operation, update=slot, step_status=ends, start=slot, within=levels),
    ]
    return st.one_of(
        *steps,
        *steps,
        st.builds(Operation, logs=st.just(value=True), update=st.none() | slot),
        st.builds(Operation, creates=st.just(value=True), start=slot),
        st.builds(Operation, start=slot, epoch=st.integers(1, 3)),
        st.builds(Operation, writer=st.just(_STRANGER), update=slot, step_status=ends),
        st.builds(Operation, writer=st.sampled_from([_OWNER, _STRANGER]), ownership=takings),
        st.builds(Operation, ownership=recoveries, epoch=st.none() | st.integers(1, 3)),
        st.builds(Operation, writer=st.just(_STRANGER), ownership=st.just(RequestCancel()) | st.just(WakeUp())),
        st.builds(Operation, status=statuses),
    )


def histories() -> st.SearchStrategy[list[list[Operation]]]:
    """For each of several tasks what it asks for, one after the other."""
    return st.lists(st.lists(operations(), max_size=8), min_size=_TASKS, max_size=_TASKS)


@dataclass(frozen=True)
class Written:
    """What became of a transition; ``low``: the highest sequence that anybody had been told before it was written."""

    transition: Transition
    outcome: str
    sequence: int
    low: int


async def run_history(
    journals: Sequence[Journal], pipeline_id: PipelineId, history: list[list[Operation]]
) -> tuple[ExecutionId, list[Written]]:
    """Create one execution and let the tasks loose on it, each through one of the journals, all at the same time."""
    execution_id = ExecutionId(new_id())
    attempts = [StepExecutionId(new_id()) for _ in range(_SLOTS)]
    new = NewExecution(pipeline_id=pipeline_id, pipeline_name="History")
    creation = Transition(execution_id=execution_id, writer=_OWNER, new=new)
    answers: list[Written] = []
    highest = 0

    async def record(journal: Journal, transition: Transition) -> None:
        nonlocal highest
        low, sequence = highest, 0
        try:
            recorded = await journal.record(transition)
            outcome, sequence = (CHANGED if recorded.changed else UNCHANGED), recorded.sequence
        except TrackerError as refused:
            outcome = type(refused).__name__
        highest = max(highest, sequence)
        answers.append(Written(transition, outcome, sequence, low))

    async def write(number: int, wanted: list[Operation]) -> None:
        for operation in wanted:
            await asyncio.sleep(0)  # let the others in, also where the journal itself never waits
            await record(journals[number % len(journals)], build(operation))

    def build(operation: Operation) -> Transition:
        updates, starts = (), ()
        at = None if operation.update is None else attempts[operation.update]
        if operation.update is not None:
            output = encode({"by": operation.update, "as": operation.step_status}, "output")
            updates = (
                StepUpdate(
                    step_execution_id=attempts[operation.update], status=operation.step_status, output_data=output
                ),
            )
        if operation.start is not None:
            kind = "numbered" if operation.numbered else "step"  # no number is given twice
            step = f"{kind}-{operation.start % 2}"
            starts = (
                StepStart(
                    step_execution_id=attempts[operation.start],
                    step_id=step,
                    step_name=step,
                    step_type="task",
                    within=operation.within,
                    iteration=operation.start + 1 if operation.numbered else None,
                    status=operation.begins_as,
                ),
            )
        return Transition(
            execution_id=execution_id,
            writer=operation.writer,
            lease=None if operation.epoch is None else Lease(execution_id, operation.epoch),
            ownership=operation.ownership,
            new=new if operation.creates else None,
            updates=updates,
            starts=starts,
            change=ExecutionUpdate(status=operation.status) if operation.status else None,
            logs=(LogLine(log_id=new_id(), message="line", step_execution_id=at),) if operation.logs else (),
        )

    await record(journals[0], creation)
    async with asyncio.TaskGroup() as writers:
        for number, wanted in enumerate(history):
            writers.create_task(write(number, wanted))
    return execution_id, answers


def explain(answers: list[Written]) -> list[PlainExecution]:
    """The model's states after each sequence number, when the answers can be explained; an AssertionError otherwise."""
    changes = {answer.sequence: answer.transition for answer in answers if answer.outcome == CHANGED}
    assert len(changes) == sum(answer.outcome == CHANGED for answer in answers), (
        f"two changes were given the same sequence number: {answers}"
    )
    states = [PlainExecution()]
    for sequence in range(1, len(changes) + 1):
        assert sequence in changes, f"nothing explains sequence {sequence}: {answers}"
        state = deepcopy(states[-1])
        outcome = state.record(changes[sequence])
        assert outcome == CHANGED, (
            f"sequence {sequence} was acknowledged, but by the rules it is {outcome}: {changes[sequence]}"
        )
        states.append(state)
    for answer in answers:
        if answer.outcome != CHANGED:
            moments = states[answer.low :]
            assert any(deepcopy(moment).record(answer.transition) == answer.outcome for moment in moments), (
                f"nothing explains the answer {answer}"
            )
    return states
