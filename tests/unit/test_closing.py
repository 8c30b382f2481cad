"""What is closed, by its status and by whether its execution has ended."""

import pytest

from ia_modules.closing import END, Closing
from ia_modules.models import StepStatus
from ia_modules.transitions import PROCESS_LOST
from tests.unit.rows import question, step

LOSE = Closing(status=StepStatus.LOST, failure=PROCESS_LOST, has_ended=False)


@pytest.mark.parametrize("status", StepStatus)
def test_an_end_leaves_nothing_open_and_changes_no_end(status: StepStatus) -> None:
    assert END.closed(step(status)).status is (status if status.is_terminal else StepStatus.CANCELLED)
    assert END.closed_question(question("pending")).status == "cancelled"
    assert END.closed_question(question("answered")).status == "answered"


def test_what_waits_for_a_person_outlives_its_process() -> None:
    assert LOSE.closed(step(StepStatus.RUNNING)).status is StepStatus.LOST
    assert LOSE.closed(step(StepStatus.WAITING)).status is StepStatus.WAITING
    assert LOSE.closed_question(question("pending")).status == "pending"
