import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, TimeoutExpired
from typing import Any

import pytest

from tests.unit.cli.conftest import Command, newest
from tests.unit.cli.pipeline_files import step, write
from tests.unit.cli.programs import PATIENCE_SECONDS, is_running, lines_until, on_terminal, piped

CLOSES_FOR_EVER = """
import asyncio
from ia_modules.cli.interrupt import interrupted_by

async def main():
    stopped = asyncio.Event()
    with interrupted_by(stopped.set):
        print("works", flush=True)
        await stopped.wait()
    print("closes", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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


@pytest.mark.parametrize("dialect", ["sqlite"])
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
        _interrupt_again(terminal.process)
        assert terminal.to_end() == 1
    assert terminal.text.rstrip().endswith("\x1b[?25h") or "Cancelled after" in terminal.text


def test_ctrl_c_a_second_time_ends_it_at_once_also_while_it_closes_what_it_has() -> None:
    with subprocess.Popen([sys.executable, "-c", CLOSES_FOR_EVER], stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "works\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "closes\n"
        _interrupt_again(process)
        assert (process.wait(PATIENCE_SECONDS), process.stderr.read()) == (1, "")


def _interrupt_again(process: "subprocess.Popen[Any]") -> None:
    """Send SIGINT until it has ended: what comes too soon after the first counts as the same."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(TimeoutExpired):
            process.wait(0.1)


def test_a_terminal_that_is_closed_cancels_it_on_record(database_url: str, command: Command, tmp_path: Path) -> None:
    file = write(tmp_path, step("wait", "Forever"))
    with on_terminal(database_url, "run", file) as terminal:
        terminal.until("running")
        terminal.hang_up()
        terminal.process.wait(PATIENCE_SECONDS)
    assert newest(command)["status"] == "cancelled"


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_worker_ends_well_when_its_terminal_is_closed(empty_database_url: str) -> None:
    with on_terminal(empty_database_url, "worker") as terminal:
        terminal.until("Worker ")
        terminal.hang_up()
        assert terminal.process.wait(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_what_nohup_started_goes_on_when_the_terminal_is_closed(
    database_url: str, command: Command, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    file = write(tmp_path, step("wait", "UntilReleased", config={"file": str(release)}))

    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with piped(database_url, "run", file, "--json", preexec_fn=ignore) as process:
        lines_until(process, is_running("wait"))
        process.send_signal(signal.SIGHUP)
        release.touch()
        process.communicate(timeout=60)
    assert newest(command)["status"] == "completed"
