"""The terminal's own part in Ctrl-C: while a picture is drawn it shall not write ``^C`` into it, nor drop output."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

try:
    import termios
except ImportError:  # not on Windows
    termios = None

_saved: list[Any] | None = None


@contextmanager
def quiet_keyboard() -> Generator[None]:
    """Keys that are pressed meanwhile do not show."""
    global _saved
    if termios is None or not sys.stdin.isatty():
        yield
        return
    _saved = termios.tcgetattr(sys.stdin)
    quiet = [*_saved]
    quiet[3] = quiet[3] & ~termios.ECHO | termios.NOFLSH
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        restore_keyboard()


def restore_keyboard() -> None:
    """As it was before; also for who ends the process without leaving the block."""
    global _saved
    if _saved is not None and termios is not None:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, _saved)
        _saved = None
