"""``executions watch|cancel|resume``, on executions of other processes and of none."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.cli.conftest import Command, Recorded, change, newest
from tests.unit.cli.pipeline_files import nightly, step, write
from tests.unit.cli.programs import is_running, lines_until, piped


def statuses(record: dict[str, Any]) -> list[tuple[str, int, str]]:
    return [(each["step_id"], each["attempt"], each["status"]) for each in record["steps"]]


def failing(folder: Path) -> str:
    """Count, then a score that fails the first time it is tried, without a retry of its own."""
    return write(
        folder,
        step("increase", "Count"),
        step("score", "Score", config={"good_attempt": 2}),
        paths=[("increase", "score")],
    )


def test_resume_runs_only_what_has_not_completed(command: Command, tmp_path: Path) -> None:
    assert command("run", failing(tmp_path)).exit_code == 1
    execution_id = newest(command)["execution_id"]
    resumed = command("executions", "resume", execution_id[:-2])
    assert resumed.exit_code == 0
    assert "increase" not in resumed.stdout.partition("Completed in")[0]
    record = newest(command)
    assert record["execution_id"] == execution_id
    assert record["status"] == "completed"
    assert statuses(record) == [("increase", 1, "completed"), ("score", 1, "failed"), ("score", 2, "completed")]
    again = command("executions", "resume", execution_id)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "has completed" in again.stderr


def test_resume_can_leave_it_to_a_worker(command: Command, tmp_path: Path) -> None:
    assert command("run", failing(tmp_path)).exit_code == 1
    execution_id = newest(command)["execution_id"]
    for words in (["--queue", "--take-over"], ["--reason", "why"]):
        wrong = command("executions", "resume", execution_id, *words)
        assert wrong.exit_code == 2
    put_back = command("executions", "resume", execution_id, "--queue", "--reason", "The bucket is back.")
    assert (put_back.exit_code, put_back.stderr) == (0, "")
    assert f"{execution_id} is pending" in put_back.stdout
    again = command("executions", "resume", execution_id, "--queue")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "is pending: there is nothing to resume" in again.stderr
    assert command("executions", "resume", execution_id).exit_code == 0
    assert statuses(newest(command)) == [
        ("increase", 1, "completed"),
        ("score", 1, "failed"),
        ("score", 2, "completed"),
    ]


def test_resume_uses_code_below_the_folders_that_are_named_or_the_current_one(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = tmp_path / "project", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    assert command("run", failing(folder)).exit_code == 1
    execution_id = newest(command)["execution_id"]
    monkeypatch.delenv(FOLDERS_VARIABLE)
    monkeypatch.chdir(other)
    for words in (["executions", "resume", execution_id], ["run", "nightly"]):
        refused = command(*words)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert f"the folder {folder}, whose code may not be used here" in refused.stderr
        assert f"in or below {other}" in refused.stderr
        assert "--pipelines FOLDER" in refused.stderr
    assert newest(command)["status"] == "failed"
    (tmp_path / "link").symlink_to(folder)
    assert command("executions", "resume", execution_id, "--pipelines", "../link", "--pipelines", ".").exit_code == 0
    monkeypatch.chdir(folder)
    assert command("run", "nightly").exit_code == 1


def test_resume_uses_the_version_that_began_and_a_file_only_if_it_is_the_same(command: Command, tmp_path: Path) -> None:
    assert command("run", failing(tmp_path)).exit_code == 1
    execution_id = newest(command)["execution_id"]
    other = tmp_path / "other"
    other.mkdir()
    assert command("run", nightly(other), "--new-version").exit_code == 0
    refused = command("executions", "resume", execution_id, "--file", str(other / "nightly.json"))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "not what the execution began with, version 1" in refused.stderr
    (tmp_path / "steps.py").rename(tmp_path / "gone.py")
    assert command("executions", "resume", execution_id).exit_code == 2
    moved = failing(other)
    assert command("executions", "resume", execution_id, "--file", moved).exit_code == 0


def test_resume_runs_what_was_only_queued(command: Command, tmp_path: Path) -> None:
    command("run", nightly(tmp_path), "--detach")
    resumed = command("executions", "resume", newest(command)["execution_id"], "--json")
    assert resumed.exit_code == 0
    assert json.loads(resumed.stdout.splitlines()[-1])["data"]["status"] == "completed"


def test_output_is_followed_in_another_process_over_the_death_of_the_one_that_gives_it(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    file = write(tmp_path, step("talk", "Talk", config={"file": str(release)}))
    with piped(database_url, "run", file, "--stream") as process:
        lines_until(process, lambda line: "tool" in line)
        execution_id = newest(command)["execution_id"]
        with piped(database_url, "executions", "follow", execution_id, "--output") as following:
            assert lines_until(following, lambda line: "tool" in line) == ["Hello 1, \n", '{"tool":"search"}\n']
            process.kill()
            process.wait()
            release.touch()
            give_lease(database_url, 0.01)
            resumed = command("executions", "resume", execution_id)
            assert resumed.exit_code == 0
            out, err = following.communicate(timeout=60)
    assert (following.returncode, out) == (0, 'Hello 2, \n{"tool":"search"}\nworld\n')
    assert "Completed" in err
    late = command("executions", "follow", execution_id, "--output")
    assert late.stdout == 'Hello 1, \n{"tool":"search"}\n' + out


def test_resume_waits_until_a_killed_process_counts_as_gone_and_then_goes_on(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    wait = step("wait", "UntilReleased", config={"file": str(release)})
    file = write(tmp_path, step("increase", "Count"), wait, paths=[("increase", "wait")])
    with piped(database_url, "run", file, "--json") as process:
        lines_until(process, is_running("wait"))
        execution_id = newest(command)["execution_id"]
        process.kill()
        process.wait()
    release.touch()
    give_lease(database_url, 0.01)
    assert "which ran it, is gone: it was last heard of" in command("executions", "show", execution_id).stdout
    give_lease(database_url, 600)
    refused = command("executions", "resume", execution_id, "--no-wait")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert re.search(r"last heard of \d+ s ago, counts as gone in \d+ s\. Wait for that", refused.stderr)
    with piped(database_url, "executions", "resume", execution_id) as resumed:
        assert resumed.stderr is not None
        assert re.search(r"last heard of \d+ s ago, counts as gone in \d+ s\. Waiting", resumed.stderr.readline())
        give_lease(database_url, 0.01)
        resumed.communicate(timeout=60)
    assert resumed.returncode == 0
    assert statuses(newest(command)) == [("increase", 1, "completed"), ("wait", 1, "lost"), ("wait", 2, "completed")]


def test_resume_goes_on_when_a_dead_process_was_last_heard_of_in_the_future(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    """The database's clock was set back after it died."""
    release = tmp_path / "release"
    file = write(tmp_path, step("wait", "UntilReleased", config={"file": str(release)}))
    with piped(database_url, "run", file, "--json") as process:
        lines_until(process, is_running("wait"))
        process.kill()
        process.wait()
    release.touch()
    give_lease(database_url, 0.2)
    change(database_url, "UPDATE workers SET heartbeat_at = ia_now(3600)")
    assert command("executions", "resume", newest(command)["execution_id"]).exit_code == 0
    assert statuses(newest(command)) == [("wait", 1, "lost"), ("wait", 2, "completed")]


def test_resume_takes_nothing_from_a_process_that_is_heard_of_again(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    with piped(
        database_url, "run", write(tmp_path, step("wait", "UntilReleased", config={"file": str(release)})), "--json"
    ) as process:
        lines_until(process, is_running("wait"))
        execution_id = newest(command)["execution_id"]
        give_lease(database_url, 600)
        assert "counts as gone in" in command("executions", "show", execution_id).stdout
        with piped(database_url, "executions", "resume", execution_id) as resumed:
            assert resumed.stderr is not None
            assert "Waiting" in resumed.stderr.readline()
            change(database_url, "UPDATE workers SET heartbeat_at = ia_now()")
            out, err = resumed.communicate(timeout=60)
        assert (resumed.returncode, out) == (2, "")
        assert "which was heard of again: it lives" in err
        release.touch()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert newest(command)["status"] == "completed"


def give_lease(database_url: str, seconds: float) -> None:
    """How long processes may be silent from now on; a busy machine may need more than they said."""
    change(database_url, f"UPDATE workers SET lease_seconds = {seconds} WHERE stopped_at IS NULL")


def test_what_runs_on_a_cluster_is_given_up_only_where_that_is_said(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    assert command("run", failing(tmp_path)).exit_code == 1
    execution_id = newest(command)["execution_id"]
    change(database_url, "UPDATE pipeline_executions SET status = 'pending', completed_at = NULL, owner = NULL")
    change(
        database_url,
        "UPDATE step_executions SET status = 'running', awaits = 'ray:there', routes = NULL, completed_at = NULL,"
        " error_type = NULL, error_message = NULL WHERE step_id = 'score'",
    )
    refused = command("executions", "resume", execution_id)
    assert (refused.exit_code, refused.stdout) == (2, "")
    words = " ".join(refused.stderr.split())
    assert f"An attempt of step 'score' of execution '{execution_id}' runs on Ray cluster 'there'" in words
    assert f"ia-modules executions resume {execution_id} --give-up-remote" in words
    for wrong in (["--queue"], ["--yes", execution_id]):
        assert command("executions", "resume", execution_id, "--give-up-remote", *wrong).exit_code == 2
    assert command("executions", "resume", execution_id, "--give-up-remote").exit_code == 0
    record = newest(command)
    assert statuses(record) == [("increase", 1, "completed"), ("score", 1, "lost"), ("score", 2, "completed")]
    assert record["steps"][1]["error_type"] == "RemoteGivenUp"


def test_take_over_stops_the_process_that_ran_it(database_url: str, command: Command, tmp_path: Path) -> None:
    release = tmp_path / "release"
    file = write(tmp_path, step("wait", "UntilReleased", config={"file": str(release)}))
    with piped(database_url, "run", file, "--json") as process:
        lines_until(process, is_running("wait"))
        with piped(
            database_url, "executions", "resume", newest(command)["execution_id"], "--take-over", "--json"
        ) as new:
            lines_until(new, is_running("wait"))
            release.touch()
            new.communicate(timeout=60)
            assert new.returncode == 0
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "belongs to" in err
    assert "Traceback" not in err
    assert newest(command)["status"] == "completed"


def test_what_a_program_of_its_own_recorded_only_that_program_can_go_on_with(
    command: Command, recorded: Recorded
) -> None:
    result = command("executions", "resume", recorded[1])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "was recorded by a program of its own" in result.stderr


def test_a_waiting_execution_goes_on_once_it_is_answered(command: Command, tmp_path: Path, database_url: str) -> None:
    ask = {"id": "ask", "type": "human_input", "prompt": "May it?"}
    assert command("run", write(tmp_path, ask, step("increase", "Count"), paths=[("ask", "increase")])).exit_code == 3
    execution_id = newest(command)["execution_id"]
    assert command("executions", "resume", execution_id).exit_code == 3
    asyncio.run(answer(database_url, execution_id))
    assert command("executions", "resume", execution_id).exit_code == 0
    assert newest(command)["status"] == "completed"


async def answer(database_url: str, execution_id: str) -> None:
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        [question] = await tracker.get_interactions(ExecutionId(execution_id))
        await tracker.answer_interaction(question.interaction_id, {"yes": True}, actor=f"test {os.getpid()}")


PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from ia_modules import DatabaseManager, ExecutionTracker, Flow, ServiceRegistry

flow = Flow("Embedded")

@flow.step
def count(data):
    with Path("effects.txt").open("a") as effects:
        effects.write("count ")
    return {"count": 1}

@flow.step
def score(data):
    if not Path("repaired").exists():
        raise ValueError("not yet")
    return {"score": 7}

count >> score
other = Flow("Other", slug="embedded")
other.add(count, id="count")

async def main():
    async with DatabaseManager(os.environ["DATABASE_URL"]) as database, ExecutionTracker(database) as tracker:
        await flow.run({}, ServiceRegistry({"execution_tracker": tracker}))

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_resume_goes_on_with_the_flow_of_a_program_that_was_main(
    database_url: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "embedded_app.py").write_text(PROGRAM)
    main = [sys.executable, "embedded_app.py"]
    environment = {**os.environ, "DATABASE_URL": database_url, "PYTHONPATH": str(Path.cwd())}
    assert subprocess.run(main, cwd=tmp_path, env=environment, capture_output=True, timeout=60).returncode == 1
    execution_id = newest(command)["execution_id"]

    def resume(*options: str) -> tuple[int, str]:
        with piped(database_url, "executions", "resume", execution_id, *options, cwd=tmp_path) as process:
            _, err = process.communicate(timeout=60)
        return process.returncode, err

    status, advice = resume()
    assert status == 2
    assert "__main__ is the program that was started then" in advice
    assert "recover=True" in advice
    assert "--code MODULE:FLOW" in advice
    monkeypatch.chdir(tmp_path)
    for code, expected in {
        "embedded_app:other": "is not what the execution began with, version 1",
        "embedded_app:main": "is of type function",
        "embedded_app:nothing": "has no 'nothing'",
        "no_such_app:flow": "'no_such_app' cannot be imported",
        "embedded_app": "Expected MODULE:NAME",
    }.items():
        refused = command("executions", "resume", execution_id, "--code", code)
        assert (refused.exit_code, expected in refused.stderr) == (2, True), refused.stderr
        sys.modules.pop("embedded_app", None)  # what a command imports stays in its process
    assert newest(command)["status"] == "failed"
    (tmp_path / "repaired").touch()
    assert resume("--code", "embedded_app:flow")[0] == 0
    assert newest(command)["status"] == "completed"
    assert (tmp_path / "effects.txt").read_text() == "count "
