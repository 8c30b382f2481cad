import dataclasses
import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, RootModel, field_serializer

from ia_modules.errors import PayloadError
from ia_modules.payload import (
    TEXT_LIMIT_CHARACTERS,
    check_id,
    check_name,
    clean_text,
    content_hash,
    encode,
    is_record,
    size_bytes,
)

storable_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | storable_text,
    lambda inner: st.lists(inner) | st.dictionaries(storable_text, inner),
    max_leaves=20,
)


@given(json_values)
def test_what_is_stored_comes_back_equal(value: Any) -> None:
    text = encode(value, "value")
    assert orjson.loads(text) == value
    assert json.loads(text) == value


@dataclasses.dataclass
class Point:
    x: Any = 1


class Order(BaseModel):
    item: Any = None
    made: datetime | None = None


class Image(BaseModel):
    data: bytes


class Refusing(BaseModel):
    field: int = 1

    @field_serializer("field")
    def refuse(self, _field: int) -> int:
        raise ValueError("not now")


class Pair(NamedTuple):
    first: int
    second: date


class Shape(Enum):
    ROUND = object()
    FLAT = math.nan
    BOTH = ("flat", math.nan)


class Weekday(Enum):
    MONDAY = date(2026, 11, 30)


around = Order()
around.item = [around]


deep: list[Any] = []
deep.append(deep)


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        (math.nan, "$", "found nan"),
        ({"scores": [1.0, -math.inf]}, "$.scores[1]", "found -inf"),
        ({"text": "a\0b"}, "$.text", "NUL character at position 1"),
        (["\ud800"], "$[0]", "lone surrogate at position 0"),
        ({"\0": 1}, "$", "a key with a NUL character"),
        (2**70, "$", "an integer of 71 bits"),
        ({"a": {"b c": -(2**64)}}, "$.a['b c']", "an integer of 65 bits"),
        ({1: "one"}, "$", "the key 1 of type int"),
        ({"point": Point(math.nan)}, "$.point.x", "found nan"),
        ([Order(item={"weight": math.inf})], "$[0].item.weight", "found inf"),
        (Order(item=Point(object())), "$.item.x", "a value of type object"),
        (Order(item=2**70), "$.item", "an integer of 71 bits"),
        ({"all": {"\ud800"}}, "$.all[0]", "lone surrogate"),
        (Order(item=(1, "a\0b")), "$.item[1]", "NUL character"),
        (around, "$.item[0].item[0]", "more than 200 levels"),
        (Shape.BOTH, "$[1]", "found nan"),
        (Image(data=b"\xff"), "$", "Type is not JSON serializable: Image ('utf-8' codec can't decode byte 0xff"),
        (Refusing(), "$", "a value of type Refusing (Error calling function `refuse`: ValueError: not now"),
        ({"price": Decimal("NaN")}, "$.price", "found NaN"),
        ((each for each in "ab"), "$", "a value of type generator"),
        (iter([1]), "$", "a value of type list_iterator"),
        (Order, "$", "a value of type ModelMetaclass"),
        (range(3), "$", "a value of type range"),
        (Shape.ROUND, "$", "a value of type object"),
        (Shape.FLAT, "$", "found nan"),
        (object, "$", "a value of type type"),
        (deep, "$[0][0][0]", "more than 200 levels"),
        ("x" * 101, "$", "103 bytes"),
    ],
)
def test_what_json_cannot_carry_is_refused_with_its_path(value: Any, path: str, found: str) -> None:
    with pytest.raises(PayloadError) as refused:
        encode(value, "output of step 'score'", limit_bytes=100)
    assert "output of step 'score'" in str(refused.value)
    assert found in str(refused.value)
    assert refused.value.path.startswith(path)
    assert "expected" in str(refused.value)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2026-01-02T03:04:05.000006Z"),
        (datetime(2026, 1, 2), "2026-01-02T00:00:00"),  # noqa: DTZ001 - its zone is not known
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (timedelta(days=1, seconds=-1), "PT23H59M59S"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (PurePosixPath("a/b"), "a/b"),
        (Weekday.MONDAY, "2026-11-30"),
        (b"\xff\xef", "_-8="),
        (bytearray(b"a"), "YQ=="),
        ({7}, [7]),
        (frozenset({"a"}), ["a"]),
        ((1, (2,)), [1, [2]]),
        (Pair(1, date(2026, 1, 2)), [1, "2026-01-02"]),
        (Point(Point(b"\xff")), {"x": {"x": "_w=="}}),
        (Order(item=[Point({1: 2})]), {"item": [{"x": {"1": 2}}], "made": None}),
        (Image(data=b"a"), {"data": "a"}),
        (RootModel[list[int]]([1]), [1]),
    ],
)
def test_a_value_is_stored_as_what_pydantics_json_mode_makes_of_it(value: Any, stored: Any) -> None:
    assert orjson.loads(encode(value, "value")) == stored
    assert orjson.loads(encode({"in": [value]}, "value")) == {"in": [stored]}


@pytest.mark.parametrize(
    ("value", "holds"),
    [({}, True), (Order(), True), (Point(), True), (RootModel[int](1), True), (Order, False), (Point, False)],
)
def test_a_record_is_a_mapping_a_model_or_a_dataclass_and_not_a_class(value: Any, holds: bool) -> None:
    assert is_record(value) is holds


def test_keys_of_a_model_are_written_by_pydantic_also_where_something_is_null() -> None:
    assert (
        encode([Order(item={1: None}), {(1, frozenset({2}))}], "value") == '[{"item":{"1":null},"made":null},[[1,[2]]]]'
    )


def test_null_and_backslashes_that_are_meant_are_stored() -> None:
    value = {"null": None, "text": "a literal \\u0000 and null"}
    assert orjson.loads(encode(value, "value")) == value


@given(st.text(st.characters(exclude_categories=[]), max_size=50))
def test_text_for_people_is_cleaned_not_refused(text: str) -> None:
    clean = clean_text(text)
    assert "\0" not in clean
    assert clean.encode().decode() == clean
    if "\0" not in text and text.isascii():
        assert clean == text


def test_long_text_is_cut_in_the_middle() -> None:
    clean = clean_text("begin" + "x" * (2 * TEXT_LIMIT_CHARACTERS) + "end")
    assert clean.startswith("begin")
    assert clean.endswith("end")
    assert "characters left out" in clean
    assert len(clean) < TEXT_LIMIT_CHARACTERS + 100


@pytest.mark.parametrize("name", ["", "x" * 501, "a\0", "\udfff", 7])
def test_a_name_that_cannot_be_stored_is_refused(name: Any) -> None:
    with pytest.raises(PayloadError, match="id of the step"):
        check_name(name, "id of the step")


@pytest.mark.parametrize("text", ["", "x" * 201, "a\0", "\udfff", 7])
def test_an_id_that_cannot_be_stored_is_refused(text: Any) -> None:
    with pytest.raises(PayloadError, match="slug"):
        check_id(text, "slug")


def test_the_hash_is_of_what_is_said_not_of_how() -> None:
    assert content_hash(encode({"a": 1, "b": 2}, "x")) == content_hash(encode({"b": 2, "a": 1}, "x"))
    assert content_hash(encode({"a": 1}, "x")) != content_hash(encode({"a": 2}, "x"))


@given(json_values)
def test_the_size_is_in_bytes(value: Any) -> None:
    text = encode(value, "value")
    assert size_bytes(text) == len(text.encode())
    assert size_bytes(None) == 0
