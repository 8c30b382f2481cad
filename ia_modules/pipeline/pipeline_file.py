"""A pipeline file as it lies on disk: its text, the document that it means, and its problems with line and column."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.pipeline.document.marks import TextLines, wrong_text
from ia_modules.pipeline.loader import Examination, document_of, examine, in_format, located, syntax_of

MOST_BYTES = 16 * 1024 * 1024
"""What a pipeline file may hold; as much as a definition that is stored."""


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """A file that was read. ``document``: the JSON value that its text means, which may be no pipeline."""

    path: Path
    text: str
    document: Any

    def examine(self, *, strict: bool) -> Examination:
        """As :func:`ia_modules.pipeline.loader.examine`, with line and column."""
        found = examine(self.document, strict=strict)
        return Examination(found.definition, self._located(found.errors), self._located(found.warnings))

    @contextmanager
    def locating(self) -> Generator[None]:
        """Gives problems of the document that are raised inside their line and column."""
        try:
            yield
        except PipelineDefinitionError as wrong:
            raise PipelineDefinitionError(self._located(wrong.problems)) from None

    def _located(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        return located(problems, self.text, syntax_of(self.path.name))


def read_file(path: Path, *, file_format: str | None = None) -> PipelineFile:
    """Read a pipeline file, JSON or YAML by its name.

    Args:
        file_format: as which it is read, such as ``0.2``; None: as it says.

    Raises:
        PipelineDefinitionError: it cannot be read, or is not JSON or YAML; with the place in it.
    """
    text = _text_of(path)
    return PipelineFile(path, text, in_format(document_of(text, syntax_of(path.name)), file_format))


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: NUL in its name
        found = f"{getattr(error, 'strerror', None) or error}: {path}"
        raise PipelineDefinitionError([Problem("the file", found, "a file that can be read")]) from None
    if len(content) > MOST_BYTES:
        raise PipelineDefinitionError([Problem("the file", f"more than {MOST_BYTES} bytes: {path}", "a smaller file")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        before = wrong.object[: wrong.start].decode()
        hint = "It is UTF-16: save it as UTF-8." if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        found = f"what is not UTF-8 at byte {wrong.start}"
        raise wrong_text(*TextLines(before).place(len(before)), found, "text in UTF-8", hint) from None
