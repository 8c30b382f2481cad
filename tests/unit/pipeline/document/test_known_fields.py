"""What is known of a step's result before it runs."""

import functools
from collections.abc import Mapping
from typing import Any, NotRequired, Optional, TypedDict

import pytest

from ia_modules.pipeline.document.known_fields import Anything, BySchema, ByType, Closed, absent, returned_by


class Row(TypedDict):
    name: str


class Report(TypedDict, total=False):
    total: int
    best: Row
    rows: list[Row]
    last: Optional[Row]  # noqa: UP045 - as people write it
    next: "Report | None"


class Partly(Report):
    note: NotRequired[str]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("total", None),
        ("totl", 0),
        ("best.name", None),
        ("best.nme", 1),
        ("rows.0.name", None),
        ("rows.0.nme", 2),
        ("last.nme", 1),
        ("next.next.totl", 2),
        ("total.digits", None),
        ("note", None),
    ],
)
def test_a_typed_dict_has_its_keys_and_no_others(path: str, place: int | None) -> None:
    assert absent(ByType(Partly), path.split(".")) == place


SCHEMA: dict[str, Any] = {
    "$defs": {
        "row": {"properties": {"name": {}}, "additionalProperties": False},
        "circle": {"$ref": "#/$defs/circle"},
        "a/b": {"additionalProperties": False},
    },
    "properties": {
        "open": {"properties": {"x": {}}},
        "row": {"$ref": "#/$defs/row"},
        "rows": {"items": {"$ref": "#/$defs/row"}},
        "circle": {"$ref": "#/$defs/circle"},
        "nothing": {"$ref": "#/$defs/a~1b"},
        "elsewhere": {"$ref": "https://example.org/row"},
        "anchor": {"$ref": "#row"},
        "pair": {"prefixItems": [{}], "items": {"$ref": "#/$defs/row"}},
        "both": {"allOf": [{"$ref": "#/$defs/row"}, {"properties": {"age": {}}}]},
        "pattern": {"patternProperties": {"^x": {}}, "additionalProperties": False},
        "yes": True,
    },
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("opn", 0),
        ("open.y.z", None),
        ("row.name.x", None),
        ("row.nme", 1),
        ("rows.3.nme", 2),
        ("rows.x", None),
        ("circle.x", None),
        ("nothing.x", 1),
        ("elsewhere.x", None),
        ("anchor.x", None),
        ("pair.0.nme", None),
        ("both.age", None),
        ("both.nme", 1),
        ("pattern.xy", None),
        ("yes.x", None),
    ],
)
def test_a_schema_is_closed_where_it_allows_no_additional_properties(path: str, place: int | None) -> None:
    assert absent(BySchema(SCHEMA, SCHEMA), path.split(".")) == place


def test_a_closed_mapping_adds_fields_to_what_is_known() -> None:
    assert absent(Closed({"answer": Anything()}), ["answer", "x"]) is None
    assert absent(Closed({"answer": Anything()}), ["x"]) == 0
    assert absent(Closed({"answer": Anything()}, ByType(Row)), ["name"]) is None
    assert absent(Closed({"answer": Anything()}, ByType(Row)), ["nme"]) == 0
    assert absent(Closed({"answer": Anything()}, Anything()), ["nme"]) is None


def plain(data: dict[str, Any]) -> Row: ...
async def awaited(data: dict[str, Any]) -> "Row": ...
def untyped(data: Any) -> Any: ...
def mapping(data: Any) -> dict[str, Any]: ...
def unreadable(data: Any) -> "Nowhere": ...  # noqa: F821  # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType]


@functools.wraps(plain)
def wrapped(data: Any) -> Mapping[str, Any]:
    return {**plain(data), "seconds": 1}


@pytest.mark.parametrize(
    ("code", "place"),
    [(plain, 0), (awaited, 0), (untyped, None), (mapping, None), (unreadable, None), (wrapped, None), (len, None)],
)
def test_a_return_type_says_what_a_function_returns_unless_a_decorator_may_change_it(
    code: Any, place: int | None
) -> None:
    assert absent(returned_by(code), ["seconds"]) == place
