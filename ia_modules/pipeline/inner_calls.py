"""What a call within a step is known by, and what its record says of it; pure.

A call is known by its name and its number of that name, or by its name and key, and its arguments are held to those on
record by a hash: a call that was recorded for others is refused, never answered.
"""

import hashlib
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from itertools import count
from types import UnionType
from typing import Any, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

import orjson

from ia_modules.errors import PayloadError
from ia_modules.models import JsonText, StepExecutionRecord, StepStatus
from ia_modules.payload import clean_text, encode
from ia_modules.pipeline.binding import reader_of
from ia_modules.pipeline.core import Inner

STEP_TYPE = "inner"
"""``step_type`` of what a step calls within itself."""

SHOWN_BYTES = 16_384
"""Arguments up to this size are on record with their call, to be shown; of larger ones the hash alone."""

_MOST_LEVELS = 50


class InnerKey(NamedTuple):
    """Which call it is within its run: a name, or ``name[key]``, and a number."""

    step_id: str
    iteration: int


class Numbering:
    """The numbers of the calls of one attempt, as they come, from any thread."""

    def __init__(self) -> None:
        self._numbers: dict[str, Iterator[int]] = {}

    def key_of(self, inner: Inner) -> InnerKey:
        """Which call this is; it counts from here on."""
        if inner.key is not None:
            return InnerKey(inner.step_id, 1)
        return InnerKey(inner.name, next(self._numbers.setdefault(inner.name, count(1))))


def arguments_of(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the names of their parameters; by their places where a function does not tell them."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except (TypeError, ValueError):  # it has no signature, or the call does not fit: then the call itself says so
        return {"args": _plain(list(args)), **_texts(kwargs)}
    return _texts(bound.arguments)


def stored_arguments(arguments: Mapping[str, Any]) -> JsonText | None:
    """The arguments as they are shown; None where they are too large for that."""
    try:
        return encode(arguments, "arguments of an inner step", limit_bytes=SHOWN_BYTES)
    except PayloadError:
        return None


def arguments_hash(arguments: Mapping[str, Any]) -> str:
    """What tells the arguments of one call from those of another: SHA-256 of their JSON, in hex."""
    return hashlib.sha256(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)).hexdigest()


def refs_text(hashed: str, *, outer_attempt: int) -> JsonText:
    """``input_refs`` of a call, with the attempt of the step that made it."""
    return encode({"args": hashed, "attempt": outer_attempt}, "input_refs")


def newest_of_each(records: Iterable[StepExecutionRecord]) -> dict[InnerKey, StepExecutionRecord]:
    """The newest attempt of each call of one level; what is recorded there by hand is no call."""
    newest: dict[InnerKey, StepExecutionRecord] = {}
    for record in records:
        key = InnerKey(record.step_id, record.iteration)
        if record.step_type == STEP_TYPE and (key not in newest or newest[key].attempt < record.attempt):
            newest[key] = record
    return newest


def is_answered(record: StepExecutionRecord | None, *, again_upto: int) -> bool:
    """Whether a call is answered from the record: it completed, in a later attempt of its step than ``again_upto``."""
    return record is not None and record.status is StepStatus.COMPLETED and _refs(record).get("attempt", 0) > again_upto


def attempts_that_progressed(records: Iterable[StepExecutionRecord]) -> set[int]:
    """The attempts of a step in which something that it calls has completed, by their numbers."""
    done = (each for each in records if each.status is StepStatus.COMPLETED and each.step_type == STEP_TYPE)
    return {int(_refs(each).get("attempt", 0)) for each in done}


def hash_of(record: StepExecutionRecord) -> str:
    """The hash of the arguments that a call is recorded for."""
    return str(_refs(record).get("args"))


def next_attempt(record: StepExecutionRecord | None) -> int:
    """The number of the attempt that follows the newest one on record."""
    return 1 if record is None else record.attempt + 1


def restored(function: Callable[..., Any], stored: JsonText) -> Any:
    """A result that was stored, as the function's return annotation has it; as JSON has it where there is none.

    Raises:
        ValidationError: it does not fit the annotation.
    """
    try:
        hint = get_type_hints(function).get("return", Any)
    except Exception:  # noqa: BLE001 - user code: an annotation that is no name here, or nothing that has hints
        hint = Any
    return orjson.loads(stored) if _is_plain(hint) else reader_of(hint)(stored)


def _is_plain(hint: Any) -> bool:
    """Whether JSON gives back such a value as it was; of a stream, its result."""
    if hint in _PLAIN or get_origin(hint) in (AsyncGenerator, AsyncIterator, AsyncIterable):
        return True
    is_whole = get_origin(hint) in (dict, list, Union, UnionType)
    return is_whole and all(map(_is_plain, get_args(hint)))


_PLAIN = (Any, None, type(None), bool, int, float, str, dict, list)


def _refs(record: StepExecutionRecord) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", record.input_refs or {})


def _texts(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in arguments.items()}


def _plain(value: Any, around: tuple[int, ...] = ()) -> Any:
    """A value as JSON; what is none of it, contains itself or lies too deep is the name of its type.

    Args:
        around: the ids of what contains it.
    """
    try:
        return orjson.loads(encode(value, "argument"))
    except PayloadError:
        pass
    if len(around) < _MOST_LEVELS and id(value) not in around:
        inside = (*around, id(value))
        if isinstance(value, dict):
            items = cast("dict[object, Any]", value)
            return {
                key if isinstance(key, str) else clean_text(key): _plain(item, inside) for key, item in items.items()
            }
        if isinstance(value, list | tuple):
            return [_plain(item, inside) for item in cast("Sequence[Any]", value)]
    kind = cast("type[Any]", type(value))
    return f"<{kind.__module__}.{kind.__qualname__}>"
