import json
import signal
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command, newest
from tests.unit.cli.pipeline_files import step, write
from tests.unit.cli.programs import is_running, lines_until, on_terminal, piped


def test_watch_shows_what_another_process_runs_and_ends_with_it(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    file = write(
        tmp_path,
        step("wait", "UntilReleased", config={"file": str(release)}),
        step("score", "Score", config={"good_attempt": 2}),
        paths=[("wait", "score")],
    )
    with piped(database_url, "run", file, "--json") as process:
        lines_until(process, is_running("wait"))
        with piped(database_url, "executions", "watch", "--json") as watching:
            lines_until(watching, is_running("wait"))
            release.touch()
            out, _ = watching.communicate(timeout=60)
        process.communicate(timeout=60)
    assert (process.returncode, watching.returncode) == (1, 1)
    last = json.loads(out.splitlines()[-1])
    assert (last["type"], last["data"]["status"]) == ("result", "failed")
    over = command("executions", "watch")
    assert over.exit_code == 1
    assert " score " in over.stdout


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_ctrl_c_only_ends_the_watching(database_url: str, command: Command, tmp_path: Path) -> None:
    release = tmp_path / "release"
    file = write(tmp_path, step("wait", "UntilReleased", config={"file": str(release)}))
    with piped(database_url, "run", file, "--json") as process:
        lines_until(process, is_running("wait"))
        with on_terminal(database_url, "executions", "watch") as terminal:
            terminal.until("halfway")
            terminal.process.send_signal(signal.SIGINT)
            assert terminal.to_end() == 130
            assert "goes on" in terminal.text
        assert newest(command)["status"] == "running"
        release.touch()
        process.communicate(timeout=60)
    assert process.returncode == 0
