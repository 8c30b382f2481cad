"""How messages name values: short, and in the words of JSON."""

import json
from collections.abc import Iterable, Sized
from difflib import get_close_matches
from itertools import islice
from typing import Any, cast

LONGEST = 80
"""Characters of a value that a message shows."""

_LONGEST_WORD, _MOST_KNOWN = 100, 500


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


def _without_style(word: str) -> str:
    return word.casefold().replace("-", "_")
