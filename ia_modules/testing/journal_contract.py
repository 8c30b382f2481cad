"""What every journal promises, as tests: subclass :class:`JournalContract`, provide ``journals`` and ``set_clock``."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ia_modules.models import ExecutionId, PipelineId, StepExecutionId, StepSummary, new_id
from ia_modules.payload import encode
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.changes_contract import MADE_TO_BE_INHERITED, ChangesContract, all_pages
from ia_modules.testing.contract_transitions import OWNER
from ia_modules.testing.executions_contract import ExecutionsContract
from ia_modules.testing.histories import LEVELS, PhasedHistory, explain, histories, run_history
from ia_modules.testing.levels_contract import LevelsContract
from ia_modules.testing.model import NOTHING_USED
from ia_modules.testing.output_contract import OutputContract
from ia_modules.testing.people_contract import PeopleContract
from ia_modules.testing.places_contract import PlacesContract
from ia_modules.testing.queue_contract import QueueContract
from ia_modules.testing.steps_contract import StepsContract
from ia_modules.testing.usage_contract import UsageContract
from ia_modules.testing.versions_contract import VersionsContract
from ia_modules.transitions import NewExecution, Transition


class JournalContract(
    ExecutionsContract,
    StepsContract,
    LevelsContract,
    ChangesContract,
    OutputContract,
    UsageContract,
    PlacesContract,
    VersionsContract,
    QueueContract,
    PeopleContract,
):
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

    @settings(max_examples=60, deadline=None, suppress_health_check=MADE_TO_BE_INHERITED)
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
                    "awaits": step.awaits,
                    **{name: getattr(step, name) for name in NOTHING_USED},
                    "output_data": encode(step.output_data, "output") if step.output_data else None,
                    "sequence": step.sequence,
                }
                for step in steps
            } == expected.steps
            pages = [page for level in LEVELS for page in await all_pages(journal, execution_id, limit, within=level)]
            shown: dict[StepExecutionId, StepSummary] = {}
            for page in pages:
                shown |= {step.step_execution_id: step for step in page.steps}
            assert list(shown.values()) == sorted(
                (step.narrow(StepSummary) for step in steps),
                key=lambda step: (LEVELS.index(step.within), step.sequence, step.step_execution_id),
            )
            assert sorted(line.log_id for page in pages for line in page.logs) == sorted(expected.logs)
