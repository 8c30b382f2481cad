"""One attempt of a step, on every journal: what it gets, what its result may be, what is on record of it."""

import itertools
import math
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import orjson
import pytest

from ia_modules.errors import PayloadError, StepError, StepInputError
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.payload import PAYLOAD_LIMIT_BYTES
from ia_modules.pipeline.attempt import prepare, run_alone
from ia_modules.pipeline.authoring import Flow, when
from ia_modules.pipeline.code import factory_of, load_pipeline
from ia_modules.pipeline.core import ExecutionContext, Step
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.outcome import recorded_result
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.step_modules import StepModules
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


class Unspeakable:
    """What fails when it is printed."""

    def __repr__(self) -> str:
        raise ValueError("no words")

    def __hash__(self) -> int:
        return 1


def nested(levels: int) -> Any:
    return [] if levels == 0 else [nested(levels - 1)]


def within_itself() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


UNSTORABLE: dict[str, tuple[Any, str]] = {
    "a function": (time.gmtime, "$.rows[1].value found"),
    "a range": (range(1), "$.rows[1].value found a value of type range"),
    "not a number": (float("nan"), "$.rows[1].value found nan"),
    "infinite": (float("-inf"), "$.rows[1].value found -inf"),
    "a set": ({math.nan}, "$.rows[1].value[0] found nan"),
    "a large integer": (2**64, "$.rows[1].value found an integer of 65 bits"),
    "a lone surrogate": ("a\ud800", "$.rows[1].value found a lone surrogate at position 1"),
    "a NUL": ("\0", "$.rows[1].value found a NUL character at position 0"),
    "a key of another type": ({1: 2}, "$.rows[1].value found the key 1 of type int"),
    "a key that cannot be printed": ({Unspeakable(): 2}, "of type Unspeakable"),
    "too deep": (nested(300), "found more than 200 levels"),
    "itself": (within_itself(), "found more than 200 levels"),
    "a view": (memoryview(b"x"), "$.rows[1].value found a value of type memoryview"),
    "too large": ("x" * PAYLOAD_LIMIT_BYTES, "at $ found 16,777,"),
}


@pytest.mark.parametrize("name", UNSTORABLE)
async def test_a_step_whose_result_cannot_be_stored_is_not_run_again(name: str) -> None:
    value, expected = UNSTORABLE[name]
    effects: list[int] = []

    async def charge(data: dict[str, Any]) -> Any:
        effects.append(1)
        return {"rows": [0, {"value": value}]}

    retry = {"max_attempts": 3, "initial_delay": 0, "retry_on": ["PayloadError", "Exception"]}
    step = await misbehaves(MemoryJournal(), charge, PayloadError, error_handling={"retry": retry})
    assert (len(effects), step.attempt) == (1, 1)
    assert expected in (step.error_message or "")


async def test_an_unstorable_result_is_a_failure_for_good_on_every_journal(journal: OperatorJournal) -> None:
    def charge(data: dict[str, Any]) -> Any:
        return {"at": range(1)}

    step = await misbehaves(journal, charge, PayloadError, error_handling={"retry": {"initial_delay": 0}})
    assert (step.attempt, step.error_type) == (1, "PayloadError")


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_large_result_is_gone_before_a_copy_is_made_of_what_is_stored(*, is_async: bool) -> None:
    class Numbers(list[int]):
        """A list that tells whether it is gone."""

    made: list[weakref.ref[Numbers]] = []
    alive: list[bool] = []

    def count(data: dict[str, Any]) -> dict[str, Any]:
        numbers = Numbers(range(1_000))
        made.append(weakref.ref(numbers))
        return {"numbers": numbers}

    async def count_here(data: dict[str, Any]) -> dict[str, Any]:
        return count(data)

    def look(_: Any, event: str, called: Any) -> None:
        if event == "c_call" and called is orjson.loads and made:
            alive.append(made[0]() is not None)

    pipeline = pipeline_of(document("count"), {"count": count_here if is_async else count})
    scope = Scope.of({}, [], pipeline.graph.folding_rules)
    work = prepare(pipeline, pipeline.facts["count"], scope, failures=0, refused=None)
    sys.setprofile(look)
    try:
        outcome = await run_alone(work, LocalExecutor())
    finally:
        sys.setprofile(None)
    assert outcome.result == {"numbers": list(range(1_000))}
    assert alive == [False]


async def test_a_question_that_is_none_fails_its_step_once(journal: OperatorJournal) -> None:
    async def ask(data: dict[str, Any]) -> dict[str, Any]:
        return {"status": "human_input_required", "ui_schema": {"type": "no such type"}}

    step = await misbehaves(journal, ask, Exception, error_handling={"retry": {"initial_delay": 0}})
    assert step.attempt == 1


async def test_what_the_author_wants_after_a_failure_holds_for_a_result_that_cannot_be_stored(
    journal: OperatorJournal,
) -> None:
    class Charge(Step):
        async def run(self, data: dict[str, Any]) -> Any:
            return {"at": range(1)}

        async def fallback(self, data: dict[str, Any], error: Exception) -> Any:
            return {"fell back": type(error).__name__}

    def charge(data: dict[str, Any]) -> Any:
        return {"at": range(1)}

    retry = {"max_attempts": 3, "initial_delay": 0}
    written = document(
        task("falls-back", error_handling={"retry": retry, "enable_fallback": True}),
        task("goes-on", error_handling={"retry": retry, "continue_on_error": True}),
        paths=[("falls-back", "goes-on")],
    )
    run = await started(journal, written, **{"falls-back": Charge, "goes-on": charge})
    results = [step["result"] for step in (await run.to_end())["steps"]]
    assert results[0] == {"fell back": "PayloadError"}
    assert (results[1]["step_error"], results[1]["error_type"]) == (True, "PayloadError")
    _, steps = await recorded(journal, run.execution_id)
    assert attempts_of(steps) == [("falls-back", 1, 1, "completed"), ("goes-on", 1, 1, "failed")]


async def test_a_result_that_its_own_output_schema_refuses_is_made_again_where_a_retry_is_declared(
    journal: OperatorJournal,
) -> None:
    answers = iter([{"score": "high"}, {"score": 7}])

    async def score(data: dict[str, Any]) -> dict[str, Any]:
        return next(answers)

    schema = {"properties": {"score": {"type": "integer"}}}
    written = document(task("score", output_schema=schema, error_handling={"retry": {"initial_delay": 0}}))
    run = await started(journal, written, score=score)
    assert (await run.to_end())["steps"][0]["result"] == {"score": 7}


ENDINGS = ["KeyboardInterrupt", "SystemExit(3)", "ValueError(1)"]
AT_ONCE = "async def holds(context, parameters):\n    raise {ending}\n"
AS_A_TRUTH = """
class Answer:
    def __bool__(self):
        raise {ending}

def holds(context, parameters):
    return Answer()
"""


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("code", [AT_ONCE, AS_A_TRUTH])
async def test_a_condition_that_fails_after_a_step_ends_neither_the_process_nor_makes_the_step_again(
    journal: OperatorJournal, tmp_path: Path, ending: str, code: str
) -> None:
    (tmp_path / "ends.py").write_text(code.format(ending=ending))
    effects: list[int] = []

    async def charge(data: dict[str, Any]) -> dict[str, Any]:
        effects.append(1)
        return {}

    condition = {"type": "function", "module_path": "ends", "function_name": "holds"}
    retry = {"retry": {"max_attempts": 3, "initial_delay": 0}}
    written = document(task("first", error_handling=retry), "second", paths=[("first", "second", condition)])
    prepared = {"first": factory_of(charge), "second": factory_of(nothing)}
    loaded = load_pipeline(load(written).definition, StepModules(tmp_path), prepared=prepared)
    run = await Runner(journal).start(loaded)
    with pytest.raises(StepError, match="the condition ends.holds"):
        await run.to_end()
    assert len(effects) == 1


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
async def test_a_fallback_that_would_end_the_process_fails_the_step(
    journal: OperatorJournal, ending: type[BaseException]
) -> None:
    class Careless(Step):
        async def run(self, data: dict[str, Any]) -> None:
            raise ValueError("first")

        async def fallback(self, data: dict[str, Any], error: Exception) -> None:
            raise ending

    await misbehaves(journal, Careless, StepError, error_handling={"enable_fallback": True})


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, ValueError])
async def test_a_fallback_that_cannot_be_had_fails_the_step(
    journal: OperatorJournal, ending: type[BaseException]
) -> None:
    class Careless(Step):
        async def run(self, data: dict[str, Any]) -> None:
            raise TypeError("first")

        @property
        def fallback(self) -> None:
            raise ending

    await misbehaves(journal, Careless, StepError, error_handling={"enable_fallback": True})


async def test_an_object_that_takes_no_context_fails_its_step(journal: OperatorJournal) -> None:
    class Frozen(Step):
        def __setattr__(self, name: str, value: Any) -> None:
            if "context" in self.__dict__:
                raise AttributeError("frozen")
            super().__setattr__(name, value)

    await misbehaves(journal, Frozen, StepError)


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


async def test_what_code_does_to_its_config_or_to_the_state_that_it_is_shown_only_that_code_sees(
    journal: OperatorJournal,
) -> None:
    def spoils(context: dict[str, Any], parameters: dict[str, Any]) -> bool:
        context["made"]["of"].append("a condition")
        return True

    class Spoils(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            self.config["made"]["of"].append("a config")
            return {"spoiled": self.config["made"]["of"]}

    async def makes(data: dict[str, Any]) -> dict[str, Any]:
        return {"made": {"of": ["wood"]}}

    flow = Flow("Spoiled")
    first, second = (
        flow.add(makes, id="first"),
        flow.add(Spoils, id="second", config={"made": "{{ steps.first.output.made }}"}),
    )
    assert (first >> when(spoils) >> second) == second
    result = await Runner(journal).run(flow.load())
    record = await journal.get_execution(result["execution_id"])
    assert record is not None
    assert result == await recorded_result(journal, record)
    assert [step["result"] for step in result["steps"]] == [
        {"made": {"of": ["wood"]}},
        {"spoiled": ["wood", "a config"]},
    ]
    assert result["output"]["made"] == {"of": ["wood"]}
