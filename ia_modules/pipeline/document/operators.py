"""The comparisons that conditions are made of, by their names and all their spellings.

A comparison is True or False, or None where the two values cannot be compared. A missing value counts as null
for ``equals``, ``not_equals``, ``in`` and ``not_in``; with every other operator it cannot be compared.
"""

import operator as py
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast, get_args

import re2  # pyright: ignore[reportMissingTypeStubs]

from ia_modules.errors import InvalidValue
from ia_modules.pipeline.document.scope import Unresolved
from ia_modules.pipeline.document.wording import did_you_mean, shown

Operator = Literal[
    "equals",
    "not_equals",
    "greater_than",
    "less_than",
    "greater_than_or_equals",
    "less_than_or_equals",
    "in",
    "not_in",
    "contains",
    "startswith",
    "endswith",
    "regex",
    "exists",
]

SPELLINGS: Mapping[str, Operator] = {
    **{name: name for name in cast(tuple[Operator, ...], get_args(Operator))},
    "==": "equals",
    "!=": "not_equals",
    "gt": "greater_than",
    ">": "greater_than",
    "lt": "less_than",
    "<": "less_than",
    "greater_than_or_equal": "greater_than_or_equals",
    "gte": "greater_than_or_equals",
    ">=": "greater_than_or_equals",
    "less_than_or_equal": "less_than_or_equals",
    "lte": "less_than_or_equals",
    "<=": "less_than_or_equals",
}

IN_WORDS: Mapping[Operator, tuple[str, str]] = {
    "equals": ("=", "≠"),
    "not_equals": ("≠", "="),
    "greater_than": (">", "≤"),
    "less_than": ("<", "≥"),
    "greater_than_or_equals": ("≥", "<"),
    "less_than_or_equals": ("≤", ">"),
    "in": ("is in", "is not in"),
    "not_in": ("is not in", "is in"),
    "contains": ("contains", "does not contain"),
    "startswith": ("starts with", "does not start with"),
    "endswith": ("ends with", "does not end with"),
    "regex": ("matches", "does not match"),
}
"""The words between the two values when the comparison holds, and when it does not. ``exists`` has only one value."""

_NotAPattern = cast(type[Exception], re2.error)


def operator_named(word: object) -> Operator:
    """The operator that a word of a pipeline file means.

    Raises:
        InvalidValue: there is no such operator.
    """
    if isinstance(word, str) and word in SPELLINGS:
        return SPELLINGS[word]
    expected = f"an operator: {', '.join(SPELLINGS)}"
    raise InvalidValue(f"the operator {shown(word)}", expected, did_you_mean(word, SPELLINGS))


def compare(operator: Operator, actual: Any, expected: Any) -> bool | None:
    """Whether the comparison holds; None when the values cannot be compared. ``actual`` may be an Unresolved."""
    if operator == "exists":
        return isinstance(actual, Unresolved) is (expected is False)
    if isinstance(actual, Unresolved):
        if operator not in ("equals", "not_equals", "in", "not_in"):
            return None
        actual = None
    return _COMPARISONS[operator](actual, expected)


def check_pattern(pattern: Any) -> None:
    """Refuses a regular expression that RE2 does not support.

    Raises:
        InvalidValue: no text, not a regular expression, or one with look-around or back references.
    """
    if not isinstance(pattern, str):
        raise InvalidValue(shown(pattern), "a regular expression")
    try:
        _compiled(pattern)
    except _NotAPattern as wrong:
        hint = "Look-around and back references do not exist in RE2, the engine that cannot run away."
        raise InvalidValue(
            f"{shown(pattern)} ({_reason(wrong)})", "a regular expression that RE2 knows", hint
        ) from None


def json_equal(left: Any, right: Any) -> bool:
    """Equality as JSON has it: true is not 1, 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        one, other = cast(dict[str, Any], left), cast(dict[str, Any], right)
        return one.keys() == other.keys() and all(json_equal(value, other[key]) for key, value in one.items())
    if isinstance(left, list) and isinstance(right, list):
        ours, theirs = cast(list[Any], left), cast(list[Any], right)
        return len(ours) == len(theirs) and all(map(json_equal, ours, theirs))
    return left == right


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    def ordered(actual: Any, expected: Any) -> bool | None:
        return compare(actual, expected) if _have_an_order(actual, expected) else None

    return ordered


def _have_an_order(left: Any, right: Any) -> bool:
    """Two numbers have an order, and two texts; booleans are not numbers here."""
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    return (isinstance(left, int | float) and isinstance(right, int | float)) or _are_texts(left, right)


def _are_texts(left: Any, right: Any) -> bool:
    return isinstance(left, str) and isinstance(right, str)


def _holds_in(item: Any, container: Any) -> bool | None:
    """Membership: of an element in a list, of a key in a mapping, of a part in a text."""
    if isinstance(container, list):
        return any(json_equal(item, each) for each in cast(list[Any], container))
    if isinstance(item, str) and isinstance(container, dict | str):
        return item in container
    return None


def _not_in(item: Any, container: Any) -> bool | None:
    holds = _holds_in(item, container)
    return None if holds is None else not holds


def _matches(text: Any, pattern: Any) -> bool | None:
    try:
        return bool(_compiled(pattern).search(text)) if _are_texts(text, pattern) else None
    except _NotAPattern:
        return None


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    compiled: Any = re2.compile(pattern, options)  # pyright: ignore[reportUnknownMemberType] - re2 has no types
    return compiled


def _reason(wrong: Exception) -> str:
    reason = wrong.args[0]
    return reason.decode() if isinstance(reason, bytes) else str(reason)


_COMPARISONS: Mapping[Operator, Callable[[Any, Any], bool | None]] = {
    "equals": json_equal,
    "not_equals": lambda actual, expected: not json_equal(actual, expected),
    "greater_than": _ordered(py.gt),
    "less_than": _ordered(py.lt),
    "greater_than_or_equals": _ordered(py.ge),
    "less_than_or_equals": _ordered(py.le),
    "in": _holds_in,
    "not_in": _not_in,
    "contains": lambda actual, expected: _holds_in(expected, actual),
    "startswith": lambda actual, expected: actual.startswith(expected) if _are_texts(actual, expected) else None,
    "endswith": lambda actual, expected: actual.endswith(expected) if _are_texts(actual, expected) else None,
    "regex": _matches,
}
