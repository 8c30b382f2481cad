"""A race: programs do the same work in alternating rounds, each in a process of its own on a database of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Timer
from typing import IO, TypeVar

from benchmarks.databases import NewDatabase
from benchmarks.figures import ROOT, Figure, ratio
from benchmarks.sampling import Sample

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

WARM_UP = 0.25
"""The part of a round that each program runs before the first one, uncounted."""


@dataclass(frozen=True, slots=True)
class Bench:
    """How to measure.

    Attributes:
        seconds: for each round of each program.
        is_quick: whether this only shows that everything works: small sizes, numbers that say nothing.
        missing: what could not be measured and why; sections add to it.
    """

    new_database: NewDatabase
    databases: Sequence[str]
    rounds: int
    seconds: float
    is_quick: bool
    missing: list[str] = field(default_factory=list[str])

    def size(self, full: int, *, quick: int) -> int:
        return quick if self.is_quick else full


@dataclass(frozen=True, slots=True)
class Program:
    """One in a race.

    Attributes:
        name: in tables.
        command: the program, which answers as :func:`benchmarks.sampling.answer` does; the database's URL is its last
            argument.
        against: other programs by name, whose rate in the same round its own is a part of, and the unit of that.
        units: how many of what is counted (``unit``) are in one execution, such as its steps.
    """

    name: str
    command: Sequence[str]
    against: Mapping[str, str]
    units: int = 1
    unit: str = "executions/s"


class DidNotAnswer(Exception):
    """A program of a race ended, or took far too long."""


def reason(error: Exception) -> str:
    """The last line of what a command said, or the error itself."""
    lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def contestant(name: str) -> tuple[str, ...]:
    """The command of one of ``benchmarks.contestants``."""
    return (sys.executable, "-m", "benchmarks.contestants", name)


def alternate(measures: Mapping[K, Callable[[], V]], rounds: int) -> dict[K, list[V]]:
    """Each measured once a round, forwards and backwards in turn, so that none is always before the same other."""
    found: dict[K, list[V]] = {key: [] for key in measures}
    for number in range(rounds):
        for key in measures if number % 2 == 0 else reversed(list(measures)):
            found[key].append(measures[key]())
    return found


def race(bench: Bench, programs: Sequence[Program], *, at_once: Sequence[int] = (1, 50)) -> list[Figure]:
    """Rates, CPU time and ratios of all programs on each database, so many executions at a time."""
    figures: list[Figure] = []
    for database in bench.databases:
        with ExitStack() as stack:
            running = {
                each.name: stack.enter_context(started(each.command, bench.new_database(database))) for each in programs
            }
            for number in at_once:
                for take in running.values():
                    take(number, bench.seconds * WARM_UP)
            measures = {
                (name, number): partial(take, number, bench.seconds)
                for number in at_once
                for name, take in running.items()
            }
            samples = alternate(measures, bench.rounds)
        for number in at_once:
            mine = {each.name: samples[each.name, number] for each in programs}
            figures += figures_of(database, number if len(at_once) > 1 else None, programs, mine)
    return figures


def figures_of(
    database: str, at_once: int | None, programs: Sequence[Program], samples: Mapping[str, Sequence[Sample]]
) -> list[Figure]:
    """What samples say: units per second, CPU time for an execution, and rates against those of others."""
    figures: list[Figure] = []
    rates: dict[str, Figure] = {}
    for program in programs:
        case = program.name if at_once is None else f"{program.name}, {at_once} at a time"
        mine = samples[program.name]
        per_second = tuple(each.executions * program.units / each.seconds for each in mine)
        rates[program.name] = Figure(database, case, program.unit, per_second)
        cpu = tuple(each.cpu_seconds * 1000 / (each.executions * program.units) for each in mine)
        figures += [rates[program.name], Figure(database, case, "CPU ms each", cpu)]
    ratios = [
        ratio(rates[program.name], rates[base], unit) for program in programs for base, unit in program.against.items()
    ]
    return figures + ratios


@contextmanager
def started(command: Sequence[str], url: str) -> Generator[Callable[[int, float], Sample]]:
    """A program that is ready; what is yielded takes a sample of it, with so many at a time for so many seconds.

    Raises:
        DidNotAnswer: it ended, or did not answer in time; with what it wrote.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors, _process([*command, url], errors) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def answer(within_seconds: float) -> str:
            timer = Timer(within_seconds, process.kill)
            timer.start()
            line = stdout.readline()
            timer.cancel()
            if not line:
                errors.seek(0)
                raise DidNotAnswer(f"{' '.join(command)} did not answer: {errors.read().strip()[-2000:]}")
            return line

        def take(at_once: int, seconds: float) -> Sample:
            stdin.write(json.dumps([at_once, seconds]) + "\n")
            stdin.flush()
            return Sample(*json.loads(answer(seconds * 10 + 120)))

        try:
            answer(120)
            yield take
            stdin.close()
            process.wait(timeout=60)
        finally:
            process.kill()


def _process(command: Sequence[str], errors: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
