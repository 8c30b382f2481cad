"""What running a pipeline means, on every journal."""

import asyncio
import sys
import threading
import time
from itertools import pairwise
from typing import Any

import pytest

from ia_modules.errors import (
    DatabaseUnavailable,
    ExecutionCancelled,
    LeaseLost,
    LoopLimitExceeded,
    PayloadError,
    PipelineInputError,
    PipelineOutputError,
    StepAbandoned,
    StepError,
    StepExited,
    StepInputError,
    StepTimeout,
)
from ia_modules.models import (
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    InteractionRecord,
    StepExecutionRecord,
    StepStatus,
)
from ia_modules.pipeline import executor
from ia_modules.pipeline.core import ExecutionContext, Step
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.notes import MOST_LINES
from ia_modules.pipeline.recorded import input_of
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.transitions import Recorded, Transition
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import nothing, pipeline_of, started


async def recorded(journal: Journal, execution_id: ExecutionId) -> tuple[ExecutionRecord, list[StepExecutionRecord]]:
    execution = await journal.get_execution(execution_id)
    assert execution is not None
    return execution, await journal.get_execution_steps(execution_id)


def attempts_of(steps: list[StepExecutionRecord]) -> list[tuple[str, int, int, str]]:
    return [(step.step_id, step.iteration, step.attempt, step.status.value) for step in steps]


# What a run gives


async def test_a_chain_hands_its_results_on(journal: Journal) -> None:
    async def double(data: dict[str, Any]) -> dict[str, Any]:
        return {"doubled": data["n"] * 2}

    async def describe(data: dict[str, Any]) -> str:
        return f"{data['n']} doubled is {data['doubled']}"

    run = await started(
        journal,
        document("double", "describe", paths=[("double", "describe")]),
        {"n": 4},
        double=double,
        describe=describe,
    )
    result = await run.to_end()
    assert result == {
        "input": {"n": 4},
        "steps": [
            {"step_name": "double", "step_index": 0, "result": {"doubled": 8}, "status": "completed"},
            {"step_name": "describe", "step_index": 1, "result": {"result": "4 doubled is 8"}, "status": "completed"},
        ],
        "output": {
            "n": 4,
            "doubled": 8,
            "result": "4 doubled is 8",
            "double": {"doubled": 8},
            "describe": {"result": "4 doubled is 8"},
        },
        "execution_id": run.execution_id,
        "status": "completed",
    }
    execution, steps = await recorded(journal, run.execution_id)
    assert (execution.status, execution.total_steps, execution.completed_steps) == (ExecutionStatus.COMPLETED, 2, 2)
    assert execution.output_data == result["output"]
    assert steps[1].input_data is None, "a state is not stored again"
    rebuilt = input_of(steps[1], run.pipeline.graph, {"n": 4}, steps)
    assert rebuilt == {"n": 4, "doubled": 8}


async def test_branches_really_run_at_the_same_time(journal: Journal) -> None:
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


async def test_branches_inside_a_loop_run_at_the_same_time_too(journal: Journal) -> None:
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


async def test_an_attempt_that_waits_for_its_delay_is_pending_on_record(journal: Journal) -> None:
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


async def test_a_plain_function_runs_beside_the_loop(journal: Journal) -> None:
    threads: list[bool] = []

    def work(data: dict[str, Any]) -> dict[str, Any]:
        threads.append(threading.current_thread() is threading.main_thread())
        return {"done": True}

    run = await started(journal, document("work"), work=work)
    assert (await run.to_end())["steps"][0]["result"] == {"done": True}
    assert threads == [False]


async def test_what_a_step_does_to_its_input_stays_with_it(journal: Journal) -> None:
    given = {"items": [1, 2]}

    async def spoil(data: dict[str, Any]) -> dict[str, Any]:
        data["items"].append("spoilt")
        data["more"] = True
        return {"kept": data["items"]}

    async def look(data: dict[str, Any]) -> dict[str, Any]:
        return {"seen": data["items"], "more": "more" in data}

    run = await started(journal, document("spoil", "look", paths=[("spoil", "look")]), given, spoil=spoil, look=look)
    result = await run.to_end()
    assert result["steps"][1]["result"] == {"seen": [1, 2], "more": False}
    assert given == {"items": [1, 2]}


async def test_declared_inputs_are_all_that_a_step_gets_and_are_stored(journal: Journal) -> None:
    async def first(data: dict[str, Any]) -> dict[str, Any]:
        return {"a": {"b": [10, 20]}}

    async def second(data: dict[str, Any]) -> dict[str, Any]:
        return {"got": data}

    inputs = {"value": "{steps.first.output.a.b.1}", "name": "{parameters.name}", "text": "is {{ parameters.name }}"}
    written = document("first", task("second", inputs=inputs), paths=[("first", "second")], parameters={"name": "ann"})
    run = await started(journal, written, {"secret": 1}, first=first, second=second)
    result = await run.to_end()
    assert result["steps"][1]["result"] == {"got": {"value": 20, "name": "ann", "text": "is ann"}}
    _, steps = await recorded(journal, run.execution_id)
    assert steps[1].input_data == {"value": 20, "name": "ann", "text": "is ann"}


async def test_services_context_and_config_are_there(journal: Journal) -> None:
    class Ask(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            self.context.log("asking", level="warning", who="me")
            self.context.progress(0.5, "half")
            return {
                "key": self.context.idempotency_key,
                "service": self.services["answers"],
                "limit": self.config["limit"],
                "where": (self.context.step_id, self.context.iteration, self.context.attempt),
            }

    written = document(task("ask", config={"limit": "{{ parameters.limit }}"}), parameters={"limit": 7})
    runner = Runner(journal, services=ServiceRegistry({"answers": 42}))
    run = await runner.start(pipeline_of(written, {"ask": Ask}), None, ExecutionContext(trigger="test", user_id="ann"))
    result = await run.to_end()
    assert result["steps"][0]["result"] == {
        "key": f"{run.execution_id}/ask/1",
        "service": 42,
        "limit": 7,
        "where": ["ask", 1, 1],
    }
    execution, (step,) = await recorded(journal, run.execution_id)
    assert (execution.trigger, execution.metadata) == ("test", {"user_id": "ann"})
    assert (step.progress, step.progress_message) == (0.5, "half")
    (line,) = (await journal.changes(run.execution_id)).logs
    assert (line.message, line.level, line.data) == ("asking", "warning", {"who": "me"})
    assert line.step_execution_id == step.step_execution_id


async def test_an_older_class_that_overrides_execute_works(journal: Journal) -> None:
    class Old(Step):
        async def execute(self, data: dict[str, Any]) -> dict[str, Any]:
            return {"old": True}

    run = await started(journal, document("old"), old=Old)
    assert (await run.to_end())["steps"][0]["result"] == {"old": True}


async def test_a_thousand_steps_in_a_row_store_little_more_than_their_results(journal: Journal) -> None:
    count = 1000
    names = [f"step{number}" for number in range(count)]

    async def give(data: dict[str, Any]) -> dict[str, Any]:
        number = data.get("number", 0) + 1
        return {"number": number, f"text{number}": "x" * 300}

    written = document(*names, paths=list(pairwise(names)), outputs={"last": "{steps.step999.output.number}"})
    run = await started(journal, written, **dict.fromkeys(names, give))
    result = await run.to_end()
    assert result["output"] == {"last": count}
    _, steps = await recorded(journal, run.execution_id)
    results = sum(step.output_bytes for step in steps)
    assert len(steps) == count
    beside = sum(step.input_bytes + len(str(step.input_refs)) + len(str(step.routes)) for step in steps)
    assert results + beside < 3 * results
    last = input_of(steps[-1], run.pipeline.graph, {}, steps)
    assert last["number"] == count - 1
    assert len(last) == count


async def test_a_line_has_the_time_at_which_it_was_said(journal: Journal) -> None:
    class Say(Step):
        async def run(self, data: dict[str, Any]) -> None:
            self.context.log("early")
            await asyncio.sleep(0.05)  # well below the time after which lines are written

    run = await started(journal, document("say"), say=Say)
    await run.to_end()
    (line,) = (await journal.changes(run.execution_id)).logs
    _, (step,) = await recorded(journal, run.execution_id)
    assert step.completed_at is not None
    assert (step.completed_at - line.logged_at).total_seconds() > 0.04


async def test_lines_over_the_limit_are_left_out_and_that_is_said(journal: Journal) -> None:
    class Chatty(Step):
        def run(self, data: dict[str, Any]) -> None:
            for number in range(MOST_LINES + 10):
                self.context.log(f"line {number}")

    run = await started(journal, document("chatty"), chatty=Chatty)
    await run.to_end()
    pages = [await journal.changes(run.execution_id)]
    while pages[-1].more:
        pages.append(await journal.changes(run.execution_id, pages[-1].upto))
    lines = [line for page in pages for line in page.logs]
    assert len(lines) == MOST_LINES + 1
    assert "left out" in max(lines, key=lambda line: line.log_id).message


# Loops and conditions


async def test_a_loop_runs_until_its_condition_no_longer_holds(journal: Journal) -> None:
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


async def test_a_loop_without_a_way_out_ends_at_its_limit(journal: Journal) -> None:
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


async def test_a_function_decides_where_to_go(journal: Journal, tmp_path: Any) -> None:
    (tmp_path / "checks.py").write_text(
        "async def large(context, parameters):\n    return context['n'] > parameters['limit']\n"
        "def broken(context, parameters):\n    raise RuntimeError('no idea')\n"
    )
    from ia_modules.pipeline.code import StepModules, factory_of, load_pipeline
    from ia_modules.pipeline.loader import load

    def written(function: str) -> dict[str, Any]:
        condition = {"type": "function", "module_path": "checks", "function_name": function, "parameters": {"limit": 3}}
        return document("first", "large", "small", paths=[("first", "large", condition), ("first", "small", "else")])

    code = {step_id: factory_of(nothing) for step_id in ("first", "large", "small")}
    for n, expected in ((5, "large"), (1, "small")):
        loaded = load_pipeline(load(written("large")).definition, StepModules(tmp_path), given=code)
        run = await Runner(journal).start(loaded, {"n": n})
        assert [step["step_name"] for step in (await run.to_end())["steps"]] == ["first", expected]
    loaded = load_pipeline(load(written("broken")).definition, StepModules(tmp_path), given=code)
    run = await Runner(journal).start(loaded, {"n": 1}, new_version=True)
    with pytest.raises(StepError, match="checks.broken.*no idea"):
        await run.to_end()


# Failure


class Flaky(Step):
    """Fails as often as its config says, counted by key."""

    calls: dict[str, int] = {}  # noqa: RUF012

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        key = self.context.idempotency_key
        Flaky.calls[key] = Flaky.calls.get(key, 0) + 1
        if Flaky.calls[key] <= self.config["failures"]:
            raise ConnectionError(f"failure {Flaky.calls[key]}")
        return {"call": Flaky.calls[key]}


async def test_a_failure_is_tried_again_where_that_is_declared(journal: Journal) -> None:
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


async def test_a_failure_for_good_fails_the_execution_and_stops_its_siblings(journal: Journal) -> None:
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


async def test_a_failure_may_be_gone_on_from(journal: Journal) -> None:
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


async def test_a_fallback_gives_the_result_and_the_failure_stays_on_record(journal: Journal) -> None:
    class Careful(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            raise ConnectionError("gone")

        async def fallback(self, data: dict[str, Any], error: Exception) -> dict[str, Any]:
            return {"cached": True, "because": str(error)}

    run = await started(journal, document(task("careful", error_handling={"enable_fallback": True})), careful=Careful)
    assert (await run.to_end())["steps"][0]["result"] == {"cached": True, "because": "gone"}
    _, (step,) = await recorded(journal, run.execution_id)
    assert (step.status, step.error_type, step.error_message) == (StepStatus.COMPLETED, "ConnectionError", "gone")


async def test_a_required_input_that_does_not_resolve_fails_the_step_by_name(journal: Journal) -> None:
    inputs = [{"name": "value", "source": "{steps.first.output.missing}", "required": True}]
    written = document("first", task("second", inputs=inputs), paths=[("first", "second")])
    run = await started(journal, written, first=nothing, second=nothing)
    with pytest.raises(StepInputError, match=r"inputs\.value.*missing"):
        await run.to_end()
    _, steps = await recorded(journal, run.execution_id)
    assert attempts_of(steps) == [("first", 1, 1, "completed"), ("second", 1, 1, "failed")]


async def test_input_that_is_not_what_the_pipeline_asks_for_records_nothing(journal: Journal) -> None:
    parameters = [{"name": "n", "required": True, "schema": {"type": "integer"}}]
    for given, found in (({}, "n"), ({"n": "four"}, "four")):
        with pytest.raises(PipelineInputError, match=found):
            await started(journal, document("one", parameters=parameters), given, one=nothing)


async def test_an_output_that_breaks_its_promise_fails_the_execution(journal: Journal) -> None:
    written = document("one", output_schema={"type": "object", "required": ["report"]})
    run = await started(journal, written, one=nothing)
    with pytest.raises(PipelineOutputError, match="report"):
        await run.to_end()
    execution, _ = await recorded(journal, run.execution_id)
    assert (execution.status, execution.error_type) == (ExecutionStatus.FAILED, "PipelineOutputError")


# Steps that misbehave


async def misbehaves(journal: Journal, code: Any, expected: type[Exception], **keys: Any) -> StepExecutionRecord:
    """Run a pipeline of one such step to its failure; what is on record of it."""
    run = await started(journal, document(task("bad", **keys)), bad=code)
    with pytest.raises(StepError) as failed:
        await run.to_end()
    assert isinstance(failed.value, expected) or isinstance(failed.value.__cause__, expected)
    execution, (step,) = await recorded(journal, run.execution_id)
    assert (execution.status, step.status) == (ExecutionStatus.FAILED, StepStatus.FAILED)
    assert "'bad'" in (execution.error_message or "")
    return step


async def test_a_step_that_hangs_is_ended_by_its_timeout(journal: Journal) -> None:
    async def hang(data: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    step = await misbehaves(journal, hang, StepTimeout, timeout_seconds=0.05)
    assert (step.error_type, "0.05" in (step.error_message or "")) == ("StepTimeout", True)


async def test_a_step_that_swallows_cancellation_is_left_alone(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "STOP_SECONDS", 0.05)
    release = asyncio.Event()

    async def stubborn(data: dict[str, Any]) -> dict[str, Any]:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return {"too": "late"}

    step = await misbehaves(journal, stubborn, StepTimeout, timeout_seconds=0.05)
    assert "StepAbandoned" in (step.traceback or "")
    release.set()


async def test_a_function_that_blocks_its_thread_is_left_alone(journal: Journal) -> None:
    release = threading.Event()

    def block(data: dict[str, Any]) -> None:
        release.wait(60)

    step = await misbehaves(journal, block, StepTimeout, timeout_seconds=0.05)
    assert StepAbandoned.__name__ in (step.traceback or "")
    release.set()


@pytest.mark.parametrize("plain", [False, True])
async def test_a_step_that_calls_sys_exit_fails_and_the_process_lives(journal: Journal, *, plain: bool) -> None:
    async def leave(data: dict[str, Any]) -> None:
        sys.exit(3)

    def leave_plainly(data: dict[str, Any]) -> None:
        sys.exit(3)

    step = await misbehaves(journal, leave_plainly if plain else leave, StepExited)
    assert "(3)" in (step.error_message or "")


async def test_a_step_that_cancels_itself_fails(journal: Journal) -> None:
    async def cancel(data: dict[str, Any]) -> None:
        raise asyncio.CancelledError

    await misbehaves(journal, cancel, StepExited)


async def test_a_result_that_is_not_json_fails_the_step(journal: Journal) -> None:
    async def wrong(data: dict[str, Any]) -> dict[str, Any]:
        return {"when": time.gmtime, "n": 1}

    step = await misbehaves(journal, wrong, PayloadError)
    assert "$.when" in (step.error_message or "")


async def test_a_class_that_cannot_be_made_fails_its_step(journal: Journal) -> None:
    class Broken(Step):
        def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
            raise KeyError("api_key")

    step = await misbehaves(journal, Broken, KeyError)
    assert "api_key" in (step.error_message or "")


# Cancelling, losing, resuming


async def test_a_cancelled_execution_stops_its_steps_and_says_so(journal: Journal) -> None:
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


async def test_a_task_that_is_cancelled_records_the_execution_as_cancelled(journal: Journal) -> None:
    running = asyncio.Event()

    async def wait(data: dict[str, Any]) -> None:
        running.set()
        await asyncio.Event().wait()

    run = await started(journal, document("wait"), wait=wait)
    task = asyncio.create_task(run.to_end())
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    execution, steps = await recorded(journal, run.execution_id)
    assert (execution.status, steps[0].status) == (ExecutionStatus.CANCELLED, StepStatus.CANCELLED)


async def test_who_has_lost_an_execution_stops_and_writes_nothing(journal: Journal) -> None:
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


async def test_a_failed_execution_is_resumed_where_it_failed(journal: Journal) -> None:
    calls: list[str] = []
    broken = True

    async def first(data: dict[str, Any]) -> dict[str, Any]:
        calls.append("first")
        return {"a": 1}

    async def second(data: dict[str, Any]) -> dict[str, Any]:
        calls.append("second")
        if broken:
            raise ConnectionError("later")
        return {"b": data["a"] + 1}

    written = document("first", "second", paths=[("first", "second")])
    run = await started(journal, written, first=first, second=second)
    with pytest.raises(StepError):
        await run.to_end()
    broken = False
    again = await Runner(journal).resume(run.pipeline, run.execution_id)
    result = await again.to_end()
    assert (result["status"], result["output"]["b"]) == ("completed", 2)
    assert calls == ["first", "second", "second"]
    execution, steps = await recorded(journal, run.execution_id)
    assert attempts_of(steps) == [
        ("first", 1, 1, "completed"),
        ("second", 1, 1, "failed"),
        ("second", 1, 2, "completed"),
    ]
    assert (execution.epoch, execution.failed_steps, execution.error_message) == (2, 0, None)


# People


def asking(**config: Any) -> dict[str, Any]:
    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Ship?", "ui_schema": {"type": "object"}, **config}}
    yes = {"type": "expression", "config": {"source": "result.human_input.yes", "operator": "==", "value": True}}
    return document(
        "first", ask, "ship", "drop", paths=[("first", "ask"), ("ask", "ship", yes), ("ask", "drop", "else")]
    )


async def test_a_question_pauses_the_execution_until_somebody_answers(journal: Journal) -> None:
    code = dict.fromkeys(("first", "ship", "drop"), nothing)
    run = await started(journal, asking(), **code)
    paused = await run.to_end()
    assert (paused["status"], paused["waiting_step"]) == ("waiting_for_human", "ask")
    (question,) = await journal.get_interactions(run.execution_id)
    assert (question.interaction_id, question.prompt) == (paused["interaction_id"], "Ship?")
    await journal.answer_interaction(question.interaction_id, {"yes": True}, actor="ann")
    result = await (await Runner(journal).resume(run.pipeline, run.execution_id)).to_end()
    assert [step["step_name"] for step in result["steps"]] == ["first", "ask", "ship"]
    assert result["steps"][1]["result"] == {"human_input": {"yes": True}}


@pytest.mark.parametrize(
    ("on_timeout", "expected"),
    [({"yes": True}, ["first", "ask", "ship"]), ("drop", ["first", "ask", "drop"]), ("fail", None)],
)
async def test_a_question_that_nobody_answers_in_time(
    journal: Journal, on_timeout: Any, expected: list[str] | None
) -> None:
    from datetime import UTC, datetime, timedelta

    code = dict.fromkeys(("first", "ship", "drop"), nothing)
    run = await started(journal, asking(timeout_seconds=60, on_timeout=on_timeout), **code)
    await run.to_end()
    later = Runner(journal, now=lambda: datetime.now(UTC) + timedelta(seconds=61))
    again = await later.resume(run.pipeline, run.execution_id)
    if expected is None:
        with pytest.raises(StepError, match="nobody answered within 60 seconds"):
            await again.to_end()
    else:
        assert [step["step_name"] for step in (await again.to_end())["steps"]] == expected
    (question,) = await journal.get_interactions(run.execution_id)
    assert question.status == "expired"


async def test_an_answer_that_comes_when_its_time_has_just_been_found_to_be_over_is_taken(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime, timedelta

    code = dict.fromkeys(("first", "ship", "drop"), nothing)
    run = await started(journal, asking(timeout_seconds=60, on_timeout="drop"), **code)
    await run.to_end()
    later = Runner(journal, now=lambda: datetime.now(UTC) + timedelta(seconds=61))
    again = await later.resume(run.pipeline, run.execution_id)
    read = journal.get_interactions

    async def read_then_answered(execution_id: ExecutionId) -> list[InteractionRecord]:
        questions = await read(execution_id)
        if questions[0].status == "pending":
            await journal.answer_interaction(questions[0].interaction_id, {"yes": True}, actor="ann")
        return questions

    monkeypatch.setattr(journal, "get_interactions", read_then_answered)
    assert [step["step_name"] for step in (await again.to_end())["steps"]] == ["first", "ask", "ship"]
    (question,) = await read(run.execution_id)
    assert (question.status, question.actor) == ("answered", "ann")


class AwayForNotes(MemoryJournal):
    """A journal that takes no line of a running step while it is away."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = asyncio.Event()
        self.is_away = True

    async def record(self, transition: Transition) -> Recorded:
        if self.is_away and transition.logs and not any(update.status for update in transition.updates):
            self.refused.set()
            raise DatabaseUnavailable("away")
        return await super().record(transition)


@pytest.mark.parametrize("comes_back", [True, False])
async def test_what_a_step_says_while_the_database_is_away_is_on_record_in_the_end(comes_back: bool) -> None:
    journal = AwayForNotes()

    class Talks(Step):
        async def run(self, data: dict[str, Any]) -> None:
            self.context.log("before")
            self.context.progress(0.5)
            await journal.refused.wait()
            self.context.log("after")
            journal.is_away = not comes_back
            if comes_back:
                while not (await journal.changes(self.context.execution_id)).logs:  # noqa: ASYNC110 - asks the records
                    await asyncio.sleep(0.01)

    run = await started(journal, document("talks", paths=[]), talks=Talks)
    await run.to_end()
    changes = await journal.changes(run.execution_id)
    assert [line.message for line in changes.logs] == ["before", "after"]
    assert changes.steps[0].progress == 0.5


async def test_an_answer_given_while_other_steps_run_is_not_missed(journal: Journal) -> None:
    waiting = asyncio.Event()

    async def slow(data: dict[str, Any]) -> None:
        await waiting.wait()

    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Ship?"}}
    written = document(
        "first", ask, "slow", "join", paths=[("first", "ask"), ("first", "slow"), ("ask", "join"), ("slow", "join")]
    )
    run = await started(journal, written, first=nothing, slow=slow, join=nothing)
    task = asyncio.create_task(run.to_end())
    while not (questions := await journal.get_interactions(run.execution_id)):  # noqa: ASYNC110 - asks the records
        await asyncio.sleep(0)
    await journal.answer_interaction(questions[0].interaction_id, {"ok": 1}, actor="ann")
    waiting.set()
    result = await task
    assert (result["status"], result["steps"][-1]["step_name"]) == ("completed", "join")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


async def raises_generator_exit(data: dict[str, Any]) -> None:
    raise GeneratorExit


async def raises_a_group(data: dict[str, Any]) -> None:
    raise BaseExceptionGroup("several", [GeneratorExit()])


def raises_stop_iteration(data: dict[str, Any]) -> None:
    raise StopIteration


async def raises_what_cannot_be_said(data: dict[str, Any]) -> None:
    raise Unspeakable


class ExitsAtOnce(Step):
    def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
        sys.exit(3)


@pytest.mark.parametrize(
    "code", [raises_generator_exit, raises_a_group, raises_stop_iteration, raises_what_cannot_be_said, ExitsAtOnce]
)
async def test_whatever_a_step_raises_ends_the_execution_on_record(journal: Journal, code: Any) -> None:
    await misbehaves(journal, code, StepError)


@pytest.mark.parametrize("dialect", ["memory"], indirect=True)
async def test_a_state_may_be_larger_than_one_payload_and_an_input_may_not(journal: Journal) -> None:
    async def large(data: dict[str, Any]) -> dict[str, Any]:
        return {f"text{len(data)}": "x" * 9 * 2**20}

    async def count(data: dict[str, Any]) -> dict[str, Any]:
        return {"texts": len(data)}

    paths = [("one", "two"), ("two", "count")]
    small = {"outputs": {"texts": "{steps.count.output.texts}"}}
    run = await started(
        journal, document("one", "two", "count", paths=paths, **small), one=large, two=large, count=count
    )
    assert (await run.to_end())["output"] == {"texts": 2}
    both = {"a": "{steps.one.output.text0}", "b": "{steps.two.output.text1}"}
    written = document("one", "two", task("count", inputs=both), paths=paths, **small) | {
        "name": "Declared",
        "slug": "declared",
    }
    run = await started(journal, written, one=large, two=large, count=count)
    with pytest.raises(StepError, match="input of step 'count' cannot be stored"):
        await run.to_end()
    execution, _ = await recorded(journal, run.execution_id)
    assert execution.status is ExecutionStatus.FAILED
