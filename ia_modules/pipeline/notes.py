"""The log buffer of a running attempt: its lines, its output, its progress and its usage, written together.

A step may log from any thread and at any rate. Lines stay in memory for at most 200 ms, and are stored
before the step's end is; of progress only the latest is stored, of usage all that was told so far (``usage``). Of very
many lines the first and the last are kept (``kept_lines``), of output the first (``kept_output``): neither silences the
other.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from ia_modules.errors import PayloadError
from ia_modules.models import LogLevel, StepExecutionId, new_id
from ia_modules.payload import clean_text, encode
from ia_modules.pipeline.kept_lines import KeptLines, LoggedLine
from ia_modules.pipeline.kept_output import KeptOutput
from ia_modules.tasks import background
from ia_modules.transitions import LogLine, StepUpdate
from ia_modules.usage import Usage, UsageCall, UsageTally

FLUSH_SECONDS = 0.2
"""Seconds between two writes of lines, progress or usage."""
MOST_BYTES = 2**20
"""The data of one line, and one value that is emitted, encoded."""
OUTPUT_AT_ONCE = 2**18
"""So many characters of output are written at once: what is written at once reaches followers in one frame."""

Write = Callable[[tuple[LogLine, ...], tuple[StepUpdate, ...]], Awaitable[bool]]


class Notes:
    """The lines, the progress and the usage of one attempt."""

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
        self._output: KeptOutput | None = None  # none was given yet
        self._progress: StepUpdate | None = None
        self._tally: UsageTally | None = None  # none was told yet
        self._has_untold = False  # usage that is not being written
        self._thread = threading.get_ident()
        self._timer: asyncio.TimerHandle | None = None  # until what it has begun is written
        self._writing: asyncio.Task[None] | None = None
        self._is_urgent = False  # what came while it wrote is to be written at once
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

    def keep_output(self, chunk: Any, channel: str, flush: bool) -> None:
        """Adds a piece of output, from any thread.

        Raises:
            PayloadError: it is neither text nor JSON, or JSON of more than 1 MiB.
        """
        value = None if isinstance(chunk, str) else encode(chunk, "output", limit_bytes=MOST_BYTES)
        with self._lock:
            if self._ended:
                return
            if self._output is None:
                self._output = KeptOutput()
            output = self._output
            is_first = not output.has_lines
            if value is None:
                output.add_text(channel, chunk, self._clock())
            else:
                output.add_json(channel, value, self._clock())
            is_first = is_first and output.has_lines
        if is_first or (flush and output.has_lines):
            self._wake(at_once=flush)

    def keep_progress(self, fraction: float, message: str | None) -> None:
        """Sets the progress, from any thread."""
        text = None if message is None else clean_text(message)
        with self._lock:
            is_first = self._progress is None
            self._progress = StepUpdate(step_execution_id=self._attempt, progress=fraction, progress_message=text)
        if is_first:
            self._wake()

    def keep_usage(self, call: UsageCall) -> None:
        """Counts what a call of a model used, from any thread.

        Raises:
            InvalidArgument: it is more than can be counted.
        """
        with self._lock:
            if self._ended:
                return
            self._tally = self._tally or UsageTally()
            self._tally.add(call)
            is_first, self._has_untold = not self._has_untold, True
        if is_first:
            self._wake()

    @property
    def usage(self) -> Usage | None:
        """All that was told so far; None: nothing was."""
        with self._lock:
            return None if self._tally is None else self._tally.usage

    def end(self) -> tuple[tuple[LogLine, ...], StepUpdate | None]:
        """What the transition that ends the attempt is to write: lines and progress not stored yet, and all usage.

        Later ones are dropped. What was written of the usage before does not count twice.
        """
        with self._lock:
            self._ended = True
            lines, progress = self._unwritten + self._lines, self._news()
            if self._kept is not None:
                lines += self._kept.rest()
            if self._output is not None:
                lines += self._output.take(self._output.characters)
            self._lines = []
        if self._timer is not None:
            self._timer.cancel()
        return self._aged(lines) if lines else (), progress

    async def write_surplus(self) -> None:
        """Write so much output that what is left can be written at once, with the end of the attempt."""
        while self.has_surplus:
            if self._writing is None:
                if self._timer is not None:
                    self._timer.cancel()
                self._flush()
            if self._writing is not None:
                await asyncio.wait([self._writing])
            if self._unwritten:
                return  # it cannot be written now

    @property
    def has_surplus(self) -> bool:
        """Whether more output waits than is written at once."""
        return self._output is not None and self._output.characters > OUTPUT_AT_ONCE

    def _wake(self, *, at_once: bool = False) -> None:
        schedule = self._schedule_at_once if at_once else self._schedule
        if threading.get_ident() == self._thread:
            schedule()
        else:
            with suppress(RuntimeError):  # an abandoned thread may log after the loop has ended
                self._loop.call_soon_threadsafe(schedule)

    def _schedule(self) -> None:
        if not self._ended and self._timer is None:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self._flush)

    def _schedule_at_once(self) -> None:
        if self._writing is not None:
            self._is_urgent = True
        elif not self._ended:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(0, self._flush)

    def _flush(self) -> None:
        self._writing = background(self._write_now(), f"notes:{self._attempt}")

    async def _write_now(self) -> None:
        self._unwritten += self._take_lines()
        with self._lock:
            progress = self._news() if self._has_untold else self._progress
            self._progress, self._has_untold = None, False
        updates = () if progress is None else (progress,)
        if await self._write(self._aged(self._unwritten), updates):
            self._unwritten = []
        elif progress is not None:
            with self._lock:
                if progress.progress is not None:
                    self._progress = self._progress or replace(progress, usage=None)
                self._has_untold = self._has_untold or progress.usage is not None
        self._timer = self._writing = None
        has_output = self._output is not None and self._output.has_lines
        is_urgent, self._is_urgent = self._is_urgent, False
        if has_output and not self._unwritten and (is_urgent or self.has_surplus):
            self._schedule_at_once()
        elif has_output or self._unwritten or self._lines or self._progress is not None or self._has_untold:
            self._schedule()

    def _take_lines(self) -> list[LoggedLine]:
        with self._lock:
            lines, self._lines = self._lines, []
            return lines if self._output is None else lines + self._output.take(OUTPUT_AT_ONCE)

    def _news(self) -> StepUpdate | None:
        """The latest progress where that is not stored, and all usage, if there is any; under the lock."""
        progress, self._progress = self._progress, None
        if self._tally is None:
            return progress
        return replace(progress or StepUpdate(step_execution_id=self._attempt), usage=self._tally.usage)

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
