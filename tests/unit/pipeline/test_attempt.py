"""One attempt of a step, on every journal: what it gets, what its result may be, what is on record of it."""

import itertools
import threading
import time
from typing import Any

import pytest

from ia_modules.errors import PayloadError, StepError, StepInputError
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.pipeline.code import StepModules, factory_of, load_pipeline
from ia_modules.pipeline.core import ExecutionContext, Step
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.services import ServiceRegistry
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import attempts_of, misbehaves, nothing, pipeline_of, recorded, started


async def test_a_plain_function_runs_beside_the_loop(journal: OperatorJournal) -> None:
    threads: list[bool] = []

    def work(data: dict[str, Any]) -> dict[str, Any]:
        threads.append(threading.current_thread() is threading.main_thread())
        return {"done": True}

    run = await started(journal, document("work"), work=work)
    assert (await run.to_end())["steps"][0]["result"] == {"done": True}
    assert threads == [False]


async def test_what_a_step_does_to_its_input_stays_with_it(journal: OperatorJournal) -> None:
    input_data = {"items": [1, 2]}

    async def spoil(data: dict[str, Any]) -> dict[str, Any]:
        data["items"].append("spoilt")
        data["more"] = True
        return {"kept": data["items"]}

    async def look(data: dict[str, Any]) -> dict[str, Any]:
        return {"seen": data["items"], "more": "more" in data}

    run = await started(
        journal, document("spoil", "look", paths=[("spoil", "look")]), input_data, spoil=spoil, look=look
    )
    result = await run.to_end()
    assert result["steps"][1]["result"] == {"seen": [1, 2], "more": False}
    assert input_data == {"items": [1, 2]}


async def test_declared_inputs_are_all_that_a_step_gets_and_are_stored(journal: OperatorJournal) -> None:
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


async def test_services_context_and_config_are_there(journal: OperatorJournal) -> None:
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


async def test_an_older_class_that_overrides_execute_works(journal: OperatorJournal) -> None:
    class Old(Step):
        async def execute(self, data: dict[str, Any]) -> dict[str, Any]:
            return {"old": True}

    run = await started(journal, document("old"), old=Old)
    assert (await run.to_end())["steps"][0]["result"] == {"old": True}


async def test_a_fallback_gives_the_result_and_the_failure_stays_on_record(journal: OperatorJournal) -> None:
    class Careful(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            raise ConnectionError("gone")

        async def fallback(self, data: dict[str, Any], error: Exception) -> dict[str, Any]:
            return {"cached": True, "because": str(error)}

    run = await started(journal, document(task("careful", error_handling={"enable_fallback": True})), careful=Careful)
    assert (await run.to_end())["steps"][0]["result"] == {"cached": True, "because": "gone"}
    _, (step,) = await recorded(journal, run.execution_id)
    assert (step.status, step.error_type, step.error_message) == (StepStatus.COMPLETED, "ConnectionError", "gone")


async def test_a_required_input_that_does_not_resolve_fails_the_step_by_name(journal: OperatorJournal) -> None:
    inputs = [{"name": "value", "source": "{steps.first.output.missing}", "required": True}]
    written = document("first", task("second", inputs=inputs), paths=[("first", "second")])
    run = await started(journal, written, first=nothing, second=nothing)
    with pytest.raises(StepInputError, match=r"inputs\.value.*missing"):
        await run.to_end()
    _, steps = await recorded(journal, run.execution_id)
    assert attempts_of(steps) == [("first", 1, 1, "completed"), ("second", 1, 1, "failed")]


async def test_a_result_that_is_not_json_fails_the_step(journal: OperatorJournal) -> None:
    async def wrong(data: dict[str, Any]) -> dict[str, Any]:
        return {"when": time.gmtime, "n": 1}

    step = await misbehaves(journal, wrong, PayloadError)
    assert "$.when" in (step.error_message or "")


async def test_a_class_that_cannot_be_made_fails_its_step(journal: OperatorJournal) -> None:
    class Broken(Step):
        def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
            raise KeyError("api_key")

    step = await misbehaves(journal, Broken, KeyError)
    assert "api_key" in (step.error_message or "")


@pytest.mark.parametrize("dialect", ["memory"], indirect=True)
async def test_a_state_may_be_larger_than_one_payload_and_an_input_may_not(journal: OperatorJournal) -> None:
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


async def test_a_function_is_called_anew_for_each_parameter_that_json_tells_apart(tmp_path: Any) -> None:
    (tmp_path / "kinds.py").write_text(
        "calls = []\n"
        "def is_kind(context, parameters):\n"
        "    calls.append(parameters)\n"
        "    return type(parameters['value']).__name__ == parameters['kind']\n"
    )
    values: list[Any] = [1, True, 1.0, "1", [0], [False], {"a": 1}, {"a": True}]
    conditions = [
        {
            "type": "function",
            "module_path": "kinds",
            "function_name": "is_kind",
            "parameters": {"kind": "bool", "value": value},
        }
        for value in [*values, *values]
    ]
    steps = ["first", *(f"to-{place}" for place in range(len(conditions)))]
    paths = [("first", target, condition) for target, condition in zip(steps[1:], conditions, strict=True)]
    code = dict(zip(steps, itertools.repeat(factory_of(nothing))))
    modules = StepModules(tmp_path)
    loaded = load_pipeline(load(document(*steps, paths=paths)).definition, modules, prepared=code)
    run = await Runner(MemoryJournal()).start(loaded)
    ran = [step["step_name"] for step in (await run.to_end())["steps"]]
    assert sorted(ran) == ["first", "to-1", "to-9"]
    calls = modules.attribute("kinds", "calls")
    assert [call["value"] for call in calls] == values, "and only once for each"
    assert [type(call["value"]) for call in calls] == [type(value) for value in values]
