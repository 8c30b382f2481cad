"""No test asserts how long something took: on a busy machine that proves nothing but that it is busy.

A duration is what a clock that runs was read for, or what two times lie apart. Bounds by times that were read before
and after are no durations: they hold however slow the machine is.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.check.sources import ROOT, place, python_files, tree_of

CLOCKS = {"monotonic", "perf_counter", "monotonic_ns", "perf_counter_ns", "process_time", "total_seconds"}
ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def is_measured(node: ast.AST, measured: set[str]) -> bool:
    """Whether a duration is part of an expression; ``measured`` are the names that hold or return one."""
    for each in ast.walk(node):
        match each:
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS:
                return True
            case ast.Call(func=ast.Attribute(value=ast.Name(id="time" | "loop"), attr="time")):
                return True
            case ast.Attribute(attr="duration_seconds"):
                return True
            case ast.Name(id=name) if name in measured:
                return True
            case _:
                pass
    return False


def measured_names(tree: ast.Module) -> set[str]:
    """Variables and functions that hold or return what was read from a clock that runs."""
    names: set[str] = set()
    while True:
        before = len(names)
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_measured(value, names):
                    names.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
                    if any(is_measured(value, names) for value in returned):
                        names.add(name)
                case _:
                    pass
        if len(names) == before:
            return names


def speaks_of_time(path: Path) -> bool:
    """Whether a file has one of the words by which a duration is found; most have none and need no tree."""
    text = path.read_text(encoding="utf-8")
    return any(word in text for word in (*CLOCKS, ".time", "duration_seconds", "timedelta"))


def durations_asserted(tree: ast.Module) -> Iterator[ast.Assert]:
    measured = measured_names(tree)
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.Assert):
            continue
        for each in ast.walk(statement.test):
            if not isinstance(each, ast.Compare) or not any(isinstance(one, ORDERED) for one in each.ops):
                continue
            sides = [each.left, *each.comparators]
            if is_measured(each, measured) or any(map(_is_timedelta, sides)):
                yield statement


def _is_timedelta(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "timedelta"


def test_no_test_asserts_a_duration() -> None:
    files = [path for path in python_files(ROOT / "tests") if speaks_of_time(path)]
    found = [place(path, one) for path in files for one in durations_asserted(tree_of(path))]
    assert found == []


@pytest.mark.parametrize(
    "written",
    [
        "began = time.monotonic()\nassert time.monotonic() - began < 1",
        "def waited():\n    began = loop.time()\n    return loop.time() - began\nassert 0 < waited() < 2",
        "assert (step.completed_at - line.logged_at).total_seconds() > 0.04",
        "assert timedelta(seconds=1) < later - now",
        "assert execution.duration_seconds >= 0.5",
    ],
)
def test_a_duration_is_found_however_it_was_measured(written: str) -> None:
    assert len(list(durations_asserted(ast.parse(written)))) == 1


def test_bounds_by_times_read_before_and_after_are_no_durations() -> None:
    written = "assert before <= now + timedelta(seconds=60) <= after\nassert step.duration_seconds is not None"
    assert list(durations_asserted(ast.parse(written))) == []
