"""Fields of a step's result that are known before it runs: from its ``output_schema``, else from its return type.

A mapping is *closed* where it cannot have other fields: a schema with ``additionalProperties: false``, a TypedDict. A
function whose return type is no mapping, or that a decorator stands around, says nothing.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Union, cast, get_args, get_origin, get_type_hints

_MOST_REFS = 20
"""References of a schema in a row; more are a circle."""


class Shape(Protocol):
    """What is known of a value."""

    def fields(self) -> "tuple[Mapping[str, Shape], bool]":
        """The fields that it may have, and whether it has no others."""
        ...

    def items(self) -> "Shape":
        """Of the entries, where it is a list."""
        ...


class Anything:
    """A value of which nothing is known."""

    def fields(self) -> tuple[Mapping[str, Shape], bool]:
        return {}, False

    def items(self) -> Shape:
        return self


@dataclass(frozen=True, slots=True)
class Closed:
    """A mapping with these fields, and those of ``inner``, which may have no others either."""

    names: Mapping[str, Shape]
    inner: Shape | None = None

    def fields(self) -> tuple[Mapping[str, Shape], bool]:
        if self.inner is None:
            return self.names, True
        fields, is_closed = self.inner.fields()
        return {**self.names, **fields}, is_closed

    def items(self) -> Shape:
        return Anything()


@dataclass(frozen=True, slots=True)
class BySchema:
    """A value that a JSON Schema describes; ``root`` is the schema that local references look into."""

    schema: Any
    root: Any

    def fields(self) -> tuple[Mapping[str, Shape], bool]:
        names: dict[str, Shape] = {}
        is_closed = False
        for part in self._parts():
            properties = cast("dict[str, Any]", part.get("properties") or {})
            names |= {name: BySchema(inner, self.root) for name, inner in properties.items()}
            is_closed |= part.get("additionalProperties") is False and not part.get("patternProperties")
        return names, is_closed

    def items(self) -> Shape:
        parts = self._parts()
        if any("prefixItems" in part for part in parts):  # then ``items`` is about the others
            return Anything()
        return next((BySchema(part["items"], self.root) for part in parts if "items" in part), Anything())

    def _parts(self) -> list[dict[str, Any]]:
        """The schemas that all hold for the value."""
        schema = self.schema
        for _ in range(_MOST_REFS):
            if not isinstance(schema, dict) or "$ref" not in schema:
                break
            schema = _referenced(cast("dict[str, Any]", schema)["$ref"], self.root)
        if not isinstance(schema, dict) or "$ref" in schema:
            return []
        plain = cast("dict[str, Any]", schema)
        inner: list[Any] = plain.get("allOf") or []
        return [
            plain,
            *(part for each in inner if each is not self.schema for part in BySchema(each, self.root)._parts()),
        ]


@dataclass(frozen=True, slots=True)
class ByType:
    """A value of a type; of a TypedDict its keys are known."""

    hint: Any = field(hash=False)

    def fields(self) -> tuple[Mapping[str, Shape], bool]:
        hint = _one_of(self.hint)
        kind = get_origin(hint) or hint
        if not _is_typed_dict(kind):
            return {}, False
        return {name: ByType(inner) for name, inner in _hints_of(kind).items()}, _has_no_others(kind)

    def items(self) -> Shape:
        hint = _one_of(self.hint)
        of = get_args(hint)
        return ByType(of[0]) if get_origin(hint) is list and of else Anything()


def returned_by(function: Callable[..., Any]) -> Shape:
    """What is known of the result of a function by its return type."""
    return Anything() if hasattr(function, "__wrapped__") else ByType(_hints_of(function).get("return"))


def absent(shape: Shape, path: Sequence[str]) -> int | None:
    """The place of the first key of a path that the value cannot have; None where it may have all of them."""
    for place, key in enumerate(path):
        names, is_closed = shape.fields()
        if key in names:
            shape = names[key]
        elif is_closed:
            return place
        elif key.isdecimal():
            shape = shape.items()
        else:
            return None
    return None


def _referenced(reference: Any, root: Any) -> Any:
    """The schema that a local reference means; None for any other."""
    if not isinstance(reference, str) or f"{reference}/"[:2] != "#/":
        return None
    here = root
    for key in reference[1:].split("/")[1:]:
        name = key.replace("~1", "/").replace("~0", "~")
        here = cast("dict[str, Any]", here).get(name) if isinstance(here, dict) else None
    return here


def _hints_of(code: type | Callable[..., Any]) -> dict[str, Any]:
    """Type hints of a class or a function; none where they cannot be read."""
    try:
        return get_type_hints(code)
    except Exception:  # noqa: BLE001 - user code: annotations in text are evaluated, and may name what is not there
        return {}


def _one_of(hint: Any) -> Any:
    """The type that is not None, of an optional one."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    kinds = [kind for kind in get_args(hint) if kind is not types.NoneType]
    return kinds[0] if len(kinds) == 1 else None


def _is_typed_dict(kind: Any) -> bool:
    return "__total__" in getattr(kind, "__dict__", {}) and isinstance(kind, type) and issubclass(kind, dict)


def _has_no_others(kind: Any) -> bool:
    """Whether a TypedDict has only its own keys: its type can be read, and names no others (PEP 728)."""
    others = getattr(kind, "__extra_items__", None)
    return bool(_hints_of(kind)) and (others is None or "NoExtraItems" in repr(others))
