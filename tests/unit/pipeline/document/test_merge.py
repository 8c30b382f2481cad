"""What the rules of ``merge`` make of the values of one key."""

import json
import sys
from fractions import Fraction
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.pipeline.document.merge import (
    FoldingRule,
    FoldingRules,
    contributed,
    contribution_problems,
    first_fold,
    state_problems,
)
from ia_modules.pipeline.document.scope import Scope

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aé\U0001f41d"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", max_size=2), inner, max_size=3),
    max_leaves=5,
)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
LISTS = st.lists(JSON, max_size=3)
MAPPINGS = st.dictionaries(st.text("xyz", max_size=2), JSON, max_size=4)
CONTRIBUTIONS: dict[FoldingRule, st.SearchStrategy[Any]] = {
    "append": JSON,
    "extend": LISTS,
    "sum": NUMBERS,
    "update": MAPPINGS,
}
VALUES: dict[FoldingRule, st.SearchStrategy[Any]] = {**CONTRIBUTIONS, "append": LISTS}
RULES: FoldingRules = {"log": "append", "messages": "extend", "cost": "sum", "facts": "update"}


@st.composite
def results(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An input, and results in causal order, with keys that are folded and one that is not."""

    def some(of: dict[FoldingRule, st.SearchStrategy[Any]]) -> dict[str, Any]:
        keys = draw(st.permutations([*RULES, "last"]).map(lambda keys: keys[: draw(st.integers(0, 5))]))
        return {key: draw(of[RULES[key]] if key in RULES else JSON) for key in keys}

    return some(VALUES), [some(CONTRIBUTIONS) for _ in range(draw(st.integers(0, 6)))]


def one_after_the_other(input_data: dict[str, Any], all_results: list[dict[str, Any]]) -> dict[str, Any]:
    """The rules once more, by the letter: on plain values, each made anew."""
    state = dict(input_data)
    numbers = [input_data["cost"]] if "cost" in input_data else []
    for result in all_results:
        for key, value in result.items():
            match RULES.get(key):
                case "append":
                    state[key] = [*state.get(key, []), value]
                case "extend":
                    state[key] = [*state.get(key, []), *value]
                case "update":
                    state[key] = {**state.get(key, {}), **value}
                case "sum":
                    numbers.append(value)
                    state[key] = sum_of(numbers)
                case _:
                    state[key] = value
    return state


def sum_of(numbers: list[int | float]) -> int | float:
    total = sum(map(Fraction, numbers))
    if all(isinstance(number, int) for number in numbers) and -(2**63) <= total < 2**64:
        return int(total)
    largest = sys.float_info.max
    return largest if total > largest else -largest if total < -largest else float(total)


@given(results())
def test_the_state_is_the_fold_of_the_input_and_all_results_one_after_the_other(
    case: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    input_data, all_results = case
    before = orjson.dumps(case)
    scope = Scope.of(input_data, (("a", result) for result in all_results), RULES)
    expected = orjson.dumps(one_after_the_other(input_data, all_results))
    assert orjson.dumps(scope.state.to_dict()) == expected
    assert orjson.dumps(dict(scope.state)) == expected
    assert orjson.dumps(case) == before, "neither the input nor a result has changed"


@given(results(), st.integers(0, 6))
def test_a_chain_may_be_split_anywhere(case: tuple[dict[str, Any], list[dict[str, Any]]], split: int) -> None:
    input_data, all_results = case
    whole = Scope.of(input_data, (("a", result) for result in all_results), RULES)
    first = Scope.of(input_data, (("a", result) for result in all_results[:split]), RULES)
    one, other = (first.with_results(("a", result) for result in all_results[split:]) for _ in range(2))
    assert orjson.dumps(one.state.to_dict()) == orjson.dumps(other.state.to_dict())
    assert orjson.dumps(one.state.to_dict()) == orjson.dumps(whole.state.to_dict())
    read_back = orjson.loads(orjson.dumps([input_data, all_results]))
    resumed = Scope.of(read_back[0], (("a", result) for result in read_back[1]), RULES)
    assert orjson.dumps(resumed.state.to_dict()) == orjson.dumps(whole.state.to_dict())


@given(results(), results())
def test_branches_of_one_scope_do_not_see_each_other(
    case: tuple[dict[str, Any], list[dict[str, Any]]], other: tuple[dict[str, Any], list[dict[str, Any]]]
) -> None:
    input_data, all_results = case
    fork = Scope.of(input_data, (("a", result) for result in all_results), RULES)
    left = fork.with_results(("left", result) for result in other[1])
    right = fork.with_results(("right", result) for result in reversed(other[1]))
    for scope, after in ((left, other[1]), (right, other[1][::-1]), (fork, [])):
        expected = one_after_the_other(input_data, [*all_results, *after])
        assert orjson.dumps(scope.state.to_dict()) == orjson.dumps(expected)


@given(st.lists(NUMBERS, min_size=1), st.randoms())
def test_a_sum_does_not_depend_on_the_order(numbers: list[int | float], random: Any) -> None:
    shuffled = random.sample(numbers, len(numbers))
    assert added(*numbers) == added(*shuffled)


def added(*numbers: int | float) -> int | float:
    fold = first_fold("sum")
    for number in numbers:
        fold = contributed(fold, number, "sum")
    return fold.value()


@pytest.mark.parametrize(
    ("numbers", "total"),
    [
        ((1, 2), "3"),
        ((1, 2.0), "3.0"),  # a fraction stays one
        ((0.1,) * 10, "1.0"),  # rounded once, not ten times
        ((2**64 - 1, 0), "18446744073709551615"),
        ((2**64 - 1, 1), "18446744073709551616.0"),  # beyond the integers of a payload: the nearest fraction
        ((2**64 - 1, 1, -1), "18446744073709551615"),  # which is not kept: nothing is lost on the way
        ((-(2**63), -1), "-9223372036854775808.0"),
        ((1e308, 1e308), "1.7976931348623157e308"),  # there is no larger one
        ((1e308, 1e308, -1e308), "1e308"),
        ((-1e308, -1e308), "-1.7976931348623157e308"),
        ((-0.0,), "0.0"),
    ],
)
def test_a_sum_is_always_a_number_that_can_be_stored(numbers: tuple[int | float, ...], total: str) -> None:
    assert orjson.dumps(added(*numbers)) == orjson.dumps(json.loads(total))


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ({"messages": "hello"}, "result.messages: found a text; expected a list: merge.messages is extend."),
        ({"messages": None}, "result.messages: found null; expected a list: merge.messages is extend."),
        ({"cost": True}, "result.cost: found a boolean; expected a number: merge.cost is sum."),
        ({"cost": "3"}, "result.cost: found a text; expected a number: merge.cost is sum."),
        ({"facts": [1]}, "result.facts: found a list; expected a mapping: merge.facts is update."),
    ],
)
def test_what_does_not_fit_its_rule_is_no_contribution(result: dict[str, Any], problem: str) -> None:
    assert list(map(str, contribution_problems(RULES, result))) == [problem]


def test_anything_may_be_appended_but_only_to_a_list() -> None:
    assert contribution_problems(RULES, {"log": None, "other": True}) == []
    assert list(map(str, state_problems(RULES, {"log": {}, "cost": 1, "facts": {}, "messages": []}, "$"))) == [
        "$.log: found a mapping; expected a list: merge.log is append."
    ]


def test_a_long_chat_is_read_without_recursion() -> None:
    fold = first_fold("extend")
    for number in range(20_000):
        fold = contributed(fold, [number], "extend")
    assert fold.value() == list(range(20_000))
