"""A report of one execution for a terminal, readable without knowing the program."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from ia_modules.cli.output.ending import SHOWN_QUESTIONS, prompt_of
from ia_modules.cli.output.level_report import level_lines
from ia_modules.cli.output.step_runs import OmittedRuns, ReportedRun, never_run, step_runs
from ia_modules.cli.output.step_table import graph_of
from ia_modules.cli.output.terminal import (
    clock,
    elapsed,
    error_line,
    excerpt,
    last_heard,
    moment,
    one_line,
    plain,
    print_line,
    print_table,
    status_text,
)
from ia_modules.cli.output.usage_text import cost_text, tokens_text, unpriced_text, usage_lines
from ia_modules.cli.output.view import message_of
from ia_modules.models import (
    ExecutionRecord,
    ExecutionStatus,
    InteractionRecord,
    LogRecord,
    PipelineVersionRecord,
    RunPath,
    StepExecutionRecord,
)
from ia_modules.pipeline.document.merge import rules_text
from ia_modules.tracker.levels import RunPage
from ia_modules.tracker.liveness import Liveness
from ia_modules.tracker.usage import UsageByModel

_LOG_LINES = 20
_NAME_WIDTH = 24
_OURS = re.compile(r'  File "[^"]*/ia_modules/(?:pipeline|tracker|live)/[^"]*", line .*\n(?:    .*\n)*')


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """The records of an execution that a report is made of.

    Attributes:
        steps: all attempts, with their payloads.
        version: the definition that it runs; None for a program that only records itself.
        liveness: of the process that runs it; None when none does, or it has never given a sign of life.
        everything: leave nothing out.
        levels: of runs that have something within them, by their paths: the first page of what failed there.
    """

    execution: ExecutionRecord
    steps: Sequence[StepExecutionRecord]
    logs: Sequence[LogRecord]
    interactions: Sequence[InteractionRecord]
    version: PipelineVersionRecord | None
    liveness: Liveness | None = None
    everything: bool = False
    levels: Mapping[RunPath, RunPage] = field(default_factory=dict[RunPath, RunPage])
    usage: UsageByModel | None = None

    def runs(self) -> list[ReportedRun | OmittedRuns]:
        """What happened, as it is shown."""
        return step_runs(self.execution, self.steps, self.version, everything=self.everything)

    def to_dict(self) -> dict[str, Any]:
        rows = {"steps": self.steps, "logs": self.logs, "interactions": self.interactions}
        listed = {name: [row.to_dict() for row in records] for name, records in rows.items()}
        pages = {path: page.to_dict() for path, page in self.levels.items()}
        levels = [
            {"within": path, "by_status": page["by_status"], "failed": page["items"]} for path, page in pages.items()
        ]
        usage = None if self.usage is None else self.usage.to_dict()
        return self.execution.to_dict() | listed | {"levels": levels, "usage": usage}


def print_report(report: ExecutionReport, same_database: str = "") -> None:
    """Print the status, what happened step by step, failures with their tracebacks, the log, and how to go on."""
    execution = report.execution
    print_line(("Execution ", "bold"), (execution.execution_id, "bold"))
    for name, value in _facts(execution, report.version):
        print_line(f"  {name:<10}", value)
    for name, value in _used(execution, report.usage):
        print_line(f"  {name:<10}", value)
    runs = report.runs()
    if runs:
        _heading("What happened")
        for run in runs:
            if isinstance(run, OmittedRuns):
                _print_omitted(run)
            else:
                _print_run(run, list(_within(run, report, same_database)))
    if missed := never_run(execution, report.steps, report.version):
        _heading("Never run")
        for name, why in missed:
            print_line(f"  {_padded(one_line(name))}", (one_line(why), "dim"))
    for run in runs:
        if isinstance(run, ReportedRun) and run.failed_for_good:
            _print_failure(run.attempts[-1])
    if report.logs:
        limit = len(report.logs) if report.everything else _LOG_LINES
        _print_logs(report.logs, {step.step_execution_id: step.step_name for step in report.steps}, limit)
    _print_next_commands(report, same_database)


def _facts(execution: ExecutionRecord, stored: PipelineVersionRecord | None) -> Iterator[tuple[str, str | Text]]:
    version = "" if execution.pipeline_version is None else f", version {execution.pipeline_version}"
    if execution.alias is not None:
        yield "alias", one_line(execution.alias)
    yield "pipeline", f"{one_line(execution.pipeline_name)}{version} (id {execution.pipeline_id})"
    graph = None if stored is None else graph_of(stored)
    if graph is not None and graph.definition.merge:
        yield "merge", one_line(rules_text(graph.definition.merge))
    yield "status", status_text(execution.status)
    if execution.error_message:
        yield "error", Text(error_line(execution.error_type, execution.error_message), style="red")
    if execution.imported_at is not None:
        went_on = ", of a run that went on elsewhere" if execution.went_on else ""
        yield "copy", f"from a run file{went_on}, {moment(execution.imported_at)} (rows {execution.rows_sha256})"
    if execution.cancel_requested and execution.status in (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED):
        yield "cancel", f"came too late: it had {execution.status} at {moment(execution.completed_at)}"
    yield "started", f"{moment(execution.started_at)} by {one_line(execution.trigger)}"
    yield "took", elapsed(execution.started_at, execution.completed_at)
    yield "steps", f"{_completed(execution)} completed, {execution.failed_steps} failed"
    for name, payload in (
        ("input", execution.input_data),
        ("output", execution.output_data),
        ("metadata", execution.metadata),
    ):
        if payload is not None:
            yield name, excerpt(payload, width=1000)


def _used(execution: ExecutionRecord, usage: UsageByModel | None) -> Iterator[tuple[str, str]]:
    """What its calls of models used, as a whole and by model; nothing where none were told."""
    if usage is None:
        return
    yield "tokens", tokens_text(execution.input_tokens, execution.output_tokens)
    cost = cost_text(execution.cost_micros, usage.currency)
    missing = unpriced_text(execution.unpriced_calls)
    yield "cost", ", ".join(part for part in (cost, missing) if part)
    for number, line in enumerate(usage_lines(usage)):
        yield "" if number else "models", one_line(line)


def _completed(execution: ExecutionRecord) -> str:
    done, total = execution.completed_steps, execution.total_steps
    if not total:
        return str(done)
    return f"{done} of {total}" if done <= total else f"{done} runs of {total} steps"


def _heading(text: str, style: str = "bold") -> None:
    print_line()
    print_line((text, style))


def _within(run: ReportedRun, report: ExecutionReport, same_database: str) -> Iterator[str]:
    if (failed := report.levels.get(run.path)) is not None:
        step_id, iteration = run.key
        which = f"{shlex.quote(step_id)}{f' --iteration {iteration}' if iteration > 1 else ''}{same_database}"
        yield from level_lines(failed, f"ia-modules executions items {report.execution.execution_id} {which}")


def _print_run(run: ReportedRun, within: Sequence[str]) -> None:
    last = run.attempts[-1]
    took = elapsed(run.attempts[0].started_at, last.completed_at)
    how = f" {'in' if last.status.is_terminal else 'for'} {took}" if last.started_at else ""
    concurrent = f", at the same time as {', '.join(run.concurrent_with)}" if run.concurrent_with else ""
    number = f"{run.number:>3}  "
    print_line(
        number, (_padded(one_line(run.title)), "bold"), status_text(last.status), how, (one_line(concurrent), "dim")
    )
    for name, value in run.details():
        print_line(f"       {name:<9} ", one_line(value))
    for number, line in enumerate(within):
        print_line(f"       {'' if number else 'within':<9} ", one_line(line))


def _print_omitted(gap: OmittedRuns) -> None:
    print_line(("     … ", "dim"), (f"{one_line(gap.text)}; --all shows them", "dim"))


def _padded(name: str) -> str:
    return f"{name:<{_NAME_WIDTH}}  "


def _print_failure(step: StepExecutionRecord) -> None:
    _heading(f"Attempt {step.attempt} of {one_line(step.step_name)} {step.status}", "bold red")
    whole = plain(step.traceback or step.error_message or "")
    theirs = _OURS.sub("", whole)
    for line in (theirs if 'File "' in theirs else whole).rstrip().splitlines():
        print_line(f"  {line}")


def _print_logs(logs: Sequence[LogRecord], names: Mapping[str, str], limit: int) -> None:
    left_out = len(logs) > limit
    _heading(f"Log, its last {limit} of {len(logs)} lines" if left_out else "Log")
    rows = (
        (
            clock(line.logged_at),
            line.level,
            names.get(line.step_execution_id or "", ""),
            message_of(line),
        )
        for line in logs[-limit:]
    )
    print_table(("TIME", "LEVEL", "STEP", "MESSAGE"), rows)


def _print_next_commands(report: ExecutionReport, same_database: str) -> None:
    lines = list(_next_commands(report, same_database))
    if lines:
        _heading("How to go on")
        for line in lines:
            print_line(f"  {one_line(line)}")


def _next_commands(report: ExecutionReport, same_database: str) -> Iterator[str]:
    execution = report.execution
    command = f"ia-modules executions {{}} {execution.execution_id}{same_database}"
    pending = [question for question in report.interactions if question.status == "pending"]
    for question in pending[:SHOWN_QUESTIONS]:
        until = "" if question.deadline_at is None else f", until {moment(question.deadline_at)}"
        answer = f"ia-modules interactions respond {question.interaction_id}{same_database}"
        yield f"{answer}  (a person answers{until}: {prompt_of(question)})"
    if len(pending) > SHOWN_QUESTIONS:
        listed = f"ia-modules interactions list --execution {execution.execution_id}{same_database}"
        yield f"{listed}  ({len(pending):,} questions in all)"
    match execution.status:
        case ExecutionStatus.FAILED | ExecutionStatus.CANCELLED if execution.imported_at is not None:
            yield f"{command.format('rerun')}  (a copy is not gone on with: it runs again as a new execution)"
        case ExecutionStatus.FAILED | ExecutionStatus.CANCELLED if report.version is not None:
            yield f"{command.format('resume')}  (runs what has not completed)"
        case ExecutionStatus.WAITING_FOR_HUMAN if report.version is not None:
            yield f"then: {command.format('resume')}"
        case ExecutionStatus.RUNNING if report.liveness is not None and report.liveness.is_gone:
            gone = f"{execution.owner}, which ran it, is gone: it was {last_heard(report.liveness)}"
            yield gone if report.version is None else f"{gone}; {command.format('resume')}"
        case ExecutionStatus.RUNNING:
            heard = "" if report.liveness is None else f", {last_heard(report.liveness)}"
            yield f"{command.format('watch')}  (it runs in {execution.owner}{heard})"
            yield f"{command.format('cancel')}  (stops it)"
        case ExecutionStatus.PENDING:
            yield f"{command.format('watch')}  (a worker will run it)"
        case ExecutionStatus.WAITING:
            when = "when its time has come" if execution.run_at is None else f"at {moment(execution.run_at)}"
            yield f"{command.format('watch')}  (a worker goes on {when})"
            yield f"{command.format('cancel')}  (stops it)"
        case _:
            return
