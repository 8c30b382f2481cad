"""What is closed: by its status, by where it stands, and by whether what it is a part of has ended or was lost."""

import pytest

from ia_modules.closing import END, around, lost
from ia_modules.models import StepExecutionId, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.transitions import PROCESS_LOST, Failure
from tests.unit.rows import ATTEMPT, question, step

WORK = step(StepStatus.COMPLETED, step_execution_id=StepExecutionId("w"), step_id="work")
INSIDE = (run_path(GRAPH, "work", 1), run_path(run_path(GRAPH, "work", 1), "s", 17))
ELSEWHERE = (GRAPH, run_path(GRAPH, "work", 10), run_path(GRAPH, "work", 2), run_path(GRAPH, "workshop", 1))


@pytest.mark.parametrize("status", StepStatus)
def test_an_end_leaves_nothing_open_and_changes_no_end(status: StepStatus) -> None:
    for within in (*INSIDE, *ELSEWHERE):
        assert END.closed(step(status, within=within)).status is (
            status if status.is_terminal else StepStatus.CANCELLED
        )
    assert END.closed_question(question("pending"), {}).status == "cancelled"
    assert END.closed_question(question("answered"), {}).status == "answered"


@pytest.mark.parametrize("status", StepStatus)
def test_with_a_process_only_that_is_lost_which_ran(status: StepStatus) -> None:
    """What has not begun keeps its place and its time, and a question waits for a person, not for a process."""
    after = lost(PROCESS_LOST).closed(step(status)).status
    assert after is (StepStatus.LOST if status is StepStatus.RUNNING else status)
    assert lost(PROCESS_LOST).closed_question(question("pending"), {}).status == "pending"


@pytest.mark.parametrize("status", StepStatus)
def test_what_runs_on_a_cluster_outlives_a_process_and_neither_its_execution_nor_the_attempt_around_it(
    status: StepStatus,
) -> None:
    there = step(status, within=INSIDE[1], awaits="ray:a")
    assert there.is_elsewhere is (status is StepStatus.RUNNING)
    assert lost(PROCESS_LOST).closed(there) is there
    after = StepStatus.CANCELLED if not status.is_terminal else status
    assert END.closed(there).status is after
    assert around(WORK, None).closed(there).status is after
    was_lost = around(step(StepStatus.LOST, step_id="work"), None).closed(there).status
    assert was_lost is (StepStatus.LOST if status is StepStatus.RUNNING else status)
    assert not step(status, awaits="answer").is_elsewhere


@pytest.mark.parametrize("status", StepStatus)
def test_a_run_that_ends_takes_along_what_is_open_within_it_and_nothing_else(status: StepStatus) -> None:
    closing = around(WORK, None)
    for within in INSIDE:
        after = closing.closed(step(status, within=within)).status
        assert after is (status if status.is_terminal else StepStatus.CANCELLED)
    for within in ELSEWHERE:
        assert closing.closed(step(status, within=within)).status is status


def test_a_run_that_is_lost_loses_what_ran_within_it_for_the_same_reason() -> None:
    failure = Failure(type="WorkerStopped", message="stopped")
    closing = around(step(StepStatus.LOST, step_id="work"), failure)
    assert closing.failure == failure
    assert closing.closed(step(StepStatus.RUNNING, within=INSIDE[1])).status is StepStatus.LOST
    assert closing.closed(step(StepStatus.WAITING, within=INSIDE[1])).status is StepStatus.WAITING


def test_a_question_closes_with_its_attempt_and_with_what_that_is_a_part_of() -> None:
    asker = {ATTEMPT: step(StepStatus.WAITING, within=INSIDE[1])}
    assert around(WORK, None).closed_question(question("pending"), asker).status == "cancelled"
    assert around(step(StepStatus.FAILED), None).closed_question(question("pending"), {}).status == "cancelled"
    stranger = {ATTEMPT: step(StepStatus.WAITING, within=ELSEWHERE[1])}
    assert around(WORK, None).closed_question(question("pending"), stranger).status == "pending"
