"""Random graphs, random timings, processes that die anywhere: the outcome is the reference's, nothing is done twice.

For an hour's worth: ``IA_TEST_TIMES=100 make test ARGS="--timeout 0 -k test_runner_properties"``.
"""

import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ia_modules.errors import StepError
from ia_modules.models import ExecutionId, ExecutionStatus, RunPath, StepExecutionRecord, StepStatus, StepSummary
from ia_modules.paths import GRAPH, is_inside, run_path
from ia_modules.payload import encode
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.inner_calls import STEP_TYPE as INNER
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.outcome import recorded_result
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.tokens import StepRunKey
from ia_modules.testing.reference import Expected, Failed, RunKey
from tests.unit.pipeline.deaths import ProcessDied, dying
from tests.unit.pipeline.random_files import LOSES_AN_UPDATE, TIMES, files
from tests.unit.pipeline.world import INPUT, World, expected_of, pipeline_in, without_messages

SEEDS, TIMINGS = st.integers(0, 10_000), st.integers(0, 2**32)
DEATHS, FOREVER = st.lists(st.integers(0, 40), min_size=2, max_size=4), 2**32


async def assert_as_expected(
    journal: OperatorJournal, execution_id: ExecutionId, expected: Expected, *, deaths: int = 0
) -> None:
    """All that must not depend on timing or on who died when."""
    execution = await journal.get_execution(execution_id)
    steps = await journal.get_execution_steps(execution_id)
    assert execution is not None
    latest = latest_attempts(steps)
    assert_attempts(steps, deaths)
    assert execution.completed_steps == sum(step.status is StepStatus.COMPLETED for step in latest.values())
    assert execution.failed_steps == sum(step.status is StepStatus.FAILED for step in latest.values())
    await assert_the_feed_folds_to_the_rows(journal, execution_id, steps)
    await assert_as_expected_within(journal, execution_id, latest, expected, deaths)
    led_on = {key: step for key, step in latest.items() if follows(step) == "paths"}
    failed = {key for key, step in latest.items() if follows(step) == "stop" and step.status is StepStatus.FAILED}
    may_stop = bool(expected.endings or expected.failures)
    for key, step in led_on.items():
        run = expected.runs[key]
        assert without_messages(step.output_data) == without_messages(run.result), f"{key} on {run.parents}"
        assert parents_of(step) == list(run.parents), key
        assert taken_by(step) == list(run.taken) or (may_stop and not taken_by(step)), key
        assert (step.status is StepStatus.COMPLETED) == run.succeeded
    assert latest.keys() <= expected.runs.keys()
    assert failed <= expected.failures
    assert all(follows(step) != "retry" for step in latest.values()), "another attempt is promised and never made"
    output = without_messages(execution.output_data)
    if not may_stop:
        assert led_on.keys() == latest.keys() == expected.runs.keys()
        assert (execution.status, output) == (ExecutionStatus.COMPLETED, without_messages(expected.output))
    elif execution.status is ExecutionStatus.FAILED:
        assert failed
        assert not [key for key in led_on.keys() & expected.endings.keys() if taken_by(led_on[key])]
    else:
        assert execution.status is ExecutionStatus.COMPLETED
        [ender] = [key for key in led_on.keys() & expected.endings.keys() if taken_by(led_on[key])]
        assert output == without_messages(expected.endings[ender])
        assert ancestry(ender, expected) <= led_on.keys()
        assert all(ender not in expected.runs[key].parents for key in latest), "something started after the end"


async def assert_as_expected_within(
    journal: OperatorJournal,
    execution_id: ExecutionId,
    latest: Mapping[RunKey, StepExecutionRecord],
    expected: Expected,
    deaths: int,
) -> None:
    """The same of what is within the step runs: items and calls. That of copies stayed where they are from."""
    results = {path: without_messages(each) for path, each in expected.inside.items()}
    for key, step in latest.items():
        path = run_path(GRAPH, *key)
        if step.copied_from is not None or not any(is_inside(RunPath(each), path) for each in results):
            continue
        is_whole = follows(step) == "paths" and step.error_type != "MapItemFailed"
        found = await ended_within(journal, execution_id, path, results, deaths, is_whole=is_whole)
        if is_whole:
            assert found == {each for each in results if is_inside(RunPath(each), path)}, "not all of it was made"


async def ended_within(
    journal: OperatorJournal,
    execution_id: ExecutionId,
    path: RunPath,
    results: Mapping[str, Any],
    deaths: int,
    *,
    is_whole: bool,
) -> set[str]:
    """The paths of all that ended well or failed within a run, at every depth, as it was expected to.

    Args:
        is_whole: nothing was stopped; else a failure may stand that was to be tried again.
    """
    rows = await journal.get_execution_steps(execution_id, within=path)
    latest = latest_attempts(rows)
    assert_attempts(rows, deaths)
    found = set[str]()
    for (step_id, number), row in latest.items():
        own = run_path(path, step_id, number)
        if row.status in (StepStatus.COMPLETED, StepStatus.FAILED):
            found.add(own)
            expected = results[own]
            if row.status is StepStatus.COMPLETED:
                assert without_messages(row.output_data) == expected, own
            else:
                assert isinstance(expected, Failed) or not is_whole, own
        if any(each.startswith(f"{own}/") for each in results):
            found |= await ended_within(journal, execution_id, own, results, deaths, is_whole=is_whole)
    return found


def latest_attempts(steps: list[StepExecutionRecord]) -> dict[RunKey, StepExecutionRecord]:
    by_attempt = sorted(steps, key=lambda step: step.attempt)
    return {RunKey(step.step_id, step.iteration): step for step in by_attempt}


def assert_attempts(steps: list[StepExecutionRecord], deaths: int) -> None:
    """No open row is left; attempts are numbered without a gap, and no more than a file and the deaths allow.

    A call that fails is made again with each attempt of the code around it.
    """
    assert all(step.status.is_terminal for step in steps)
    calls = {RunKey(step.step_id, step.iteration) for step in steps if step.step_type == INNER}
    statuses: dict[RunKey, list[StepStatus]] = {}
    for step in sorted(steps, key=lambda step: step.attempt):
        those = statuses.setdefault(RunKey(step.step_id, step.iteration), [])
        those.append(step.status)
        assert step.attempt == len(those)
    for key, those in statuses.items():
        number = Counter(those)
        assert StepStatus.COMPLETED not in those[:-1], f"{key} was made again after it had completed"
        assert number[StepStatus.COMPLETED] + number[StepStatus.FAILED] <= 2 or key in calls, key
        assert number[StepStatus.LOST] <= deaths, key


async def assert_the_feed_folds_to_the_rows(
    journal: OperatorJournal, execution_id: ExecutionId, steps: list[StepExecutionRecord]
) -> None:
    known: dict[str, StepSummary] = {}
    cursor, more = 0, True
    while more:
        changes = await journal.changes(execution_id, cursor, limit=7)
        known |= {step.step_execution_id: step for step in changes.steps}
        cursor, more = changes.upto, changes.more
    fields = StepSummary.__struct_fields__
    assert {name: {field: getattr(row, field) for field in fields} for name, row in known.items()} == {
        step.step_execution_id: {field: getattr(step, field) for field in fields} for step in steps
    }


def follows(step: StepExecutionRecord) -> str | None:
    """What follows on record: ``paths``, ``retry`` or ``stop``; None: it was closed with its execution."""
    routes: Any = step.routes
    return None if routes is None else routes["next"]


def parents_of(step: StepExecutionRecord) -> list[tuple[str, int]]:
    refs: Any = step.input_refs
    return [tuple(parent) if isinstance(parent, list) else parent for parent in refs["parents"]]


def taken_by(step: StepExecutionRecord) -> list[int]:
    routes: Any = step.routes
    return [route["path"] for route in routes["paths"] if route["taken"]]


def ancestry(key: RunKey, expected: Expected) -> set[RunKey]:
    return {key}.union(*(ancestry(parent, expected) for parent in expected.runs[key].parents))


@settings(max_examples=60 * TIMES, deadline=None)
@given(files(may_end=True), SEEDS, TIMINGS)
@example(LOSES_AN_UPDATE, 1, 0)
async def test_the_outcome_is_that_of_the_reference_for_every_timing(
    file: dict[str, Any], seed: int, timing: int
) -> None:
    world, journal = World(seed, random.Random(timing), calls_one_in=3), MemoryJournal()
    run = await Runner(journal).start(pipeline_in(world, file), INPUT)
    with suppress(StepError):
        await run.to_end()
    assert len(world.ran) == len(set(world.ran)), f"a step ran twice in one iteration: {world.ran}"
    await assert_as_expected(journal, run.execution_id, expected_of(world, file))


@settings(
    max_examples=20 * TIMES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files(may_end=True), SEEDS, TIMINGS)
async def test_the_result_that_a_run_gives_is_the_one_that_its_records_give(
    journal: OperatorJournal, file: dict[str, Any], seed: int, timing: int
) -> None:
    world = World(seed, random.Random(timing), calls_one_in=3)
    with suppress(StepError):
        result = await Runner(journal).run(pipeline_in(world, file), INPUT)
        record = await journal.get_execution(ExecutionId(result["execution_id"]))
        assert record is not None
        assert encode(result, "result") == encode(await recorded_result(journal, record), "result")


@settings(
    max_examples=25 * TIMES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files(may_end=True), SEEDS, TIMINGS, DEATHS)
async def test_an_execution_whose_processes_die_anywhere_comes_to_the_same_end(
    journal: OperatorJournal, file: dict[str, Any], seed: int, timing: int, deaths: list[int]
) -> None:
    world = World(seed, random.Random(timing), calls_one_in=3)
    pipeline = pipeline_in(world, file)
    execution_id = (await Runner(journal).start(pipeline, INPUT)).execution_id
    for moments in (*deaths, FOREVER):
        completed = await runs_with(StepStatus.COMPLETED, journal, execution_id)
        world.failed_once = await runs_with(StepStatus.FAILED, journal, execution_id)
        world.ran.clear()
        died = await dies(journal, pipeline, execution_id, moments)
        assert not completed & set(world.ran), "a completed step ran again"
        if not died:
            break
    await assert_as_expected(journal, execution_id, expected_of(world, file), deaths=len(deaths))


async def dies(journal: OperatorJournal, pipeline: LoadedPipeline, execution_id: ExecutionId, moments: int) -> bool:
    """Go on in another process, which lives for so many moments; False when the end is on record."""
    async with dying(journal, moments) as mortal:
        try:
            await (await Runner(mortal).resume(pipeline, execution_id)).to_end()
        except StepError:
            return False  # as the file has it
        except ProcessDied:
            execution = await journal.get_execution(execution_id)
            return execution is None or not execution.status.is_terminal
        return False


async def runs_with(status: StepStatus, journal: OperatorJournal, execution_id: ExecutionId) -> set[StepRunKey]:
    """The step runs that have such an attempt on record."""
    steps = await journal.get_execution_steps(execution_id)
    return {StepRunKey(step.step_id, step.iteration) for step in steps if step.status is status}
