import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ConstraintViolated, ExecutionNotFound
from ia_modules.live.wake_up import Live
from ia_modules.models import ExecutionId, ExecutionStatus, PipelineId, new_id
from ia_modules.tracker.alias import row_id
from ia_modules.tracker.deletion import Deletion
from ia_modules.tracker.details import read_execution, read_payloads, read_step, read_steps
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters
from ia_modules.transitions import NewExecution, Transition

ALIAS = "Auftrag 17/ü?%2F"


@pytest.fixture
async def execution_id(tracker: ExecutionTracker, pipeline_id: PipelineId) -> ExecutionId:
    return await begin(tracker, pipeline_id, ALIAS)


async def begin(tracker: ExecutionTracker, pipeline_id: PipelineId, alias: str) -> ExecutionId:
    execution_id = ExecutionId(new_id())
    new = NewExecution(pipeline_id=pipeline_id, alias=alias)
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, new=new))
    return execution_id


READS: list[Callable[[ExecutionTracker, str], Awaitable[Any]]] = [
    lambda tracker, id_: tracker.get_execution(id_),
    lambda tracker, id_: tracker.get_execution_summary(id_),
    lambda tracker, id_: tracker.get_execution_steps(id_),
    lambda tracker, id_: tracker.get_interactions(id_),
    lambda tracker, id_: tracker.list_logs(id_),
    lambda tracker, id_: tracker.changes(id_),
    lambda tracker, id_: anext(tracker.subscribe(id_)),
]


async def test_every_read_answers_an_alias_as_it_answers_the_id(
    tracker: ExecutionTracker, execution_id: ExecutionId
) -> None:
    await tracker.start_step_execution(execution_id, "a", "A", "task")
    await tracker.log(execution_id, "hello")
    for read in READS:
        assert await read(tracker, ALIAS) == await read(tracker, execution_id)


async def test_details_answer_an_alias(
    tracker: ExecutionTracker, database: DatabaseManager, execution_id: ExecutionId
) -> None:
    step = await tracker.start_step_execution(execution_id, "a", "A", "task")
    read = await read_execution(database, ALIAS, step_limit=5, rerun_limit=1)
    assert (read.execution.record.execution_id, read.execution.record.alias) == (execution_id, ALIAS)
    assert [each.record.step_execution_id for each in read.steps.items] == [step]
    assert [
        each.record.step_execution_id for each in (await read_steps(database, ALIAS, cursor=None, limit=5)).items
    ] == [step]
    assert (await read_payloads(database, ALIAS))[0] == execution_id
    assert (await read_step(database, ALIAS, step)).record.step_execution_id == step


async def test_what_is_written_by_an_alias_is_written_to_its_execution(
    tracker: ExecutionTracker, execution_id: ExecutionId
) -> None:
    assert await tracker.request_cancel(ALIAS) is ExecutionStatus.RUNNING
    assert (await tracker.take_over(ALIAS)).execution_id == execution_id
    for alias in ("nobody", "NUL\0", "half \ud800"):
        with pytest.raises(ExecutionNotFound):
            await tracker.request_cancel(alias)
        with pytest.raises(ExecutionNotFound):
            await tracker.wait(alias)


async def test_a_deleted_execution_frees_its_alias(
    tracker: ExecutionTracker, database: DatabaseManager, execution_id: ExecutionId, pipeline_id: PipelineId
) -> None:
    with pytest.raises(ConstraintViolated):
        await begin(tracker, pipeline_id, ALIAS)
    await tracker.update_execution_status(execution_id, "completed")
    deletion = Deletion(database, Live(database))
    await deletion.check_execution(ALIAS)
    await deletion.delete_execution(ALIAS, actor="ann")
    assert await tracker.get_execution(ALIAS) is None
    assert await begin(tracker, pipeline_id, ALIAS) != execution_id


async def test_aliases_are_told_apart_by_every_character(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    aliases = ["a", "A", "a ", "ä", "a\u0308", "ß", "ss", "\u212b", "Å"]
    ids = await asyncio.gather(*(begin(tracker, pipeline_id, alias) for alias in aliases))
    assert [await tracker.get_execution_summary(alias) for alias in aliases] == [
        await tracker.get_execution_summary(id_) for id_ in ids
    ]


@pytest.mark.parametrize("windowed", [False, True])
async def test_an_alias_is_found_by_how_it_begins(
    tracker: ExecutionTracker, pipeline_id: PipelineId, windowed: bool
) -> None:
    aliases = ["Order 17/ü", "Order 171", "order 17", "%", "a_b", "\N{PILE OF POO}x"]
    ids = {alias: await begin(tracker, pipeline_id, alias) for alias in aliases}
    since = datetime(2000, 1, 1, tzinfo=UTC) if windowed else None
    for text, expected in (
        ("Order 17", ["Order 171", "Order 17/ü"]),
        ("Order 17/ü", ["Order 17/ü"]),
        ("order", ["order 17"]),
        ("%", ["%"]),
        ("a_", ["a_b"]),
        ("axb", []),
        ("\N{PILE OF POO}", ["\N{PILE OF POO}x"]),
    ):
        filters = ExecutionFilters(text=text, started_after=since)
        page = await tracker.list_executions(filters)
        assert [item.execution_id for item in page.items] == [ids[alias] for alias in expected], text
        assert (await tracker.get_execution_statistics(filters)).total == len(expected)


async def test_an_id_that_nobody_has_is_not_found(database: DatabaseManager) -> None:
    with pytest.raises(ExecutionNotFound, match="nobody"):
        await database.read(row_id(database.query, "nobody"))
