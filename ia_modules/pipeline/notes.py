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
from dataclasses import replace
from typing import Any

from ia_modules.errors import PayloadError
from ia_modules.models import LogLevel, StepExecutionId, new_id
from ia_modules.payload import clean_text, encode
from ia_modules.transitions import LogLine, StepUpdate

FLUSH_SECONDS = 0.2
"""Seconds between two writes of lines or progress."""
MOST_LINES = 10_000
MOST_BYTES = 2**20

Write = Callable[[tuple[LogLine, ...], tuple[StepUpdate, ...]], Awaitable[bool]]

_Logged = tuple[float, LogLine]
"""A line, and when it was logged, by the clock of the buffer."""


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
        self._flushing: asyncio.Task[None] | None = None
        self._ended = False

    def keep_line(self, level: LogLevel, message: str, data: dict[str, Any] | None) -> None:
        """Adds a line, from any thread. Data that is not JSON is stored as text."""
        text = clean_text(message)
        try:
            stored = None if data is None else encode(data, "data of a log line", limit_bytes=MOST_BYTES)
        except PayloadError:
            stored = encode({"text": clean_text(data)}, "data of a log line")
        self._take(self._line(level, text, stored), len(text) + len(stored or ""))

    def keep_progress(self, fraction: float, message: str | None) -> None:
        """Sets the progress, from any thread."""
        text = None if message is None else clean_text(message)
        with self._lock:
            self._progress = StepUpdate(step_execution_id=self._attempt, progress=fraction, progress_message=text)
        self._wake()

    def end(self) -> tuple[tuple[LogLine, ...], StepUpdate | None]:
        """Lines and progress not stored yet, for the transition that ends the attempt; later ones are dropped."""
        self._ended = True
        if self._flushing is not None:
            self._flushing.cancel()
        return self._aged(self._unwritten + self._take_lines()), self._take_progress()

    def _line(self, level: LogLevel, message: str, data: Any) -> LogLine:
        return LogLine(log_id=new_id(), message=message, level=level, step_execution_id=self._attempt, data=data)

    def _take(self, line: LogLine, size: int) -> None:
        with self._lock:
            if self._full or self._ended:
                return
            self._count, self._bytes = self._count + 1, self._bytes + size
            if self._count > MOST_LINES or self._bytes > MOST_BYTES:
                self._full = True
                text = f"Further lines are left out: an attempt keeps {MOST_LINES:,} lines and {MOST_BYTES:,} bytes."
                line = self._line(LogLevel.WARNING, text, None)
            self._lines.append((self._clock(), line))
        self._wake()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # an abandoned thread may log after the loop has ended
            self._loop.call_soon_threadsafe(self._schedule)

    def _schedule(self) -> None:
        if not self._ended and (self._flushing is None or self._flushing.done()):
            self._flushing = self._loop.create_task(self._flush(), name=f"notes:{self._attempt}")

    async def _flush(self) -> None:
        while not self._ended:
            await asyncio.sleep(FLUSH_SECONDS)
            self._unwritten += self._take_lines()
            progress = self._take_progress()
            if not self._unwritten and progress is None:
                return
            updates = () if progress is None else (progress,)
            # Shielded: an attempt that ends meanwhile cancels this task, and must not cancel the write.
            if await asyncio.shield(asyncio.ensure_future(self._write(self._aged(self._unwritten), updates))):
                self._unwritten = []
            elif progress is not None:
                with self._lock:
                    self._progress = self._progress or progress

    def _take_lines(self) -> list[_Logged]:
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def _take_progress(self) -> StepUpdate | None:
        with self._lock:
            progress, self._progress = self._progress, None
        return progress

    def _aged(self, lines: list[_Logged]) -> tuple[LogLine, ...]:
        now = self._clock()
        return tuple(replace(line, age_seconds=now - moment) for moment, line in lines)
