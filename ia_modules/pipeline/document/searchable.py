"""``searchable``: the values of its input and its metadata by which an execution is found."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field

from ia_modules.errors import InvalidValue
from ia_modules.models import Attribute
from ia_modules.payload import ATTRIBUTE_KEY_CHARACTERS, ATTRIBUTE_VALUE_CHARACTERS
from ia_modules.pipeline.document.base import Many

MOST_KEYS = 20
ROOTS = ("input", "metadata")
_EXPECTED = "a path such as input.customer or metadata.team"


def _checked(key: str) -> str:
    root, *names = key.split(".")
    if root not in ROOTS:
        raise InvalidValue(f"{key!r}", _EXPECTED, "Only the input and the metadata are there when it starts.")
    if not names or not all(name.strip() for name in names) or "=" in key:
        raise InvalidValue(f"{key!r}", _EXPECTED, "Name a value: words with a full stop between them, without =.")
    if len(key) > ATTRIBUTE_KEY_CHARACTERS:
        raise InvalidValue(f"a path of {len(key)} characters", f"at most {ATTRIBUTE_KEY_CHARACTERS}")
    return key


SearchableKeys = Annotated[Many[Annotated[str, AfterValidator(_checked)]], Field(max_length=MOST_KEYS)]


def attributes_of(
    keys: Sequence[str], input_data: Mapping[str, Any], metadata: Mapping[str, Any] | None
) -> tuple[Attribute, ...]:
    """The value of each key, as text: of a text itself, of a number or a truth value its JSON.

    What is not there, null, an object, a list, empty or longer than 400 characters has no value to be found by.
    """
    roots = {"input": input_data, "metadata": metadata or {}}
    return tuple(_found(keys, roots))


def _found(keys: Sequence[str], roots: Mapping[str, Any]) -> Iterator[Attribute]:
    for key in keys:
        value: Any = roots
        for name in key.split("."):
            value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
        text = _text_of(value)
        if text is not None and 0 < len(text) <= ATTRIBUTE_VALUE_CHARACTERS:
            yield Attribute(key=key, value=text)


def _text_of(value: Any) -> str | None:
    match value:
        case str():
            return value
        case bool() | int():
            return json.dumps(value)
        case float():
            return json.dumps(int(value) if value.is_integer() and abs(value) <= 2**53 else value)
        case _:
            return None
