import json
from pathlib import Path

from tests.unit.cli.conftest import Command, newest
from tests.unit.cli.pipeline_files import nightly, step, write


def test_a_step_that_fails_ends_with_1_and_says_how_to_go_on(command: Command, tmp_path: Path) -> None:
    result = command("run", write(tmp_path, step("score", "Score", config={"good_attempt": 9})))
    assert result.exit_code == 1
    assert "Error: Step 'score' failed: ValueError: attempt 1 is bad" in result.stderr
    execution_id = newest(command)["execution_id"]
    assert f"ia-modules executions show {execution_id}" in result.stderr
    assert f"ia-modules executions resume {execution_id}" in result.stderr


def test_hints_name_the_database_that_was_given_and_no_password(tmp_path: Path, command: Command) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    result = command("run", nightly(tmp_path), "--db", url)
    assert f" --db {url}\n" in result.stdout


def test_a_question_to_a_person_ends_the_run_with_3(command: Command, tmp_path: Path) -> None:
    ask = {"id": "ask", "type": "human_input", "prompt": "May it be published?"}
    result = command("run", write(tmp_path, step("count", "Count"), ask, paths=[("count", "ask")]))
    assert result.exit_code == 3
    assert "May it be published?" in result.stdout
    assert "Answer it:              ia-modules interactions respond 01" in result.stdout
    assert newest(command)["status"] == "waiting_for_human"
    report = command("executions", "show").stdout
    assert "May it be published?" in report
    assert "human_input_required" not in report


def test_the_json_result_of_a_run_that_waits_has_the_question_in_its_output(command: Command, tmp_path: Path) -> None:
    ask = {"id": "ask", "type": "human_input", "prompt": "May it be published?"}
    lines = command("run", write(tmp_path, ask), "--json").stdout.splitlines()
    assert json.loads(lines[-1])["data"]["output_data"]["prompt"] == "May it be published?"


def test_of_very_many_questions_the_first_are_shown_and_how_many_there_are(command: Command, tmp_path: Path) -> None:
    ask = {"id": "ask", "type": "human_input", "prompt": "Is {{ item }} right?", "map": {"over": list(range(7))}}
    shown = command("run", write(tmp_path, ask)).stdout
    assert [n for n in range(7) if f"Is {n} right?" in shown] == [0, 1, 2, 3, 4]
    assert "\n  and 2 more\n" in shown
    report = command("executions", "show").stdout
    assert report.count("ia-modules interactions respond") == 5
    assert f"ia-modules interactions list --execution {newest(command)['execution_id']}" in report
    assert "(7 questions in all)" in report
    listed = command("interactions", "list", "--execution", newest(command)["execution_id"][:18])
    assert listed.stdout.count("right?") == 7
