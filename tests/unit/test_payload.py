import dataclasses
import json
import math
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.errors import PayloadError
from ia_modules.payload import TEXT_LIMIT_CHARACTERS, check_id, check_name, clean_text, content_hash, encode, size_bytes

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
    x: int = 1


class Shape(Enum):
    ROUND = object()
    FLAT = math.nan


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
        ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, "$.when", "a value of type datetime"),
        ((1, b"raw"), "$[1]", "a value of type bytes"),
        ({"tags": {1, 2}}, "$.tags", "a value of type set"),
        (Point(), "$", "a value of type Point"),
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
