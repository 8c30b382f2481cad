"""What is said before of a re-run or a resume is what runs then; that it is, ``test_repeating.py`` tries."""

from contextlib import suppress
from typing import Any

from ia_modules.errors import StepError
from ia_modules.pipeline.ahead import ahead_of_repeat, ahead_of_resume, ahead_of_whole
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.recorded import recorded_runs
from ia_modules.pipeline.repeating import plan_repeat
from tests.unit.pipeline.factories import definition, document, task
from tests.unit.pipeline.programs import nothing, started

BRANCHES = [("a", "b"), ("a", "c"), ("c", "d")]


def branching() -> dict[str, Any]:
    return document("a", task("b", effect="pure"), task("c", effect="write"), "d", paths=BRANCHES)


async def broken(data: dict[str, Any]) -> dict[str, Any]:
    raise ValueError("broken")


async def test_what_is_before_or_beside_a_step_is_kept_and_the_rest_is_named_with_its_effect(journal: Journal) -> None:
    run = await started(journal, branching(), **dict.fromkeys("abcd", nothing))
    await run.to_end()
    runs, own = recorded_runs(await journal.get_attempts(run.execution_id)), run.pipeline.definition
    repeat = plan_repeat(own, own, runs, "c")
    plan = ahead_of_repeat(own, repeat)
    assert (sorted(plan.kept), plan.begins) == ([("a", 1), ("b", 1)], (("c", 1),))
    named = [(step.step_id, step.effect_text, step.runs) for step in plan.steps]
    assert named == [("c", "write", 1), ("d", "not said: may have effects", 1)]
    by_hand = ahead_of_repeat(own, repeat, is_by_hand=True)
    assert (by_hand.by_hand, [step.step_id for step in by_hand.steps]) == (("c", 1), ["d"])
    whole = ahead_of_whole(own, runs)
    assert (whole.kept, whole.begins, [step.step_id for step in whole.steps]) == ((), (("a", 1),), [*"abcd"])
    assert [step.step_id for step in whole.with_effects] == ["a", "c", "d"]


async def test_a_step_whose_result_is_given_may_run_all_the_same_where_a_loop_leads_back_to_it(
    journal: Journal,
) -> None:
    again = {"type": "expression", "config": {"source": "result.again", "operator": "==", "value": True}}
    file = document("a", "b", paths=[("a", "b"), ("b", "a", again)])
    run = await started(journal, file, **dict.fromkeys("ab", nothing))
    await run.to_end()
    runs, own = recorded_runs(await journal.get_attempts(run.execution_id)), run.pipeline.definition
    plan = ahead_of_repeat(own, plan_repeat(own, own, runs, "a"), is_by_hand=True)
    assert [(step.step_id, step.runs) for step in plan.steps] == [("a", 0), ("b", 1)]


async def test_what_goes_on_runs_what_failed_and_what_has_not_begun(journal: Journal) -> None:
    run = await started(journal, branching(), a=nothing, b=nothing, c=broken, d=nothing)
    with suppress(StepError):
        await run.to_end()
    runs = recorded_runs(await journal.get_attempts(run.execution_id), reopened=True)
    plan = ahead_of_resume(run.pipeline.definition, runs)
    kept = {run.run.key for run in runs if run.has_result}
    assert set(plan.kept) == kept
    assert ("c", 1) in plan.begins
    assert {("c", 1), ("d", 0)} <= {(step.step_id, step.runs) for step in plan.steps}
    assert not {key.step_id for key in kept} & {step.step_id for step in plan.steps}


def test_what_has_not_begun_at_all_runs_from_its_start() -> None:
    own = definition("a", "b", paths=[("a", "b")])
    plan = ahead_of_resume(own, [])
    assert (plan.kept, plan.begins, [step.step_id for step in plan.steps]) == ((), (("a", 1),), ["a", "b"])
