"""What was measured: figures, their ratios within one round, the file that keeps them, and one way to print them."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "benchmarks" / "measured.json"
LOSS = 0.15
"""How much worse than the kept one a figure may be."""

Better = Literal["more", "less"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, as it was in each round.

    Attributes:
        database: ``SQLite`` or ``PostgreSQL``; empty where there is none.
        case: what was measured: ``runner, 50 at a time``.
        unit: in what: ``executions/s``, ``of the limit``, ``CPU ms``.
        rounds: the number in each round, in their order.
        better: whether more or less of it is better, for ratios and counts, which can be compared with those of an
            earlier run on this machine; None for what depends on how busy it is.
    """

    database: str
    case: str
    unit: str
    rounds: tuple[float, ...]
    better: Better | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.database, self.case, self.unit


def ratio(figure: Figure, base: Figure, unit: str, *, better: Better = "more") -> Figure:
    """A figure as a part of another, round by round; ``unit`` names the other: ``of the limit``."""
    rounds = tuple(mine / other for mine, other in zip(figure.rounds, base.rounds, strict=True))
    return replace(figure, unit=unit, rounds=rounds, better=better)


@dataclass(frozen=True, slots=True)
class Measured:
    """A section's figures and how they came about.

    Attributes:
        made: commit, time, load of the machine before and after, rounds, seconds for each.
        missing: what could not be measured, and why, each in a line.
    """

    figures: tuple[Figure, ...]
    made: Mapping[str, Any]
    missing: tuple[str, ...] = ()


def to_json(sections: Mapping[str, Measured], machine: Mapping[str, Any]) -> str:
    content = {"machine": machine, "sections": {name: asdict(measured) for name, measured in sections.items()}}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> tuple[dict[str, Measured], dict[str, Any]]:
    """Sections by name, and the machine."""
    content = json.loads(text)
    sections = {
        name: Measured(
            figures=tuple(_figure(**each) for each in written["figures"]),
            made=written["made"],
            missing=tuple(written["missing"]),
        )
        for name, written in content["sections"].items()
    }
    return sections, content["machine"]


def _figure(rounds: list[float], **names: Any) -> Figure:
    return Figure(rounds=tuple(rounds), **names)


def compare(
    now: Iterable[Figure], before: Iterable[Figure], *, loss: float = LOSS
) -> list[tuple[Figure, Figure, bool]]:
    """Each figure that both have and that can be compared: now, before, and whether more than ``loss`` is lost."""
    known = {figure.key: figure for figure in before}
    pairs = [(figure, known[figure.key]) for figure in now if figure.better is not None and figure.key in known]
    return [(figure, old, _lost(figure, old) > loss) for figure, old in pairs]


def _lost(now: Figure, before: Figure) -> float:
    """Which part of a figure is lost; below zero, it is better."""
    good, bad = (now.median, before.median) if now.better == "more" else (before.median, now.median)
    return 1 - good / bad if bad else 0.0


def as_table(figures: Iterable[Figure]) -> str:
    """A Markdown table for each database: a line for a case, a column for a unit."""
    parts: list[str] = []
    for database, group in groupby(sorted(figures, key=lambda each: each.database, reverse=True), _database):
        mine = list(group)
        units, cases = _in_order(each.unit for each in mine), _in_order(each.case for each in mine)
        cells = {(each.case, each.unit): shown(each.median) for each in mine}
        head = [f"| {database} | {' | '.join(units)} |", f"|---|{'---:|' * len(units)}"]
        lines = [f"| {case} | {' | '.join(cells.get((case, unit), '') for unit in units)} |" for case in cases]
        parts.append("\n".join([*head, *lines]))
    return "\n\n".join(parts)


def shown(number: float) -> str:
    """Three digits that say something."""
    for below, form in ((10, ".2f"), (100, ".1f")):
        if abs(number) < below:
            return format(number, form)
    return format(number, ",.0f")


def _database(figure: Figure) -> str:
    return figure.database


def _in_order(names: Iterable[str]) -> Sequence[str]:
    return list(dict.fromkeys(names))
