"""Plans: rows for a few sentences, written in one transaction without reading, all or none.

The sentences stand in ``sql/plans/transitions.sql``, for both databases, and are translated here once: SQLite runs
each for many rows, PostgreSQL all of them as one statement, which has no order: a plan must not write a row twice.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from ia_modules.database.driver import Plan
from ia_modules.database.named_params import with_names_replaced
from ia_modules.database.queries import SQL_FOLDER, parse_queries

_FILE = SQL_FOLDER / "plans" / "transitions.sql"
_HEAD = re.compile(r"^-- name: (\w+)\n(?:-- .*\n)*?-- (row|swap): (.*(?:\n-- .*)*)", re.MULTILINE)
_OFFSET = re.compile(r"ia_now\(:(\w+)\)")
_ROWS = "/* rows */"
_NOW, _PLAN_TIME = "now", "(SELECT now FROM plan_time)"


@dataclass(frozen=True, slots=True)
class PlanSentence:
    """One sentence.

    Attributes:
        types: of each value of a row, in their order, as PostgreSQL has them.
        is_swap: each row must change one row, or all of the plan is undone.
    """

    name: str
    sql: str
    types: Mapping[str, str]
    is_swap: bool


@dataclass(frozen=True, slots=True)
class PositionalSentence:
    """As SQLite takes it: the values of a row by their number and, where ``has_time``, the time after them.

    Attributes:
        offsets: places of values in seconds from now, to be replaced by that time: a function that SQLite calls for
            each row would wait for Python in the middle of a sentence.
    """

    name: str
    sql: str
    has_time: bool
    is_swap: bool
    offsets: tuple[int, ...]


@cache
def sentences() -> tuple[PlanSentence, ...]:
    """All sentences, in the order in which they are to be run."""
    text = _FILE.read_text(encoding="utf-8")
    heads = {name: (kind, row) for name, kind, row in _HEAD.findall(text)}
    found: list[PlanSentence] = []
    for name, sql in parse_queries(text, str(_FILE)):
        kind, row = heads[name]
        values = [value.split(maxsplit=1) for value in row.replace("\n--", " ").split(",")]
        found.append(PlanSentence(name, sql.rstrip(";"), dict(values), kind == "swap"))
    return tuple(found)


@cache
def for_sqlite() -> tuple[PositionalSentence, ...]:
    """All sentences, each value by its number."""

    def translated(sentence: PlanSentence) -> PositionalSentence:
        numbers = {name: number for number, name in enumerate((*sentence.types, _NOW), 1)}
        offsets = {numbers[name] - 1 for name in _OFFSET.findall(sentence.sql)}
        sql = with_names_replaced(_OFFSET.sub(r":\1", sentence.sql), lambda name: f"?{numbers[name]}")
        has_time = f"?{numbers[_NOW]}" in sql
        return PositionalSentence(sentence.name, sql, has_time, sentence.is_swap, tuple(sorted(offsets)))

    return tuple(map(translated, sentences()))


def for_postgresql(plan: Plan) -> tuple[str, list[Any]]:
    """A plan as one statement and its arguments. It divides by zero when a swap changes no row."""
    planned = [(sentence, rows) for sentence in sentences() if (rows := plan.get(sentence.name))]
    arguments: list[Any] = []
    for _, rows in planned:
        arguments += rows[0] if len(rows) == 1 else map(list, zip(*rows, strict=True))
    swaps = [len(rows) for sentence, rows in planned if sentence.is_swap]
    if swaps:
        arguments.append(sum(swaps))
    return _statement(tuple((sentence.name, len(rows) == 1) for sentence, rows in planned)), arguments


@lru_cache(maxsize=512)
def _statement(shape: tuple[tuple[str, bool], ...]) -> str:
    """The statement of a plan that has rows for these sentences: one row each (True), or many in arrays."""
    by_name = {sentence.name: sentence for sentence in sentences()}
    parts = ["plan_time AS MATERIALIZED (SELECT ia_now() AS now)"]
    swapped: list[str] = []
    position = 1
    for name, is_one in shape:
        sentence = by_name[name]
        sql = _for_one(sentence, position) if is_one else _for_many(sentence, position)
        if sentence.is_swap:
            sql += " RETURNING 1"
            swapped.append(f"(SELECT count(*) FROM plan_{name})")  # noqa: S608 - a name of ours
        parts.append(f"plan_{name} AS ({sql})")
        position += len(sentence.types)
    result = f"1 / CAST({' + '.join(swapped)} = ${position} AS INTEGER)" if swapped else "1"
    return f"WITH {', '.join(parts)} SELECT {result} AS written"


def _for_one(sentence: PlanSentence, first: int) -> str:
    values = {name: f"${number}::{type_}" for number, (name, type_) in enumerate(sentence.types.items(), first)}
    return _with_values(sentence, values, "")


def _for_many(sentence: PlanSentence, first: int) -> str:
    columns = [f"value_{number}" for number in range(first, first + len(sentence.types))]
    arrays = [f"${number}::{type_}[]" for number, type_ in enumerate(sentence.types.values(), first)]
    rows = f"FROM unnest({', '.join(arrays)}) AS given ({', '.join(columns)})"
    values = dict(zip(sentence.types, (f"given.{column}" for column in columns), strict=True))
    return _with_values(sentence, values, rows)


def _with_values(sentence: PlanSentence, values: Mapping[str, str], rows: str) -> str:
    return with_names_replaced(sentence.sql, {**values, _NOW: _PLAN_TIME}.__getitem__).replace(_ROWS, rows)


def has_nul(plan: Plan) -> bool:
    """Whether a text of a plan has a NUL character, which PostgreSQL refuses and SQLite does not."""
    values = chain.from_iterable(chain.from_iterable(plan.values()))
    return "\0" in "".join([value for value in values if isinstance(value, str)])
