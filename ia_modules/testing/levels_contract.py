"""What every journal promises about runs within runs, as tests: a part of ``JournalContract``."""

import pytest
from msgspec.structs import replace

from ia_modules.errors import LeaseLost
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    Lease,
    PipelineId,
    RunPath,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.payload import encode
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.contract_transitions import asks, claimed_of
from ia_modules.transitions import (
    ExecutionUpdate,
    Failure,
    LogLine,
    NewInteraction,
    Recovery,
    StepCopy,
    StepStart,
    StepUpdate,
    Transition,
)

OWNER = "owner"
WORK = run_path(GRAPH, "work", 1)
ITEM = run_path(WORK, "work", 17)


class LevelsContract:
    """The promises about levels; the fixtures are those of the contract."""

    async def test_each_level_is_read_alone(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        ids = await _start_tree(journal, execution_id)
        lines = tuple(LogLine(log_id=new_id(), message="m", step_execution_id=each) for each in (None, *ids))
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=lines))
        for level, steps in ((GRAPH, ids[:2]), (WORK, ids[2:3]), (ITEM, ids[3:]), (run_path(GRAPH, "no", 1), [])):
            assert [each.step_execution_id for each in await _steps(journal, execution_id, level)] == steps
            changes = await journal.changes(execution_id, within=level)
            assert [each.step_execution_id for each in changes.steps] == steps
            assert {each.step_execution_id for each in changes.logs} - {None} == set(steps)
            assert {each.within for each in (*changes.steps, *changes.logs)} <= {level}
            assert (changes.more, changes.upto) == (False, changes.execution.sequence)

    async def test_counters_are_the_graphs_and_any_end_is_progress(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        work, other, item, inner = await _start_tree(journal, execution_id)
        await journal.record(_ends(execution_id, (inner, StepStatus.FAILED), (item, StepStatus.COMPLETED)))
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.completed_steps, record.failed_steps) == (0, 0)
        await journal.record(_ends(execution_id, (work, StepStatus.COMPLETED), (other, StepStatus.FAILED)))
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.completed_steps, record.failed_steps) == (1, 1)

    async def test_a_run_that_ends_takes_along_what_is_open_within_it(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        work, other, item, inner = await _start_tree(journal, execution_id)
        await _ask(journal, execution_id, inner)
        await journal.record(_ends(execution_id, (work, StepStatus.COMPLETED)))
        record = await journal.get_execution(execution_id)
        assert record is not None
        for level, closed in ((WORK, item), (ITEM, inner)):
            [step] = await _steps(journal, execution_id, level)
            assert (step.step_execution_id, step.status, step.error_type) == (closed, StepStatus.CANCELLED, "RunEnded")
            assert step.sequence == record.sequence
            assert step.completed_at is not None
        [question] = await journal.get_interactions(execution_id)
        assert (question.status, question.sequence) == ("cancelled", record.sequence)
        [_, beside] = await _steps(journal, execution_id, GRAPH)
        assert (beside.step_execution_id, beside.status) == (other, StepStatus.RUNNING)

    async def test_a_question_ends_with_its_attempt(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        work, other, *_ = await _start_tree(journal, execution_id)
        await _ask(journal, execution_id, work)
        await _ask(journal, execution_id, other)
        await journal.record(_ends(execution_id, (work, StepStatus.CANCELLED)))
        assert [each.status for each in await journal.get_interactions(execution_id)] == ["cancelled", "pending"]

    async def test_the_next_attempt_of_a_run_begins_with_what_is_within_it(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        """One transition ends an attempt with its parts and begins the next with parts of its own."""
        work, _, item, _ = await _start_tree(journal, execution_id)
        end = _ends(execution_id, (work, StepStatus.FAILED)).updates
        starts = (_start("work", GRAPH), _start("work", WORK, iteration=17, attempt=2))
        progress = StepUpdate(step_execution_id=item, progress=0.5)
        transition = Transition(execution_id=execution_id, writer=OWNER, updates=(*end, progress), starts=starts)
        await journal.record(transition)
        again = await journal.record(Transition(execution_id=execution_id, writer=OWNER, starts=starts))
        assert not again.changed
        items = [(each.iteration, each.attempt, each.status) for each in await _steps(journal, execution_id, WORK)]
        assert items == [(17, 1, StepStatus.CANCELLED), (17, 2, StepStatus.RUNNING)]

    async def test_what_was_lost_loses_what_ran_in_it_at_every_depth_and_nothing_that_rests(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        work, *_ = await _start_tree(journal, execution_id)
        resting = [
            _start("retry", GRAPH, status=StepStatus.PENDING),
            _start("retry", WORK, status=StepStatus.PENDING),
            _start("sleep", ITEM, status=StepStatus.WAITING),
        ]
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, starts=tuple(resting)))
        lost = StepUpdate(
            step_execution_id=work, status=StepStatus.LOST, failure=Failure(type="WorkerStopped", message="so")
        )
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, updates=(lost,)))
        put_back = Recovery(status=ExecutionStatus.PENDING)
        await journal.record(Transition(lease=Lease(execution_id, 1), writer=OWNER, ownership=put_back))
        found = {
            (level, each.step_id): (each.status, each.error_type)
            for level in (GRAPH, WORK, ITEM)
            for each in await _steps(journal, execution_id, level)
        }
        assert found == {
            (GRAPH, "work"): (StepStatus.LOST, "WorkerStopped"),
            (GRAPH, "other"): (StepStatus.LOST, "ProcessLost"),
            (GRAPH, "retry"): (StepStatus.PENDING, None),
            (WORK, "work"): (StepStatus.LOST, "WorkerStopped"),
            (WORK, "retry"): (StepStatus.PENDING, None),
            (ITEM, "search"): (StepStatus.LOST, "WorkerStopped"),
            (ITEM, "sleep"): (StepStatus.WAITING, None),
        }

    async def test_an_attempt_that_has_not_begun_begins_where_it_is_gone_on_with(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        delayed = _start("retry", GRAPH, status=StepStatus.PENDING)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, starts=(delayed,)))
        lease = await journal.take_over(execution_id, owner="heir")
        begins = StepUpdate(step_execution_id=delayed.step_execution_id, status=StepStatus.RUNNING, worker="heir")
        await journal.record(Transition(lease=lease, writer="heir", updates=(begins,)))
        [step] = await _steps(journal, execution_id, GRAPH)
        assert (step.worker, step.attempt, step.status) == ("heir", 1, StepStatus.RUNNING)
        assert step.started_at is not None

    async def test_an_item_is_copied_once_to_another_number_with_its_question(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        _, _, item, _ = await _start_tree(journal, execution_id)
        await _ask(journal, execution_id, item)
        [question] = await journal.get_interactions(execution_id)
        await journal.answer_interaction(question.interaction_id, {"ok": True}, actor="ann")
        output = StepUpdate(step_execution_id=item, status=StepStatus.COMPLETED, output_data=encode({"n": 1}, "output"))
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, updates=(output,)))
        copy = StepCopy(
            step_execution_id=StepExecutionId(new_id()),
            copied_from=item,
            status=StepStatus.COMPLETED,
            routes=None,
            interaction_id=new_id(),
            iteration=3,
        )
        written = [
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, copies=(copy,))) for _ in range(2)
        ]
        assert [each.changed for each in written] == [True, False]
        source, copied = sorted(await _steps(journal, execution_id, WORK), key=lambda each: -each.iteration)
        assert (copied.step_execution_id, copied.copied_from) == (copy.step_execution_id, item)
        assert (copied.iteration, copied.attempt, copied.sequence) == (3, 1, written[0].sequence)
        assert (copied.step_name, copied.status, copied.output_data) == ("work", source.status, source.output_data)
        attempts = await journal.get_attempts(execution_id, within=WORK)
        assert {(each.iteration, each.step_name, each.copied_from) for each in attempts} == {
            (3, "work", item),
            (17, "work", None),
        }
        _, carried = await journal.get_interactions(execution_id)
        assert (carried.step_execution_id, carried.status) == (copy.step_execution_id, "answered")
        assert [each.actor for each in carried.responses] == ["ann"]
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.completed_steps, record.failed_steps) == (0, 0)
        with pytest.raises(LeaseLost):
            await journal.record(Transition(execution_id=execution_id, writer="other", copies=(copy,)))

    async def test_the_end_of_an_execution_leaves_nothing_open_at_any_depth(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        *_, inner = await _start_tree(journal, execution_id)
        await _ask(journal, execution_id, inner)
        late = _start("late", ITEM)
        change = ExecutionUpdate(status=ExecutionStatus.COMPLETED)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, starts=(late,), change=change))
        steps = [each for level in (GRAPH, WORK, ITEM) for each in await _steps(journal, execution_id, level)]
        assert {(each.status, each.error_type) for each in steps} == {(StepStatus.CANCELLED, "ExecutionEnded")}
        assert [each.status for each in await journal.get_interactions(execution_id)] == ["cancelled"]

    @pytest.mark.parametrize("answered_before", [0, 1, 2])
    async def test_what_asks_more_than_once_within_a_run_goes_on_when_all_is_answered(
        self, journal: OperatorJournal, pipeline_id: PipelineId, answered_before: int
    ) -> None:
        """Questions that are answered before it comes to rest, and after that."""
        lease = await claimed_of(journal, pipeline_id)
        work, *items = (_start("work", GRAPH), *(_start("work", WORK, iteration=number) for number in (1, 2)))
        await journal.record(Transition(lease=lease, writer=journal.owner, starts=(work, *items)))
        for item in items:
            await journal.record(
                replace(asks(lease.execution_id, item.step_execution_id, timeout_seconds=None), writer=journal.owner)
            )
        questions = await journal.get_interactions(lease.execution_id, awaited=True, within=WORK)
        assert await journal.get_interactions(lease.execution_id, within=GRAPH) == []
        ids = [each.interaction_id for each in questions]
        for each in ids[:answered_before]:
            await journal.answer_interaction(each, True, actor="ann")
        waits = StepUpdate(step_execution_id=work.step_execution_id, status=StepStatus.WAITING)
        rest = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN, released=True)
        rested = await journal.record(Transition(lease=lease, writer=journal.owner, updates=(waits,), change=rest))
        statuses = [rested.status]
        for each in ids[answered_before:]:
            await journal.answer_interaction(each, True, actor="ann")
            record = await journal.get_execution(lease.execution_id)
            assert record is not None
            statuses.append(record.status)
        expected = [ExecutionStatus.WAITING_FOR_HUMAN] * (2 - answered_before)
        assert statuses == [*expected, ExecutionStatus.PENDING]


def _start(
    step_id: str,
    within: RunPath,
    *,
    status: StepStatus = StepStatus.RUNNING,
    iteration: int | None = None,
    attempt: int | None = None,
) -> StepStart:
    return StepStart(
        step_execution_id=StepExecutionId(new_id()),
        step_id=step_id,
        step_name=step_id,
        step_type="task",
        within=within,
        iteration=iteration,
        attempt=attempt,
        status=status,
    )


async def _start_tree(journal: OperatorJournal, execution_id: ExecutionId) -> list[StepExecutionId]:
    """Two steps of the graph, an item within the first, and what is within the item."""
    starts = (
        _start("work", GRAPH),
        _start("other", GRAPH),
        _start("work", WORK, iteration=17),
        _start("search", ITEM),
    )
    await journal.record(Transition(execution_id=execution_id, writer=OWNER, starts=starts))
    return [start.step_execution_id for start in starts]


async def _steps(journal: OperatorJournal, execution_id: ExecutionId, within: RunPath) -> list[StepExecutionRecord]:
    return await journal.get_execution_steps(execution_id, within=within)


def _ends(execution_id: ExecutionId, *ends: tuple[StepExecutionId, StepStatus]) -> Transition:
    updates = tuple(StepUpdate(step_execution_id=attempt, status=status) for attempt, status in ends)
    return Transition(execution_id=execution_id, writer=OWNER, updates=updates)


async def _ask(journal: OperatorJournal, execution_id: ExecutionId, attempt: StepExecutionId) -> None:
    question = NewInteraction(
        interaction_id=new_id(), step_execution_id=attempt, ui_schema=encode({"type": "object"}, "schema")
    )
    waits = StepUpdate(step_execution_id=attempt, status=StepStatus.WAITING)
    await journal.record(Transition(execution_id=execution_id, writer=OWNER, updates=(waits,), asks=(question,)))
