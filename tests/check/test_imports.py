"""No module needs itself: not through another, not late, not for its types alone.

What a module imports counts wherever it stands, under ``TYPE_CHECKING`` and inside functions too. Importing ``a.b.c``
runs ``a`` and ``a.b`` first, so it needs these as well, save those that the module itself lies in: they are being
imported already. So a package's ``__init__`` may offer what its modules hold, and none of these may ask it back.
"""

import ast
from collections.abc import Iterator, Mapping

from tests.check.sources import BACKEND, LIBRARY, ROOT, python_files, tree_of

Graph = Mapping[str, set[str]]


def module_trees() -> dict[str, ast.Module]:
    """Every module of library and backend by its dotted name."""
    trees: dict[str, ast.Module] = {}
    for path in python_files(LIBRARY, BACKEND):
        parts = path.relative_to(ROOT).with_suffix("").parts
        trees[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = tree_of(path)
    return trees


def names_imported(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """(module, name from it) of each import; None: the module itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def needs(module: str, tree: ast.Module, modules: set[str]) -> set[str]:
    """The modules of ours that one imports or runs by doing so."""
    needed: set[str] = set()
    for source, name in names_imported(tree):
        target = f"{source}.{name}" if f"{source}.{name}" in modules else source
        packages = {target.rsplit(".", count)[0] for count in range(1, target.count(".") + 1)}
        needed |= {target} | {package for package in packages if not f"{module}.".startswith(f"{package}.")}
    return needed & modules - {module}


def cycle_in(graph: Graph) -> list[str]:
    """Modules of which each needs the next and the last the first; empty when there is no such thing."""
    done: set[str] = set()
    for start in graph:
        trail, waiting = [start], [sorted(graph[start])]
        while waiting and start not in done:
            if not waiting[-1]:
                done.add(trail.pop())
                waiting.pop()
                continue
            following = waiting[-1].pop()
            if following in trail:
                return trail[trail.index(following) :]
            if following not in done:
                trail.append(following)
                waiting.append(sorted(graph[following]))
    return []


def test_no_module_needs_itself() -> None:
    trees = module_trees()
    assert cycle_in({module: needs(module, tree, set(trees)) for module, tree in trees.items()}) == []


def graph_of(**modules: str) -> Graph:
    trees = {name.replace("__", "."): ast.parse(text) for name, text in modules.items()}
    return {name: needs(name, tree, set(trees)) for name, tree in trees.items()}


def test_a_cycle_is_found_wherever_its_imports_stand() -> None:
    late = "def f():\n    import {0}"
    for_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {0} import A"
    for written in (late, for_types, "import {0}"):
        assert set(cycle_in(graph_of(a="import b", b="import c", c=written.format("a"), d="import a"))) == {
            "a",
            "b",
            "c",
        }
    assert cycle_in(graph_of(a="import b\nimport c", b="import c", c="")) == []


def test_a_package_may_offer_what_its_modules_hold_and_they_may_not_ask_it_back() -> None:
    front_door = {"p": "def __getattr__(name):\n    from p.one import One", "p__two": ""}
    assert cycle_in(graph_of(**front_door, p__one="import p.two")) == []
    assert set(cycle_in(graph_of(**front_door, p__one="from p import VERSION"))) == {"p", "p.one"}


def test_what_another_package_runs_when_it_is_imported_counts() -> None:
    packages = {"p": "", "p__one": "import q.three", "q": "import q.two", "q__two": "import p.one", "q__three": ""}
    assert set(cycle_in(graph_of(**packages))) == {"p.one", "q", "q.two"}
