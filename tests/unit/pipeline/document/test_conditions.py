"""Every condition type: when it holds, and the reason that goes on record."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import TypeAdapter

from ia_modules.pipeline.document.conditions import (
    Condition,
    FunctionCall,
    Verdict,
    evaluate,
    exclusive,
    function_calls,
)
from ia_modules.pipeline.document.operators import SPELLINGS
from ia_modules.pipeline.document.scope import RunFacts, Scope

CONDITIONS: TypeAdapter[Any] = TypeAdapter(Condition)


AFTER = Scope.of({"limit": 3, "fast": True, "empty": ""}, (("a", {"score": 1}),)).after(
    "b", {"score": 5, "text": "abc"}
)


def no_function(call: FunctionCall) -> Verdict:
    raise AssertionError(f"no function was expected, not even {call}")


def judge(written: Any, scope: Scope = AFTER) -> Verdict:
    return evaluate(CONDITIONS.validate_python(written), scope, no_function)


@pytest.mark.parametrize(
    ("written", "holds", "why"),
    [
        ("always", True, "always"),
        ("success", True, "the step succeeded"),
        (
            {"type": "threshold_condition", "field": "score", "operator": ">=", "value": 5},
            True,
            "score is 5 ≥ 5",
        ),
        (
            {
                "type": "expression",
                "config": {"source": "a.score", "operator": ">=", "value": "{{ parameters.limit }}"},
            },
            False,
            "a.score is 1 < 3",
        ),
        (
            {"type": "field_equals", "field": "result.text", "value": "abc"},
            True,
            'result.text is "abc" = "abc"',
        ),
        (
            {"type": "field_greater_than", "field": "{parameters.limit}", "value": 2},
            True,
            "parameters.limit is 3 > 2",
        ),
        (
            {"type": "field_less_than", "field": "nope", "value": 3},
            False,
            "nope is missing: there is no such field (the state has no 'nope'), which cannot be compared with 3",
        ),
        (
            {"type": "field_less_than", "field": "text", "value": 3},
            False,
            'text is "abc", which cannot be compared with 3',
        ),
        (
            {"type": "expression", "source": "text", "operator": "startswith", "value": "b"},
            False,
            'text is "abc", which does not start with "b"',
        ),
        (
            {"type": "expression", "source": "score", "operator": "in", "value": [4, 5]},
            True,
            "score is 5, which is in [4, 5]",
        ),
        (
            {"type": "field_equals", "field": "nope", "value": None},
            True,
            "nope is missing: there is no such field (the state has no 'nope') = null",
        ),
        (
            {"type": "field_exists", "field": "nope"},
            False,
            "nope is missing: there is no such field (the state has no 'nope')",
        ),
        (
            {"type": "field_equals", "field": "score", "value": "{parameters.nope}"},
            False,
            "there is nothing to compare score with: parameters.nope does not resolve: the input has no 'nope'",
        ),
        ("parameter:fast", True, "parameter fast is true"),
        ("parameter:limit", True, "parameter limit is 3"),
        ("parameter:empty", False, 'parameter empty is ""'),
        ("parameter:nope", False, "the input has no parameter nope"),
        ({"type": "not", "condition": "parameter:fast"}, False, "not: parameter fast is true"),
        ({"type": "all", "conditions": ["always", "parameter:nope"]}, False, "the input has no parameter nope"),
        ({"type": "all", "conditions": ["always", "parameter:fast"]}, True, "always; parameter fast is true"),
        ({"type": "any", "conditions": ["parameter:nope", "parameter:fast"]}, True, "parameter fast is true"),
        (
            {"type": "any", "conditions": ["parameter:nope", "parameter:empty"]},
            False,
            'the input has no parameter nope; parameter empty is ""',
        ),
    ],
)
def test_a_condition_says_whether_it_holds_and_why(written: Any, *, holds: bool, why: str) -> None:
    assert judge(written) == Verdict(holds, why)


def test_success_does_not_hold_after_a_failure_that_lets_the_flow_go_on() -> None:
    assert judge("success", Scope.of({}).after("a", {}, succeeded=False)) == Verdict(False, "the step failed")


def test_a_reason_shows_no_more_than_a_message_can_carry() -> None:
    why = judge({"type": "field_equals", "field": "x", "value": 1}, Scope.of({"x": "secret " * 10_000})).why
    assert len(why) < 150


def test_functions_are_asked_of_the_caller() -> None:
    call = {"type": "function", "module_path": "checks", "function_name": "is_good", "parameters": {"limit": [3]}}
    condition = CONDITIONS.validate_python({"type": "all", "conditions": [{"type": "not", "condition": call}, call]})
    first, second = function_calls(condition)
    assert first == second
    answers = {first: Verdict(False, "it said no")}
    assert evaluate(condition, AFTER, answers.__getitem__) == Verdict(False, "it said no")
    assert (str(first), first.parameters, first.timeout_seconds) == ("checks.is_good", {"limit": [3]}, 30.0)


@pytest.mark.parametrize("word", ["else", "condition"])
def test_what_only_all_paths_together_decide_is_not_evaluated_alone(word: str) -> None:
    with pytest.raises(ValueError, match="decided by the paths of a step together"):
        judge(word)


RUN = replace(AFTER, run=RunFacts(iteration=5, attempt=2, execution_id="e1"))


@pytest.mark.parametrize(
    ("source", "operator", "value", "why"),
    [
        ("run.iteration", ">=", 5, "run.iteration is 5 ≥ 5"),
        ("{run.attempt}", "==", 2, "run.attempt is 2 = 2"),
        ("run.execution_id", "==", "e1", 'run.execution_id is "e1" = "e1"'),
        ("score", "==", "{run.iteration}", "score is 5 = 5"),
        ("a.score", "!=", "{parameters.nothing}|{run.iteration}", "a.score is 1 ≠ 5"),
    ],
)
def test_a_condition_reads_the_step_run_in_front_of_it(source: str, operator: str, value: Any, why: str) -> None:
    written = {"type": "expression", "source": source, "operator": operator, "value": value}
    assert judge(written, RUN) == Verdict(True, why)


@st.composite
def compared(draw: st.DrawFn) -> dict[str, Any]:
    operator = draw(st.sampled_from(sorted(SPELLINGS)))
    values = [None, True, False, 0, 1, 1.5, 2, "a", "ab", [1, "a"], "{parameters.limit}"]
    value = "a.?" if operator == "regex" else draw(st.sampled_from(values))
    written = {"type": "expression", "source": "result.x", "operator": operator, "value": value}
    wrap: Any = draw(st.sampled_from([None, None, "not", "all", "any"]))
    if wrap == "not":
        return {"type": "not", "condition": written}
    return written if wrap is None else {"type": wrap, "conditions": [written, draw(compared())]}


@given(compared(), compared(), st.sampled_from([{}, *({"x": x} for x in (None, True, False, 0, 1, 1.5, 2, "a", "ab"))]))
def test_conditions_that_exclude_each_other_never_hold_at_once(
    one: dict[str, Any], other: dict[str, Any], result: dict[str, Any]
) -> None:
    scope = Scope.of({"limit": 1}).after("a", result)
    parsed = [CONDITIONS.validate_python(each) for each in (one, other)]
    if exclusive(*parsed):
        assert not all(evaluate(each, scope, no_function).holds for each in parsed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((">", "{parameters.n}"), ("<=", "{parameters.n}")),
        (("==", "stop"), ("==", "act")),
        (("==", 3), (">", 3)),
        ((">=", 0.8), ("<", 0.5)),
        (("in", ["a"]), ("not_in", ["a"])),
        (("exists", False), ("==", 1)),
    ],
)
def test_comparisons_that_no_value_satisfies_exclude_each_other(one: Any, other: Any) -> None:
    both = [{"type": "expression", "source": "x", "operator": word, "value": value} for word, value in (one, other)]
    first, second = map(CONDITIONS.validate_python, both)
    assert exclusive(first, second)
    assert exclusive(second, first)
    assert not exclusive(first, CONDITIONS.validate_python({**both[1], "source": "y"}))
    assert exclusive(first, CONDITIONS.validate_python({"type": "not", "condition": both[0]}))
