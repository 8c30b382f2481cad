"""How a run ended or was queued, and how to go on from there."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

import typer

from ia_modules.cli.output.terminal import ExitStatus, duration, json_text, moment, one_line, plain, print_json, warn
from ia_modules.errors import IAModulesError
from ia_modules.models import ExecutionRecord, ExecutionStatus, ExecutionSummary, InteractionRecord, Json

_OUTPUT_LINES = 25  # a longer output is not for a terminal
SHOWN_QUESTIONS = 5
"""A step with a map may ask about thousands: so many are shown, and how many there are."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended, from the records.

    Attributes:
        error: why this process could not bring it to its end; None when it did, in whatever way.
        questions: those that wait for a person.
    """

    record: ExecutionRecord
    questions: list[InteractionRecord]
    error: IAModulesError | None = None

    @property
    def exit_status(self) -> ExitStatus:
        return ExitStatus.of(self.record.status) if self.error is None else ExitStatus.FAILED


def print_ending(ending: Ending, same_database: str, *, is_output: bool = False) -> None:
    """Print how it ended: good news on stdout, the rest on stderr, then what to do next.

    Args:
        same_database: what commands need to find the database, see ``options.database.same_database``.
        is_output: stdout is for what the steps gave as it came: good news goes to stderr, too.
    """
    if is_output:
        with redirect_stdout(sys.stderr):
            print_ending(ending, same_database)
        return
    record = ending.record
    look = f"ia-modules executions show {record.execution_id}{same_database}"
    resume = f"ia-modules executions resume {record.execution_id}{same_database}"
    took = "" if record.duration_seconds is None else f" after {duration(record.duration_seconds)}"
    if ending.error is not None:
        warn(f"Error: {ending.error}")
        _print_hints(("Its details", look))
        return
    match record.status:
        case ExecutionStatus.COMPLETED:
            late = " A cancellation came too late." if record.cancel_requested else ""
            typer.echo(f"\nCompleted{took.replace('after', 'in')}.{late}{_output(record.output_data)}")
            typer.echo(f"\nAll details: {look}")
        case ExecutionStatus.WAITING_FOR_HUMAN:
            typer.echo(f"\nIt waits for a person, and nothing runs meanwhile.{_questions(ending.questions)}")
            for question in ending.questions[:1]:
                answer = f"ia-modules interactions respond {question.interaction_id}{same_database}"
                typer.echo(f"\nAnswer it:              {answer} --as NAME --response JSON")
            typer.echo(f"All details:            {look}")
            typer.echo(f"Once that is answered:  {resume}")
        case ExecutionStatus.WAITING:
            until = "its time has come" if record.run_at is None else moment(record.run_at)
            typer.echo(f"\nIt waits until {until}; a worker goes on then.")
            typer.echo(f"\nAll details: {look}")
        case ExecutionStatus.CANCELLED:
            warn(f"\nCancelled{took}. What had completed stays on record.")
            _print_hints(("Go on with it", resume), ("All details", look))
        case ExecutionStatus.FAILED:
            warn(f"\nError: {_failure(record)}")
            _print_hints(("All details", look), ("Try again from there", resume))
        case _:
            warn(f"\nIt is {record.status}.")
            _print_hints(("Its details", look))


def print_queued(execution: ExecutionSummary, same_database: str, *, as_json: bool, created: bool = True) -> None:
    """Print what was queued.

    Args:
        created: False: the same request had queued it before.
    """
    if as_json:
        print_json(execution.to_dict())
        return
    when = "" if execution.run_at is None else f", not before {moment(execution.run_at)}"
    done = f"Queued as {execution.execution_id}; a worker runs it{when}."
    typer.echo(done if created else f"Queued before by the same request: {execution.execution_id}, {execution.status}.")
    typer.echo(f"Watch it: ia-modules executions watch {execution.execution_id}{same_database}")


def _print_hints(*hints: tuple[str, str]) -> None:
    width = max(len(name) for name, _ in hints) + 1
    for name, line in hints:
        warn(f"{f'{name}:':<{width}} {line}")


def _failure(record: ExecutionRecord) -> str:
    return plain(record.error_message or "it failed").strip()


def _output(output: Json) -> str:
    if output is None:
        return ""
    text = plain(json_text(output, indented=True))
    lines = text.count("\n") + 1
    if lines > _OUTPUT_LINES or len(text) > 100 * _OUTPUT_LINES:
        return f" Its output has {len(text.encode()):,} bytes."
    return f" Its output:\n{text}"


def _questions(questions: Sequence[InteractionRecord]) -> str:
    shown = questions[:SHOWN_QUESTIONS]
    lines = [f"  ? {one_line(prompt_of(each))}  ({each.interaction_id})" for each in shown]
    lines += [f"  and {len(questions) - len(shown):,} more"] if len(questions) > len(shown) else []
    return "".join(f"\n{line}" for line in lines)


def prompt_of(question: InteractionRecord) -> str:
    return question.prompt or "a question without words"
