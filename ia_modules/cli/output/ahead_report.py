"""What a re-run or a resume runs, printed before it does: what is kept, what begins, and the effects."""

from collections.abc import Sequence

import typer

from ia_modules.cli.output.terminal import one_line, print_table
from ia_modules.pipeline.ahead import Ahead, StepEffect
from ia_modules.pipeline.kept_items import ItemsAhead
from ia_modules.pipeline.tokens import StepRunKey
from ia_modules.tracker.bulk import StepAheadOfMany

_MOST_NAMES = 20  # of kept step runs: a long loop has thousands


def print_ahead(ahead: Ahead) -> None:
    """A table of what is kept, asked again and run, each step with what it does outside."""
    rows = [("kept", named, "") for named in [_named(ahead.kept)] if named]
    if ahead.by_hand is not None:
        rows.append(("result given", _named([ahead.by_hand]), ""))
    rows += [("asked again", _named([key]), "an edit comes after it") for key in ahead.asked_again]
    begins = {key.step_id for key in ahead.begins if key != ahead.by_hand}
    for step in ahead.steps:
        word = "runs" if step.step_id in begins else "runs, or may"
        text = _runs_text(step.step_id, step.runs)
        if ahead.items is not None and ahead.items.step_id == step.step_id:
            text = f"{text}: {items_text(ahead.items)}"
        rows.append((word, text, step.effect_text))
    print_table(("", "STEP", "EFFECT"), rows)


def effects_in_one_line(steps: Sequence[StepEffect]) -> str:
    """The steps with their effects, such as ``send (write), report (read)``."""
    return ", ".join(f"{one_line(step.step_id)} ({step.effect_text})" for step in steps) or "nothing"


def items_text(items: ItemsAhead) -> str:
    """What becomes of the items of a step, such as ``58 items kept, 2 run``."""
    kept = f"{items.kept:,} {'item' if items.kept == 1 else 'items'} kept"
    if items.runs is None:
        return f"{kept}, the others run"
    return f"{kept}, {items.runs:,} {'runs' if items.runs == 1 else 'run'}"


def print_steps_of_many(steps: Sequence[StepAheadOfMany]) -> None:
    """Those that are neither ``pure`` nor ``read``, with the number of executions in which they run, or may."""
    named = [step for step in steps if step.may_have_effects]
    if named:
        typer.echo("Steps that run again, or may, and have effects, or may:")
        rows = [(step.step_id, step.effect_text, f"{step.executions:,}") for step in named]
        print_table(("STEP", "EFFECT", "EXECUTIONS"), rows)


def _runs_text(step_id: str, runs: int) -> str:
    return step_id if runs < 2 else f"{step_id}, {runs:,} runs"


def _named(keys: Sequence[StepRunKey]) -> str:
    names = [key.step_id if key.iteration == 1 else f"{key.step_id}#{key.iteration}" for key in keys[:_MOST_NAMES]]
    more = len(keys) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")
