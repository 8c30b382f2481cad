"""How messages name values: short, and in the words of JSON."""

import json
from collections.abc import Iterable, Sized
from difflib import get_close_matches
from itertools import islice
from posixpath import commonprefix
from typing import Any, cast

LONGEST = 80
"""Characters of a value that a message shows."""

_LONGEST_WORD, _MOST_KNOWN, _SHORTEST_SLIP = 100, 500, 5


def shown(value: Any) -> str:
    """The value as JSON, cut to what a message can carry; a container by its size."""
    text = repr_of(value)
    if len(text) <= LONGEST:
        return text
    if isinstance(value, dict | list | tuple):
        return f"{kind_of(value)} of {len(cast(Sized, value))}"
    return f"{text[: LONGEST - 1]}…"


def repr_of(value: Any) -> str:
    """The value as JSON; what is not JSON as Python writes it."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return repr(value)


def kind_of(value: Any) -> str:
    """What kind of JSON value it is, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"a value of type {type(value).__name__}"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A sentence that names the nearest known word; empty when none is near."""
    near = nearest(str(word), known)
    return "" if near is None else f"Did you mean {near!r}?"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like a word, ``-``, ``_`` and case aside; None when none is near.

    Comparing takes time: only the first 500 known words are looked at, and a long word is like none.
    """
    if len(word) > _LONGEST_WORD:
        return None
    alike = {_without_style(each): each for each in islice(known, _MOST_KNOWN)}
    near = get_close_matches(_without_style(word), list(alike), n=1)
    return alike[near[0]] if near else None


def misspelled(word: str, known: Iterable[str]) -> str | None:
    """The known word that a word is a slip of the pen for; None when it may well be a word of its own.

    Stricter than :func:`nearest`: ``-``, ``_`` and case aside, or one letter inside is missing, too many or another, or
    two neighbours changed places. Words that differ at an end, or in a number, are often both meant: ``topic`` and
    ``topics``, ``validate`` and ``validation``, ``page_1`` and ``page_2``.
    """
    if len(word) > _LONGEST_WORD:
        return None
    plain, alike = _without_style(word), {_without_style(each): each for each in islice(known, _MOST_KNOWN)}
    near = plain if plain in alike else next((each for each in alike if _is_slip(plain, each)), None)
    return None if near is None else alike[near]


def _is_slip(word: str, right: str) -> bool:
    before = len(commonprefix([word, right]))
    after = len(commonprefix([word[before:][::-1], right[before:][::-1]]))
    one, other = word[before : len(word) - after], right[before : len(right) - after]
    length = max(len(word), len(right))
    if not before or not after or length < _SHORTEST_SLIP or any(map(str.isdigit, one + other)):
        return False
    if len(one) == len(other) == 1:
        return length > _SHORTEST_SLIP  # short words with one other letter are often words: score, scope
    return len(one) + len(other) == 1 or (len(one) == 2 and one == other[::-1])


def _without_style(word: str) -> str:
    return word.casefold().replace("-", "_")
