import json
import signal
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from tests.unit.cli.conftest import Command, newest
from tests.unit.cli.pipeline_files import step, write
from tests.unit.cli.programs import is_running, lines_until, on_terminal, piped


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
