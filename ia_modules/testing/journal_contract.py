"""What every journal promises, as tests: subclass :class:`JournalContract`, provide ``journals`` and ``set_clock``."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ia_modules.errors import (
    AlreadyFinished,
    ConstraintViolated,
    ExecutionNotFound,
    InvalidTransition,
    LeaseLost,
    PipelineConflict,
    PipelineNotFound,
    StepConflict,
    StepExecutionNotFound,
)
from ia_modules.failure_groups import group_of
from ia_modules.models import (
    EFFECTS,
    Changes,
    ExecutionId,
    ExecutionStatus,
    InteractionSummary,
    Lease,
    PipelineId,
    RunPath,
    StepExecutionId,
    StepStatus,
    StepSummary,
    new_id,
)
from ia_modules.paths import GRAPH
from ia_modules.payload import encode
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.contract_transitions import (
    OWNER,
    becomes,
    claimed_of,
    ending,
    question_of,
    starting,
)
from ia_modules.testing.histories import LEVELS, PhasedHistory, explain, histories, run_history
from ia_modules.testing.levels_contract import LevelsContract
from ia_modules.testing.people_contract import PeopleContract
from ia_modules.testing.queue_contract import QueueContract
from ia_modules.transitions import (
    ExecutionUpdate,
    Expiry,
    FailedStep,
    Failure,
    LogLine,
    NewExecution,
    NewInteraction,
    Recorded,
    Recovery,
    StepUpdate,
    Transition,
)

_MADE_TO_BE_INHERITED = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.differing_executors,
    HealthCheck.too_slow,
]
"""Each journal has a class of its own, and they run in one process; every example makes executions of its own. How long
a machine takes to draw them says nothing of a journal.
"""


class JournalContract(LevelsContract, QueueContract, PeopleContract):
    """The promises of a journal.

    The fixture ``journals`` gives one or more journals over the *same* records, as several processes would have them,
    and ``set_clock`` what sets the clock of these records.
    """

    @pytest.fixture
    def journals(self) -> list[OperatorJournal]:
        raise NotImplementedError("a subclass provides the journals that are held to the contract")

    @pytest.fixture
    def set_clock(self) -> Callable[[datetime], Awaitable[None]]:
        raise NotImplementedError("a subclass tells how the clock of its records is set")

    @pytest.fixture
    def journal(self, journals: list[OperatorJournal]) -> OperatorJournal:
        return journals[0]

    @pytest.fixture
    async def pipeline_id(self, journal: OperatorJournal) -> PipelineId:
        return (await journal.register_version(f"pipeline-{new_id()}", "A pipeline")).pipeline_id

    @pytest.fixture
    async def execution_id(self, journal: OperatorJournal, pipeline_id: PipelineId) -> ExecutionId:
        """A running execution that ``OWNER`` owns."""
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, input_data=encode({"n": 1}, "input"))
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        return execution_id

    # Executions

    async def test_an_execution_that_began_is_on_record(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.status, record.owner, record.epoch, record.sequence) == (ExecutionStatus.RUNNING, OWNER, 1, 1)
        assert (record.pipeline_name, record.input_data) == ("A pipeline", {"n": 1})
        assert record.started_at is not None
        assert record.completed_at is None

    async def test_what_does_not_exist_is_none(self, journal: OperatorJournal) -> None:
        assert await journal.get_execution(ExecutionId("nobody")) is None
        assert await journal.get_execution_steps(ExecutionId("nobody")) == []
        with pytest.raises(ExecutionNotFound, match="nobody"):
            await journal.changes(ExecutionId("nobody"))

    async def test_an_execution_of_an_unknown_pipeline_is_refused_by_name(self, journal: OperatorJournal) -> None:
        new = NewExecution(pipeline_id=PipelineId("no-such-pipeline"), pipeline_name="Nothing")
        execution_id = ExecutionId(new_id())
        with pytest.raises(PipelineNotFound, match="no-such-pipeline"):
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        assert await journal.get_execution(execution_id) is None

    async def test_beginning_again_changes_nothing(
        self, journal: OperatorJournal, execution_id: ExecutionId, pipeline_id: PipelineId
    ) -> None:
        new = NewExecution(pipeline_id=pipeline_id, pipeline_name="A pipeline")
        again = await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        status = ExecutionStatus.RUNNING
        assert again == Recorded(lease=Lease(execution_id, 1), sequence=1, status=status, changed=False)

    @pytest.mark.parametrize("first", [status for status in ExecutionStatus if status.is_terminal])
    async def test_the_first_terminal_status_stands(
        self, journal: OperatorJournal, execution_id: ExecutionId, first: ExecutionStatus
    ) -> None:
        assert (await journal.record(becomes(execution_id, first))).changed is True
        assert (await journal.record(becomes(execution_id, first))).changed is False
        other = next(status for status in ExecutionStatus if status.is_terminal and status is not first)
        with pytest.raises(AlreadyFinished, match=f"already {first}"):
            await journal.record(becomes(execution_id, other))
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert record.status is first
        assert record.completed_at is not None

    async def test_an_ended_execution_takes_nothing_new(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        await journal.record(becomes(execution_id, ExecutionStatus.COMPLETED))
        line = LogLine(log_id=new_id(), message="late")
        for late in (
            starting(execution_id, "late")[0],
            replace(becomes(execution_id, None), change=None, logs=(line,)),
        ):
            with pytest.raises(AlreadyFinished, match="completed"):
                await journal.record(late)
        assert await journal.get_execution_steps(execution_id) == []

    @pytest.mark.parametrize("status", [StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING])
    async def test_steps_that_are_open_when_an_execution_ends_are_cancelled(
        self, journal: OperatorJournal, execution_id: ExecutionId, status: StepStatus
    ) -> None:
        started, open_step = starting(execution_id, "open")
        await journal.record(replace(started, starts=(replace(started.starts[0], status=status),)))
        await journal.record(becomes(execution_id, ExecutionStatus.FAILED))
        (step,) = await journal.get_execution_steps(execution_id)
        assert (step.status, step.error_type, step.sequence) == (StepStatus.CANCELLED, "ExecutionEnded", 3)
        with pytest.raises(AlreadyFinished, match="already cancelled"):
            await journal.record(ending(execution_id, open_step, StepStatus.COMPLETED))

    async def test_a_running_execution_cannot_become_what_makes_no_sense(
        self, journal: OperatorJournal, execution_id: ExecutionId, pipeline_id: PipelineId
    ) -> None:
        pending = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, pipeline_name="A pipeline", status=ExecutionStatus.PENDING)
        await journal.record(Transition(execution_id=pending, writer=OWNER, new=new))
        await journal.take_over(pending, owner=OWNER)
        with pytest.raises(InvalidTransition, match="is pending and cannot become completed"):
            await journal.record(becomes(pending, ExecutionStatus.COMPLETED))
        delayed = ExecutionId(new_id())
        in_an_hour = await journal.now() + timedelta(hours=1)
        new = replace(new, status=ExecutionStatus.WAITING, run_at=in_an_hour)
        await journal.record(Transition(execution_id=delayed, writer=OWNER, new=new))
        await journal.take_over(delayed, owner=OWNER)
        for status in (ExecutionStatus.COMPLETED, ExecutionStatus.WAITING_FOR_HUMAN):
            with pytest.raises(InvalidTransition, match=f"is waiting and cannot become {status}"):
                await journal.record(becomes(delayed, status))
        assert execution_id != pending

    async def test_what_was_asked_for_is_on_record_and_a_key_stands_for_one_execution(
        self, journal: OperatorJournal, execution_id: ExecutionId, pipeline_id: PipelineId
    ) -> None:
        new = NewExecution(
            pipeline_id=pipeline_id,
            status=ExecutionStatus.WAITING,
            managed=True,
            priority=-3,
            run_at=datetime(2030, 1, 2, 3, 4, 5, 6, UTC),
            rerun_of=execution_id,
            idempotency_key="monday",
        )
        queued = ExecutionId(new_id())
        await journal.record(Transition(execution_id=queued, writer=OWNER, new=new))
        record = await journal.get_execution(queued)
        assert record is not None
        assert (record.priority, record.rerun_of, record.managed) == (-3, execution_id, True)
        assert (record.owner, record.epoch, record.status) == (None, 0, ExecutionStatus.WAITING)
        assert record.run_at == new.run_at
        with pytest.raises(ConstraintViolated):
            await journal.record(Transition(execution_id=ExecutionId(new_id()), writer=OWNER, new=new))

    async def test_an_alias_names_its_execution_wherever_an_id_is_taken(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        execution_id, alias = await self._with_alias(journal, pipeline_id, "order 17/ü?%")
        started, attempt = starting(execution_id, "ask")
        await journal.record(replace(started, asks=(question_of(attempt),)))
        record = await journal.get_execution(alias)
        assert record is not None
        assert (record.execution_id, record.alias) == (execution_id, alias)
        assert record == await journal.get_execution(execution_id)
        assert [step.step_id for step in await journal.get_execution_steps(alias)] == ["ask"]
        assert len(await journal.get_interactions(alias)) == 1
        assert (await journal.changes(alias)).execution.execution_id == execution_id
        assert await journal.take_over(alias, owner="heir") == Lease(execution_id, 2)
        assert await journal.request_cancel(alias) is ExecutionStatus.RUNNING

    async def test_an_alias_stands_for_one_execution(self, journals: list[OperatorJournal]) -> None:
        registered = await journals[0].register_version(f"pipeline-{new_id()}", "A pipeline")
        new = NewExecution(pipeline_id=registered.pipeline_id, alias="order-17")
        ids = [ExecutionId(new_id()) for _ in range(6)]
        outcomes = await asyncio.gather(
            *(
                journals[number % len(journals)].record(Transition(execution_id=id_, writer=OWNER, new=new))
                for number, id_ in enumerate(ids)
            ),
            return_exceptions=True,
        )
        begun = [outcome.execution_id for outcome in outcomes if isinstance(outcome, Recorded)]
        assert [type(each) for each in outcomes if not isinstance(each, Recorded)] == [ConstraintViolated] * 5
        record = await journals[-1].get_execution("order-17")
        assert record is not None
        assert begun == [record.execution_id]

    async def test_the_id_of_a_row_is_looked_for_before_an_alias(
        self, journal: OperatorJournal, execution_id: ExecutionId, pipeline_id: PipelineId
    ) -> None:
        await self._with_alias(journal, pipeline_id, execution_id)
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.execution_id, record.alias) == (execution_id, None)

    async def test_waiting_ends_when_an_execution_comes_to_rest(
        self, journals: list[OperatorJournal], pipeline_id: PipelineId
    ) -> None:
        execution_id, alias = await self._with_alias(journals[0], pipeline_id, "awaited")
        waiting = asyncio.create_task(journals[-1].wait(alias))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        await journals[0].record(becomes(execution_id, ExecutionStatus.COMPLETED))
        record = await waiting
        assert (record.execution_id, record.status) == (execution_id, ExecutionStatus.COMPLETED)
        assert await journals[0].wait(execution_id) == record
        with pytest.raises(ExecutionNotFound, match="nobody"):
            await journals[0].wait("nobody")

    async def test_what_somebody_took_meanwhile_is_not_taken(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        assert await journal.take_over(execution_id, owner="heir", epoch=1) == Lease(execution_id, 2)
        with pytest.raises(LeaseLost, match="'heir'"):
            await journal.take_over(execution_id, owner="late", epoch=1)

    async def test_an_execution_whose_process_lives_as_far_as_anybody_knows_is_not_lost(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert await journal.end_if_lost(record) is False
        assert await journal.get_execution(execution_id) == record

    async def test_what_is_released_is_nobodys_until_it_is_claimed(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        release = ExecutionUpdate(status=ExecutionStatus.PENDING, released=True)
        await journal.record(replace(becomes(execution_id, None), change=release))
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.status, record.owner, record.epoch) == (ExecutionStatus.PENDING, None, 1)
        with pytest.raises(LeaseLost, match="belongs to nobody"):
            await journal.record(starting(execution_id, "late")[0])
        assert await journal.take_over(execution_id, owner="heir") == Lease(execution_id, 2)

    # Steps

    async def test_a_step_is_on_record_with_all_that_was_said_of_it(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, step_id = starting(execution_id, "load", input_data=encode({"file": "ü.csv"}, "input"))
        await journal.record(started)
        ended = ending(execution_id, step_id, StepStatus.COMPLETED, output_data=encode({"b": 1, "a": [2.5]}, "output"))
        await journal.record(ended)
        (step,) = await journal.get_execution_steps(execution_id)
        assert (step.step_id, step.iteration, step.attempt, step.status) == ("load", 1, 1, StepStatus.COMPLETED)
        assert (step.input_data, step.input_bytes) == ({"file": "ü.csv"}, 17)
        assert isinstance(step.output_data, dict)
        assert list(step.output_data.items()) == [("b", 1), ("a", [2.5])]  # as written, keys in their order
        assert step.started_at is not None
        assert step.completed_at is not None
        assert step.created_at <= step.started_at <= step.completed_at

    async def test_a_course_is_read_without_payloads_and_results_by_the_attempts_that_gave_them(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, load = starting(execution_id, "load", input_data=encode({"file": "a.csv"}, "input"))
        await journal.record(started)
        await journal.record(
            ending(execution_id, load, StepStatus.COMPLETED, output_data=encode({"rows": [1]}, "rows"))
        )
        started, ask = starting(execution_id, "ask")
        await journal.record(started)
        carried = replace(question_of(ask), carries=True)
        await journal.record(replace(ending(execution_id, ask, StepStatus.WAITING), asks=(carried,)))
        (question,) = await journal.get_interactions(execution_id)
        steps = await journal.get_execution_steps(execution_id)
        asked_at = {ask: question.created_at}
        attempts = await journal.get_attempts(execution_id)
        assert attempts == [
            step.as_attempt(asked_at.get(step.step_execution_id), carries=step.step_execution_id == ask)
            for step in steps
        ]
        assert await journal.get_attempts("nobody") == []
        results = await journal.results([ask, load, StepExecutionId(new_id())])
        assert results == {load: {"rows": [1]}, ask: None}
        assert await journal.results([]) == {}
        cast("dict[str, Any]", results[load])["rows"].append("spoilt")
        assert await journal.results([load]) == {load: {"rows": [1]}}

    async def test_questions_that_are_waited_for_are_read_apart(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        questions: list[NewInteraction] = []
        for step_id in ("first", "second"):
            started, attempt = starting(execution_id, step_id)
            await journal.record(started)
            questions.append(question_of(attempt))
            await journal.record(replace(ending(execution_id, attempt, StepStatus.WAITING), asks=(questions[-1],)))
        first, second = (each.interaction_id for each in questions)
        await journal.answer_interaction(first, {"yes": True}, actor="ann")
        awaited = await journal.get_interactions(execution_id, awaited=True)
        assert [(each.interaction_id, each.status) for each in awaited] == [(first, "answered"), (second, "pending")]
        await journal.record(ending(execution_id, questions[0].step_execution_id, StepStatus.COMPLETED))
        assert [each.interaction_id for each in await journal.get_interactions(execution_id, awaited=True)] == [second]
        assert [each.interaction_id for each in await journal.get_interactions(execution_id)] == [first, second]

    async def test_what_is_read_is_a_copy(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, step_id = starting(execution_id, "load")
        await journal.record(started)
        await journal.record(
            ending(execution_id, step_id, StepStatus.COMPLETED, output_data=encode({"rows": [1]}, "output"))
        )
        first = (await journal.get_execution_steps(execution_id))[0]
        assert isinstance(first.output_data, dict)
        first.output_data["rows"].append("spoilt")
        assert (await journal.get_execution_steps(execution_id))[0].output_data == {"rows": [1]}

    async def test_after_a_failure_comes_the_next_attempt_and_after_a_success_the_next_iteration(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        for status in (StepStatus.FAILED, StepStatus.LOST, StepStatus.COMPLETED, StepStatus.COMPLETED):
            started, step_id = starting(execution_id, "flaky")
            await journal.record(started)
            await journal.record(ending(execution_id, step_id, status))
        steps = await journal.get_execution_steps(execution_id)
        assert [(step.iteration, step.attempt) for step in steps] == [(1, 1), (1, 2), (1, 3), (2, 1)]
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.completed_steps, record.failed_steps) == (2, 0)

    async def test_one_transition_ends_an_attempt_and_begins_the_next(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, first = starting(execution_id, "flaky")
        await journal.record(started)
        retry, _ = starting(execution_id, "flaky")
        both = replace(retry, updates=ending(execution_id, first, StepStatus.FAILED).updates)
        recorded = await journal.record(both)
        steps = await journal.get_execution_steps(execution_id)
        assert [(step.attempt, step.status) for step in steps] == [(1, StepStatus.FAILED), (2, StepStatus.RUNNING)]
        assert {step.sequence for step in steps} == {recorded.sequence}
        assert (await journal.record(both)).changed is False
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert record.failed_steps == 0  # counted by the latest attempt, which runs

    async def test_an_attempt_ends_once(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, step_id = starting(execution_id, "once")
        await journal.record(started)
        failure = Failure(type="ValueError", message="no", traceback="Traceback …")
        failed = ending(execution_id, step_id, StepStatus.FAILED, failure=failure)
        assert (await journal.record(failed)).changed is True
        assert (await journal.record(failed)).changed is False
        with pytest.raises(AlreadyFinished, match="already failed"):
            await journal.record(ending(execution_id, step_id, StepStatus.COMPLETED))
        (step,) = await journal.get_execution_steps(execution_id)
        assert (step.error_type, step.error_message, step.traceback) == ("ValueError", "no", "Traceback …")
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.completed_steps, record.failed_steps) == (0, 1)

    async def test_what_a_step_does_outside_stands_at_its_attempts(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        begun, _ = starting(execution_id, "load")
        for effect in (None, *EFFECTS):
            start = replace(begun.starts[0], step_execution_id=StepExecutionId(new_id()), effect=effect)
            await journal.record(replace(begun, starts=(start,)))
        steps = await journal.get_execution_steps(execution_id)
        assert [step.effect for step in steps] == [None, *EFFECTS]
        assert [step.effect for step in (await journal.changes(execution_id)).steps] == [None, *EFFECTS]

    async def test_a_failed_execution_says_what_its_failure_has_in_common_with_others(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        async def fail(change: ExecutionUpdate) -> str | None:
            failed = replace(change, status=ExecutionStatus.FAILED)
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, change=failed))
            record = await journal.get_execution(execution_id)
            await journal.take_over(execution_id, owner=OWNER, reopen=True)
            reopened = (await journal.changes(execution_id)).execution
            assert record is not None
            assert reopened.failure_group is None
            return record.failure_group

        whole, own = Failure(type="StepError", message="row 1"), Failure(type="ValueError", message="row 2")
        assert await fail(ExecutionUpdate()) == group_of("", None, "").id
        assert await fail(ExecutionUpdate(failure=whole)) == group_of("", "StepError", "row 3").id
        named = ExecutionUpdate(failure=whole, failed_step=FailedStep(step_id="load", failure=own))
        assert await fail(named) == group_of("load", "ValueError", "row 3").id
        found = ExecutionUpdate(failure=whole, finds_failed_step=True)
        assert await fail(found) == group_of("", "StepError", "row 3").id
        for step_id, failure in (("first", None), ("second", own)):
            begun, attempt = starting(execution_id, step_id)
            await journal.record(begun)
            await journal.record(ending(execution_id, attempt, StepStatus.FAILED, failure=failure))
        assert await fail(found) == group_of("first", "StepError", "row 3").id
        begun, attempt = starting(execution_id, "first")  # its next attempt
        await journal.record(begun)
        await journal.record(ending(execution_id, attempt, StepStatus.COMPLETED))
        assert await fail(found) == group_of("second", "ValueError", "row 3").id

    async def test_what_is_failed_for_its_lost_process_has_a_group(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        groups: set[str | None] = set()
        for _ in range(2):
            lease = await claimed_of(journal, pipeline_id)
            begun, _ = starting(lease.execution_id, "load")
            await journal.record(replace(begun, writer=journal.owner))
            (stalled,) = [each for each in await journal.ownership.owned() if each.lease == lease]
            message = f"Again and again. Go on: ia-modules executions resume {lease.execution_id}"
            recovery = Recovery(status=ExecutionStatus.FAILED, failure=Failure(type="CrashLoop", message=message))
            assert await journal.ownership.recover(stalled, recovery)
            groups.add((await journal.changes(lease.execution_id)).execution.failure_group)
        assert groups == {
            group_of("", "CrashLoop", f"Again and again. Go on: ia-modules executions resume {new_id()}").id
        }

    async def test_a_transition_is_found_by_the_attempt_it_updates(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, step_id = starting(execution_id, "load")
        await journal.record(started)
        ended = replace(ending(execution_id, step_id, StepStatus.COMPLETED), execution_id=None)
        assert (await journal.record(ended)).execution_id == execution_id
        lost = replace(ending(execution_id, StepExecutionId("nowhere"), StepStatus.COMPLETED), execution_id=None)
        with pytest.raises(StepExecutionNotFound, match="nowhere"):
            await journal.record(lost)

    async def test_an_attempt_of_another_execution_is_not_found_in_this_one(
        self, journal: OperatorJournal, execution_id: ExecutionId, pipeline_id: PipelineId
    ) -> None:
        other = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, pipeline_name="A pipeline")
        started, step_id = starting(other, "load")
        await journal.record(replace(started, new=new))
        with pytest.raises(StepExecutionNotFound):
            await journal.record(ending(execution_id, step_id, StepStatus.COMPLETED))
        start = replace(started.starts[0], step_id="another", step_name="another")
        with pytest.raises(StepConflict, match="recorded as load"):
            await journal.record(replace(started, starts=(start,)))

    async def test_a_refused_transition_leaves_nothing_behind(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, _ = starting(execution_id, "load")
        unknown = ending(execution_id, StepExecutionId(new_id()), StepStatus.COMPLETED)
        line = LogLine(log_id=new_id(), message="never")
        with pytest.raises(StepExecutionNotFound):
            await journal.record(replace(started, updates=unknown.updates, logs=(line,)))
        changes = await journal.changes(execution_id)
        assert (changes.steps, changes.logs, changes.upto) == ((), (), 1)

    async def test_progress_after_the_end_is_dropped(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, step_id = starting(execution_id, "slow")
        await journal.record(started)
        half = replace(
            ending(execution_id, step_id, None), updates=(StepUpdate(step_execution_id=step_id, progress=0.5),)
        )
        assert (await journal.record(half)).changed is True
        await journal.record(ending(execution_id, step_id, StepStatus.COMPLETED))
        assert (await journal.record(half)).changed is False
        assert (await journal.get_execution_steps(execution_id))[0].progress == 0.5

    # Ownership

    async def test_who_does_not_own_an_execution_writes_nothing(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        with pytest.raises(LeaseLost, match="'owner'"):
            await journal.record(replace(becomes(execution_id, ExecutionStatus.FAILED), writer="stranger"))
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.status, record.sequence) == (ExecutionStatus.RUNNING, 1)

    async def test_taking_over_fences_the_former_owner_and_older_claims(
        self, journals: list[OperatorJournal], execution_id: ExecutionId
    ) -> None:
        former, latter = journals[0], journals[-1]
        assert await latter.take_over(execution_id, owner="heir") == Lease(execution_id, 2)
        with pytest.raises(LeaseLost, match="'heir'"):
            await former.record(starting(execution_id, "late")[0])
        assert await latter.take_over(execution_id, owner="heir") == Lease(execution_id, 3)
        with pytest.raises(LeaseLost):
            await latter.take_over(execution_id, owner="late", epoch=2)
        with pytest.raises(LeaseLost, match="epoch 3"):
            await latter.record(replace(starting(execution_id, "late")[0], writer="heir", lease=Lease(execution_id, 2)))
        recorded = await latter.record(
            replace(starting(execution_id, "next")[0], writer="heir", lease=Lease(execution_id, 3))
        )
        assert recorded.changed

    async def test_nobody_takes_over_what_is_over(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        await journal.record(becomes(execution_id, ExecutionStatus.COMPLETED))
        with pytest.raises(AlreadyFinished, match="completed"):
            await journal.take_over(execution_id, owner="heir")
        with pytest.raises(ExecutionNotFound):
            await journal.take_over(ExecutionId("nobody"), owner="heir")

    # Pipelines

    async def test_the_same_definition_is_the_same_version_and_another_must_be_asked_for(
        self, journal: OperatorJournal
    ) -> None:
        slug = f"versions-{new_id()}"
        first = await journal.register_version(slug, "Versions", {"a": 1, "b": 2})
        assert first.version == 1
        assert await journal.register_version(slug, "Versions", {"b": 2, "a": 1}) == first
        with pytest.raises(PipelineConflict, match="Store this one as its next version"):
            await journal.register_version(slug, "Versions", {"a": 2})
        second = await journal.register_version(slug, "Versions", {"a": 2}, new_version=True)
        assert (second.pipeline_id, second.version) == (first.pipeline_id, 2)
        assert await journal.register_version(slug, "Versions", {"a": 1, "b": 2}) == first

    async def test_a_version_that_is_only_to_be_run_leaves_the_current_one(self, journal: OperatorJournal) -> None:
        slug = f"versions-{new_id()}"
        register = partial(journal.register_version, slug, "Versions")
        assert (await register(None)).current_version is None
        first = await register({"a": 1}, make_current=False)
        assert (first.version, first.current_version) == (1, 1)
        second = await register({"a": 2}, new_version=True, make_current=False)
        assert (second.version, second.current_version) == (2, 1)
        assert (await register({"a": 2})).current_version == 2
        older = await register({"a": 1}, make_current=False)
        assert (older.version, older.current_version) == (1, 2)
        assert (await register(None)).current_version == 2
        with pytest.raises(PipelineConflict, match="version 2"):
            await register({"a": 3}, make_current=False)

    # Changes

    async def test_changes_have_questions_when_they_are_asked_and_when_they_close(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        ids: list[str] = []
        for step_id in ("answered", "expired", "cancelled"):
            started, attempt = starting(execution_id, step_id)
            await journal.record(started)
            question = question_of(attempt)
            ids.append(question.interaction_id)
            await journal.record(replace(ending(execution_id, attempt, StepStatus.WAITING), asks=(question,)))
        changes = await journal.changes(execution_id)
        assert [(each.interaction_id, each.status, each.sequence) for each in changes.interactions] == [
            (ids[0], "pending", 3),
            (ids[1], "pending", 5),
            (ids[2], "pending", 7),
        ]
        for close in (
            journal.answer_interaction(ids[0], {"yes": True}, actor="ann"),
            journal.record(
                Transition(execution_id=execution_id, writer=OWNER, expires=(Expiry(interaction_id=ids[1]),))
            ),
            journal.record(becomes(execution_id, ExecutionStatus.FAILED)),
        ):
            cursor = changes.upto
            await close
            changes = await journal.changes(execution_id, cursor)
            (closed,) = changes.interactions
            assert (closed.interaction_id, closed.sequence, changes.upto) == (ids.pop(0), cursor + 1, cursor + 1)
            (question,) = [
                each
                for each in await journal.get_interactions(execution_id)
                if each.interaction_id == closed.interaction_id
            ]
            assert closed == question.narrow(InteractionSummary)
            assert closed.completed_at is not None

    async def test_changes_are_what_is_newer_than_the_cursor(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, step_id = starting(execution_id, "load")
        await journal.record(started)
        line = LogLine(log_id=new_id(), message="half way", step_execution_id=step_id)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=(line,)))
        await journal.record(ending(execution_id, step_id, StepStatus.COMPLETED))
        everything = await journal.changes(execution_id)
        assert [(step.sequence, step.status) for step in everything.steps] == [(4, StepStatus.COMPLETED)]
        assert [(found.sequence, found.message) for found in everything.logs] == [(3, "half way")]
        assert (everything.upto, everything.more) == (4, False)
        newest = await journal.changes(execution_id, everything.upto)
        assert (newest.steps, newest.logs, newest.upto) == ((), (), 4)

    async def test_a_log_line_that_comes_twice_is_kept_once(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        line = LogLine(log_id=new_id(), message="once")
        for _ in range(2):
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=(line,)))
        assert [found.message for found in (await journal.changes(execution_id)).logs] == ["once"]

    @settings(max_examples=20, deadline=None, suppress_health_check=_MADE_TO_BE_INHERITED)
    @given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6), limit=st.integers(1, 4))
    async def test_pages_of_changes_never_split_a_sequence_number(
        self, journal: OperatorJournal, pipeline_id: PipelineId, sizes: list[int], limit: int
    ) -> None:
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, pipeline_name="A pipeline")
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        for size in sizes:
            starts = tuple(starting(execution_id, f"step-{number}")[0].starts[0] for number in range(size))
            asks = tuple(question_of(start.step_execution_id) for start in starts[: size // 3])
            logs = tuple(LogLine(log_id=new_id(), message="line") for _ in range(size // 2))
            await journal.record(
                Transition(execution_id=execution_id, writer=OWNER, starts=starts, asks=asks, logs=logs)
            )
        pages = await _all_pages(journal, execution_id, limit)
        seen = [step.sequence for page in pages for step in page.steps]
        assert seen == sorted(number for number, size in enumerate(sizes, start=2) for _ in range(size))
        assert len([line for page in pages for line in page.logs]) == sum(size // 2 for size in sizes)
        assert len([each for page in pages for each in page.interactions]) == sum(size // 3 for size in sizes)
        for page in pages:
            assert all(page.after < row.sequence <= page.upto for row in page.rows)

    # Everything at once

    @settings(max_examples=60, deadline=None, suppress_health_check=_MADE_TO_BE_INHERITED)
    @given(history=histories(), limit=st.integers(1, 5))
    async def test_concurrent_writers_are_told_what_one_after_the_other_would_be(
        self,
        journals: list[OperatorJournal],
        set_clock: Callable[[datetime], Awaitable[None]],
        pipeline_id: PipelineId,
        history: PhasedHistory,
        limit: int,
    ) -> None:
        execution_id, answers = await run_history(journals, pipeline_id, history, set_clock)
        expected = explain(answers)[-1]
        for journal in journals:
            record = await journal.get_execution(execution_id)
            assert record is not None
            assert {name: getattr(record, name) for name in expected.row} == expected.row
            steps = [step for level in LEVELS for step in await journal.get_execution_steps(execution_id, within=level)]
            assert {
                step.step_execution_id: {
                    "within": step.within,
                    "step_id": step.step_id,
                    "iteration": step.iteration,
                    "attempt": step.attempt,
                    "status": step.status.value,
                    "wake_at": step.wake_at,
                    "output_data": encode(step.output_data, "output") if step.output_data else None,
                    "sequence": step.sequence,
                }
                for step in steps
            } == expected.steps
            pages = [page for level in LEVELS for page in await _all_pages(journal, execution_id, limit, within=level)]
            shown: dict[StepExecutionId, StepSummary] = {}
            for page in pages:
                shown |= {step.step_execution_id: step for step in page.steps}
            assert list(shown.values()) == sorted(
                (step.narrow(StepSummary) for step in steps),
                key=lambda step: (LEVELS.index(step.within), step.sequence, step.step_execution_id),
            )
            assert sorted(line.log_id for page in pages for line in page.logs) == sorted(expected.logs)


async def _all_pages(
    journal: OperatorJournal, execution_id: ExecutionId, limit: int, *, within: RunPath = GRAPH
) -> list[Changes]:
    pages = [await journal.changes(execution_id, within=within, limit=limit)]
    while pages[-1].more:
        pages.append(await journal.changes(execution_id, pages[-1].upto, within=within, limit=limit))
    return pages
