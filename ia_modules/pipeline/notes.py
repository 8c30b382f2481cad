"""The log buffer of a running attempt: its lines and progress, written together.

A step may log from any thread and at any rate. Lines stay in memory for at most 200 ms, and are stored
before the step's end is; of progress only the latest is stored. Of very many lines the first and the last are kept
(``kept_lines``).
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ia_modules.errors import PayloadError
from ia_modules.models import LogLevel, StepExecutionId, new_id
from ia_modules.payload import clean_text, encode
from ia_modules.pipeline.kept_lines import KeptLines, LoggedLine
from ia_modules.tasks import background
from ia_modules.transitions import LogLine, StepUpdate

FLUSH_SECONDS = 0.2
"""Seconds between two writes of lines or progress."""
MOST_BYTES = 2**20
"""The data of one line, encoded."""

Write = Callable[[tuple[LogLine, ...], tuple[StepUpdate, ...]], Awaitable[bool]]


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
        self._kept: KeptLines | None = None  # none was logged yet
        self._lines: list[LoggedLine] = []
        self._unwritten: list[LoggedLine] = []  # being written; a line written twice is stored once
        self._progress: StepUpdate | None = None
        self._thread = threading.get_ident()
        self._timer: asyncio.TimerHandle | None = None  # until what it has begun is written
        self._writing: asyncio.Task[None] | None = None
        self._ended = False

    def keep_line(self, level: LogLevel, message: str, data: dict[str, Any] | None, logger: str | None = None) -> None:
        """Adds a line, from any thread. Data that is not JSON is stored as text."""
        text = clean_text(message)
        try:
            stored = None if data is None else encode(data, "data of a log line", limit_bytes=MOST_BYTES)
        except PayloadError:
            stored = encode({"text": clean_text(data)}, "data of a log line")
        line = LoggedLine(self._clock(), new_id(), level, text, stored, logger)
        with self._lock:
            if self._ended:
                return
            self._kept = self._kept or KeptLines()
            is_first = not self._lines
            self._lines += self._kept.add(line)
            is_first = is_first and bool(self._lines)
        if is_first:
            self._wake()

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
            if self._kept is not None:
                lines += self._kept.rest()
            self._lines, self._progress = [], None
        if self._timer is not None:
            self._timer.cancel()
        return self._aged(lines) if lines else (), progress

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
        self._writing = background(self._write_now(), f"notes:{self._attempt}")

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

    def _take_lines(self) -> list[LoggedLine]:
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def _take_progress(self) -> StepUpdate | None:
        with self._lock:
            progress, self._progress = self._progress, None
        return progress

    def _aged(self, lines: list[LoggedLine]) -> tuple[LogLine, ...]:
        now, attempt = self._clock(), self._attempt
        return tuple(
            [
                LogLine(
                    log_id=line.log_id,
                    message=line.text,
                    level=line.level,
                    step_execution_id=attempt,
                    logger=line.logger,
                    data=line.data,
                    age_seconds=now - line.at,
                )
                for line in lines
            ]
        )
