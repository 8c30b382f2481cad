"""What is within a run, in a few lines: how many runs stand how, and the first that failed."""

from collections.abc import Iterator, Mapping

from ia_modules.cli.output.terminal import error_line
from ia_modules.models import StepStatus
from ia_modules.tracker.levels import RunPage

MOST_FAILURES = 5


def counts_text(by_status: Mapping[StepStatus, int]) -> str:
    """``12 runs: 10 completed, 2 failed``."""
    total = sum(by_status.values())
    counts = ", ".join(f"{count:,} {status}" for status, count in by_status.items())
    return f"{total:,} {'run' if total == 1 else 'runs'}: {counts}"


def level_lines(failed: RunPage, command: str) -> Iterator[str]:
    """The lines about what is within a run.

    Args:
        failed: the first page of those that failed, with the counts of all.
        command: lists what is within the run.
    """
    by_status = failed.by_status or {}
    yield counts_text(by_status)
    for run in failed.items[:MOST_FAILURES]:
        name = f"{run.step_id}#{run.iteration}"
        key = "" if run.step_name == run.step_id else f" ({run.step_name})"
        yield f"{name}{key} failed: {error_line(run.error_type, run.error_message)}"
    more = by_status.get(StepStatus.FAILED, 0) - len(failed.items[:MOST_FAILURES])
    if more > 0:
        yield f"and {more:,} more: {command} --failed"
