"""Two executions beside each other for a terminal: where they diverged first, then their runs, then what differs."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from ia_modules.cli.output.terminal import (
    ago,
    duration,
    elapsed,
    error_line,
    moment,
    one_line,
    print_line,
    print_table,
    status_text,
)
from ia_modules.models import ExecutionSummary
from ia_modules.pipeline.comparing.comparison import AlignedRun, ComparedRun, Comparison
from ia_modules.pipeline.comparing.contrast import Contrast
from ia_modules.pipeline.comparing.difference import JsonChange

_MOST_RUNS = 40  # with more, only those that differ are in the table

_SAME = {True: "same", False: "differs", None: "-"}


def print_comparison(comparison: Comparison, *, everything: bool) -> None:
    """Print it, the first divergence first.

    Args:
        everything: also the runs in which nothing differs, however many there are.
    """
    _print_executions(comparison)
    print_line()
    if comparison.divergence is None:
        print_line(("No divergence", "bold"), ", as far as both have come." if comparison.as_of else ".")
    else:
        print_line(("First divergence: ", "bold"), (one_line(comparison.divergence.sentence), "bold red"))
    for note in comparison.notes:
        print_line(one_line(note))
    _print_runs(comparison, everything=everything)
    for title, contrast in _contrasts(comparison):
        _print_contrast(title, contrast)


def _print_executions(comparison: Comparison) -> None:
    print_table(("", "ID", "STATUS", "TOOK", "PIPELINE", "STARTED"), map(_facts, "AB", (comparison.a, comparison.b)))
    if comparison.as_of is not None:
        print_line(f"As of {moment(comparison.as_of)}.")


def _facts(name: str, execution: ExecutionSummary) -> Sequence[str | Text]:
    version = "" if execution.pipeline_version is None else f", version {execution.pipeline_version}"
    return (
        Text(name, style="bold"),
        execution.execution_id,
        status_text(execution.status),
        elapsed(execution.started_at, execution.completed_at),
        f"{execution.pipeline_name}{version}",
        ago(execution.started_at),
    )


def _print_runs(comparison: Comparison, *, everything: bool) -> None:
    is_short = everything or len(comparison.steps) <= _MOST_RUNS
    shown = [pair for pair in comparison.steps if is_short or pair.differs]
    print_line()
    if shown:
        print_table(
            ("", "STEP", "A", "B", "INPUT", "OUTPUT", "PATHS", "TOOK A", "TOOK B"),
            (_row(pair, comparison) for pair in shown),
        )
    counts = comparison.counts
    print_line(
        f"{counts.same} the same, {counts.different} different, {counts.only_a} only in A, {counts.only_b} only in B."
    )
    if len(shown) < len(comparison.steps):
        print_line((f"Those that are the same are left out; --all shows {len(comparison.steps)}.", "dim"))
    if comparison.steps_left_out:
        print_line((f"{comparison.steps_left_out:,} more are not listed.", "dim"))


def _row(pair: AlignedRun, comparison: Comparison) -> Sequence[str | Text]:
    first = comparison.divergence
    is_first = first is not None and (first.within, first.step_id, first.iteration) == pair.address
    return (
        Text(">", style="bold red") if is_first else "",
        _title(pair),
        _standing(pair.a),
        _standing(pair.b),
        _same(None if pair.input is None else pair.input.same),
        _same(None if pair.output is None else pair.output.same),
        _same(pair.routes),
        _took(pair.a),
        _took(pair.b),
    )


def _title(pair: AlignedRun) -> str:
    name = pair.step_id if pair.iteration == 1 else f"{pair.step_id} #{pair.iteration}"
    return f"{pair.within}/{name}" if pair.within else name


def _standing(run: ComparedRun | None) -> Text:
    if run is None:
        return Text("-")
    attempts = "" if run.attempts == 1 else f" ({run.attempts} attempts)"
    copied = "" if run.copied_from is None else " (copied)"
    return Text.assemble(status_text(run.status), attempts, copied)


def _same(same: bool | None) -> Text:
    return Text(_SAME[same], style="red" if same is False else "")


def _took(run: ComparedRun | None) -> str:
    return "-" if run is None or run.duration_seconds is None else duration(run.duration_seconds)


def _contrasts(comparison: Comparison) -> Iterator[tuple[str, Contrast]]:
    """What differs, with what it is."""
    own = (("definition", comparison.definitions), ("input", comparison.input), ("output", comparison.output))
    named = [(f"The {name} of the execution" if name != "definition" else "The definition", each) for name, each in own]
    for pair in comparison.steps:
        parts = (("input", pair.input), ("output", pair.output), ("definition", pair.definitions))
        named += [(f"{_title(pair)}: {name}", each) for name, each in parts]
        named += [(f"{_title(pair)}: {name}", each) for name, each in _errors_and_paths(pair)]
    yield from ((title, each) for title, each in named if each is not None and each.same is False)


def _errors_and_paths(pair: AlignedRun) -> Iterator[tuple[str, Contrast]]:
    """Told as differences of values are."""
    if pair.a is None or pair.b is None:
        return
    errors = [error_line(run.error_type, run.error_message) if run.error_message else None for run in (pair.a, pair.b)]
    if errors[0] != errors[1]:
        yield "error", _of_texts("error", *errors)
    if pair.routes is False:
        yield "paths", _of_texts("taken", *(", ".join(run.taken or ()) or "none" for run in (pair.a, pair.b)))


def _of_texts(path: str, a: str | None, b: str | None) -> Contrast:
    return Contrast(same=False, changes=(JsonChange(path, a, b, 0, 0),))


def _print_contrast(title: str, contrast: Contrast) -> None:
    print_line()
    print_line((one_line(title), "bold"))
    for change in contrast.changes:
        print_line(f"  {one_line(change.path)}")
        print_line("    A  ", _value(change.a))
        print_line("    B  ", _value(change.b))
    if contrast.left_out:
        print_line((f"  … and at {contrast.left_out:,} more places", "dim"))
    if contrast.note is not None:
        print_line((f"  {contrast.note}", "dim"))


def _value(text: str | None) -> Text:
    return Text("not there", style="dim") if text is None else Text(one_line(text))
