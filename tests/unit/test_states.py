"""From which status to which an execution goes."""

import pytest

from ia_modules.errors import (
    AlreadyFinished,
    InvalidTransition,
)
from ia_modules.models import (
    ExecutionStatus,
)
from tests.unit.rows import CANCELLED, COMPLETED, FAILED, PENDING, RESTING, RUNNING, WAITING, become, execution

EXECUTIONS: dict[ExecutionStatus, set[ExecutionStatus]] = {
    PENDING: {RUNNING, FAILED, CANCELLED},
    RUNNING: {PENDING, RESTING, WAITING, COMPLETED, FAILED, CANCELLED},
    RESTING: {PENDING, RUNNING, FAILED, CANCELLED},
    WAITING: {PENDING, RUNNING, RESTING, COMPLETED, FAILED, CANCELLED},
    COMPLETED: set(),
    FAILED: set(),
    CANCELLED: set(),
}


@pytest.mark.parametrize("before", EXECUTIONS)
@pytest.mark.parametrize("after", ExecutionStatus)
def test_an_execution_goes_where_the_table_says_and_nowhere_else(
    before: ExecutionStatus, after: ExecutionStatus
) -> None:
    if after in EXECUTIONS[before]:
        decision = become(execution(before), after)
        assert (decision.execution.status, decision.execution.sequence, decision.changed) == (after, 8, True)
        assert bool(decision.closings) is after.is_terminal
    elif after is before:
        decision = become(execution(before), after)
        assert (decision.execution, decision.changed) == (execution(before), False), "the same again changes nothing"
    else:
        refusal = AlreadyFinished if before.is_terminal else InvalidTransition
        with pytest.raises(refusal, match=f"{before}.*become {after}"):
            become(execution(before), after)
