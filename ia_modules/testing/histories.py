"""Random histories of several concurrent writers, and the check that a journal's answers make sense.

What the writers were told is held against :mod:`ia_modules.testing.model`: the sequence numbers of what changed must
put it in an order in which the model gives the same answers and ends with the same rows; whatever was refused must have
been refusable at some moment between asking and answering.
"""

import asyncio
from copy import deepcopy
from dataclasses import dataclass

from hypothesis import strategies as st

from ia_modules.errors import TrackerError
from ia_modules.models import ExecutionId, ExecutionStatus, Lease, PipelineId, StepExecutionId, StepStatus, new_id
from ia_modules.payload import encode
from ia_modules.pipeline.journal import Journal
from ia_modules.testing.model import CHANGED, PlainExecution
from ia_modules.transitions import ExecutionUpdate, LogLine, NewExecution, StepStart, StepUpdate, Transition

_OWNER, _STRANGER = "ann", "bob"
_TASKS = 3
_SLOTS = 4  # attempts that a history may start; updates also name ones that were never started


@dataclass(frozen=True)
class Operation:
    """What a writer asks for: a transition built from these parts, or a claim when ``takes_over``.

    ``start`` and ``update`` are numbers of attempts in the history.
    """

    writer: str = _OWNER
    takes_over: bool = False
    creates: bool = False
    start: int | None = None
    update: int | None = None
    step_status: StepStatus | None = None
    status: ExecutionStatus | None = None
    logs: bool = False
    epoch: int | None = None


def operations() -> st.SearchStrategy[Operation]:
    slot = st.integers(0, _SLOTS - 1)
    ends = st.sampled_from([StepStatus.COMPLETED, StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED])
    statuses = st.sampled_from([ExecutionStatus.RUNNING, ExecutionStatus.WAITING_FOR_HUMAN, ExecutionStatus.COMPLETED])
    steps = [  # twice: most of a history should be work
        st.builds(Operation, start=slot),
        st.builds(Operation, update=slot, step_status=ends),
        st.builds(Operation, update=slot, step_status=ends, start=slot),
    ]
    return st.one_of(
        *steps,
        *steps,
        st.builds(Operation, logs=st.just(value=True), update=st.none() | slot),
        st.builds(Operation, creates=st.just(value=True), start=slot),
        st.builds(Operation, start=slot, epoch=st.integers(1, 3)),
        st.builds(Operation, writer=st.just(_STRANGER), update=slot, step_status=ends),
        st.builds(Operation, writer=st.sampled_from([_OWNER, _STRANGER]), takes_over=st.just(value=True)),
        st.builds(Operation, status=statuses),
    )


def histories() -> st.SearchStrategy[list[list[Operation]]]:
    """For each of several tasks what it asks for, one after the other."""
    return st.lists(st.lists(operations(), max_size=8), min_size=_TASKS, max_size=_TASKS)


@dataclass(frozen=True)
class Answer:
    """What a writer asked and was told; ``low``: the highest sequence that anybody had been told before it asked."""

    writer: str
    asked: Transition | None
    outcome: str
    sequence: int
    low: int


async def run_history(
    journals: list[Journal], pipeline_id: PipelineId, history: list[list[Operation]]
) -> tuple[ExecutionId, list[Answer]]:
    """Create one execution and let the tasks loose on it, each through one of the journals, all at the same time."""
    execution_id = ExecutionId(new_id())
    attempts = [StepExecutionId(new_id()) for _ in range(_SLOTS)]
    new = NewExecution(pipeline_id=pipeline_id, pipeline_name="History")
    creation = Transition(execution_id=execution_id, writer=_OWNER, new=new)
    answers: list[Answer] = []
    highest = 0

    async def ask(journal: Journal, writer: str, transition: Transition | None) -> None:
        nonlocal highest
        low, sequence = highest, 0
        try:
            if transition is None:
                await journal.take_over(execution_id, owner=writer)
                outcome = CHANGED
            else:
                recorded = await journal.record(transition)
                outcome, sequence = (CHANGED if recorded.changed else "unchanged"), recorded.sequence
        except TrackerError as refused:
            outcome = type(refused).__name__
        highest = max(highest, sequence)
        answers.append(Answer(writer, transition, outcome, sequence, low))

    async def write(number: int, wanted: list[Operation]) -> None:
        for operation in wanted:
            await asyncio.sleep(0)  # let the others in, also where the journal itself never waits
            await ask(journals[number % len(journals)], operation.writer, build(operation))

    def build(operation: Operation) -> Transition | None:
        if operation.takes_over:
            return None
        updates, starts = (), ()
        if operation.update is not None:
            output = encode({"by": operation.update, "as": operation.step_status}, "output")
            updates = (
                StepUpdate(
                    step_execution_id=attempts[operation.update], status=operation.step_status, output_data=output
                ),
            )
        if operation.start is not None:
            step = f"step-{operation.start % 2}"
            starts = (
                StepStart(step_execution_id=attempts[operation.start], step_id=step, step_name=step, step_type="task"),
            )
        return Transition(
            execution_id=execution_id,
            writer=operation.writer,
            lease=None if operation.epoch is None else Lease(execution_id, operation.epoch),
            new=new if operation.creates else None,
            updates=updates,
            starts=starts,
            change=ExecutionUpdate(status=operation.status) if operation.status else None,
            logs=(LogLine(log_id=new_id(), message="line"),) if operation.logs else (),
        )

    await ask(journals[0], _OWNER, creation)
    async with asyncio.TaskGroup() as writers:
        for number, wanted in enumerate(history):
            writers.create_task(write(number, wanted))
    return execution_id, answers


def explain(answers: list[Answer]) -> list[PlainExecution]:
    """The model's states after each sequence number, when the answers can be explained; an AssertionError otherwise."""
    in_order = {answer.sequence: answer for answer in answers if answer.outcome == CHANGED and answer.asked}
    assert len(in_order) == sum(answer.outcome == CHANGED and answer.asked is not None for answer in answers), (
        f"two changes were given the same sequence number: {answers}"
    )
    claims = [answer for answer in answers if answer.outcome == CHANGED and answer.asked is None]
    return _place_claims([PlainExecution()], in_order, claims, len(in_order) + len(claims), answers)


def _place_claims(
    states: list[PlainExecution],
    in_order: dict[int, Answer],
    claims: list[Answer],
    length: int,
    answers: list[Answer],
) -> list[PlainExecution]:
    """Give the numbers that no transition has to the claims, which are not told theirs, in a way that fits."""
    while len(states) <= length:
        number = len(states)
        state = deepcopy(states[-1])
        if number in in_order:
            asked = in_order[number].asked
            assert asked is not None
            outcome = state.record(asked)
            assert outcome == CHANGED, f"sequence {number} was acknowledged, but by the rules it is {outcome}: {asked}"
            states = [*states, state]
            continue
        failures: list[AssertionError] = []
        for index, claim in enumerate(claims):
            taken = deepcopy(state)
            if taken.take_over(claim.writer) != CHANGED:
                continue
            try:
                rest = claims[:index] + claims[index + 1 :]
                return _place_claims([*states, taken], in_order, rest, length, answers)
            except AssertionError as no_fit:
                failures.append(no_fit)
        raise AssertionError(f"nothing explains sequence {number}: {answers}") from (failures or [None])[0]
    for answer in answers:
        if answer.outcome != CHANGED:
            moments = states[max(answer.low, 0) :]
            assert any(_would_be(moment, answer) == answer.outcome for moment in moments), (
                f"nothing explains the answer {answer}"
            )
    return states


def _would_be(state: PlainExecution, answer: Answer) -> str:
    trial = deepcopy(state)
    return trial.take_over(answer.writer) if answer.asked is None else trial.record(answer.asked)
