"""How one execution goes on, on every journal: branches, loops, retries, failures, and its end."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from ia_modules.errors import ExecutionCancelled, LeaseLost, LoopLimitExceeded, PipelineOutputError, StepError
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.runner import Runner
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import attempts_of, nothing, recorded, started


async def test_branches_really_run_at_the_same_time(journal: OperatorJournal) -> None:
    barrier = asyncio.Barrier(8)

    async def meet(data: dict[str, Any]) -> dict[str, Any]:
        await barrier.wait()
        return {}

    parts = [f"part{number}" for number in range(8)]
    written = document(
        "fan", *parts, "join", paths=[*(("fan", part) for part in parts), *((part, "join") for part in parts)]
    )
    run = await started(journal, written, fan=nothing, join=nothing, **dict.fromkeys(parts, meet))
    result = await run.to_end()
    assert result["status"] == "completed"
    assert len(result["steps"]) == 10
    assert result["steps"][-1]["step_name"] == "join"


async def test_branches_inside_a_loop_run_at_the_same_time_too(journal: OperatorJournal) -> None:
    barrier = asyncio.Barrier(2)

    async def meet(data: dict[str, Any]) -> dict[str, Any]:
        await barrier.wait()
        return {}

    async def count(data: dict[str, Any]) -> dict[str, Any]:
        return {"n": data.get("n", 0) + 1}

    again = {"type": "field_less_than", "field": "n", "value": 3}
    paths = [("head", "left"), ("head", "right"), ("left", "join"), ("right", "join"), ("join", "head", again)]
    run = await started(
        journal,
        document("join", "head", "left", "right", paths=paths)
        | {
            "flow": {
                "start_at": "head",
                "paths": [
                    {"from": one, "to": other, "condition": condition[0] if condition else "always"}
                    for one, other, *condition in paths
                ],
            }
        },
        head=nothing,
        left=meet,
        right=meet,
        join=count,
    )
    result = await run.to_end()
    assert result["output"]["n"] == 3
    _, steps = await recorded(journal, run.execution_id)
    joins = [step.input_refs for step in steps if step.step_id == "join"]
    assert joins == [{"parents": [["left", n], ["right", n]], "state": True} for n in (1, 2, 3)]


async def test_a_loop_runs_until_its_condition_no_longer_holds(journal: OperatorJournal) -> None:
    async def count(data: dict[str, Any]) -> dict[str, Any]:
        return {"n": data["n"] + 1}

    again = {"type": "expression", "config": {"source": "result.n", "operator": "<", "value": "{parameters.most}"}}
    written = document(
        "count", paths=[("count", "count", again), ("count", "end", "else")], parameters={"n": 0, "most": 3}
    )
    run = await started(journal, written, count=count)
    result = await run.to_end()
    assert [step["result"]["n"] for step in result["steps"]] == [1, 2, 3]
    _, steps = await recorded(journal, run.execution_id)
    assert attempts_of(steps) == [("count", number, 1, "completed") for number in (1, 2, 3)]
    assert steps[-1].routes == {
        "next": "paths",
        "paths": [
            {"path": 0, "to_step": "count", "taken": False, "why": "result.n is 3 ≥ 3"},
            {"path": 1, "to_step": "end", "taken": True, "why": "no other path was taken"},
        ],
    }


async def test_a_loop_without_a_way_out_ends_at_its_limit(journal: OperatorJournal) -> None:
    forever = {"type": "field_exists", "field": "result.n"}

    async def spin(data: dict[str, Any]) -> dict[str, Any]:
        return {"n": 1}

    written = document(
        "spin", paths=[("spin", "spin", forever), ("spin", "end", "else")], loop_config={"max_iterations": 5}
    )
    run = await started(journal, written, spin=spin)
    with pytest.raises(LoopLimitExceeded, match="run 5 times.*max_iterations"):
        await run.to_end()
    execution, steps = await recorded(journal, run.execution_id)
    assert execution.status is ExecutionStatus.FAILED
    assert [step.status for step in steps] == [StepStatus.COMPLETED] * 5 + [StepStatus.FAILED]
    assert steps[-1].error_type == "LoopLimitExceeded"


async def test_a_loop_that_goes_on_after_its_limit_fails_whatever_its_step_goes_on_after(
    journal: OperatorJournal,
) -> None:
    until_done = {"type": "not", "condition": {"type": "field_equals", "field": "result.done", "value": True}}
    limits = {"loop_config": {"max_iterations": 2}, "error_handling": {"continue_on_error": True}}
    run = await started(journal, document("again", paths=[("again", "again", until_done)], **limits), again=nothing)
    with pytest.raises(LoopLimitExceeded, match="run 3 times"):
        await run.to_end()
    execution, steps = await recorded(journal, run.execution_id)
    statuses = [step.status.value for step in steps]
    assert (execution.status, statuses) == (ExecutionStatus.FAILED, ["completed", "completed", "failed", "failed"])


async def test_a_function_decides_where_to_go(journal: OperatorJournal, tmp_path: Any) -> None:
    (tmp_path / "checks.py").write_text(
        "async def large(context, parameters):\n    return context['n'] > parameters['limit']\n"
        "def broken(context, parameters):\n    raise RuntimeError('no idea')\n"
    )
    from ia_modules.pipeline.code import factory_of, load_pipeline
    from ia_modules.pipeline.loader import load
    from ia_modules.pipeline.step_modules import StepModules

    def written(function: str) -> dict[str, Any]:
        condition = {"type": "function", "module_path": "checks", "function_name": function, "parameters": {"limit": 3}}
        return document("first", "large", "small", paths=[("first", "large", condition), ("first", "small", "else")])

    code = {step_id: factory_of(nothing) for step_id in ("first", "large", "small")}
    for n, expected in ((5, "large"), (1, "small")):
        loaded = load_pipeline(load(written("large")).definition, StepModules(tmp_path), prepared=code)
        run = await Runner(journal).start(loaded, {"n": n})
        assert [step["step_name"] for step in (await run.to_end())["steps"]] == ["first", expected]
    loaded = load_pipeline(load(written("broken")).definition, StepModules(tmp_path), prepared=code)
    run = await Runner(journal).start(loaded, {"n": 1}, new_version=True)
    with pytest.raises(StepError, match="checks.broken.*no idea"):
        await run.to_end()


async def test_an_attempt_that_waits_for_its_delay_is_pending_on_record(journal: OperatorJournal) -> None:
    failed = asyncio.Event()

    async def flaky(data: dict[str, Any]) -> None:
        failed.set()
        raise ConnectionError("later")

    retry = {"max_attempts": 2, "initial_delay": 60, "jitter": False}
    run = await started(journal, document(task("flaky", error_handling={"retry": retry})), flaky=flaky)
    running = asyncio.create_task(run.to_end())
    await failed.wait()
    while len(steps := (await recorded(journal, run.execution_id))[1]) < 2:  # noqa: ASYNC110 - asks the records
        await asyncio.sleep(0)
    assert attempts_of(steps) == [("flaky", 1, 1, "failed"), ("flaky", 1, 2, "pending")]
    assert steps[0].routes == {"next": "retry", "delay_seconds": 60.0}
    await journal.request_cancel(run.execution_id)
    with pytest.raises(ExecutionCancelled):
        await running
    _, steps = await recorded(journal, run.execution_id)
    assert attempts_of(steps) == [("flaky", 1, 1, "failed"), ("flaky", 1, 2, "cancelled")]


class Flaky(Step):
    """Fails as often as its config says, counted by key."""

    calls: dict[str, int] = {}  # noqa: RUF012

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        key = self.context.idempotency_key
        Flaky.calls[key] = Flaky.calls.get(key, 0) + 1
        if Flaky.calls[key] <= self.config["failures"]:
            raise ConnectionError(f"failure {Flaky.calls[key]}")
        return {"call": Flaky.calls[key]}


async def test_a_failure_is_tried_again_where_that_is_declared(journal: OperatorJournal) -> None:
    retry = {"max_attempts": 3, "initial_delay": 0.001}
    written = document(task("flaky", config={"failures": 2}, error_handling={"retry": retry}))
    run = await started(journal, written, flaky=Flaky)
    assert (await run.to_end())["steps"][0]["result"] == {"call": 3}
    execution, steps = await recorded(journal, run.execution_id)
    assert attempts_of(steps) == [("flaky", 1, 1, "failed"), ("flaky", 1, 2, "failed"), ("flaky", 1, 3, "completed")]
    assert [step.error_message for step in steps] == ["failure 1", "failure 2", None]
    assert isinstance(steps[0].routes, dict)
    assert steps[0].routes["next"] == "retry"
    assert "ConnectionError" in (steps[0].traceback or "")
    assert (execution.completed_steps, execution.failed_steps) == (1, 0)


async def test_a_failure_for_good_fails_the_execution_and_stops_its_siblings(journal: OperatorJournal) -> None:
    running = asyncio.Event()

    async def fail(data: dict[str, Any]) -> dict[str, Any]:
        await running.wait()
        raise ValueError("broken")

    async def wait(data: dict[str, Any]) -> dict[str, Any]:
        running.set()
        await asyncio.Event().wait()
        return {}

    written = document("fan", "fail", "wait", "never", paths=[("fan", "fail"), ("fan", "wait"), ("wait", "never")])
    run = await started(journal, written, fan=nothing, fail=fail, wait=wait, never=nothing)
    with pytest.raises(StepError, match="Step 'fail' failed: ValueError: broken") as failed:
        await run.to_end()
    assert isinstance(failed.value.__cause__, ValueError)
    execution, steps = await recorded(journal, run.execution_id)
    assert (execution.status, execution.error_type) == (ExecutionStatus.FAILED, "StepError")
    assert execution.error_message == "Step 'fail' failed: ValueError: broken"
    assert {step.step_id: step.status.value for step in steps} == {
        "fan": "completed",
        "fail": "failed",
        "wait": "cancelled",
    }


async def test_a_failure_may_be_gone_on_from(journal: OperatorJournal) -> None:
    async def fail(data: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("broken")

    async def after(data: dict[str, Any]) -> dict[str, Any]:
        return {"saw": data["error_message"]}

    written = document(task("fail", error_handling={"continue_on_error": True}), "after", paths=[("fail", "after")])
    run = await started(journal, written, fail=fail, after=after)
    result = await run.to_end()
    assert result["status"] == "completed"
    error = {"step_error": True, "error_message": "broken", "error_type": "ValueError"}
    assert [step["result"] for step in result["steps"]] == [error, {"saw": "broken"}]
    execution, steps = await recorded(journal, run.execution_id)
    assert (steps[0].status, steps[0].output_data) == (StepStatus.FAILED, error)
    assert (execution.completed_steps, execution.failed_steps) == (1, 1)


async def test_an_output_that_breaks_its_promise_fails_the_execution(journal: OperatorJournal) -> None:
    written = document("one", output_schema={"type": "object", "required": ["report"]})
    run = await started(journal, written, one=nothing)
    with pytest.raises(PipelineOutputError, match="report"):
        await run.to_end()
    execution, _ = await recorded(journal, run.execution_id)
    assert (execution.status, execution.error_type) == (ExecutionStatus.FAILED, "PipelineOutputError")


async def test_a_cancelled_execution_stops_its_steps_and_says_so(journal: OperatorJournal) -> None:
    running, stopped = asyncio.Event(), asyncio.Event()

    async def wait(data: dict[str, Any]) -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    run = await started(journal, document("wait", "never", paths=[("wait", "never")]), wait=wait, never=nothing)
    task = asyncio.create_task(run.to_end())
    await running.wait()
    assert await journal.request_cancel(run.execution_id) is ExecutionStatus.RUNNING
    with pytest.raises(ExecutionCancelled):
        await task
    assert stopped.is_set()
    execution, steps = await recorded(journal, run.execution_id)
    assert execution.status is ExecutionStatus.CANCELLED
    assert attempts_of(steps) == [("wait", 1, 1, "cancelled")]


async def test_who_has_lost_an_execution_stops_and_writes_nothing(journal: OperatorJournal) -> None:
    running, go, stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def quick(data: dict[str, Any]) -> None:
        running.set()
        await go.wait()

    async def slow(data: dict[str, Any]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    written = document("fan", "quick", "slow", paths=[("fan", "quick"), ("fan", "slow")])
    run = await started(journal, written, fan=nothing, quick=quick, slow=slow)
    task = asyncio.create_task(run.to_end())
    await running.wait()
    await journal.take_over(run.execution_id, owner="somebody else")
    go.set()
    with pytest.raises(LeaseLost, match="somebody else"):
        await task
    assert stopped.is_set()
    execution, steps = await recorded(journal, run.execution_id)
    assert (execution.status, execution.owner) == (ExecutionStatus.RUNNING, "somebody else")
    assert [step.status for step in steps] == [StepStatus.COMPLETED, StepStatus.RUNNING, StepStatus.RUNNING]


async def test_a_path_that_ends_the_execution_stops_and_closes_all_that_is_open(journal: OperatorJournal) -> None:
    stopped = asyncio.Event()

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        return {"answer": 42, "by": "think"}

    async def slow(data: dict[str, Any]) -> dict[str, Any]:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return {"by": "slow"}

    async def asks(data: dict[str, Any]) -> dict[str, Any]:
        return {"status": "human_input_required", "prompt": "Go on?"}

    async def quick(data: dict[str, Any]) -> dict[str, Any]:
        return {"by": "quick"}

    answered = {"type": "field_exists", "field": "answer"}
    done = {"from": "think", "to": "end_done", "ends": "execution", "condition": answered}
    fan, turns = ["slow", "asks", "quick"], ["one", "two", "three", "think"]  # by the last turn the question is open
    paths = [
        *(("fan", step_id) for step_id in (*fan, "one")),
        *pairwise(turns),
        done,
        *((each, "late") for each in fan),
    ]
    code = {"think": think, "slow": slow, "asks": asks, "quick": quick} | dict.fromkeys(["fan", *turns[:-1]], nothing)
    run = await started(journal, document("fan", *fan, *turns, "late", paths=paths), late=nothing, **code)
    result = await run.to_end()
    assert stopped.is_set()
    assert (result["status"], result["output"]) == (
        "completed",
        {
            "answer": 42,
            "by": "think",
            "fan": {},
            "one": {},
            "two": {},
            "three": {},
            "think": {"answer": 42, "by": "think"},
        },
    )
    execution, steps = await recorded(journal, run.execution_id)
    assert execution.status is ExecutionStatus.COMPLETED
    assert {step.step_id: step.status.value for step in steps} == {
        **dict.fromkeys(["fan", "quick", *turns], "completed"),
        **dict.fromkeys(["slow", "asks"], "cancelled"),
    }
    reasons = {step.step_id: step.error_message for step in steps if step.status is StepStatus.CANCELLED}
    assert reasons == dict.fromkeys(["slow", "asks"], "Ended by path think → end_done.")
    assert [question.status for question in await journal.get_interactions(run.execution_id)] == ["cancelled"]


async def test_an_agent_stops_within_its_budget_where_the_first_path_is_taken(journal: OperatorJournal) -> None:
    spent: list[int] = []

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        spent.append(100)
        return {"used": sum(spent), "more": True}

    over = {"type": "field_greater_than", "field": "result.used", "value": 500}
    more = {"type": "field_equals", "field": "result.more", "value": True}
    paths = [("think", "stop", over), ("think", "act", more), ("think", "end", "else"), ("act", "think")]
    written = document(task("think", route="first"), "act", "stop", paths=paths)
    run = await started(journal, written, think=think, act=nothing, stop=nothing)
    assert (await run.to_end())["status"] == "completed"
    assert sum(spent) == 600
    _, steps = await recorded(journal, run.execution_id)
    (last,) = [step for step in steps if step.step_id == "think" and step.iteration == 6]
    assert "an earlier path was taken: to stop" in str(last.routes)


async def test_a_bound_on_iterations_is_a_path_with_a_way_out(journal: OperatorJournal) -> None:
    bound = {"type": "expression", "source": "run.iteration", "operator": ">=", "value": 3}
    paths = [("think", "give_up", bound), ("think", "think", "else")]
    run = await started(journal, document("think", "give_up", paths=paths), think=nothing, give_up=nothing)
    await run.to_end()
    _, steps = await recorded(journal, run.execution_id)
    assert [(step.step_id, step.iteration) for step in steps][-2:] == [("think", 3), ("give_up", 1)]


async def test_a_step_has_a_limit_of_its_own(journal: OperatorJournal) -> None:
    paths = [("spin", "spin", {"type": "field_exists", "field": "x", "value": False}), ("spin", "end", "else")]
    written = document(task("spin", max_iterations=2), paths=paths, loop_config={"max_iterations": 50})
    run = await started(journal, written, spin=nothing)
    with pytest.raises(LoopLimitExceeded, match="it has run 2 times, and its max_iterations allows 2"):
        await run.to_end()


@pytest.mark.parametrize(
    ("first", "input_data", "iterations"),
    [
        ("run", {}, 3),
        ("think", {"run": {"iteration": 9}}, 1),
        ("think", {}, 2),
    ],
)
async def test_a_run_of_its_own_is_what_a_condition_reads_where_there_is_one(
    first: str, input_data: dict[str, Any], iterations: int, journal: OperatorJournal
) -> None:
    made: list[int] = []

    async def count(data: dict[str, Any]) -> dict[str, Any]:
        made.append(1)
        return {"iteration": len(made) - 1}

    bound = {"type": "expression", "source": "run.iteration", "operator": ">=", "value": 2}
    paths = [(first, "end", bound), (first, first, "else")]
    run = await started(journal, document(first, paths=paths), input_data, **{first: count})
    await run.to_end()
    assert len(made) == iterations
