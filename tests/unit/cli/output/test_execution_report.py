"""``executions show`` of what the runner recorded."""

from pathlib import Path

from tests.unit.cli.conftest import Command, change, report
from tests.unit.cli.pipeline_files import nightly, step, write


def lines_of_run(lines: list[str], beginning: str) -> list[str]:
    """The lines about one step run."""
    start = next(number for number, line in enumerate(lines) if line.startswith(beginning))
    end = next(number for number in range(start + 1, len(lines)) if not lines[number] or lines[number][0].isdigit())
    return lines[start:end]


def test_it_tells_order_branches_attempts_routes_and_data(command: Command, tmp_path: Path) -> None:
    assert command("run", nightly(tmp_path), "--input", '{"day": 24}').exit_code == 0
    lines = report(command)
    assert lines_of_run(lines, "1 fetch: Fetch the pages completed in")[1:] == [
        'input {"day":24}',
        'output {"rows":3}',
        "then score, because result.rows is 3 > 0",
        "then count",
        "not then apologize, because result.rows is 3 ≠ 0",
    ]
    score = lines_of_run(lines, "2 score completed")
    assert score[1] == 'input {"day":24,"rows":3}'
    assert score[2].startswith("attempt 1 failed in")
    assert score[2].endswith("ValueError: attempt 1 is bad; tried again after 10 ms")
    assert score[3].startswith("attempt 2 completed in")
    assert lines_of_run(lines, "3 count")[1] == 'input {"day":24,"rows":3}'
    store = lines_of_run(lines, "4 store")
    assert store[1:3] == [
        'input {"day":24,"rows":3,"score":7,"count":1}',
        'output {"count":2}',
    ]
    assert "apologize result.rows is 3 ≠ 0, after fetch" in lines[lines.index("Never run") :]
    assert 'output {"score":7}' in lines
    assert any("info Fetch the pages fetching" in line and '{"day":24}' in line for line in lines)
    assert "How to go on" not in lines


def test_rules_by_which_results_become_the_state_are_told(command: Command, tmp_path: Path) -> None:
    assert command("run", nightly(tmp_path, merge={"*": "error", "rows": "sum"}), "--input", "{}").exit_code == 0
    assert "merge rows sum, every other key error" in report(command)


def test_what_failed_is_told_with_the_steps_own_traceback_and_how_to_go_on(command: Command, tmp_path: Path) -> None:
    file = write(
        tmp_path, step("score", "Score", config={"good_attempt": 9}), step("b", "Count"), paths=[("score", "b")]
    )
    assert command("run", file).exit_code == 1
    lines = report(command)
    start = lines.index("Attempt 1 of score failed")
    assert lines[start + 1] == "Traceback (most recent call last):"
    assert "steps.py" in lines[start + 2]
    assert "ValueError: attempt 1 is bad" in lines[start + 3 : start + 6]
    assert "b it had failed before" in lines
    [hint] = [line for line in lines if "executions resume" in line]
    assert hint.endswith("(runs what has not completed)")


def test_a_cancellation_that_came_too_late_is_shown_with_the_end_that_stands(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    command("run", nightly(tmp_path))
    assert not any(line.startswith("cancel") for line in report(command))
    change(database_url, "UPDATE pipeline_executions SET cancel_requested = TRUE")
    assert any(line.startswith("cancel came too late: it had completed at 20") for line in report(command))


def test_a_failure_that_was_made_good_for_is_told_as_such(command: Command, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        step("score", "Score", config={"good_attempt": 9}, error_handling={"continue_on_error": True}),
        step("b", "Count"),
        paths=[("score", "b")],
    )
    assert command("run", file).exit_code == 0
    assert any(line.endswith("ValueError: attempt 1 is bad; the flow went on") for line in report(command))
