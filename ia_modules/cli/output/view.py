"""What is seen of an execution while it runs: a live view on a terminal, lines in a pipe, JSON for programs.

What steps print themselves appears above the live view; where there is none it goes to stderr, so that stdout has
nothing else.
"""

import os
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

from rich.live import Live

from ia_modules.cli.interrupt import quiet_keyboard
from ia_modules.cli.output.live_view import LiveView
from ia_modules.cli.output.step_table import StepTable, note_of
from ia_modules.cli.output.terminal import clock, console, duration, excerpt, json_text, plain, warn
from ia_modules.models import (
    GAP_LOGGER,
    SEVERITIES,
    Changes,
    ExecutionRecord,
    InteractionSummary,
    LogLevel,
    LogRecord,
    StepExecutionId,
    StepSummary,
)
from ia_modules.pieces import OutputPiece
from ia_modules.pipeline.capture import STDOUT
from ia_modules.pipeline.document.graph import Graph

_REFRESH_PER_SECOND = 8
_PROGRESS_STEPS = 10  # at most so many lines for the progress of one step


class View(Protocol):
    """Where changes are shown.

    Attributes:
        is_whole: it shows the state of all steps, so it needs all changes from the first.
    """

    is_whole: bool

    def show(self, changes: Changes) -> None: ...

    def say(self, sentence: str) -> None:
        """A sentence about the command itself, such as what Ctrl-C does."""
        ...

    def end(self, record: ExecutionRecord) -> None:
        """The end: the execution with its output."""
        ...


@contextmanager
def view_of(
    graph: Graph | None, *, as_json: bool, runs_here: bool = False, output: bool = False
) -> Generator["View | OutputView"]:
    """The view that suits where stdout leads.

    Args:
        runs_here: this process runs it, so what its steps print is seen as they print it, and not as lines again.
        output: what steps give as it comes is shown, and nothing else.
    """
    if output:
        stdout = sys.stdout
        with redirect_stdout(sys.stderr):
            yield OutputView(stdout, as_json=as_json)
        return
    out = console()
    if not as_json and sys.stdout.isatty() and out.is_interactive:
        view = LiveView(StepTable(graph), out)
        with quiet_keyboard(), Live(get_renderable=view.render, console=out, refresh_per_second=_REFRESH_PER_SECOND):
            yield view
    else:
        stdout = sys.stdout
        with redirect_stdout(sys.stderr):  # what else is printed meanwhile
            yield JsonLines(stdout) if as_json else Lines(stdout, shows_prints=not runs_here)


class JsonLines:
    """One object for each change, as the socket sends them: ``{"type", "sequence", "data"}``."""

    is_whole = False

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, changes: Changes) -> None:
        rows: list[tuple[str, StepSummary | InteractionSummary | LogRecord]] = [
            *(("step_update", step) for step in changes.steps),
            *(("interaction_update", question) for question in changes.interactions),
            *(("log", line) for line in changes.logs),
        ]
        for kind, row in sorted(rows, key=lambda each: each[1].sequence):
            self._write(kind, row.sequence, row.to_dict())
        self._write("execution_update", changes.upto, changes.execution.to_dict())

    def say(self, sentence: str) -> None:
        warn(sentence)

    def end(self, record: ExecutionRecord) -> None:
        self._write("result", record.sequence, record.to_dict())

    def _write(self, kind: str, sequence: int, data: Mapping[str, Any]) -> None:
        write_line(self._out, json_text({"type": kind, "sequence": sequence, "data": data}))


class Lines:
    """One line for each change, for people who read a log later."""

    is_whole = False

    def __init__(self, out: TextIO, *, shows_prints: bool) -> None:
        self._out, self._shows_prints = out, shows_prints
        self._seen: dict[str, object] = {}
        self._names: dict[StepExecutionId, str] = {}
        self._began = False

    def show(self, changes: Changes) -> None:
        if not self._began:
            self._began = True
            execution = changes.execution
            version = "" if execution.pipeline_version is None else f", version {execution.pipeline_version}"
            self._write(f"{execution.pipeline_name}{version}: execution {execution.execution_id}")
        self._names |= {step.step_execution_id: step.step_id for step in changes.steps}
        lines = [*((step.sequence, self._step(step)) for step in changes.steps)]
        logs = [line for line in changes.logs if line.level is not LogLevel.OUTPUT]
        logs = [line for line in logs if self._shows_prints or line.logger != STDOUT]
        lines += [(line.sequence, _log_line(line, self._names)) for line in logs]
        for _, line in sorted((each for each in lines if each[1]), key=lambda each: each[0]):
            self._write(line)

    def say(self, sentence: str) -> None:
        warn(sentence)

    def end(self, record: ExecutionRecord) -> None:
        """The command itself prints the end."""

    def _step(self, step: StepSummary) -> str:
        tenths = None if step.progress is None else int(step.progress * _PROGRESS_STEPS)
        state = step.status if step.status.is_terminal else (step.status, tenths, step.progress_message)
        if self._seen.get(step.step_execution_id) == state:
            return ""
        is_new = self._seen.get(step.step_execution_id) is None
        self._seen[step.step_execution_id] = state
        began = step.started_at if is_new else None
        time = step.completed_at or began or datetime.now(UTC)
        took = duration(step.duration_seconds) if step.duration_seconds is not None else ""
        progress = f"{step.progress:.0%}" if step.progress is not None and not step.status.is_terminal else ""
        parts = [took, progress, note_of(step)]
        return f"{clock(time)}  {step.step_id:<16}  {step.status:<9}  {'  '.join(part for part in parts if part)}"

    def _write(self, line: str) -> None:
        write_line(self._out, _flat(line))


class OutputView:
    """What steps give as it comes: texts as they are, values as lines of JSON; with JSON an object for each piece."""

    is_whole = True

    def __init__(self, out: TextIO, *, as_json: bool) -> None:
        self._out, self._as_json = out, as_json
        self._is_in_line = False

    def show_piece(self, piece: OutputPiece) -> None:
        if self._as_json:
            self._write(
                {"type": "output", "sequence": piece.sequence, "data": piece.to_dict() | {"cursor": piece.cursor}}
            )
            return
        if piece.is_left_out:
            warn(piece.text)
            return
        lines = "".join(f"{json_text(value)}\n" for value in piece.values)
        before = "\n" if lines and self._is_in_line else ""
        write_text(self._out, f"{before}{lines}{plain(piece.text)}")
        self._is_in_line = not lines and not piece.text.endswith("\n")

    def say(self, sentence: str) -> None:
        warn(sentence)

    def end(self, record: ExecutionRecord) -> None:
        if self._as_json:
            self._write({"type": "result", "sequence": record.sequence, "data": record.to_dict()})
        elif self._is_in_line:
            write_text(self._out, "\n")

    def _write(self, message: Mapping[str, Any]) -> None:
        write_line(self._out, json_text(message))


class LogLines:
    """The log lines alone: of a level or more severe, with a text in them; or what steps gave as it came.

    A line that stands for others, which are left out, is shown with any text: it may be what they had.
    """

    is_whole = True

    def __init__(self, out: TextIO, level: LogLevel, text: str | None, *, as_json: bool) -> None:
        self._out, self._as_json = out, as_json
        self._levels = (level,) if level is LogLevel.OUTPUT else SEVERITIES[SEVERITIES.index(level) :]
        self._text = (text or "").casefold()
        self._names: dict[StepExecutionId, str] = {}

    def show(self, changes: Changes) -> None:
        names = {step.step_execution_id: step.step_id for step in changes.steps}
        self.show_lines([line for line in changes.logs if self._is_wanted(line)], names)

    def show_lines(self, lines: Iterable[LogRecord], names: Mapping[StepExecutionId, str]) -> None:
        """Lines that are wanted; ``names``: the step of each attempt that is not known yet."""
        self._names |= names
        for line in lines:
            write_line(self._out, json_text(line.to_dict()) if self._as_json else _flat(_log_line(line, self._names)))

    def _is_wanted(self, line: LogRecord) -> bool:
        has_text = line.logger == GAP_LOGGER or self._text in line.message.casefold()
        return line.level in self._levels and has_text

    def say(self, sentence: str) -> None:
        warn(sentence)

    def end(self, record: ExecutionRecord) -> None:
        """Nothing: the end of an execution is no log line."""


def _log_line(line: LogRecord, names: Mapping[StepExecutionId, str]) -> str:
    step = "" if line.step_execution_id is None else names.get(line.step_execution_id, "")
    return f"{clock(line.logged_at)}  {step:<16}  {line.level:<9}  {message_of(line)}"


def message_of(line: LogRecord) -> str:
    """The message with its logger and its data, if it has any."""
    data = "" if line.data is None else f"  {excerpt(line.data)}"
    return f"{line.message}{data}" if line.logger is None else f"{line.logger}: {line.message}{data}"


def _flat(text: str) -> str:
    return " ".join(plain(text).replace("\t", " ").split("\n")).rstrip()


def write_line(out: TextIO, line: str) -> None:
    """Write a line at once; a reader that is gone does not keep an execution from going on."""
    write_text(out, f"{line}\n")


def write_text(out: TextIO, text: str) -> None:
    """The same of a text that need not be a line."""
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # for the rest of the buffer, and everything after it
