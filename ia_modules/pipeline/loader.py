"""From a pipeline file to a definition: every spelling in, one model out, and everything that is wrong at once.

Nothing here reads a file: the caller passes what is in it.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.json_schema import path_text
from ia_modules.pipeline.document.json_text import mark_json, read_json
from ia_modules.pipeline.document.marks import DEEPEST, MOST_VALUES, marked
from ia_modules.pipeline.document.problems import place_of, problem_of, weighed, with_format_hint
from ia_modules.pipeline.document.structure import findings
from ia_modules.pipeline.document.templates import Where
from ia_modules.pipeline.document.wording import kind_of, shown
from ia_modules.pipeline.document.yaml_core import read_yaml

Syntax = Literal["json", "yaml"]

MOST_PROBLEMS = 100
"""Problems of one kind that are reported at once: finding the place and the likely meaning of each takes time."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What a document turned out to be.

    Attributes:
        definition: None when there are errors.
        warnings: what does not keep a file from being run.
    """

    definition: PipelineDefinition | None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    definition: PipelineDefinition
    warnings: tuple[Problem, ...] = ()


def load(document: Mapping[str, Any], *, strict: bool = True) -> Loaded:
    """The definition that a document means.

    Args:
        strict: for what is stored or validated. When a file is run, unknown keys, steps out of reach and placeholders
            that never resolve are only warnings. An unknown type, condition or operator is always an error.

    Raises:
        PipelineDefinitionError: with everything that is wrong.
    """
    examined = examine(document, strict=strict)
    if examined.definition is None:
        raise PipelineDefinitionError(examined.errors)
    return Loaded(examined.definition, examined.warnings)


def load_text(text: str, syntax: Syntax = "json", *, strict: bool = True) -> Loaded:
    """The same from the text of a file.

    Raises:
        PipelineDefinitionError: with everything that is wrong, and its line and column.
    """
    document = document_of(text, syntax)
    try:
        return load(document, strict=strict)
    except PipelineDefinitionError as wrong:
        raise PipelineDefinitionError(located(wrong.problems, text, syntax)) from None


def syntax_of(file_name: str) -> Syntax:
    return "yaml" if file_name.lower().endswith((".yaml", ".yml")) else "json"


def document_of(text: str, syntax: Syntax = "json") -> Any:
    """The JSON value that a text means.

    Raises:
        PipelineDefinitionError: the text is not JSON or YAML, or has a key twice in one mapping; with the place.
    """
    return read_json(text) if syntax == "json" else read_yaml(text)[0]


def located(problems: Iterable[Problem], text: str, syntax: Syntax) -> tuple[Problem, ...]:
    """Problems of the document that a text means, with the line and column of each.

    The text is read anew for it, which only happens when there are problems.
    """
    wrong = tuple(problems)
    return marked(wrong, mark_json(text) if syntax == "json" else read_yaml(text)[1]) if wrong else ()


def in_format(document: Any, file_format: str | None) -> Any:
    """The document with this ``format``, whatever it says itself; None: as it is."""
    if file_format is None or not isinstance(document, Mapping):
        return document
    return {**cast("Mapping[str, Any]", document), "format": file_format}


def examine(document: Any, *, strict: bool = True) -> Examination:
    """Everything that is wrong with a document, without raising; ``strict`` as for :func:`load`."""
    if broken := tuple(_not_json(document)):
        return Examination(None, broken)
    written = _plain(document)
    try:
        definition = PipelineDefinition.model_validate(written)
    except ValidationError as wrong:
        errors, is_lenient = wrong.errors(), _is_lenient(written)
        harmless = [error for error in errors if _is_harmless(error, is_lenient=is_lenient)]
        problems = tuple(problem_of(error, written) for error in errors[:MOST_PROBLEMS])
        refused = Examination(None, problems if is_lenient else tuple(_hinted(problems, errors)))
        if len(harmless) < len(errors):
            return refused
        pruned = _without(written, [place_of(error["loc"], written) for error in errors])
        if pruned == written:
            return refused
        inner = examine(pruned, strict=strict)
        if strict and not is_lenient:
            return Examination(None, (*refused.errors, *inner.errors))
        return Examination(inner.definition, inner.errors, (*problems, *inner.warnings))
    return _structured(definition, written, strict=strict)


def _is_harmless(error: ErrorDetails, *, is_lenient: bool) -> bool:
    """Whether a file may be run without the key; a lenient one also without a schema that is none."""
    return error["type"] == "unknown_key" or (is_lenient and error["loc"][-1:] in _SCHEMA_KEYS)


_SCHEMA_KEYS = (("schema",), ("input_schema",), ("output_schema",))


def _is_lenient(document: Any) -> bool:
    return isinstance(document, dict) and cast("dict[str, Any]", document).get("format") in ("0.2", 0.2)


def _hinted(problems: Iterable[Problem], errors: Iterable[ErrorDetails]) -> Iterator[Problem]:
    """The problems; the first that a file of the 0.2 format would not have says so."""
    is_first = True
    for problem, error in zip(problems, errors, strict=False):
        hinted = is_first and _is_harmless(error, is_lenient=True)
        yield with_format_hint(problem) if hinted else problem
        is_first &= not hinted


def _structured(definition: PipelineDefinition, written: Any, *, strict: bool) -> Examination:
    is_refused = strict and not definition.is_lenient  # then the first of them is an error too
    looked_at = islice(findings(definition), MOST_PROBLEMS if is_refused else None)
    errors, warnings = weighed(looked_at, definition, written, strict=strict)
    return Examination(None if errors else definition, errors, warnings)


def _without(document: Any, places: list[Where]) -> Any:
    """A copy of the document without the keys at these places."""
    if not places:
        return document
    if isinstance(document, dict):
        mapping = cast(dict[str, Any], document)
        gone = {place[0] for place in places if len(place) == 1}
        return {key: _without(value, _below(key, places)) for key, value in mapping.items() if key not in gone}
    if isinstance(document, list):
        return [_without(value, _below(index, places)) for index, value in enumerate(cast(list[Any], document))]
    return document


def _below(key: str | int, places: list[Where]) -> list[Where]:
    return [place[1:] for place in places if len(place) > 1 and place[0] == key]


def _not_json(document: Any) -> Iterator[Problem]:
    """What keeps a document from being JSON of a reasonable size; the first such thing only."""
    stack: list[tuple[Where, Any]] = [((), document)]
    for _ in range(MOST_VALUES):
        if not stack:
            return
        where, value = stack.pop()
        if wrong := _not_a_value(value, len(where)):
            yield Problem(f"${path_text(where)}"[:200], *wrong)
            return
        stack += [((*where, key), inner) for key, inner in _items(value)]
    yield Problem("$", f"more than {MOST_VALUES} values", "fewer")


def _not_a_value(value: Any, depth: int) -> tuple[str, str] | None:
    """What was found and what was expected, of a value that is no JSON; None for one that is."""
    if depth > DEEPEST:
        return "too many levels", f"at most {DEEPEST}"
    match value:
        case float() if not math.isfinite(value):
            return repr(value), "a finite number"
        case int() if not -(2**63) <= value < 2**64:
            return "a number beyond 64 bits", "a smaller one"
        case str() if not _can_be_stored(value):
            return "a text with NUL or half a surrogate pair", "one without"
        case dict() if wrong := [key for key in cast(dict[Any, Any], value) if not _can_be_stored(key)]:
            return f"the key {shown(wrong[0])}", "keys that are texts, without NUL and half surrogate pairs"
        case None | bool() | int() | float() | str() | dict() | list() | tuple():
            return None
        case _:
            return kind_of(value), "a JSON value"


def _can_be_stored(text: Any) -> bool:
    return isinstance(text, str) and "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _items(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(cast(dict[str | int, Any], value).items())
    return list(enumerate(cast(list[Any], value))) if isinstance(value, list | tuple) else []


def _plain(value: Any) -> Any:
    """A copy that shares nothing with what the caller keeps; tuples are lists."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in cast(dict[str, Any], value).items()}
    return [_plain(inner) for inner in cast(list[Any], value)] if isinstance(value, list | tuple) else value
