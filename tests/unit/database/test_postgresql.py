from contextlib import suppress

import pytest

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import InvalidQuery, TransactionMisuse
from tests.unit.database.test_manager import ADD, ids
from tests.unit.database.test_scripts import added

pytestmark = pytest.mark.parametrize("dialect", ["postgresql"])


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


async def test_a_script_costs_one_round_trip_for_each_statement_and_two_for_its_transaction(database_url: str) -> None:
    def script() -> Script[None]:
        for audit_id in "123":
            yield Statement(f"{ADD} RETURNING audit_id", ({"audit_id": audit_id},))

    async with DatabaseManager(database_url, pool_size=1) as database:
        await database.run(added("0"))  # prepared once, and kept
        sent: list[str] = []
        pools = await database._driver._pools_here()  # pyright: ignore[reportAttributeAccessIssue]
        connection = await pools.work.acquire()
        connection.add_query_logger(lambda record: sent.append(record.query))
        real = connection._con
        await pools.work.release(connection)
        await database.run(script())
        assert not real.is_closed()
        assert [query.split()[0] for query in sent] == ["BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]
        await database.run(added("4"), lock_timeout_seconds=0.5)
        assert sent[5:] == ["BEGIN; SET LOCAL lock_timeout = 500", sent[6], "COMMIT"]
        assert await database.fetch_one_async("SHOW lock_timeout") == {"lock_timeout": "10s"}


async def test_a_commit_that_the_server_answers_with_a_rollback_is_an_error(database: DatabaseManager) -> None:
    """Below the handle, which would have refused: so that no way to a COMMIT can lose what it promises."""
    with pytest.raises(TransactionMisuse, match="rolled the transaction back instead of committing it"):
        async with database._driver.transaction(10) as session:
            await session.execute(ADD, {"audit_id": "1"})
            with suppress(InvalidQuery):
                await session.execute("SELECT nothing_there", {})
    assert await ids(database) == []
    assert await database.run(added("2")) == 1


async def test_thousands_of_rows_go_at_once(database: DatabaseManager) -> None:
    sql = f"{ADD} RETURNING audit_id"
    await database.execute_many_async(sql, [{"audit_id": f"{number:05}"} for number in range(3000)])
    assert await database.fetch_one_async("SELECT count(*) AS n FROM audit_log") == {"n": 3000}


async def test_the_program_is_named_to_the_server(database: DatabaseManager) -> None:
    assert await database.fetch_one_async("SHOW application_name") == {"application_name": "ia_modules"}


async def test_a_changed_schema_does_not_break_prepared_statements(
    database: DatabaseManager, database_url: str
) -> None:
    sql = "SELECT * FROM audit_log"
    for _ in range(2):
        assert await database.fetch_all_async(sql) == []
    async with DatabaseManager(database_url) as other:
        await other.execute_async("ALTER TABLE audit_log ADD COLUMN more TEXT")
    assert await database.fetch_all_async(sql) == []
