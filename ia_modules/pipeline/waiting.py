"""How what waits goes on: delays that are over, questions that are answered, attempts that a dead process left."""

from collections.abc import Iterable, Mapping, Sequence

from ia_modules.models import InteractionRecord, StepExecutionId, StepStatus
from ia_modules.pipeline.answers import answer_outcome
from ia_modules.pipeline.recorded import RecordedRun, loop_seconds
from ia_modules.pipeline.tokens import Start, loop_limit
from ia_modules.pipeline.turn import Answered, Batch, Course, Due
from ia_modules.transitions import PROCESS_LOST, StepUpdate


def waits_turn(course: Course, due: Iterable[Due]) -> Batch:
    """Begin the attempts whose delay is over."""
    batch = Batch()
    for each in due:
        course.note(each.attempt.key, StepStatus.RUNNING)
        running = StepUpdate(step_execution_id=each.attempt.start.step_execution_id, status=StepStatus.RUNNING)
        batch.updates.append(running)
        batch.due.append(each.attempt)
    return batch


def resumed_turn(course: Course, questions: Sequence[InteractionRecord], *, now: float) -> Batch:
    """Continue from the records: another process's open attempts are lost and made again; answers are taken.

    Args:
        questions: those that its attempts wait for.
        now: seconds on the clock of ``course.loop_began``.
    """
    batch = Batch()
    seconds = loop_seconds(course.runs)
    course.loop_began.update({step_id: now - passed for step_id, passed in seconds.items()})
    questions_of = {question.step_execution_id: question for question in questions}
    for run in course.runs:
        if not run.run.is_active:
            continue
        if run.is_waiting:
            _take_answer(course, run, questions_of, batch)
            continue
        if not run.last.status.is_terminal:
            attempt = run.last.step_execution_id
            lost = StepUpdate(step_execution_id=attempt, status=StepStatus.LOST, failure=PROCESS_LOST)
            batch.updates.append(lost)
        begun = Start(run.run.key, run.run.parents, closes_loop=False)
        refused = loop_limit(course.pipeline.graph, begun, loop_seconds=0.0)  # an iteration too many stays one
        batch.begins.append(course.begin(run.run.key, refused=refused, delay_seconds=run.retry_delay_seconds))
    return batch


def _take_answer(
    course: Course, run: RecordedRun, questions_of: Mapping[StepExecutionId, InteractionRecord], batch: Batch
) -> None:
    """Continue after a question that was answered or whose deadline has passed; an open one still waits."""
    key, attempt = run.run.key, run.last.step_execution_id
    question = questions_of.get(attempt)
    outcome = question and answer_outcome(run, question, course.pipeline.graph)
    if question is None or outcome is None:
        return
    if question.status != "answered":
        batch.expires.append(question.interaction_id)
    course.note(key, StepStatus.RUNNING)
    batch.answered.append(Answered(key, attempt, outcome))
