"""YAML as JSON writes values: the core schema of YAML 1.2, so that ``no`` and ``2024-01-01`` stay text.

Nothing but these values is made: no tag makes another object, and an alias is the value it stands for.
"""

import re
from typing import Any, NoReturn, cast

import yaml
from yaml.reader import ReaderError

from ia_modules.pipeline.document.marks import DEEPEST, ENOUGH_DIGITS, MOST_VALUES, Mark, TextLines, wrong_text
from ia_modules.pipeline.document.templates import ROOTS
from ia_modules.pipeline.document.wording import shown

_TAG = "tag:yaml.org,2002:"
_SCALARS = {
    "null": (re.compile(r"~|null|Null|NULL|"), "~nN\0"),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF"),
    "int": (re.compile(r"[-+]?(0|[1-9][0-9]*)"), "-+0123456789"),
    "float": (
        re.compile(
            r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?"
            r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
        ),
        "-+.0123456789",
    ),
    "merge": (re.compile(r"<<"), "<"),
}
_UNQUOTED = re.compile(rf"[:-]\s+\{{(\{{|{'|'.join(ROOTS)})")


def read_yaml(text: str) -> tuple[Any, Mark]:
    """The value of a text, and where each value in it stands; ``.nan`` and ``.inf`` are still in it.

    Keys are texts, and stand once in a mapping. ``<<`` merges one mapping or a list of them: what the mapping itself
    has comes before what it merges, and an earlier merged mapping before a later one.

    Raises:
        PipelineDefinitionError: it is not YAML, or holds what JSON cannot; with the place.
    """
    root = _composed(text)
    return (None, Mark(1, 1, {})) if root is None else _Values(text).read(root)


class _Composer(yaml.SafeLoader):
    """From a text to nodes, which are tagged as the core schema says and do not nest too deep."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML copies it for every class that adds to it)
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self._depth > DEEPEST:
            mark: object = self.peek_event().start_mark  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            raise wrong_text(*_place(mark), "too many levels", f"at most {DEEPEST}")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _kind, (_pattern, _first) in _SCALARS.items():
    _firsts = ["" if character == "\0" else character for character in _first]
    _Composer.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]
        f"{_TAG}{_kind}", re.compile(f"^({_pattern.pattern})$"), _firsts
    )


def _composed(text: str) -> yaml.Node | None:
    try:
        composer = _Composer(text)
    except ReaderError as wrong:
        found = f"the character {shown(text[wrong.position])}"
        raise wrong_text(*TextLines(text).place(wrong.position), found, "text that YAML can hold") from None
    try:
        return composer.get_single_node()
    except yaml.MarkedYAMLError as wrong:
        line, column = _place(wrong.problem_mark)
        is_unquoted = _UNQUOTED.search("".join(text.splitlines()[line - 1 : line]))
        hint = "Quote a text that begins with a brace." if is_unquoted else ""
        raise wrong_text(line, column, f"what is not YAML ({wrong.problem})", "YAML", hint) from None
    except (ValueError, OverflowError) as wrong:  # an escape beyond Unicode; far beyond it
        mark = cast(object, composer.get_mark())  # pyright: ignore[reportUnknownMemberType]
        raise wrong_text(*_place(mark), f"what is not YAML ({wrong})", "YAML") from None


def _place(mark: Any) -> tuple[int, int]:
    """Line and column of a mark of PyYAML, both from 1."""
    return mark.line + 1, mark.column + 1


class _Values:
    """The values of nodes; a node with several aliases is read once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._read: dict[int, tuple[Any, Mark]] = {}
        self._open: set[int] = set()
        self._count = 0

    def read(self, node: yaml.Node) -> tuple[Any, Mark]:
        known = self._read.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            self._refuse(node, "a value that holds itself, by an alias", "values that end")
        self._open.add(id(node))
        mark = Mark(*_place(node.start_mark), {})
        match node:
            case yaml.MappingNode():
                value = self._mapping(node, mark)
            case yaml.SequenceNode():
                value = self._sequence(node, mark)
            case _:
                value = self._scalar(node)
        self._open.discard(id(node))
        self._read[id(node)] = value, mark
        self._count_more(node, 1)
        return value, mark

    def _sequence(self, node: yaml.SequenceNode, mark: Mark) -> list[Any]:
        self._check_tag(node, "seq")
        inner = [self.read(each) for each in node.value]
        mark.inner.update(enumerate(mark for _, mark in inner))
        return [value for value, _ in inner]

    def _mapping(self, node: yaml.MappingNode, mark: Mark) -> dict[str, Any]:
        self._check_tag(node, "map")
        self._check_quotes(node)
        own: dict[str, tuple[Any, Mark]] = {}
        merged: dict[str, tuple[Any, Mark]] = {}
        for key_node, value_node in node.value:
            is_merge = key_node.tag == f"{_TAG}merge"
            key = "<<" if is_merge else self._key(key_node, node)
            if key in own or (is_merge and merged):
                hint = "Several are merged in a list: <<: [*a, *b]." if is_merge else ""
                self._refuse(key_node, f"the key {key!r} twice in one mapping", "each key once", hint)
            if is_merge:
                merged = self._merged(value_node)
            else:
                own[key] = self.read(value_node)
        both = merged | own
        mark.inner.update((key, mark) for key, (_, mark) in both.items())
        return {key: value for key, (value, _) in both.items()}

    def _merged(self, node: yaml.Node) -> dict[str, tuple[Any, Mark]]:
        """What ``<<`` brings; of several mappings, the first that has a key gives its value."""
        nodes = list(reversed(node.value)) if isinstance(node, yaml.SequenceNode) else [node]
        together: dict[str, tuple[Any, Mark]] = {}
        for each in nodes:
            value, mark = self.read(each)
            if not isinstance(value, dict):
                self._refuse(each, f"{shown(value)} under <<", "a mapping, or a list of mappings, to be merged")
            mapping = cast(dict[str, Any], value)
            self._count_more(each, len(mapping))
            together |= {key: (inner, mark.inner[key]) for key, inner in mapping.items()}
        return together

    def _key(self, node: yaml.Node, around: yaml.MappingNode) -> str:
        if isinstance(node, yaml.ScalarNode):
            if node.tag == f"{_TAG}str":
                return node.value
            hint = f'Quote it: "{node.value}".' if node.value else ""
            self._refuse(node, f"the key {shown(self._scalar(node))}", "a key that is a text", hint)
        for outer in (node, around):
            if self._written(outer).startswith("{{"):
                self._refuse_unquoted(outer)
        kind = "a mapping" if isinstance(node, yaml.MappingNode) else "a list"
        self._refuse(node, f"{kind} as a key", "a key that is a text", "Quote what is to be a text.")

    def _check_quotes(self, node: yaml.MappingNode) -> None:
        """Refuse ``{parameters.x}``, which YAML reads as a mapping of that key to nothing."""
        if not node.flow_style or len(node.value) != 1:
            return
        key, value = node.value[0]
        is_bare = isinstance(value, yaml.ScalarNode) and value.start_mark.index == value.end_mark.index
        if is_bare and isinstance(key, yaml.ScalarNode) and re.split(r"[.|\s]", key.value)[0] in ROOTS:
            self._refuse_unquoted(node)

    def _scalar(self, node: yaml.Node) -> Any:
        kind, text = node.tag.removeprefix(_TAG), node.value
        if kind in ("str", "merge"):
            return text
        if kind not in _SCALARS:
            self._check_tag(node, "str")
        if not _SCALARS[kind][0].fullmatch(text):
            self._refuse(node, f"{shown(text)} with the tag !!{kind}", f"what YAML writes as {kind}")
        match kind:
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text[:ENOUGH_DIGITS])
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            case _:
                return None

    def _check_tag(self, node: yaml.Node, kind: str) -> None:
        if node.tag != f"{_TAG}{kind}":
            tag = node.tag.replace(_TAG, "!!")
            self._refuse(node, f"the tag {shown(tag)}", "a value of JSON, which needs no tag")

    def _count_more(self, node: yaml.Node, values: int) -> None:
        self._count += values
        if self._count > MOST_VALUES:
            self._refuse(node, f"more than {MOST_VALUES} values", "fewer")

    def _written(self, node: yaml.Node) -> str:
        return self._text[node.start_mark.index : node.end_mark.index]

    def _refuse_unquoted(self, node: yaml.Node) -> NoReturn:
        written = self._written(node)
        quoted = f"'{written}'" if '"' in written else f'"{written}"'
        found = f"{shown(written)} without quotes, which YAML reads as a mapping"
        self._refuse(node, found, "a text", f"Quote it: {quoted}.")

    def _refuse(self, node: yaml.Node, found: str, expected: str, hint: str = "") -> NoReturn:
        raise wrong_text(*_place(node.start_mark), found, expected, hint)
