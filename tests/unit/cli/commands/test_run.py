import json
import signal
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import pytest

from tests.unit.cli import pipeline_files
from tests.unit.cli.commands.test_executions import CONTROL_CODES
from tests.unit.cli.conftest import Command, command_on
from tests.unit.cli.pipeline_files import nightly, step, write
from tests.unit.cli.programs import finished, lines_until, on_terminal, piped


def newest(command: Command) -> dict[str, Any]:
    return json.loads(command("executions", "show", "--json").stdout)


def is_running(step_id: str) -> Any:
    """True for the JSON line that says so."""

    def says_so(line: str) -> bool:
        data = json.loads(line)["data"]
        return data.get("step_id") == step_id and data["status"] == "running"

    return says_so


def test_a_file_runs_to_its_end_and_its_output_is_shown(command: Command, tmp_path: Path) -> None:
    result = command("run", nightly(tmp_path), "--input", '{"day": 24}')
    assert result.exit_code == 0
    record = newest(command)
    assert (record["status"], record["trigger"]) == ("completed", "cli")
    assert (record["input_data"], record["output_data"]) == ({"day": 24}, {"score": 7})
    assert f"Nightly, version 1: execution {record['execution_id']}" == result.stdout.splitlines()[0]
    assert '"score": 7' in result.stdout
    assert f"ia-modules executions show {record['execution_id']}" in result.stdout
    assert "a step prints" in result.stderr
    assert "a step prints" not in result.stdout


def test_a_registered_pipeline_runs_by_its_slug_with_the_code_of_its_folder(command: Command, tmp_path: Path) -> None:
    assert command("pipelines", "import", nightly(tmp_path)).exit_code == 0
    assert command("run", "nightly").exit_code == 0
    assert newest(command)["status"] == "completed"


@pytest.mark.parametrize("way", ["text", "file", "stdin"])
def test_the_input_comes_as_text_from_a_file_or_from_stdin(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = command_on(f"sqlite:///{tmp_path / 'ia.db'}", monkeypatch)
    (tmp_path / "input.json").write_text('{"count": 41}')
    input_text = {"text": '{"count": 41}', "file": f"@{tmp_path / 'input.json'}", "stdin": "-"}[way]
    file = write(tmp_path, step("increase", "Count"))
    result = command("run", file, "--input", input_text, stdin='{"count": 41}' if way == "stdin" else None)
    assert result.exit_code == 0
    assert newest(command)["output_data"]["count"] == 42


def test_json_is_one_line_for_each_change_and_the_result_last(database_url: str, tmp_path: Path) -> None:
    status, out, err = finished(database_url, "run", nightly(tmp_path), "--json")
    assert status == 0
    assert err == "a step prints\n"
    assert CONTROL_CODES & set(out) == set()
    messages = [json.loads(line) for line in out.splitlines()]
    assert {message["type"] for message in messages} == {"step_update", "log", "execution_update", "result"}
    assert [message["sequence"] for message in messages] == sorted(message["sequence"] for message in messages)
    ended = {message["data"]["step_id"] for message in messages if message["data"].get("output_bytes")}
    assert ended == {"fetch", "score", "count", "store"}
    assert messages[-1]["type"] == "result"
    assert messages[-1]["data"]["output_data"] == {"score": 7}


def test_in_a_pipe_there_are_lines_without_control_codes(database_url: str, tmp_path: Path) -> None:
    status, out, err = finished(database_url, "run", nightly(tmp_path))
    assert status == 0
    assert CONTROL_CODES & set(out + err) == set()
    assert any(
        line.split()[1:4] == ["score", "failed", "1"] or "again after 10 ms" in line for line in out.splitlines()
    )
    assert any(line.split()[1:3] == ["fetch", "info"] and '{"day":null}' in line for line in out.splitlines())


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
    assert newest(command)["status"] == "waiting_for_human"
    report = command("executions", "show").stdout
    assert "May it be published?" in report
    assert "human_input_required" not in report


def test_detach_only_queues_it(command: Command, tmp_path: Path) -> None:
    result = command("run", nightly(tmp_path), "--detach", "--input", '{"day": 1}')
    assert result.exit_code == 0
    record = newest(command)
    assert (record["status"], record["managed"], record["steps"]) == ("pending", True, [])
    assert f"ia-modules executions watch {record['execution_id']}" in result.stdout
    queued = json.loads(command("run", "nightly", "--detach", "--json").stdout)
    assert queued["status"] == "pending"


def test_another_definition_under_the_same_slug_is_refused_unless_it_is_said(command: Command, tmp_path: Path) -> None:
    assert command("run", nightly(tmp_path)).exit_code == 0
    changed = nightly(tmp_path, outputs={})
    refused = command("run", changed)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--new-version" in refused.stderr
    assert command("run", changed, "--new-version").exit_code == 0
    assert newest(command)["pipeline_version"] == 2


def test_what_changes_nothing_is_a_warning_when_a_file_runs(command: Command, tmp_path: Path) -> None:
    result = command("run", nightly(tmp_path, retires=3))
    assert result.exit_code == 0
    assert "Warning: " in result.stderr
    assert "'retires'" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_it_on_record(database_url: str, command: Command, tmp_path: Path, number: int) -> None:
    file = write(tmp_path, step("count", "Count"), step("wait", "Forever"), paths=[("count", "wait")])
    with piped(database_url, "run", file, "--json") as process:
        lines_until(process, is_running("wait"))
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(out.splitlines()[-1])["data"]["status"] == "cancelled"
    assert err.startswith("Stopping: ")
    record = newest(command)
    assert record["status"] == "cancelled"
    assert [each["status"] for each in record["steps"]] == ["completed", "cancelled"]


def test_a_step_that_does_not_stop_does_not_keep_the_command_from_ending(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    with piped(database_url, "run", write(tmp_path, step("stubborn", "Stubborn")), "--json") as process:
        lines_until(process, is_running("stubborn"))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 1
    assert newest(command)["status"] == "cancelled"


def test_who_stops_reading_does_not_stop_the_execution(database_url: str, command: Command, tmp_path: Path) -> None:
    release = tmp_path / "release"
    file = write(tmp_path, step("wait", "UntilReleased", config={"file": str(release)}), step("count", "Count"))
    with piped(database_url, "run", file, "--json") as process:
        lines_until(process, is_running("wait"))
        assert process.stdout is not None
        process.stdout.close()
        release.touch()
        assert process.wait(60) == 0
    assert newest(command)["status"] == "completed"


def test_on_a_terminal_the_steps_are_drawn_while_they_run(database_url: str, tmp_path: Path) -> None:
    release = tmp_path / "release"
    file = write(
        tmp_path,
        step("fetch", "Fetch", name="Fetch the pages"),
        step("wait", "UntilReleased", config={"file": str(release)}),
        step("never", "Count"),
        paths=[("fetch", "wait"), ("fetch", "never", pipeline_files.compare("result.rows", "==", 0))],
    )
    with on_terminal(database_url, "run", file) as terminal:
        terminal.until("halfway")
        drawn = terminal.text
        release.touch()
        status = terminal.to_end()
    assert status == 0
    for seen in (
        "Nightly",
        "Fetch the pages",
        "completed",
        "running",
        "skipped",
        "━",
        "50%",
        "halfway",
        "a step prints",
    ):
        assert seen in drawn
    last = terminal.text.rpartition("Nightly")[2]
    assert "completed" in last
    assert "Completed in" in last
    assert terminal.text.count("\x1b[?25l") == terminal.text.count("\x1b[?25h") == 1


def test_ctrl_c_on_a_terminal_cancels_it_on_record(database_url: str, command: Command, tmp_path: Path) -> None:
    file = write(tmp_path, step("wait", "Forever"), step("count", "Count"), paths=[("wait", "count")])
    with on_terminal(database_url, "run", file) as terminal:
        terminal.until("a quarter")
        terminal.process.send_signal(signal.SIGINT)
        status = terminal.to_end()
    assert status == 1
    assert "Stopping: " in terminal.text
    assert "cancelled" in terminal.text
    assert "not run" in terminal.text
    assert "executions resume" in terminal.text
    assert "^C" not in terminal.text
    assert newest(command)["status"] == "cancelled"


def test_ctrl_c_a_second_time_ends_the_process_at_once(database_url: str, tmp_path: Path) -> None:
    file = write(tmp_path, step("stubborn", "Stubborn"))
    with on_terminal(database_url, "run", file) as terminal:
        terminal.until("running")
        terminal.process.send_signal(signal.SIGINT)
        terminal.until("Stopping: ")
        while terminal.process.poll() is None:
            terminal.process.send_signal(signal.SIGINT)
            with suppress(TimeoutExpired):
                terminal.process.wait(0.1)
        assert terminal.to_end() == 1
    assert terminal.text.rstrip().endswith("\x1b[?25h") or "Cancelled after" in terminal.text
