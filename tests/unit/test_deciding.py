"""What a transition does: attempts, counters, questions and lines, and who may write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.deciding import decide
from ia_modules.errors import (
    AlreadyFinished,
    AnsweredInTime,
    ExecutionNotFound,
    InvalidTransition,
    LeaseLost,
    StepConflict,
    StepExecutionNotFound,
)
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    JsonText,
    Lease,
    PipelineId,
    RunPath,
    StepExecutionId,
    StepStatus,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.states import GivenAnswer
from ia_modules.transitions import ExecutionUpdate, Expiry, LogLine, NewExecution, StepUpdate
from tests.unit.rows import (
    ATTEMPT,
    CANCELLED,
    COMPLETED,
    EXECUTION,
    FAILED,
    PENDING,
    RESTING,
    RUNNING,
    WAITING,
    become,
    execution,
    known,
    question,
    start,
    step,
    write,
)


@pytest.mark.parametrize("before", StepStatus)
@pytest.mark.parametrize("after", StepStatus)
def test_an_attempt_ends_once_and_never_goes_back_to_pending(before: StepStatus, after: StepStatus) -> None:
    transition = write(updates=(StepUpdate(step_execution_id=ATTEMPT, status=after),))
    if before.is_terminal and after is not before:
        with pytest.raises(AlreadyFinished, match=f"already {before}.*become {after}"):
            decide(transition, known(execution(), step(before)))
    elif after is StepStatus.PENDING and before is not StepStatus.PENDING:
        with pytest.raises(InvalidTransition, match=f"{before} and cannot become pending"):
            decide(transition, known(execution(), step(before)))
    else:
        decision = decide(transition, known(execution(), step(before)))
        assert decision.changed is not before.is_terminal
        if decision.changed:
            assert decision.steps[ATTEMPT].status is after


@pytest.mark.parametrize(
    ("owner", "epoch", "lease"),
    [("you", 1, None), ("you", 1, 1), ("me", 2, 1), ("me", 1, 2), (None, 1, None)],
)
def test_who_does_not_own_an_execution_writes_nothing(owner: str | None, epoch: int, lease: int | None) -> None:
    transition = write(
        lease=None if lease is None else Lease(EXECUTION, lease), change=ExecutionUpdate(status=COMPLETED)
    )
    with pytest.raises(LeaseLost) as lost:
        decide(transition, known(execution(owner=owner, epoch=epoch)))
    assert (lost.value.owner, lost.value.epoch) == (owner, epoch)


@pytest.mark.parametrize(
    ("status", "owner", "epoch"), [(RUNNING, "me", 1), (PENDING, None, 0)], ids=["begins here", "is queued"]
)
def test_a_new_execution_is_its_writers_unless_it_is_queued(
    status: ExecutionStatus, owner: str | None, epoch: int
) -> None:
    new = NewExecution(pipeline_id=PipelineId("p"), status=status, total_steps=3)
    made = decide(write(new=new), known(None)).execution
    assert (made.status, made.owner, made.epoch, made.sequence, made.total_steps) == (status, owner, epoch, 1, 3)
    assert not decide(write(new=new), known(made)).changed, "an answer that was lost: the row is there already"


def test_an_execution_that_is_not_there_is_not_written() -> None:
    with pytest.raises(ExecutionNotFound):
        decide(write(change=ExecutionUpdate(status=COMPLETED)), known(None))


def test_an_attempt_of_another_execution_is_not_found() -> None:
    foreign = step(execution_id=ExecutionId("another"))
    update = write(updates=(StepUpdate(step_execution_id=ATTEMPT, status=StepStatus.COMPLETED),))
    for line in (update, write(logs=(LogLine(log_id="l", message="m", step_execution_id=ATTEMPT),))):
        for rows in (known(execution(), foreign), known(execution())):
            with pytest.raises(StepExecutionNotFound):
                decide(line, rows)


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        (None, (1, 1)),
        (StepStatus.FAILED, (2, 4)),
        (StepStatus.LOST, (2, 4)),
        (StepStatus.COMPLETED, (3, 1)),
        (StepStatus.SKIPPED, (3, 1)),
        (StepStatus.CANCELLED, (3, 1)),
    ],
)
def test_a_start_is_the_next_attempt_after_a_failure_and_the_next_iteration_otherwise(
    newest: StepStatus | None, expected: tuple[int, int]
) -> None:
    steps = [] if newest is None else [step(newest, iteration=2, attempt=3)]
    [started] = decide(write(starts=(start(),)), known(execution(), *steps)).started
    assert (started.iteration, started.attempt) == expected


def test_an_iteration_that_is_said_stands() -> None:
    [started] = decide(write(starts=(start(iteration=9),)), known(execution(), step(StepStatus.FAILED))).started
    assert (started.iteration, started.attempt) == (9, 1)


def test_an_attempt_under_a_known_id_is_recognised_or_refused() -> None:
    again = decide(write(starts=(start("a"),)), known(execution(), step()))
    assert (again.changed, again.started) == (False, ())
    with pytest.raises(StepConflict, match="recorded as s but now comes as another"):
        decide(write(starts=(start("a", "another"),)), known(execution(), step()))


def test_counters_count_step_runs_by_their_latest_attempt() -> None:
    failed = decide(
        write(updates=(StepUpdate(step_execution_id=ATTEMPT, status=StepStatus.FAILED),)), known(execution(), step())
    )
    assert (failed.execution.completed_steps, failed.execution.failed_steps) == (0, 1)
    retried = decide(write(starts=(start(),)), known(failed.execution, step(StepStatus.FAILED)))
    assert (retried.execution.completed_steps, retried.execution.failed_steps) == (0, 0)
    second = retried.steps[StepExecutionId("b")]
    done = decide(
        write(updates=(StepUpdate(step_execution_id=StepExecutionId("b"), status=StepStatus.COMPLETED),)),
        known(retried.execution, second),
    )
    assert (done.execution.completed_steps, done.execution.failed_steps) == (1, 0)


def test_a_failure_is_taken_out_of_the_counters_where_another_iteration_came_between() -> None:
    """A retry says which attempt it is: its own iteration counts, not the step's newest."""
    failed = step(StepStatus.FAILED, iteration=1)
    newest = step(StepStatus.RUNNING, step_execution_id=StepExecutionId("n"), iteration=2)
    rows = known(execution(failed_steps=1), failed, newest)
    retry = start(iteration=1, attempt=2)
    assert retry.follows == (GRAPH, "s", 1)
    assert decide(write(starts=(retry,)), rows).execution.failed_steps == 0
    assert start(iteration=1, attempt=1).follows is None, "what says itself that it is the first needs no other row"


WORK = run_path(GRAPH, "work", 1)


def test_each_level_counts_its_own_iterations() -> None:
    rows = known(execution(), step(iteration=7, status=StepStatus.COMPLETED))
    [started] = decide(write(starts=(start(within=WORK),)), rows).started
    assert (started.iteration, started.attempt) == (1, 1)


@pytest.mark.parametrize("within", [GRAPH, WORK])
def test_counters_are_the_graphs_and_progress_is_anybodys(within: RunPath) -> None:
    inner = step(within=within)
    for status in (StepStatus.COMPLETED, StepStatus.FAILED):
        update = StepUpdate(step_execution_id=ATTEMPT, status=status)
        after = decide(write(updates=(update,)), known(execution(recoveries=3), inner)).execution
        counted = int(within == GRAPH)
        assert (after.completed_steps, after.failed_steps) == (
            (counted, 0) if status is StepStatus.COMPLETED else (0, counted)
        )
        assert after.recoveries == (0 if status is StepStatus.COMPLETED else 3)
    retry = decide(
        write(starts=(start(within=within),)), known(execution(failed_steps=1), step(StepStatus.FAILED, within=within))
    )
    assert retry.execution.failed_steps == (0 if within == GRAPH else 1)


def test_what_a_transition_writes_within_a_run_that_it_ends_is_closed_or_begins_after_it() -> None:
    """An update comes before the end, a start after it: a map's next attempt begins with its items."""
    work = step(step_id="work", step_execution_id=StepExecutionId("w"))
    item = step(within=WORK)
    news = StepUpdate(step_execution_id=ATTEMPT, progress=0.5)
    end = StepUpdate(step_execution_id=work.step_execution_id, status=StepStatus.FAILED)
    decision = decide(
        write(updates=(end, news), starts=(start("w2", "work"), start("i2", within=WORK))),
        known(execution(), work, item, has_inner=True),
    )
    assert decision.steps[ATTEMPT].status is StepStatus.CANCELLED
    assert [each.status for each in decision.updated] == [StepStatus.FAILED, StepStatus.CANCELLED]
    begun = decision.steps[StepExecutionId("i2")]
    assert (begun.status, begun.iteration) == (StepStatus.RUNNING, 2), "a cancelled run is not made again"
    [closing] = decision.closings
    assert (closing.path, closing.upto(8)) == (WORK, 8), "what stands under this sequence itself is spared"


def test_an_end_without_anything_inside_closes_nothing() -> None:
    end = StepUpdate(step_execution_id=ATTEMPT, status=StepStatus.COMPLETED)
    assert decide(write(updates=(end,)), known(execution(), step())).closings == ()
    assert len(decide(write(updates=(end,)), known(execution(), step(StepStatus.WAITING))).closings) == 1


def test_a_line_stands_at_the_level_of_its_attempt() -> None:
    at = (None, ATTEMPT, StepExecutionId("b"))
    lines = tuple(LogLine(log_id=f"{each}", message="m", step_execution_id=each) for each in at)
    decision = decide(
        write(logs=lines, starts=(start(within=WORK),)), known(execution(), step(within=run_path(GRAPH, "other", 1)))
    )
    assert [line.within for line in decision.logs] == [GRAPH, "other#1", WORK]


def test_ending_an_attempt_and_beginning_the_next_is_one_transition() -> None:
    update = StepUpdate(step_execution_id=ATTEMPT, status=StepStatus.FAILED)
    decision = decide(write(updates=(update,), starts=(start(),)), known(execution(), step()))
    assert (decision.execution.sequence, decision.execution.failed_steps) == (8, 0)
    assert [(each.iteration, each.attempt) for each in decision.started] == [(1, 2)]


@pytest.mark.parametrize("at_rest", [PENDING, RESTING, WAITING])
def test_a_cancelled_execution_does_not_come_to_rest(at_rest: ExecutionStatus) -> None:
    """Nobody runs what rests, so nobody would stop it."""
    assert become(execution(cancel_requested=True), at_rest).execution.status is CANCELLED


@pytest.mark.parametrize("status", [COMPLETED, FAILED, CANCELLED])
def test_an_ended_execution_takes_nothing_new_and_knows_again_what_it_has(status: ExecutionStatus) -> None:
    line = write(logs=(LogLine(log_id="l", message="late"),))
    with pytest.raises(AlreadyFinished, match="cannot become changed any more"):
        decide(line, known(execution(status)))
    assert not decide(line, known(execution(status), already_recorded={"l"})).changed


def test_a_question_that_was_answered_does_not_expire() -> None:
    expires = write(expires=(Expiry(interaction_id="q"),))
    answers = (GivenAnswer(actor="ann", revision=1, response=JsonText("1")),)
    for unseen in (question("answered"), question("pending", answers=2, responses=answers)):
        with pytest.raises(AnsweredInTime):
            decide(expires, known(execution(), interactions={"q": unseen}))
    for status, changed in (("pending", True), ("expired", False)):
        decision = decide(expires, known(execution(), interactions={"q": question(status)}))
        assert decision.changed is changed


def test_released_executions_belong_to_nobody() -> None:
    change = ExecutionUpdate(status=PENDING, released=True)
    assert decide(write(change=change), known(execution())).execution.owner is None


STEPS = st.lists(st.sampled_from([each for each in StepStatus if each is not StepStatus.PENDING]), max_size=4)


@given(st.sampled_from(ExecutionStatus), STEPS)
def test_what_is_decided_twice_changes_something_only_once(status: ExecutionStatus, news: list[StepStatus]) -> None:
    """Whatever became of the first answer: sending the transition again is always safe."""
    steps = [step(step_execution_id=StepExecutionId(f"a{number}"), step_id=f"s{number}") for number in range(len(news))]
    transition = write(
        change=ExecutionUpdate(status=status),
        updates=tuple(
            StepUpdate(step_execution_id=each.step_execution_id, status=after)
            for each, after in zip(steps, news, strict=True)
        ),
    )
    first = decide(transition, known(execution(), *steps))
    if not first.execution.status.is_terminal:
        return
    ended = [first.steps.get(each.step_execution_id, each) for each in steps]
    if all(status.is_terminal for status in news):
        again = decide(transition, known(first.execution, *ended))
        assert (again.changed, again.execution) == (False, first.execution)
