"""JSON text: its value, and where in the text each value stands."""

import json
import re
from collections.abc import Iterator
from typing import Any

from ia_modules.pipeline.document.marks import DEEPEST, ENOUGH_DIGITS, Mark, TextLines, wrong_text

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{},:]|[^][{},:"\s]+')


def read_json(text: str) -> Any:
    """The value of a text; NaN and Infinity are still in it.

    Raises:
        PipelineDefinitionError: it is not JSON, nests too deep, or has a key twice in one mapping; with the place.
    """
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text, object_pairs_hook=_each_key_once, parse_int=_whole_number)
    except json.JSONDecodeError as wrong:
        found = f"what is not JSON ({wrong.msg})"
        raise wrong_text(wrong.lineno, wrong.colno, found, "JSON", _advice(text, wrong.pos)) from None
    except (_KeyTwiceError, RecursionError):
        mark_json(text)  # raises what is wrong, with its place
        raise


def mark_json(text: str) -> Mark:
    """The marks of a text whose every character up to what is wrong is JSON.

    Raises:
        PipelineDefinitionError: it nests too deep, or has a key twice in one mapping.
    """
    text = text.removeprefix("\ufeff")
    return _marks(_TOKEN.finditer(text), text)


def _marks(tokens: Iterator[re.Match[str]], text: str) -> Mark:
    lines = TextLines(text)
    root: dict[str | int, Mark] = {}
    inside: list[dict[str | int, Mark]] = [root]
    keys: list[str | int | None] = [0]  # of what comes next in each; None: a mapping's key comes next
    for token in tokens:
        first, key = token[0][0], keys[-1]
        if first in "]}":
            inside.pop()
            keys.pop()
        elif first == ",":
            keys[-1] = len(inside[-1]) if isinstance(key, int) else None
        elif key is None:
            keys[-1] = json.loads(token[0])
            if keys[-1] in inside[-1]:
                raise wrong_text(
                    *lines.place(token.start()), f"the key {keys[-1]!r} twice in one mapping", "each key once"
                )
        elif first != ":":
            line, column = lines.place(token.start())
            inside[-1][key] = mark = Mark(line, column, {})
            if first in "[{":
                inside.append(mark.inner)
                keys.append(0 if first == "[" else None)
            if len(inside) > DEEPEST + 2:
                raise wrong_text(line, column, "too many levels", f"at most {DEEPEST}")
    return root[0]


class _KeyTwiceError(Exception):
    """To be found again, with its place."""


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise _KeyTwiceError
    return mapping


def _whole_number(digits: str) -> int:
    return int(digits[:ENOUGH_DIGITS])


def _advice(text: str, offset: int) -> str:
    """What to do about some ways of writing JSON that others allow."""
    if text.startswith(("//", "/*", "#"), offset):
        return "JSON has no comments; YAML has."
    if text.startswith(("}", "]"), offset) and text[:offset].rstrip().endswith(","):
        return "Take away the comma before it."
    return ""
