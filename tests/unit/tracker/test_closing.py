"""What is closed where several transitions are one batch: as if each had been written alone."""

from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, RunPath, StepExecutionId, StepStatus, new_id
from ia_modules.paths import GRAPH, run_path
from ia_modules.tracker.batch import write_batch
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import StepStart, StepUpdate, Transition


def begin(step_id: str, within: RunPath = GRAPH) -> StepStart:
    attempt = StepExecutionId(new_id())
    return StepStart(step_execution_id=attempt, step_id=step_id, step_name="S", step_type="task", within=within)


def end(start: StepStart, status: StepStatus = StepStatus.FAILED) -> StepUpdate:
    return StepUpdate(step_execution_id=start.step_execution_id, status=status)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 5])
async def test_a_batch_closes_what_its_transitions_would_close_one_by_one(
    database: DatabaseManager, batch_size: int
) -> None:
    inside = run_path(GRAPH, "work", 1)
    work, again, neighbour = begin("work"), begin("work"), begin("s", run_path(GRAPH, "work", 10))
    items = [begin("s", inside) for _ in range(3)]
    parts: list[dict[str, Any]] = [
        {"starts": (work, neighbour)},
        {"starts": (items[0],)},
        {"updates": (end(work),), "starts": (again, items[1])},
        {"starts": (items[2],)},
        {"updates": (end(again, StepStatus.COMPLETED), end(items[1], StepStatus.COMPLETED))},
    ]
    async with ExecutionTracker(database, lease_seconds=None) as tracker:
        execution_id = ExecutionId(await tracker.start_execution(await tracker.register_pipeline("p", "P")))
        transitions = [Transition(execution_id=execution_id, writer=tracker.owner, **part) for part in parts]
        for first in range(0, len(transitions), batch_size):
            await database.run(write_batch(database.query, transitions[first : first + batch_size]))
        found = {
            step.step_execution_id: (step.status, step.sequence)
            for level in (GRAPH, inside, neighbour.within)
            for step in await tracker.get_execution_steps(execution_id, within=level)
        }
    assert found == {
        work.step_execution_id: (StepStatus.FAILED, 4),
        neighbour.step_execution_id: (StepStatus.RUNNING, 2),
        items[0].step_execution_id: (StepStatus.CANCELLED, 4),
        again.step_execution_id: (StepStatus.COMPLETED, 6),
        items[1].step_execution_id: (StepStatus.COMPLETED, 6),
        items[2].step_execution_id: (StepStatus.CANCELLED, 6),
    }
