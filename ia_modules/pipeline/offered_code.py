"""The step code that a definition from outside may name here, read from its source: nothing is imported."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

MOST_MODULES = 200
_MOST_SOURCE_BYTES = 1_000_000
_WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class OfferedName:
    """A class or function of a module.

    Attributes:
        description: the first line of its docstring; None: it has none.
        fields: of its result, where its source says them: it returns a TypedDict of the same module.
    """

    name: str
    description: str | None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfferedModule:
    """A module whose public classes and functions steps may name.

    Attributes:
        is_beside: it lies beside the pipeline's file.
    """

    name: str
    is_beside: bool
    names: tuple[OfferedName, ...]


def offered_code(
    folder: Path | None, allowed: Iterable[str], *, paths: Iterable[str] | None = None
) -> list[OfferedModule]:
    """Modules that may be named, those beside the file first; at most 200. What cannot be read is left out.

    Reads files: call it in a thread.

    Args:
        folder: where modules lie beside the pipeline's file; None: there is none.
        allowed: patterns of module names; those that begin with a wildcard are not looked for.
        paths: where other modules are looked for; None: as Python does.
    """
    here = [] if folder is None else [(name, file, True) for name, file in _in_folder(folder, "")]
    roots = [Path(each) for each in (sys.path if paths is None else paths) if each]
    elsewhere = [(name, file, False) for pattern in allowed for name, file in _matching(pattern, roots)]
    modules: dict[str, OfferedModule] = {}
    for name, file, is_beside in islice([*here, *elsewhere], MOST_MODULES):
        names = _names_in(file)
        if names and name not in modules:
            modules[name] = OfferedModule(name, is_beside, names)
    return list(modules.values())


def _matching(pattern: str, roots: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """The modules of a pattern: one by its name, or those of the package before ``.*``."""
    name = pattern.removesuffix(".*")
    if not name or _WILD & set(name):
        return
    for root in roots:
        place = root.joinpath(*name.split("."))
        if pattern.endswith(".*"):
            if place.is_dir():
                yield from _in_folder(place, f"{name}.")
                return
        elif file := next((each for each in (place / "__init__.py", place.with_suffix(".py")) if each.is_file()), None):
            yield name, file
            return


def _in_folder(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Modules and packages in a folder, and the modules of those packages."""
    try:
        entries = sorted(each for each in folder.iterdir() if not each.name.startswith((".", "_")))
    except OSError:
        return
    for each in entries:
        if each.suffix == ".py" and each.stem.isidentifier() and each.is_file():
            yield f"{prefix}{each.stem}", each
        elif each.name.isidentifier() and (each / "__init__.py").is_file():
            yield f"{prefix}{each.name}", each / "__init__.py"
            yield from _in_folder(each, f"{prefix}{each.name}.")


def _names_in(file: Path) -> tuple[OfferedName, ...]:
    try:
        if file.stat().st_size > _MOST_SOURCE_BYTES:
            return ()
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return tuple(
        OfferedName(node.name, (ast.get_docstring(node) or "").partition("\n")[0] or None, _fields_of(node, classes))
        for node in tree.body
        if isinstance(node, ast.ClassDef | _Function) and not node.name.startswith("_")
        if _keys_of(node.name, classes) is None  # what a step returns is no step
    )


_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Classes = Mapping[str, ast.ClassDef]
_MOST_BASES = 20
"""Bases of a class in a row; more are a circle."""


def _fields_of(node: ast.ClassDef | _Function, classes: _Classes) -> tuple[str, ...]:
    """Keys of what a function returns, or the ``run`` of a class; none behind a decorator, which may return another."""
    if isinstance(node, ast.ClassDef):
        methods = (each for each in node.body if isinstance(each, _Function) and each.name in ("run", "execute"))
        method = next(methods, None)
        return () if method is None else _fields_of(method, classes)
    if node.decorator_list:
        return ()
    match node.returns:
        case ast.Name(id=name) | ast.Constant(value=str(name)):
            return _keys_of(name, classes) or ()
        case _:
            return ()


def _keys_of(name: str, classes: _Classes, most_bases: int = _MOST_BASES) -> tuple[str, ...] | None:
    """The keys of a TypedDict; None: it is none that the module has."""
    node = classes.get(name)
    if node is None or not most_bases:
        return None
    inherited: list[tuple[str, ...] | None] = []
    for base in node.bases:
        named = base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
        inherited.append(() if named == "TypedDict" else _keys_of(named, classes, most_bases - 1))
    if all(keys is None for keys in inherited):
        return None
    own = [
        each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    ]
    return tuple(dict.fromkeys([*(key for keys in inherited for key in keys or ()), *own]))
