"""What every journal promises about the queue, cancelling and resuming, as tests: a part of ``JournalContract``."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from ia_modules.errors import AlreadyFinished, AlreadyRepeated, ExecutionNotFound, InvalidTransition
from ia_modules.models import (
    ClaimedExecution,
    ExecutionId,
    ExecutionStatus,
    Lease,
    PipelineId,
    StalledExecution,
    StepExecutionId,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.payload import encode
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.contract_transitions import (
    OWNER,
    asks,
    becomes,
    claimed_of,
    ending,
    question_of,
    runs_on,
    starting,
)
from ia_modules.transitions import (
    ELSEWHERE,
    Claim,
    ExecutionUpdate,
    Failure,
    NewExecution,
    Recorded,
    Recovery,
    Requeue,
    StepStart,
    StepUpdate,
    Transition,
    WakeUp,
)


class QueueContract:
    """The promises about who runs an execution; the fixtures are those of the contract."""

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

    async def test_a_claim_brings_what_it_takes_to_run(self, journals: list[OperatorJournal]) -> None:
        worker, definition = journals[0], {"name": "Jobs"}
        registered = await worker.register_version("jobs", "Jobs", definition, source_folder="/srv/jobs")
        new = NewExecution(
            pipeline_id=registered.pipeline_id,
            pipeline_version=registered.version,
            input_data=encode({"day": 24}, "input"),
            status=ExecutionStatus.PENDING,
            managed=True,
        )
        execution_id, bare = ExecutionId(new_id()), ExecutionId(new_id())
        await worker.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        back = ExecutionUpdate(status=ExecutionStatus.PENDING, released=True)
        for is_untouched in (True, False):
            (claim,) = await worker.ownership.claim(2)
            assert (claim.execution_id, claim.pipeline_version) == (execution_id, registered.version)
            assert (claim.source_folder, claim.input_data) == ("/srv/jobs", {"day": 24})
            assert claim.is_untouched == is_untouched
            await worker.record(Transition(lease=claim.lease, writer=worker.owner, change=back))
        without = replace(new, pipeline_version=None, input_data=None, priority=1)
        await worker.record(Transition(execution_id=bare, writer=OWNER, new=without))
        (claim,) = await worker.ownership.claim(1)
        assert (claim.execution_id, claim.pipeline_version, claim.source_folder) == (bare, None, None)
        assert claim.input_data is None

    async def test_what_has_an_attempt_elsewhere_is_claimed_only_by_who_is_joined_to_that_cluster(
        self, journals: list[OperatorJournal], pipeline_id: PipelineId
    ) -> None:
        worker, other = journals[0], journals[-1]
        lease, _ = await self._elsewhere(worker, pipeline_id)
        (stalled,) = await worker.ownership.owned()
        assert await worker.ownership.recover(stalled, Recovery(status=ExecutionStatus.PENDING, counted=True))
        plain = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.PENDING, managed=True)
        await worker.record(Transition(execution_id=plain, writer=OWNER, new=new))
        assert [each.execution_id for each in await other.ownership.claim(2)] == [plain]
        assert await other.ownership.claim(2, cluster="another") == []
        assert [each.execution_id for each in await other.ownership.claim(2, cluster="there")] == [lease.execution_id]

    async def test_what_an_attempt_elsewhere_has_ended_in_is_anybodys(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        lease, attempts = await self._elsewhere(journal, pipeline_id)
        back = ExecutionUpdate(status=ExecutionStatus.PENDING, released=True)
        ended = ending(lease.execution_id, attempts[0], StepStatus.LOST)
        await journal.record(replace(ended, writer=journal.owner, lease=lease, change=back))
        (claim,) = await journal.ownership.claim(2)
        assert claim.execution_id == lease.execution_id

    async def test_what_asks_a_person_is_not_elsewhere_any_more(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        lease, (work, inner, _) = await self._elsewhere(journal, pipeline_id)
        await journal.record(replace(ending(lease.execution_id, inner, StepStatus.COMPLETED), writer=journal.owner))
        await journal.record(replace(asks(lease.execution_id, work, timeout_seconds=None), writer=journal.owner))
        running = StepUpdate(step_execution_id=work, status=StepStatus.RUNNING)
        await journal.record(Transition(lease=lease, writer=journal.owner, updates=(running,)))
        (stalled,) = await journal.ownership.owned()
        assert not stalled.is_elsewhere
        await journal.ownership.recover(stalled, Recovery(status=ExecutionStatus.PENDING))
        assert [each.status for each in await journal.get_execution_steps(lease.execution_id)] == [
            StepStatus.LOST,
            StepStatus.LOST,
        ]
        assert len(await journal.ownership.claim(2)) == 1

    async def test_what_runs_elsewhere_outlives_the_process_that_owns_it_and_all_that_it_calls_does(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        lease, (work, inner, beside) = await self._elsewhere(journal, pipeline_id)
        before = {each.step_execution_id: each for each in await journal.get_execution_steps(lease.execution_id)}
        (stalled,) = await journal.ownership.owned()
        assert stalled.is_elsewhere
        assert await journal.ownership.recover(stalled, Recovery(status=ExecutionStatus.PENDING, counted=True))
        after = {each.step_execution_id: each for each in await journal.get_execution_steps(lease.execution_id)}
        assert after[work] == before[work]
        assert (after[beside].status, after[beside].error_type) == (StepStatus.LOST, "ProcessLost")
        assert (after[work].status, after[work].awaits) == (StepStatus.RUNNING, f"{ELSEWHERE}there")
        (within,) = await journal.get_execution_steps(lease.execution_id, within=run_path(GRAPH, "work", 1))
        assert (within.step_execution_id, within.status, within.awaits) == (
            inner,
            StepStatus.RUNNING,
            f"{ELSEWHERE}there",
        )
        taken = await journal.take_over(lease.execution_id, owner=journal.owner)
        again = {each.step_execution_id: each for each in await journal.get_execution_steps(taken.execution_id)}
        assert again == after

    @pytest.mark.parametrize("ended", [ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED])
    @pytest.mark.parametrize("by_recovery", [True, False])
    async def test_what_ends_closes_what_runs_elsewhere_too(
        self, journal: OperatorJournal, pipeline_id: PipelineId, ended: ExecutionStatus, *, by_recovery: bool
    ) -> None:
        lease, _ = await self._elsewhere(journal, pipeline_id)
        (stalled,) = await journal.ownership.owned()
        if by_recovery and ended is not ExecutionStatus.COMPLETED:
            assert await journal.ownership.recover(stalled, Recovery(status=ended))
        else:
            await journal.record(replace(becomes(lease.execution_id, ended), writer=journal.owner))
        steps = await journal.get_execution_steps(lease.execution_id)
        steps += await journal.get_execution_steps(lease.execution_id, within=run_path(GRAPH, "work", 1))
        assert {each.status for each in steps} <= {StepStatus.LOST, StepStatus.CANCELLED}
        assert {each.step_id: each.status for each in steps}["work"] is StepStatus.CANCELLED

    @pytest.mark.parametrize("ended", [StepStatus.LOST, StepStatus.FAILED, StepStatus.COMPLETED])
    async def test_an_attempt_elsewhere_that_ends_closes_what_it_calls(
        self, journal: OperatorJournal, pipeline_id: PipelineId, ended: StepStatus
    ) -> None:
        lease, (work, *_) = await self._elsewhere(journal, pipeline_id)
        await journal.record(replace(ending(lease.execution_id, work, ended), writer=journal.owner))
        (within,) = await journal.get_execution_steps(lease.execution_id, within=run_path(GRAPH, "work", 1))
        assert within.status is (StepStatus.LOST if ended is StepStatus.LOST else StepStatus.CANCELLED)

    async def _elsewhere(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> tuple[Lease, tuple[StepExecutionId, StepExecutionId, StepExecutionId]]:
        """A claimed execution with an attempt that runs on a cluster, what it has called, and one that runs here."""
        lease = await claimed_of(journal, pipeline_id)
        execution_id, inner = lease.execution_id, StepExecutionId(new_id())
        started, work = starting(execution_id, "work")
        await journal.record(replace(started, writer=journal.owner))
        await journal.record(replace(runs_on(execution_id, work, "there"), writer=journal.owner))
        call = StepStart(
            step_execution_id=inner,
            step_id="call",
            step_name="call",
            step_type="inner",
            within=run_path(GRAPH, "work", 1),
            awaits=f"{ELSEWHERE}there",
        )
        await journal.record(Transition(lease=lease, writer=journal.owner, starts=(call,)))
        started, beside = starting(execution_id, "beside")
        await journal.record(replace(started, writer=journal.owner))
        return lease, (work, inner, beside)

    async def test_where_an_attempt_runs_changes_nothing_of_its_time(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        attempt = StepExecutionId(new_id())
        start = StepStart(
            step_execution_id=attempt,
            step_id="later",
            step_name="later",
            step_type="task",
            status=StepStatus.PENDING,
            wake_after_seconds=3600.0,
        )
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, starts=(start,)))
        (pending,) = await journal.get_execution_steps(execution_id)
        begun = StepUpdate(step_execution_id=attempt, status=StepStatus.RUNNING)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, updates=(begun,)))
        await journal.record(runs_on(execution_id, attempt, "there"))
        (step,) = await journal.get_execution_steps(execution_id)
        assert (step.wake_at, step.awaits) == (pending.wake_at, f"{ELSEWHERE}there")

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
        await journal.record(replace(becomes(stalled.execution_id, ended), writer=journal.owner))
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

    async def _stalled(self, journal: OperatorJournal, pipeline_id: PipelineId) -> StalledExecution:
        """An execution of the queue that nobody runs, with an attempt that ran and one that waits for a person."""
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.PENDING, managed=True)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        await journal.ownership.claim(1)
        for step_id in ("work", "ask"):
            started, attempt = starting(execution_id, step_id)
            await journal.record(replace(started, writer=journal.owner))
        waiting = replace(ending(execution_id, attempt, StepStatus.WAITING), asks=(question_of(attempt),))
        await journal.record(replace(waiting, writer=journal.owner))
        (stalled,) = await journal.ownership.owned()
        return stalled

    # Running again

    async def test_a_rerun_that_is_not_to_be_the_second_one_is_refused_while_another_goes_on_or_has_completed(
        self, journals: list[OperatorJournal], execution_id: ExecutionId, pipeline_id: PipelineId
    ) -> None:
        pending = NewExecution(pipeline_id=pipeline_id, status=ExecutionStatus.PENDING, managed=True)
        once = replace(pending, rerun_of=execution_id, unless_repeated=True)

        async def repeat(journal: OperatorJournal, new: NewExecution) -> ExecutionId:
            rerun_id = ExecutionId(new_id())
            await journal.record(Transition(execution_id=rerun_id, writer=OWNER, new=new))
            return rerun_id

        for is_of_other in (False, True):  # by one journal, and by two that know nothing of each other
            four = [journals[-1 if is_of_other and number % 2 else 0] for number in range(4)]
            outcomes = await asyncio.gather(*(repeat(journal, once) for journal in four), return_exceptions=True)
            begun = [each for each in outcomes if isinstance(each, str)]
            refused = [each for each in outcomes if isinstance(each, AlreadyRepeated)]
            assert (len(begun), len(refused)) == (1, 3)
            assert {(each.rerun_id, each.status) for each in refused} == {(begun[0], "pending")}
            again = Transition(execution_id=ExecutionId(begun[0]), writer=OWNER, new=once)
            assert not (await journals[0].record(again)).changed, "what was written is written once more"
            await journals[0].request_cancel(begun[0])
        of_rerun = await repeat(journals[0], replace(once, rerun_of=ExecutionId(begun[0])))
        with pytest.raises(AlreadyRepeated) as refused_again:
            await repeat(journals[0], once)
        assert refused_again.value.rerun_id == of_rerun
        assert await repeat(journals[0], replace(once, unless_repeated=False)) != of_rerun

    # Cancelling and resuming

    async def test_who_runs_an_execution_is_told_that_it_is_to_be_cancelled(
        self, journals: list[OperatorJournal]
    ) -> None:
        runs, asks = journals[0], journals[-1]
        pipeline = await runs.register_version(f"pipeline-{new_id()}", "A pipeline")
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline.pipeline_id)
        await runs.record(Transition(execution_id=execution_id, writer=runs.owner, new=new))
        notified, not_any_more = asyncio.Event(), asyncio.Event()
        end_watch = runs.watch_cancellation(execution_id, notified.set)
        runs.watch_cancellation(execution_id, not_any_more.set)()
        assert await asks.request_cancel(execution_id) is ExecutionStatus.RUNNING
        await notified.wait()
        end_watch()
        assert not not_any_more.is_set()
        record = await asks.get_execution(execution_id)
        assert record is not None
        assert (record.status, record.cancel_requested, record.sequence) == (ExecutionStatus.RUNNING, True, 2)
        await runs.record(replace(becomes(execution_id, ExecutionStatus.CANCELLED), writer=runs.owner))
        with pytest.raises(AlreadyFinished, match="already cancelled, since "):
            await asks.request_cancel(execution_id)
        with pytest.raises(ExecutionNotFound):
            await asks.request_cancel(ExecutionId("nobody"))

    async def test_a_cancellation_that_came_too_late_is_told_how_and_when_it_ended(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        assert await journal.request_cancel(execution_id) is ExecutionStatus.RUNNING
        assert await journal.request_cancel(execution_id) is ExecutionStatus.RUNNING
        completed = await journal.record(becomes(execution_id, ExecutionStatus.COMPLETED))  # it had just ended
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
        started, attempt = starting(execution_id, "ask")
        await journal.record(started)
        waiting = replace(ending(execution_id, attempt, StepStatus.WAITING), asks=(question_of(attempt),))
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
        started, attempt = starting(execution_id, "ask")
        await journal.record(started)
        assert await journal.request_cancel(execution_id) is ExecutionStatus.RUNNING
        waiting = replace(ending(execution_id, attempt, StepStatus.WAITING), asks=(question_of(attempt),))
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
        await journal.record(becomes(execution_id, ended))
        assert await journal.take_over(execution_id, owner="heir", reopen=True) == Lease(execution_id, 2)
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.status, record.completed_at, record.owner) == (ExecutionStatus.RUNNING, None, "heir")
        await journal.record(
            replace(becomes(execution_id, ExecutionStatus.COMPLETED), writer="heir", lease=Lease(execution_id, 2))
        )
        with pytest.raises(AlreadyFinished, match="completed"):
            await journal.take_over(execution_id, owner="heir", reopen=True)

    @pytest.mark.parametrize("ended", [ExecutionStatus.FAILED, ExecutionStatus.CANCELLED])
    async def test_what_ended_badly_goes_back_into_the_queue_with_what_it_had_done(
        self, journal: OperatorJournal, execution_id: ExecutionId, ended: ExecutionStatus
    ) -> None:
        start, attempt = starting(execution_id, "a")
        await journal.record(start)
        await journal.record(ending(execution_id, attempt, StepStatus.FAILED))
        bad = ExecutionUpdate(status=ended, failure=Failure(type="OSError", message="away"))
        await journal.record(replace(becomes(execution_id, ended), change=bad))
        requeue = Transition(execution_id=execution_id, writer="somebody", ownership=Requeue())
        assert (await journal.record(requeue)).status is ExecutionStatus.PENDING
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.managed, record.owner, record.completed_at, record.error_message) == (True, None, None, None)
        assert [each.is_reopened for each in await journal.get_attempts(execution_id)] == [True]
        with pytest.raises(InvalidTransition, match="pending"):
            await journal.record(requeue)
        (claim,) = await journal.ownership.claim(1)
        assert (claim.execution_id, claim.is_untouched) == (execution_id, False)
        again, _ = starting(execution_id, "a")
        await journal.record(replace(again, lease=claim.lease, writer=journal.owner))
        assert [each.is_reopened for each in await journal.get_attempts(execution_id)] == [True, False]

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
            started, attempt = starting(execution_id, "work")
            await journal.record(replace(started, new=new))
            ends = [
                becomes(execution_id, ended),
                ending(execution_id, attempt, StepStatus.CANCELLED),
                ending(execution_id, attempt, StepStatus.COMPLETED),
            ]
            outcomes: list[Recorded | BaseException] = []
            if together:
                outcomes = await asyncio.gather(*map(journal.record, ends), return_exceptions=True)
            else:
                for end in ends:
                    outcomes += await asyncio.gather(journal.record(end), return_exceptions=True)
            answers.append([each.changed if isinstance(each, Recorded) else type(each) for each in outcomes])
        assert answers[0] == answers[1] == [True, False, AlreadyFinished]
