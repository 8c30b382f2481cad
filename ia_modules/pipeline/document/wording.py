"""How messages name values: short, and in the words of JSON."""

import json
from collections.abc import Iterable, Sized
from difflib import get_close_matches
from typing import Any, cast

LONGEST = 80
"""Characters of a value that a message shows."""


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
    near = get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else ""
