"""Races of ourselves against the limit: the plain work, pipelines of other shapes, payloads of other sizes."""

from dataclasses import replace

from benchmarks.figures import Figure
from benchmarks.race import Bench, Program, contestant, race
from benchmarks.work import STEPS

LIMIT = Program("limit, 6 commits", contestant("limit:6"), {})
LIMIT_12 = Program("limit, 12 commits", contestant("limit:12"), {LIMIT.name: "of the limit"})
TRACKER = Program(
    "tracker, 12 awaits", contestant("tracker"), {LIMIT.name: "of the limit", LIMIT_12.name: "of that with 12"}
)
RUNNER = Program("runner", contestant("runner"), {LIMIT.name: "of the limit"})
LOGS = Program(
    "runner, ten lines a step", contestant("logs"), {LIMIT.name: "of the limit", RUNNER.name: "of the runner"}
)


def measure_rates(bench: Bench) -> list[Figure]:
    return race(bench, [LIMIT, LIMIT_12, TRACKER, RUNNER, LOGS])


def measure_shapes(bench: Bench) -> list[Figure]:
    """Steps per second in one execution, against the limit with one execution after the other."""
    steps, iterations = bench.size(1_000, quick=20), bench.size(200, quick=10)
    against = {LIMIT.name: "of the limit"}
    programs = [
        replace(LIMIT, units=STEPS, unit="steps/s"),
        Program(f"chain of {steps:,}", contestant(f"chain:{steps}"), against, steps, "steps/s"),
        Program(f"fan-out of {steps:,}", contestant(f"fan-out:{steps}"), against, steps + 2, "steps/s"),
        Program(f"loop of {iterations:,}", contestant(f"loop:{iterations}"), against, iterations + 1, "steps/s"),
    ]
    return race(bench, programs, at_once=(1,))


def measure_payloads(bench: Bench) -> list[Figure]:
    """Inputs and results of 1 KB and 100 KB against 500 B, and once of 10 MB."""
    base = Program("500 B", contestant("runner"), {})
    sizes = {"1 KB": 1_000, "100 KB": 100_000}
    others = [Program(name, contestant(f"payload:{size}"), {base.name: "of 500 B"}) for name, size in sizes.items()]
    megabytes = bench.size(10, quick=1)
    huge = Program(f"{megabytes} MB, once", contestant(f"payload:{megabytes}000000"), {})
    once = replace(bench, rounds=1, seconds=0.0)
    return race(bench, [base, *others]) + race(once, [huge], at_once=(1,))
