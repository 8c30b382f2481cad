"""The command line as a program of its own, in a pipe or on a terminal."""

import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any

COMMAND = [sys.executable, "-W", "error", "-m", "ia_modules.cli"]
PATIENCE_SECONDS = 60.0
CONTROL_CODES = {chr(code) for code in range(32)} - {"\n"} | {chr(code) for code in range(127, 160)}
_UNSET = ("FORCE_COLOR", "NO_COLOR", "PY_COLORS", "TTY_COMPATIBLE", "COLUMNS", "LINES")


def environment(database_url: str) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return known | {"DATABASE_URL": database_url, "TERM": "xterm-256color"}


@contextmanager
def piped(database_url: str, *arguments: str, **options: Any) -> Generator[subprocess.Popen[str]]:
    """A command whose output is read; it is killed when the block ends before it."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(database_url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(database_url: str, *arguments: str) -> tuple[int, str, str]:
    """A command that has ended: its status, stdout and stderr."""
    with piped(database_url, *arguments) as process:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def lines_until(process: subprocess.Popen[str], wanted: Callable[[str], bool]) -> list[str]:
    """What it says up to the line that is waited for; fails with what it said instead."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if wanted(line):
            return lines
    assert process.stderr is not None
    raise AssertionError(f"ended too early: {''.join(lines)}{process.stderr.read()}")


def is_running(step_id: str) -> Any:
    """True for the JSON line that says so."""

    def says_so(line: str) -> bool:
        data = json.loads(line)["data"]
        return data.get("step_id") == step_id and data["status"] == "running"

    return says_so


class Terminal:
    """A command on a terminal of 24 lines; what it writes there stands in ``text``."""

    def __init__(self, database_url: str, arguments: Sequence[str], *, columns: int = 100) -> None:
        self.text = ""
        master, slave = pty.openpty()
        self._master = master
        os.set_blocking(master, False)
        size = {"COLUMNS": str(columns), "LINES": "24"}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environment(database_url) | size,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=partial(fcntl.ioctl, slave, termios.TIOCSCTTY, 0),  # it is hung up when the terminal is
        )
        os.close(slave)

    def until(self, wanted: str) -> None:
        """Read until this has been written."""
        while wanted not in self.text:
            assert self._read(), f"ended without {wanted!r}: {self.text}"

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def to_end(self) -> int:
        """Read to the end; the exit status."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def hang_up(self) -> None:
        """Close the terminal under the command."""
        os.close(self._master)
        self._master = -1

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._master >= 0:
            self.hang_up()

    def _read(self) -> bool:
        deadline = monotonic() + PATIENCE_SECONDS
        while monotonic() < deadline:
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self._master, 65536).decode(errors="replace")
                except OSError:  # how Linux says that nobody has the other end any more
                    return False
                return True
        raise AssertionError(f"silent for too long; it said: {self.text}")


@contextmanager
def on_terminal(database_url: str, *arguments: str) -> Generator[Terminal]:
    terminal = Terminal(database_url, arguments)
    try:
        yield terminal
    finally:
        terminal.close()
