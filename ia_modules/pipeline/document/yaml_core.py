"""YAML as JSON writes values: the core schema of YAML 1.2, so that ``no`` and ``2024-01-01`` stay text."""

import re
from typing import Any, cast

import yaml


class CoreLoader(yaml.SafeLoader):
    """A safe loader for true/false, null, decimal numbers and text; a key may stand only once in a mapping."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML copies it for every class that adds to it)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.value in seen and key_node.tag != "tag:yaml.org,2002:merge":
                problem = f"the key {key_node.value!r} twice in one mapping"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if isinstance(key_node, yaml.ScalarNode):
                seen.add(cast(str, key_node.value))
        return super().construct_mapping(node, deep)


_SCALARS = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?", "-+.0123456789"),
    "merge": (r"<<", "<"),
}

for _tag, (_pattern, _first) in _SCALARS.items():
    _firsts = ["" if character == "\0" else character for character in _first]
    CoreLoader.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), _firsts
    )
