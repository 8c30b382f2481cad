"""What running a pipeline means, on every journal."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    InvalidArgument,
    PayloadError,
    PipelineError,
    PipelineInputError,
    PipelineOutputError,
    StepConflict,
    StepError,
    StepInputError,
)
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.recorded import input_of
from ia_modules.pipeline.runner import Runner
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import attempts_of, nothing, pipeline_of, recorded, started


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


async def test_input_that_is_not_what_the_pipeline_asks_for_records_nothing(journal: Journal) -> None:
    parameters = [{"name": "n", "required": True, "schema": {"type": "integer"}}]
    for input_data, found in (({}, "n"), ({"n": "four"}, "four")):
        with pytest.raises(PipelineInputError, match=found):
            await started(journal, document("one", parameters=parameters), input_data, one=nothing)


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


async def test_a_definition_that_does_not_fit_leaves_the_execution_as_it_was(journal: Journal) -> None:
    broken = True

    async def second(data: dict[str, Any]) -> None:
        if broken:
            raise ConnectionError("later")

    code = {"first": nothing, "second": second, "other": nothing}
    run = await started(journal, document("first", "second", paths=[("first", "second")]), **code)
    with pytest.raises(StepError):
        await run.to_end()
    before = await recorded(journal, run.execution_id)
    other = pipeline_of(document("other", "second", paths=[("other", "second")]), code)
    fits = pipeline_of(document("first", "second", paths=[("first", "second")], merge={"n": "sum"}), code)
    for another in (other, fits):
        with pytest.raises(InvalidArgument, match="another definition than the execution began with, version 1"):
            await Runner(journal).resume(another, run.execution_id)
    assert await recorded(journal, run.execution_id) == before
    assert before[0].status is ExecutionStatus.FAILED
    broken = False
    result = await (await Runner(journal).resume(run.pipeline, run.execution_id)).to_end()
    assert result["status"] == "completed"


async def test_a_definition_that_does_not_fit_leaves_every_row_as_it_was(database: DatabaseManager) -> None:
    tables = ("pipeline_executions", "step_executions", "execution_logs", "interactions", "interaction_responses")

    async def rows() -> list[list[dict[str, Any]]]:
        return [await database.fetch_all_async(f"SELECT * FROM {table} ORDER BY 1", {}) for table in tables]

    async with ExecutionTracker(database) as tracker:
        ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Ship?"}}
        code = {"first": nothing, "other": nothing, "after": nothing}
        chain = document("first", ask, "after", paths=[("first", "ask"), ("ask", "after")])
        run = await started(tracker, chain, **code)
        await run.to_end()
        (question,) = await tracker.get_interactions(run.execution_id)
        await tracker.answer_interaction(question.interaction_id, {"yes": True}, actor="ann")
        before = await rows()
        renamed = document("other", ask, "after", paths=[("other", "ask"), ("ask", "after")])
        shortcut = document("first", ask, "after", paths=[("first", "after"), ("ask", "after", "parameter:x")])
        for changed in (renamed, shortcut):
            with pytest.raises(InvalidArgument, match="another definition"):
                await Runner(tracker).resume(pipeline_of(changed, code), run.execution_id)
        assert await rows() == before


async def test_what_a_worker_has_claimed_fails_where_its_definition_does_not_fit(journal: Journal) -> None:
    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Ship?"}}
    run = await started(journal, document("first", ask, paths=[("first", "ask")]), first=nothing)
    await run.to_end()
    lease = await journal.take_over(run.execution_id, owner=journal.owner, reopen=True)
    execution, _ = await recorded(journal, run.execution_id)
    other = pipeline_of(document("other", ask, paths=[("other", "ask")]), {"other": nothing})
    with pytest.raises(StepConflict):
        await Runner(journal).claimed(other, execution.input_data, lease).to_end()
    execution, steps = await recorded(journal, run.execution_id)
    assert (execution.status, execution.error_type) == (ExecutionStatus.FAILED, "StepConflict")
    assert execution.error_message is not None
    assert "do not follow from the definition" in execution.error_message
    assert f"ia-modules executions rerun {run.execution_id}" in execution.error_message
    assert [step.status for step in steps] == [StepStatus.COMPLETED, StepStatus.CANCELLED]


@pytest.mark.parametrize("fails_in", ["a step", "a pipeline that a step runs"])
async def test_the_error_of_a_run_names_its_step_and_has_the_own_exception_of_the_step_as_its_cause(
    journal: Journal, fails_in: str
) -> None:
    def broken(data: dict[str, Any]) -> None:
        raise KeyError("total")

    async def outer(data: dict[str, Any]) -> Any:
        inner = await started(journal, document("inner"), inner=broken)
        return await inner.to_end()

    run = await started(journal, document("outer", slug="outer"), outer=broken if fails_in == "a step" else outer)
    with pytest.raises(PipelineError) as failed:
        await run.to_end()
    assert failed.value.step_id == "outer"
    cause = failed.value.__cause__
    if fails_in == "a step":
        assert isinstance(cause, KeyError)
    else:
        assert isinstance(cause, StepError)
        assert (cause.step_id, type(cause.__cause__)) == ("inner", KeyError)


async def test_an_output_that_is_too_large_to_be_kept_fails_the_run_as_any_other(journal: Journal) -> None:
    async def large(data: dict[str, Any]) -> dict[str, Any]:
        return {"text": "x" * 9_000_000}

    run = await started(journal, document("one"), one=large)
    with pytest.raises(PipelineOutputError) as failed:
        await run.to_end()
    assert isinstance(failed.value.__cause__, PayloadError)
    assert "0.2" not in str(failed.value)  # such a file would have met it too


async def test_an_input_that_resolves_to_nothing_fails_its_step_and_names_source_and_step(journal: Journal) -> None:
    last = task("last", inputs={"n": "{steps.first.output.n}|{pipeline_input.n}"})
    run = await started(journal, document("first", last, paths=[("first", "last")]), first=nothing, last=nothing)
    with pytest.raises(StepInputError, match=r"'last'.*\n.*steps\.first\.output\.n \| pipeline_input\.n") as failed:
        await run.to_end()
    assert failed.value.step_id == "last"
