import asyncio
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest

from ia_modules.database.driver import Dialect
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    ConstraintViolated,
    DatabaseBusy,
    DatabaseClosed,
    DatabaseError,
    DatabaseFull,
    DatabaseUnavailable,
    InvalidQuery,
)
from ia_modules.models import NO_ID, new_id, parse_time

ADD = """
INSERT INTO events (event_id, actor, address, created_at)
VALUES (:event_id, 'ada', 'it', ia_now())
"""
IDS = "SELECT event_id FROM events ORDER BY event_id"
TYPES = {
    "sqlite": "t TEXT, i INTEGER, f REAL, b INTEGER, at TEXT, j TEXT",
    "postgresql": "t TEXT, i BIGINT, f DOUBLE PRECISION, b BOOLEAN, at TIMESTAMPTZ, j JSON",
}


class Colour(StrEnum):
    RED = "red"


async def ids(database: DatabaseManager) -> list[str]:
    return [row["event_id"] for row in await database.fetch_all_async(IDS)]


async def test_rows_affected_are_counted(database: DatabaseManager) -> None:
    assert await database.execute_async(ADD, {"event_id": "1"}) == 1
    await database.execute_many_async(ADD, [{"event_id": str(number)} for number in range(2, 6)])
    change = "UPDATE events SET actor = 'eve' WHERE event_id > :least"
    assert await database.execute_async(change, {"least": "2"}) == 3
    assert await database.execute_async(change, {"least": "none"}) == 0
    assert await database.execute_async("SELECT event_id FROM events") == 0
    assert await database.execute_async("CREATE TABLE t (a TEXT)") == 0
    assert await database.execute_async("DELETE FROM events") == 5


async def test_rows_are_dicts_and_no_row_is_none_or_empty(database: DatabaseManager) -> None:
    assert await database.fetch_one_async(IDS) is None
    assert await database.fetch_all_async(IDS) == []
    await database.execute_async(ADD, {"event_id": "1"})
    await database.execute_async(ADD, {"event_id": "2"})
    assert await database.fetch_one_async(IDS) == {"event_id": "1"}
    assert await database.fetch_all_async(IDS) == [{"event_id": "1"}, {"event_id": "2"}]


async def test_a_fetch_may_write_and_is_committed(database: DatabaseManager) -> None:
    rows = await database.fetch_all_async(f"{ADD} RETURNING event_id, actor", {"event_id": "1"})
    assert rows == [{"event_id": "1", "actor": "ada"}]
    assert await ids(database) == ["1"]


async def test_values_come_back_as_they_were(database: DatabaseManager, dialect: Dialect) -> None:
    await database.execute_async(f"CREATE TABLE v ({TYPES[dialect]})")
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=2)))
    rows: list[dict[str, Any]] = [
        {"t": "it's ☃", "i": 2**63 - 1, "f": 0.1, "b": True, "at": moment, "j": '{"b": 1, "a": [1.0, null]}'},
        {"t": "", "i": -(2**63), "f": -1e300, "b": False, "at": moment, "j": '"text"'},
        {"t": Colour.RED, "i": 0, "f": 2, "b": True, "at": moment, "j": "null"},
        dict.fromkeys(("t", "i", "f", "b", "at", "j")),
    ]
    for row in rows:
        await database.execute_async("INSERT INTO v (t, i, f, b, at, j) VALUES (:t, :i, :f, :b, :at, :j)", row)
        found = await database.fetch_one_async("SELECT * FROM v")
        assert found is not None
        assert found["at"] is None or parse_time(found.pop("at")) == row["at"]
        assert {key: value for key, value in found.items() if value != row[key]} == {}
        assert found["j"] == row["j"]  # text, as it was written
        await database.execute_async("DELETE FROM v")


async def test_a_name_may_be_used_twice_and_others_are_ignored(database: DatabaseManager) -> None:
    params = {"event_id": "1", "unused": object()}
    await database.execute_async(ADD, params)
    sql = "SELECT event_id FROM events WHERE event_id = :event_id OR actor = :event_id"
    assert await database.fetch_all_async(sql, params) == [{"event_id": "1"}]


async def test_what_is_not_used_may_be_anything(database: DatabaseManager) -> None:
    await database.execute_async(ADD, {"event_id": "1", "unused": "\0\ud800"})
    assert await ids(database) == ["1"]


async def test_an_optional_filter_needs_no_second_query(database: DatabaseManager) -> None:
    await database.execute_async(ADD, {"event_id": "1"})
    sql = "SELECT event_id FROM events WHERE (CAST(:actor AS TEXT) IS NULL OR actor = :actor)"
    assert len(await database.fetch_all_async(sql, {"actor": None})) == 1
    assert len(await database.fetch_all_async(sql, {"actor": "eve"})) == 0


async def test_many_rows_are_written_all_or_none(database: DatabaseManager) -> None:
    await database.execute_async(ADD, {"event_id": "3"})
    with pytest.raises(ConstraintViolated):
        await database.execute_many_async(ADD, [{"event_id": str(number)} for number in range(1, 5)])
    assert await ids(database) == ["3"]
    await database.execute_many_async(ADD, [])
    assert await ids(database) == ["3"]


ID = new_id()
PIPELINE = """
INSERT INTO pipelines (id, slug, name, created_at, updated_at) VALUES (:id, :slug, :name, ia_now(), ia_now())
"""
VERSION = """
INSERT INTO pipeline_versions (pipeline_id, version, definition, content_hash, created_at)
VALUES (:pipeline_id, :version, '{}', :content_hash, ia_now())
"""
EXECUTION = """
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, status, trigger, sequence, created_at, started_at)
VALUES (:id, :id, 'n', :status, 'test', :sequence, ia_now(), ia_now())
"""
STEP = """
INSERT INTO step_executions (
    step_execution_id, execution_id, step_id, step_name, step_type, iteration, attempt, status, effect, sequence,
    created_at)
VALUES (:id, :id, 's', 'S', 'task', 1, :attempt, 'pending', :effect, 1, ia_now())
"""


@pytest.mark.parametrize(
    ("sql", "params", "constraint"),
    [
        (PIPELINE, {"id": NO_ID, "slug": "s", "name": "n"}, "pipeline_slug_unique"),
        (PIPELINE, {"id": ID, "slug": "t", "name": "n"}, "pipelines_pkey"),
        (PIPELINE, {"id": NO_ID, "slug": "t", "name": ""}, "pipeline_name_present"),
        (PIPELINE, {"id": NO_ID, "slug": "", "name": "n"}, "pipeline_slug_present"),
        (PIPELINE, {"id": NO_ID, "slug": "t", "name": None}, None),
        (VERSION, {"pipeline_id": ID, "version": 1, "content_hash": "y"}, "pipeline_versions_pkey"),
        (VERSION, {"pipeline_id": ID, "version": 2, "content_hash": "x"}, "version_content_unique"),
        (VERSION, {"pipeline_id": ID, "version": 0, "content_hash": "y"}, "version_counts_from_one"),
        (EXECUTION, {"id": ID, "status": "odd", "sequence": 1}, "execution_status_valid"),
        (EXECUTION, {"id": ID, "status": "pending", "sequence": 0}, "execution_sequence_positive"),
        (EXECUTION, {"id": ID, "status": "failed", "sequence": 1}, "execution_completed_iff_terminal"),
        (STEP, {"id": ID, "effect": "magic", "attempt": 1}, "step_effect_valid"),
        (STEP, {"id": ID, "effect": None, "attempt": 0}, "step_counts_from_one"),
    ],
)
async def test_a_violated_constraint_is_named(
    database: DatabaseManager, sql: str, params: dict[str, Any], constraint: str | None
) -> None:
    await database.execute_async(PIPELINE, {"id": ID, "slug": "s", "name": "n"})
    await database.execute_async(VERSION, {"pipeline_id": ID, "version": 1, "content_hash": "x"})
    with pytest.raises(ConstraintViolated) as caught:
        await database.execute_async(sql, params)
    assert caught.value.constraint == constraint
    assert caught.value.__cause__ is not None


async def test_a_missing_parent_is_refused(database: DatabaseManager, dialect: Dialect) -> None:
    with pytest.raises(ConstraintViolated) as caught:
        await database.execute_async(VERSION, {"pipeline_id": NO_ID, "version": 1, "content_hash": "x"})
    assert caught.value.constraint == (None if dialect == "sqlite" else "pipeline_versions_pipeline_id_fkey")


@pytest.mark.parametrize(
    ("sql", "params", "message"),
    [
        ("SELEC 1", {}, "syntax error"),
        ("SELECT * FROM nothing_there", {}, r"nothing_there.*Was the schema created\? await database.initialize\(\)"),
        ("SELECT nothing_there FROM events", {}, "nothing_there"),
        ('SELECT "nothing there" FROM events', {}, "nothing there"),
        (ADD, {"id": "1"}, "The parameter :event_id is missing; expected a value for every name"),
        (ADD, {}, "The parameter :event_id is missing"),
        (ADD, {"event_id": object()}, "object"),
        (
            ADD,
            {"event_id": "1\ud800"},
            r"parameter :event_id .* lone surrogate \(U\+D800\) at position 1 of 2; expected",
        ),
        (ADD, {"event_id": "1\0"}, r"parameter :event_id .* NUL character \(U\+0000\) at position 1 of 2; expected"),
        ("SELECT event_id FROM events LIMIT :n", {"n": 2**70}, "The SQL: SELECT event_id"),
    ],
)
async def test_wrong_sql_and_wrong_parameters_are_errors_never_empty_lists(
    database: DatabaseManager, sql: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidQuery, match=message):
        await database.fetch_all_async(sql, params)
    with pytest.raises(InvalidQuery, match=message):
        await database.execute_many_async(sql, [params, params])
    assert await ids(database) == []


async def test_a_long_sql_is_shortened_in_messages(database: DatabaseManager) -> None:
    with pytest.raises(InvalidQuery) as caught:
        await database.fetch_all_async("SELECT\n   nothing_there," + "1," * 1000 + " 1 FROM events")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("sql", ["BEGIN", "/* so */ BEGIN"])
async def test_a_transaction_by_hand_is_refused_and_leaves_nothing_open(database: DatabaseManager, sql: str) -> None:
    with pytest.raises(InvalidQuery, match="begins or ends a transaction; use: async with"):
        await database.execute_async(sql)
    with pytest.raises(InvalidQuery, match="begins or ends a transaction"):
        await database.fetch_all_async(sql)
    await database.execute_async(ADD, {"event_id": "1"})
    assert await ids(database) == ["1"]


async def test_it_opens_at_first_use_without_migrating(empty_database_url: str) -> None:
    database = DatabaseManager(empty_database_url)
    assert await database.fetch_one_async("SELECT 1 AS one") == {"one": 1}
    with pytest.raises(InvalidQuery):
        await ids(database)
    await database.close()


async def test_many_first_uses_at_once_open_it_once(database_url: str) -> None:
    database = DatabaseManager(database_url)
    await asyncio.gather(*(database.execute_async(ADD, {"event_id": str(number)}) for number in range(30)))
    assert len(await ids(database)) == 30
    await database.close()


async def test_after_close_nothing_can_be_done(database_url: str) -> None:
    database = DatabaseManager(database_url)
    await database.initialize()
    await database.close()
    await database.close()
    for attempt in (ids(database), database.execute_async(ADD, {"event_id": "1"}), database.initialize()):
        with pytest.raises(DatabaseClosed, match="was closed here; make a new DatabaseManager"):
            await attempt


async def test_two_managers_in_memory_are_two_databases() -> None:
    async with DatabaseManager("sqlite:///:memory:") as one, DatabaseManager("sqlite:///:memory:") as other:
        await one.execute_async(ADD, {"event_id": "1"})
        assert (await ids(one), await ids(other)) == (["1"], [])


async def test_the_clock_is_the_databases_with_microseconds(database: DatabaseManager) -> None:
    before = datetime.now(UTC)
    row = await database.fetch_one_async("SELECT ia_now() AS now, ia_now(-60) AS earlier, ia_now(0.5) AS later")
    assert row is not None
    now, earlier, later = (parse_time(row[name]) for name in ("now", "earlier", "later"))
    after = datetime.now(UTC)
    for moment, seconds in ((now, 0), (earlier, -60), (later, 0.5)):
        assert before <= moment - timedelta(seconds=seconds) <= after


async def test_a_test_may_set_the_clock(database_url: str, dialect: Dialect) -> None:
    then = datetime(2020, 2, 29, 12, tzinfo=UTC)
    database = DatabaseManager(database_url, now=(lambda: then) if dialect == "sqlite" else None)
    if dialect == "postgresql":
        await database.execute_async(
            f"CREATE OR REPLACE FUNCTION ia_now() RETURNS timestamptz LANGUAGE sql RETURN timestamptz '{then}'"
        )
    row = await database.fetch_one_async("SELECT ia_now() AS now, ia_now(60) AS later")
    assert row is not None
    assert (parse_time(row["now"]), parse_time(row["later"])) == (then, then + timedelta(minutes=1))
    await database.close()


async def test_every_error_has_the_drivers_as_its_cause(database: DatabaseManager) -> None:
    with pytest.raises(DatabaseError) as caught:
        await database.fetch_all_async("SELEC 1")
    assert type(caught.value.__cause__).__module__.split(".")[0] in ("apsw", "asyncpg")


LIMIT = "INSERT INTO limits (name, rule, updated_at) VALUES (:name, '{}', ia_now())"
FULL = {
    "sqlite": "PRAGMA max_page_count = 1",  # SQLite takes what the file has already for the least possible
    "postgresql": "DO $$ BEGIN RAISE 'could not extend file' USING ERRCODE = '53100'; END $$",
}


async def test_a_full_disk_is_neither_busy_nor_away(database: DatabaseManager, dialect: Dialect) -> None:
    with pytest.raises(DatabaseFull, match=r"[Mm]ake room") as caught:
        async with database.transaction() as handle:
            await handle.execute(FULL[dialect])
            await handle.execute(LIMIT, {"name": "x" * 100_000})
    assert not isinstance(caught.value, DatabaseBusy | DatabaseUnavailable)
    assert await ids(database) == []
