"""How long a program takes to start: the library's import and the command line, against a bare interpreter."""

import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial

from benchmarks.figures import Figure, ratio
from benchmarks.race import Bench, alternate

BARE = "python -c pass"
COMMANDS = {
    BARE: (sys.executable, "-c", "pass"),
    "import ia_modules": (sys.executable, "-c", "import ia_modules"),
    "from ia_modules import Flow, Runner": (sys.executable, "-c", "from ia_modules import Flow, Runner"),
    "ia-modules --version": (sys.executable, "-m", "ia_modules.cli", "--version"),
    "ia-modules --help": (sys.executable, "-m", "ia_modules.cli", "--help"),
}
STARTS = 5
"""In each round, beside each other in time."""


def measure_start(bench: Bench) -> list[Figure]:
    measures = {name: partial(milliseconds_of, command) for name, command in COMMANDS.items()}
    alternate(measures, 1)  # compiled and in the cache of the disk
    found = alternate(measures, bench.rounds * bench.size(STARTS, quick=1))
    figures = {name: Figure("", name, "ms", tuple(taken)) for name, taken in found.items()}
    others = [figure for name, figure in figures.items() if name != BARE]
    return [*figures.values(), *(ratio(each, figures[BARE], "of a bare start", better="less") for each in others)]


def milliseconds_of(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - began) * 1000
