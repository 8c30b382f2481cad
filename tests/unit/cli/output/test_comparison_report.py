"""A comparison on a terminal: the divergence first, the runs in a table, then what differs by its path."""

import pytest

from ia_modules.cli.output.comparison_report import print_comparison
from ia_modules.models import ExecutionStatus, RunPath, StepStatus
from ia_modules.pipeline.comparing.alignment import ComparedExecution
from ia_modules.pipeline.comparing.comparison import compare
from tests.unit.pipeline.comparing.sides import NOW, Made, side


def printed(
    a: ComparedExecution, b: ComparedExecution, capsys: pytest.CaptureFixture[str], *, everything: bool = False
) -> list[str]:
    print_comparison(compare(a, b, now=NOW), everything=everything)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_differences_are_told_by_path_errors_and_paths_too(capsys: pytest.CaptureFixture[str]) -> None:
    error = {"error_type": "ValueError", "error_message": "bad\x1b[2J"}
    one = side(
        Made("ask", {"n": 2**53 + 1}, input={}, takes=["left"]),
        Made("part", {}, input={}, within="ask#1", iteration=2),
        Made("fail", attempt=2, input={}, status=StepStatus.FAILED, takes=None, columns=error),
        status=ExecutionStatus.FAILED,
    )
    other = side(
        Made("ask", {"n": 2**53}, input={}, takes=["right"]),
        Made("part", {}, input={}, within="ask#1", iteration=2),
        Made("fail", {"a": 1}, input={}),
    )
    lines = printed(one, other, capsys)
    assert "First divergence: ask got the same input in both, and gave another output." in lines
    table = lines.index("STEP A B INPUT OUTPUT PATHS TOOK A TOOK B")
    assert lines[table + 1 : table + 4] == [
        "ask#1/part #2 completed completed same same same - -",
        "> ask completed completed same differs differs - -",
        "fail failed completed same differs - - -",
    ]
    start = lines.index("ask: output")
    assert lines[start + 1 : start + 4] == ["$.n", "A 9007199254740993", "B 9007199254740992"]
    start = lines.index("ask: paths")
    assert lines[start + 1 : start + 4] == ["taken", "A left", "B right"]
    start = lines.index("fail: error")
    assert lines[start + 2 : start + 4] == ["A ValueError: bad\ufffd[2J", "B not there"]


def test_many_runs_that_are_the_same_are_left_out_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    one = side(*(Made(f"s{number}", {}, input={}) for number in range(50)))
    other = side(*(Made(f"s{number}", {"x": 1} if number == 7 else {}, input={}) for number in range(50)))
    lines = printed(one, other, capsys)
    assert sum(line.startswith(("s", "> s")) for line in lines) == 2  # in the table, and over its difference
    assert "Those that are the same are left out; --all shows 50." in lines
    lines = printed(one, other, capsys, everything=True)
    assert sum(line.startswith(("s", "> s")) for line in lines) == 51


def test_what_is_not_ended_or_not_looked_into_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    running = side(Made("a", {"n": [*range(90)]}, input={}), status=ExecutionStatus.RUNNING)
    other = side(Made("a", {"n": [*range(90, 180)]}, input={}))
    lines = printed(running, other, capsys)
    assert any(line.startswith(("As of 2026-", "As of 2025-")) for line in lines)
    assert "A is running: it is compared as far as it has come." in lines
    assert "… and at 40 more places" in lines
    lines = printed(side(status=ExecutionStatus.PENDING), side(status=ExecutionStatus.PENDING), capsys)
    assert "No divergence, as far as both have come." in lines


def test_a_run_that_was_copied_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    again = side(Made("ask", {"n": 1}, input={}, columns={"copied_from": "0199"}))
    lines = printed(again, side(Made("ask", {"n": 1}, input={})), capsys)
    assert "ask completed (copied) completed same same same - -" in lines


def test_runs_of_a_level_have_their_address(capsys: pytest.CaptureFixture[str]) -> None:
    within = RunPath("work#3")
    lines = printed(
        side(Made("item", 1, input={}, within=within)), side(Made("item", 2, input={}, within=within)), capsys
    )
    assert "work#3/item: output" in lines
