"""What an execution asks of its journal, and the journal of its database: six transitions for five steps, no reads."""

import inspect
from collections import Counter
from copy import copy
from itertools import pairwise
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseUnavailable
from ia_modules.models import ExecutionStatus, PipelineId
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.outcome import recorded_result
from ia_modules.pipeline.runner import TRACKER_SERVICE, Pipeline, Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import Recorded, Transition
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import nothing, pipeline_of, recorded

STEPS = ["one", "two", "three", "four", "five"]


def five_steps() -> LoadedPipeline:
    return pipeline_of(document(*STEPS, paths=list(pairwise(STEPS))), dict.fromkeys(STEPS, nothing))


class Counted:
    """Whatever it stands in front of, with the calls that are awaited counted by name."""

    def __init__(self, of: Any, *, but: tuple[str, ...] = ()) -> None:
        self._of, self._but = of, but
        self.calls = Counter[str]()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._of, name)
        if inspect.iscoroutinefunction(attribute) and name not in self._but:

            async def counted(*args: Any, **options: Any) -> Any:
                self.calls[name] += 1
                return await attribute(*args, **options)

            return counted
        return attribute


def services_of(journal: Any) -> ServiceRegistry:
    return ServiceRegistry({TRACKER_SERVICE: journal})


async def test_a_run_makes_a_transition_for_each_step_and_one_more_and_reads_nothing(journal: Journal) -> None:
    flow, counted = Flow("Five"), Counted(journal)
    for before, after in pairwise(flow.add(nothing, id=step_id) for step_id in STEPS):
        flow.connect(before.id, after.id)
    await flow.run(services=services_of(counted))
    assert counted.calls == {"register_version": 1, "record": 6}
    pipeline = Pipeline(five_steps(), services_of(counted))
    await pipeline.run()
    for run in (flow.run(services=services_of(counted)), pipeline.run()):
        counted.calls.clear()
        await run
        assert counted.calls == {"record": 6}


async def test_a_run_with_its_id_first_makes_one_transition_more(journal: Journal) -> None:
    counted, pipeline = Counted(journal), five_steps()
    runner = Runner(counted)  # pyright: ignore[reportArgumentType] - the rest is the journal's
    started = await runner.start(pipeline)
    assert await journal.get_execution_steps(started.execution_id) == []
    await started.to_end()
    assert counted.calls == {"register_version": 1, "record": 7}


async def test_a_run_is_as_many_transactions_of_its_database(database: DatabaseManager) -> None:
    counted_database = copy(database)
    counted: Any = Counted(database._driver, but=("notify",))
    counted_database._driver = counted
    looks_for_cancellations = database.query("cancel_requests")
    async with ExecutionTracker(counted_database, lease_seconds=None) as tracker:
        pipeline = Pipeline(five_steps(), services_of(tracker))
        await pipeline.run()
        perform, looks = counted.perform, Counter[str]()

        async def but_cancellations(statement: Any) -> Any:
            looks["cancellations"] += statement.sql == looks_for_cancellations
            return await perform(statement)

        counted.perform = but_cancellations
        counted.calls.clear()
        await pipeline.run()
        assert counted.calls.total() - looks["cancellations"] == counted.calls["write_plan"] == 6, counted.calls


async def test_what_a_worker_has_claimed_untouched_is_run_without_looking_for_attempts(journal: Journal) -> None:
    counted, pipeline = Counted(journal), five_steps()
    runner = Runner(counted)  # pyright: ignore[reportArgumentType] - the rest is the journal's
    for untouched, reads in ((True, 0), (False, 1)):
        started = await Runner(journal).start(pipeline)
        record = await journal.get_execution(started.execution_id)
        assert record is not None
        counted.calls.clear()
        status = await runner.to_end(runner.claimed(pipeline, record.input_data, started.lease, untouched=untouched))
        assert status is ExecutionStatus.COMPLETED
        assert counted.calls == Counter(record=6, get_attempts=reads)


async def test_a_pipeline_that_was_deleted_since_it_ran_is_registered_again(journal: Journal) -> None:
    pipeline, gone = five_steps(), PipelineId("0199c3f2-7b1e-7c41-9d0e-3f5a6b7c8d9e")
    first = await Runner(journal).run(pipeline)
    registered = pipeline.registered[journal]
    for begin in (Runner(journal).run, Runner(journal).start):
        pipeline.registered[journal] = registered.__class__(pipeline_id=gone, version=1, current_version=1)
        await begin(pipeline)
        assert pipeline.registered[journal] == registered
    record = await journal.get_execution(first["execution_id"])
    assert record is not None
    assert record.pipeline_id == registered.pipeline_id


async def test_what_another_process_made_current_stays_so(journal: Journal) -> None:
    pipeline = five_steps()
    await Runner(journal).run(pipeline)
    definition = pipeline.definition.to_json()
    other = {**definition, "description": "another"}
    second = await journal.register_version(definition["slug"], "Another", other, new_version=True)
    assert second.current_version == 2
    result = await Runner(journal).run(pipeline)
    record = await journal.get_execution(result["execution_id"])
    assert record is not None
    assert record.pipeline_version == 1
    third = await journal.register_version(definition["slug"], "Another", other, make_current=False)
    assert third.current_version == 2


async def test_each_journal_has_a_registration_of_its_own() -> None:
    pipeline, journals = five_steps(), [MemoryJournal(), MemoryJournal()]
    for journal in (*journals, *journals):
        assert (await Runner(journal).run(pipeline))["status"] == "completed"
    assert len({pipeline.registered[journal].pipeline_id for journal in journals}) == 2


class AwayOnce(MemoryJournal):
    """A journal that cannot be reached when the second step's end is to be written for the first time."""

    away = True

    async def record(self, transition: Transition) -> Recorded:
        if self.away and any(step.step_id == "three" for step in transition.starts):
            self.away = False
            raise DatabaseUnavailable("away")
        return await super().record(transition)


async def test_a_started_execution_that_is_run_once_more_goes_on_from_its_records() -> None:
    journal = AwayOnce()
    started = await Runner(journal).start(five_steps())
    with pytest.raises(DatabaseUnavailable):
        await started.to_end()
    result = await started.to_end()
    execution, steps = await recorded(journal, started.execution_id)
    assert result == await recorded_result(journal, execution)
    assert [step.attempt for step in steps if step.step_id == "one"] == [1]
    assert (result["status"], len(result["steps"])) == ("completed", 5)
