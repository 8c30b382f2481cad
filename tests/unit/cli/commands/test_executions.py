import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.cli.conftest import Command, command_on

Recorded = tuple[ExecutionId, ExecutionId]

CONTROL_CODES = {chr(code) for code in range(32)} - {"\n"} | {chr(code) for code in range(127, 160)}


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
    assert header.split() == ["ID", "STATUS", "PIPELINE", "STEPS", "STARTED", "TOOK"]
    assert first.split()[:2] == [bad, "failed"]
    assert second.startswith(f"{good}  completed  Nightly import")


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
    assert item == {name: everything[name] for name in item}
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
        assert answer == asyncio.run(read_all(database_url, execution_id))


def test_show_takes_the_newest_or_the_beginning_of_an_id(command: Command, recorded: Recorded) -> None:
    good, bad = recorded
    assert command("executions", "show").stdout.startswith(f"Execution {bad}\n")
    for wanted in (good, good[:-1], good[:-8]):
        assert command("executions", "show", wanted).stdout.startswith(f"Execution {good}\n")
    ambiguous = command("executions", "show", good[:4])
    assert ambiguous.exit_code == 2
    assert "Several ids begin with" in ambiguous.stderr


@pytest.mark.parametrize("wanted", ["nobody", "g", "01", "'; DROP TABLE pipelines"])
def test_an_unknown_id_is_one_line_on_stderr(command: Command, recorded: Recorded, wanted: str) -> None:
    wanted = recorded[0].replace("0", "1", 1) if wanted == "01" else wanted
    result = command("executions", "show", wanted)
    assert (result.exit_code, result.stdout) == (1, "")
    message = f"Error: No execution has the id {wanted!r}. List what there is: ia-modules executions list.\n"
    assert result.stderr == message


def test_there_is_nothing_to_show_at_first(command: Command) -> None:
    result = command("executions", "show")
    assert (result.exit_code, result.stderr) == (1, "Error: There are no executions yet.\n")


def test_looking_creates_nothing(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = command_on(empty_database_url, monkeypatch)
    for arguments in (["list"], ["show"], ["list", "--json"]):
        result = command("executions", *arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "no schema yet" in result.stderr
        assert "ia-modules db migrate" in result.stderr
    assert command("db", "status", "--json").stdout.count('"pending"') == 1


def test_piped_output_holds_no_control_codes(recorded: Recorded, database_url: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "PY_COLORS")}
    for arguments in (["list"], ["show"], ["show", "--json"], ["list", "--help"], ["show", "nobody\x1b[2J"]):
        done = subprocess.run(
            [sys.executable, "-m", "ia_modules.cli", "executions", *arguments],
            env=environment | {"DATABASE_URL": database_url},
            capture_output=True,
            timeout=30,
            check=False,
        )
        text = (done.stdout + done.stderr).decode()
        assert text
        assert CONTROL_CODES & set(text) == set()
        assert "Traceback" not in done.stderr.decode()
