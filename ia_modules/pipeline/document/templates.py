"""Placeholders in values: read once when a pipeline is loaded, filled in when a step starts.

A *source* (inputs, outputs, the value of a condition) knows ``{parameters.X}``, ``{pipeline_input}``,
``{pipeline_input.X}``, ``{steps.<id>.output.<field>}``, the same in double braces, ``{{ <step id>.<field> }}`` and
alternatives joined by ``|``; in a condition also ``{run.iteration}``, as a whole string. A *config* knows double braces
only, so that a prompt may contain ``{text}``. In a step of a map, a source knows ``{item}``, ``{item.X}``,
``{run.index}`` and ``{run.key}``, too, and a config ``{{ item.X }}``; a *collect* also knows ``{result}``.

A placeholder that is the whole string keeps the type of its value; inside other text it is inserted as text. What has
no placeholder is a literal. Placeholders are paths, never expressions.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from ia_modules.errors import InvalidValue
from ia_modules.models import Json
from ia_modules.pipeline.document.scope import ITEM_FIELDS, RUN_FIELDS, Reference, Scope, Unresolved
from ia_modules.pipeline.document.wording import did_you_mean, kind_of

Notation = Literal["source", "config", "collect"]
Where = tuple[str | int, ...]

_DOUBLE = r"\{\{([^{}\"':\n]*)\}\}"
_SINGLE = r"(?<!\{)\{([^{}\"':\n]*)\}(?!\})"
_EITHER = re.compile(f"{_DOUBLE}|{_SINGLE}")
_PLACEHOLDER = {"source": _EITHER, "config": re.compile(_DOUBLE), "collect": _EITHER}
_BAR = re.compile(r"\|\|?")
_UP_TO_A_BRACE = re.compile(r"[^{}]*([{}]?)")
ROOTS = ("parameters", "pipeline_input", "steps")
_FORMS = "{parameters.NAME}, {pipeline_input}, {pipeline_input.FIELD} or {steps.STEP.output.FIELD}"


@dataclass(frozen=True, slots=True)
class _FilledText:
    """Literal text with values in it."""

    parts: tuple["str | _Meaning", ...]


@dataclass(frozen=True, slots=True)
class _FirstOf:
    """The first alternative that resolves."""

    alternatives: tuple["_Meaning", ...]


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Json


_Meaning = Reference | _FilledText | _FirstOf | _Constant


@dataclass(frozen=True, slots=True)
class Template:
    """A JSON value with placeholders in its strings.

    Attributes:
        json: the value in the one spelling that every other is turned into; two templates are equal if these are.
    """

    json: Any
    strings: Mapping[str, "_Meaning"] = field(compare=False, repr=False)
    """What each string of ``json`` that has placeholders means; the same text means the same everywhere."""

    @property
    def is_literal(self) -> bool:
        """True when there is nothing to fill in: ``json`` is the value."""
        return not self.strings

    @property
    def whole_reference(self) -> Reference | None:
        """The path that it is, when it is one placeholder and nothing else."""
        meaning = self.strings.get(self.json) if isinstance(self.json, str) else None
        return meaning if isinstance(meaning, Reference) else None

    def resolve(self, scope: Scope) -> Any:
        """The value with every placeholder filled in, or the first :class:`Unresolved`.

        The value shares its containers with the scope: copy before anybody may change it.
        """
        return _fill(self.json, lambda text: _resolve(self.strings[text], scope) if text in self.strings else text)

    def resolve_or_null(self, scope: Scope) -> Any:
        """The value, null for every string in it that does not resolve."""

        def fill(text: str) -> Any:
            value = _resolve(self.strings[text], scope) if text in self.strings else text
            return None if isinstance(value, Unresolved) else value

        return _fill(self.json, fill)

    def references(self) -> Iterator[tuple[Where, Reference]]:
        """Every path that the placeholders name, with the place of its string inside ``json``."""
        for where, text in _strings_of(self.json):
            if text in self.strings:
                yield from ((where, reference) for reference in _references(self.strings[text]))


def parse(value: Any, notation: Notation) -> Template:
    """Read a JSON value that may contain placeholders.

    Raises:
        InvalidValue: a placeholder that is none of the known forms; ``inside`` says where in the value.
    """
    strings: dict[str, _Meaning] = {}

    def canonical(text: str, where: Where) -> str:
        try:
            meaning = _read(text, notation)
        except InvalidValue as wrong:
            raise InvalidValue(wrong.found, wrong.expected, wrong.hint, inside=where) from None
        if isinstance(meaning, _Constant):
            return text
        spelled = _spell(meaning, notation)
        strings[spelled] = meaning
        return spelled

    return Template(_rewrite(value, canonical), strings)


def read_path(text: str) -> Reference:
    """The path that a condition reads: ``result.<field>``, ``<step id>.<field>``, ``<field>``, or a placeholder.

    Raises:
        InvalidValue: an empty segment, or a placeholder that is none of the known forms.
    """
    meaning = _read(text.strip(), "source")
    if isinstance(meaning, Reference):
        return meaning
    if not isinstance(meaning, _Constant):
        raise InvalidValue(repr(text), "one path, such as result.score, a field of the state or {parameters.NAME}")
    root, *rest = _segments(text)
    return Reference("result", tuple(rest)) if root == "result" and rest else Reference("state", (root, *rest))


def _read(text: str, notation: Notation) -> _Meaning:
    """What one string means."""
    pattern = _PLACEHOLDER[notation]
    whole = pattern.fullmatch(text.strip())
    if whole:
        return _placeholder(whole, notation, is_whole=True) or _Constant(text)
    if notation != "config" and (alternatives := _alternatives(text, notation)):
        return alternatives
    parts = list(_parts(text, notation))
    return _Constant(text) if all(isinstance(part, str) for part in parts) else _FilledText(tuple(parts))


def _alternatives(text: str, notation: Notation) -> _FirstOf | None:
    """``{a}|{b}|literal``; None when the text is something else."""
    pattern = _PLACEHOLDER[notation]
    *first, last = (part.strip() for part in split_at_bars(text))
    wholes = [pattern.fullmatch(part) for part in first]
    nodes = [_placeholder(whole, notation, is_whole=True) if whole else None for whole in wholes]
    if not nodes or not all(nodes):
        return None
    return _FirstOf((*(meaning for meaning in nodes if meaning), _read(last, notation)))


def split_at_bars(text: str) -> Iterator[str]:
    """The text between the bars; a bar counts where the next brace, if there is one, does not close. In linear time."""
    begin = 0
    for stretch in _UP_TO_A_BRACE.finditer(text):
        if stretch[1] == "}":
            continue
        for bar in _BAR.finditer(text, stretch.start(), stretch.end()):
            yield text[begin : bar.start()]
            begin = bar.end()
    yield text[begin:]


def _parts(text: str, notation: Notation) -> Iterator[str | _Meaning]:
    """The text between the placeholders, and the placeholders."""
    position = 0
    for match in _PLACEHOLDER[notation].finditer(text):
        meaning = _placeholder(match, notation, is_whole=False)
        if meaning is None:
            continue
        yield text[position : match.start()]
        yield meaning
        position = match.end()
    yield text[position:]


def _placeholder(match: re.Match[str], notation: Notation, *, is_whole: bool) -> Reference | _FirstOf | None:
    """What stands in the braces; None for braces that are ordinary text."""
    is_double = match[0].startswith("{{")
    content = match[1] if is_double else match[2]
    if not content.strip():
        return None
    if not is_double and not is_whole and content.split(".")[0].strip() not in ROOTS:
        return _of_item_in_text(content, notation)
    options = [_reference(option.strip(), match[0], notation, is_double=is_double) for option in _BAR.split(content)]
    return options[0] if len(options) == 1 else _FirstOf(tuple(options))


def _of_item_in_text(content: str, notation: Notation) -> Reference | None:
    """What a step of a map reads inside other text, where it is spelled as we spell it; in other steps that is text."""
    root, *path = content.split(".")
    if root == "item" or (root == "result" and notation == "collect"):
        reference = Reference(root, tuple(path))
    elif root == "run" and len(path) == 1 and path[0] in ITEM_FIELDS:
        reference = Reference("run", (path[0],))
    else:
        return None
    is_plain = all(segment and segment == segment.strip() and "[" not in segment for segment in path)
    return reference if is_plain else None


def _reference(content: str, whole: str, notation: Notation, *, is_double: bool) -> Reference:
    root, *path = _segments(content)
    if not is_double and (root == "item" or (root == "result" and notation == "collect")):
        return Reference(root, tuple(path))
    if root == "pipeline_input" or (root == "parameters" and path):
        return Reference(root, tuple(path))
    if root == "steps" and "output" in path[1:]:
        end = path.index("output", 1)
        return Reference("steps", tuple(path[end + 1 :]), step=".".join(path[:end]))
    if is_double and root not in ROOTS:
        return Reference("steps", tuple(path), step=root)
    if root == "run" and not is_double and len(path) == 1:
        known = (*RUN_FIELDS, *ITEM_FIELDS)
        if path[0] in known:
            return Reference("run", (path[0],))
        expected = f"one of {', '.join(f'{{run.{name}}}' for name in RUN_FIELDS)}"
        raise InvalidValue(f"the placeholder {whole}", expected, did_you_mean(path[0], known))
    hint = ""
    if root not in ROOTS:
        hint = did_you_mean(root, ROOTS) or (f"A step's output is {{steps.{root}.output.FIELD}}." if path else "")
    raise InvalidValue(f"the placeholder {whole}", _FORMS, hint)


def _segments(path: str) -> list[str]:
    """The keys of a path; ``items[0].name`` is ``items.0.name``."""
    segments = [segment.strip() for segment in re.sub(r"\[(\d+)\]", r".\1", path).split(".")]
    if not all(segments):
        raise InvalidValue(f"the path {path!r}", "names joined by single dots")
    return segments


def _spell(meaning: _Meaning, notation: Notation, *, is_inside: bool = False) -> str:
    """The one spelling of what a string means; ``is_inside``: with other text around it."""
    match meaning:
        case Reference():
            return _braced(str(meaning), notation)
        case _FirstOf(alternatives) if is_inside or notation == "config":
            return _braced("|".join(map(str, alternatives)), notation)
        case _FirstOf(alternatives):
            return "|".join(_spell(alternative, notation) for alternative in alternatives)
        case _Constant(value):
            return str(value)
        case _FilledText(parts):
            return "".join(part if isinstance(part, str) else _spell(part, notation, is_inside=True) for part in parts)


def _braced(path: str, notation: Notation) -> str:
    return f"{{{{ {path} }}}}" if notation == "config" else f"{{{path}}}"


def _resolve(meaning: _Meaning, scope: Scope) -> Any:
    match meaning:
        case Reference():
            return meaning.resolve(scope)
        case _Constant(value):
            return value
        case _FirstOf(alternatives):
            return _first(alternatives, scope)
        case _FilledText(parts):
            values = [part if isinstance(part, str) else _in_text(part, scope) for part in parts]
            missing = next((value for value in values if isinstance(value, Unresolved)), None)
            return missing or "".join(map(_as_text, values))


def _in_text(meaning: _Meaning, scope: Scope) -> Any:
    """The value; of an item where there is none, the text itself."""
    is_text = isinstance(meaning, Reference) and meaning.is_of_item and scope.item is None
    return _braced(str(meaning), "source") if is_text else _resolve(meaning, scope)


def _first(alternatives: tuple[_Meaning, ...], scope: Scope) -> Any:
    missing: list[Unresolved] = []
    for alternative in alternatives:
        value = _resolve(alternative, scope)
        if not isinstance(value, Unresolved):
            return value
        missing.append(value)
    return Unresolved(" | ".join(each.placeholder for each in missing), "; ".join(each.why for each in missing))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _references(meaning: _Meaning) -> Iterator[Reference]:
    match meaning:
        case Reference():
            yield meaning
        case _FirstOf(nodes) | _FilledText(nodes):
            for each in nodes:
                if not isinstance(each, str):
                    yield from _references(each)
        case _Constant():
            return


def _fill(value: Any, fill: Callable[[str], Any]) -> Any:
    """The value with its strings replaced; the first Unresolved instead, if there is one."""
    match value:
        case str():
            return fill(value)
        case dict():
            filled = {key: _fill(inner, fill) for key, inner in cast(dict[str, Any], value).items()}
            return next((inner for inner in filled.values() if isinstance(inner, Unresolved)), filled)
        case list():
            filled = [_fill(inner, fill) for inner in cast(list[Any], value)]
            return next((inner for inner in filled if isinstance(inner, Unresolved)), filled)
        case _:
            return value


def _rewrite(value: Any, canonical: Callable[[str, Where], str], where: Where = ()) -> Any:
    """A copy of the value with its strings respelled."""
    match value:
        case str():
            return canonical(value, where)
        case dict():
            items = cast(dict[str, Any], value).items()
            return {key: _rewrite(inner, canonical, (*where, key)) for key, inner in items}
        case list():
            return [_rewrite(inner, canonical, (*where, index)) for index, inner in enumerate(cast(list[Any], value))]
        case None | bool() | int() | float():
            return value
        case _:
            raise InvalidValue(kind_of(value), "a JSON value", inside=where)


def _strings_of(value: Any, where: Where = ()) -> Iterator[tuple[Where, str]]:
    match value:
        case str():
            yield where, value
        case dict():
            for key, inner in cast(dict[str, Any], value).items():
                yield from _strings_of(inner, (*where, key))
        case list():
            for index, inner in enumerate(cast(list[Any], value)):
                yield from _strings_of(inner, (*where, index))
        case _:
            return
