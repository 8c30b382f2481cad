"""An execution as a table with a row for each step, as a live view shows it. Pure: changes in, rows out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ia_modules.cli.output.terminal import duration, error_line
from ia_modules.errors import PipelineDefinitionError
from ia_modules.models import Changes, ExecutionStatus, ExecutionSummary, PipelineVersionRecord, StepStatus, StepSummary
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.versions import definition_of

_PATH_BY_NUMBER = re.compile(r"path [\d, ]+ was taken")


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step in the table.

    Attributes:
        word: its status, or ``pending``, ``skipped`` or ``not run`` for a step that has not begun.
        note: one line of details; empty when there are none.
        step: its newest attempt; None before the first.
    """

    name: str
    word: str
    note: str
    step: StepSummary | None

    @property
    def is_active(self) -> bool:
        return self.word in ("running", "waiting", "retrying")


@dataclass(frozen=True, slots=True)
class StepTable:
    """An execution, folded from its changes.

    Attributes:
        graph: of its pipeline; None for a program that has none.
        latest: step id → its newest attempt.
        why_not: step id → why the last path to it was not taken.
    """

    graph: Graph | None = None
    execution: ExecutionSummary | None = None
    latest: Mapping[str, StepSummary] = field(default_factory=dict[str, StepSummary])
    why_not: Mapping[str, str] = field(default_factory=dict[str, str])

    def after(self, changes: Changes) -> "StepTable":
        """The table with these changes in it."""
        latest, why_not = dict(self.latest), dict(self.why_not)
        for step in changes.steps:
            known = latest.get(step.step_id)
            if known is None or (known.iteration, known.attempt) <= (step.iteration, step.attempt):
                latest[step.step_id] = step
            for route in as_object(step.routes).get("paths", ()):
                if not route["taken"]:
                    why_not[route["to_step"]] = f"{why_in_words(route['why'])}, after {step.step_id}"
        return replace(self, execution=changes.execution, latest=latest, why_not=why_not)

    @property
    def status(self) -> ExecutionStatus:
        return ExecutionStatus.PENDING if self.execution is None else self.execution.status

    def rows(self) -> list[StepRow]:
        """All steps: in file order where there is a definition, otherwise as they came."""
        planned = {} if self.graph is None else {step.id: step.name for step in self.graph.definition.steps}
        names = planned | {step_id: step.step_name for step_id, step in self.latest.items() if step_id not in planned}
        return [self._row(step_id, shown_name(step_id, name)) for step_id, name in names.items()]

    def _row(self, step_id: str, name: str) -> StepRow:
        step = self.latest.get(step_id)
        if step is None:
            word = self._not_begun(step_id)
            return StepRow(name, word, self.why_not.get(step_id, "") if word == "skipped" else "", None)
        if self.status.is_terminal:  # what was to be tried again no longer is
            return StepRow(name, step.status.value, note_of(step, is_over=True), step)
        return StepRow(name, _word(step), note_of(step), step)

    def _not_begun(self, step_id: str) -> str:
        if self.status is ExecutionStatus.COMPLETED:
            return "skipped"
        waiting = "not run" if self.status.is_terminal else "pending"
        unfinished = [step.step_id for step in self.latest.values() if as_object(step.routes).get("next") != "paths"]
        if self.graph is None or not unfinished:
            return waiting
        place, reaches = self.graph.place, self.graph.reaches
        return waiting if any(each in place and reaches(each, step_id) for each in unfinished) else "skipped"


def graph_of(stored: PipelineVersionRecord) -> Graph | None:
    """The graph of a stored definition; None when this program cannot read it (a newer one wrote it)."""
    try:
        return Graph(definition_of(stored))
    except PipelineDefinitionError:
        return None


def as_object(recorded: Any) -> Mapping[str, Any]:
    """A recorded JSON object, such as the routes of an attempt; empty when there is none."""
    return cast("Mapping[str, Any]", recorded) if isinstance(recorded, dict) else {}


def why_in_words(why: str) -> str:
    """The reason that was recorded for a path, without the numbers of other paths."""
    return _PATH_BY_NUMBER.sub("another path was taken", why)


def note_of(step: StepSummary, *, is_over: bool = False) -> str:
    """Iteration, attempt, progress message, error and what follows: one line, empty for a first attempt that goes well.

    Args:
        is_over: the execution has ended, so nothing is tried again.
    """
    parts = [
        f"iteration {step.iteration}" if step.iteration > 1 else "",
        f"attempt {step.attempt}" if step.attempt > 1 else "",
        (step.progress_message or "") if not step.status.is_terminal else "",
        _why(step, is_over=is_over),
    ]
    return ", ".join(part for part in parts if part)


def _why(step: StepSummary, *, is_over: bool) -> str:
    if step.error_message is None:
        return ""
    error, follows = error_line(step.error_type, step.error_message), as_object(step.routes)
    if step.status is StepStatus.COMPLETED:
        return f"by its fallback, after {error}"
    if step.status is StepStatus.CANCELLED:
        return ""
    if follows.get("next") == "retry" and not is_over:
        return f"{error}; again after {duration(follows['delay_seconds'])}"
    return f"{error}; the flow goes on" if follows.get("next") == "paths" else error


def visible(rows: Sequence[StepRow], height: int) -> list[StepRow | str]:
    """As many rows as fit, active and failed ones first; one line counts those that are left out."""
    if len(rows) <= height:
        return list(rows)
    by_weight = sorted(range(len(rows)), key=lambda place: (_weight(rows, place), place))
    chosen = set(by_weight[: max(1, height - 1)])
    left_out = [row.word for place, row in enumerate(rows) if place not in chosen]
    counts = ", ".join(f"{left_out.count(word)} {word}" for word in dict.fromkeys(left_out))
    return [*(rows[place] for place in sorted(chosen)), f"… and {counts}"]


def _weight(rows: Sequence[StepRow], place: int) -> int:
    """The smallest is shown first: active, failed, then by the distance to an active one."""
    if rows[place].is_active:
        return 0
    if rows[place].word in ("failed", "lost"):
        return 1
    active = [other for other, row in enumerate(rows) if row.is_active]
    return 2 + min((abs(place - other) for other in active), default=0)


def _word(step: StepSummary) -> str:
    return "retrying" if as_object(step.routes).get("next") == "retry" else step.status.value


def shown_name(step_id: str, name: str) -> str:
    """The id of a step, by which commands and paths refer to it, and its name when that differs."""
    return name if name == step_id else f"{step_id}: {name}"
