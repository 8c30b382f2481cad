"""What stands on record for a value: JSON as it is, and the name of a type for what is not, at any depth."""

import json
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ia_modules.likeness import CHARACTERS_LIMIT, VALUES_LIMIT, likeness_of, type_name
from ia_modules.payload import INT_MAX, INT_MIN, encode


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: int
    owner: Any


@dataclass(frozen=True, slots=True)
class Slotted:
    x: int
    y: int


class Order(BaseModel):
    sku: str
    lines: list[int]


class Pair(NamedTuple):
    left: int
    right: object


class Touchy:
    """Fails wherever its own code would be called."""

    def _fail(self, *_: Any) -> Any:
        raise AssertionError("a method of the value was called")

    __str__ = __repr__ = __len__ = __iter__ = __bool__ = __hash__ = __eq__ = __getattribute__ = _fail


class TouchyDict(dict[str, Any]):
    def items(self) -> Any:
        raise AssertionError("a method of the value was called")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a method of the value was called")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=INT_MIN, max_value=INT_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab…", max_size=3), inner, max_size=4),
    max_leaves=30,
)


@given(JSON)
def test_json_is_its_own_likeness(value: Any) -> None:
    assert likeness_of(value) == value


@given(
    st.recursive(
        st.from_type(object) | st.complex_numbers() | st.binary() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner) | st.tuples(inner, inner),
        max_leaves=20,
    )
)
def test_of_whatever_there_is_one_that_can_be_stored(value: Any) -> None:
    json.loads(encode(likeness_of(value), "likeness"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (object(), "object"),
        ({"a": [1, {"b": b"bytes"}]}, {"a": [1, {"b": "bytes"}]}),
        ((1, 2), [1, 2]),
        (Pair(1, object()), [1, "object"]),
        (frozenset({7}), [7]),
        (deque([1, 2]), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, {1: [2]}), {"1": [2]}),
        (Point(1, Point(2, len)), {"x": 1, "owner": {"x": 2, "owner": "builtin_function_or_method"}}),
        (Slotted(1, 2), {"x": 1, "y": 2}),
        (Order(sku="a", lines=[1]), {"sku": "a", "lines": [1]}),
        (Point, "type"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (PurePosixPath("a/b"), "a/b"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**70, "int of 71 bits"),
        (1j, "complex"),
        ("a\0b\ud800", "a\ufffdb\ufffd\ufffd\ufffd"),
        ((each for each in "ab"), "generator"),
    ],
)
def test_what_is_not_json_is_a_text_or_the_name_of_its_type(value: Any, expected: Any) -> None:
    assert likeness_of(value) == expected


def test_no_code_of_the_value_is_called() -> None:
    assert likeness_of([Touchy(), TouchyDict(a=Touchy())]) == ["Touchy", {"a": "Touchy"}]
    assert type_name(Touchy()) == "Touchy"


def test_an_iterator_is_left_as_it_is() -> None:
    lines = iter(["one", "two"])
    assert likeness_of({"lines": lines}) == {"lines": "list_iterator"}
    assert list(lines) == ["one", "two"]


def test_what_contains_itself_is_drawn_once() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    shared = [2]
    assert likeness_of([ring, shared, shared]) == [[1, "list"], [2], [2]]


def test_what_is_deep_ends_with_the_name_of_a_type() -> None:
    deep: Any = 0
    for _ in range(1000):
        deep = [deep]
    assert "list" in json.dumps(likeness_of(deep))


def test_what_is_large_is_cut_and_says_so() -> None:
    many = likeness_of(list(range(10 * VALUES_LIMIT)))
    assert isinstance(many, list)
    assert len(many) <= VALUES_LIMIT
    assert many[:2] == [0, 1]
    assert many[-1] == f"… {10 * VALUES_LIMIT - len(many) + 1:,} more"
    keys = likeness_of({f"k{number}": number for number in range(2 * VALUES_LIMIT)})
    assert isinstance(keys, dict)
    assert keys["…"] == f"{2 * VALUES_LIMIT - len(keys) + 1:,} more"
    text = likeness_of(["a" * CHARACTERS_LIMIT, "b" * 10])
    assert text == ["a" * CHARACTERS_LIMIT, "… 10 characters left out"]
