"""What the journal in memory keeps, and by which clock; what it promises as a journal, tests/conformance proves."""

from datetime import UTC, datetime

import pytest

from ia_modules.errors import ExecutionNotFound
from ia_modules.models import ExecutionId, ExecutionStatus
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.transitions import ExecutionUpdate, NewExecution, Transition

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EXECUTION = ExecutionId("e")


async def test_times_are_those_of_its_clock() -> None:
    journal = MemoryJournal(now=lambda: NOON, owner="me")
    pipeline_id = (await journal.register_version("p", "P")).pipeline_id
    await journal.record(
        Transition(execution_id=EXECUTION, writer=journal.owner, new=NewExecution(pipeline_id=pipeline_id))
    )
    end = ExecutionUpdate(status=ExecutionStatus.COMPLETED)
    await journal.record(Transition(execution_id=EXECUTION, writer=journal.owner, change=end))
    execution = await journal.get_execution(EXECUTION)
    assert execution is not None
    assert (execution.created_at, execution.started_at, execution.completed_at) == (NOON, NOON, NOON)
    assert (execution.owner, execution.pipeline_name) == ("me", "P")


async def test_two_journals_share_nothing() -> None:
    one, other = MemoryJournal(), MemoryJournal()
    registered = await one.register_version("p", "P")
    assert (await other.register_version("p", "P")).pipeline_id != registered.pipeline_id
    new = NewExecution(pipeline_id=registered.pipeline_id)
    await one.record(Transition(execution_id=EXECUTION, writer=one.owner, new=new))
    assert await other.get_execution(EXECUTION) is None
    with pytest.raises(ExecutionNotFound):
        await other.changes(EXECUTION)
