"""A name stands for one thing: no class name twice, and no variable that is called after what somebody did."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.check.sources import BACKEND, LIBRARY, ROOT, place, python_files, tree_of

NO_NAMES = {"asked", "said", "told", "given"}
"""Names that say what somebody did and not what the thing is."""

PAGES = ROOT / "showcase_app" / "frontend" / "src"
IN_TYPESCRIPT = re.compile(
    rf"\b(?:const|let|var|function)\s+(?P<one>{'|'.join(NO_NAMES)})\b"
    rf"|[(,{{\[]\s*(?P<other>{'|'.join(NO_NAMES)})\s*\??\s*(?=[,:)=}}\]])"
)


COMMENT = re.compile(r"/\*.*?\*/|//.*?$", re.DOTALL | re.MULTILINE)


def class_names(path: Path) -> Iterator[str]:
    """Classes at any level, and what a module calls a type: ``ExecutionId = NewType(...)``."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for statement in tree_of(path).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            if re.fullmatch(r"_?[A-Z]\w*[a-z]\w*", name):
                yield name


def variables(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Everything that code names itself, with its line: variables, parameters, attributes, functions, captures."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name, node.lineno
            case ast.alias(asname=str(name)):
                yield name, node.lineno
            case _:
                pass


def test_no_class_name_stands_twice_in_library_and_backend() -> None:
    homes: dict[str, list[str]] = {}
    for path in python_files(LIBRARY, BACKEND):
        for name in class_names(path):
            homes.setdefault(name.removeprefix("_"), []).append(place(path))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


@pytest.mark.parametrize("folder", ["ia_modules", "showcase_app/backend", "tests", "scripts", "benchmarks", "examples"])
def test_a_variable_is_called_what_it_is(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in python_files(ROOT / folder)
        for name, line in variables(tree_of(path))
        if name in NO_NAMES
    ]
    assert found == []


def test_a_variable_of_the_pages_is_called_what_it_is() -> None:
    found = [
        f"{place(path)}:{text.count(chr(10), 0, match.start()) + 1} {match[0].strip()}"
        for path in sorted(PAGES.rglob("*.ts*"))
        if not path.name.endswith(".gen.ts")
        for text in [path.read_text(encoding="utf-8")]
        for match in IN_TYPESCRIPT.finditer(COMMENT.sub(lambda comment: re.sub(r"\S", " ", comment[0]), text))
    ]
    assert found == []
