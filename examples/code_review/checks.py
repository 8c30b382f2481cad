"""What reading a Python file tells about it. Nothing of it is imported or run."""

import ast
import io
import os
import re
import threading
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

NOT_READ = {"__pycache__", "node_modules", "site-packages"}
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

RISKY = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "marshal.load": "bytes from elsewhere may crash the interpreter",
    "marshal.loads": "bytes from elsewhere may crash the interpreter",
    "os.popen": "runs a shell",
    "os.system": "runs a shell",
    "asyncio.create_subprocess_shell": "runs a shell",
    "subprocess.getoutput": "runs a shell",
    "subprocess.getstatusoutput": "runs a shell",
    "pickle.load": "unpickling runs code that the data names",
    "pickle.loads": "unpickling runs code that the data names",
    "pickle.Unpickler": "unpickling runs code that the data names",
    "shelve.open": "reads by unpickling, which runs code that the data names",
    "ssl._create_unverified_context": "trusts every certificate",
    "tempfile.mktemp": "somebody else may take the name first",
    "yaml.full_load": "may build more than plain values",
    "yaml.unsafe_load": "builds any object that the text names",
}
SAFE_YAML_LOADERS = {"yaml.SafeLoader", "yaml.CSafeLoader", "yaml.BaseLoader", "yaml.CBaseLoader"}

_parsing = threading.Lock()


class Unreadable(Exception):
    """A file that is no Python source, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} cannot be read as Python: {reason}")
        self.path, self.reason = path, reason


@dataclass(frozen=True, slots=True)
class Source:
    """One file.

    Attributes:
        path: below the reviewed folder, with ``/``.
    """

    path: str
    text: bytes
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at. ``weight``: how bad, to put the worst first."""

    path: str
    line: int
    what: str
    weight: int = 1


def python_files(folder: Path, exclude: Sequence[str] = ()) -> list[str]:
    """The paths of the Python files below a folder, sorted; without hidden ones and virtual environments.

    Args:
        exclude: patterns such as ``tests/*``; a path that matches one is left out.
    """
    found: list[str] = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if _is_read(Path(place), name)]
        found += [(Path(place) / name).relative_to(folder).as_posix() for name in files if name.endswith(".py")]
    return sorted(path for path in found if not any(fnmatchcase(path, pattern) for pattern in exclude))


def _is_read(place: Path, name: str) -> bool:
    return not name.startswith(".") and name not in NOT_READ and not (place / name / "pyvenv.cfg").exists()


def read_source(folder: Path, path: str) -> Source:
    """Read and parse a file.

    Raises:
        Unreadable: it is gone, or not Python as this interpreter knows it.
    """
    try:
        text = (folder / path).read_bytes()
        # What the compiler warns of is not asked for here; its filters are those of the whole process: one at a time.
        with _parsing, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Source(path, text, ast.parse(text, filename=path))
    except SyntaxError as error:
        raise Unreadable(path, f"line {error.lineno or 1}: {error.msg}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(path, f"{type(error).__name__}: {error}") from error


def functions(source: Source) -> list[tuple[str, FunctionNode]]:
    """Every function and method with its qualified name, those inside of others too."""
    return [(name, node) for name, node in _definitions(source.tree) if isinstance(node, FunctionNode)]


def _definitions(
    tree: ast.AST, above: str = "", *, inside_functions: bool = True
) -> Iterator[tuple[str, FunctionNode | ast.ClassDef]]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, FunctionNode | ast.ClassDef):
            yield from _definitions(node, above, inside_functions=inside_functions)
            continue
        name = f"{above}.{node.name}" if above else node.name
        yield name, node
        if inside_functions or isinstance(node, ast.ClassDef):
            yield from _definitions(node, name, inside_functions=inside_functions)


def complexity(function: FunctionNode) -> int:
    """Cyclomatic complexity: 1, and 1 for each place where the way through the function divides.

    These are branches, loops, handlers, cases, conditional expressions, ``and``/``or``, and the loops and conditions of
    comprehensions. Functions and classes inside are counted on their own.

    Source: T. J. McCabe, "A Complexity Measure", IEEE Transactions on Software Engineering, 1976.
    """
    total, inside = 1, list(ast.iter_child_nodes(function))
    while inside:
        node = inside.pop()
        if isinstance(node, FunctionNode | ast.ClassDef):
            continue
        total += _divisions(node)
        inside += ast.iter_child_nodes(node)
    return total


def _divisions(node: ast.AST) -> int:
    match node:
        case ast.If() | ast.IfExp() | ast.For() | ast.AsyncFor() | ast.While() | ast.ExceptHandler():
            return 1
        case ast.BoolOp(values=values):
            return len(values) - 1
        case ast.comprehension(ifs=conditions):
            return 1 + len(conditions)
        case ast.match_case(pattern=ast.MatchAs(pattern=None), guard=None):
            return 0  # takes whatever is left, as an else does
        case ast.match_case():
            return 1
        case _:
            return 0


def too_complex(source: Source, limit: int) -> list[Finding]:
    measured = [(name, node.lineno, complexity(node)) for name, node in functions(source)]
    return [
        Finding(source.path, line, f"`{name}` has a complexity of {value}", value)
        for name, line, value in measured
        if value > limit
    ]


def documentable(source: Source) -> list[tuple[str, ast.Module | ast.ClassDef | FunctionNode]]:
    """What should have a docstring: the module if there is anything in it, and its public classes and functions."""
    public = [
        (name, node)
        for name, node in _definitions(source.tree, inside_functions=False)
        if not any(part.startswith("_") for part in name.split(".")) and not _says_elsewhere(node)
    ]
    return [(source.path, source.tree), *public] if source.tree.body else []


def _says_elsewhere(node: FunctionNode | ast.ClassDef) -> bool:
    """True for overloads, overrides and setters: their docstring is that of another definition."""
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return not names.isdisjoint({"overload", "override", "setter", "deleter"})


def without_docstring(source: Source) -> list[Finding]:
    found: list[Finding] = []
    for name, node in documentable(source):
        if ast.get_docstring(node, clean=False) is None:
            what = "the module" if isinstance(node, ast.Module) else f"`{name}`"
            weight = 3 if isinstance(node, ast.Module) else 2 if isinstance(node, ast.ClassDef) else 1
            found.append(Finding(source.path, getattr(node, "lineno", 1), f"{what} has no docstring", weight))
    return found


def calls(source: Source) -> list[ast.Call]:
    return [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]


def risky_calls(source: Source) -> list[Finding]:
    """Calls that are dangerous with data from elsewhere, whatever names they were imported under."""
    imported = _imported(source.tree)
    reasons = [(call, name, _risk(call, name, imported)) for call in calls(source) if (name := _dotted(call, imported))]
    return [Finding(source.path, call.lineno, f"`{name}` {why}") for call, name, why in reasons if why is not None]


def _imported(tree: ast.Module) -> dict[str, str]:
    """What the names that the file imports stand for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names}
    return names


def _dotted(call: ast.Call, imported: dict[str, str]) -> str:
    """The full name of what is called, such as ``subprocess.run``; empty when it has none."""
    return _name_of(call.func, imported)


def _name_of(node: ast.expr, imported: dict[str, str]) -> str:
    match node:
        case ast.Name(id=name):
            return imported.get(name, name)
        case ast.Attribute(value=value, attr=attribute) if above := _name_of(value, imported):
            return f"{above}.{attribute}"
        case _:
            return ""


def _risk(call: ast.Call, name: str, imported: dict[str, str]) -> str | None:
    arguments = {keyword.arg: keyword.value for keyword in call.keywords}
    if name.startswith("subprocess.") and not _is_false(arguments.get("shell")):
        return "runs a shell"
    if name.split(".")[0] in ("requests", "httpx") and "verify" in arguments and _is_false(arguments["verify"]):
        return "trusts every certificate"
    if name in ("yaml.load", "yaml.load_all"):
        loader = arguments.get("Loader") or (call.args[1] if len(call.args) > 1 else None)
        is_safe = loader is not None and _name_of(loader, imported) in SAFE_YAML_LOADERS
        return None if is_safe else "has no loader that is known to build plain values only"
    return RISKY.get(name)


def _is_false(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and not value.value)


def marks(source: Source) -> list[Finding]:
    """Comments that say that something is left to do."""
    found: list[Finding] = []
    try:
        for token in tokenize.tokenize(io.BytesIO(source.text).readline):
            if token.type == tokenize.COMMENT and (mark := MARKS.search(token.string)):
                comment = token.string[mark.start() :].strip()
                found.append(Finding(source.path, token.start[0], comment[:120], 2 if mark[1] == "FIXME" else 1))
    except (tokenize.TokenError, SyntaxError):
        pass  # the parser took the file: what was found up to here counts
    return found
