import json
import re
from pathlib import Path
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from tests.unit.cli.conftest import Command, Recorded, change, newest
from tests.unit.cli.pipeline_files import nightly, step, write
from tests.unit.cli.programs import lines_until, piped


def test_cancel_ends_what_nobody_runs_at_once(command: Command, tmp_path: Path) -> None:
    command("run", nightly(tmp_path), "--detach")
    execution_id = newest(command)["execution_id"]
    cancelled = command("executions", "cancel", execution_id)
    assert (cancelled.exit_code, cancelled.stdout) == (0, f"Execution {execution_id} is cancelled.\n")
    assert newest(command)["status"] == "cancelled"


def test_cancel_stops_it_in_the_process_that_runs_it(database_url: str, command: Command, tmp_path: Path) -> None:
    with piped(database_url, "run", write(tmp_path, step("wait", "Forever"))) as process:
        lines_until(process, lambda line: " wait " in line)
        execution_id = newest(command)["execution_id"]
        cancelled = command("executions", "cancel", execution_id, "--json")
        assert (cancelled.exit_code, json.loads(cancelled.stdout)["cancel_requested"]) == (0, True)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Cancelled after" in err
    assert newest(command)["status"] == "cancelled"


def test_cancel_says_that_the_process_of_an_execution_is_gone(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    with piped(database_url, "run", write(tmp_path, step("wait", "Forever"))) as process:
        lines_until(process, lambda line: " wait " in line)
        process.kill()
        process.wait()
    change(database_url, "UPDATE workers SET lease_seconds = 0.01 WHERE stopped_at IS NULL")
    result = command("executions", "cancel", newest(command)["execution_id"])
    assert result.exit_code == 0
    assert "which ran it, is gone: it was last heard of" in result.stdout


def test_a_cancel_that_comes_too_late_says_when_and_how_it_ended(command: Command, recorded: Recorded) -> None:
    for execution_id, ended in zip(recorded, ("completed", "failed"), strict=True):
        result = command("executions", "cancel", execution_id)
        assert (result.exit_code, result.stdout) == (1, "")
        when = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
        assert re.search(rf"Too late: execution {execution_id} {ended} at {when}", result.stderr)


def test_delete_counts_first_asks_and_keeps_what_has_not_ended_or_is_pinned(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    for _ in range(3):
        command("run", nightly(tmp_path), "--detach")
    pending, kept, gone = ids(command)
    command("executions", "cancel", kept, gone, "--yes")
    change(database_url, f"UPDATE pipeline_executions SET pinned = TRUE WHERE execution_id = '{kept}'")

    counted = command("executions", "delete", pending, kept, gone, "--dry-run")
    assert (counted.exit_code, counted.stdout) == (1, "1 execution would be deleted.\n")
    assert "2 executions would be left alone:" in counted.stderr
    assert "cancel it first" in counted.stderr
    assert "is pinned" in counted.stderr
    refused = command("executions", "delete", gone)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "add --yes" in refused.stderr
    assert ids(command) == [pending, kept, gone]

    done = command("executions", "delete", pending, kept, gone, "--yes", "--json")
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert (result["matched"], result["done"]) == (3, 1)
    assert {each["execution_id"] for each in result["refused"]} == {pending, kept}
    assert ids(command) == [pending, kept]


def test_filters_choose_many_and_the_audit_log_keeps_who_and_how_many(
    database_url: str, command: Command, tmp_path: Path, recorded: Recorded
) -> None:
    for _ in range(2):
        command("run", nightly(tmp_path), "--detach")
    counted = command("executions", "cancel", "--status", "pending", "--dry-run")
    assert (counted.exit_code, counted.stdout.partition(",")[0]) == (0, "2 executions would be cancelled")
    assert command("executions", "cancel", "--status", "pending", "--after", "1h", "--yes").exit_code == 0
    assert {row["status"] for row in listed(command)} == {"cancelled", "completed", "failed"}
    assert command("executions", "rerun", "--status", "cancelled", "--yes").stdout == "2 executions queued again.\n"
    assert command("executions", "delete", "--before", "1h", "--yes").stdout == "0 executions deleted.\n"
    assert command("executions", "delete", "--pipeline", "nobody", "--yes").stdout == "0 executions deleted.\n"
    assert recorded[0] in ids(command)
    with DatabaseManager(database_url) as database:
        rows = database.fetch_all("SELECT actor, detail FROM audit_log WHERE action = 'executions.rerun'")
    [row] = rows
    assert row["actor"].startswith("cli:")
    assert json.loads(row["detail"]) == {"matched": 2, "done": 2}


@pytest.mark.parametrize("verb", ["cancel", "resume", "rerun", "delete"])
def test_neither_everything_nor_ids_and_filters_together(command: Command, recorded: Recorded, verb: str) -> None:
    for words in ([], [recorded[0], "--status", "failed"]):
        result = command("executions", verb, *words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Expected ids, or else filters" in result.stderr


def test_the_token_of_a_dry_run_names_those_that_it_found_and_no_others(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    command("run", nightly(tmp_path), "--detach")
    dry = json.loads(command("executions", "cancel", "--status", "pending", "--dry-run", "--json").stdout)
    command("run", nightly(tmp_path), "--detach")
    (tmp_path / "token").write_text(dry["token"] + "\n")
    words = ["executions", "cancel", "--token", f"@{tmp_path / 'token'}", "--reason", "The wrong day."]
    done = command(*words, "--idempotency-key", "mine", "--yes")
    assert (done.exit_code, done.stdout.partition(",")[0]) == (0, "1 execution cancelled")
    assert [row["status"] for row in listed(command)] == ["pending", "cancelled"]
    with DatabaseManager(database_url) as database:
        [row] = database.fetch_all("SELECT detail FROM audit_log WHERE action = 'execution.cancel'")
    assert json.loads(row["detail"])["reason"] == "The wrong day."
    wrong = command("executions", "delete", "--token", dry["token"], "--yes")
    assert wrong.exit_code == 2
    assert "found one of 'cancel'; expected one of a dry run of 'delete'" in wrong.stderr


def ids(command: Command) -> list[str]:
    return [row["execution_id"] for row in listed(command)]


def listed(command: Command) -> list[dict[str, Any]]:
    return json.loads(command("executions", "list", "--json").stdout)["items"]
