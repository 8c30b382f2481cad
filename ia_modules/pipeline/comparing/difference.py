"""The difference of two JSON values: of what they say, place by place, and exact.

Two values are the same when they are stored as the same JSON, in whatever order their keys stand. So 1 and 1.0 differ,
as do 0.0 and -0.0, true and 1, and 2^53 and 2^53 + 1. In lists, unless they are very long, it is found what was put in
and what was taken out; the others are compared item by item.
"""

import difflib
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple, cast

import orjson
from msgspec import Struct

from ia_modules.models import Json

CHANGES_LIMIT = 50
"""So many places of one pair of values are named; the others are counted."""

EXCERPT_CHARACTERS = 200
"""A longer JSON text, or path, is cut."""

_BEFORE = 40  # characters that are shown before two long texts part
_MATCHING_LIMIT = 250_000  # items of one list times items of the other: beyond, they are compared by their places
_ALL_MATCHING_LIMIT = 2_000_000  # the same for all lists of two values together

_JsonPath = tuple[str | int, ...]


class JsonChange(Struct, frozen=True):
    """A place at which two values differ.

    Attributes:
        path: such as ``$.items[2].price``: in the first value or, if only the second has the place, in that.
        a: the JSON text there, of a long one 200 characters around where both part; None: the first has no such place.
        b: of the second value.
        a_bytes: size of the whole text; 0 where there is none.
        b_bytes: of the second value.
    """

    path: str
    a: str | None
    b: str | None
    a_bytes: int
    b_bytes: int


class JsonDifference(Struct, frozen=True):
    """Where two values differ, in the order of the paths; ``left_out`` counts the places beyond the limit."""

    changes: tuple[JsonChange, ...]
    left_out: int


def canonical(value: Json) -> str:
    """The JSON text of a value, its keys in order: equal for the same values only."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def difference_of(a: Json, b: Json, *, limit: int = CHANGES_LIMIT) -> JsonDifference:
    """Where two values differ; of ``(b, a)`` the same places, turned round.

    Args:
        limit: at most so many changes; the others are counted.
    """
    # In one order, since lists are not matched alike from both sides.
    is_in_order = canonical(a) <= canonical(b)
    places = _Walk().places(a, b) if is_in_order else map(_Pair.turned_round, _Walk().places(b, a))
    ordered = sorted(places, key=lambda place: (_order(place.path), place.a is None))
    return JsonDifference(tuple(place.change for place in ordered[:limit]), max(0, len(ordered) - limit))


def only_in_one(a: str | None, b: str | None) -> JsonDifference:
    """The difference of a value and none at all.

    Args:
        a: JSON text of the value that only the first has; None: only the second has one.
        b: of the second.
    """
    return JsonDifference((_Pair(a, b, (), ()).change,), 0)


class _Pair(NamedTuple):
    """A place that differs: the JSON texts there; None: not there."""

    a: str | None
    b: str | None
    a_path: _JsonPath
    b_path: _JsonPath

    @property
    def path(self) -> _JsonPath:
        return self.b_path if self.a is None else self.a_path

    def turned_round(self) -> "_Pair":
        return _Pair(self.b, self.a, self.b_path, self.a_path)

    @property
    def change(self) -> JsonChange:
        start = _begins_to_differ(self.a or "", self.b or "")
        path = _cut("$" + "".join(map(_part, self.path)))
        a, b = (None if text is None else _cut(text, start) for text in (self.a, self.b))
        a_bytes, b_bytes = (0 if text is None else len(text.encode()) for text in (self.a, self.b))
        return JsonChange(path, a, b, a_bytes, b_bytes)


class _Walk:
    """Goes through two values together."""

    def __init__(self) -> None:
        self._matching_left = _ALL_MATCHING_LIMIT

    def places(self, a: Json, b: Json, a_path: _JsonPath = (), b_path: _JsonPath = ()) -> Iterator[_Pair]:
        one, other = canonical(a), canonical(b)
        if one == other:
            return
        if isinstance(a, dict) and isinstance(b, dict):
            for key in {**a, **b}:
                paths = (*a_path, key), (*b_path, key)
                if key not in b:
                    yield _Pair(canonical(a[key]), None, *paths)
                elif key not in a:
                    yield _Pair(None, canonical(b[key]), *paths)
                else:
                    yield from self.places(a[key], b[key], *paths)
        elif isinstance(a, list) and isinstance(b, list):
            yield from self._of_lists(cast("list[Json]", a), cast("list[Json]", b), a_path, b_path)
        else:
            yield _Pair(one, other, a_path, b_path)

    def _of_lists(self, a: list[Json], b: list[Json], a_path: _JsonPath, b_path: _JsonPath) -> Iterator[_Pair]:
        one, other = [canonical(item) for item in a], [canonical(item) for item in b]
        for i, j in self._pairs(one, other):
            if j is None:
                yield _Pair(one[cast("int", i)], None, (*a_path, cast("int", i)), b_path)
            elif i is None:
                yield _Pair(None, other[j], a_path, (*b_path, j))
            else:
                yield from self.places(a[i], b[j], (*a_path, i), (*b_path, j))

    def _pairs(self, a: Sequence[str], b: Sequence[str]) -> Iterator[tuple[int | None, int | None]]:
        """The indexes of the items that belong together, without those that are the same at both ends."""
        start = _alike_from(a, b)
        end = min(_alike_from(a[::-1], b[::-1]), len(a) - start, len(b) - start)
        one, other = a[start : len(a) - end], b[start : len(b) - end]
        for i1, i2, j1, j2 in self._unlike(one, other):
            yield from zip_longest(range(start + i1, start + i2), range(start + j1, start + j2))

    def _unlike(self, a: Sequence[str], b: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
        """The stretches of both that differ; where matching them would take long, all of both."""
        work = len(a) * len(b)
        if work > min(_MATCHING_LIMIT, self._matching_left):
            yield 0, len(a), 0, len(b)
            return
        self._matching_left -= work
        for tag, *bounds in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
            if tag != "equal":
                i1, i2, j1, j2 = bounds
                yield i1, i2, j1, j2


def _alike_from(a: Sequence[str], b: Sequence[str]) -> int:
    """How many items, or characters, both have alike from the beginning."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(a), len(b)))


def _part(key: str | int) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    return f"[{key if isinstance(key, int) else canonical(key)}]"


def _order(path: _JsonPath) -> list[tuple[int, str]]:
    """Sorts indexes as numbers, and by the keys."""
    return [(key, "") if isinstance(key, int) else (-1, key) for key in path]


def _begins_to_differ(a: str, b: str) -> int:
    """Where to begin with two texts: at their beginning or, where that is alike for long, shortly before they part."""
    alike = _alike_from(a, b) if max(len(a), len(b)) > EXCERPT_CHARACTERS else 0
    return alike - _BEFORE if alike > EXCERPT_CHARACTERS // 2 else 0


def _cut(text: str, start: int = 0) -> str:
    shown = f"{'…' if start else ''}{text[start:]}"
    return shown if len(shown) <= EXCERPT_CHARACTERS else f"{shown[: EXCERPT_CHARACTERS - 1]}…"
