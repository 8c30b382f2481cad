"""Problems of a document, from pydantic's errors and structural findings, with their place in the file."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any, cast

from pydantic_core import ErrorDetails

from ia_modules.errors import FORMAT_HINT, InvalidValue, Problem
from ia_modules.pipeline.document.conditions import Expression, ParameterIsTrue
from ia_modules.pipeline.document.definition import FlowDefinition, Path, PipelineDefinition, StepDefinition
from ia_modules.pipeline.document.json_schema import path_text
from ia_modules.pipeline.document.references import Finding
from ia_modules.pipeline.document.templates import Where
from ia_modules.pipeline.document.wording import did_you_mean, shown

_OTHER_SPELLINGS: Mapping[str, str] = {
    key: other
    for model in (StepDefinition, FlowDefinition, Path, Expression, ParameterIsTrue)
    for other, key in model.also_spelled.items()
}

_EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "string_type": lambda _: "a text",
    "int_type": lambda _: "a whole number",
    "float_type": lambda _: "a number",
    "bool_type": lambda _: "true or false",
    "dict_type": lambda _: "a mapping",
    "model_type": lambda _: "a mapping",
    "tuple_type": lambda _: "a list",
    "finite_number": lambda _: "a finite number",
    "string_too_short": lambda _: "a text that is not empty",
    "string_pattern_mismatch": lambda context: f"a text of the form {context['pattern']}",
    "greater_than": lambda context: f"more than {context['gt']:g}",
    "greater_than_equal": lambda context: f"at least {context['ge']:g}",
    "literal_error": lambda context: f"one of {context['expected']}",
}


def problem_of(error: ErrorDetails, document: Any) -> Problem:
    """A validation error as a problem of the document that was read."""
    context = error.get("ctx", {})
    place = place_of(error["loc"], document)
    match error["type"], context.get("error"):
        case "unknown_key", _:
            known = cast(list[str], context["known"])
            found, expected = f"the unknown key {str(error['loc'][-1])!r}", f"one of the keys {', '.join(known)}"
            return Problem(_path(place), found, expected, did_you_mean(error["loc"][-1], known))
        case "missing", _:
            return Problem(_path(place[:-1]), f"no {error['loc'][-1]!r}", "one")
        case _, InvalidValue() as wrong:
            inside = place_of((*error["loc"], *wrong.inside), document)
            return Problem(_path(inside), wrong.found, wrong.expected, wrong.hint)
        case "string_too_long", _:
            found = f"a text of {len(cast(str, error['input'])):,} characters"
            return Problem(_path(place), found, f"at most {context['max_length']}")
        case kind, _:
            expected = _EXPECTED[kind](context) if kind in _EXPECTED else error["msg"]
            words = re.findall(r"'(\w+)'", expected) if kind == "literal_error" else ()
            return Problem(_path(place), shown(error["input"]), expected, did_you_mean(error["input"], words))


def problem_at(finding: Finding, document: Any) -> Problem:
    """A structural finding as a problem of the document that was read."""
    return Problem(_path(place_of(finding.at, document)), finding.found, finding.expected, finding.hint)


def weighed(
    found: Iterable[Finding], definition: PipelineDefinition, document: Any, *, strict: bool
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """The findings as errors and as warnings.

    Args:
        strict: what has no effect on a run is an error.
    """
    errors: list[Problem] = []
    warnings: list[Problem] = []
    may_be_older = definition.format is None  # the hint once: it is the same for all
    for finding in found:
        problem, is_met_in_0_2 = problem_at(finding, document), not finding.is_reference
        if finding.is_advice or (finding.is_harmless and not strict) or (definition.is_lenient and not is_met_in_0_2):
            warnings.append(problem)
            continue
        errors.append(with_format_hint(problem) if may_be_older and not is_met_in_0_2 else problem)
        may_be_older &= is_met_in_0_2
    return tuple(errors), tuple(warnings)


def with_format_hint(problem: Problem) -> Problem:
    """A problem that a file of the 0.2 format would not have."""
    return replace(problem, hint=f"{problem.hint} {FORMAT_HINT}".strip())


def place_of(at: Where, document: Any) -> Where:
    """The place in the document as it was written, from a place in the canonical form."""
    place: list[str | int] = []
    here, is_listed_by_name = document, False
    for key, following in zip_longest(at, at[1:]):
        step = () if is_listed_by_name and key in ("source", "default") else _down(key, here, following)
        is_listed_by_name = isinstance(key, int) and isinstance(here, dict)
        place += step
        for each in step:
            here = _child(here, each)
    return tuple(place)


def _down(key: str | int, here: Any, following: str | int | None) -> Where:
    """The keys in the file for ``key`` of the canonical form; none where the file has no such level."""
    if not isinstance(here, dict):
        return (key,) if isinstance(here, list) else ()
    mapping = cast(dict[str | int, Any], here)
    if isinstance(key, int):
        return (list(mapping)[key],) if key < len(mapping) else ()
    config: Any = mapping.get("config")
    under_config = cast(dict[str | int, Any], config) if isinstance(config, dict) else {}
    if key == "config" and following in mapping and following not in under_config:
        return ()
    for name in (key, _OTHER_SPELLINGS.get(key, key)):
        if name in mapping:
            return (name,)
        if name in under_config:
            return ("config", name)
    return (key,) if key not in _LEVELS else ()


_LEVELS = frozenset(
    ("always", "else", "success", "condition", "expression", "parameter", "function", "all", "any", "not", "config")
)
"""Tags that pydantic adds to the place of a condition, and the level that a file may leave out."""


def _child(here: Any, key: str | int) -> Any:
    if isinstance(here, dict):
        return cast(dict[str | int, Any], here).get(key)
    if isinstance(here, list) and isinstance(key, int) and key < len(cast(list[Any], here)):
        return cast(list[Any], here)[key]
    return None


def _path(place: Where) -> str:
    return f"${path_text(place)}"
