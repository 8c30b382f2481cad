import json
from pathlib import Path

from tests.unit.cli.conftest import Command, newest
from tests.unit.cli.pipeline_files import nightly, step, write


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


def test_the_version_that_runs_is_said_where_another_stays_the_current_one(command: Command, tmp_path: Path) -> None:
    first = nightly(tmp_path)
    assert "stays the current one" not in command("run", first).stderr
    (tmp_path / "other").mkdir()
    second = nightly(tmp_path / "other", outputs={})
    command("pipelines", "import", second, "--new-version")
    for words in ([], ["--detach"]):
        result = command("run", first, *words)
        assert result.exit_code == 0
        assert "This runs version 1 of nightly; version 2 stays the current one.\n" in result.stderr
        assert newest(command)["pipeline_version"] == 1
    assert json.loads(command("pipelines", "list", "--json").stdout)[0]["current_version"] == 2


def test_what_changes_nothing_is_a_warning_when_a_file_runs(command: Command, tmp_path: Path) -> None:
    result = command("run", nightly(tmp_path, retires=3))
    assert result.exit_code == 0
    assert "Warning: " in result.stderr
    assert "'retires'" in result.stderr


def test_detach_takes_priority_a_time_and_a_key_that_queues_one_request_once(command: Command, tmp_path: Path) -> None:
    command("pipelines", "import", nightly(tmp_path))
    options = ("--detach", "--priority", "7", "--at", "2027-01-01T01:00+01:00", "--idempotency-key", "night-1")
    first = command("run", "nightly", *options)
    assert "not before 20" in first.stdout
    record = newest(command)
    assert (record["priority"], record["run_at"]) == (7, "2027-01-01T00:00:00.000000Z")
    again = command("run", "nightly", *options)
    assert again.exit_code == 0
    assert again.stdout.startswith(f"Queued before by the same request: {record['execution_id']}, waiting.\n")
    other = command("run", "nightly", *options, "--input", '{"day": 2}')
    assert (other.exit_code, other.stdout) == (2, "")
    assert "night-1" in other.stderr
    assert len(json.loads(command("executions", "list", "--json").stdout)["items"]) == 1


def test_options_of_the_queue_need_detach(command: Command, tmp_path: Path) -> None:
    for option in (["--priority", "1"], ["--at", "1h"], ["--idempotency-key", "x"]):
        refused = command("run", nightly(tmp_path), *option)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "--detach" in refused.stderr


def test_an_id_of_ones_own_begins_one_execution_and_names_it_everywhere(command: Command, tmp_path: Path) -> None:
    file, own = nightly(tmp_path), ("--execution-id", "order 17/ü")
    assert command("run", file, *own).exit_code == 0
    first = newest(command)
    assert first["alias"] == "order 17/ü"
    again = command("run", file, *own)
    assert (again.exit_code, newest(command)["execution_id"]) == (0, first["execution_id"])
    assert f"Execution {first['execution_id']} has this id and this input" in again.stderr
    assert '"score": 7' in again.stdout
    queued = command("run", file, *own, "--detach")
    assert f"Queued before by the same request: {first['execution_id']}" in queued.stdout
    for words in (["show"], ["logs"], ["export"], ["watch"]):
        assert command("executions", *words, "order 17/ü").exit_code == 0, words
    assert "alias order 17/ü" in " ".join(command("executions", "show", "order 17/ü").stdout.split())
    other = command("run", file, *own, "--input", '{"day": 3}')
    assert (other.exit_code, "stands for an execution with another input" in other.stderr) == (2, True)
    assert command("executions", "delete", "order 17/ü", "--yes").exit_code == 0
    assert command("run", file, *own, "--input", '{"day": 3}').exit_code == 0


def test_resume_is_for_an_id_of_ones_own(command: Command, tmp_path: Path) -> None:
    refused = command("run", nightly(tmp_path), "--resume")
    assert (refused.exit_code, "--execution-id" in refused.stderr) == (2, True)


def test_what_steps_give_as_it_comes_is_all_that_is_printed(command: Command, tmp_path: Path) -> None:
    release = tmp_path / "release"
    release.touch()
    file = write(tmp_path, step("talk", "Talk", config={"file": str(release)}))
    result = command("run", file, "--stream")
    assert (result.exit_code, result.stdout) == (0, 'Hello 1, \n{"tool":"search"}\nworld\n')
    assert "Completed in" in result.stderr
    pieces = [json.loads(line) for line in command("run", file, "--stream", "--json").stdout.splitlines()]
    assert [each["type"] for each in pieces] == ["output", "output", "output", "result"]
    assert [(each["data"]["text"], each["data"]["values"]) for each in pieces[:-1]] == [
        ("Hello 1, ", []),
        ("", [{"tool": "search"}]),
        ("world", []),
    ]
    assert pieces[-1]["data"]["status"] == "completed"
    refused = command("run", file, "--stream", "--detach")
    assert (refused.exit_code, "executions follow" in refused.stderr) == (2, True)
    for words in (
        ["executions", "watch", newest(command)["execution_id"], "--output"],
        ["executions", "follow", "--output"],
    ):
        assert command(*words).stdout == result.stdout
    execution_id = newest(command)["execution_id"]
    assert "Hello" not in command("executions", "logs", execution_id).stdout
    assert "Hello" not in command("run", file).stdout.partition("Completed")[0]
    lines = command("executions", "logs", execution_id, "--level", "output").stdout.splitlines()
    assert [line.split("  output     ")[1] for line in lines] == [
        "answer: Hello 1,",
        'calls:   [{"tool":"search"}]',
        "answer: world",
    ]
