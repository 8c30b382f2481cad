"""A likeness of any value as JSON, for records that are looked at and never read back.

What is JSON stands as it is; what is not, at any depth, as the name of its type. Nothing of the value is called: no
method that its class has defined, no iterator. Very large values are cut, and the likeness says so.
"""

import dataclasses
import math
import sys
from collections import deque
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from types import MemberDescriptorType
from typing import Any, cast
from uuid import UUID

from ia_modules.models import Json
from ia_modules.payload import INT_MAX, INT_MIN, clean_text

VALUES_LIMIT = 10_000
"""How many values a likeness has, those inside of others among them."""

CHARACTERS_LIMIT = 1_000_000
"""How many characters all its texts have together."""

_DEPTH_LIMIT = 50
_MANY: tuple[Any, ...] = (list, tuple, set, frozenset, deque)
_DICT: Any = dict
_NAME_OF_TYPE = type.__dict__["__name__"]
_SLOT = MemberDescriptorType
_AS_TEXT = (Decimal, UUID)
_AS_ISO = (datetime, date, time)


def likeness_of(value: object) -> Json:
    """The likeness, at most :data:`VALUES_LIMIT` values and :data:`CHARACTERS_LIMIT` characters of text."""
    return _Likeness().of(value, 0)


class _Likeness:
    def __init__(self) -> None:
        self._values, self._characters = VALUES_LIMIT, CHARACTERS_LIMIT
        self._around: set[int] = set()  # what contains itself is drawn once

    def of(self, value: object, depth: int) -> Json:
        self._values -= 1
        kind = type(value)
        if value is None or kind is bool:
            return cast("bool | None", value)
        if issubclass(kind, Enum):
            return self.of(object.__getattribute__(value, "_value_"), depth)
        if issubclass(kind, str):
            return self._text(str.__str__(cast("str", value)))
        if issubclass(kind, int):
            number = int.__int__(cast("int", value))
            return number if INT_MIN <= number <= INT_MAX else f"int of {number.bit_length()} bits"
        if issubclass(kind, float):
            number = float.__float__(cast("float", value))
            return number if math.isfinite(number) else repr(number)
        if kind in _AS_TEXT:
            return str(value)
        if kind in _AS_ISO:
            return cast("date", value).isoformat()
        if issubclass(kind, PurePath):
            return self._text(PurePath.__str__(cast("PurePath", value)))
        if depth >= _DEPTH_LIMIT or id(value) in self._around:
            return type_name(value)
        self._around.add(id(value))
        try:
            return self._of_many(value, depth)
        finally:
            self._around.discard(id(value))

    def _of_many(self, value: object, depth: int) -> Json:
        kind = type(value)
        if issubclass(kind, dict):
            return self._mapping(_DICT.items(value), _DICT.__len__(value), depth)
        for known in _MANY:
            if issubclass(kind, known):
                return self._sequence(known.__iter__(value), known.__len__(value), depth)
        fields = _fields_of(value)
        return type_name(value) if fields is None else self._mapping(fields, len(fields), depth)

    def _mapping(self, items: Iterable[tuple[Any, Any]], count: int, depth: int) -> Json:
        shown: dict[str, Json] = {}
        for key, item in islice(items, max(0, self._values)):
            if self._values <= 0:
                break
            shown[self._text(key) if type(key) is str else str(self.of(key, depth + 1))] = self.of(item, depth + 1)
            count -= 1
        return {**shown, "…": f"{count:,} more"} if count else shown

    def _sequence(self, items: Iterable[Any], count: int, depth: int) -> Json:
        shown: list[Json] = []
        for item in islice(items, max(0, self._values)):
            if self._values <= 0:
                break
            shown.append(self.of(item, depth + 1))
        return [*shown, f"… {count - len(shown):,} more"] if len(shown) < count else shown

    def _text(self, text: str) -> str:
        if len(text) > self._characters:
            left_out = len(text) - self._characters
            text = f"{text[: self._characters]}… {left_out:,} characters left out"
            self._characters = 0
        else:
            self._characters -= len(text)
        return text if text.isascii() and "\0" not in text else _storable(text)


def type_name(value: object) -> str:
    """The name of a value's type."""
    return clean_text(_NAME_OF_TYPE.__get__(type(value)))


def _fields_of(value: object) -> list[tuple[str, Any]] | None:
    """Names and values of a dataclass or a model of pydantic that is not very large; None: it is neither."""
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
    elif (pydantic := sys.modules.get("pydantic")) is not None and pydantic.BaseModel in kind.__mro__:
        names = [*cast("dict[str, Any]", vars(kind).get("__pydantic_fields__", {}))]
    else:
        return None
    own: dict[str, Any] = object.__getattribute__(value, "__dict__") if kind.__dictoffset__ else {}
    slots = {name: slot for each in kind.__mro__ for name, slot in vars(each).items() if type(slot) is _SLOT}
    return [
        (name, own[name] if name in own else slots[name].__get__(value))
        for name in names
        if name in own or name in slots
    ]


def _storable(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
