"""What every journal promises about executions and their owners, as tests: a part of ``JournalContract``."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from ia_modules.errors import (
    AlreadyFinished,
    ConstraintViolated,
    ExecutionNotFound,
    InvalidTransition,
    LeaseLost,
    PipelineNotFound,
)
from ia_modules.models import ExecutionId, ExecutionStatus, Lease, PipelineId, StepStatus, new_id
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.contract_transitions import OWNER, becomes, ending, question_of, starting
from ia_modules.transitions import ExecutionUpdate, LogLine, NewExecution, Recorded, Transition


class ExecutionsContract:
    """The promises about executions and who owns them; the fixtures are those of the contract."""

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

    async def _with_alias(
        self, journal: OperatorJournal, pipeline_id: PipelineId, alias: str
    ) -> tuple[ExecutionId, str]:
        """A running execution that ``OWNER`` owns, with its alias."""
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, alias=alias)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        return execution_id, alias
