"""What every journal promises about questions to people, as tests: a part of ``JournalContract``."""

import asyncio
from dataclasses import replace

import pytest

from ia_modules.errors import (
    AlreadyAnswered,
    AnsweredInTime,
    InteractionNotFound,
)
from ia_modules.models import (
    ClaimedExecution,
    ExecutionId,
    ExecutionStatus,
    Lease,
    PipelineId,
    StepExecutionId,
    StepStatus,
    new_id,
)
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.contract_transitions import (
    OWNER,
    asks,
    claimed_of,
    ending,
    question_of,
    starting,
)
from ia_modules.transitions import (
    ANSWER,
    ExecutionUpdate,
    StepStart,
    Transition,
)


class PeopleContract:
    """The promises about questions, and about what waits; the fixtures are those of the contract."""

    async def test_a_question_is_answered_once_and_the_execution_can_go_on(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "ask")
        await journal.record(started)
        new_question = question_of(attempt)
        change = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN)
        await journal.record(
            replace(asks(execution_id, attempt, timeout_seconds=60), asks=(new_question,), change=change)
        )
        (question,) = await journal.get_interactions(execution_id)
        assert (question.status, question.prompt, question.ui_schema) == ("pending", "Ship it?", {"type": "object"})
        assert question.deadline_at is not None
        assert question.deadline_at > question.created_at
        assert await journal.answer_interaction(new_question.interaction_id, {"yes": True}, actor="ann") == execution_id
        (question,) = await journal.get_interactions(execution_id)
        assert (question.status, question.actor, question.response) == ("answered", "ann", {"yes": True})
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert record.status is ExecutionStatus.PENDING
        with pytest.raises(AlreadyAnswered, match="answered by ann"):
            await journal.answer_interaction(new_question.interaction_id, {"yes": False}, actor="bob")
        with pytest.raises(InteractionNotFound, match="nothing"):
            await journal.answer_interaction("nothing", {}, actor="bob")

    async def test_what_was_answered_while_other_steps_ran_does_not_wait(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "ask")
        await journal.record(started)
        new_question = question_of(attempt)
        await journal.record(replace(asks(execution_id, attempt, timeout_seconds=None), asks=(new_question,)))
        await journal.answer_interaction(new_question.interaction_id, {"yes": True}, actor="ann")
        rest = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN, released=True)
        rested = await journal.record(Transition(execution_id=execution_id, writer=OWNER, change=rest))
        assert rested.status is ExecutionStatus.PENDING
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.status, record.sequence) == (ExecutionStatus.PENDING, 5)

    async def test_a_question_that_was_answered_does_not_expire(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "ask")
        await journal.record(started)
        new_question = question_of(attempt)
        waiting = replace(ending(execution_id, attempt, StepStatus.WAITING), asks=(new_question,))
        await journal.record(replace(waiting, change=ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN)))
        await journal.answer_interaction(new_question.interaction_id, {"yes": True}, actor="ann")
        late = replace(ending(execution_id, attempt, StepStatus.COMPLETED), expires=(new_question.interaction_id,))
        with pytest.raises(AnsweredInTime, match=new_question.interaction_id):
            await journal.record(late)
        (step,) = await journal.get_execution_steps(execution_id)
        assert step.status is StepStatus.WAITING
        (question,) = await journal.get_interactions(execution_id)
        assert (question.status, question.actor) == ("answered", "ann")

    async def test_the_deadline_of_a_question_is_the_time_that_its_attempt_waits_for(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        for timeout_seconds in (60, None):
            started, attempt = starting(execution_id, f"ask-{timeout_seconds}")
            await journal.record(started)
            await journal.record(asks(execution_id, attempt, timeout_seconds=timeout_seconds))
        questions, steps = await journal.get_interactions(execution_id), await journal.get_execution_steps(execution_id)
        assert [question.deadline_at for question in questions] == [step.wake_at for step in steps]
        assert [step.awaits for step in steps] == [ANSWER, ANSWER]
        deadline_at = questions[0].deadline_at
        assert deadline_at is not None
        assert deadline_at > await journal.now()
        await journal.answer_interaction(questions[0].interaction_id, {"yes": True}, actor="ann")
        changes = await journal.changes(execution_id)
        assert [question.deadline_at for question in changes.interactions] == [None, deadline_at]

    async def test_what_comes_to_rest_goes_on_at_the_earliest_time_that_its_attempts_wait_for(
        self, journals: list[OperatorJournal], pipeline_id: PipelineId
    ) -> None:
        worker = journals[0]
        lease, attempts = await claimed_of(worker, pipeline_id), [StepExecutionId(new_id()) for _ in range(3)]
        starts = tuple(
            StepStart(
                step_execution_id=attempt,
                step_id=f"step-{number}",
                step_name="Step",
                step_type="task",
                status=StepStatus.PENDING,
                wake_after_seconds=seconds,
            )
            for number, (attempt, seconds) in enumerate(zip(attempts, (0.3, 3600, None), strict=True))
        )
        await worker.record(Transition(lease=lease, writer=worker.owner, starts=starts))
        rest = ExecutionUpdate(status=ExecutionStatus.WAITING, released=True)
        rested = await worker.record(Transition(lease=lease, writer=worker.owner, change=rest))
        assert rested.status is ExecutionStatus.WAITING
        record = await journals[-1].get_execution(lease.execution_id)
        steps = await journals[-1].get_execution_steps(lease.execution_id)
        assert record is not None
        assert (record.owner, record.run_at) == (None, steps[0].wake_at)
        claimed: list[ClaimedExecution] = []
        while not claimed:
            await journals[-1].ownership.wake_due()
            claimed = await worker.ownership.claim(1)
            await asyncio.sleep(0.01)
        assert steps[0].wake_at is not None
        assert await worker.now() >= steps[0].wake_at
        assert claimed[0].lease == Lease(lease.execution_id, lease.epoch + 1)

    async def test_what_rests_after_its_time_has_come_is_queued_at_once(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        lease, attempt = await claimed_of(journal, pipeline_id), StepExecutionId(new_id())
        start = StepStart(
            step_execution_id=attempt,
            step_id="a",
            step_name="A",
            step_type="task",
            status=StepStatus.PENDING,
            wake_after_seconds=0.0,
        )
        rest = ExecutionUpdate(status=ExecutionStatus.WAITING, released=True)
        rested = await journal.record(Transition(lease=lease, writer=journal.owner, starts=(start,), change=rest))
        record = await journal.get_execution(lease.execution_id)
        assert record is not None
        assert (rested.status, record.status, record.run_at, record.owner) == (
            ExecutionStatus.PENDING,
            ExecutionStatus.PENDING,
            None,
            None,
        )
        assert [each.execution_id for each in await journal.ownership.claim(5)] == [lease.execution_id]
