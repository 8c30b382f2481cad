"""Which statements change their connection, and which may be sent twice."""

import asyncio
import json
from contextlib import suppress
from uuid import UUID

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.postgresql_session import only_reads
from ia_modules.errors import InvalidQuery, TransactionMisuse
from ia_modules.models import new_id
from tests.pooler import Pooler
from tests.unit.database.test_driver import added
from tests.unit.database.test_manager import ADD, ids

on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"])


@on_postgresql
@pytest.mark.parametrize(
    "leave_something",
    [
        "SET work_mem = '3MB'",
        "/* a comment */ SET work_mem = '3MB'",
        "SELECT 1; SET work_mem = '3MB'",
        "SELECT set_config('work_mem', '3MB', false)",
        "SELECT pg_advisory_lock(1)",
        "CREATE TEMPORARY TABLE left_over (a TEXT)",
    ],
)
async def test_what_a_statement_leaves_on_its_connection_is_not_found_by_the_next(
    database_url: str, leave_something: str
) -> None:
    async with DatabaseManager(database_url, pool_size=1) as database:
        await database.execute_async(leave_something)
        assert await database.fetch_one_async("SHOW work_mem") == {"work_mem": "4MB"}
        assert await database.fetch_one_async("SHOW lock_timeout") == {"lock_timeout": "10s"}
        locks = "SELECT count(*) AS held FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        assert await database.fetch_one_async(locks) == {"held": 0}


@on_postgresql
async def test_a_commit_that_the_server_answers_with_a_rollback_is_an_error(database: DatabaseManager) -> None:
    """Below the handle, which would have refused: so that no way to a COMMIT can lose what it promises."""
    with pytest.raises(TransactionMisuse, match="rolled the transaction back instead of committing it"):
        async with database._driver.transaction(10) as session:
            await session.execute(ADD, {"event_id": "1"})
            with suppress(InvalidQuery):
                await session.execute("SELECT nothing_there", {})
    assert await ids(database) == []
    assert await database.run(added("2")) == 1


@on_postgresql
async def test_thousands_of_rows_go_at_once(database: DatabaseManager) -> None:
    sql = f"{ADD} RETURNING event_id"
    await database.execute_many_async(sql, [{"event_id": f"{number:05}"} for number in range(3000)])
    assert await database.fetch_one_async("SELECT count(*) AS n FROM events") == {"n": 3000}


@on_postgresql
async def test_a_changed_schema_does_not_break_prepared_statements(
    database: DatabaseManager, database_url: str
) -> None:
    sql = "SELECT * FROM events"
    for _ in range(2):
        assert await database.fetch_all_async(sql) == []
    async with DatabaseManager(database_url) as other:
        await other.execute_async("ALTER TABLE events ADD COLUMN more TEXT")
    assert await database.fetch_all_async(sql) == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM t WHERE updated_at > :at", True),
        ("-- why\nWITH a AS (SELECT 1) TABLE a", True),
        ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", False),
        ("SELECT 1 INTO t", False),
        ("SELECT nextval('s')", False),
        ("SELECT pg_notify('a', 'b')", False),
        ("UPDATE t SET a = 1", False),
        ("CREATE TABLE t (a TEXT)", False),
        ("SELECT 1; DROP TABLE t", False),
    ],
)
def test_only_what_reads_is_sent_twice(sql: str, *, expected: bool) -> None:
    assert only_reads(sql) is expected


UUIDS = """
SELECT CAST(:one AS UUID) AS one, CAST(:many AS UUID[]) AS many,
       (SELECT array_agg(each ORDER BY each DESC) FROM unnest(CAST(:many AS UUID[])) AS each) AS turned,
       (SELECT json_agg(each) FROM unnest(CAST(:many AS UUID[])) AS each) AS listed
"""


async def assert_uuids_are_text(database: DatabaseManager) -> None:
    one, *many = sorted(new_id() for _ in range(3))
    row = await database.fetch_one_async(UUIDS, {"one": one, "many": many})
    assert row == {"one": one, "many": many, "turned": many[::-1], "listed": json.dumps(many)}
    nothing = await database.fetch_one_async(UUIDS, {"one": None, "many": []})
    assert nothing == {"one": None, "many": [], "turned": None, "listed": None}
    async with database.transaction() as handle:
        assert await handle.fetch_one("SELECT CAST(:one AS UUID) AS one", {"one": UUID(one)}) == {"one": one}
    with pytest.raises(InvalidQuery, match="uuid"):
        await database.fetch_one_async("SELECT CAST(:one AS UUID) AS one", {"one": "e1"})


@on_postgresql
async def test_a_uuid_is_text_in_both_directions(database: DatabaseManager) -> None:
    await assert_uuids_are_text(database)
    await database.execute_async("SET work_mem = '3MB'")  # its connection is made clean, and used again
    await assert_uuids_are_text(database)


async def test_a_uuid_is_text_behind_a_pooler_too(pooler: Pooler) -> None:
    async with DatabaseManager(pooler.url) as database:
        await assert_uuids_are_text(database)
        await asyncio.gather(*(assert_uuids_are_text(database) for _ in range(6)))
