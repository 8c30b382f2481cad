from pathlib import Path

import pytest
from msgspec.structs import replace

from ia_modules.cli.output.step_runs import ReportedRun
from ia_modules.models import StepExecutionRecord, StepPlace, StepStatus
from tests.unit.cli.conftest import Command, command_on, report
from tests.unit.cli.pipeline_files import compare, step, write


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    return command_on(f"sqlite:///{tmp_path / 'ia.db'}", monkeypatch)


def test_steps_that_ran_at_the_same_time_say_so(command: Command, tmp_path: Path) -> None:
    release = tmp_path / "release"
    release.touch()
    slow = {"error_handling": {"retry": {"max_attempts": 2, "initial_delay": 0.05, "jitter": False}}}
    file = write(
        tmp_path,
        step("a", "Count"),
        step("b", "Score", config={"good_attempt": 2}, **slow),
        step("c", "Count"),
        paths=[("a", "b"), ("a", "c")],
    )
    assert command("run", file).exit_code == 0
    [c] = [line for line in report(command) if line.startswith("3 c completed")]
    assert c.endswith("at the same time as b")
    [b] = [line for line in report(command) if line.startswith("2 b completed")]
    assert "at the same time" not in b


def test_the_middle_of_a_long_loop_is_left_out_unless_all_is_asked_for(command: Command, tmp_path: Path) -> None:
    file = write(tmp_path, step("loop", "Count"), paths=[("loop", "loop", compare("result.count", "<", 9))])
    assert command("run", file).exit_code == 0
    lines = report(command)
    assert "… 5 more step runs, iterations 3 to 7 of loop, all completed; --all shows them" in lines
    assert [line.split(" completed")[0] for line in lines if line[:1].isdigit() and "loop" in line] == [
        "1 loop",
        "2 loop #2",
        "8 loop #8",
        "9 loop #9",
    ]
    assert any(line.startswith("5 loop #5 completed") for line in report(command, "--all"))


def test_where_an_attempt_ran_stands_beside_how_it_went() -> None:
    here = StepExecutionRecord.from_row(dict.fromkeys(StepExecutionRecord.__struct_fields__) | {"status": "completed"})
    first = replace(here, attempt=1, status=StepStatus.LOST, error_message="Its node is gone.", place=THERE)
    second = replace(
        here, attempt=2, output_bytes=0, place=replace(THERE, resources={"memory": 2e9}, waited_seconds=65)
    )
    was_lost = ("attempt 1", "lost: Its node is gone.")
    on_ray = ("on Ray", "node 1dba27f00b4a…, process 6500 · 1 CPU, 1 GPU · waited 3.2 s")
    moved = ("on Ray", "node 1dba27f00b4a…, process 6500 · 2.0 GB of memory · waited 1 min 05 s")
    assert list(ReportedRun(1, [first, second]).details()) == [was_lost, on_ray, ("attempt 2", "completed"), moved]
    assert list(ReportedRun(1, [second]).details()) == [moved]
    assert list(ReportedRun(1, [replace(second, place=None)]).details()) == []


THERE = StepPlace(
    cluster="session_1",
    node="1dba27f00b4af5b9c8a9e6a40e3c",
    pid=6500,
    resources={"CPU": 1.0, "GPU": 1.0},
    waited_seconds=3.2,
)
