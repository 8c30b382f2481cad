"""``docs/performance.md``, written from what was measured."""

from collections.abc import Mapping
from typing import Any

from benchmarks.against_peers import PEERS
from benchmarks.figures import ROOT, Measured, as_table
from benchmarks.sections import SECTIONS

PAGE = ROOT / "docs" / "performance.md"

HEAD = """# Performance

Written by `make bench ARGS=--keep` from `benchmarks/measured.json`; do not edit it. `make bench` measures on your
machine, `make bench ARGS="rates --quick"` shows in seconds that a part works, and `make bench-check` compares with the
kept figures, by ratio, on the same machine.

Every record is durable before it is acknowledged: SQLite in WAL mode with `synchronous=FULL`, PostgreSQL with
`synchronous_commit=on` and `fsync=on`. Programs take turns in rounds, each in a process of its own on a database of
its own; numbers are medians of the rounds, and a ratio is the median of the ratios within each round. Absolute numbers
belong to the machine and to what else it did; ratios and counts say more.
"""


def page(sections: Mapping[str, Measured], machine: Mapping[str, Any]) -> str:
    """The whole page; sections that were not measured are left out."""
    parts = [
        HEAD,
        "\n".join(["| machine | |", "|---|---|", *(f"| {name} | {value} |" for name, value in machine.items())]),
    ]
    for name, section in SECTIONS.items():
        if (measured := sections.get(name)) is not None:
            parts += [f"\n## {section.title}\n", section.text, "", as_table(measured.figures)]
            parts += [f"\nNot measured: {line}" for line in measured.missing]
            parts += [keeps()] if name == "peers" else []
            parts.append(f"\n{made(measured.made)}")
    return "\n".join(parts) + "\n"


def keeps() -> str:
    """What each peer writes."""
    lines = [f"| {peer.version.replace('==', ' ')} | {peer.keeps} |" for peer in PEERS]
    return "\n".join(["", "| what it keeps of this work | |", "|---|---|", *lines])


def made(made: Mapping[str, Any]) -> str:
    """One line on how a section came about."""
    return (
        f"*{made['at']}, commit {made['commit']}; {made['rounds']} rounds of {made['seconds']:g} s;"
        f" load of the machine {made['load_before']:.1f} before and {made['load_after']:.1f} after.*"
    )
