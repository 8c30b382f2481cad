"""How what waits goes on: delays that are over, questions that are answered, attempts that a dead process left."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ia_modules.models import AttemptRecord, ExecutionStatus, InteractionRecord, StepExecutionId, StepStatus
from ia_modules.pipeline.answers import answer_outcome
from ia_modules.pipeline.recorded import RecordedRun, is_elsewhere, loop_seconds
from ia_modules.pipeline.tokens import Start, StepRunKey, loop_limit
from ia_modules.pipeline.turn import Answered, Attempt, Batch, Course, Due, Paused, with_progress
from ia_modules.transitions import PROCESS_LOST, ExecutionUpdate, Expiry, StepUpdate, cluster_in


class Open(Struct, frozen=True):
    """A step run that is not over.

    Attributes:
        wakes_at: when it goes on by itself, in seconds on the clock that it is asked with; None: only when what it
            waits for comes, or it does not wait.
    """

    key: StepRunKey
    status: StepStatus
    wakes_at: float | None = None


def may_rest(open_runs: Sequence[Open], *, now: float, linger_seconds: float) -> bool:
    """Whether nobody has to go on with an execution of these runs: all wait, and no delay is over soon.

    Args:
        linger_seconds: a delay that is over within this time is waited for.
    """
    return bool(open_runs) and all(
        each.status is StepStatus.WAITING
        or (each.status is StepStatus.PENDING and each.wakes_at is not None and each.wakes_at > now + linger_seconds)
        for each in open_runs
    )


def rest_of(course: Course, *, now: float, linger_seconds: float) -> ExecutionUpdate | None:
    """The update of an execution that comes to rest; None while somebody has to go on with it.

    Args:
        now: seconds on the clock of ``course.wakes_at``.
    """
    if course.tokens.busy:
        return None
    open_runs = [Open(run.key, run.status, course.wakes_at.get(run.key)) for run in course.tokens.active()]
    if not may_rest(open_runs, now=now, linger_seconds=linger_seconds):
        return None
    asks = any(each.status is StepStatus.WAITING or each.key in course.asking for each in open_runs)
    status = ExecutionStatus.WAITING_FOR_HUMAN if asks else ExecutionStatus.WAITING
    return ExecutionUpdate(status=status, released=True)


def settled(attempt: AttemptRecord, *, now: datetime, is_answered: bool = False) -> Literal["answer", "time"] | None:
    """What an attempt that waits goes on with: an answer before its time; None: it still waits.

    One that waits for nothing goes on, as if its time had come.

    Args:
        now: by the clock of the records, as ``wake_at`` is.
        is_answered: the question that it awaits is.
    """
    if is_answered:
        return "answer"
    if attempt.wake_at is None:
        return "time" if attempt.awaits is None else None
    return "time" if attempt.wake_at <= now else None


def waits_turn(course: Course, due: Iterable[Due], *, worker: str) -> Batch:
    """Begin the attempts whose delay is over, in the process ``worker``; none does once all of it is over."""
    batch = Batch()
    for each in () if course.tokens.is_over else due:
        course.note(each.attempt.key, StepStatus.RUNNING)
        batch.updates.append(begun(each.attempt, worker))
        batch.due.append(each.attempt)
    return batch


def paused_turn(course: Course, paused: Iterable[Paused], *, now: float) -> Batch:
    """Put on record which attempts only wait for parts of them; none once all of it is over.

    Those that go on by themselves do so in time.

    Args:
        now: seconds on the clock of ``course.wakes_at``.
    """
    batch = Batch()
    for each in () if course.tokens.is_over else paused:
        key, seconds = each.attempt.key, each.waits.seconds
        update = StepUpdate(step_execution_id=each.attempt.start.step_execution_id, status=StepStatus.WAITING)
        batch.updates += each.instead.within
        batch.updates.append(with_progress(update, each.instead.progress))
        batch.logs += each.instead.lines
        course.asking = course.asking | {key} if each.waits.asks else course.asking - {key}
        if seconds is None:
            course.note(key, StepStatus.WAITING)
        else:
            course.note(key, StepStatus.PENDING)
            course.wakes_at[key] = now + seconds
            batch.delays.append(replace(each.attempt, delay_seconds=seconds, is_on_record=True))
    return batch


def resumed_turn(
    course: Course, questions: Sequence[InteractionRecord], *, recorded_now: datetime, now: float
) -> Batch:
    """Continue from the records: another process's open attempts are lost and made again; answers are taken.

    What has not begun keeps its number, and of its delay what is left. What runs elsewhere keeps its number, too: it is
    asked for there, and does not begin.

    Args:
        questions: those that its attempts wait for.
        recorded_now: by the clock of the records, as their times are.
        now: seconds on the clock of ``course.loop_began``.
    """
    batch = Batch()
    seconds = loop_seconds(course.runs)
    course.loop_began.update({step_id: now - passed for step_id, passed in seconds.items()})
    questions_of = {question.step_execution_id: question for question in questions}
    for run in course.runs:
        if not run.run.is_active:
            continue
        if run.is_waiting and course.pipeline.facts[run.run.key.step_id].definition.map is not None:
            begin = course.begin(run.run.key)  # which of its items can go on, it finds out
            batch.begins.append(replace(begin, on_record=run.last.step_execution_id))
        elif run.is_waiting:
            _take_answer(course, run, questions_of, recorded_now, batch)
        elif run.last.status is StepStatus.PENDING:
            begin = course.begin(run.run.key, delay_seconds=_left_seconds(run.last, recorded_now))
            batch.begins.append(replace(begin, on_record=run.last.step_execution_id))
        elif (cluster := _cluster_of(course, run)) is not None:
            begin = course.begin(run.run.key)
            batch.begins.append(replace(begin, on_record=run.last.step_execution_id, cluster=cluster))
        else:
            if not run.last.status.is_terminal:
                attempt = run.last.step_execution_id
                lost = StepUpdate(step_execution_id=attempt, status=StepStatus.LOST, failure=PROCESS_LOST)
                batch.updates.append(lost)
            again = Start(run.run.key, run.run.parents, closes_loop=False)
            refused = loop_limit(course.pipeline.graph, again, loop_seconds=0.0)  # an iteration too many stays one
            batch.begins.append(course.begin(run.run.key, refused=refused, delay_seconds=run.retry_delay_seconds))
    return batch


def _cluster_of(course: Course, run: RecordedRun) -> str | None:
    """The cluster that the newest attempt of a run runs on, where its step still runs in another process; else None."""
    step_id = run.run.key.step_id
    is_kept = step_id in course.pipeline.remote and course.pipeline.facts[step_id].definition.map is None
    return cluster_in(run.last.awaits) if is_kept and is_elsewhere(run.last) else None


def begun(attempt: Attempt, worker: str) -> StepUpdate:
    """The update of an attempt on record that begins now."""
    return StepUpdate(step_execution_id=attempt.start.step_execution_id, status=StepStatus.RUNNING, worker=worker)


def _left_seconds(attempt: AttemptRecord, now: datetime) -> float:
    if settled(attempt, now=now) is not None or attempt.wake_at is None:
        return 0.0
    left = attempt.wake_at - max(now, attempt.created_at)  # a clock that was set back makes no delay longer
    return left.total_seconds()


def _take_answer(
    course: Course,
    run: RecordedRun,
    questions_of: Mapping[StepExecutionId, InteractionRecord],
    now: datetime,
    batch: Batch,
) -> None:
    """Continue after a question that was answered or whose deadline has passed; an open one still waits."""
    key, attempt = run.run.key, run.last.step_execution_id
    question = questions_of.get(attempt)
    if question is None:
        return
    by = settled(run.last, now=now, is_answered=question.status == "answered")
    if by is None:
        return
    if by == "time":
        batch.expires.append(Expiry(interaction_id=question.interaction_id, seen=len(question.responses)))
    outcome = answer_outcome(key.step_id, question, course.pipeline, by=by)
    course.note(key, StepStatus.RUNNING)
    batch.answered.append(Answered(key, attempt, outcome))
