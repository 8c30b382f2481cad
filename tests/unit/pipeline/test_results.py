"""What steps give, and what an execution gives in the end."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, RootModel

from ia_modules.errors import PipelineOutputError
from ia_modules.pipeline.reads import EVERYTHING, Reads
from ia_modules.pipeline.results import Scopes, encode_result, output_of, scope_before, step_error_result
from ia_modules.pipeline.tokens import StepRunKey
from tests.unit.pipeline.factories import graph
from tests.unit.pipeline.test_tokens import Play


class Counted(BaseModel):
    number: int


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({"a": 1}, {"a": 1}),
        ([1], {"result": [1]}),
        (None, {"result": None}),
        ("x", {"result": "x"}),
        (datetime(2026, 1, 2, tzinfo=UTC), {"result": "2026-01-02T00:00:00Z"}),
        (Counted(number=1), {"number": 1}),
        (RootModel[dict[str, int]]({"a": 1}), {"a": 1}),
        (RootModel[list[int]]([1]), {"result": [1]}),
    ],
)
def test_a_result_is_a_mapping(value: Any, result: dict[str, Any]) -> None:
    assert orjson.loads(encode_result(value, "result")) == result


def test_a_failure_that_lets_the_flow_go_on_is_a_result() -> None:
    assert step_error_result(ValueError("no such file")) == {
        "step_error": True,
        "error_message": "no such file",
        "error_type": "ValueError",
    }


def played(**keys: Any) -> tuple[Play, dict[StepRunKey, dict[str, Any]]]:
    """a, then b, then a again from b, then c from the first a. Results share names, also with a step."""
    paths: list[Any] = [("a", "b"), ("a", "c"), ("b", "a", "parameter:x")]
    play = Play(graph("a", "c", "b", paths=paths, **keys))
    results: dict[StepRunKey, dict[str, Any]] = {}

    def give(key: StepRunKey, **result: Any) -> None:
        results[key] = result

    give(play.does("a", to="b c").key, x="a1", n=1)
    give(play.does("b", to="a").key, x="b1", y=True)
    give(play.does("a").key, x="a2", n=2)
    give(play.does("c").key, x="c1")
    return play, results


def test_the_output_is_the_input_with_all_results_and_each_step_by_its_id() -> None:
    play, results = played()
    assert output_of(play.state, {"given": 1, "x": "given", "c": "a field"}, results)[0] == {
        "given": 1,
        "x": "a2",
        "n": 2,
        "y": True,
        "a": {"x": "a2", "n": 2},
        "b": {"x": "b1", "y": True},
        "c": {"x": "c1"},
    }


def test_declared_outputs_are_the_whole_output_and_null_where_nothing_is() -> None:
    outputs = {
        "n": "{{ a.n }}",
        "mixed": {"x": "{steps.c.output.x}|none", "no": "{steps.c.output.no}"},
        "no": "{{ b.no }}",
    }
    play, results = played(outputs=outputs)
    assert output_of(play.state, {}, results)[0] == {"n": 2, "mixed": {"x": "c1", "no": None}, "no": None}


def test_the_output_is_held_against_its_schema() -> None:
    play, results = played(outputs={"n": "{{ a.n }}"}, output_schema={"properties": {"n": {"maximum": 1}}})
    with pytest.raises(PipelineOutputError) as refused:
        output_of(play.state, {}, results)
    assert str(refused.value) == (
        "The output of pipeline 'test' is not what it must be"
        " (if this file was written for 0.2, run it with --format 0.2):\n"
        "- $.n: found 2 is greater than the maximum of 1; expected what its schema says (maximum)."
    )


def test_a_step_sees_the_input_and_what_led_to_it() -> None:
    play, results = played()
    scope = scope_before(play.state, [StepRunKey("b", 1)], {"given": 1, "n": 0}, results)
    assert scope.state == {"given": 1, "n": 1, "x": "b1", "y": True}
    assert set(scope.steps) == {"a", "b"}
    assert scope.result is None
    after = scope.after("a", {"n": 2})
    assert (after.state["n"], after.result, after.steps["a"]) == (2, {"n": 2}, {"n": 2})
    assert scope.state["n"] == 1


def names(*steps: str, fields: str = "") -> Reads:
    return Reads(frozenset(steps), frozenset(fields.split()), state=False)


def test_only_results_that_are_read_must_be_at_hand() -> None:
    play, results = played()
    known: dict[StepRunKey, dict[str, Any]] = {}
    scopes = Scopes(play.state, {"given": 1}, known)
    parents = [StepRunKey("a", 2)]
    assert scopes.needs(parents, names("b", "c")) == [StepRunKey("b", 1)]  # c did not lead here
    assert scopes.needs(parents, names("a", fields="b")) == [StepRunKey("a", 2), StepRunKey("b", 1)]
    known[StepRunKey("b", 1)] = results[StepRunKey("b", 1)]
    assert dict(scopes.before(parents, names("b")).steps) == {"b": {"x": "b1", "y": True}}
    whole = [StepRunKey("a", 1), StepRunKey("b", 1), StepRunKey("a", 2)]
    assert scopes.needs(parents, names(fields="c")) == scopes.needs(parents, EVERYTHING) == whole
    known.update(results)
    assert scopes.before(parents).state == scope_before(play.state, parents, {"given": 1}, results).state
    assert scopes.needs(parents, EVERYTHING) == []
