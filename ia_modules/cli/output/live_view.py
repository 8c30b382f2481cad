"""The live view of an execution on a terminal: a table of its steps, drawn again several times a second."""

from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ia_modules.cli.output.step_table import StepRow, StepTable, visible
from ia_modules.cli.output.terminal import elapsed, one_line, status_text
from ia_modules.models import Changes, ExecutionRecord

_MARKS: Mapping[str, tuple[str, str]] = {
    "completed": ("✓", "green"),
    "running": ("●", "cyan"),
    "retrying": ("↻", "yellow"),
    "waiting": ("?", "yellow"),
    "failed": ("✗", "red"),
    "lost": ("✗", "red"),
    "cancelled": ("■", "magenta"),
    "pending": ("·", "dim"),
    "skipped": ("-", "dim"),
    "not run": ("-", "dim"),
}
_LINES_AROUND = 4  # the head line, an empty one, what the shell needs


class LiveView:
    """A step table that one thread draws while another keeps it up to date."""

    is_whole = True

    def __init__(self, steps: StepTable, out: Console) -> None:
        self._steps, self._out = steps, out
        self._ended = False

    def show(self, changes: Changes) -> None:
        self._steps = self._steps.after(changes)  # a new one: another thread draws

    def say(self, sentence: str) -> None:
        self._out.print(Text(sentence, style="yellow"))

    def end(self, record: ExecutionRecord) -> None:
        self._ended = True  # the last drawing stays, so it is whole

    def render(self) -> RenderableType:
        steps = self._steps
        if steps.execution is None:
            return Text("…", style="dim")
        rows = steps.rows()
        height = len(rows) if self._ended else max(3, self._out.height - _LINES_AROUND)
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(10, self._out.width // 3))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        shown = visible(rows, height)
        for row in shown:
            if isinstance(row, StepRow):
                table.add_row(*_cells(row))
        left_out = [Text(row, style="dim") for row in shown if isinstance(row, str)]
        return Group(_head(steps), table, *left_out)


def _head(steps: StepTable) -> Text:
    execution = steps.execution
    assert execution is not None
    version = "" if execution.pipeline_version is None else f", version {execution.pipeline_version}"
    took = elapsed(execution.started_at, execution.completed_at)
    name = (f"{one_line(execution.pipeline_name)}{version}  ", "bold")
    return Text.assemble(name, status_text(execution.status), f"  {took}  ", (execution.execution_id, "dim"))


def _cells(row: StepRow) -> list[RenderableType]:
    mark, style = _MARKS.get(row.word, ("·", ""))
    took = "" if row.step is None else elapsed(row.step.started_at, row.step.completed_at)
    quiet = "dim" if row.step is None else ""
    note: RenderableType = Text(one_line(row.note), style="red" if row.word == "failed" else "dim")
    if row.step is not None and row.step.progress is not None and row.is_active:
        note = _progress(row.step.progress, row.note)
    return [Text(mark, style=style), Text(one_line(row.name), style=quiet), Text(row.word, style=style), took, note]


def _progress(fraction: float, note: str) -> Table:
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=20)
    line.add_column(no_wrap=True)
    line.add_column(no_wrap=True, overflow="ellipsis")
    line.add_row(ProgressBar(total=1.0, completed=fraction, width=20), f"{fraction:4.0%}", Text(one_line(note), "dim"))
    return line
