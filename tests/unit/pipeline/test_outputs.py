"""An output without ``outputs`` is stored once, as the results it is made of, and comes back byte for byte."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ia_modules.errors import PipelineOutputError
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.payload import PAYLOAD_LIMIT_BYTES, encode
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.outputs import rebuilt_output, referenced_bytes, stored_output
from ia_modules.pipeline.results import output_of
from tests.unit.pipeline.factories import definition, document, path, task
from tests.unit.pipeline.programs import recorded, started
from tests.unit.pipeline.random_files import files, graph_of
from tests.unit.pipeline.simulation import Simulation
from tests.unit.pipeline.test_recorded import rows_of
from tests.unit.pipeline.test_timing import at_random

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | FLOATS
    | st.sampled_from([1.0, -0.0, 1e16, 1e-7, 5e-324, 2.0**53, 0.1 + 0.2])
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("zy", max_size=2), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["step0", "step1", "step2", "input", "result", "ключ", "", "z", "run", "human_input"])
PAYLOADS = st.dictionaries(KEYS, JSON, max_size=4)

TWO_END_IT = document(
    "step0",
    "step1",
    "step2",
    paths=[
        ("step0", "step1"),
        ("step0", "step2"),
        path("step1", "end_here") | {"ends": "execution"},
        path("step2", "end_here") | {"ends": "execution"},
    ],
)
"""Either of two branches ends the execution: the first on record does."""


@settings(max_examples=120, deadline=None)
@given(
    file=files(may_end=True),
    seed=st.integers(0, 10_000),
    timing=st.integers(0, 2**32),
    input_data=PAYLOADS,
    payloads=st.lists(PAYLOADS, min_size=1, max_size=6),
)
@example(TWO_END_IT, 0, 0, {}, [{}])
@example(TWO_END_IT, 0, 1, {}, [{}])
def test_what_is_rebuilt_from_the_records_is_what_was_there_at_the_end(
    file: dict[str, Any], seed: int, timing: int, input_data: dict[str, Any], payloads: list[dict[str, Any]]
) -> None:
    simulation = Simulation(graph_of(file), input_data, seed).run(at_random(timing))
    for number, result in enumerate(simulation.results.values()):
        result.update(payloads[number % len(payloads)])
    output, _ = output_of(simulation.state, input_data, simulation.results)
    rows, chance = rows_of(simulation, random.Random(timing)), random.Random(timing)
    chance.shuffle(rows)
    read_back = orjson.loads(encode(input_data, "input"))
    assert rebuilt_output(simulation.graph.definition, read_back, rows) == encode(output, "output")


def test_declared_outputs_are_stored_and_others_leave_their_size() -> None:
    output = {"n": 1, "text": "ключ"}
    declared = stored_output(definition("a", outputs={"n": "{steps.a.output.n}"}), output)
    assert (declared.output_data, declared.output_refs) == (encode(output, "output"), None)
    other = stored_output(definition("a"), output)
    assert (other.text, other.output_data) == (declared.text, None)
    assert other.output_refs is not None
    assert referenced_bytes(other.output_refs) == len(orjson.dumps(output))


def of_payloads(payloads: list[dict[str, Any]]) -> type[Step]:
    class Gives(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            own = payloads[(len(self.name) + self.context.iteration) % len(payloads)]
            return {**own, "turn": self.context.iteration}

    return Gives


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(input_data=PAYLOADS, payloads=st.lists(PAYLOADS, min_size=1, max_size=4))
async def test_every_journal_gives_the_same_bytes_as_there_were_at_the_end(
    journal: OperatorJournal, input_data: dict[str, Any], payloads: list[dict[str, Any]]
) -> None:
    again = {"type": "field_less_than", "field": "result.turn", "value": 3}
    paths: list[Any] = [("step0", "step1"), ("step0", "step2"), ("step1", "z"), ("step2", "z"), ("z", "step0", again)]
    written = document("step0", "step2", "step1", "z", paths=paths, merge={"turn": "sum"}, slug="bytes")
    code = dict.fromkeys(("step0", "step1", "step2", "z"), of_payloads(payloads))
    texts: list[str] = []
    for each in (journal, MemoryJournal()):
        run = await started(each, written, input_data, **code)
        result = await run.to_end()
        execution, steps = await recorded(each, run.execution_id)
        assert encode(result["output"], "output") == encode(execution.output_data, "output")
        assert rebuilt_output(run.pipeline.definition, execution.input_data, steps) == encode(
            execution.output_data, "output"
        )
        texts.append(encode(execution.output_data, "output"))
    assert texts[0] == texts[1] == encode(by_the_letter(input_data, payloads), "output")


def by_the_letter(input_data: dict[str, Any], payloads: list[dict[str, Any]]) -> dict[str, Any]:
    """The output of that file once more: three turns, in each the branches in the order of their steps in the file."""
    state, last, turns = dict(input_data), dict[str, Any](), 0
    for turn in (1, 2, 3):
        for step_id in ("step0", "step2", "step1", "z"):
            result = {**payloads[(len(step_id) + turn) % len(payloads)], "turn": turn}
            turns += turn
            state |= result | {"turn": turns}
            last[step_id] = result
    return state | last


async def test_an_output_that_is_too_large_fails_the_execution_at_its_end(journal: OperatorJournal) -> None:
    half = "x" * (PAYLOAD_LIMIT_BYTES // 2)

    class Gives(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            return {"half": half}

    run = await started(journal, document("a"), {}, a=Gives)
    with pytest.raises(PipelineOutputError, match="at most 16,777,216"):
        await run.to_end()
    execution, (step,) = await recorded(journal, run.execution_id)
    assert (execution.status, execution.output_data, step.status) == (
        ExecutionStatus.FAILED,
        None,
        StepStatus.COMPLETED,
    )


async def test_output_schema_is_held_to_an_output_that_is_stored_as_a_reference(journal: OperatorJournal) -> None:
    class Gives(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            return {"n": 2}

    schema = {"properties": {"n": {"maximum": 1}}}
    run = await started(journal, document(task("a"), output_schema=schema), {}, a=Gives)
    with pytest.raises(PipelineOutputError):
        await run.to_end()
