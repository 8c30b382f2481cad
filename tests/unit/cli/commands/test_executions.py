import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.kept_lines import ORDINARY
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.cli.conftest import Command, Recorded
from tests.unit.cli.pipeline_files import nightly, step, write
from tests.unit.cli.programs import CONTROL_CODES, finished, is_running, lines_until, piped
from tests.unit.pipeline.factories import document


async def read_all(database_url: str, execution_id: str) -> dict[str, Any]:
    """What the tracker has of an execution."""
    async with DatabaseManager(database_url) as database:
        tracker = ExecutionTracker(database)
        execution = await tracker.get_execution(execution_id)
        assert execution is not None
        steps = await tracker.get_execution_steps(execution_id)
        logs = (await tracker.changes(execution_id)).logs
        interactions = await tracker.get_interactions(execution_id)
    found = {"steps": steps, "logs": logs, "interactions": interactions}
    return execution.to_dict() | {name: [row.to_dict() for row in rows] for name, rows in found.items()}


def test_list_shows_the_executions_newest_first(command: Command, recorded: Recorded) -> None:
    good, bad = recorded
    result = command("executions", "list")
    assert result.exit_code == 0
    header, first, second = result.stdout.splitlines()
    assert header.split() == ["ID", "STATUS", "PIPELINE", "STEPS", "STARTED", "TOOK", "WHY"]
    assert first.split()[:2] == [bad, "failed"]
    assert "ValueError: bad row" in first
    assert first.rstrip().endswith(" [score]")
    assert second.startswith(f"{good}  completed  Nightly import")


def test_list_says_how_far_back_it_looked_and_how_to_look_further(command: Command, recorded: Recorded) -> None:
    good, bad = recorded
    both = command("executions", "list", "--status", "completed", "--status", "failed", "--shorter", "1h").stdout
    assert good in both
    assert bad in both
    assert "Looked at" not in both
    some = command("executions", "list", "--trigger", "program", "--look-back", "1").stdout
    assert bad in some
    assert good not in some
    assert some.splitlines()[-1].startswith("Looked at the newest 1, back to ")
    assert some.splitlines()[-1].endswith("Further: --look-back 10")
    none = command("executions", "list", "--worker", "nobody", "--of-version", "3", "--look-back", "1").stdout
    assert none.startswith("None so far.\nLooked at the newest 1,")
    assert command("executions", "list", "--longer", "1h").stdout == "No executions.\n"
    wrong = command("executions", "list", "--longer", "long")
    assert wrong.exit_code == 2
    assert "such as 90s, 5min" in wrong.stderr
    assert bad in command("executions", "list", "--text", "BAD row").stdout
    assert command("executions", "list", "--attribute", "input.customer=acme").stdout == "No executions.\n"
    wrong = command("executions", "list", "--attribute", "acme")
    assert wrong.exit_code == 2
    assert "expected KEY=VALUE" in wrong.stderr


def test_list_pages_and_filters(command: Command, recorded: Recorded) -> None:
    good, bad = recorded
    page = command("executions", "list", "--limit", "1")
    assert page.stdout.endswith(f"More: --cursor {bad}\n")
    below = command("executions", "list", "--limit", "1", "--cursor", bad)
    assert good in below.stdout
    assert "More" not in below.stdout
    assert bad not in command("executions", "list", "--status", "completed").stdout
    assert command("executions", "list", "--status", "cancelled").stdout == "No executions.\n"
    assert command("executions", "list", "--pipeline", "nobody").stdout == "No executions.\n"
    assert command("executions", "list", "--pipeline", "nightly").stdout.count("Nightly") == 2


def test_list_as_json_is_what_the_tracker_answers(command: Command, recorded: Recorded, database_url: str) -> None:
    answer = json.loads(command("executions", "list", "--limit", "1", "--json").stdout)
    everything = asyncio.run(read_all(database_url, recorded[1]))
    [item] = answer["items"]
    assert item.pop("cause").startswith("ValueError: bad row")
    assert item == {name: everything[name] for name in item}
    assert answer["looked_back_to"] is None
    assert answer["next_cursor"] == recorded[1]


def test_an_unknown_status_is_refused_naming_the_ones_there_are(command: Command) -> None:
    result = command("executions", "list", "--status", "done")
    assert result.exit_code == 2
    assert "waiting_for_human" in result.stderr


def test_show_tells_the_story_of_an_execution(command: Command, recorded: Recorded) -> None:
    good, bad = recorded
    report = command("executions", "show", bad).stdout
    lines = report.splitlines()
    assert lines[0] == f"Execution {bad}"
    assert any(line.split() == ["status", "failed"] for line in lines)
    assert any(line.split()[:2] == ["error", "ValueError:"] for line in lines)
    assert any(line.split()[:2] == ["steps", "1"] and "of 2 completed, 1 failed" in line for line in lines)
    download, score = (lines[number] for number in (lines.index("What happened") + 1, _line_of(lines, "  2  score")))
    assert download.split()[:3] == ["1", "download", "completed"]
    assert '       input     {"url":"x"}' in lines
    assert any(line.startswith('       output    "xxx') and line.endswith("…") for line in lines)
    assert score.split()[:3] == ["2", "score", "failed"]
    assert any(line.startswith("       attempt 1 failed in ") and "ValueError: bad row" in line for line in lines)
    assert "Attempt 1 of score failed" in lines
    assert "  Traceback (most recent call last):" in lines
    assert any(line.endswith('{"row":7}') and " error " in line and " score " in line for line in lines)

    assert '  output    {"stored":3}' in command("executions", "show", good).stdout.splitlines()


def _line_of(lines: list[str], beginning: str) -> int:
    return next(number for number, line in enumerate(lines) if line.startswith(beginning))


def test_show_as_json_is_everything_there_is(command: Command, recorded: Recorded, database_url: str) -> None:
    for execution_id in recorded:
        answer = json.loads(command("executions", "show", execution_id, "--json").stdout)
        assert answer == asyncio.run(read_all(database_url, execution_id)) | {"levels": [], "usage": None}


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_piped_output_holds_no_control_codes(recorded: Recorded, database_url: str) -> None:
    for arguments in (["list"], ["show"], ["show", "--json"], ["list", "--help"], ["show", "nobody\x1b[2J"]):
        _, out, err = finished(database_url, "executions", *arguments)
        assert out + err
        assert CONTROL_CODES & set(out + err) == set()
        assert "Traceback" not in err


def test_logs_prints_the_lines_and_filters_by_level(command: Command, recorded: Recorded) -> None:
    printed = command("executions", "logs", recorded[1])
    assert printed.exit_code == 0
    [line] = printed.stdout.splitlines()
    assert line.split()[1:4] == ["score", "error", "about"]
    assert line.endswith('{"row":7}')
    assert command("executions", "logs", recorded[1], "--level", "error").stdout == printed.stdout
    assert command("executions", "logs", recorded[0]).stdout == ""
    [row] = [json.loads(each) for each in command("executions", "logs", recorded[1], "--json").stdout.splitlines()]
    assert (row["level"], row["data"]) == ("error", {"row": 7})


def test_logs_are_searched_and_what_was_left_out_is_said(command: Command, tmp_path: Path) -> None:
    lines = ORDINARY.lines
    (tmp_path / "steps.py").write_text(
        f"""
import logging

def talk(data):
    for number in range({2 * lines + 30}):
        print(f"line {{number}}")
    logging.getLogger("shop").warning("the last word")
"""
    )
    file = tmp_path / "talk.json"
    file.write_text(json.dumps({**document({"id": "talk", "step_class": "talk", "module": "steps"}), "name": "Talk"}))
    assert command("run", str(file)).exit_code == 0
    found = command("executions", "logs", "--text", "LINE 77")
    printed = [line.split(None, 3)[3] for line in found.stdout.splitlines()]
    assert printed[0] == "stdout: line 77"
    assert f"stdout: line {lines + 2700}" in printed, "one of the last"
    gap = '30 lines are left out here: an attempt keeps the first and the last.  {"left_out":30}'
    assert [line for line in printed if "left out" in line] == [f"ia_modules.left_out: {gap}"]
    assert found.stderr.startswith("30 lines were left out of the record")
    assert all("77" in line or "left out" in line for line in printed)
    hidden = command("executions", "logs", "--text", f"line {lines + 10}").stdout.splitlines()
    assert [line.split(None, 3)[3] for line in hidden] == [f"ia_modules.left_out: {gap}"]
    severe = command("executions", "logs", "--text", "WORD", "--level", "warning")
    assert [line.split(None, 3)[3] for line in severe.stdout.splitlines()] == ["shop: the last word"]
    assert severe.stderr == ""


def test_logs_leaves_out_what_is_less_severe(command: Command, tmp_path: Path) -> None:
    command("run", nightly(tmp_path))
    assert "fetching" in command("executions", "logs").stdout
    assert command("executions", "logs", "--level", "warning").stdout == ""


def test_logs_follows_what_another_process_runs_until_it_ends(database_url: str, tmp_path: Path) -> None:
    release = tmp_path / "release"
    wait = step("wait", "UntilReleased", config={"file": str(release)})
    file = write(tmp_path, step("fetch", "Fetch"), wait, paths=[("fetch", "wait")])
    with piped(database_url, "run", file, "--json") as process:
        lines_until(process, is_running("wait"))
        with piped(database_url, "executions", "logs", "--follow") as following:
            lines_until(following, lambda line: "fetching" in line)
            release.touch()
            out, _ = following.communicate(timeout=60)
        process.communicate(timeout=60)
    assert (following.returncode, out) == (0, "")


def test_export_is_everything_on_record_on_stdout_or_in_a_file(
    command: Command, recorded: Recorded, tmp_path: Path
) -> None:
    printed = command("executions", "export", recorded[1])
    assert printed.exit_code == 0
    assert CONTROL_CODES & set(printed.stdout) == set()
    document = json.loads(printed.stdout)
    assert set(document) == {"execution", "definition", "steps", "interactions", "logs"}
    assert document["execution"]["execution_id"] == recorded[1]
    assert [each["step_id"] for each in document["steps"]] == ["download", "score"]
    file = tmp_path / "export.json"
    written = command("executions", "export", recorded[1], "--output", str(file))
    assert (written.exit_code, written.stdout) == (0, "")
    assert json.loads(file.read_bytes()) == document
    assert [path.name for path in tmp_path.glob("export*")] == ["export.json"]
    nowhere = command("executions", "export", recorded[1], "--output", str(tmp_path / "no" / "export.json"))
    assert (nowhere.exit_code, nowhere.stdout) == (1, "")
    assert "cannot be written: No such file or directory" in nowhere.stderr
