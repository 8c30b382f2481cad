"""What every journal promises, as tests: subclass :class:`JournalContract`, provide ``journals`` and ``set_clock``."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules.errors import (
    AlreadyAnswered,
    AlreadyFinished,
    AnsweredInTime,
    ConstraintViolated,
    ExecutionNotFound,
    InteractionNotFound,
    InvalidTransition,
    LeaseLost,
    PipelineConflict,
    PipelineNotFound,
    StepConflict,
    StepExecutionNotFound,
)
from ia_modules.models import (
    Changes,
    ClaimedExecution,
    ExecutionId,
    ExecutionStatus,
    InteractionSummary,
    JsonText,
    Lease,
    PipelineId,
    RunPath,
    StalledExecution,
    StepExecutionId,
    StepStatus,
    StepSummary,
    new_id,
)
from ia_modules.paths import GRAPH
from ia_modules.payload import encode
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.histories import LEVELS, PhasedHistory, explain, histories, run_history
from ia_modules.testing.levels_contract import LevelsContract
from ia_modules.transitions import (
    ANSWER,
    Claim,
    ExecutionUpdate,
    Failure,
    LogLine,
    NewExecution,
    NewInteraction,
    Recorded,
    Recovery,
    StepStart,
    StepUpdate,
    Transition,
    WakeUp,
)

OWNER = "owner"


_MADE_TO_BE_INHERITED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
"""Each journal has a class of its own, and they run in one process; every example makes executions of its own."""


class JournalContract(LevelsContract):
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
        assert (await journal.record(_become(execution_id, first))).changed is True
        assert (await journal.record(_become(execution_id, first))).changed is False
        other = next(status for status in ExecutionStatus if status.is_terminal and status is not first)
        with pytest.raises(AlreadyFinished, match=f"already {first}"):
            await journal.record(_become(execution_id, other))
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert record.status is first
        assert record.completed_at is not None

    async def test_an_ended_execution_takes_nothing_new(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        await journal.record(_become(execution_id, ExecutionStatus.COMPLETED))
        line = LogLine(log_id=new_id(), message="late")
        for late in (_start(execution_id, "late")[0], replace(_become(execution_id, None), change=None, logs=(line,))):
            with pytest.raises(AlreadyFinished, match="completed"):
                await journal.record(late)
        assert await journal.get_execution_steps(execution_id) == []

    async def test_steps_that_are_open_when_an_execution_ends_are_cancelled(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, open_step = _start(execution_id, "open")
        await journal.record(started)
        await journal.record(_become(execution_id, ExecutionStatus.FAILED))
        (step,) = await journal.get_execution_steps(execution_id)
        assert (step.status, step.error_type, step.sequence) == (StepStatus.CANCELLED, "ExecutionEnded", 3)
        with pytest.raises(AlreadyFinished, match="already cancelled"):
            await journal.record(_end(execution_id, open_step, StepStatus.COMPLETED))

    async def test_a_running_execution_cannot_become_what_makes_no_sense(
        self, journal: OperatorJournal, execution_id: ExecutionId, pipeline_id: PipelineId
    ) -> None:
        pending = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, pipeline_name="A pipeline", status=ExecutionStatus.PENDING)
        await journal.record(Transition(execution_id=pending, writer=OWNER, new=new))
        await journal.take_over(pending, owner=OWNER)
        with pytest.raises(InvalidTransition, match="is pending and cannot become completed"):
            await journal.record(_become(pending, ExecutionStatus.COMPLETED))
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
        started, attempt = _start(execution_id, "ask")
        await journal.record(replace(started, asks=(_question(attempt),)))
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
        await journals[0].record(_become(execution_id, ExecutionStatus.COMPLETED))
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
        await journal.record(replace(_become(execution_id, None), change=release))
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.status, record.owner, record.epoch) == (ExecutionStatus.PENDING, None, 1)
        with pytest.raises(LeaseLost, match="belongs to nobody"):
            await journal.record(_start(execution_id, "late")[0])
        assert await journal.take_over(execution_id, owner="heir") == Lease(execution_id, 2)

    # Steps

    async def test_a_step_is_on_record_with_all_that_was_said_of_it(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, step_id = _start(execution_id, "load", input_data=encode({"file": "ü.csv"}, "input"))
        await journal.record(started)
        ended = _end(execution_id, step_id, StepStatus.COMPLETED, output_data=encode({"b": 1, "a": [2.5]}, "output"))
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
        started, load = _start(execution_id, "load", input_data=encode({"file": "a.csv"}, "input"))
        await journal.record(started)
        await journal.record(_end(execution_id, load, StepStatus.COMPLETED, output_data=encode({"rows": [1]}, "rows")))
        started, ask = _start(execution_id, "ask")
        await journal.record(started)
        await journal.record(replace(_end(execution_id, ask, StepStatus.WAITING), asks=(_question(ask),)))
        (question,) = await journal.get_interactions(execution_id)
        steps = await journal.get_execution_steps(execution_id)
        asked_at = {ask: question.created_at}
        attempts = await journal.get_attempts(execution_id)
        assert attempts == [step.as_attempt(asked_at.get(step.step_execution_id)) for step in steps]
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
            started, attempt = _start(execution_id, step_id)
            await journal.record(started)
            questions.append(_question(attempt))
            await journal.record(replace(_end(execution_id, attempt, StepStatus.WAITING), asks=(questions[-1],)))
        first, second = (each.interaction_id for each in questions)
        await journal.answer_interaction(first, {"yes": True}, actor="ann")
        awaited = await journal.get_interactions(execution_id, awaited=True)
        assert [(each.interaction_id, each.status) for each in awaited] == [(first, "answered"), (second, "pending")]
        await journal.record(_end(execution_id, questions[0].step_execution_id, StepStatus.COMPLETED))
        assert [each.interaction_id for each in await journal.get_interactions(execution_id, awaited=True)] == [second]
        assert [each.interaction_id for each in await journal.get_interactions(execution_id)] == [first, second]

    async def test_what_is_read_is_a_copy(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, step_id = _start(execution_id, "load")
        await journal.record(started)
        await journal.record(
            _end(execution_id, step_id, StepStatus.COMPLETED, output_data=encode({"rows": [1]}, "output"))
        )
        first = (await journal.get_execution_steps(execution_id))[0]
        assert isinstance(first.output_data, dict)
        first.output_data["rows"].append("spoilt")
        assert (await journal.get_execution_steps(execution_id))[0].output_data == {"rows": [1]}

    async def test_after_a_failure_comes_the_next_attempt_and_after_a_success_the_next_iteration(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        for status in (StepStatus.FAILED, StepStatus.LOST, StepStatus.COMPLETED, StepStatus.COMPLETED):
            started, step_id = _start(execution_id, "flaky")
            await journal.record(started)
            await journal.record(_end(execution_id, step_id, status))
        steps = await journal.get_execution_steps(execution_id)
        assert [(step.iteration, step.attempt) for step in steps] == [(1, 1), (1, 2), (1, 3), (2, 1)]
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.completed_steps, record.failed_steps) == (2, 0)

    async def test_one_transition_ends_an_attempt_and_begins_the_next(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, first = _start(execution_id, "flaky")
        await journal.record(started)
        retry, _ = _start(execution_id, "flaky")
        both = replace(retry, updates=_end(execution_id, first, StepStatus.FAILED).updates)
        recorded = await journal.record(both)
        steps = await journal.get_execution_steps(execution_id)
        assert [(step.attempt, step.status) for step in steps] == [(1, StepStatus.FAILED), (2, StepStatus.RUNNING)]
        assert {step.sequence for step in steps} == {recorded.sequence}
        assert (await journal.record(both)).changed is False
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert record.failed_steps == 0  # counted by the latest attempt, which runs

    async def test_an_attempt_ends_once(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, step_id = _start(execution_id, "once")
        await journal.record(started)
        failure = Failure(type="ValueError", message="no", traceback="Traceback …")
        failed = _end(execution_id, step_id, StepStatus.FAILED, failure=failure)
        assert (await journal.record(failed)).changed is True
        assert (await journal.record(failed)).changed is False
        with pytest.raises(AlreadyFinished, match="already failed"):
            await journal.record(_end(execution_id, step_id, StepStatus.COMPLETED))
        (step,) = await journal.get_execution_steps(execution_id)
        assert (step.error_type, step.error_message, step.traceback) == ("ValueError", "no", "Traceback …")
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.completed_steps, record.failed_steps) == (0, 1)

    async def test_a_transition_is_found_by_the_attempt_it_updates(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, step_id = _start(execution_id, "load")
        await journal.record(started)
        ended = replace(_end(execution_id, step_id, StepStatus.COMPLETED), execution_id=None)
        assert (await journal.record(ended)).execution_id == execution_id
        lost = replace(_end(execution_id, StepExecutionId("nowhere"), StepStatus.COMPLETED), execution_id=None)
        with pytest.raises(StepExecutionNotFound, match="nowhere"):
            await journal.record(lost)

    async def test_an_attempt_of_another_execution_is_not_found_in_this_one(
        self, journal: OperatorJournal, execution_id: ExecutionId, pipeline_id: PipelineId
    ) -> None:
        other = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, pipeline_name="A pipeline")
        started, step_id = _start(other, "load")
        await journal.record(replace(started, new=new))
        with pytest.raises(StepExecutionNotFound):
            await journal.record(_end(execution_id, step_id, StepStatus.COMPLETED))
        start = replace(started.starts[0], step_id="another", step_name="another")
        with pytest.raises(StepConflict, match="recorded as load"):
            await journal.record(replace(started, starts=(start,)))

    async def test_a_refused_transition_leaves_nothing_behind(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, _ = _start(execution_id, "load")
        unknown = _end(execution_id, StepExecutionId(new_id()), StepStatus.COMPLETED)
        line = LogLine(log_id=new_id(), message="never")
        with pytest.raises(StepExecutionNotFound):
            await journal.record(replace(started, updates=unknown.updates, logs=(line,)))
        changes = await journal.changes(execution_id)
        assert (changes.steps, changes.logs, changes.upto) == ((), (), 1)

    async def test_progress_after_the_end_is_dropped(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, step_id = _start(execution_id, "slow")
        await journal.record(started)
        half = replace(
            _end(execution_id, step_id, None), updates=(StepUpdate(step_execution_id=step_id, progress=0.5),)
        )
        assert (await journal.record(half)).changed is True
        await journal.record(_end(execution_id, step_id, StepStatus.COMPLETED))
        assert (await journal.record(half)).changed is False
        assert (await journal.get_execution_steps(execution_id))[0].progress == 0.5

    # Ownership

    async def test_who_does_not_own_an_execution_writes_nothing(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        with pytest.raises(LeaseLost, match="'owner'"):
            await journal.record(replace(_become(execution_id, ExecutionStatus.FAILED), writer="stranger"))
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.status, record.sequence) == (ExecutionStatus.RUNNING, 1)

    async def test_taking_over_fences_the_former_owner_and_older_claims(
        self, journals: list[OperatorJournal], execution_id: ExecutionId
    ) -> None:
        former, latter = journals[0], journals[-1]
        assert await latter.take_over(execution_id, owner="heir") == Lease(execution_id, 2)
        with pytest.raises(LeaseLost, match="'heir'"):
            await former.record(_start(execution_id, "late")[0])
        assert await latter.take_over(execution_id, owner="heir") == Lease(execution_id, 3)
        with pytest.raises(LeaseLost):
            await latter.take_over(execution_id, owner="late", epoch=2)
        with pytest.raises(LeaseLost, match="epoch 3"):
            await latter.record(replace(_start(execution_id, "late")[0], writer="heir", lease=Lease(execution_id, 2)))
        recorded = await latter.record(
            replace(_start(execution_id, "next")[0], writer="heir", lease=Lease(execution_id, 3))
        )
        assert recorded.changed

    async def test_nobody_takes_over_what_is_over(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        await journal.record(_become(execution_id, ExecutionStatus.COMPLETED))
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

    # The queue

    async def test_the_most_urgent_and_oldest_that_are_queued_are_claimed(
        self, journals: list[OperatorJournal], pipeline_id: PipelineId
    ) -> None:
        worker, other = journals[0], journals[-1]
        new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.PENDING, managed=True)
        first, second, urgent, unmanaged = [ExecutionId(new_id()) for _ in range(4)]
        for execution_id, queued in (
            (first, new),
            (second, new),
            (urgent, replace(new, priority=1)),
            (unmanaged, replace(new, managed=False)),
        ):
            await worker.record(Transition(execution_id=execution_id, writer=OWNER, new=queued))
        assert await worker.ownership.claim(2, unusable=[f"{pipeline_id}:0"]) == []
        claimed = await worker.ownership.claim(2)
        assert {each.lease for each in claimed} == {Lease(urgent, 1), Lease(first, 1)}
        record = await other.get_execution(urgent)
        assert record is not None
        assert (record.status, record.owner, record.epoch, record.sequence) == (
            ExecutionStatus.RUNNING,
            worker.owner,
            1,
            2,
        )
        assert record.started_at is not None
        assert [each.execution_id for each in await other.ownership.claim(2)] == [second]
        assert {each.execution_id for each in await worker.ownership.owned()} >= {urgent, first}

    async def test_a_claim_is_what_the_rules_say_of_it(
        self, journals: list[OperatorJournal], pipeline_id: PipelineId
    ) -> None:
        new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.PENDING, managed=True)
        records: list[dict[str, object]] = []
        for is_claimed in (True, False):
            execution_id = ExecutionId(new_id())
            await journals[0].record(Transition(execution_id=execution_id, writer=OWNER, new=new))
            if is_claimed:
                assert len(await journals[0].ownership.claim(1)) == 1
            else:
                claim = Transition(execution_id=execution_id, writer=journals[0].owner, ownership=Claim())
                await journals[0].record(claim)
            record = await journals[0].get_execution(execution_id)
            assert record is not None
            assert record.started_at is not None
            records.append(record.to_dict())
        times_and_ids = ("execution_id", "created_at", "started_at")
        assert [{name: row[name] for name in row.keys() - times_and_ids} for row in records] == [
            {name: records[0][name] for name in records[0].keys() - times_and_ids}
        ] * 2

    async def test_what_waits_for_a_time_is_claimed_when_that_has_come_and_not_before(
        self, journals: list[OperatorJournal], pipeline_id: PipelineId
    ) -> None:
        worker, other = journals[0], journals[-1]
        soon = await worker.now() + timedelta(seconds=0.3)
        new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.WAITING, managed=True, run_at=soon)
        first, later = ExecutionId(new_id()), ExecutionId(new_id())
        for execution_id, waiting in ((first, new), (later, replace(new, run_at=soon + timedelta(days=1)))):
            await worker.record(Transition(execution_id=execution_id, writer=OWNER, new=waiting))
        claimed: list[ClaimedExecution] = []
        while not claimed:
            left_seconds = await other.ownership.wake_due()
            assert left_seconds is not None
            claimed = await worker.ownership.claim(2)
            assert not claimed or await worker.now() >= soon
            await asyncio.sleep(0.01)
        assert [each.execution_id for each in claimed] == [first]
        record, waiting = await other.get_execution(first), await other.get_execution(later)
        assert record is not None
        assert waiting is not None
        assert (record.status, record.run_at, record.sequence) == (ExecutionStatus.RUNNING, None, 3)
        assert (waiting.status, waiting.sequence) == (ExecutionStatus.WAITING, 1)

    async def test_waking_what_is_due_is_what_the_rules_say_of_it(
        self, journals: list[OperatorJournal], pipeline_id: PipelineId
    ) -> None:
        records: list[dict[str, object]] = []
        for by_rule in (False, True):
            execution_id, run_at = ExecutionId(new_id()), await journals[0].now()
            new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.WAITING, managed=True, run_at=run_at)
            await journals[0].record(Transition(execution_id=execution_id, writer=OWNER, new=new))
            if by_rule:
                await journals[0].record(Transition(execution_id=execution_id, writer=OWNER, ownership=WakeUp()))
            else:
                await journals[0].ownership.wake_due()
            record = await journals[0].get_execution(execution_id)
            assert record is not None
            records.append(record.to_dict())
        own = ("execution_id", "created_at")
        assert [{name: row[name] for name in row.keys() - own} for row in records] == [
            {name: records[0][name] for name in records[0].keys() - own}
        ] * 2
        assert records[0]["status"] == "pending"

    async def test_what_waits_is_cancelled_at_once_and_its_time_is_not_kept(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        execution_id, run_at = ExecutionId(new_id()), await journal.now() + timedelta(days=1)
        new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.WAITING, managed=True, run_at=run_at)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        assert await journal.request_cancel(execution_id) is ExecutionStatus.CANCELLED
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.run_at, record.started_at) == (None, None)

    @pytest.mark.parametrize("counted", [True, False])
    async def test_what_is_put_back_is_nobodys_and_what_ran_in_it_is_lost(
        self, journal: OperatorJournal, pipeline_id: PipelineId, *, counted: bool
    ) -> None:
        stalled = await self._stalled(journal, pipeline_id)
        put_back = Recovery(status=ExecutionStatus.PENDING, counted=counted)
        assert await journal.ownership.recover(stalled, put_back)
        assert not await journal.ownership.recover(stalled, put_back)
        record = await journal.get_execution(stalled.execution_id)
        assert record is not None
        assert (record.status, record.owner, record.epoch) == (ExecutionStatus.PENDING, None, stalled.epoch + 1)
        assert (record.recoveries, record.completed_at, record.error_type) == (int(counted), None, None)
        running, waiting = await journal.get_execution_steps(stalled.execution_id)
        assert (running.status, running.error_type, running.sequence) == (
            StepStatus.LOST,
            "ProcessLost",
            record.sequence,
        )
        assert waiting.status is StepStatus.WAITING
        assert [each.status for each in await journal.get_interactions(stalled.execution_id)] == ["pending"]

    async def test_what_cannot_be_put_back_fails_with_the_reason_and_everything_in_it_is_closed(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        stalled = await self._stalled(journal, pipeline_id)
        failure = Failure(type="CrashLoop", message="again and again")
        assert await journal.ownership.recover(stalled, Recovery(status=ExecutionStatus.FAILED, failure=failure))
        record = await journal.get_execution(stalled.execution_id)
        assert record is not None
        assert (record.status, record.error_type, record.owner) == (ExecutionStatus.FAILED, "CrashLoop", journal.owner)
        assert record.completed_at is not None
        steps = await journal.get_execution_steps(stalled.execution_id)
        assert [step.status for step in steps] == [StepStatus.LOST, StepStatus.CANCELLED]
        assert [each.status for each in await journal.get_interactions(stalled.execution_id)] == ["cancelled"]

    @pytest.mark.parametrize("ended", [status for status in ExecutionStatus if status.is_terminal])
    async def test_what_has_ended_is_not_recovered(
        self, journal: OperatorJournal, pipeline_id: PipelineId, ended: ExecutionStatus
    ) -> None:
        stalled = await self._stalled(journal, pipeline_id)
        await journal.record(replace(_become(stalled.execution_id, ended), writer=journal.owner))
        before = await journal.get_execution(stalled.execution_id)
        steps = await journal.get_execution_steps(stalled.execution_id)
        for status in (ExecutionStatus.PENDING, ExecutionStatus.FAILED):
            assert not await journal.ownership.recover(stalled, Recovery(status=status, counted=True))
        assert await journal.get_execution(stalled.execution_id) == before
        assert await journal.get_execution_steps(stalled.execution_id) == steps

    async def test_a_recovery_under_an_older_lease_changes_nothing(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        stalled = await self._stalled(journal, pipeline_id)
        await journal.take_over(stalled.execution_id, owner=journal.owner)
        before = await journal.get_execution(stalled.execution_id)
        assert not await journal.ownership.recover(stalled, Recovery(status=ExecutionStatus.PENDING))
        assert await journal.get_execution(stalled.execution_id) == before

    async def _with_alias(
        self, journal: OperatorJournal, pipeline_id: PipelineId, alias: str
    ) -> tuple[ExecutionId, str]:
        """A running execution that ``OWNER`` owns, with its alias."""
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, alias=alias)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        return execution_id, alias

    async def _stalled(self, journal: OperatorJournal, pipeline_id: PipelineId) -> StalledExecution:
        """An execution of the queue that nobody runs, with an attempt that ran and one that waits for a person."""
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.PENDING, managed=True)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        await journal.ownership.claim(1)
        for step_id in ("work", "ask"):
            started, attempt = _start(execution_id, step_id)
            await journal.record(replace(started, writer=journal.owner))
        waiting = replace(_end(execution_id, attempt, StepStatus.WAITING), asks=(_question(attempt),))
        await journal.record(replace(waiting, writer=journal.owner))
        (stalled,) = await journal.ownership.owned()
        return stalled

    # Cancelling and resuming

    async def test_who_runs_an_execution_is_told_that_it_is_to_be_cancelled(
        self, journals: list[OperatorJournal]
    ) -> None:
        runs, asks = journals[0], journals[-1]
        pipeline = await runs.register_version(f"pipeline-{new_id()}", "A pipeline")
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline.pipeline_id)
        await runs.record(Transition(execution_id=execution_id, writer=runs.owner, new=new))
        notified = asyncio.create_task(runs.cancellation(execution_id))
        assert await asks.request_cancel(execution_id) is ExecutionStatus.RUNNING
        await notified
        record = await asks.get_execution(execution_id)
        assert record is not None
        assert (record.status, record.cancel_requested, record.sequence) == (ExecutionStatus.RUNNING, True, 2)
        await runs.record(replace(_become(execution_id, ExecutionStatus.CANCELLED), writer=runs.owner))
        with pytest.raises(AlreadyFinished, match="already cancelled, since "):
            await asks.request_cancel(execution_id)
        with pytest.raises(ExecutionNotFound):
            await asks.request_cancel(ExecutionId("nobody"))

    async def test_a_cancellation_that_came_too_late_is_told_how_and_when_it_ended(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        assert await journal.request_cancel(execution_id) is ExecutionStatus.RUNNING
        assert await journal.request_cancel(execution_id) is ExecutionStatus.RUNNING
        completed = await journal.record(_become(execution_id, ExecutionStatus.COMPLETED))  # it had just ended
        assert completed.status is ExecutionStatus.COMPLETED
        with pytest.raises(AlreadyFinished, match="already completed") as late:
            await journal.request_cancel(execution_id)
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (late.value.status, late.value.ended_at) == ("completed", record.completed_at)
        assert f"{record.completed_at:%Y-%m-%d %H:%M:%S}" in str(late.value)

    async def test_what_nobody_runs_is_cancelled_at_once(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = _start(execution_id, "ask")
        await journal.record(started)
        waiting = replace(_end(execution_id, attempt, StepStatus.WAITING), asks=(_question(attempt),))
        change = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN)
        await journal.record(replace(waiting, change=change))
        assert await journal.request_cancel(execution_id) is ExecutionStatus.CANCELLED
        (step,) = await journal.get_execution_steps(execution_id)
        assert step.status is StepStatus.CANCELLED
        assert [each.status for each in await journal.get_interactions(execution_id)] == ["cancelled"]

    @pytest.mark.parametrize(
        "rest", [ExecutionStatus.WAITING, ExecutionStatus.WAITING_FOR_HUMAN, ExecutionStatus.PENDING]
    )
    async def test_what_is_to_be_cancelled_does_not_come_to_rest(
        self, journal: OperatorJournal, execution_id: ExecutionId, rest: ExecutionStatus
    ) -> None:
        started, attempt = _start(execution_id, "ask")
        await journal.record(started)
        assert await journal.request_cancel(execution_id) is ExecutionStatus.RUNNING
        waiting = replace(_end(execution_id, attempt, StepStatus.WAITING), asks=(_question(attempt),))
        recorded = await journal.record(replace(waiting, change=ExecutionUpdate(status=rest)))
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert recorded.status is record.status is ExecutionStatus.CANCELLED
        assert record.completed_at is not None
        (step,) = await journal.get_execution_steps(execution_id)
        assert step.status is StepStatus.CANCELLED
        assert [each.status for each in await journal.get_interactions(execution_id)] == ["cancelled"]

    @pytest.mark.parametrize("ended", [ExecutionStatus.FAILED, ExecutionStatus.CANCELLED])
    async def test_a_bad_end_can_be_left_behind(
        self, journal: OperatorJournal, execution_id: ExecutionId, ended: ExecutionStatus
    ) -> None:
        await journal.record(_become(execution_id, ended))
        assert await journal.take_over(execution_id, owner="heir", reopen=True) == Lease(execution_id, 2)
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.status, record.completed_at, record.owner) == (ExecutionStatus.RUNNING, None, "heir")
        await journal.record(
            replace(_become(execution_id, ExecutionStatus.COMPLETED), writer="heir", lease=Lease(execution_id, 2))
        )
        with pytest.raises(AlreadyFinished, match="completed"):
            await journal.take_over(execution_id, owner="heir", reopen=True)

    async def test_a_reopened_execution_has_all_its_recoveries_before_it(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        stalled = await self._stalled(journal, pipeline_id)
        await journal.ownership.recover(stalled, Recovery(status=ExecutionStatus.PENDING, counted=True))
        await journal.ownership.claim(1)
        (stalled,) = await journal.ownership.owned()
        assert stalled.recoveries == 1
        await journal.ownership.recover(stalled, Recovery(status=ExecutionStatus.FAILED))
        await journal.take_over(stalled.execution_id, owner=journal.owner, reopen=True)
        (reopened,) = await journal.ownership.owned()
        assert reopened.recoveries == 0

    @pytest.mark.parametrize("ended", [ExecutionStatus.CANCELLED, ExecutionStatus.FAILED])
    async def test_the_end_of_a_step_is_answered_alike_alone_and_together_with_the_end_of_its_execution(
        self, journal: OperatorJournal, pipeline_id: PipelineId, ended: ExecutionStatus
    ) -> None:
        answers: list[list[object]] = []
        for together in (True, False):
            execution_id = ExecutionId(new_id())
            new = NewExecution(pipeline_id=pipeline_id)
            started, attempt = _start(execution_id, "work")
            await journal.record(replace(started, new=new))
            ends = [
                _become(execution_id, ended),
                _end(execution_id, attempt, StepStatus.CANCELLED),
                _end(execution_id, attempt, StepStatus.COMPLETED),
            ]
            outcomes: list[Recorded | BaseException] = []
            if together:
                outcomes = await asyncio.gather(*map(journal.record, ends), return_exceptions=True)
            else:
                for end in ends:
                    outcomes += await asyncio.gather(journal.record(end), return_exceptions=True)
            answers.append([each.changed if isinstance(each, Recorded) else type(each) for each in outcomes])
        assert answers[0] == answers[1] == [True, False, AlreadyFinished]

    # People

    async def test_a_question_is_answered_once_and_the_execution_can_go_on(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = _start(execution_id, "ask")
        await journal.record(started)
        new_question = _question(attempt)
        change = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN)
        await journal.record(
            replace(_asks(execution_id, attempt, timeout_seconds=60), asks=(new_question,), change=change)
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
        started, attempt = _start(execution_id, "ask")
        await journal.record(started)
        new_question = _question(attempt)
        await journal.record(replace(_asks(execution_id, attempt, timeout_seconds=None), asks=(new_question,)))
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
        started, attempt = _start(execution_id, "ask")
        await journal.record(started)
        new_question = _question(attempt)
        waiting = replace(_end(execution_id, attempt, StepStatus.WAITING), asks=(new_question,))
        await journal.record(replace(waiting, change=ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN)))
        await journal.answer_interaction(new_question.interaction_id, {"yes": True}, actor="ann")
        late = replace(_end(execution_id, attempt, StepStatus.COMPLETED), expires=(new_question.interaction_id,))
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
            started, attempt = _start(execution_id, f"ask-{timeout_seconds}")
            await journal.record(started)
            await journal.record(_asks(execution_id, attempt, timeout_seconds=timeout_seconds))
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
        lease, attempts = await _claimed(worker, pipeline_id), [StepExecutionId(new_id()) for _ in range(3)]
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
        lease, attempt = await _claimed(journal, pipeline_id), StepExecutionId(new_id())
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

    # Changes

    async def test_changes_have_questions_when_they_are_asked_and_when_they_close(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        ids: list[str] = []
        for step_id in ("answered", "expired", "cancelled"):
            started, attempt = _start(execution_id, step_id)
            await journal.record(started)
            question = _question(attempt)
            ids.append(question.interaction_id)
            await journal.record(replace(_end(execution_id, attempt, StepStatus.WAITING), asks=(question,)))
        changes = await journal.changes(execution_id)
        assert [(each.interaction_id, each.status, each.sequence) for each in changes.interactions] == [
            (ids[0], "pending", 3),
            (ids[1], "pending", 5),
            (ids[2], "pending", 7),
        ]
        for close in (
            journal.answer_interaction(ids[0], {"yes": True}, actor="ann"),
            journal.record(Transition(execution_id=execution_id, writer=OWNER, expires=(ids[1],))),
            journal.record(_become(execution_id, ExecutionStatus.FAILED)),
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
        started, step_id = _start(execution_id, "load")
        await journal.record(started)
        line = LogLine(log_id=new_id(), message="half way", step_execution_id=step_id)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=(line,)))
        await journal.record(_end(execution_id, step_id, StepStatus.COMPLETED))
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
            starts = tuple(_start(execution_id, f"step-{number}")[0].starts[0] for number in range(size))
            asks = tuple(_question(start.step_execution_id) for start in starts[: size // 3])
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


def _start(
    execution_id: ExecutionId, step_id: str, *, input_data: JsonText | None = None
) -> tuple[Transition, StepExecutionId]:
    step_execution_id = StepExecutionId(new_id())
    start = StepStart(
        step_execution_id=step_execution_id,
        step_id=step_id,
        step_name=step_id,
        step_type="task",
        input_data=input_data,
    )
    return Transition(execution_id=execution_id, writer=OWNER, starts=(start,)), step_execution_id


def _end(
    execution_id: ExecutionId,
    step_execution_id: StepExecutionId,
    status: StepStatus | None,
    *,
    output_data: JsonText | None = None,
    failure: Failure | None = None,
) -> Transition:
    update = StepUpdate(
        step_execution_id=step_execution_id,
        status=status,
        output_data=output_data,
        failure=failure,
    )
    return Transition(execution_id=execution_id, writer=OWNER, updates=(update,))


def _become(execution_id: ExecutionId, status: ExecutionStatus | None) -> Transition:
    return Transition(execution_id=execution_id, writer=OWNER, change=ExecutionUpdate(status=status))


def _question(attempt: StepExecutionId) -> NewInteraction:
    return NewInteraction(
        interaction_id=new_id(),
        step_execution_id=attempt,
        ui_schema=encode({"type": "object"}, "schema"),
        prompt="Ship it?",
    )


def _asks(execution_id: ExecutionId, attempt: StepExecutionId, *, timeout_seconds: float | None) -> Transition:
    update = StepUpdate(
        step_execution_id=attempt, status=StepStatus.WAITING, wake_after_seconds=timeout_seconds, awaits=ANSWER
    )
    return Transition(execution_id=execution_id, writer=OWNER, updates=(update,), asks=(_question(attempt),))


async def _claimed(journal: OperatorJournal, pipeline_id: PipelineId) -> Lease:
    """A managed execution that this journal's owner runs."""
    execution_id = ExecutionId(new_id())
    new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.PENDING, managed=True)
    await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
    (claimed,) = await journal.ownership.claim(1)
    return claimed.lease


async def _all_pages(
    journal: OperatorJournal, execution_id: ExecutionId, limit: int, *, within: RunPath = GRAPH
) -> list[Changes]:
    pages = [await journal.changes(execution_id, within=within, limit=limit)]
    while pages[-1].more:
        pages.append(await journal.changes(execution_id, pages[-1].upto, within=within, limit=limit))
    return pages
