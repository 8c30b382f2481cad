"""Differences of JSON values: exact, found from both sides alike, and bounded."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ia_modules.models import Json
from ia_modules.pipeline.comparing.difference import (
    EXCERPT_CHARACTERS,
    JsonChange,
    canonical,
    difference_of,
    only_in_one,
)

Change = tuple[str, str | None, str | None]

NUMBERS = st.sampled_from([0, -0.0, 0.0, 1, 1.0, True, False, 2**53, 2**53 + 1, 2**63, -(2**63), 1e5, 100_000, 0.1])
LEAVES = st.none() | NUMBERS | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
KEYS = st.sampled_from(["a", "b", "__proto__", "a.b", "", "1", "[0]", "ü"]) | st.text(max_size=3)
TEXTS = st.sampled_from(["", "1", "1.0", "null", "a\nb", "[]", "{}"]) | st.text(max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES | TEXTS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


def changes_of(a: Json, b: Json) -> list[Change]:
    return [(change.path, change.a, change.b) for change in difference_of(a, b).changes]


def reordered(value: Any) -> Any:
    match value:
        case dict():
            return {key: reordered(inner) for key, inner in reversed(value.items())}
        case list():
            return [reordered(inner) for inner in value]
        case _:
            return value


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES)
def test_two_values_differ_somewhere_unless_they_are_stored_as_the_same(a: Any, b: Any) -> None:
    is_same = orjson.dumps(a, option=orjson.OPT_SORT_KEYS) == orjson.dumps(b, option=orjson.OPT_SORT_KEYS)
    assert (difference_of(a, b).changes == ()) is is_same
    assert difference_of(a, reordered(a)).changes == ()


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES)
def test_from_the_other_side_the_same_places_are_found(a: Any, b: Any) -> None:
    one, other = difference_of(a, b), difference_of(b, a)
    pairs = sorted((change.a or "", change.b or "", change.a_bytes, change.b_bytes) for change in one.changes)
    assert pairs == sorted((change.b or "", change.a or "", change.b_bytes, change.a_bytes) for change in other.changes)
    assert one.left_out == other.left_out


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES)
def test_what_is_named_of_each_value_is_what_stands_there(a: Any, b: Any) -> None:
    for change in difference_of(a, b).changes:
        assert change.a != change.b or change.a_bytes > EXCERPT_CHARACTERS or change.path.endswith("…")
        for text, size in ((change.a, change.a_bytes), (change.b, change.b_bytes)):
            if text is not None and size <= EXCERPT_CHARACTERS:
                assert len(orjson.dumps(orjson.loads(text))) == size


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1, 1.0, [("$", "1", "1.0")]),
        (0.0, -0.0, [("$", "0.0", "-0.0")]),
        ([True], [1], [("$[0]", "true", "1")]),
        ([1], [1.0], [("$[0]", "1", "1.0")]),
        ({"n": 2**53}, {"n": 2**53 + 1}, [("$.n", "9007199254740992", "9007199254740993")]),
        ({"__proto__": 1}, {"__proto__": 2}, [("$.__proto__", "1", "2")]),
        ({"a b": 1}, {"a b": 2}, [('$["a b"]', "1", "2")]),
        ({"a": None}, {}, [("$.a", "null", None)]),
        ({}, {"a": [1, {"b": "x"}]}, [("$.a", None, '[1,{"b":"x"}]')]),
        ({"a": 1, "b": 2, "c": 3}, {"a": 9}, [("$.a", "1", "9"), ("$.b", "2", None), ("$.c", "3", None)]),
        ({"a": []}, {"a": {}}, [("$.a", "[]", "{}")]),
        ("1", 1, [("$", '"1"', "1")]),
        (["x", "y", "z"], ["x", "new", "y", "z"], [("$[1]", None, '"new"')]),
        (["x", "y", "z"], ["y", "z"], [("$[0]", '"x"', None)]),
        ([{"n": n} for n in range(12)], [{"n": n} for n in range(11)] + [{"n": 0}], [("$[11].n", "11", "0")]),
        ({"b": 1, "a": [1, 2]}, {"a": [1, 2], "b": 1}, []),
    ],
)  # fmt: skip
def test_differences_are_found_at_their_places(a: Any, b: Any, expected: list[Change]) -> None:
    assert changes_of(a, b) == expected


def test_places_come_in_the_order_of_their_paths_and_beyond_the_limit_are_counted() -> None:
    found = difference_of({"n": list(range(100))}, {"n": [number + 1000 for number in range(100)]}, limit=12)
    assert [change.path for change in found.changes] == [f"$.n[{number}]" for number in range(12)]
    assert found.left_out == 88


def test_long_texts_and_paths_are_cut_and_their_sizes_told() -> None:
    [change] = difference_of({"k" * 1000: "ü" * 1000}, {"k" * 1000: 1}).changes
    assert change.a is not None
    assert (len(change.path), len(change.a), change.a_bytes) == (EXCERPT_CHARACTERS, EXCERPT_CHARACTERS, 2002)
    assert change.path.endswith("…")
    assert change.a.endswith("…")


def test_long_texts_are_cut_around_the_place_where_they_part() -> None:
    before, after = "x" * 5000, "y" * 5000
    [change] = difference_of(f"{before}one{after}", f"{before}two{after}").changes
    assert change.a is not None
    assert change.b is not None
    assert change.a.startswith("…xxx")
    assert change.a.endswith("yyy…")
    assert (change.a[:60].count("one"), change.b[:60].count("two")) == (1, 1)
    assert (len(change.a), change.a_bytes) == (EXCERPT_CHARACTERS, 10_005)


def test_values_as_deep_as_they_may_be_stored_are_compared() -> None:
    def deep(leaf: int, key: str) -> Any:
        value: Any = leaf
        for _ in range(198):
            value = {key: value} if key else [value]
        return value

    for key in ("a", ""):
        assert difference_of(deep(1, key), deep(1, key)).changes == ()
        [change] = difference_of(deep(1, key), deep(2, key)).changes
        assert change.a != change.b


def test_rows_that_were_put_in_or_taken_out_are_found() -> None:
    rows = [{"n": number} for number in range(6)]
    assert changes_of(rows, [*rows[:2], {"n": 99}, *rows[2:]]) == [("$[2]", None, '{"n":99}')]
    assert changes_of(rows, [rows[0], *rows[2:5], {"n": 5.0}]) == [("$[1]", '{"n":1}', None), ("$[5].n", "5", "5.0")]


def test_very_long_lists_are_compared_place_by_place_where_both_differ() -> None:
    before = [str(number) for number in range(3000)]
    assert changes_of(before, [*before[:1500], "new", *before[1500:]]) == [("$[1500]", None, '"new"')]
    assert difference_of(["x", *before, "z"], ["new", "y", *before, "a", "b"], limit=1).left_out == 3003


def test_many_lists_are_matched_until_it_has_taken_long() -> None:
    lists = [[str(number) for number in range(400)] for _ in range(20)]
    shifted = [["a", *each[1:200], "x", *each[200:], "b"] for each in lists]
    found = difference_of(lists, shifted)
    assert len(found.changes) + found.left_out > 20 * 3


def test_a_value_beside_none_at_all_is_one_place() -> None:
    assert only_in_one("[1]", None).changes == (JsonChange("$", "[1]", None, 3, 0),)
    assert only_in_one(None, "[1]").changes == (JsonChange("$", None, "[1]", 0, 3),)


def test_the_canonical_text_has_its_keys_in_order() -> None:
    assert canonical({"b": 1, "a": {"d": 1.0, "c": None}}) == '{"a":{"c":null,"d":1.0},"b":1}'
