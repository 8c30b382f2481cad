import asyncio
from collections import Counter
from collections.abc import Iterable

import pytest

from ia_modules.database.driver import Plan
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, ExecutionStatus, PipelineId, new_id
from ia_modules.tracker.cohorts import Cohorts
from ia_modules.tracker.committer import Committer
from ia_modules.transitions import ExecutionUpdate, NewExecution, Transition


class Work:
    """Cohorts of writers, whose computing and whose commits take what a test says."""

    def __init__(self, *, divides: bool = True) -> None:
        self.now = self.computed = 0.0
        self.cohorts = Cohorts(divides=divides, clock=lambda: self.now, computed=lambda: self.computed)

    def batches(self, number: int, *, computing: float, writing: float) -> None:
        """So many, each after its computing; what is computed while another half is written counts, too."""
        for _ in range(number):
            self.computed += computing
            self.now += computing
            self.cohorts.begin()
            self.now += writing
            self.cohorts.end()


def test_all_is_one_batch_until_computing_is_seen_to_take_longer_than_writing() -> None:
    work = Work()
    assert (work.cohorts.share(50), work.cohorts.passes(1, 50)) == (50, 0)
    work.batches(1, computing=0.010, writing=0.005)
    assert not work.cohorts.are_two  # what was computed before the first batch is not known
    work.batches(1, computing=0.010, writing=0.005)
    assert work.cohorts.are_two
    assert [work.cohorts.share(writers) for writers in (1, 2, 7, 50)] == [1, 1, 4, 25]


def test_halves_are_compared_with_the_computing_of_both() -> None:
    work = Work()
    work.batches(2, computing=0.010, writing=0.009)
    work.batches(3, computing=0.005, writing=0.009)
    assert work.cohorts.are_two
    work.batches(2, computing=0.004, writing=0.009)
    assert not work.cohorts.are_two


def test_on_a_slow_disk_all_is_one_batch_again() -> None:
    work = Work()
    work.batches(2, computing=0.010, writing=0.005)
    work.batches(1, computing=0.005, writing=0.030)
    assert not work.cohorts.are_two
    work.batches(5, computing=0.010, writing=0.030)
    assert work.cohorts.share(50) == 50


def test_a_half_that_is_not_whole_yet_is_waited_for_and_no_longer_than_a_step_takes() -> None:
    work = Work()
    work.batches(2, computing=0.010, writing=0.005)
    assert work.cohorts.passes(24, 50) > 0
    assert work.cohorts.passes(25, 50) == 0
    assert work.cohorts.passes(1, 1) == 0


def test_where_the_writers_would_wait_for_the_database_all_the_same_nothing_is_divided() -> None:
    work = Work(divides=False)
    work.batches(5, computing=0.010, writing=0.001)
    assert not work.cohorts.are_two


class Two(Cohorts):
    """Divides whatever it costs."""

    def __init__(self) -> None:
        super().__init__(divides=False)
        self.are_two = True


async def test_halves_that_alternate_write_everything_once_and_in_order(
    database: DatabaseManager, pipeline_id: PipelineId, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write_plan = database.write_plan

    async def counted(rows: Plan, **limits: float) -> bool:
        sizes.append(sum(map(len, rows.values())))
        return await write_plan(rows, **limits)

    monkeypatch.setattr(database, "write_plan", counted)
    committed: Counter[ExecutionId] = Counter()

    def on_commit(executions: Iterable[ExecutionId]) -> None:
        committed.update(executions)

    committer = Committer(database, on_commit=on_commit, cohorts=Two())

    async def write(writer: int) -> ExecutionStatus:
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, pipeline_name="Work", total_steps=0)
        await committer.record(Transition(writer="me", execution_id=execution_id, new=new))
        for count in range(1, 6):
            change = ExecutionUpdate(total_steps=count + writer)
            await committer.record(Transition(writer="me", execution_id=execution_id, change=change))
        end = ExecutionUpdate(status=ExecutionStatus.COMPLETED)
        return (await committer.record(Transition(writer="me", execution_id=execution_id, change=end))).status

    assert set(await asyncio.gather(*(write(writer) for writer in range(20)))) == {ExecutionStatus.COMPLETED}
    rows = await database.fetch_all_async("SELECT sequence, total_steps FROM pipeline_executions ORDER BY total_steps")
    assert [(row["sequence"], row["total_steps"]) for row in rows] == [(7, 5 + writer) for writer in range(20)]
    assert set(committed.values()) == {7}
    assert max(sizes) == 10
    assert sum(sizes) == 20 * 7
