"""The plain model of a journal is right by itself, with no journal in sight."""

from typing import Any

from ia_modules.models import ExecutionId, ExecutionStatus, Lease, PipelineId, StepExecutionId, StepStatus
from ia_modules.testing.model import CHANGED, UNCHANGED, PlainExecution
from ia_modules.transitions import ExecutionUpdate, NewExecution, StepStart, StepUpdate, TakeOver, Transition

EXECUTION = ExecutionId("e")
CREATE = Transition(writer="ann", execution_id=EXECUTION, new=NewExecution(pipeline_id=PipelineId("p")))


def write(writer: str = "ann", **parts: Any) -> Transition:
    return Transition(writer=writer, execution_id=EXECUTION, **parts)


def start(attempt: str) -> StepStart:
    return StepStart(step_execution_id=StepExecutionId(attempt), step_id="s", step_name="s", step_type="task")


def update(attempt: str, status: StepStatus) -> StepUpdate:
    return StepUpdate(step_execution_id=StepExecutionId(attempt), status=status)


def test_a_creation_is_made_once_and_recognised_afterwards() -> None:
    model = PlainExecution()
    assert [model.record(CREATE), model.record(CREATE)] == [CHANGED, UNCHANGED]
    assert (model.row["owner"], model.row["epoch"], model.row["sequence"]) == ("ann", 1, 1)
    assert PlainExecution().record(write(starts=(start("a"),))) == "ExecutionNotFound"


def test_only_the_owner_under_its_epoch_writes() -> None:
    model = PlainExecution()
    model.record(CREATE)
    assert model.record(write("bob", starts=(start("a"),))) == "LeaseLost"
    assert model.record(write("bob", ownership=TakeOver())) == CHANGED
    assert model.record(write("bob", lease=Lease(EXECUTION, 1), starts=(start("a"),))) == "LeaseLost"
    assert model.record(write("bob", lease=Lease(EXECUTION, 2), starts=(start("a"),))) == CHANGED


def test_a_refusal_changes_nothing_not_even_the_part_that_was_right() -> None:
    model = PlainExecution()
    model.record(CREATE)
    before = dict(model.row)
    both = write(starts=(start("a"),), updates=(update("nobody", StepStatus.COMPLETED),))
    assert model.record(both) == "StepExecutionNotFound"
    assert (model.row, model.steps) == (before, {})


def test_a_failed_attempt_is_followed_by_the_next_attempt_and_is_no_longer_counted() -> None:
    model = PlainExecution()
    model.record(CREATE)
    model.record(write(starts=(start("a"),)))
    model.record(write(updates=(update("a", StepStatus.FAILED),)))
    assert model.row["failed_steps"] == 1
    model.record(write(starts=(start("b"),)))
    assert (model.steps["b"]["iteration"], model.steps["b"]["attempt"], model.row["failed_steps"]) == (1, 2, 0)


def test_the_end_closes_what_is_open_and_stands() -> None:
    model = PlainExecution()
    model.record(CREATE)
    model.record(write(starts=(start("a"),)))
    assert model.record(write(change=ExecutionUpdate(status=ExecutionStatus.COMPLETED))) == CHANGED
    assert model.steps["a"]["status"] == "cancelled"
    assert model.record(write(starts=(start("b"),))) == "AlreadyFinished"
    assert model.record(write("bob", ownership=TakeOver())) == "AlreadyFinished"
