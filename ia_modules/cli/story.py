"""An execution told on a terminal, so that somebody who has not seen one before understands how it went."""

from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from ia_modules.cli.terminal import (
    elapsed,
    excerpt,
    moment,
    one_line,
    plain,
    print_line,
    print_table,
    status_text,
)
from ia_modules.models import ExecutionRecord, LogRecord, StepExecutionRecord

_LOG_LINES = 20
_FAILED = ("failed", "lost")


def tell(execution: ExecutionRecord, steps: Sequence[StepExecutionRecord], logs: Sequence[LogRecord]) -> None:
    """Print the story: what it is and how it stands, its steps, what went wrong, the end of its log."""
    print_line(("Execution ", "bold"), (execution.execution_id, "bold"))
    for name, value in _facts(execution):
        print_line(f"  {name:<10}", value)
    if steps:
        _tell_steps(steps)
    for step in steps:
        if step.status in _FAILED:
            _tell_failure(step)
    if logs:
        _tell_logs(logs, {step.step_execution_id: step.step_name for step in steps})


def _facts(execution: ExecutionRecord) -> Iterator[tuple[str, str | Text]]:
    version = "" if execution.pipeline_version is None else f", version {execution.pipeline_version}"
    yield "pipeline", f"{one_line(execution.pipeline_name)}{version} (id {execution.pipeline_id})"
    yield "status", status_text(execution.status)
    if execution.error_message:
        yield "error", Text(_error(execution.error_type, execution.error_message), style="red")
    yield "started", moment(execution.started_at)
    yield "took", elapsed(execution.started_at, execution.completed_at)
    total = f" of {execution.total_steps}" if execution.total_steps else ""
    yield "steps", f"{execution.completed_steps}{total} completed, {execution.failed_steps} failed"
    for name, payload in (
        ("input", execution.input_data),
        ("output", execution.output_data),
        ("metadata", execution.metadata),
    ):
        if payload is not None:
            yield name, excerpt(payload, width=1000)


def _tell_steps(steps: Sequence[StepExecutionRecord]) -> None:
    print_line()
    rows = (
        (
            status_text(step.status),
            elapsed(step.started_at, step.completed_at),
            f"{step.attempt}" if step.iteration == 1 else f"{step.attempt} (iteration {step.iteration})",
            step.step_name,
            _in_and_out(step),
        )
        for step in steps
    )
    print_table(("STATUS", "TOOK", "ATTEMPT", "STEP", "INPUT → OUTPUT"), rows)


def _in_and_out(step: StepExecutionRecord) -> str:
    given = excerpt(step.input_data, step.input_bytes, width=40) if step.input_bytes else ""
    if step.error_message:
        return f"{given} → {_error(step.error_type, step.error_message)}"
    if not step.status.is_terminal:
        progress = "" if step.progress is None else f"{step.progress:.0%} "
        return f"{given} … {progress}{step.progress_message or ''}"
    return f"{given} → {excerpt(step.output_data, step.output_bytes)}" if step.output_bytes else given


def _error(kind: str | None, message: str) -> str:
    """The exception's class and the first line of its message."""
    first = one_line(next(iter(message.strip().splitlines()), ""))
    return f"{kind}: {first}" if kind else first


def _tell_failure(step: StepExecutionRecord) -> None:
    print_line()
    print_line((f"Attempt {step.attempt} of {one_line(step.step_name)} {step.status}", "bold red"))
    for line in plain(step.traceback or step.error_message or "").rstrip().splitlines():
        print_line(f"  {line}")


def _tell_logs(logs: Sequence[LogRecord], names: Mapping[str, str]) -> None:
    left_out = len(logs) > _LOG_LINES
    print_line()
    print_line((f"Log, its last {_LOG_LINES} of {len(logs)} lines" if left_out else "Log", "bold"))
    rows = (
        (
            f"{line.logged_at.astimezone():%H:%M:%S.%f}"[:-3],
            line.level,
            names.get(line.step_execution_id or "", ""),
            line.message if line.data is None else f"{line.message}  {excerpt(line.data)}",
        )
        for line in logs[-_LOG_LINES:]
    )
    print_table(("TIME", "LEVEL", "STEP", "MESSAGE"), rows)
