"""What every journal promises about questions to people, as tests: a part of ``JournalContract``."""

import asyncio

import pytest
from msgspec.structs import replace

from ia_modules.errors import (
    AlreadyAnswered,
    AnsweredInTime,
    InteractionNotFound,
    TooFewUsers,
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
    Expiry,
    StepStart,
    StepUpdate,
    Transition,
)


async def ask_people(
    journal: OperatorJournal,
    execution_id: ExecutionId,
    *,
    users: tuple[str, ...] | None = None,
    answers: int | None = 1,
    decided_by: str | None = None,
    rests: bool = True,
) -> str:
    """A question to people; its id. ``rests``: the execution waits for it."""
    started, attempt = starting(execution_id, "ask")
    await journal.record(started)
    question = question_of(attempt, users=users, answers=answers, decided_by=decided_by)
    rest = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN) if rests else None
    await journal.record(replace(asks(execution_id, attempt, timeout_seconds=60), asks=(question,), change=rest))
    return question.interaction_id


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

    async def test_a_question_to_several_is_answered_when_as_many_people_have(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        question_id = await ask_people(journal, execution_id, answers=2)
        await journal.answer_interaction(question_id, {"yes": 1}, actor="ann")
        await journal.answer_interaction(question_id, {"yes": 2}, actor="ann")
        question = await journal.get_interaction(question_id)
        assert question is not None
        assert (question.status, question.actor, question.answered_by, question.response) == ("pending", None, 1, None)
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert record.status is ExecutionStatus.WAITING_FOR_HUMAN
        await journal.answer_interaction(question_id, {"yes": 3}, actor="bob", verified=True)
        question = await journal.get_interaction(question_id)
        assert question is not None
        assert (question.status, question.actor, question.verified, question.answered_by) == (
            "answered",
            "bob",
            True,
            2,
        )
        assert [(each.actor, each.verified, each.revision, each.response) for each in question.responses] == [
            ("ann", False, 1, {"yes": 1}),
            ("ann", False, 2, {"yes": 2}),
            ("bob", True, 1, {"yes": 3}),
        ]
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert record.status is ExecutionStatus.PENDING
        assert await journal.get_interaction(new_id()) is None

    async def test_the_same_answer_again_is_the_same_one_also_when_the_question_is_closed(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        question_id = await ask_people(journal, execution_id, answers=2)
        for actor in ("ann", "ann", "bob", "bob", "ann"):
            assert await journal.answer_interaction(question_id, {"yes": True, "why": "x"}, actor=actor) == execution_id
        await journal.answer_interaction(question_id, {"why": "x", "yes": True}, actor="ann")
        question = await journal.get_interaction(question_id)
        assert question is not None
        assert [(each.actor, each.revision) for each in question.responses] == [("ann", 1), ("bob", 1)]
        for actor in ("ann", "cleo"):
            with pytest.raises(AlreadyAnswered, match="answered by bob") as late:
                await journal.answer_interaction(question_id, {"yes": 1, "why": "x"}, actor=actor)
            assert late.value.closed_at == question.completed_at

    async def test_a_field_decides_when_so_many_agree_on_it_or_none_can_any_more(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        users = ("ann", "bob", "cleo")
        agreed = await ask_people(journal, execution_id, users=users, answers=2, decided_by="yes", rests=False)
        for actor, answer in (("ann", True), ("bob", False), ("cleo", True)):
            question = await journal.get_interaction(agreed)
            assert question is not None
            assert question.status == "pending"
            await journal.answer_interaction(agreed, {"yes": answer, "by": actor}, actor=actor)
        refused = await ask_people(journal, execution_id, users=users, answers=None, decided_by="yes", rests=False)
        await journal.answer_interaction(refused, {"yes": True}, actor="ann")
        await journal.answer_interaction(refused, {"yes": False}, actor="bob")
        questions = await journal.get_interactions(execution_id)
        assert [(each.status, each.actor, each.answered_by) for each in questions] == [
            ("answered", "cleo", 3),
            ("answered", "bob", 2),
        ]

    async def test_a_question_can_be_assigned_to_others_which_may_decide_it(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        question_id = await ask_people(journal, execution_id, users=("ann", "bob"), answers=None)
        await journal.answer_interaction(question_id, {"yes": True}, actor="ann")
        assert await journal.assign_interaction(question_id, ["ann", "cleo"], actor="op") == execution_id
        changes = await journal.changes(execution_id)
        (question,) = changes.interactions
        assert (question.status, question.assigned_users) == ("pending", ["ann", "cleo"])
        assert question.sequence == changes.execution.sequence
        await journal.assign_interaction(question_id, ["ann", "cleo"], actor="op")
        assert (await journal.changes(execution_id)).execution.sequence == question.sequence
        with pytest.raises(TooFewUsers, match="at least one name"):
            await journal.assign_interaction(question_id, [], actor="op")
        await journal.assign_interaction(question_id, ["ann"], actor="op")
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert record.status is ExecutionStatus.PENDING
        with pytest.raises(AlreadyAnswered, match="answered by ann"):
            await journal.assign_interaction(question_id, ["bob"], actor="op")
        with pytest.raises(InteractionNotFound):
            await journal.assign_interaction(new_id(), ["bob"], actor="op")

    async def test_a_question_does_not_expire_with_more_answers_than_were_seen(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        question_id = await ask_people(journal, execution_id, answers=2)
        await journal.answer_interaction(question_id, {"yes": True}, actor="ann")
        expires = Transition(execution_id=execution_id, writer=OWNER, expires=(Expiry(interaction_id=question_id),))
        with pytest.raises(AnsweredInTime):
            await journal.record(expires)
        await journal.record(replace(expires, expires=(Expiry(interaction_id=question_id, seen=1),)))
        question = await journal.get_interaction(question_id)
        assert question is not None
        assert (question.status, question.actor, question.answered_by) == ("expired", None, 1)
        await journal.answer_interaction(question_id, {"yes": True}, actor="ann")
        with pytest.raises(AlreadyAnswered, match="already expired, since"):
            await journal.answer_interaction(question_id, {"yes": True}, actor="bob")

    async def test_a_cancelled_execution_closes_its_questions(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        lease, attempt = await claimed_of(journal, pipeline_id), StepExecutionId(new_id())
        start = StepStart(step_execution_id=attempt, step_id="ask", step_name="Ask", step_type="human_input")
        await journal.record(Transition(lease=lease, writer=journal.owner, starts=(start,)))
        rest = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN, released=True)
        waits = replace(asks(lease.execution_id, attempt, timeout_seconds=None), writer=journal.owner, change=rest)
        await journal.record(waits)
        (question,) = await journal.get_interactions(lease.execution_id)
        assert await journal.request_cancel(lease.execution_id) is ExecutionStatus.CANCELLED
        with pytest.raises(AlreadyAnswered, match="already cancelled"):
            await journal.answer_interaction(question.interaction_id, {}, actor="ann")
        (question,) = await journal.get_interactions(lease.execution_id)
        assert (question.status, question.responses) == ("cancelled", ())

    async def test_of_people_who_answer_at_once_one_is_first_and_the_others_are_told(
        self, journals: list[OperatorJournal], execution_id: ExecutionId
    ) -> None:
        question_id = await ask_people(journals[0], execution_id)
        people = [f"person-{number}" for number in range(4)]
        answers = await asyncio.gather(
            *(
                journals[number % len(journals)].answer_interaction(question_id, {"by": actor}, actor=actor)
                for number, actor in enumerate(people)
            ),
            return_exceptions=True,
        )
        question = await journals[0].get_interaction(question_id)
        assert question is not None
        refused = [answer for answer in answers if isinstance(answer, AlreadyAnswered)]
        assert (len(refused), {each.actor for each in refused}) == (3, {question.actor})
        assert [each.response for each in question.responses] == [{"by": question.actor}]

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
        late = replace(
            ending(execution_id, attempt, StepStatus.COMPLETED),
            expires=(Expiry(interaction_id=new_question.interaction_id),),
        )
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

    async def test_a_question_that_comes_after_a_delay_has_its_own_time_and_none_of_the_delay(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        for timeout_seconds in (None, 60):
            lease, attempt = await claimed_of(journal, pipeline_id), StepExecutionId(new_id())
            start = StepStart(
                step_execution_id=attempt,
                step_id="ask",
                step_name="Ask",
                step_type="human_input",
                status=StepStatus.PENDING,
                wake_after_seconds=0.0,
            )
            begins = StepUpdate(step_execution_id=attempt, status=StepStatus.RUNNING, worker=journal.owner)
            question = asks(lease.execution_id, attempt, timeout_seconds=timeout_seconds)
            rest = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN, released=True)
            for transition in (
                Transition(lease=lease, writer=journal.owner, starts=(start,)),
                Transition(lease=lease, writer=journal.owner, updates=(begins,)),
                replace(question, writer=journal.owner, change=rest),
            ):
                await journal.record(transition)
            record = await journal.get_execution(lease.execution_id)
            [stored] = await journal.get_interactions(lease.execution_id)
            assert record is not None
            assert (record.status, record.run_at) == (ExecutionStatus.WAITING_FOR_HUMAN, stored.deadline_at)
            assert (stored.deadline_at is None) is (timeout_seconds is None)
            assert stored.deadline_at is None or stored.deadline_at > await journal.now()

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
