"""What every journal promises about what calls of models used, as tests: a part of ``JournalContract``."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ia_modules.models import (
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    PipelineId,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.changes_contract import MADE_TO_BE_INHERITED
from ia_modules.testing.contract_transitions import OWNER, becomes, claimed_of, ending, starting
from ia_modules.transitions import NewExecution, StepCopy, StepStart, StepUpdate, TakeOver, Transition
from ia_modules.usage import Usage, UsageCall, UsageTally

Sums = tuple[int | None, int | None, int | None, int | None]
"""Input tokens, output tokens, cost in millionths, calls without a price."""

NOTHING: Sums = (None, None, None, None)
ONCE = UsageCall(model="m", provider="p", input_tokens=10, output_tokens=3, cost_micros=7, source="reported")
UNPRICED = UsageCall(model="new", input_tokens=5, output_tokens=1, cached_tokens=2, first_token_ms=120)


class UsageContract:
    """The promises about usage; the fixtures are those of the contract."""

    async def test_what_an_attempt_used_is_on_record_and_in_the_sums_of_its_execution_once(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "ask")
        await journal.record(started)
        assert (_sums(await _execution(journal, execution_id)), _sums(await _only(journal, execution_id))) == (
            NOTHING,
            NOTHING,
        )
        for calls in ([ONCE], [ONCE], [ONCE, UNPRICED]):  # the second is a write that is sent again
            await journal.record(_uses(execution_id, attempt, calls))
        step = await _only(journal, execution_id)
        assert _sums(step) == (15, 4, 7, 1)
        assert _sums(await _execution(journal, execution_id)) == (15, 4, 7, 1)
        assert step.first_token_ms == 120
        assert step.usage == orjson.loads(used_by([ONCE, UNPRICED]).by_model)
        [changed] = (await journal.changes(execution_id)).steps
        assert (changed.usage, _sums(changed)) == (step.usage, _sums(step))

    async def test_what_is_older_than_what_is_on_record_says_nothing(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "ask")
        await journal.record(started)
        for calls in ([ONCE, ONCE], [ONCE], []):
            await journal.record(_uses(execution_id, attempt, calls))
        ended = ending(execution_id, attempt, StepStatus.FAILED)
        last = replace(ended, updates=(replace(ended.updates[0], usage=used_by([ONCE] * 3)),))
        for _ in range(2):
            await journal.record(last)
        late = await journal.record(_uses(execution_id, attempt, [ONCE] * 4))
        assert not late.changed, "it has ended, with all that it had told"
        for row in (await _only(journal, execution_id), await _execution(journal, execution_id)):
            assert _sums(row) == (30, 9, 21, 0)

    @pytest.mark.parametrize("status", [status for status in StepStatus if status.is_terminal])
    async def test_an_attempt_counts_however_it_ends_and_at_every_level(
        self, journal: OperatorJournal, execution_id: ExecutionId, status: StepStatus
    ) -> None:
        started, outer = starting(execution_id, "ask")
        inner = StepExecutionId(new_id())
        within = run_path(GRAPH, "ask", 1)
        start = StepStart(step_execution_id=inner, step_id="call", step_name="call", step_type="inner", within=within)
        await journal.record(replace(started, starts=(*started.starts, start)))
        await journal.record(_uses(execution_id, inner, [ONCE]))
        both = (
            StepUpdate(step_execution_id=inner, usage=used_by([ONCE, UNPRICED])),  # it is closed by what ends around it
            StepUpdate(step_execution_id=outer, status=status, usage=used_by([ONCE])),
        )
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, updates=both))
        await journal.record(becomes(execution_id, ExecutionStatus.FAILED))
        assert _sums(await _execution(journal, execution_id)) == (25, 7, 14, 1)
        [closed] = await journal.get_execution_steps(execution_id, within=within)
        assert (_sums(closed), closed.status.is_terminal) == ((15, 4, 7, 1), True)

    async def test_what_a_lost_process_told_stays_and_who_takes_over_adds_its_own(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "ask")
        await journal.record(started)
        await journal.record(_uses(execution_id, attempt, [ONCE]))
        await journal.record(Transition(execution_id=execution_id, writer="other", ownership=TakeOver()))
        again = StepExecutionId(new_id())
        lost = StepUpdate(step_execution_id=attempt, status=StepStatus.LOST)
        start = StepStart(step_execution_id=again, step_id="ask", step_name="ask", step_type="task")
        taken = Transition(execution_id=execution_id, writer="other", updates=(lost,), starts=(start,))
        await journal.record(taken)
        await journal.record(replace(_uses(execution_id, again, [UNPRICED]), writer="other"))
        assert [_sums(step) for step in await journal.get_execution_steps(execution_id)] == [
            (10, 3, 7, 0),
            (5, 1, None, 1),
        ]
        assert _sums(await _execution(journal, execution_id)) == (15, 4, 7, 1)

    async def test_what_is_copied_has_used_nothing_where_it_is_copied_to(
        self, journal: OperatorJournal, pipeline_id: PipelineId, execution_id: ExecutionId
    ) -> None:
        started, attempt = starting(execution_id, "ask")
        await journal.record(started)
        ended = ending(execution_id, attempt, StepStatus.COMPLETED)
        await journal.record(replace(ended, updates=(replace(ended.updates[0], usage=used_by([ONCE])),)))
        copy = StepCopy(
            step_execution_id=StepExecutionId(new_id()),
            copied_from=attempt,
            status=StepStatus.COMPLETED,
            routes=None,
            interaction_id=new_id(),
        )
        rerun = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, rerun_of=execution_id)
        await journal.record(Transition(execution_id=rerun, writer=OWNER, new=new, copies=(copy,)))
        step = await _only(journal, rerun)
        assert (_sums(step), step.usage, step.copied_from) == (NOTHING, None, attempt)
        assert _sums(await _execution(journal, rerun)) == NOTHING

    async def test_what_a_process_runs_tells_in_the_write_that_reads_nothing(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        """Several at once, and with the end of the execution, all of which are known to the process that runs them."""
        lease = await claimed_of(journal, pipeline_id)
        attempts = [StepExecutionId(new_id()) for _ in range(3)]
        starts = tuple(
            StepStart(step_execution_id=each, step_id=f"s{number}", step_name="s", step_type="task")
            for number, each in enumerate(attempts)
        )
        writes: list[dict[str, Any]] = [
            {"starts": starts},
            {"updates": tuple(StepUpdate(step_execution_id=each, usage=used_by([ONCE])) for each in attempts)},
            {"updates": (_end(attempts[0], [ONCE, ONCE]), StepUpdate(step_execution_id=attempts[1], progress=0.5))},
            {"updates": (_end(attempts[1], [ONCE]),)},
            {
                "updates": (_end(attempts[2], [ONCE, UNPRICED]),),
                "change": becomes(lease.execution_id, ExecutionStatus.COMPLETED).change,
            },
        ]
        for write in writes:
            for _ in range(2):
                await journal.record(Transition(lease=lease, writer=journal.owner, **write))
        steps = await journal.get_execution_steps(lease.execution_id)
        assert [_sums(step) for step in steps] == [(20, 6, 14, 0), (10, 3, 7, 0), (15, 4, 7, 1)]
        execution = await _execution(journal, lease.execution_id)
        assert (_sums(execution), execution.status) == ((45, 13, 28, 1), ExecutionStatus.COMPLETED)

    @settings(max_examples=25, deadline=None, suppress_health_check=MADE_TO_BE_INHERITED)
    @given(
        calls=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.none() | st.integers(0, 9)), max_size=12),
        again=st.lists(st.integers(0, 11), max_size=6),
        ends=st.booleans(),
    )
    async def test_the_sums_are_those_of_the_attempts_whatever_is_written_again(
        self,
        journals: list[OperatorJournal],
        pipeline_id: PipelineId,
        calls: list[tuple[int, int, int | None]],
        again: list[int],
        *,
        ends: bool,
    ) -> None:
        execution_id, attempts = ExecutionId(new_id()), [StepExecutionId(new_id()) for _ in range(3)]
        starts = tuple(
            StepStart(step_execution_id=each, step_id=f"s{number}", step_name="s", step_type="task")
            for number, each in enumerate(attempts)
        )
        new = NewExecution(pipeline_id=pipeline_id)
        await journals[0].record(Transition(execution_id=execution_id, writer=OWNER, new=new, starts=starts))
        tallies = [UsageTally() for _ in attempts]
        written: list[Transition] = []
        for number, (of, tokens, cost) in enumerate(calls):
            source = "unknown" if cost is None else "computed"
            tallies[of].add(UsageCall(model=f"m{tokens % 3}", input_tokens=tokens, cost_micros=cost, source=source))
            status = StepStatus.FAILED if ends and number == len(calls) - 1 else None
            update = StepUpdate(step_execution_id=attempts[of], status=status, usage=tallies[of].usage)
            written.append(Transition(execution_id=execution_id, writer=OWNER, updates=(update,)))
            await journals[number % len(journals)].record(written[-1])
            for late in again:
                if late < len(written):
                    repeated = written[late].updates[0]
                    repeated = replace(repeated, status=None)
                    await journals[-1].record(replace(written[late], updates=(repeated,)))
        for journal in journals:
            steps = await journal.get_execution_steps(execution_id)
            expected: list[int | None] = []
            for of in range(3):
                own = [tokens for at, tokens, _ in calls if at == of]
                expected.append(sum(own) if own else None)
            assert [step.input_tokens for step in steps] == expected
            costs = [cost for _, _, cost in calls if cost is not None]
            execution = await _execution(journal, execution_id)
            assert execution.cost_micros == (sum(costs) if costs else None)
            assert (execution.input_tokens or 0) == sum(tokens for _, tokens, _ in calls)
            assert (execution.unpriced_calls or 0) == sum(cost is None for _, _, cost in calls)


def used_by(calls: Iterable[UsageCall]) -> Usage:
    """What an attempt has told that has made these calls."""
    tally = UsageTally()
    for call in calls:
        tally.add(call)
    return tally.usage


def _uses(execution_id: ExecutionId, attempt: StepExecutionId, calls: Iterable[UsageCall]) -> Transition:
    update = StepUpdate(step_execution_id=attempt, usage=used_by(calls))
    return Transition(execution_id=execution_id, writer=OWNER, updates=(update,))


def _end(attempt: StepExecutionId, calls: Iterable[UsageCall]) -> StepUpdate:
    return StepUpdate(step_execution_id=attempt, status=StepStatus.COMPLETED, usage=used_by(calls))


def _sums(row: Any) -> Sums:
    return row.input_tokens, row.output_tokens, row.cost_micros, row.unpriced_calls


async def _execution(journal: OperatorJournal, execution_id: ExecutionId) -> ExecutionRecord:
    record = await journal.get_execution(execution_id)
    assert record is not None
    return record


async def _only(journal: OperatorJournal, execution_id: ExecutionId) -> StepExecutionRecord:
    [step] = await journal.get_execution_steps(execution_id)
    return step
