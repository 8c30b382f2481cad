"""The log buffer of a running attempt: its lines and progress, written together.

A step may log from any thread and at any rate. Lines stay in memory for at most 200 ms, and are stored
before the step's end is; of progress only the latest is stored. Lines over the limits of an attempt are dropped, and a
line says so.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

from ia_modules.errors import PayloadError
from ia_modules.models import JsonText, LogLevel, StepExecutionId, new_id
from ia_modules.payload import clean_text, encode
from ia_modules.transitions import LogLine, StepUpdate

FLUSH_SECONDS = 0.2
"""Seconds between two writes of lines or progress."""
MOST_LINES = 10_000
MOST_BYTES = 2**20

Write = Callable[[tuple[LogLine, ...], tuple[StepUpdate, ...]], Awaitable[bool]]


class _Logged(NamedTuple):
    """A line. ``at``: when it was logged, by the clock of the buffer."""

    at: float
    log_id: str
    level: LogLevel
    text: str
    data: JsonText | None


class Notes:
    """The lines and the progress of one attempt."""

    def __init__(self, attempt: StepExecutionId, write: Write, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Buffer what one attempt logs.

        Args:
            write: writes lines and progress to the journal; called on the loop, at most every 200 ms. It returns False
                when it could not, and is called again with the same lines later.
            clock: seconds from any start; never goes back.
        """
        self._attempt, self._write, self._clock = attempt, write, clock
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._lines: list[_Logged] = []
        self._unwritten: list[_Logged] = []  # being written; a line written twice is stored once
        self._progress: StepUpdate | None = None
        self._count, self._bytes, self._full = 0, 0, False
        self._thread = threading.get_ident()
        self._timer: asyncio.TimerHandle | None = None  # until what it has begun is written
        self._writing: asyncio.Task[None] | None = None
        self._ended = False

    def keep_line(self, level: LogLevel, message: str, data: dict[str, Any] | None) -> None:
        """Adds a line, from any thread. Data that is not JSON is stored as text."""
        text = clean_text(message)
        try:
            stored = None if data is None else encode(data, "data of a log line", limit_bytes=MOST_BYTES)
        except PayloadError:
            stored = encode({"text": clean_text(data)}, "data of a log line")
        self._take(_Logged(self._clock(), new_id(), level, text, stored), len(text) + len(stored or ""))

    def keep_progress(self, fraction: float, message: str | None) -> None:
        """Sets the progress, from any thread."""
        text = None if message is None else clean_text(message)
        with self._lock:
            is_first = self._progress is None
            self._progress = StepUpdate(step_execution_id=self._attempt, progress=fraction, progress_message=text)
        if is_first:
            self._wake()

    def end(self) -> tuple[tuple[LogLine, ...], StepUpdate | None]:
        """Lines and progress not stored yet, for the transition that ends the attempt; later ones are dropped."""
        with self._lock:
            self._ended = True
            lines, progress = self._unwritten + self._lines, self._progress
            self._lines, self._progress = [], None
        if self._timer is not None:
            self._timer.cancel()
        return self._aged(lines) if lines else (), progress

    def _take(self, line: _Logged, size: int) -> None:
        with self._lock:
            if self._full or self._ended:
                return
            self._count, self._bytes = self._count + 1, self._bytes + size
            if self._count > MOST_LINES or self._bytes > MOST_BYTES:
                self._full = True
                text = f"Further lines are left out: an attempt keeps {MOST_LINES:,} lines and {MOST_BYTES:,} bytes."
                line = _Logged(line.at, line.log_id, LogLevel.WARNING, text, None)
            is_first = not self._lines
            self._lines.append(line)
        if is_first:
            self._wake()

    def _wake(self) -> None:
        if threading.get_ident() == self._thread:
            self._schedule()
        else:
            with suppress(RuntimeError):  # an abandoned thread may log after the loop has ended
                self._loop.call_soon_threadsafe(self._schedule)

    def _schedule(self) -> None:
        if not self._ended and self._timer is None:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._writing = self._loop.create_task(self._write_now(), name=f"notes:{self._attempt}")

    async def _write_now(self) -> None:
        self._unwritten += self._take_lines()
        progress = self._take_progress()
        updates = () if progress is None else (progress,)
        if await self._write(self._aged(self._unwritten), updates):
            self._unwritten = []
        elif progress is not None:
            with self._lock:
                self._progress = self._progress or progress
        self._timer = None
        if self._unwritten or self._lines or self._progress is not None:
            self._schedule()

    def _take_lines(self) -> list[_Logged]:
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def _take_progress(self) -> StepUpdate | None:
        with self._lock:
            progress, self._progress = self._progress, None
        return progress

    def _aged(self, lines: list[_Logged]) -> tuple[LogLine, ...]:
        now, attempt = self._clock(), self._attempt
        return tuple(
            [
                LogLine(
                    log_id=line.log_id,
                    message=line.text,
                    level=line.level,
                    step_execution_id=attempt,
                    data=line.data,
                    age_seconds=now - line.at,
                )
                for line in lines
            ]
        )
