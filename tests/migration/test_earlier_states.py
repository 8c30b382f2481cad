"""A database that any earlier program made opens, with its rows; one of before that was promised is left as it is."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import SchemaError
from ia_modules.models import ExecutionStatus
from tests.migration.states import names, restore
from tests.migration.test_schemas_alike import postgresql_schema, sqlite_schema
from tests.unit.cli.conftest import command_on

T = TypeVar("T")

COMPLETED = "0199c3f2-0000-7000-8000-000000000010"
CHANGED = """
{names} is not as in the state {state}: databases that have it would not open any more. Put its text back as it was, and
write a V00N__….sql for the change, in both dialects.
"""
NOT_KEPT = """
No state is kept that has {names}. Give what it brings rows in tests/migration/rows.sql, and keep the state that it
makes: python -m tests.migration.states NAME_OF_THE_CHANGE
"""
REST = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type IN ('view', 'index', 'trigger') ORDER BY name",
    "postgresql": """
SELECT relname AS name, pg_get_viewdef(oid) AS sql
  FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace
 UNION ALL
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
 UNION ALL
SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
 UNION ALL
SELECT conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
 UNION ALL
SELECT relname, array_to_string(reloptions, ',') FROM pg_class
 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
 ORDER BY name, sql""",
}


@pytest.fixture
async def unopened(empty_database_url: str) -> AsyncGenerator[DatabaseManager]:
    """A database without any schema, which is not brought up to date."""
    database = DatabaseManager(empty_database_url)
    yield database
    await database.close()


async def schema_of(database: DatabaseManager) -> object:
    tables = await (sqlite_schema if database.dialect == "sqlite" else postgresql_schema)(database)
    return tables, [(row["name"], row["sql"]) for row in await database.fetch_all_async(REST[database.dialect])]


async def rows_of(database: DatabaseManager) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    tables = await (sqlite_schema if database.dialect == "sqlite" else postgresql_schema)(database)
    order = "rowid" if database.dialect == "sqlite" else "ctid"
    return {name: [*await database.fetch_all_async(f"SELECT * FROM {name} ORDER BY {order}")] for name in tables}


@pytest.mark.parametrize("state", names("opened"))
async def test_no_migration_of_a_kept_state_was_changed(unopened: DatabaseManager, state: str) -> None:
    await restore(unopened, "opened", state)
    changed = [each.name for each in await unopened.migration_status() if each.state not in ("applied", "pending")]
    assert changed == [], CHANGED.format(names=", ".join(changed), state=state)


async def test_the_newest_state_is_kept(unopened: DatabaseManager) -> None:
    state = names("opened")[-1]
    await restore(unopened, "opened", state)
    new = [each.name for each in await unopened.migration_status() if each.state == "pending"]
    assert new == [], NOT_KEPT.format(names=", ".join(new))


@pytest.mark.parametrize("state", names("opened"))
async def test_every_table_of_a_kept_state_has_rows(unopened: DatabaseManager, state: str) -> None:
    await restore(unopened, "opened", state)
    assert [name for name, rows in (await rows_of(unopened)).items() if not rows] == []


@pytest.mark.parametrize("state", names("opened"))
async def test_a_database_of_a_kept_state_opens_with_its_rows_and_the_present_schema(
    unopened: DatabaseManager, empty_database_url: str, database: DatabaseManager, state: str
) -> None:
    await restore(unopened, "opened", state)
    before = await rows_of(unopened)
    async with DatabaseManager(empty_database_url) as opened:
        assert await schema_of(opened) == await schema_of(database)
        after = await rows_of(opened)
        for name, rows in before.items():
            kept = [{column: row[column] for column in was} for was, row in zip(rows, after[name], strict=False)]
            assert kept == rows, name


@pytest.mark.parametrize("state", names("opened"))
async def test_a_database_of_a_kept_state_is_worked_with(
    unopened: DatabaseManager, empty_database_url: str, state: str
) -> None:
    await restore(unopened, "opened", state)
    async with DatabaseManager(empty_database_url) as opened, Client(opened) as client:
        record = await client.execution("order 17/ü")
        assert (record.execution_id, record.status) == (COMPLETED, ExecutionStatus.COMPLETED)
        assert [step.step_id for step in await client.steps(COMPLETED)] == ["ask"]
        assert len(b"".join([part async for part in await client.export(COMPLETED)])) > 500
        again = await client.queue("nightly", {}, idempotency_key="tuesday")
        assert (await client.cancel(again.execution_id)).status is ExecutionStatus.CANCELLED


@pytest.mark.parametrize("state", names("refused"))
async def test_a_database_of_before_is_refused_and_left_as_it_is(unopened: DatabaseManager, state: str) -> None:
    await restore(unopened, "refused", state)
    before = await rows_of(unopened)
    for _ in range(2):
        with pytest.raises(SchemaError) as refused:
            await unopened.initialize()
        for words in (unopened.safe_url, "is left as it is", "V001__complete_schema", "executions export", "new.db"):
            assert words in str(refused.value)
    assert await rows_of(unopened) == before


@pytest.mark.parametrize("state", names("refused"))
def test_no_command_does_anything_to_a_database_of_before(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    asyncio.run(at(empty_database_url, lambda database: restore(database, "refused", state)))
    before = asyncio.run(at(empty_database_url, rows_of))
    command = command_on(empty_database_url, monkeypatch)
    for arguments in (
        ["executions", "list"],
        ["db", "migrate"],
        ["db", "status"],
        ["worker"],
        ["serve", "--port", "0"],
    ):
        result = command(*arguments)
        assert result.exit_code != 0, arguments
        assert "is left as it is" in " ".join(result.output.split()), result.output
    assert asyncio.run(at(empty_database_url, rows_of)) == before


async def at(url: str, do: Callable[[DatabaseManager], Awaitable[T]]) -> T:
    database = DatabaseManager(url)
    try:
        return await do(database)
    finally:
        await database.close()
