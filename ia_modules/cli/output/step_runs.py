"""An execution as the sequence of its step runs, in the order in which they began: what a story of it is told from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ia_modules.cli.options.execution import graph_of
from ia_modules.cli.output.step_table import Picture, said, shown_name, why_in_words
from ia_modules.cli.output.terminal import duration, elapsed, error_line, excerpt
from ia_modules.errors import IAModulesError
from ia_modules.models import (
    Changes,
    ExecutionRecord,
    PipelineVersionRecord,
    StepExecutionRecord,
    StepStatus,
)
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.recorded import input_of

_HAS = {"completed": "had completed", "failed": "had failed", "cancelled": "was cancelled"}
_FIRST_AND_LAST = 2  # iterations of a loop that are told at either end
_TOGETHER = timedelta(milliseconds=5)  # what one transition ends and starts has times this close to each other
_MOST_REBUILT = 200  # attempts up to which states are rebuilt to be shown


@dataclass(slots=True)
class Chapter:
    """One iteration of one step, with all its attempts.

    Attributes:
        beside: the steps that were still running when it began.
        given: what it was given; None when that cannot be told.
    """

    number: int
    attempts: list[StepExecutionRecord]
    beside: list[str] = field(default_factory=list[str])
    given: str | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.attempts[0].step_id, self.attempts[0].iteration

    @property
    def title(self) -> str:
        step = self.attempts[0]
        name = shown_name(step.step_id, step.step_name)
        return f"{name} #{step.iteration}" if step.iteration > 1 else name

    @property
    def failed_for_good(self) -> bool:
        last = self.attempts[-1]
        return last.status in (StepStatus.FAILED, StepStatus.LOST) and said(last.routes).get("next") != "retry"

    @property
    def is_usual(self) -> bool:
        return len(self.attempts) == 1 and self.attempts[0].status is StepStatus.COMPLETED

    def details(self) -> Iterator[tuple[str, str]]:
        """What is to be said of it, as (word, line)."""
        last = self.attempts[-1]
        if self.given is not None:
            yield "given", self.given
        if len(self.attempts) > 1 or last.error_message is not None:
            for attempt in self.attempts:
                yield f"attempt {attempt.attempt}", _how_it_went(attempt)
        if not last.status.is_terminal and (last.progress is not None or last.progress_message):
            yield "progress", f"{last.progress or 0:.0%} {last.progress_message or ''}"
        if last.output_bytes and last.status is not StepStatus.WAITING:  # it holds the question until then
            yield "gave", excerpt(last.output_data, last.output_bytes)
        yield from _routes(last)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Step runs in a row of which there is nothing to tell; ``text`` says which."""

    text: str


def chapters(
    execution: ExecutionRecord,
    steps: Sequence[StepExecutionRecord],
    version: PipelineVersionRecord | None,
    *,
    everything: bool,
) -> list[Chapter | LeftOut]:
    """The step runs in the order in which they began; the middle of a long loop is left out."""
    runs: dict[tuple[str, int], list[StepExecutionRecord]] = {}
    for step in steps:
        runs.setdefault((step.step_id, step.iteration), []).append(step)
    told = [Chapter(number, attempts) for number, attempts in enumerate(runs.values(), start=1)]
    _note_what_ran_beside(told)
    shown = told if everything else _without_usual_middles(told)
    graph = None if version is None else graph_of(version)
    for chapter in shown:
        if isinstance(chapter, Chapter):
            chapter.given = _given(chapter.attempts[0], execution, graph, steps)
    return list(shown)


def never_run(
    execution: ExecutionRecord, steps: Sequence[StepExecutionRecord], version: PipelineVersionRecord | None
) -> list[tuple[str, str]]:
    """The steps that an execution which has ended left out, with the reasons, as (name, why)."""
    graph = None if version is None or not execution.status.is_terminal else graph_of(version)
    if graph is None:
        return []
    everything = Changes(execution=execution, steps=tuple(steps), logs=(), after=0, upto=execution.sequence)
    rows = [row for row in Picture(graph).after(everything).rows() if row.step is None]
    missed = {"skipped": "no path that was taken leads there", "not run": f"it {_HAS[execution.status]} before"}
    return [(row.name, row.note or missed[row.word]) for row in rows]


def _note_what_ran_beside(told: Sequence[Chapter]) -> None:
    under_way: list[Chapter] = []
    for chapter in told:
        began = chapter.attempts[0].started_at
        if began is None:
            continue
        under_way = [each for each in under_way if _ends_after(each, began + _TOGETHER)]
        before = said(chapter.attempts[0].input_refs).get("parents", ())
        chapter.beside = [each.attempts[0].step_id for each in under_way if list(each.key) not in before]
        under_way.append(chapter)


def _ends_after(chapter: Chapter, time: datetime) -> bool:
    ended = chapter.attempts[-1].completed_at
    return ended is None or ended > time


def _without_usual_middles(told: Sequence[Chapter]) -> list[Chapter | LeftOut]:
    last: dict[str, int] = {}
    for chapter in told:
        last[chapter.attempts[0].step_id] = chapter.attempts[0].iteration
    shown: list[Chapter | LeftOut] = []
    middle: list[Chapter] = []
    for chapter in told:
        step = chapter.attempts[0]
        is_middle = _FIRST_AND_LAST < step.iteration <= last[step.step_id] - _FIRST_AND_LAST
        if is_middle and chapter.is_usual:
            middle.append(chapter)
            continue
        shown += _left_out(middle)
        middle = []
        shown.append(chapter)
    return shown + _left_out(middle)


def _left_out(middle: Sequence[Chapter]) -> list[Chapter | LeftOut]:
    if len(middle) < 2:
        return list(middle)
    names = ", ".join(dict.fromkeys(chapter.attempts[0].step_name for chapter in middle))
    first, last = (middle[place].attempts[0].iteration for place in (0, -1))
    return [LeftOut(f"{len(middle)} more step runs, iterations {first} to {last} of {names}, all completed")]


def _given(
    step: StepExecutionRecord, execution: ExecutionRecord, graph: Graph | None, steps: Sequence[StepExecutionRecord]
) -> str | None:
    refs = said(step.input_refs)
    if not refs.get("state"):
        return excerpt(step.input_data, step.input_bytes) if step.input_bytes else None
    made_of = ", ".join(["the input", *(f"the result of {step_id}" for step_id, _ in refs.get("parents", ()))])
    was_read = all(each.output_data is not None or not each.output_bytes for each in steps)
    if graph is None or len(steps) > _MOST_REBUILT or not was_read:
        return f"the state: {made_of}"
    given = execution.input_data if isinstance(execution.input_data, dict) else {}
    try:
        return excerpt(input_of(step, graph, given, steps))
    except IAModulesError:  # the records do not follow from the definition; the rest of the story still can be told
        return f"the state: {made_of}"


def _how_it_went(step: StepExecutionRecord) -> str:
    took = f" in {elapsed(step.started_at, step.completed_at)}" if step.completed_at and step.started_at else ""
    error = f": {error_line(step.error_type, step.error_message)}" if step.error_message is not None else ""
    follows = said(step.routes)
    if follows.get("next") == "retry":
        after = f"; tried again after {duration(follows['delay_seconds'])}"
    elif step.status is StepStatus.COMPLETED and error:
        after = "; its fallback gave the result"
    elif step.status is StepStatus.FAILED and follows.get("next") == "paths":
        after = "; the flow went on"
    else:
        after = ""
    return f"{step.status}{took}{error}{after}"


def _routes(step: StepExecutionRecord) -> Iterator[tuple[str, str]]:
    for route in said(step.routes).get("paths", ()):
        why = why_in_words(route["why"])
        why = "" if why == "always" else f", because {why}"
        yield ("then" if route["taken"] else "not then"), f"{route['to_step']}{why}"
