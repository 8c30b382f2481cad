"""Re-runs from a step: for random graphs, on every journal, what depends on it runs again and nothing else does."""

import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ia_modules.errors import InvalidArgument, RerunRefused, StepError
from ia_modules.models import ExecutionId, ExecutionRecord, ExecutionStatus, JsonText, StepStatus
from ia_modules.payload import encode
from ia_modules.pipeline.ahead import ahead_of_repeat, ahead_of_resume
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.journal import Journal, OperatorJournal
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.overrides import Override, overrides_json
from ia_modules.pipeline.recorded import recorded_runs
from ia_modules.pipeline.repeating import Repeat, plan_repeat
from ia_modules.pipeline.runner import Runner, StartedExecution
from ia_modules.pipeline.start import new_execution, record_start, registered_version
from ia_modules.pipeline.tokens import StepRunKey
from ia_modules.testing.reference import CodeRun, Expected, Failed, RunKey, interpret
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import nothing, pipeline_of, recorded, started
from tests.unit.pipeline.random_files import TIMES, files
from tests.unit.pipeline.test_runner_properties import (
    SEEDS,
    TIMINGS,
    ancestry,
    assert_as_expected,
    latest_attempts,
)
from tests.unit.pipeline.world import ANSWER, INPUT, World, expected_of, pipeline_in, without_messages

EDIT = {"edited": "by hand"}
ASKING = st.sampled_from([0, 0, 3])
UNHURRIED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


async def queued_again(
    journal: Journal,
    pipeline: LoadedPipeline,
    before: ExecutionRecord,
    repeat: Repeat,
    edit: Override | None = None,
) -> ExecutionId:
    """A re-run from a step, on record and not begun."""
    version = await registered_version(journal, pipeline, new_version=True)
    new = await new_execution(
        journal,
        pipeline.definition,
        version,
        encode(before.input_data, "input"),
        queued=True,
        trigger="rerun",
        rerun_of=before.execution_id,
        overrides=overrides_json(repeat.overrides(edit)),
    )
    return await record_start(journal, new, repeat.copies())


async def to_end(journal: OperatorJournal, started: StartedExecution) -> None:
    """Run it to its end; whatever asks a person is answered."""
    while await Runner(journal).to_end(started) is ExecutionStatus.WAITING_FOR_HUMAN:
        for question in await journal.get_interactions(started.execution_id, awaited=True):
            await journal.answer_interaction(question.interaction_id, ANSWER, actor="ann")
        started = await Runner(journal).resume(started.pipeline, started.execution_id)


def completing(world: World, file: dict[str, Any]) -> Expected:
    """What must come of it; a file that does not come to a good end is of no use here, and is not run."""
    expected = expected_of(world, file)
    assume(not expected.failures)
    return expected


async def completed(journal: OperatorJournal, pipeline: LoadedPipeline) -> ExecutionRecord:
    """An execution that has come to a good end."""
    run = await Runner(journal).start(pipeline, INPUT)
    await to_end(journal, run)
    execution, _ = await recorded(journal, run.execution_id)
    assert execution.status is ExecutionStatus.COMPLETED
    return execution


def failing_it(world: World, file: dict[str, Any], choice: int) -> StepRunKey:
    """One of the step runs that ended, whose failure alone fails the execution, as the flow does not go on after it."""

    def fails(broken: StepRunKey) -> bool:
        def code(run: CodeRun, data: Mapping[str, Any]) -> Any | Failed:
            return Failed("OSError", "broken") if run.key == broken else world.outcome(run, data)

        return interpret(file, INPUT, code).failures == {broken}

    failing = [key for key in sorted(world.ran) if fails(key)]
    assume(failing)
    return failing[choice % len(failing)]


async def planned(
    journal: Journal, definition: PipelineDefinition, before: ExecutionRecord, key: RunKey, *, is_edited: bool = False
) -> Repeat:
    runs = recorded_runs(await journal.get_attempts(before.execution_id))
    return plan_repeat(definition, definition, runs, key.step_id, key.iteration, is_edited=is_edited)


def depending_on(key: RunKey, expected: Expected) -> set[RunKey]:
    """The step run, what took tokens of it, and later iterations of each of these."""
    found = {key}
    while True:
        more = {
            each
            for each, run in expected.runs.items()
            if found & {*run.parents, RunKey(each.step_id, each.iteration - 1)}
        }
        if more <= found:
            return found
        found |= more


@settings(max_examples=20 * TIMES, deadline=None, suppress_health_check=UNHURRIED)
@given(files(), SEEDS, TIMINGS, st.integers(0, 2**32), ASKING)
async def test_a_rerun_from_any_step_runs_what_depends_on_it_and_comes_to_the_same_end(
    journal: OperatorJournal, file: dict[str, Any], seed: int, timing: int, choice: int, asks_one_in: int
) -> None:
    world = World(seed, random.Random(timing), asks_one_in=asks_one_in)
    pipeline, expected = pipeline_in(world, file), completing(world, file)
    before = await completed(journal, pipeline)
    rows = await recorded(journal, before.execution_id)
    key = sorted(expected.runs)[choice % len(expected.runs)]
    repeat = await planned(journal, pipeline.definition, before, key)
    execution_id = await queued_again(journal, pipeline, before, repeat)
    ran_before = set(world.ran)  # some runs are refused before their code runs, as a loop's last one
    world.ran.clear()
    await to_end(journal, await Runner(journal).resume(pipeline, execution_id))
    depend = depending_on(key, expected)
    assert depend & ran_before <= set(world.ran)
    led_to_it = ancestry(key, expected) - {key}
    assert not led_to_it & {*map(RunKey._make, world.ran)}, "what led to it ran again"
    plan = ahead_of_repeat(pipeline.definition, repeat)
    assert {key.step_id for key in world.ran} <= {step.step_id for step in plan.steps}, "it was not named before"
    graph = pipeline.graph
    for step_id, _ in set(world.ran) - depend:  # its tokens are the same, but whether others would come had to be seen
        assert any(graph.reaches(each.step_id, step_id) for each in depend)
    assert len(world.ran) == len(set(world.ran))
    await assert_as_expected(journal, execution_id, expected)
    execution, steps = await recorded(journal, execution_id)
    assert without_messages(execution.output_data) == without_messages(before.output_data)
    assert execution.rerun_of == before.execution_id
    sources = {step.step_execution_id: step for step in rows[1]}
    copies = [step for step in steps if step.copied_from is not None]
    assert {RunKey(step.step_id, step.iteration) for step in copies} == expected.runs.keys() - set(repeat.again)
    for step in copies:
        assert step.copied_from is not None
        assert step.output_data == sources[step.copied_from].output_data
    assert await recorded(journal, before.execution_id) == rows, "the one before has changed"


@pytest.mark.parametrize("dialect", ["memory", "sqlite", "postgresql", "pooled"])
@settings(max_examples=20 * TIMES, deadline=None, suppress_health_check=UNHURRIED)
@given(files(), SEEDS, TIMINGS, st.integers(0, 2**32), ASKING, st.booleans())
async def test_with_another_input_or_result_of_one_run_exactly_what_depends_on_it_changes(
    journal: OperatorJournal,
    file: dict[str, Any],
    seed: int,
    timing: int,
    choice: int,
    asks_one_in: int,
    gives_result: bool,
) -> None:
    world = World(seed, random.Random(timing), asks_one_in=asks_one_in)
    pipeline, expected = pipeline_in(world, file), completing(world, file)
    before = await completed(journal, pipeline)
    ran = sorted(key for key in expected.runs if key in world.ran)  # what a limit refuses has no code to give way
    assume(ran)  # maps alone have nothing to edit
    key = ran[choice % len(ran)]
    ending = {"coin": 1, **EDIT} if gives_result else world.ending(key, EDIT)

    def code(run: CodeRun, data: Mapping[str, Any]) -> Any | Failed:
        return ending if run.key == key else world.outcome(run, data)

    edited = interpret(file, INPUT, code)
    assume(not edited.failures)
    rows = await recorded(journal, before.execution_id)
    repeat = await planned(journal, pipeline.definition, before, key, is_edited=True)
    text: JsonText = encode(ending if gives_result else EDIT, "edit")
    start = Override(StepRunKey(*key), actor="ann")
    edit = replace(start, output_data=text) if gives_result else replace(start, input_data=text)
    execution_id = await queued_again(journal, pipeline, before, repeat, edit)
    world.ran.clear()
    await to_end(journal, await Runner(journal).resume(pipeline, execution_id))
    await assert_as_expected(journal, execution_id, edited)
    assert (StepRunKey(*key) in world.ran) is not gives_result
    assert len(world.ran) == len(set(world.ran))
    _, steps = await recorded(journal, execution_id)
    copies = {RunKey(step.step_id, step.iteration) for step in steps if step.copied_from is not None}
    assert copies == expected.runs.keys() - set(repeat.again)
    assert not copies & {*depending_on(key, expected), *map(RunKey._make, world.ran)}
    if not repeat.asked_again:
        assert ancestry(key, expected) - {key} <= copies, "what led to it is not kept"
    results = {RunKey(step.step_id, step.iteration): without_messages(step.output_data) for step in rows[1]}
    for each, step in latest_attempts(steps).items():
        if each not in depending_on(key, expected) | depending_on(key, edited):
            assert without_messages(step.output_data) == results[each], "it does not depend on the edit"
    assert await recorded(journal, before.execution_id) == rows, "the one before has changed"
    refs: list[Any] = [step.input_refs for step in steps if (step.step_id, step.iteration) == key]
    assert all((each["edited"], each["by"]) == ("output" if gives_result else "input", "ann") for each in refs)


@settings(max_examples=20 * TIMES, deadline=None, suppress_health_check=UNHURRIED)
@given(files(maps=False, goes_on=False), SEEDS, TIMINGS, st.integers(0, 2**32), ASKING)
async def test_after_a_failure_in_any_step_a_resume_runs_exactly_what_was_left(
    journal: OperatorJournal, file: dict[str, Any], seed: int, timing: int, choice: int, asks_one_in: int
) -> None:
    whole = World(seed, random.Random(timing), asks_one_in=asks_one_in)
    expected = completing(whole, file)
    unbroken = await completed(MemoryJournal(), pipeline_in(whole, file))
    broken = failing_it(whole, file, choice)
    world = World(seed, random.Random(timing), broken=broken, asks_one_in=asks_one_in)
    pipeline = pipeline_in(world, file)
    run = await Runner(journal).start(pipeline, INPUT)
    with suppress(StepError):
        await to_end(journal, run)
    failed, _ = await recorded(journal, run.execution_id)
    runs = recorded_runs(await journal.get_attempts(run.execution_id), reopened=True)
    for_good = [each.run.key for each in runs if each.last.status is StepStatus.FAILED and not each.has_result]
    assert (failed.status, for_good) == (ExecutionStatus.FAILED, [broken])
    plan = ahead_of_resume(pipeline.definition, runs)
    world.broken = None
    world.ran.clear()
    await to_end(journal, await Runner(journal).resume(pipeline, run.execution_id))
    assert sorted(world.ran) == sorted(set(whole.ran) - set(plan.kept)), "not what was left, or not once"
    assert {key.step_id for key in world.ran} <= {step.step_id for step in plan.steps}
    assert {key.step_id for key in plan.begins if key in whole.ran} <= {key.step_id for key in world.ran}
    execution, steps = await recorded(journal, run.execution_id)
    assert execution.status is ExecutionStatus.COMPLETED
    assert without_messages(execution.output_data) == without_messages(unbroken.output_data)
    assert latest_attempts(steps).keys() == expected.runs.keys()


def by_hand(**steps: Any) -> dict[str, Any]:
    """a, then b, then c, each as it is said."""
    ids = ("a", "b", "c")
    return document(*(task(id_, **steps.get(id_, {})) for id_ in ids), paths=[("a", "b"), ("b", "c")])


async def test_what_is_copied_must_fit_the_version_that_runs_or_it_is_said_from_where_it_does(
    journal: Journal,
) -> None:
    code = dict.fromkeys("abc", nothing)
    run = await started(journal, by_hand(), **code)
    await run.to_end()
    runs = recorded_runs(await journal.get_attempts(run.execution_id))
    before = run.pipeline.definition

    def version(file: dict[str, Any]) -> PipelineDefinition:
        return load(file, strict=False).definition

    changed = version(by_hand(b={"config": {"n": 2}}))
    assert [kept.run.run.key.step_id for kept in plan_repeat(before, changed, runs, "b").kept] == ["a"]
    with pytest.raises(RerunRefused, match="step 'b' has other config.*from step 'b' or an earlier one") as refused:
        plan_repeat(before, changed, runs, "c")
    assert (refused.value.problems, refused.value.fits_from) == ({"b": "has other config"}, "b")
    gone = version(document("b", "c", paths=[("b", "c")]))
    with pytest.raises(RerunRefused, match="step 'a' is gone.*Run it again whole"):
        plan_repeat(before, gone, runs, "c")
    longer = document("x", task("a"), "b", "c", paths=[("x", "c"), ("a", "b"), ("b", "c")])
    longer["flow"]["start_at"] = "a"
    moved = plan_repeat(before, version(longer), runs, "c")
    pipeline = pipeline_of(longer, code | {"x": nothing})
    record, _ = await recorded(journal, run.execution_id)
    execution_id = await queued_again(journal, pipeline, record, moved)
    await (await Runner(journal).resume(pipeline, execution_id)).to_end()
    execution, steps = await recorded(journal, execution_id)
    assert (execution.status, [step.step_id for step in steps if step.copied_from]) == (
        ExecutionStatus.COMPLETED,
        ["a", "b"],
    )


async def test_a_step_that_has_not_run_is_nothing_to_begin_from(journal: Journal) -> None:
    run = await started(journal, by_hand(), **dict.fromkeys("abc", nothing))
    await run.to_end()
    runs, definition = recorded_runs(await journal.get_attempts(run.execution_id)), run.pipeline.definition
    with pytest.raises(InvalidArgument, match="from_step.*'z'.*a, b, c"):
        plan_repeat(definition, definition, runs, "z")
    with pytest.raises(InvalidArgument, match="iteration.*2.*1 to 1"):
        plan_repeat(definition, definition, runs, "b", 2)


@pytest.mark.parametrize("by_code", [False, True])
@pytest.mark.parametrize(("carries", "is_edited", "asks"), [(False, False, 0), (False, True, 1), (True, True, 0)])
async def test_an_answer_is_copied_with_who_gave_it_unless_something_was_edited(
    journal: OperatorJournal, *, carries: bool, is_edited: bool, asks: int, by_code: bool
) -> None:
    asks_so = {"prompt": "Ship?", **({"carries": True} if carries else {})}

    def asking(data: dict[str, Any]) -> dict[str, Any]:
        return {"status": "human_input_required", **asks_so}

    code = {"ask": asking} if by_code else {}
    ask = task("ask") if by_code else {"id": "ask", "type": "human_input", "config": asks_so}
    file = document(ask, "after", paths=[("ask", "after")])
    run = await started(journal, file, after=nothing, **code)
    await run.to_end()
    (question,) = await journal.get_interactions(run.execution_id)
    await journal.answer_interaction(question.interaction_id, {"yes": True}, actor="ann")
    await (await Runner(journal).resume(run.pipeline, run.execution_id)).to_end()
    record, _ = await recorded(journal, run.execution_id)
    runs, definition = recorded_runs(await journal.get_attempts(run.execution_id)), run.pipeline.definition
    repeat = plan_repeat(definition, definition, runs, "after", is_edited=is_edited)
    assert len(repeat.asked_again) == asks
    execution_id = await queued_again(journal, run.pipeline, record, repeat)
    await (await Runner(journal).resume(run.pipeline, execution_id)).to_end()
    again, _ = await recorded(journal, execution_id)
    (copied,) = await journal.get_interactions(execution_id)
    if asks:
        assert (again.status, copied.status) == (ExecutionStatus.WAITING_FOR_HUMAN, "pending")
    else:
        assert (again.status, copied.status, copied.actor) == (ExecutionStatus.COMPLETED, "answered", "ann")
        assert copied.response == {"yes": True}
        assert copied.interaction_id != question.interaction_id
