"""Ctrl-C, SIGTERM, SIGHUP: the first asks a command to stop, a second ends the process. A terminal stays clean."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

try:
    import termios
except ImportError:  # not on Windows
    termios = None

_SAME_SIGNAL_SECONDS = 0.3  # a shell and what it started may both pass one Ctrl-C on

_saved: list[Any] | None = None


def stop_signals() -> tuple[signal.Signals, ...]:
    """The signals that ask a command to stop. SIGHUP, which a closed terminal sends, is none under ``nohup``."""
    hang_up: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN:
        return (signal.SIGINT, signal.SIGTERM)
    return (signal.SIGINT, signal.SIGTERM, hang_up)


@contextmanager
def interrupted_by(stop: Callable[[], object], *, ends_within_seconds: float | None = None) -> Generator[None]:
    """Call this on a stop signal, in the loop; the second time the process ends, whatever the loop does.

    A process that was asked to stop stays so afterwards: a second signal ends it as well while it closes what it has.

    Args:
        ends_within_seconds: the process also ends so long after the first time, should it still be there.
    """
    loop = asyncio.get_running_loop()
    first: float | None = None

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        nonlocal first
        if first is None:
            first = time.monotonic()
            loop.call_soon_threadsafe(stop)
            if ends_within_seconds is not None:
                limit = threading.Timer(ends_within_seconds, end_at_once, (1,))
                limit.daemon = True
                limit.start()
        elif time.monotonic() - first > _SAME_SIGNAL_SECONDS:
            end_at_once(1)

    before = {number: signal.signal(number, on_signal) for number in stop_signals()}
    try:
        yield
    finally:
        if first is None:
            for number, handler in before.items():
                signal.signal(number, handler)


def end_at_once(status: int) -> None:
    """End the process without waiting for what still runs in it; a terminal gets its cursor back."""
    with suppress(OSError, RuntimeError):  # the terminal may be gone, or a signal came in the middle of a flush
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        _restore_keyboard()
        if os.isatty(1):
            os.write(1, b"\x1b[?25h\n")  # not through sys.stdout, which a live view may have taken over
    os._exit(status)


@contextmanager
def quiet_keyboard() -> Generator[None]:
    """Keys that are pressed meanwhile do not show, so that ``^C`` is not written into a live view."""
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
        _restore_keyboard()


def _restore_keyboard() -> None:
    global _saved
    if _saved is not None and termios is not None:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, _saved)
        _saved = None
