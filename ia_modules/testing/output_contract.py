"""What every journal promises about what steps give as it comes, as tests: a part of ``JournalContract``."""

import pytest
from msgspec.structs import replace

from ia_modules.models import ExecutionId, LogLevel, PipelineId, StepExecutionId, StepStatus, new_id
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.contract_transitions import OWNER, claimed_of, ending, starting
from ia_modules.transitions import LogLine, StepUpdate, Transition


class OutputContract:
    """The promises about lines of level ``output``; the fixtures are those of the contract."""

    async def test_output_is_on_record_in_its_order_beside_what_is_logged(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "answer")
        await journal.record(started)
        for texts in (("one ", "two "), ("three",)):
            lines = tuple(_emitted(attempt, text) for text in texts)
            logged = LogLine(log_id=new_id(), message="thinking", step_execution_id=attempt)
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=(*lines, logged)))
        assert await _kept(journal, execution_id) == ["one ", "two ", "three"]
        assert [line.message for line in (await journal.changes(execution_id)).logs if line.logger is None] == [
            "thinking",
            "thinking",
        ]

    @pytest.mark.parametrize("status", [status for status in StepStatus if status.is_terminal])
    async def test_output_that_is_not_to_be_kept_goes_where_its_attempt_completes_and_only_there(
        self, journal: OperatorJournal, execution_id: ExecutionId, status: StepStatus
    ) -> None:
        ids: list[StepExecutionId] = []
        for step_id in ("answer", "other"):
            started, attempt = starting(execution_id, step_id)
            await journal.record(started)
            ids.append(attempt)
            logged = LogLine(log_id=new_id(), message="said", step_execution_id=attempt)
            lines = (_emitted(attempt, f"{step_id}, early"), logged)
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=lines))
        end = ending(execution_id, ids[0], status)
        end = replace(end, updates=(replace(end.updates[0], drops_output=True),))
        last = _emitted(ids[0], "answer, late")
        ended = replace(end, logs=(last, LogLine(log_id=new_id(), message="said", step_execution_id=ids[0])))
        for _ in range(2):
            await journal.record(ended)
        own = [] if status is StepStatus.COMPLETED else ["answer, early", "answer, late"]
        assert sorted(await _kept(journal, execution_id)) == [*own, "other, early"]
        lines = (await journal.changes(execution_id)).logs
        assert [line.message for line in lines if line.level is LogLevel.INFO] == ["said"] * 3

    @pytest.mark.parametrize("drops", [True, False])
    async def test_output_that_comes_after_the_end_of_its_attempt_is_dropped(
        self, journal: OperatorJournal, execution_id: ExecutionId, *, drops: bool
    ) -> None:
        """A write whose answer was lost is sent again, and may come after the end, which had the same lines."""
        started, attempt = starting(execution_id, "answer")
        await journal.record(started)
        first, last = _emitted(attempt, "first"), _emitted(attempt, "last")
        update = StepUpdate(step_execution_id=attempt, status=StepStatus.COMPLETED, drops_output=drops)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, updates=(update,), logs=(first, last)))
        late = await journal.record(
            Transition(execution_id=execution_id, writer=OWNER, logs=(first, _emitted(attempt, "too late")))
        )
        assert not late.changed
        assert await _kept(journal, execution_id) == ([] if drops else ["first", "last"])
        logged = LogLine(log_id=new_id(), message="said", step_execution_id=attempt)
        written = await journal.record(Transition(execution_id=execution_id, writer=OWNER, logs=(logged,)))
        assert written.changed

    async def test_what_a_process_runs_loses_its_output_in_the_write_that_reads_nothing(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        """Several at once, and one after it, all of which are known to the process that runs them."""
        lease = await claimed_of(journal, pipeline_id)
        attempts: list[StepExecutionId] = []
        for step_id in ("first", "second", "third"):
            started, attempt = starting(lease.execution_id, step_id)
            attempts.append(attempt)
            await journal.record(replace(started, lease=lease, writer=journal.owner))
            lines = tuple(_emitted(attempt, f"{step_id} {number}") for number in range(3))
            await journal.record(Transition(lease=lease, writer=journal.owner, logs=lines))
        ends = [StepUpdate(step_execution_id=each, status=StepStatus.COMPLETED, drops_output=True) for each in attempts]
        await journal.record(Transition(lease=lease, writer=journal.owner, updates=tuple(ends[:2])))
        assert await _kept(journal, lease.execution_id) == ["third 0", "third 1", "third 2"]
        await journal.record(Transition(lease=lease, writer=journal.owner, updates=tuple(ends[2:])))
        assert await _kept(journal, lease.execution_id) == []


def _emitted(attempt: StepExecutionId, text: str) -> LogLine:
    return LogLine(log_id=new_id(), message=text, level=LogLevel.OUTPUT, step_execution_id=attempt, logger="answer")


async def _kept(journal: OperatorJournal, execution_id: ExecutionId) -> list[str]:
    lines = (await journal.changes(execution_id)).logs
    assert [(line.sequence, line.log_id) for line in lines] == sorted((line.sequence, line.log_id) for line in lines)
    return [line.message for line in lines if line.level is LogLevel.OUTPUT]
