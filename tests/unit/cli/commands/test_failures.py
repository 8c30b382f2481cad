import json
from pathlib import Path

from tests.unit.cli.conftest import Command, Recorded, newest
from tests.unit.cli.pipeline_files import step, write


def test_failures_are_listed_by_what_they_have_in_common(command: Command, recorded: Recorded) -> None:
    listed = command("failures", "list")
    assert listed.exit_code == 0
    header, line = listed.stdout.splitlines()
    assert header.split() == ["COUNT", "LAST", "STATE", "ID", "STEP", "ERROR"]
    assert line.split()[0] == "1"
    assert "\x1b" not in line
    answer = json.loads(command("failures", "list", "--json").stdout)
    (item,) = answer["items"]
    assert (answer["more"], item["slug"], item["execution_id"]) == (False, "nightly", recorded[1])
    assert item["failure_group"] == newest(command)["failure_group"]
    assert item["id"] in line


def test_a_group_is_shown_with_where_to_look_on(command: Command, recorded: Recorded) -> None:
    (item,) = json.loads(command("failures", "list", "--json").stdout)["items"]
    shown = command("failures", "show", item["id"], "--since", "24h")
    facts = dict(line.split(maxsplit=1) for line in shown.stdout.splitlines())
    assert (facts["failure"], facts["state"], facts["example"]) == (item["id"], "open", recorded[1])
    assert facts["count"].startswith("1 since ")
    assert json.loads(command("failures", "show", item["id"], "--json").stdout)["message"] == item["message"]


def test_a_group_is_muted_opened_and_marked_as_mended(command: Command, tmp_path: Path) -> None:
    command("run", write(tmp_path, step("score", "Score", config={"good_attempt": 9})))
    (item,) = json.loads(command("failures", "list", "--json").stdout)["items"]
    for words, state in (
        (["mute", item["id"]], "muted"),
        (["unmute", item["id"]], "open"),
        (["mended", item["id"], "1"], "mended"),
    ):
        done = command("failures", *words)
        assert (done.exit_code, done.stdout.startswith(f"{item['id']} is {state}")) == (0, True)
        assert [
            each["id"] for each in json.loads(command("failures", "list", "--state", state, "--json").stdout)["items"]
        ]
    assert "mended by 1" in command("failures", "list").stdout
    assert command("failures", "mended", item["id"], "2").exit_code == 1
    command("run", write(tmp_path, step("score", "Score", config={"good_attempt": 9})))
    again = json.loads(command("failures", "show", item["id"], "--json").stdout)
    assert (again["state"], again["count"], again["reopened_at"] is None) == ("open", 2, False)
    assert "failed again" in command("failures", "show", item["id"]).stdout


def test_the_executions_of_a_group_are_listed_and_run_again_alone(command: Command, tmp_path: Path) -> None:
    for attempt in (8, 9):
        command("run", write(tmp_path, step("score", "Score", config={"good_attempt": attempt})), "--new-version")
    command("run", write(tmp_path, step("other", "Score", config={"good_attempt": 9})), "--new-version")
    other, both = json.loads(command("failures", "list", "--json").stdout)["items"]
    assert (other["count"], both["count"], both["versions"]) == (1, 2, [1, 2])
    listed = json.loads(command("executions", "list", "--failure", both["id"], "--json").stdout)["items"]
    assert [each["pipeline_version"] for each in listed] == [2, 1]
    again = command("executions", "rerun", "--failure", both["id"], "--yes")
    assert (again.exit_code, again.stdout) == (0, "2 executions queued again.\n")
    for words in (["--failure", both["failure_group"]], ["--failure", both["id"], "--pipeline", "weekly"]):
        assert command("executions", "list", *words).exit_code == 2


def test_without_failures_that_is_said(command: Command) -> None:
    assert command("failures", "list").stdout.startswith("No failures since ")
    missing = command("failures", "show", "nightly.0")
    assert (missing.exit_code, "ia-modules failures list" in missing.stderr) == (1, True)
    assert command("failures", "list", "--pipeline", "weekly").exit_code == 1
