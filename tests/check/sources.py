"""Reads the repository's own Python, as text and as trees, for the checks."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "ia_modules"
BACKEND = ROOT / "showcase_app" / "backend"


def python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def place(path: Path, node: ast.stmt | ast.expr | ast.arg | ast.excepthandler | ast.pattern | None = None) -> str:
    """``ia_modules/payload.py:12``: where a node stands."""
    name = path.relative_to(ROOT).as_posix()
    return name if node is None else f"{name}:{node.lineno}"


def calls_of(name: str, node: ast.AST) -> Iterator[ast.Call]:
    """Calls of a function or class by its bare or its last name."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            called = each.func
            if (isinstance(called, ast.Name) and called.id == name) or (
                isinstance(called, ast.Attribute) and called.attr == name
            ):
                yield each
