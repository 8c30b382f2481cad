"""One batch as a script: what else is in it, and what happens between reading and writing."""

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.models import ExecutionId, ExecutionStatus, StepExecutionId, new_id
from ia_modules.tracker.batch import WriteOutcome, write_batch
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import ExecutionUpdate, StepStart, Transition


def interfered(database: DatabaseManager, transitions: list[Transition]) -> Script[list[WriteOutcome]]:
    """A batch, and somebody who changes its first execution when it has been read."""
    batch = write_batch(database.query, transitions)
    statement = next(batch)
    while True:
        if statement.sql == database.query("write_execution"):
            raised = "UPDATE pipeline_executions SET sequence = sequence + 1 WHERE execution_id = :id"
            yield Statement(raised, [{"id": transitions[0].execution_id}])
        rows = yield statement
        try:
            statement = batch.send(rows)
        except StopIteration as end:
            return end.value


async def test_a_refusal_that_follows_from_what_was_not_written_is_decided_again(database: DatabaseManager) -> None:
    async with ExecutionTracker(database, lease_seconds=None) as tracker:
        pipeline_id = await tracker.register_pipeline("program", "A program")
        ids = [ExecutionId(await tracker.start_execution(pipeline_id)) for _ in range(2)]
        completed = ExecutionUpdate(status=ExecutionStatus.COMPLETED)
        start = StepStart(step_execution_id=StepExecutionId(new_id()), step_id="a", step_name="a", step_type="task")
        transitions = [
            Transition(execution_id=ids[0], writer=tracker.owner, change=completed),
            Transition(execution_id=ids[0], writer=tracker.owner, starts=(start,)),  # refused: it has just ended
            Transition(execution_id=ids[1], writer=tracker.owner, change=completed),
        ]
        stale, refused, written = await database.run(interfered(database, transitions))
        assert (stale, refused) == (None, None)
        assert written is not None
        record = await tracker.get_execution(ids[0])
        assert record is not None
        assert record.status is ExecutionStatus.RUNNING
