"""What each page costs a browser that has nothing of it yet: ``python scripts/page_sizes.py [FOLDER]``.

Computed from the manifest of the build: everything that the page and what it imports is made of, as the server sends it
by brotli, with the font and, where a graph is drawn, the worker that lays it out. What is fetched ahead, when a page is
there, does not count. Ends with 1, naming the largest files, when a page is larger than it may be.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUILT = Path(__file__).parents[1] / "showcase_app" / "frontend" / "dist"
KILOBYTE = 1024
SHELL = "index.html"
FONT = "inter-latin-wght-normal-*.woff2"
WORKER = "elk-worker.min-*.js"
SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A page: what it may cost, the modules that it is made of besides the shell, and files that no module imports."""

    most_kilobytes: int
    modules: Sequence[str]
    files: Sequence[str] = (FONT,)


_FEATURES = "src/features"
_GRAPH = f"{_FEATURES}/graph/pipeline-graph.tsx"
BUDGETS: Mapping[str, Budget] = {
    "pipelines": Budget(most_kilobytes=350, modules=[f"{_FEATURES}/pipelines/pipelines-page.tsx"]),
    "executions": Budget(most_kilobytes=350, modules=[f"{_FEATURES}/executions/executions-page.tsx"]),
    "an execution with its graph": Budget(
        most_kilobytes=650, modules=[f"{_FEATURES}/execution/execution-page.tsx", _GRAPH], files=(FONT, WORKER)
    ),
    "the editor of a definition, before its graph": Budget(
        most_kilobytes=500,
        modules=[f"{_FEATURES}/pipelines/pipeline-page.tsx", f"{_FEATURES}/pipelines/definition-tab.tsx"],
    ),
    "the form that runs a pipeline": Budget(
        most_kilobytes=700,
        modules=[f"{_FEATURES}/pipelines/pipeline-page.tsx", f"{_FEATURES}/pipelines/run-form.tsx"],
    ),
}

Manifest = Mapping[str, Mapping[str, Any]]


def sizes_of(budget: Budget, manifest: Manifest, built: Path) -> dict[str, int]:
    """Bytes of each file that a page needs, as they are sent.

    Raises:
        KeyError: the build has no module of this name.
        ValueError: there is not one file of this name.
    """
    names = {SHELL}
    for module in (SHELL, *budget.modules):
        names |= set(_files_of(module, manifest, set()))
    for pattern in budget.files:
        [found] = (built / "assets").glob(pattern)
        names.add(found.relative_to(built).as_posix())
    return {name: _sent_bytes(built / name) for name in names}


def _files_of(module: str, manifest: Manifest, seen: set[str]) -> Iterator[str]:
    if module in seen:
        return
    seen.add(module)
    part = manifest[module]
    yield part["file"]
    yield from part.get("css", ())
    for imported in part.get("imports", ()):
        yield from _files_of(imported, manifest, seen)


def _sent_bytes(file: Path) -> int:
    compressed = file.with_name(f"{file.name}.br")
    return (compressed if compressed.is_file() else file).stat().st_size


def report(built: Path) -> tuple[str, bool]:
    """What every page costs, with the largest files of those that cost too much; and whether none does."""
    manifest: Manifest = json.loads((built / ".vite" / "manifest.json").read_text(encoding="utf-8"))
    lines: list[str] = []
    fits = True
    for page, budget in BUDGETS.items():
        sizes = sizes_of(budget, manifest, built)
        total = sum(sizes.values())
        lines.append(f"{page}: {_kilobytes(total)} of at most {budget.most_kilobytes}")
        if total > budget.most_kilobytes * KILOBYTE:
            fits = False
            largest = sorted(sizes, key=lambda name: -sizes[name])[:SHOWN]
            names = (f"{name} {_kilobytes(sizes[name])}" for name in largest)
            lines.append(f"  too large; the most of it: {', '.join(names)}")
    return "\n".join(lines), fits


def _kilobytes(size: int) -> str:
    return f"{size / KILOBYTE:.0f} KB"


if __name__ == "__main__":
    text, fits = report(Path(sys.argv[1]) if len(sys.argv) > 1 else BUILT)
    print(text)
    sys.exit(0 if fits else 1)
