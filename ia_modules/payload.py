"""JSON payloads: what may be stored, checked and encoded once, at the door.

What is stored is JSON; on the way there a value becomes what pydantic's JSON mode makes of it: models, dataclasses,
times in ISO 8601, Decimal, UUID and Path as text, an Enum as its value, bytes as base64, sets and tuples as lists. An
annotation turns it back where it is read; nothing else about its type is stored.

A payload is refused here, before anything is written, when JSON or one of the databases could not store it and return
the same value: NaN and infinities, integers beyond 64 bit, NUL characters, lone surrogates, keys that are
not text, foreign types, and whatever is larger than the limit.

Encoding is not moved to a thread: orjson holds the GIL for the whole call, so the loop would wait all the same.
"""

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, NamedTuple, cast

import orjson
from pydantic_core import SchemaSerializer, core_schema, to_jsonable_python

from ia_modules.errors import InvalidArgument, PayloadError
from ia_modules.models import JsonText
from ia_modules.tasks import is_ctrl_c

PAYLOAD_LIMIT_BYTES = 16 * 2**20
"""The largest payload, encoded, in bytes."""

TEXT_LIMIT_CHARACTERS = 65_536
"""Longer messages and tracebacks are cut, with a note in the text."""

ID_LIMIT_CHARACTERS = 200
"""The longest id, slug or key: PostgreSQL has no index for texts of any length, so both databases have this limit."""

ATTRIBUTE_KEY_CHARACTERS, ATTRIBUTE_VALUE_CHARACTERS = 200, 400
"""Of what an execution is found by. It stands in an index, whose rows have their limits."""

NAME_LIMIT_CHARACTERS = 500
"""The longest name that lists show."""

INT_MIN, INT_MAX = -(2**63), 2**64 - 1
"""The integers that are read back as the same."""

_AS_BASE64 = "bytes that are text, or ser_json_bytes and val_json_bytes 'base64' in the model_config"
_JSON_VALUE = "a JSON value, or what pydantic makes one of"
_OPENING = SchemaSerializer(core_schema.any_schema())
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_DEPTH_LIMIT = 200  # below orjson's own limit of 254, with room for what wraps a payload


def encode(value: object, where: str, *, limit_bytes: int = PAYLOAD_LIMIT_BYTES) -> JsonText:
    """The JSON text of a value, compact, keys in their order.

    Args:
        value: dicts with text keys, lists, text, numbers, booleans, None, and what pydantic makes that of.
        where: names the value in the error, such as ``output of step 'score'``.
        limit_bytes: the largest result, in bytes.

    Raises:
        PayloadError: the value cannot be stored; names what, where and at which path.
    """
    try:
        encoded = orjson.dumps(value, default=_as_json, option=_OPTIONS)
    except TypeError as error:
        raise _first_problem(value, where, error) from error
    if len(encoded) > limit_bytes:
        raise PayloadError(where, "$", f"{len(encoded):,} bytes of JSON", f"at most {limit_bytes:,}")
    # orjson writes NaN as null and NUL as \u0000 without a word: where either stands, look at the value itself.
    if b"null" in encoded or b"\\u0000" in encoded:
        for path, found, expected in _problems(value, is_json=True):
            raise PayloadError(where, _cut(path), found, expected)
    return JsonText(encoded.decode())


def is_record(value: object) -> bool:
    """Whether a value is a mapping, a model or a dataclass: its JSON may be an object of its own fields."""
    return isinstance(value, dict) or _is_opened(value)


def _as_json(value: object) -> Any:
    """What pydantic's JSON mode makes of a value that orjson does not know.

    Raises:
        TypeError, ValueError: nothing.
    """
    if isinstance(value, Iterator) or (isinstance(value, Decimal) and not value.is_finite()):
        raise TypeError
    if isinstance(value, PurePath):
        return str(value)
    return to_jsonable_python(value, bytes_mode="base64")


def _is_opened(value: object) -> bool:
    kind = type(value)
    return kind is not type and (hasattr(kind, "__pydantic_serializer__") or dataclasses.is_dataclass(kind))


def clean_text(value: object) -> str:
    """Text for people (messages, tracebacks) as both databases can store it: cut, not refused.

    A value that is not text is converted with ``str``, which may fail. NUL and lone surrogates become U+FFFD. Text over
    the limit is cut in the middle, where a traceback has the least information.
    """
    if type(value) is str and value.isascii() and "\0" not in value and len(value) <= TEXT_LIMIT_CHARACTERS:
        return value
    try:
        text = str(value)
    except BaseException as error:  # user code: an exception's own __str__ may fail
        if is_ctrl_c(error):
            raise
        text = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    storable = storable_text(text)
    if len(storable) <= TEXT_LIMIT_CHARACTERS:
        return storable
    half = TEXT_LIMIT_CHARACTERS // 2
    return f"{storable[:half]}\n… {len(storable) - 2 * half:,} characters left out …\n{storable[-half:]}"


def storable_text(text: str) -> str:
    """A text as both databases can store it: NUL and lone surrogates become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def check_id(text: str, where: str) -> str:
    """An identifier as it is stored: not empty, no NUL, no lone surrogate, at most :data:`ID_LIMIT_CHARACTERS`.

    Raises:
        PayloadError: it is none.
    """
    return _check_text(text, where, ID_LIMIT_CHARACTERS)


def check_name(text: str, where: str) -> str:
    """A name as it is stored: as an identifier, with at most :data:`NAME_LIMIT_CHARACTERS`.

    Raises:
        PayloadError: it is none.
    """
    return _check_text(text, where, NAME_LIMIT_CHARACTERS)


def _check_text(text: str, where: str, limit: int) -> str:
    if not isinstance(cast("object", text), str):
        raise PayloadError(where, "$", f"a {type(text).__name__}", "text")
    if not 0 < len(text) <= limit:
        raise PayloadError(where, "$", f"{len(text):,} characters", f"1 to {limit}")
    if (found := _text_problem(text)) is not None:
        raise PayloadError(where, "$", found, "text without it")
    return text


def check_count(value: int, where: str, *, low: int = 0, high: int = 2**31 - 1) -> int:
    """A whole number as both databases can store it.

    Raises:
        InvalidArgument: it is none, or out of range.
    """
    if not isinstance(cast("object", value), int) or isinstance(value, bool):
        raise InvalidArgument(where, f"{value!r} of type {type(value).__name__}", "a whole number")
    if not low <= value <= high:
        raise InvalidArgument(where, f"{value:,}", f"{low:,} to {high:,}")
    return value


def is_storable_id(value: object) -> bool:
    """Whether an id can be in the database at all; nothing has one that cannot."""
    return isinstance(value, str) and len(value) <= NAME_LIMIT_CHARACTERS and _text_problem(value) is None


def _first_problem(value: object, where: str, error: TypeError) -> PayloadError:
    for path, found, expected in _problems(value):
        return PayloadError(where, _cut(path), found, expected)
    cause = error.__cause__
    reason = "" if cause is None else f" ({clean_text(cause)})"
    expected = _AS_BASE64 if isinstance(cause, UnicodeDecodeError) else _JSON_VALUE
    return PayloadError(where, "$", f"{error}{reason}", expected)


class _ValueAt(NamedTuple):
    """A value within another; ``opened``: in a model, a dataclass or a set, where pydantic makes text of keys."""

    path: str
    value: object
    depth: int = 0
    opened: bool = False

    def items(self, values: dict[object, object]) -> Iterator["_ValueAt"]:
        for key, value in reversed(values.items()):
            yield _ValueAt(_below(self.path, key), value, self.depth + 1, self.opened)

    def entries(self, values: Iterable[object]) -> Iterator["_ValueAt"]:
        for index, value in reversed(list(enumerate(values))):
            yield _ValueAt(
                f"{self.path}[{index}]", value, self.depth + 1, self.opened or isinstance(values, set | frozenset)
            )


def _problems(root: object, *, is_json: bool = False) -> Iterator[tuple[str, str, str]]:
    """Each (path, found, expected) that keeps a value from being stored, in the order of the value.

    Args:
        is_json: JSON was made of all of it; only what that cannot say, or a database cannot store, is wrong.
    """
    stack = [_ValueAt("$", root)]
    while stack:
        part = stack.pop()
        path, value, depth, opened = part
        if isinstance(value, Enum):  # written as its value
            value = value.value
        if depth > _DEPTH_LIMIT:
            yield path, f"more than {_DEPTH_LIMIT} levels", "a value that is not that deep and does not contain itself"
            return
        if isinstance(value, dict):
            items = cast("dict[object, object]", value)
            for key in items:
                if (not opened or isinstance(key, str)) and (problem := _key_problem(key)):
                    yield path, *problem
            stack += part.items(items)
        elif isinstance(value, list | tuple | set | frozenset):
            stack += part.entries(cast("Iterable[object]", value))
        elif _is_opened(value):
            try:
                stack.append(_ValueAt(path, _OPENING.to_python(value), depth + 1, opened=True))
            except Exception as error:  # noqa: BLE001 - user code: what a model says of its own fields
                yield path, f"a value of type {type(value).__name__} ({clean_text(error)})", _JSON_VALUE
        elif (problem := _leaf_problem(value)) and not (is_json and problem[1] == _JSON_VALUE):
            yield path, *problem


def _below(path: str, key: object) -> str:
    return f"{path}.{key}" if isinstance(key, str) and key.isidentifier() else f"{path}[{_shown(key)}]"


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"


def _shown(key: object) -> str:
    """A key of any type; what is no text may fail to show itself."""
    return _cut(repr(key) if isinstance(key, str) else clean_text(key))


def _key_problem(key: object) -> tuple[str, str] | None:
    if not isinstance(key, str):
        return f"the key {_shown(key)} of type {type(key).__name__}", "text keys"
    bad = _text_problem(key)
    return None if bad is None else (f"a key with {bad}", "keys without it")


def _leaf_problem(value: object) -> tuple[str, str] | None:
    """What keeps a value that contains no others from being stored, and what was expected; None when nothing does."""
    kind = type(value).__name__
    match value:
        case None | bool():
            return None
        case str():
            bad = _text_problem(value)
            return None if bad is None else (bad, "text without it")
        case int() if not INT_MIN <= value <= INT_MAX:
            return f"an integer of {value.bit_length()} bits", "at most 64 bits; store it as text"
        case float() if not math.isfinite(value):
            return str(value), "a finite number or None"
        case Decimal() if not value.is_finite():
            return str(value), "a finite number or None"
        case _:
            return None if _is_json(value) else (f"a value of type {kind}", _JSON_VALUE)


def _text_problem(text: str) -> str | None:
    """What keeps a text from being stored, in words; None = nothing."""
    if "\0" in text:
        return f"a NUL character at position {text.index(chr(0))}"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"a lone surrogate at position {error.start}"
    return None


def _is_json(value: object) -> bool:
    """Whether something is made of a value without others in it."""
    try:
        orjson.dumps(value, default=_as_json, option=_OPTIONS)
    except TypeError:
        return False
    return True


def content_hash(text: JsonText) -> str:
    """SHA-256, in hex, of what a JSON text says: the same for any order of keys and any white space."""
    return hashlib.sha256(orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)).hexdigest()


def size_bytes(text: JsonText | None) -> int:
    """The size of a stored payload in bytes of UTF-8; 0 where there is none."""
    if text is None:
        return 0
    return len(text) if text.isascii() else len(text.encode())
