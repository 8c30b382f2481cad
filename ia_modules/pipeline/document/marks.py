"""Places in the text of a document: the line and column of each value, and problems that carry them."""

import json
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from ia_modules.errors import PipelineDefinitionError, Problem

DEEPEST = 100
"""Levels that a document may nest."""

MOST_VALUES = 200_000
"""Values that a document may have, each alias of a YAML file counted as often as it is used."""

ENOUGH_DIGITS = 30
"""Of a whole number, more digits need not be read: with so many it is beyond 64 bits, and refused as that."""

_STEP_OF_A_PATH = re.compile(r'\.(\w+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')


class Mark(NamedTuple):
    """Where a value begins; line and column count from 1. ``inner``: the marks of what it holds, by key or index."""

    line: int
    column: int
    inner: dict[str | int, "Mark"]


class TextLines:
    """The lines of a text, for the places of its characters."""

    def __init__(self, text: str) -> None:
        self._breaks = [-1, *(found.start() for found in re.finditer("\n", text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of a character, both from 1."""
        line = bisect_left(self._breaks, offset)
        return line, offset - self._breaks[line - 1]


def wrong_text(line: int, column: int, found: str, expected: str, hint: str = "") -> PipelineDefinitionError:
    """The error for a text that is no document, with its place."""
    problem = Problem(f"line {line}, column {column}", found, expected, hint, line=line, column=column)
    return PipelineDefinitionError([problem])


def marked(problems: Iterable[Problem], root: Mark) -> tuple[Problem, ...]:
    """The problems of a document with line and column: of the value that their path names, or of what is around it."""
    return tuple(_marked(problem, root) for problem in problems)


def _marked(problem: Problem, root: Mark) -> Problem:
    if problem.line is not None or not problem.where.startswith("$"):
        return problem
    here = root
    for word, index, quoted in _STEP_OF_A_PATH.findall(problem.where):
        key = int(index) if index else json.loads(quoted) if quoted else word
        if key not in here.inner:
            break
        here = here.inner[key]
    return replace(problem, line=here.line, column=here.column)
