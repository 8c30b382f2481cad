"""``:name`` parameters for PostgreSQL, which takes ``$1`` only."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<escape_string> (?<![\w$]) [eE] '(?: [^'\\] | \\. | '' )*(?:'|\Z) )
    | (?P<string>        '(?: [^'] | '' )*(?:'|\Z) )
    | (?P<identifier>    "(?: [^"] | "" )*(?:"|\Z) )
    | (?P<line_comment>  --[^\r\n]* )
    | (?P<block_comment> /\* )
    | (?P<dollar_quote>  (?<![\w$]) \$(?P<tag>(?:[^\W\d]\w*)?)\$ .*? (?:\$(?P=tag)\$|\Z) )
    | (?P<position>      (?<![\w$]) \$\d+ )
    | (?P<cast>          :: | := )
    | (?P<bracket>       [\[\]] )
    | :(?P<name>         [^\W\d]\w* )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_ENDS_AN_EXPRESSION = re.compile(r"[\w$)\]\"']")


class Positional(NamedTuple):
    """SQL with ``$1``, ``$2``, …, and the names of their values in that order, each once."""

    sql: str
    names: tuple[str, ...]


@lru_cache(maxsize=2048)
def to_positional(sql: str) -> Positional:
    """Replace every ``:name`` by its position; a name used twice keeps its first position.

    Raises:
        ValueError: the SQL has ``$1`` of its own.
    """
    positions: dict[str, int] = {}
    text = with_names_replaced(sql, lambda name: f"${positions.setdefault(name, len(positions) + 1)}")
    return Positional(text, tuple(positions))


def with_names_replaced(sql: str, by: Callable[[str], str]) -> str:
    """Replace every ``:name`` by what stands for it.

    Not replaced: strings (also ``E'..'``), quoted identifiers, comments (also nested), dollar quotes, ``::`` casts,
    ``:=``, and the colon of an array slice. Inside brackets a colon directly after an expression separates a slice
    (``a[1:n]``, ``a[lo:hi]``, ``a[:lo:hi]`` with the parameter ``lo``); ``a[1 : :hi]`` has the parameter ``hi``.

    Raises:
        ValueError: the SQL has ``$1`` of its own.
    """
    parts: list[str] = []
    depth = copied = searched = 0
    while token := _TOKEN.search(sql, searched):
        searched = token.end()
        match token.lastgroup:
            case "block_comment":
                searched = _end_of_comment(sql, searched)
            case "bracket":
                depth = depth + 1 if token[0] == "[" else max(depth - 1, 0)
            case "position":
                raise ValueError(f"found the positional parameter {token[0]}; expected names, such as :status")
            case "name" if not (depth and _ENDS_AN_EXPRESSION.match(sql, token.start() - 1)):
                parts += sql[copied : token.start()], by(token["name"])
                copied = searched
            case _:
                pass
    parts.append(sql[copied:])
    return "".join(parts)


def _end_of_comment(sql: str, start: int) -> int:
    """The end of the block comment whose ``/*`` ends at ``start``; the end of the SQL when it is not closed."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)
