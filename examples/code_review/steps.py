"""Review a folder of Python source: parse, look at it in four ways at once, score, report.

Only paths, numbers and findings travel between the steps; every step reads the files it looks at by itself.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import checks

import ia_modules
from ia_modules.models import LogLevel
from ia_modules.pipeline.core import Step

TITLES = {
    "complexity": "Complexity",
    "docstrings": "Missing docstrings",
    "risky_calls": "Risky calls",
    "todos": "Left to do",
}


class Parse(Step):
    """Find the Python files of ``config.folder`` and see which can be read at all."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        folder, paths = await asyncio.to_thread(_files, self.config["folder"], self.config["exclude"])
        totals: Counter[str] = Counter()
        files: list[str] = []
        unreadable: list[dict[str, str]] = []
        for done, path in enumerate(paths, start=1):
            try:
                totals.update(await asyncio.to_thread(_count, folder, path))
                files.append(path)
            except checks.Unreadable as error:
                self.context.log(str(error), LogLevel.WARNING)
                unreadable.append({"path": path, "reason": error.reason})
            self.context.progress(done / len(paths), path)
        if not files:
            raise ValueError(f"none of the {len(paths)} files below {folder} can be read")
        self.context.log(f"{len(files)} files parsed", folder=str(folder), lines=totals["lines"])
        return {"folder": str(folder), "files": files, "unreadable": unreadable, **totals}


def _files(named: str, exclude: Sequence[str]) -> tuple[Path, list[str]]:
    """The folder to review, and the Python files in it."""
    folder = Path(named or Path(ia_modules.__file__).parent).resolve()
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder; give the parameter `folder` one with Python files")
    paths = checks.python_files(folder, exclude)
    if not paths:
        raise FileNotFoundError(f"there is no Python file below {folder}")
    return folder, paths


def _count(folder: Path, path: str) -> dict[str, int]:
    source = checks.read_source(folder, path)
    return {"lines": source.lines, "functions": len(checks.functions(source))}


class Check(Step):
    """Look at every file in one way; the classes below say in which.

    Inputs: ``folder`` and ``files``. ``config.most_findings`` bounds how many findings are kept; all are counted.
    """

    def look(self, source: checks.Source) -> tuple[int, Sequence[checks.Finding]]:
        """How many things were looked at in this file, and what was found."""
        raise NotImplementedError

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        folder, files = Path(data["folder"]), data["files"]
        looked_at, findings = 0, list[checks.Finding]()
        for done, path in enumerate(files, start=1):
            count, found = await asyncio.to_thread(self._look_at, folder, path)
            looked_at += count
            findings += found
            self.context.progress(done / len(files), f"{len(findings)} found")
        findings.sort(key=lambda finding: (-finding.weight, finding.path, finding.line, finding.what))
        kept = findings[: self.config["most_findings"]]
        self.context.log(f"{len(findings)} found", looked_at=looked_at, worst=kept[0].what if kept else None)
        return {"looked_at": looked_at, "found": len(findings), "findings": [asdict(finding) for finding in kept]}

    def _look_at(self, folder: Path, path: str) -> tuple[int, Sequence[checks.Finding]]:
        return self.look(checks.read_source(folder, path))


class Complexity(Check):
    """Functions with more ways through them than ``config.max_complexity``."""

    def look(self, source: checks.Source) -> tuple[int, Sequence[checks.Finding]]:
        return len(checks.functions(source)), checks.too_complex(source, self.config["max_complexity"])


class Docstrings(Check):
    """Modules, public classes and public functions that say nothing about themselves."""

    def look(self, source: checks.Source) -> tuple[int, Sequence[checks.Finding]]:
        return len(checks.documentable(source)), checks.without_docstring(source)


class RiskyCalls(Check):
    """Calls such as ``eval`` and ``pickle.loads``."""

    def look(self, source: checks.Source) -> tuple[int, Sequence[checks.Finding]]:
        return len(checks.calls(source)), checks.risky_calls(source)


class Todos(Check):
    """Comments such as ``TODO``."""

    def look(self, source: checks.Source) -> tuple[int, Sequence[checks.Finding]]:
        return source.lines, checks.marks(source)


def score(data: dict[str, Any]) -> dict[str, Any]:
    """Points from 0 to 100 for each way of looking, and all of them weighted: ``{score, parts, weakest}``.

    Complexity and docstrings count by their share, risky calls and todos by how many there are in 1,000 lines.
    A plain function is a step too.
    """
    thousands = max(data["lines"], 1) / 1000
    points = {
        "complexity": 100 * (1 - data["too_complex"] / max(data["functions"], 1)),
        "docstrings": 100 * (1 - data["undocumented"] / max(data["documentable"], 1)),
        "risky_calls": 100 - 50 * data["risky_calls"] / thousands,
        "todos": 100 - 10 * data["todos"] / thousands,
    }
    parts = {name: round(max(0.0, value), 1) for name, value in points.items()}
    weights: Mapping[str, float] = data["weights"]
    total = sum(parts[name] * weight for name, weight in weights.items()) / sum(weights.values())
    weakest = min(parts, key=lambda name: (100 - parts[name]) * -weights[name])
    return {"score": round(total, 1), "parts": parts, "weakest": weakest}


def passed(data: dict[str, Any]) -> dict[str, Any]:
    """The verdict on good code."""
    return {"verdict": "pass", "because": f"{data['score']} points, {data['pass_score']} are enough", "look_first": []}


class NeedsAttention(Step):
    """The verdict on code that is not good enough, and where to begin: ``config.look_first`` findings."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        weakest = data["weakest"]
        first = data["findings"][weakest][: self.config["look_first"]]
        because = f"{data['score']} points, {data['pass_score']} are asked for; most is lost on {weakest}"
        self.context.log(because, LogLevel.WARNING)
        return {"verdict": "needs attention", "because": because, "look_first": first}


class Report(Step):
    """Write the report as Markdown, to ``config.report`` when that names a file."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        markdown = report(data, most=self.config["per_section"])
        if not self.config["report"]:
            return {"path": None, "markdown": markdown}
        path = await asyncio.to_thread(_write, self.config["report"], markdown)
        self.context.log("the report is written", path=str(path), bytes=len(markdown.encode()))
        return {"path": str(path), "markdown": markdown}


def report(data: Mapping[str, Any], *, most: int) -> str:
    """The report; at most ``most`` findings of each kind."""
    parsed, scored, verdict = data["parsed"], data["scored"], data["verdict"]
    summary = f"{len(parsed['files'])} files, {parsed['lines']} lines, {parsed['functions']} functions"
    lines = [
        f"# Code review of {Path(parsed['folder']).name}",
        "",
        f"**{verdict['verdict'].capitalize()}**: {verdict['because']}. Read were {summary} in `{parsed['folder']}`.",
        "",
        "| | Points | Found | Looked at |",
        "|---|---:|---:|---:|",
        *(
            f"| {title} | {scored['parts'][name]} | {data[name]['found']} | {data[name]['looked_at']} |"
            for name, title in TITLES.items()
        ),
        f"| **All** | **{scored['score']}** | | |",
    ]
    lines += _section("Look first", verdict["look_first"], len(verdict["look_first"]), most)
    lines += [
        line
        for name, title in TITLES.items()
        for line in _section(title, data[name]["findings"], data[name]["found"], most)
    ]
    if parsed["unreadable"]:
        lines += ["", "## Not read", ""]
        lines += [f"- `{each['path']}`: {each['reason']}" for each in parsed["unreadable"][:most]]
    return "\n".join(lines) + "\n"


def _section(title: str, findings: Sequence[Mapping[str, Any]], found: int, most: int) -> list[str]:
    if not findings:
        return []
    shown = [f"- `{each['path']}:{each['line']}` {each['what']}" for each in findings[:most]]
    return ["", f"## {title}", "", *shown, *([f"- … and {found - len(shown)} more"] if found > len(shown) else [])]


def _write(named: str, text: str) -> Path:
    """All of it or nothing: a step may run again after its process died in the middle."""
    path = Path(named).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    return path
