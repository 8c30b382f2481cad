"""Turns of an execution by hand: what a coordinator decides, without a loop, a journal or code that runs."""

from typing import Any

from ia_modules.models import ExecutionId, StepExecutionRecord
from ia_modules.payload import encode
from ia_modules.pipeline.attempt import Outcome
from ia_modules.pipeline.recorded import recorded_runs
from ia_modules.pipeline.turn import Attempt, Batch, Course, Ended
from tests.unit.pipeline.programs import nothing, pipeline_of


def course_of(document: dict[str, Any], *rows: StepExecutionRecord, **input_data: Any) -> Course:
    """An execution of these rows; steps have code that is not run."""
    code = {step["id"]: nothing for step in document["steps"] if step.get("type", "task") == "task"}
    return Course(
        pipeline_of(document, code),
        input_data,
        recorded_runs(row.as_attempt() for row in rows),
        execution_id=ExecutionId("e"),
    )


def read(course: Course, batch: Batch, *rows: StepExecutionRecord) -> list[str]:
    """Read the results that a batch needs; returns of which steps."""
    needs = course.needs(batch)
    outputs = {row.step_execution_id: row.output_data for row in rows}
    course.read(needs, outputs)
    return [key.step_id for key in needs]


def attempts(course: Course, batch: Batch) -> list[Attempt]:
    return [course.attempt(begin, worker="here", now=0.0) for begin in batch.begins]


def named(begun: list[Attempt]) -> list[tuple[str, int, int, str]]:
    """Step, iteration, attempt and status, as they are recorded."""
    starts = [attempt.start for attempt in begun]
    return [(start.step_id, start.iteration or 0, start.attempt or 0, start.status.value) for start in starts]


def gave(attempt: Attempt, **result: Any) -> Ended:
    return came(attempt, Outcome(result, encode(result, "result")))


def came(attempt: Attempt, outcome: Outcome | None) -> Ended:
    return Ended(attempt.key, attempt.start.step_execution_id, attempt.work.scope, outcome)
