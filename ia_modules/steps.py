"""Steps that every server has: a text becomes a table, a table is added up, and what came of it is written as Markdown.

Definitions from outside may always name them. They use nothing but their data, so each may be run again.
"""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast

_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")

Cell = str | int | float


class Table(TypedDict):
    """Rows with the same keys, which are the columns."""

    columns: list[str]
    rows: list[dict[str, Cell]]
    count: int


class GroupSum(TypedDict):
    """The rows that have ``value`` in common: how many, and the sum of their numbers."""

    value: Any
    count: int
    sum: int | float


class Summary(TypedDict):
    """Groups, the largest sum first, and what all of them come to."""

    groups: list[GroupSum]
    count: int
    total: int | float


class MarkdownText(TypedDict):
    """A text in Markdown."""

    markdown: str


def read_table(data: Mapping[str, Any]) -> Table:
    """Reads a text with commas as a table: its first line names the columns.

    A value that is a number becomes one. Lines without any text are left out.

    Args:
        data: ``text``, and ``separator`` where the values stand apart by something else than a comma.

    Raises:
        ValueError: there is no first line, or a line has another number of values; the message says which.
    """
    text, separator = _text(data, "text"), data.get("separator", ",")
    if not isinstance(separator, str) or len(separator) != 1:
        raise ValueError(f"separator is {separator!r}; expected one character")
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, skipinitialspace=True)
    try:
        lines = [(reader.line_num, line) for line in reader if any(value.strip() for value in line)]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} of the text cannot be read: {error}") from error
    if not lines:
        raise ValueError("the text is empty; expected a line with the names of the columns")
    columns = [name.strip() for name in lines[0][1]]
    if len(set(columns)) < len(columns) or "" in columns:
        raise ValueError(f"the first line is {', '.join(columns)}; expected a name of its own for each column")
    for number, line in lines[1:]:
        if len(line) != len(columns):
            raise ValueError(f"line {number} has {len(line)} values; expected {len(columns)}: {', '.join(columns)}")
    rows = [dict(zip(columns, map(_cell, line), strict=True)) for _, line in lines[1:]]
    return {"columns": columns, "rows": rows, "count": len(rows)}


def sum_up(data: Mapping[str, Any]) -> Summary:
    """Adds up the numbers of one column for each value of another.

    Args:
        data: ``rows``; ``of``, the column with the numbers; ``by``, the column whose values make the groups.

    Raises:
        ValueError: a row lacks a column, or has no number in it; the message says which.
    """
    rows, of, by = _rows(data), _text(data, "of"), _text(data, "by")
    values: dict[str, Any] = {}
    numbers: dict[str, list[int | float]] = {}
    for place, row in enumerate(rows, start=1):
        for column in (of, by):
            if column not in row:
                raise ValueError(f"row {place} has no {column!r}; it has {', '.join(row) or 'nothing'}")
        number = row[of]
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError(f"{of!r} of row {place} is {number!r}; expected a number")
        values.setdefault(repr(row[by]), row[by])
        numbers.setdefault(repr(row[by]), []).append(number)
    groups: list[GroupSum] = [
        {"value": values[each], "count": len(found), "sum": _sum(found)} for each, found in numbers.items()
    ]
    groups.sort(key=lambda group: -group["sum"])
    return {"groups": groups, "count": len(rows), "total": _sum([each for found in numbers.values() for each in found])}


def write_table(data: Mapping[str, Any]) -> MarkdownText:
    """Writes rows as a table in Markdown, below a title.

    Args:
        data: ``rows``, and ``title`` where there is to be one.

    Raises:
        ValueError: ``rows`` is no list of mappings.
    """
    rows, title = _rows(data), data.get("title")
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [] if title is None else [f"## {title}", ""]
    if columns:
        lines += [_line(columns), _line(["---"] * len(columns))]
        lines += [_line([row.get(column, "") for column in columns]) for row in rows]
    else:
        lines.append("There are no rows.")
    return {"markdown": "\n".join(lines)}


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r:.200}; expected a text")
    return value


def _rows(data: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    rows = data.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in cast("list[Any]", rows)):
        raise ValueError(f"rows is {rows!r:.200}; expected a list of mappings")
    return cast("list[Mapping[str, Any]]", rows)


def _cell(written: str) -> Cell:
    """A number where it is written as one that JSON has too; otherwise the text."""
    text = written.strip()
    if _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    if _DECIMAL_NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _sum(numbers: Sequence[int | float]) -> int | float:
    """The sum; of floats the one that is nearest to it, whatever their order."""
    return math.fsum(numbers) if any(isinstance(each, float) for each in numbers) else sum(numbers)


def _line(values: Sequence[Any]) -> str:
    cells = (" ".join(str(value).split()).replace("|", r"\|") for value in values)
    return f"| {' | '.join(cells)} |"
