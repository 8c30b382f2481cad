"""What commands print: tables and JSON on stdout, one line per error on stderr, and nothing that a terminal obeys.

Names, messages and payloads come from programs that are recorded. They are printed as text: no markup, no control
codes.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from math import ceil
from typing import Annotated, Any, TypeVar

import orjson
import typer
from rich.console import Console
from rich.text import Text

from ia_modules.errors import IAModulesError
from ia_modules.models import ExecutionStatus
from ia_modules.tracker.liveness import Liveness

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")  # JSON itself escapes the others

_PIPED_WIDTH = 10_000  # what reads a pipe wants whole lines

_STYLES = {
    "completed": "green",
    "applied": "green",
    "running": "cyan",
    "waiting_for_human": "yellow",
    "waiting": "yellow",
    "pending": "yellow",
    "failed": "red",
    "lost": "red",
    "changed": "red",
    "cancelled": "magenta",
    "skipped": "dim",
    "not run": "dim",
}


class ExitStatus(IntEnum):
    """What a command that runs or watches an execution ends with."""

    COMPLETED = 0
    FAILED = 1  # or cancelled
    NOT_STARTED = 2  # nothing was recorded
    WAITING = 3  # for a person, or for its time
    INTERRUPTED = 130  # Ctrl-C while only watching, as shells say it

    @classmethod
    def of(cls, status: ExecutionStatus) -> "ExitStatus":
        match status:
            case ExecutionStatus.COMPLETED:
                return cls.COMPLETED
            case ExecutionStatus.WAITING | ExecutionStatus.WAITING_FOR_HUMAN:
                return cls.WAITING
            case _:
                return cls.FAILED


def run(
    work: Coroutine[Any, Any, T],
    *,
    status: int = 1,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Do a command's work; an error raised on purpose ends the program with its message and this exit status."""
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(work)
    except IAModulesError as error:
        raise fail(str(error), status=status) from None


def fail(message: str, *, status: int = 1) -> typer.Exit:
    """Print an error; the caller raises what this returns."""
    typer.echo(f"Error: {plain(message)}", err=True)
    return typer.Exit(status)


def not_started(message: str) -> typer.Exit:
    """The same for what could not begin; nothing was recorded."""
    return fail(message, status=ExitStatus.NOT_STARTED)


def warn(message: str) -> None:
    typer.echo(plain(message), err=True)


def console() -> Console:
    """Stdout as it is now; a pipe gets whole lines."""
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False, markup=False)


def print_line(*parts: str | Text | tuple[str, str], out: Console | None = None) -> None:
    """One line, of text or (text, style); a terminal's edge cuts it."""
    line = Text.assemble(*parts)
    line.rstrip()
    (out or console()).print(line, no_wrap=True, overflow="ellipsis")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Columns as wide as what they hold. A terminal's edge cuts the lines: the least important column comes last."""
    lines = [[Text(name, style="bold") for name in header]]
    lines += [[cell if isinstance(cell, Text) else Text(one_line(cell)) for cell in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
    out = console()
    for line in lines:
        cells = (part for cell, width in zip(line, widths, strict=True) for part in (cell, _gap(cell, width)))
        print_line(*cells, out=out)


def _gap(cell: Text, width: int) -> str:
    return " " * (width - cell.cell_len + 2)


def print_json(value: object) -> None:
    typer.echo(json_text(value, indented=True))


def json_text(value: object, *, indented: bool = False) -> str:
    """JSON on one line, or indented; whatever a terminal might obey is escaped."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else None).decode()
    return escaped(text)


def escaped(json_text: str) -> str:
    """JSON, also a part of some, in which whatever a terminal might obey is escaped."""
    return _UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], json_text)


def status_text(status: str) -> Text:
    return Text(status, style=_STYLES.get(status, ""))


def plain(text: str) -> str:
    """Text without anything that a terminal would obey: control codes become U+FFFD, line ends and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " if c.isspace() else "\ufffd" for c in text)


def one_line(text: str) -> str:
    return " ".join(plain(text).split())


def excerpt(value: object, size_bytes: int | None = None, *, width: int = 100) -> str:
    """A payload on one line, cut.

    Args:
        size_bytes: of a payload that may not have been read along; None = it is at hand.
    """
    if value is None and size_bytes:
        return f"({size_bytes:,} bytes)"
    line = plain(orjson.dumps(value).decode())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def error_line(kind: str | None, message: str | None) -> str:
    """The exception's class and the first line of its message."""
    first = one_line(next(iter((message or "").strip().splitlines()), ""))
    return f"{kind}: {first}" if kind else first


def clock(time: datetime) -> str:
    """The time of day here, to the millisecond."""
    return f"{time.astimezone():%H:%M:%S.%f}"[:-3]


def moment(time: datetime | None) -> str:
    """A time as people here say it; a dash when there is none."""
    return "-" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def ago(time: datetime | None) -> str:
    """``now``, ``12 s ago``, ``5 min ago``, ``3 h ago``, ``2 d ago`` by this machine's clock."""
    if time is None:
        return "-"
    seconds = int((datetime.now(UTC) - time).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return "now"


def last_heard(liveness: Liveness) -> str:
    """When a process was heard of, and when it counts as gone unless it is heard again."""
    if liveness.state == "stopped":
        return "declared gone or ended in order"
    heard = f"last heard of {liveness.last_heard_seconds:.0f} s ago"
    return heard if liveness.is_gone else f"{heard}, counts as gone in {ceil(liveness.counts_as_gone_in_seconds)} s"


def elapsed(started: datetime | None, completed: datetime | None) -> str:
    """How long something took, or has been running by this machine's clock."""
    return "-" if started is None else duration(((completed or datetime.now(UTC)) - started).total_seconds())


def duration(seconds: float) -> str:
    """``120 ms``, ``3.4 s``, ``2 min 05 s``, ``1 h 03 min``, ``2 d 4 h``; never below zero, clocks may differ."""
    seconds = max(0.0, seconds)
    if seconds < 59.95:
        return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"
