"""JSON Schema: checking values against one, and the schema itself. Nothing is ever fetched."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, cast
from urllib.parse import quote

import jsonschema_rs
import orjson
from pydantic import PlainValidator, WithJsonSchema

from ia_modules.errors import InvalidValue, Problem
from ia_modules.pipeline.document.wording import shown

_REMEMBERED = 500  # validators

LONGEST_MESSAGE = 200
"""Characters of the validator's message in a problem."""


def problems_of(value: Any, schema: dict[str, Any] | bool, *, root: str = "$") -> list[Problem]:
    """Every violation of the schema by the value; ``root`` is the JSON path of the value.

    The place of a missing key is the key's own.
    """
    return [
        Problem(root + path_text(_place_of(error)), _cut(error.message), f"what its schema says ({error.kind.name})")
        for error in _known_validator(schema).iter_errors(value)
    ]


def _place_of(error: jsonschema_rs.ValidationError) -> list[str | int]:
    missing = [error.kind.property] if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required) else []
    return [*error.instance_path, *missing]


def path_text(path: Sequence[str | int]) -> str:
    """The end of a JSON path: ``.steps[2].id``; a key that is no plain word in brackets and quotes."""
    return "".join(f".{key}" if str(key).isidentifier() else f"[{json.dumps(key, ensure_ascii=False)}]" for key in path)


def checked_schema(schema: Any) -> dict[str, Any] | bool:
    """The schema, if it is one.

    Raises:
        InvalidValue: it is no JSON Schema, refers to something outside itself, or has a pattern that could run away.
    """
    if not isinstance(schema, dict | bool):
        raise InvalidValue(shown(schema), "a JSON Schema: a mapping, true or false")
    checked = cast(dict[str, Any] | bool, schema)
    try:
        _validator(checked)
    except jsonschema_rs.ValidationError as wrong:
        where = tuple(wrong.instance_path)
        raise InvalidValue(_cut(wrong.message), "a JSON Schema that stands alone", inside=where) from None
    return checked


def as_property(name: str, schema: dict[str, Any] | bool) -> dict[str, Any] | bool:
    """The schema as it stands under ``properties`` of another one: what refers to its root refers to its new place."""
    pointer = quote(name.replace("~", "~0").replace("/", "~1"), safe="~")
    return cast(dict[str, Any] | bool, _moved(schema, f"#/properties/{pointer}"))


def _moved(schema: Any, root: str) -> Any:
    """The schema with its pointers under another root; data, and schemas with a root of their own, stay."""
    match schema:
        case {"$id": str()}:
            return schema
        case dict():
            return {key: _moved_keyword(key, value, root) for key, value in cast(dict[str, Any], schema).items()}
        case list():
            return [_moved(each, root) for each in cast(list[Any], schema)]
        case _:
            return schema


def _moved_keyword(keyword: str, value: Any, root: str) -> Any:
    if keyword in _POINTERS and isinstance(value, str):
        return root + value[1:] if value == "#" or value.startswith("#/") else value
    if keyword in _SCHEMAS_BY_NAME and isinstance(value, dict):
        return {name: _moved(each, root) for name, each in cast(dict[str, Any], value).items()}
    return value if keyword in _DATA else _moved(value, root)


_POINTERS = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_SCHEMAS_BY_NAME = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)
_DATA = frozenset({"const", "default", "enum", "examples"})

JsonSchema = Annotated[
    dict[str, Any] | bool, PlainValidator(checked_schema), WithJsonSchema({"type": ["object", "boolean"]})
]


def _known_validator(schema: dict[str, Any] | bool) -> jsonschema_rs.Validator:
    """Of a schema that was checked: making one takes longer than most values take."""
    try:
        return _made_once(orjson.dumps(schema))
    except TypeError:  # no JSON: it cannot be told from others
        return _validator(schema)


@lru_cache(maxsize=_REMEMBERED)
def _made_once(text: bytes) -> jsonschema_rs.Validator:
    return _validator(orjson.loads(text))


def _validator(schema: dict[str, Any] | bool) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        schema, offline=True, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}…"
