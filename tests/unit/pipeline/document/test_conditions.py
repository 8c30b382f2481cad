"""Every condition type and operator: when it holds, and the reason that goes on record."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from ia_modules.pipeline.document.conditions import Condition, FunctionCall, Verdict, evaluate, function_calls
from ia_modules.pipeline.document.operators import SPELLINGS, compare, json_equal
from ia_modules.pipeline.document.scope import Scope, Unresolved

CONDITIONS: TypeAdapter[Any] = TypeAdapter(Condition)
AFTER = Scope.of({"limit": 3, "fast": True, "empty": ""}, (("a", {"score": 1}),)).after(
    "b", {"score": 5, "text": "abc"}
)


def no_function(call: FunctionCall) -> Verdict:
    raise AssertionError(f"no function was expected, not even {call}")


def judge(written: Any, scope: Scope = AFTER) -> Verdict:
    return evaluate(CONDITIONS.validate_python(written), scope, no_function)


MISSING = Unresolved("x", "the state has no 'x'")

COMPARED: list[tuple[str, Any, Any, bool | None]] = [
    ("equals", 1, 1, True),
    ("equals", 1, 1.0, True),
    ("equals", 1, True, False),
    ("equals", 0, False, False),
    ("equals", "1", 1, False),
    ("equals", [1, {"a": None}], [1, {"a": None}], True),
    ("equals", [True], [1], False),
    ("equals", {"a": 1}, {"a": 1, "b": 2}, False),
    ("equals", None, None, True),
    ("equals", MISSING, None, True),
    ("equals", MISSING, "x", False),
    ("not_equals", 1, 2, True),
    ("not_equals", 1, 1.0, False),
    ("not_equals", MISSING, None, False),
    ("not_equals", MISSING, "x", True),
    ("greater_than", 2, 1, True),
    ("greater_than", 1, 1, False),
    ("greater_than", 1.5, 1, True),
    ("greater_than", "b", "a", True),
    ("greater_than", "2", 1, None),
    ("greater_than", True, 0, None),
    ("greater_than", None, 0, None),
    ("greater_than", [2], [1], None),
    ("greater_than", MISSING, 0, None),
    ("less_than", 1, 2, True),
    ("less_than", "2024-01-01", "2024-02-01", True),
    ("less_than", MISSING, 5, None),
    ("greater_than_or_equals", 1, 1, True),
    ("greater_than_or_equals", 0, 1, False),
    ("less_than_or_equals", 1, 1, True),
    ("less_than_or_equals", 2, 1, False),
    ("in", 1, [1, 2], True),
    ("in", True, [1, 2], False),
    ("in", "b", "abc", True),
    ("in", "k", {"k": 1}, True),
    ("in", 1, "123", None),
    ("in", 1, 5, None),
    ("in", MISSING, [1], False),
    ("in", MISSING, [None], True),
    ("not_in", 3, [1, 2], True),
    ("not_in", 1, [1, 2], False),
    ("not_in", 1, 5, None),
    ("not_in", MISSING, [1], True),
    ("contains", [1, "a"], "a", True),
    ("contains", [1], True, False),
    ("contains", "abc", "bc", True),
    ("contains", {"k": 1}, "k", True),
    ("contains", 5, 5, None),
    ("contains", MISSING, 1, None),
    ("startswith", "abc", "ab", True),
    ("startswith", "abc", "b", False),
    ("startswith", 12, 1, None),
    ("startswith", MISSING, "a", None),
    ("endswith", "abc", "bc", True),
    ("endswith", "abc", "b", False),
    ("endswith", ["a"], "a", None),
    ("regex", "order 66", r"\d+$", True),
    ("regex", "order", r"^\d", False),
    ("regex", 66, r"\d", None),
    ("regex", "x", "(", None),
    ("regex", MISSING, ".*", None),
    ("exists", 0, True, True),
    ("exists", None, True, True),
    ("exists", MISSING, True, False),
    ("exists", 0, False, False),
    ("exists", MISSING, False, True),
]


@pytest.mark.parametrize(("operator", "actual", "expected", "holds"), COMPARED)
def test_an_operator_compares(operator: Any, actual: Any, expected: Any, *, holds: bool | None) -> None:
    assert compare(operator, actual, expected) is holds


def test_every_operator_is_compared_above() -> None:
    assert {operator for operator, *_ in COMPARED} == set(SPELLINGS.values())


@pytest.mark.parametrize(("spelling", "operator"), SPELLINGS.items())
def test_every_spelling_of_an_operator_loads(spelling: str, operator: str) -> None:
    written = {"type": "expression", "config": {"source": "x", "operator": spelling, "value": "a"}}
    assert CONDITIONS.validate_python(written).operator == operator


def test_a_regular_expression_cannot_run_away() -> None:
    """An engine that goes back over what it has read would take longer than the world has been there."""
    assert compare("regex", "a" * 100_000 + "!", "^(a+)+$") is False


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
            "nope is missing (the state has no 'nope'), which cannot be compared with 3",
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
            "nope is missing (the state has no 'nope') = null",
        ),
        (
            {"type": "field_exists", "field": "nope"},
            False,
            "nope is missing (the state has no 'nope')",
        ),
        (
            {"type": "field_equals", "field": "score", "value": "{parameters.nope}"},
            False,
            "there is nothing to compare score with: parameters.nope does not resolve: the input has no 'nope'",
        ),
        ("parameter:fast", True, "parameter fast is true"),
        ("parameter:limit", True, "parameter limit is 3"),
        ("parameter:empty", False, 'parameter empty is ""'),
        ("parameter:nope", False, "parameter nope is not given"),
        ({"type": "not", "condition": "parameter:fast"}, False, "not: parameter fast is true"),
        ({"type": "all", "conditions": ["always", "parameter:nope"]}, False, "parameter nope is not given"),
        ({"type": "all", "conditions": ["always", "parameter:fast"]}, True, "always; parameter fast is true"),
        ({"type": "any", "conditions": ["parameter:nope", "parameter:fast"]}, True, "parameter fast is true"),
        (
            {"type": "any", "conditions": ["parameter:nope", "parameter:empty"]},
            False,
            'parameter nope is not given; parameter empty is ""',
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


def test_equality_is_that_of_json() -> None:
    assert json_equal({"a": [1, None, "x"]}, {"a": [1.0, None, "x"]})
    assert not json_equal({"a": [1]}, {"a": [True]})
    assert not json_equal([1], [1, 2])
