from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command, newest
from tests.unit.cli.pipeline_files import nightly
from tests.unit.cli.programs import on_terminal


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_a_person_is_asked(database_url: str, command: Command, tmp_path: Path, answer: str) -> None:
    command("run", nightly(tmp_path))
    execution_id = newest(command)["execution_id"]
    with on_terminal(database_url, "executions", "delete", execution_id) as terminal:
        terminal.until("[y/N]")
        assert "Delete 1 execution with all steps, log lines and questions?" in terminal.text
        terminal.type(f"{answer}\n")
        assert terminal.to_end() == {"y": 0, "n": 2}[answer]
    assert ("Nothing was changed" in terminal.text) == (answer == "n")
    assert command("executions", "show", execution_id).exit_code == {"y": 1, "n": 0}[answer]
