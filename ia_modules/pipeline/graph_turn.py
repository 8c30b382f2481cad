"""What follows in the graph from attempts that have ended: what is recorded of them, what starts, and how all ends."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from ia_modules.errors import IAModulesError, PipelineOutputError, StepError
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.payload import clean_text, encode
from ia_modules.pipeline.answers import new_interaction, waiting_update
from ia_modules.pipeline.attempt import Outcome
from ia_modules.pipeline.inputs import input_problems
from ia_modules.pipeline.outputs import stored_output
from ia_modules.pipeline.recorded import STOP_JSON, retry_json
from ia_modules.pipeline.results import output_of
from ia_modules.pipeline.routing import ended_by, route, untaken
from ia_modules.pipeline.standing import StoredRoutes
from ia_modules.pipeline.tokens import Start, loop_limit, ready, verdict
from ia_modules.pipeline.turn import Batch, Begin, Course, Ended, warnings, with_progress
from ia_modules.transitions import ExecutionUpdate, FailedStep, Failure, LogLine, StepUpdate


def first_turn(course: Course) -> Batch:
    """What is recorded before anything starts, of an execution that has no step runs yet: what its file warns of."""
    pipeline, batch = course.pipeline, Batch()
    batch.logs += warnings("Warning", pipeline.warnings)
    if pipeline.definition.is_lenient:
        problems = input_problems(pipeline.definition, dict(course.input_data))
        batch.logs += warnings("Input that its schema refuses", problems)
    return batch


def graph_turn(course: Course, ended: Iterable[Ended], *, now: float) -> Batch:
    """Take in the attempts that have ended, and start what may start now; nothing does once all of it is over.

    Args:
        now: seconds on the clock of ``course.loop_began``.
    """
    course.turns += 1
    batch = _taken_in(course, ended)
    batch.begins += [_start(course, start, now) for start in ready(course.tokens)]
    return batch


def planned_turn(course: Course, *, now: float) -> Batch:
    """Begin what was to begin first of all, with the tokens that it was to take, unless it has."""
    planned = [each for each in course.overrides.values() if each.key not in course.tokens.runs]
    starts = [Start(each.key, each.parents, each.closes_loop) for each in planned if each.parents is not None]
    batch = Batch()
    batch.begins += [_start(course, start, now) for start in starts]
    return batch


def stopped_turn(course: Course, ended: Iterable[Ended]) -> Batch:
    """Take in what has ended while everything was stopped, as the execution ends; nothing goes on."""
    batch = _taken_in(course, map(_stopped_instead, ended)).without_beginnings()
    for run in course.tokens.active():
        course.note(run.key, StepStatus.CANCELLED)
    return batch


def handed_back_turn(course: Course, ended: Iterable[Ended]) -> Batch:
    """Take in what had ended when everything was stopped for another process to go on; the rest is lost here.

    What runs elsewhere goes on there, and the next owner asks for it.
    """
    ended = list(ended)
    batch = _taken_in(course, (each for each in ended if each.outcome is not None))
    for each in ended:
        if each.outcome is None:
            batch.logs += each.lines
            batch.updates += each.within
            if not each.is_elsewhere:
                lost = StepUpdate(step_execution_id=each.attempt, status=StepStatus.LOST, failure=_HANDED_BACK)
                batch.updates.append(with_progress(lost, each.progress))
            elif each.progress is not None:
                batch.updates.append(each.progress)
    return batch.without_beginnings()  # the next owner begins them


def change_of(course: Course) -> tuple[ExecutionUpdate | None, list[LogLine]]:
    """The update of the execution itself as it ends, and lines to it; None while it goes on or waits."""
    status = verdict(course.tokens)
    match status:
        case ExecutionStatus.COMPLETED:
            try:
                output, mismatches = output_of(course.tokens, course.input_data, course.results)
                stored = stored_output(course.pipeline.definition, output)
            except PipelineOutputError as error:
                course.error = error
                return ExecutionUpdate(status=ExecutionStatus.FAILED, failure=Failure.of(error)), []
            lines = warnings("Output that its schema refuses", mismatches)
            course.output = stored.text
            change = ExecutionUpdate(
                status=status,
                open_steps=_ended(course),
                output_data=stored.output_data,
                output_refs=stored.output_refs,
            )
            return change, lines
        case ExecutionStatus.FAILED:
            failure = Failure.of(course.error) if course.error else _recorded_failure(course)
            failure = replace(failure, traceback=None)
            return ExecutionUpdate(status=status, failure=failure, failed_step=course.failed_step), []
        case ExecutionStatus.CANCELLED:
            return ExecutionUpdate(status=status), []
        case _:
            return None, []


def _taken_in(course: Course, ended: Iterable[Ended]) -> Batch:
    """First what is over, in the order given; then what wants to go on, unless all of it is over by then."""
    batch = Batch()
    ended = list(ended)
    for each in sorted(ended, key=_goes_on) if len(ended) > 1 else ended:
        _take_in(course, _stopped_instead(each) if course.tokens.is_over else each, batch)
    return batch


def _take_in(course: Course, ended: Ended, batch: Batch) -> None:
    batch.logs += ended.lines
    batch.updates += ended.within
    batch.updates.append(with_progress(_update_of(course, ended, batch), ended.progress))


def _update_of(course: Course, ended: Ended, batch: Batch) -> StepUpdate:
    """The update to write for an attempt that has ended; the course has it from here on."""
    key, outcome = ended.key, ended.outcome
    if outcome is not None and outcome.result is not None and outcome.question is None:
        return _update_of_end(course, ended, outcome, outcome.result, batch)
    update = StepUpdate(step_execution_id=ended.attempt)
    if outcome is None:
        course.note(key, StepStatus.CANCELLED)
        stopped, stop = _ended(course) or _STOPPED, encode(STOP_JSON, "routes")
        return replace(update, status=StepStatus.CANCELLED, routes=stop, failure=stopped)
    failure = None if outcome.error is None else Failure.of(outcome.error)
    if outcome.is_lost:
        batch.begins.append(course.begin_after_loss(key))
        return replace(update, status=StepStatus.LOST, failure=failure)
    if outcome.retry_seconds is not None:
        batch.begins.append(course.begin_again(key, delay_seconds=outcome.retry_seconds))
        retry = encode(retry_json(outcome.retry_seconds), "routes")
        return replace(update, status=StepStatus.FAILED, routes=retry, failure=failure)
    if outcome.result is None or outcome.question is None:
        course.note(key, StepStatus.FAILED)
        course.error = course.error or _step_error(key.step_id, outcome.error)
        course.failed_step = course.failed_step or _failed_step(key.step_id, failure)
        return replace(update, status=StepStatus.FAILED, routes=encode(STOP_JSON, "routes"), failure=failure)
    course.note(key, StepStatus.WAITING)
    batch.asks.append(new_interaction(outcome.question, ended.attempt, outcome.result))
    return waiting_update(ended.attempt, outcome, outcome.question)


def _update_of_end(
    course: Course, ended: Ended, outcome: Outcome, result: Mapping[str, Any], batch: Batch
) -> StepUpdate:
    """The same for one that leads on."""
    status = StepStatus.COMPLETED if outcome.succeeded else StepStatus.FAILED
    if outcome.mismatches:
        batch.logs += warnings("Result that its schema refuses", outcome.mismatches, ended.attempt)
    routes, stored_routes = _routes_of(course, ended, outcome, result)
    course.end(ended.key, status, outcome, routes)
    return StepUpdate(
        step_execution_id=ended.attempt,
        status=status,
        output_data=outcome.stored,
        routes=stored_routes,
        failure=None if outcome.error is None else Failure.of(outcome.error),
        drops_output=not course.pipeline.facts[ended.key.step_id].definition.keep_stream,
    )


def _routes_of(course: Course, ended: Ended, outcome: Outcome, result: Mapping[str, Any]) -> StoredRoutes:
    """Where a step run leads; nowhere when another has ended the execution: the first on record does."""
    graph, step_id = course.pipeline.graph, ended.key.step_id
    if course.tokens.ended is not None:
        why = f"the execution was {ended_by(graph, course.tokens.runs[course.tokens.ended])}"
        return StoredRoutes.of(untaken(graph, step_id, why))
    if outcome.routes is not None:
        return StoredRoutes.of(outcome.routes)
    standing = course.pipeline.facts[step_id].routes
    if standing is not None and outcome.succeeded:
        return standing
    after = ended.scope.after(step_id, result, succeeded=outcome.succeeded)
    return StoredRoutes.of(route(graph, step_id, after, (outcome.verdicts or {}).__getitem__))


def _ended(course: Course) -> Failure | None:
    """What stands at the steps that a path of another one ended; None: no path has."""
    if (key := course.tokens.ended) is None:
        return None
    by = ended_by(course.pipeline.graph, course.tokens.runs[key])
    return Failure(type="ExecutionEnded", message=f"{by[0].upper()}{by[1:]}.")


def _start(course: Course, start: Start, now: float) -> Begin:
    if start.key.iteration == 1 and not course.pipeline.facts[start.key.step_id].is_in_loop:
        return course.start(start, refused=None, delay_seconds=0.0)
    loop_config = course.pipeline.definition.loop_config
    seconds = now - course.loop_began.setdefault(start.key.step_id, now)
    refused = loop_limit(course.pipeline.graph, start, loop_seconds=seconds)
    delay_seconds = loop_config.iteration_delay_seconds if start.closes_loop and refused is None else 0.0
    return course.start(start, refused=refused, delay_seconds=delay_seconds)


def _stopped_instead(ended: Ended) -> Ended:
    """What wants another attempt or an answer counts as stopped: nothing goes on."""
    return replace(ended, outcome=None) if _goes_on(ended) else ended


def _goes_on(ended: Ended) -> bool:
    outcome = ended.outcome
    return outcome is not None and (
        outcome.retry_seconds is not None or outcome.question is not None or outcome.is_lost
    )


def _recorded_failure(course: Course) -> Failure:
    """Why it failed, where that happened in another process: the first failure on record."""
    failed = (run.last for run in course.runs if run.last.status is StepStatus.FAILED and run.run.has_stopped)
    first = min(failed, key=lambda attempt: attempt.sequence, default=None)
    if first is None:
        return Failure(type=None, message="A step failed.")
    course.error = StepError(first.step_id, f"{first.error_type}: {first.error_message}")
    own = Failure(type=first.error_type, message=first.error_message or "")
    course.failed_step = FailedStep(step_id=first.step_id, failure=own)
    return Failure.of(course.error)


_STOPPED = Failure(type="CancelledError", message="The step was stopped with its execution.")
_HANDED_BACK = Failure(type="WorkerStopped", message="The worker that ran this attempt was stopped; another goes on.")


def _failed_step(step_id: str, failure: Failure | None) -> FailedStep | None:
    return None if failure is None else FailedStep(step_id=step_id, failure=replace(failure, traceback=None))


def _step_error(step_id: str, error: Exception | None) -> Exception:
    """The error that names the step; the step's own exception is its cause, be it the failure of another pipeline."""
    if isinstance(error, StepError) and error.step_id == step_id:
        return error
    failed = StepError(
        step_id, f"{type(error).__name__}: {clean_text(error)}" if not isinstance(error, IAModulesError) else str(error)
    )
    failed.__cause__ = error
    return failed
