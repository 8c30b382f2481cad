"""What is seen of an execution while it runs: a live picture on a terminal, lines in a pipe, JSON for programs.

What steps print themselves stands above the picture; where there is none it goes to stderr, so that stdout has only
what is promised.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from typing import Protocol, TextIO

from rich.live import Live

from ia_modules.cli.interrupt import quiet_keyboard
from ia_modules.cli.output.line_view import JsonLines, Lines
from ia_modules.cli.output.live_view import LivePicture
from ia_modules.cli.output.step_table import Picture
from ia_modules.cli.output.terminal import console
from ia_modules.models import Changes, ExecutionRecord
from ia_modules.pipeline.document.graph import Graph

_REFRESH_PER_SECOND = 8


class View(Protocol):
    """Where changes are shown.

    Attributes:
        is_whole: it shows how everything stands, so it needs all changes from the first.
    """

    is_whole: bool

    def show(self, changes: Changes) -> None: ...

    def say(self, sentence: str) -> None:
        """Something that is not of the execution, such as what Ctrl-C does."""
        ...

    def end(self, record: ExecutionRecord) -> None:
        """The last of it: the execution as it stands, with its output."""
        ...


@contextmanager
def view_of(graph: Graph | None, *, as_json: bool) -> Generator[View]:
    """The view that suits where stdout leads."""
    out = console()
    if as_json:
        with _stdout_kept() as stdout:
            yield JsonLines(stdout)
    elif sys.stdout.isatty() and out.is_interactive:
        view = LivePicture(Picture(graph), out)
        with quiet_keyboard(), Live(get_renderable=view.render, console=out, refresh_per_second=_REFRESH_PER_SECOND):
            yield view
    else:
        with _stdout_kept() as stdout:
            yield Lines(stdout)


@contextmanager
def _stdout_kept() -> Generator[TextIO]:
    """Stdout for us alone: what else is printed meanwhile goes to stderr."""
    stdout = sys.stdout
    with redirect_stdout(sys.stderr):
        yield stdout
