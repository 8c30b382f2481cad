"""What every journal promises about where attempts run, as tests: a part of ``JournalContract``."""

import pytest
from msgspec.structs import replace

from ia_modules.errors import LeaseLost
from ia_modules.models import (
    ExecutionId,
    Lease,
    PipelineId,
    StepExecutionId,
    StepExecutionRecord,
    StepPlace,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.contract_transitions import OWNER, ending, starting
from ia_modules.transitions import NewExecution, StepCopy, StepStart, StepUpdate, TakeOver, Transition

THERE = StepPlace(cluster="session_1", node="1dba27", pid=6500, resources={"CPU": 1.0, "GPU": 0.5}, waited_seconds=3.25)


class PlacesContract:
    """The promises about places; the fixtures are those of the contract."""

    async def test_where_an_attempt_runs_is_on_record_and_told_to_followers(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "train")
        before = await journal.record(started)
        assert (await _only(journal, execution_id)).place is None
        placed = await journal.record(runs_at(execution_id, attempt, THERE))
        assert (placed.changed, placed.sequence) == (True, before.sequence + 1)
        step = await _only(journal, execution_id)
        assert (step.place, step.sequence, step.status) == (THERE, placed.sequence, StepStatus.RUNNING)
        assert step.to_dict()["place"] == {
            "cluster": "session_1",
            "node": "1dba27",
            "pid": 6500,
            "resources": {"CPU": 1.0, "GPU": 0.5},
            "waited_seconds": 3.25,
        }
        [changed] = (await journal.changes(execution_id, after=before.sequence)).steps
        assert changed.place == THERE

    async def test_it_stays_when_it_is_sent_again_and_when_the_attempt_has_ended(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "train")
        await journal.record(started)
        for _ in range(2):
            await journal.record(runs_at(execution_id, attempt, THERE))
            assert (await _only(journal, execution_id)).place == THERE
        await journal.record(ending(execution_id, attempt, StepStatus.COMPLETED))
        late = await journal.record(runs_at(execution_id, attempt, replace(THERE, node="another")))
        assert not late.changed, "it has ended there"
        assert (await _only(journal, execution_id)).place == THERE

    async def test_of_two_places_the_last_one_stands(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, attempt = starting(execution_id, "train")
        await journal.record(started)
        fallback = StepPlace(cluster="session_2", node="77", pid=1, resources={}, waited_seconds=0.0)
        for place in (THERE, fallback):
            await journal.record(runs_at(execution_id, attempt, place))
        assert (await _only(journal, execution_id)).place == fallback

    async def test_an_attempt_has_one_at_every_level(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, _ = starting(execution_id, "train")
        item, within = StepExecutionId(new_id()), run_path(GRAPH, "train", 1)
        start = StepStart(step_execution_id=item, step_id="train", step_name="7", step_type="item", within=within)
        await journal.record(replace(started, starts=(*started.starts, start)))
        await journal.record(runs_at(execution_id, item, THERE))
        assert (await _only(journal, execution_id)).place is None
        [step] = await journal.get_execution_steps(execution_id, within=within)
        assert step.place == THERE

    async def test_a_stranger_is_refused(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, attempt = starting(execution_id, "train")
        recorded = await journal.record(started)
        with pytest.raises(LeaseLost):
            await journal.record(replace(runs_at(execution_id, attempt, THERE), writer="stranger"))
        await journal.record(Transition(execution_id=execution_id, writer="other", ownership=TakeOver()))
        late = replace(runs_at(execution_id, attempt, THERE), lease=recorded.lease)
        with pytest.raises(LeaseLost):
            await journal.record(late)
        with pytest.raises(LeaseLost):
            await journal.record(replace(late, writer="other", lease=Lease(execution_id, recorded.lease.epoch)))
        assert (await _only(journal, execution_id)).place is None

    async def test_what_is_copied_ran_at_no_place_where_it_is_copied_to(
        self, journal: OperatorJournal, pipeline_id: PipelineId, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "train")
        await journal.record(started)
        await journal.record(runs_at(execution_id, attempt, THERE))
        await journal.record(ending(execution_id, attempt, StepStatus.COMPLETED))
        copy = StepCopy(
            step_execution_id=StepExecutionId(new_id()),
            copied_from=attempt,
            status=StepStatus.COMPLETED,
            routes=None,
            interaction_id=new_id(),
        )
        rerun, new = ExecutionId(new_id()), NewExecution(pipeline_id=pipeline_id, rerun_of=execution_id)
        await journal.record(Transition(execution_id=rerun, writer=OWNER, new=new, copies=(copy,)))
        step = await _only(journal, rerun)
        assert (step.place, step.copied_from) == (None, attempt)


def runs_at(execution_id: ExecutionId, attempt: StepExecutionId, place: StepPlace) -> Transition:
    update = StepUpdate(step_execution_id=attempt, place=place)
    return Transition(execution_id=execution_id, writer=OWNER, updates=(update,))


async def _only(journal: OperatorJournal, execution_id: ExecutionId) -> StepExecutionRecord:
    [step] = await journal.get_execution_steps(execution_id)
    return step
