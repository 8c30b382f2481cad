"""An execution told on a terminal, so that somebody who has not seen one before understands how it went."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from ia_modules.cli.options.execution import is_gone
from ia_modules.cli.output.step_runs import Chapter, LeftOut, chapters, never_run
from ia_modules.cli.output.terminal import (
    clock,
    elapsed,
    error_line,
    excerpt,
    moment,
    one_line,
    plain,
    print_line,
    print_table,
    status_text,
)
from ia_modules.models import (
    ExecutionRecord,
    ExecutionStatus,
    InteractionRecord,
    LogRecord,
    PipelineVersionRecord,
    StepExecutionRecord,
)

_LOG_LINES = 20
_NAME_WIDTH = 24
_OURS = re.compile(r'  File "[^"]*/ia_modules/(?:pipeline|tracker|live)/[^"]*", line .*\n(?:    .*\n)*')


@dataclass(frozen=True, slots=True)
class Story:
    """What is on record of an execution.

    Attributes:
        steps: all attempts, with their payloads.
        version: the definition that it runs; None for a program that only records itself.
        everything: leave nothing out.
    """

    execution: ExecutionRecord
    steps: Sequence[StepExecutionRecord]
    logs: Sequence[LogRecord]
    interactions: Sequence[InteractionRecord]
    version: PipelineVersionRecord | None
    everything: bool = False


def tell(story: Story, same_database: str = "") -> None:
    """Print the story: how it stands, what happened step by step, what went wrong, the log, and how to go on."""
    execution = story.execution
    print_line(("Execution ", "bold"), (execution.execution_id, "bold"))
    for name, value in _facts(execution):
        print_line(f"  {name:<10}", value)
    told = chapters(execution, story.steps, story.version, everything=story.everything)
    if told:
        _heading("What happened")
        for chapter in told:
            _tell_left_out(chapter) if isinstance(chapter, LeftOut) else _tell_chapter(chapter)
    if missed := never_run(execution, story.steps, story.version):
        _heading("Never run")
        for name, why in missed:
            print_line(f"  {_padded(one_line(name))}", (one_line(why), "dim"))
    for chapter in told:
        if isinstance(chapter, Chapter) and chapter.failed_for_good:
            _tell_failure(chapter.attempts[-1])
    if story.logs:
        limit = len(story.logs) if story.everything else _LOG_LINES
        _tell_logs(story.logs, {step.step_execution_id: step.step_name for step in story.steps}, limit)
    _tell_how_to_go_on(story, same_database)


def _facts(execution: ExecutionRecord) -> Iterator[tuple[str, str | Text]]:
    version = "" if execution.pipeline_version is None else f", version {execution.pipeline_version}"
    yield "pipeline", f"{one_line(execution.pipeline_name)}{version} (id {execution.pipeline_id})"
    yield "status", status_text(execution.status)
    if execution.error_message:
        yield "error", Text(error_line(execution.error_type, execution.error_message), style="red")
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


def _completed(execution: ExecutionRecord) -> str:
    done, total = execution.completed_steps, execution.total_steps
    if not total:
        return str(done)
    return f"{done} of {total}" if done <= total else f"{done} runs of {total} steps"


def _heading(text: str, style: str = "bold") -> None:
    print_line()
    print_line((text, style))


def _tell_chapter(chapter: Chapter) -> None:
    last = chapter.attempts[-1]
    took = elapsed(chapter.attempts[0].started_at, last.completed_at)
    how = f" {'in' if last.status.is_terminal else 'for'} {took}" if last.started_at else ""
    beside = f", at the same time as {', '.join(chapter.beside)}" if chapter.beside else ""
    number = f"{chapter.number:>3}  "
    print_line(
        number, (_padded(one_line(chapter.title)), "bold"), status_text(last.status), how, (one_line(beside), "dim")
    )
    for name, value in chapter.details():
        print_line(f"       {name:<9} ", one_line(value))


def _tell_left_out(gap: LeftOut) -> None:
    print_line(("     … ", "dim"), (f"{one_line(gap.text)}; --all shows them", "dim"))


def _padded(name: str) -> str:
    return f"{name:<{_NAME_WIDTH}}  "


def _tell_failure(step: StepExecutionRecord) -> None:
    _heading(f"Attempt {step.attempt} of {one_line(step.step_name)} {step.status}", "bold red")
    whole = plain(step.traceback or step.error_message or "")
    theirs = _OURS.sub("", whole)
    for line in (theirs if 'File "' in theirs else whole).rstrip().splitlines():
        print_line(f"  {line}")


def _tell_logs(logs: Sequence[LogRecord], names: Mapping[str, str], limit: int) -> None:
    left_out = len(logs) > limit
    _heading(f"Log, its last {limit} of {len(logs)} lines" if left_out else "Log")
    rows = (
        (
            clock(line.logged_at),
            line.level,
            names.get(line.step_execution_id or "", ""),
            line.message if line.data is None else f"{line.message}  {excerpt(line.data)}",
        )
        for line in logs[-limit:]
    )
    print_table(("TIME", "LEVEL", "STEP", "MESSAGE"), rows)


def _tell_how_to_go_on(story: Story, same_database: str) -> None:
    lines = list(_ways_on(story, same_database))
    if lines:
        _heading("How to go on")
        for line in lines:
            print_line(f"  {one_line(line)}")


def _ways_on(story: Story, same_database: str) -> Iterator[str]:
    execution = story.execution
    command = f"ia-modules executions {{}} {execution.execution_id}{same_database}"
    for question in story.interactions:
        if question.status == "pending":
            until = "" if question.deadline_at is None else f", until {moment(question.deadline_at)}"
            asked = question.prompt or "a question without words"
            yield f"a person answers{until}: {asked} ({question.interaction_id})"
    match execution.status:
        case ExecutionStatus.FAILED | ExecutionStatus.CANCELLED if story.version is not None:
            yield f"{command.format('resume')}  (runs what has not completed)"
        case ExecutionStatus.WAITING_FOR_HUMAN if story.version is not None:
            yield f"then: {command.format('resume')}"
        case ExecutionStatus.RUNNING if is_gone(execution.owner):
            yield f"{execution.owner}, which ran it, is gone: {command.format('resume')}"
        case ExecutionStatus.RUNNING:
            yield f"{command.format('watch')}  (it runs in {execution.owner})"
            yield f"{command.format('cancel')}  (stops it)"
        case ExecutionStatus.PENDING:
            yield f"{command.format('watch')}  (a worker will run it)"
        case _:
            return
