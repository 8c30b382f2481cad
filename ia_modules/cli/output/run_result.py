"""What is said when a run has ended, and how to go on from there."""

from collections.abc import Sequence

import typer

from ia_modules.cli.foreground import Ending
from ia_modules.cli.output.terminal import duration, json_text, one_line, plain, warn
from ia_modules.models import ExecutionRecord, ExecutionStatus, InteractionRecord, Json

_OUTPUT_LINES = 25  # a longer output is not for a terminal


def tell_ending(ending: Ending, same_database: str) -> None:
    """How it ended: good news on stdout, the rest on stderr, then what to do next.

    Args:
        same_database: what commands need to find the database, see ``options.database.same_database``.
    """
    record = ending.record
    look = f"ia-modules executions show {record.execution_id}{same_database}"
    resume = f"ia-modules executions resume {record.execution_id}{same_database}"
    took = "" if record.duration_seconds is None else f" after {duration(record.duration_seconds)}"
    if ending.error is not None:
        warn(f"Error: {ending.error}")
        _hint(("How it stands", look))
        return
    match record.status:
        case ExecutionStatus.COMPLETED:
            typer.echo(f"\nCompleted{took.replace('after', 'in')}.{_output(record.output_data)}")
            typer.echo(f"\nThe whole story: {look}")
        case ExecutionStatus.WAITING_FOR_HUMAN:
            typer.echo(f"\nIt waits for a person, and nothing runs meanwhile.{_questions(ending.questions)}")
            typer.echo(f"\nThe whole story:          {look}")
            typer.echo(f"Once that is answered:    {resume}")
        case ExecutionStatus.CANCELLED:
            warn(f"\nCancelled{took}. What had completed stays on record.")
            _hint(("Go on with it", resume), ("The whole story", look))
        case ExecutionStatus.FAILED:
            warn(f"\nError: {_failure(record)}")
            _hint(("The whole story", look), ("Try again from there", resume))
        case _:
            warn(f"\nIt is {record.status}.")
            _hint(("How it stands", look))


def _hint(*hints: tuple[str, str]) -> None:
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
    asked = [one_line(each.prompt or "a question without words") for each in questions]
    return "".join(f"\n  ? {prompt}  ({each.interaction_id})" for each, prompt in zip(questions, asked, strict=True))
