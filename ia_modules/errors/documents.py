"""What is wrong with a document, problem by problem: a pipeline's definition, its input, its output."""

from collections.abc import Sequence
from dataclasses import dataclass

from ia_modules.errors.base import IAModulesError, PipelineError


class InvalidValue(IAModulesError, ValueError):
    """One value of a document is wrong.

    Attributes:
        found, expected, hint: as in :class:`Problem`.
        inside: keys and indexes from the value down to the wrong part.
    """

    def __init__(self, found: str, expected: str, hint: str = "", *, inside: tuple[str | int, ...] = ()) -> None:
        super().__init__(f"found {found}; expected {expected}.")
        self.found, self.expected, self.hint, self.inside = found, expected, hint, inside


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document.

    Attributes:
        where: JSON path, such as ``$.steps[2].inputs``; ``line 3, column 7`` where the text is not even JSON or YAML.
        hint: what to do, a whole sentence; empty when ``expected`` says it.
        line, column: in the file, counting from 1; None when it came from no file.
    """

    where: str
    found: str
    expected: str
    hint: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"

    @property
    def place(self) -> str:
        """``where``, with line and column where there are any."""
        is_path = self.line is not None and self.where.startswith("$")
        return f"{self.where}, line {self.line}, column {self.column}" if is_path else self.where

    @property
    def text(self) -> str:
        """What was found and expected, and the hint, without the place."""
        return f"found {self.found}; expected {self.expected}.{' ' if self.hint else ''}{self.hint}"


MAY_BE_OLDER = "if this file was written for 0.2, run it with --format 0.2"
FORMAT_HINT = f"I{MAY_BE_OLDER[1:]}."
"""What to do about a problem that a file of the 0.2 format would not have."""


def listed(headline: str, problems: Sequence[Problem]) -> str:
    """The headline, and each problem on a line of its own below it."""
    return "\n- ".join([headline, *map(str, problems)])


class _Problems(PipelineError):
    """Everything that is wrong, at once.

    Attributes:
        problems: at least one.
        found, expected, where, hint: of the first problem.
    """

    def __init__(self, headline: str, problems: Sequence[Problem]) -> None:
        super().__init__(listed(headline, problems))
        self.problems = tuple(problems)
        first = problems[0]
        self.found, self.expected, self.where, self.hint = first.found, first.expected, first.where, first.hint


class PipelineDefinitionError(_Problems):
    """The definition is wrong; nothing has run. ``problems`` has everything that is."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("The pipeline definition is wrong:", problems)


class PipelineInputError(_Problems, ValueError):  # pyright: ignore[reportUnsafeMultipleInheritance]
    """The input breaks the pipeline's contract; nothing was recorded as started."""

    def __init__(self, pipeline: str, problems: Sequence[Problem]) -> None:
        headline = f"The input of pipeline {pipeline!r} does not fit its parameters"
        super().__init__(f"{headline} ({MAY_BE_OLDER}):", problems)
        self.pipeline = pipeline


class PipelineOutputError(_Problems):
    """The steps have run, but the output cannot be kept, or breaks the pipeline's ``output_schema``."""

    def __init__(self, pipeline: str, problems: Sequence[Problem], *, by_schema: bool = True) -> None:
        """``by_schema``: it breaks the schema, which a file of the 0.2 format may do."""
        hint = f" ({MAY_BE_OLDER})" if by_schema else ""
        super().__init__(f"The output of pipeline {pipeline!r} is not what it must be{hint}:", problems)
        self.pipeline = pipeline
