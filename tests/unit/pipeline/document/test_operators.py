"""Every operator: when a comparison holds, and when there is nothing to compare."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from ia_modules.pipeline.document.conditions import Condition
from ia_modules.pipeline.document.operators import SPELLINGS, compare, json_equal
from ia_modules.pipeline.document.scope import Unresolved

CONDITIONS: TypeAdapter[Any] = TypeAdapter(Condition)


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


def test_equality_is_that_of_json() -> None:
    assert json_equal({"a": [1, None, "x"]}, {"a": [1.0, None, "x"]})
    assert not json_equal({"a": [1]}, {"a": [True]})
    assert not json_equal([1], [1, 2])
