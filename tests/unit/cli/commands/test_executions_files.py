import json
import stat
from pathlib import Path

import pytest

from ia_modules.tracker.run_file_reading import checked
from tests.unit.cli.conftest import Command, Recorded, command_on
from tests.unit.cli.pipeline_files import nightly
from tests.unit.cli.programs import finished


def test_a_run_file_is_written_with_what_is_inside_and_its_hash(
    command: Command, recorded: Recorded, tmp_path: Path
) -> None:
    file = tmp_path / "failed.iarun"
    written = command("executions", "export", recorded[1], "-o", str(file))
    contents, _ = checked(file)
    assert (written.exit_code, written.stdout) == (0, "")
    assert written.stderr.splitlines() == [
        f"Written to {file}: 1 run; inputs, outputs and 1 log line, in full.",
        f"SHA-256 of its rows: {contents.rows_sha256}",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    less = command("executions", "export", recorded[1], "-o", str(file), "--without", "payloads,logs", "--lineage")
    assert less.stderr.startswith(f"Written to {file}: 1 run; no inputs, outputs or log lines.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--lineage",), "--lineage and --without are of run files; write to one: -o NAME.iarun"),
        (("-o", "x.json", "--without", "logs"), "--lineage and --without are of run files"),
        (("-o", "x.iarun", "--without", "outputs"), "found 'outputs'; expected payloads or logs"),
    ],
)
def test_what_no_run_file_can_be_is_refused(
    command: Command, recorded: Recorded, arguments: tuple[str, ...], message: str
) -> None:
    result = command("executions", "export", recorded[1], *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_a_file_that_cannot_be_written_is_named_in_one_line(command: Command, recorded: Recorded) -> None:
    result = command("executions", "export", recorded[1], "-o", "/nowhere/at/all/x.iarun")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "/nowhere/at/all/x.iarun" in result.stderr


def test_a_run_is_taken_in_by_another_database_once(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("run", nightly(tmp_path), "--input", '{"day": 1}').exit_code == 0
    file = tmp_path / "nightly.iarun"
    assert command("executions", "export", "-o", str(file)).exit_code == 0
    contents, _ = checked(file)
    here = command_on(f"sqlite:///{tmp_path / 'here.db'}", monkeypatch)
    refused = here("executions", "import", str(file))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "'steps', which is not among the modules that may be used here" in refused.stderr
    monkeypatch.setenv("IA_MODULES_STEP_MODULES", "steps")
    url = f"sqlite:///{tmp_path / 'here.db'}"
    status, out, _ = finished(url, "executions", "import", str(file), "--project", str(tmp_path))
    assert (status, out.splitlines()) == (
        0,
        [
            f"{file}: 1 run; {contents.inside}.",
            "Imported: 1. Here already, and left as they are: 0.",
            f"Look: ia-modules executions show {contents.execution_id}",
        ],
    )
    again = json.loads(here("executions", "import", str(file), "--json").stdout)
    assert again == {
        "execution_id": contents.execution_id,
        "imported": [],
        "already_here": [contents.execution_id],
        "went_on": [],
        "lost_aliases": [],
        "rows_sha256": contents.rows_sha256,
    }
    shown = here("executions", "show", contents.execution_id)
    assert "completed" in shown.stdout
    assert f"(rows {contents.rows_sha256})" in " ".join(shown.stdout.split())
    resumed = here("executions", "resume", contents.execution_id)
    assert resumed.exit_code != 0


def test_a_file_that_is_none_is_refused_in_one_line(command: Command, tmp_path: Path) -> None:
    assert command("db", "migrate").exit_code == 0
    for content, message in ((b"{}", "it is no SQLite file"), (None, "it cannot be read")):
        file = tmp_path / "x.iarun"
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        result = command("executions", "import", str(file))
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
        assert message in result.stderr
