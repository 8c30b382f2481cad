"""Plans: all rows or none, on both databases, in one hop or one round trip."""

import asyncio
from typing import Any

import pytest

from ia_modules.database.driver import Dialect
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.named_params import to_positional
from ia_modules.database.plans import sentences
from ia_modules.errors import (
    ConstraintViolated,
    DatabaseBusy,
    DatabaseClosed,
    DatabaseUnavailable,
    InvalidQuery,
)
from ia_modules.models import new_id
from tests.unit.database.proxy import proxy_to

PIPELINE_ID = new_id()
ADD_PIPELINE = (
    "INSERT INTO pipelines (id, slug, name, created_at, updated_at) VALUES (:id, 'work', 'Work', ia_now(), ia_now())"
)
NEW = {
    "pipeline_id": PIPELINE_ID,
    "status": "running",
    "managed": False,
    "trigger": "program",
    "priority": 0,
    "owner": "ann",
    "epoch": 1,
    "sequence": 1,
    "total_steps": 0,
    "started": True,
}
BEGUN = {
    "within": "",
    "step_id": "a",
    "step_name": "A",
    "step_type": "task",
    "iteration": 1,
    "attempt": 1,
    "status": "running",
    "input_bytes": 0,
    "sequence": 1,
    "started": True,
    "ended": False,
}
COUNTED = {"known_epoch": 1, "completed_steps": 0, "failed_steps": 0, "recoveries": 0}


def row(name: str, **values: Any) -> tuple[Any, ...]:
    """A row of a sentence; None for what is not given."""
    (sentence,) = (each for each in sentences() if each.name == name)
    assert values.keys() <= sentence.types.keys()
    return tuple(values.get(each) for each in sentence.types)


def created(*execution_ids: str) -> dict[str, list[tuple[Any, ...]]]:
    """A plan that begins executions, each with an attempt and a line of it."""
    steps = {execution_id: new_id() for execution_id in execution_ids}
    line = {"within": "", "level": "info", "message": "line", "sequence": 1, "ago_seconds": 0.0}
    return {
        "create": [row("create", **NEW, execution_id=execution_id) for execution_id in execution_ids],
        "begin": [row("begin", **BEGUN, execution_id=each, step_execution_id=step) for each, step in steps.items()],
        "log": [
            row("log", **line, log_id=new_id(), execution_id=each, step_execution_id=step)
            for each, step in steps.items()
        ],
    }


def counted(execution_id: str, known: int) -> tuple[Any, ...]:
    return row("count", **COUNTED, execution_id=execution_id, known_sequence=known, sequence=known + 1)


async def found(database: DatabaseManager) -> dict[str, Any]:
    """How many rows there are, and the highest sequence."""
    [counts] = await database.fetch_all_async(
        "SELECT count(*) AS executions, max(sequence) AS sequence, (SELECT count(*) FROM step_executions) AS steps, "
        "(SELECT count(*) FROM execution_logs) AS lines FROM pipeline_executions"
    )
    return counts


@pytest.fixture
async def pipeline(database: DatabaseManager) -> DatabaseManager:
    await database.execute_async(ADD_PIPELINE, {"id": PIPELINE_ID})
    return database


@pytest.mark.parametrize("sentence", sentences(), ids=lambda sentence: sentence.name)
def test_a_sentence_uses_the_values_that_its_row_names(sentence: Any) -> None:
    assert {*to_positional(sentence.sql).names} - {"now"} == {*sentence.types}
    assert sentence.sql.count("/* rows */") == 1


@pytest.mark.parametrize("count", [1, 3])
async def test_a_plan_writes_one_row_of_a_kind_or_many(pipeline: DatabaseManager, count: int) -> None:
    ids = sorted(new_id() for _ in range(count))
    assert await pipeline.write_plan(created(*ids)) is True
    assert await found(pipeline) == {"executions": count, "steps": count, "lines": count, "sequence": 1}
    assert await pipeline.write_plan({"count": [counted(execution_id, 1) for execution_id in ids]}) is True
    assert await found(pipeline) == {"executions": count, "steps": count, "lines": count, "sequence": 2}


async def test_a_swap_that_misses_undoes_all_of_its_plan(pipeline: DatabaseManager) -> None:
    ids = sorted(new_id() for _ in range(3))
    assert await pipeline.write_plan(created(*ids)) is True
    before = await found(pipeline)
    for known in ([1, 2, 1], [1, 1, 0]):
        swaps = [counted(*each) for each in zip(ids, known, strict=True)]
        assert await pipeline.write_plan({**created(new_id()), "count": swaps}) is False
        assert await found(pipeline) == before
    assert await pipeline.write_plan({"count": [counted(new_id(), 1)]}) is False
    assert await pipeline.write_plan({"count": [counted(ids[0], 1)]}) is True


async def test_a_broken_rule_undoes_all_of_its_plan(pipeline: DatabaseManager) -> None:
    execution_id = new_id()
    assert await pipeline.write_plan(created(execution_id)) is True
    before = await found(pipeline)
    with pytest.raises(ConstraintViolated):
        await pipeline.write_plan({**created(new_id(), execution_id), "count": [counted(execution_id, 1)]})
    assert await found(pipeline) == before


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_text_that_cannot_be_stored_is_refused(pipeline: DatabaseManager, text: str) -> None:
    plan = created(new_id())
    plan["create"].append(row("create", **NEW, execution_id=new_id(), pipeline_name=text))
    with pytest.raises(InvalidQuery):
        await pipeline.write_plan(plan)
    assert (await found(pipeline))["executions"] == 0


async def test_a_plan_after_the_end_is_refused(database_url: str) -> None:
    database = DatabaseManager(database_url)
    await database.initialize()
    await database.close()
    with pytest.raises(DatabaseClosed):
        await database.write_plan(created(new_id()))


async def test_plans_at_once_are_all_written(pipeline: DatabaseManager) -> None:
    assert all(await asyncio.gather(*(pipeline.write_plan(created(new_id())) for _ in range(20))))
    assert (await found(pipeline))["executions"] == 20


async def test_a_plan_whose_writer_was_cancelled_is_whole_or_nothing(pipeline: DatabaseManager) -> None:
    for pauses in range(12):
        writing = asyncio.create_task(pipeline.write_plan(created(new_id(), new_id())))
        for _ in range(pauses):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert await pipeline.write_plan(created(new_id())) is True
    counts = await found(pipeline)
    assert counts["executions"] % 2 == 1
    assert counts["executions"] == counts["steps"] == counts["lines"]


async def test_a_plan_waits_for_somebody_elses_lock_only_so_long(
    pipeline: DatabaseManager, database_url: str, dialect: Dialect
) -> None:
    execution_id = new_id()
    await pipeline.write_plan(created(execution_id))
    async with DatabaseManager(database_url) as other, other.transaction() as handle:
        await handle.execute("UPDATE pipeline_executions SET priority = 1")
        with pytest.raises(DatabaseBusy):
            await pipeline.write_plan({"count": [counted(execution_id, 1)]}, lock_timeout_seconds=0.05)
    assert await pipeline.write_plan({"count": [counted(execution_id, 1)]}, lock_timeout_seconds=0.05) is True


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_plan_is_one_round_trip_and_its_settings_stay_on_its_connection(pipeline: DatabaseManager) -> None:
    await pipeline.write_plan(created(new_id()))
    pools = await pipeline._driver._pools_here()  # pyright: ignore[reportAttributeAccessIssue]
    connection, sent = pools.plans._connection, list[str]()
    connection.add_query_logger(lambda record: sent.append(record.query))
    execution_id = new_id()
    assert await pipeline.write_plan(created(execution_id)) is True
    assert await pipeline.write_plan({**created(new_id()), "count": [counted(execution_id, 1)]}) is True
    assert await connection.fetchval("SHOW enable_seqscan") == "off"
    assert [query.split()[0] for query in sent[:2]] == ["WITH", "WITH"]
    shown = await asyncio.gather(*(pipeline.fetch_one_async("SHOW enable_seqscan") for _ in range(5)))
    assert shown == [{"enable_seqscan": "on"}] * 5


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_lost_connection_fails_one_plan_and_is_made_again(pipeline: DatabaseManager, database_url: str) -> None:
    await pipeline.write_plan(created(new_id()))
    async with DatabaseManager(database_url, pool_size=1) as other:
        await other.fetch_all_async(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    with pytest.raises(DatabaseUnavailable):
        await pipeline.write_plan(created(new_id()))
    assert await pipeline.write_plan(created(new_id())) is True
    assert (await found(pipeline))["executions"] == 2


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_silent_connection_fails_one_plan_at_its_limit(pipeline: DatabaseManager, database_url: str) -> None:
    async with proxy_to(database_url) as proxy, DatabaseManager(proxy.url) as through:
        assert await through.write_plan(created(new_id())) is True
        proxy.go_silent()
        with pytest.raises(DatabaseUnavailable):
            await through.write_plan(created(new_id()), statement_timeout_seconds=0.2)
        assert await through.write_plan(created(new_id())) is True
        proxy.abort()
    assert (await found(pipeline))["executions"] == 2


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_the_first_plan_looks_into_indexes_also_on_tables_that_have_grown(pipeline: DatabaseManager) -> None:
    """What was planned on empty tables is planned once: the same statement reads no table as a whole."""
    ids = sorted(new_id() for _ in range(400))
    assert await pipeline.write_plan(created(*ids)) is True
    assert await pipeline.write_plan({"count": [counted(each, 1) for each in ids[:2]]}) is True
    scans = "SELECT sum(seq_scan) AS scans FROM pg_stat_xact_user_tables WHERE relname = 'pipeline_executions'"
    pools = await pipeline._driver._pools_here()  # pyright: ignore[reportAttributeAccessIssue]
    connection = pools.plans._connection
    async with connection.transaction():
        before = await connection.fetchval(scans)
        assert await pipeline.write_plan({"count": [counted(each, 1) for each in ids[2:]]}) is True
        assert await connection.fetchval(scans) == before


async def test_before_the_first_connection_it_is_not_known_whether_plans_can_be_written(database_url: str) -> None:
    database = DatabaseManager(database_url)
    assert database.writes_plans is (database.dialect == "sqlite")
    async with database:
        assert database.writes_plans is True
