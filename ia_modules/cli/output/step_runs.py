"""The step runs of an execution in the order in which they began, with what a report says of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ia_modules.cli.output.step_table import StepTable, as_object, graph_of, shown_name, why_in_words
from ia_modules.cli.output.terminal import duration, elapsed, error_line, excerpt
from ia_modules.engines.ray_amounts import in_words
from ia_modules.errors import IAModulesError
from ia_modules.models import (
    Changes,
    ExecutionRecord,
    PipelineVersionRecord,
    RunPath,
    StepExecutionRecord,
    StepStatus,
)
from ia_modules.paths import path_of
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.recorded import input_of

_HAS = {"completed": "had completed", "failed": "had failed", "cancelled": "was cancelled"}
_FIRST_AND_LAST = 2  # iterations of a loop that are shown at either end
_TOGETHER = timedelta(milliseconds=5)  # times of one transition are this close to each other
_NODE_CHARACTERS = 12  # of its id, which has 56
_MOST_REBUILT = 200  # attempts; with more, no state is rebuilt to be shown


@dataclass(slots=True)
class ReportedRun:
    """One iteration of one step, with all its attempts.

    Attributes:
        concurrent_with: the steps that were still running when it began.
        input_text: its input on one line; None when there is none.
    """

    number: int
    attempts: list[StepExecutionRecord]
    concurrent_with: list[str] = field(default_factory=list[str])
    input_text: str | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.attempts[0].step_id, self.attempts[0].iteration

    @property
    def path(self) -> RunPath:
        """What is within it has this as ``within``."""
        step = self.attempts[0]
        return path_of(step.within, step.step_id, step.iteration)

    @property
    def title(self) -> str:
        step = self.attempts[0]
        name = shown_name(step.step_id, step.step_name)
        return f"{name} #{step.iteration}" if step.iteration > 1 else name

    @property
    def failed_for_good(self) -> bool:
        last = self.attempts[-1]
        return last.status in (StepStatus.FAILED, StepStatus.LOST) and as_object(last.routes).get("next") != "retry"

    @property
    def is_usual(self) -> bool:
        return len(self.attempts) == 1 and self.attempts[0].status is StepStatus.COMPLETED

    def details(self) -> Iterator[tuple[str, str]]:
        """The lines of a report about it, as (word, text)."""
        last = self.attempts[-1]
        if self.input_text is not None:
            yield "input", self.input_text
        if len(self.attempts) > 1 or last.error_message is not None:
            for attempt in self.attempts:
                yield f"attempt {attempt.attempt}", _how_it_went(attempt)
                yield from _place(attempt)
        else:
            yield from _place(last)
        if not last.status.is_terminal and (last.progress is not None or last.progress_message):
            yield "progress", f"{last.progress or 0:.0%} {last.progress_message or ''}"
        if last.output_bytes and last.status is not StepStatus.WAITING:  # it holds the question until then
            yield "output", excerpt(last.output_data, last.output_bytes)
        yield from _routes(last)


@dataclass(frozen=True, slots=True)
class OmittedRuns:
    """Consecutive step runs that all completed and are not shown one by one; ``text`` says which."""

    text: str


def step_runs(
    execution: ExecutionRecord,
    steps: Sequence[StepExecutionRecord],
    version: PipelineVersionRecord | None,
    *,
    everything: bool,
) -> list[ReportedRun | OmittedRuns]:
    """The step runs in the order in which they began; the middle of a long loop is left out."""
    attempts_of: dict[tuple[str, int], list[StepExecutionRecord]] = {}
    for step in steps:
        attempts_of.setdefault((step.step_id, step.iteration), []).append(step)
    runs = [ReportedRun(number, attempts) for number, attempts in enumerate(attempts_of.values(), start=1)]
    _note_concurrent_steps(runs)
    shown = runs if everything else _without_usual_middles(runs)
    graph = None if version is None else graph_of(version)
    for run in shown:
        if isinstance(run, ReportedRun):
            run.input_text = _input_text(run.attempts[0], execution, graph, steps)
    return list(shown)


def never_run(
    execution: ExecutionRecord, steps: Sequence[StepExecutionRecord], version: PipelineVersionRecord | None
) -> list[tuple[str, str]]:
    """The steps that an execution which has ended left out, with the reasons, as (name, why)."""
    graph = None if version is None or not execution.status.is_terminal else graph_of(version)
    if graph is None:
        return []
    everything = Changes(execution=execution, steps=tuple(steps), logs=(), after=0, upto=execution.sequence)
    rows = [row for row in StepTable(graph).after(everything).rows() if row.step is None]
    missed = {"skipped": "no path that was taken leads there", "not run": f"it {_HAS[execution.status]} before"}
    return [(row.name, row.note or missed[row.word]) for row in rows]


def _note_concurrent_steps(runs: Sequence[ReportedRun]) -> None:
    under_way: list[ReportedRun] = []
    for run in runs:
        began = run.attempts[0].started_at
        if began is None:
            continue
        under_way = [each for each in under_way if _ends_after(each, began + _TOGETHER)]
        before = as_object(run.attempts[0].input_refs).get("parents", ())
        run.concurrent_with = [each.attempts[0].step_id for each in under_way if list(each.key) not in before]
        under_way.append(run)


def _ends_after(run: ReportedRun, time: datetime) -> bool:
    ended = run.attempts[-1].completed_at
    return ended is None or ended > time


def _without_usual_middles(runs: Sequence[ReportedRun]) -> list[ReportedRun | OmittedRuns]:
    last: dict[str, int] = {}
    for run in runs:
        last[run.attempts[0].step_id] = run.attempts[0].iteration
    shown: list[ReportedRun | OmittedRuns] = []
    middle: list[ReportedRun] = []
    for run in runs:
        step = run.attempts[0]
        is_middle = _FIRST_AND_LAST < step.iteration <= last[step.step_id] - _FIRST_AND_LAST
        if is_middle and run.is_usual:
            middle.append(run)
            continue
        shown += _left_out(middle)
        middle = []
        shown.append(run)
    return shown + _left_out(middle)


def _left_out(middle: Sequence[ReportedRun]) -> list[ReportedRun | OmittedRuns]:
    if len(middle) < 2:
        return list(middle)
    names = ", ".join(dict.fromkeys(run.attempts[0].step_name for run in middle))
    first, last = (middle[place].attempts[0].iteration for place in (0, -1))
    return [OmittedRuns(f"{len(middle)} more step runs, iterations {first} to {last} of {names}, all completed")]


def _input_text(
    step: StepExecutionRecord, execution: ExecutionRecord, graph: Graph | None, steps: Sequence[StepExecutionRecord]
) -> str | None:
    refs = as_object(step.input_refs)
    if not refs.get("state"):
        return excerpt(step.input_data, step.input_bytes) if step.input_bytes else None
    made_of = ", ".join(["the input", *(f"the result of {step_id}" for step_id, _ in refs.get("parents", ()))])
    was_read = all(each.output_data is not None or not each.output_bytes for each in steps)
    if graph is None or len(steps) > _MOST_REBUILT or not was_read:
        return f"the state: {made_of}"
    input_data = execution.input_data if isinstance(execution.input_data, dict) else {}
    try:
        return excerpt(input_of(step, graph, input_data, steps))
    except IAModulesError:  # the records do not follow from the definition; the rest can still be shown
        return f"the state: {made_of}"


def _place(step: StepExecutionRecord) -> Iterator[tuple[str, str]]:
    """Where it ran, if that was on a cluster."""
    if (place := step.place) is not None:
        where = f"node {place.node[:_NODE_CHARACTERS]}…, process {place.pid}"
        yield "on Ray", f"{where} · {in_words(place.resources)} · waited {duration(place.waited_seconds)}"


def _how_it_went(step: StepExecutionRecord) -> str:
    took = f" in {elapsed(step.started_at, step.completed_at)}" if step.completed_at and step.started_at else ""
    error = f": {error_line(step.error_type, step.error_message)}" if step.error_message is not None else ""
    follows = as_object(step.routes)
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
    for route in as_object(step.routes).get("paths", ()):
        why = why_in_words(route["why"])
        why = "" if why == "always" else f", because {why}"
        yield ("then" if route["taken"] else "not then"), f"{route['to_step']}{why}"
