import asyncio
from contextlib import suppress

import pytest

from ia_modules.database.driver import Dialect
from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import ConstraintViolated, DatabaseReadOnly, InvalidQuery, PipelineConflict
from tests.unit.database.test_manager import ADD, IDS, ids

SLOW = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(100)",
}
"""What runs for longer than any test."""


def added(*event_ids: str) -> Script[int]:
    rows = yield Statement(f"{ADD} RETURNING event_id", [{"event_id": event_id} for event_id in event_ids])
    return len(rows)


async def test_a_script_sees_its_own_writes_and_returns_what_it_found_out(database: DatabaseManager) -> None:
    def script() -> Script[list[str]]:
        added_rows = yield Statement(f"{ADD} RETURNING event_id", [{"event_id": "1"}, {"event_id": "2"}])
        found = yield Statement(IDS)
        assert added_rows == found
        nothing = yield Statement("SELECT 1 AS one WHERE 1 = 0")
        assert nothing == []
        return [row["event_id"] for row in found]

    assert await database.run(script()) == ["1", "2"]
    assert await ids(database) == ["1", "2"]


async def test_the_rows_of_many_runs_come_in_the_order_of_their_parameters(database: DatabaseManager) -> None:
    wanted = [str(number) for number in range(500)]
    await database.run(added(*wanted))

    def script(event_ids: list[str]) -> Script[list[str]]:
        sql = "SELECT event_id FROM events WHERE event_id = :event_id"
        return [row["event_id"] for row in (yield Statement(sql, [{"event_id": event_id} for event_id in event_ids]))]

    backwards = list(reversed(wanted))
    assert await database.read(script(backwards)) == backwards
    assert await database.read(script(["none", *backwards, "none"])) == backwards
    assert await database.read(script([])) == []


async def test_a_script_that_raises_leaves_nothing(database: DatabaseManager) -> None:
    def script() -> Script[None]:
        yield from added("1")
        raise LookupError("changed my mind")

    with pytest.raises(LookupError, match="changed my mind"):
        await database.run(script())
    assert await ids(database) == []
    assert await database.run(added("2")) == 1


async def test_a_failed_statement_is_raised_in_the_script_which_may_say_it_better(database: DatabaseManager) -> None:
    def script() -> Script[int]:
        try:
            return (yield from added("1", "2", "1"))
        except ConstraintViolated as error:
            raise PipelineConflict("it", 1) from error

    with pytest.raises(PipelineConflict) as caught:
        await database.run(script())
    assert isinstance(caught.value.__cause__, ConstraintViolated)
    assert await ids(database) == []


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_script_cannot_go_on_after_a_failed_statement(database: DatabaseManager, *, goes_on: bool) -> None:
    tidied = False

    def script() -> Script[None]:
        nonlocal tidied
        try:
            with suppress(ConstraintViolated):
                yield from added("1", "1")
            if goes_on:
                yield from added("2")
        finally:
            tidied = True

    with pytest.raises(ConstraintViolated):
        await database.run(script())
    assert tidied
    assert await ids(database) == []


async def test_a_read_is_one_snapshot(database: DatabaseManager, database_url: str) -> None:
    """Another process's commit between two statements of a read shows in neither."""
    between = asyncio.Event()
    written = asyncio.Event()
    loop = asyncio.get_running_loop()

    def script() -> Script[tuple[int, int]]:
        first = yield Statement(IDS)
        loop.call_soon_threadsafe(between.set)
        if database.dialect == "sqlite":  # runs in a thread; on PostgreSQL the statements are awaited one by one
            asyncio.run_coroutine_threadsafe(written.wait(), loop).result()
            second = yield Statement(IDS)
        else:
            yield Statement("SELECT pg_sleep(0.2)")
            second = yield Statement(IDS)
        return len(first), len(second)

    async with DatabaseManager(database_url) as other:
        reading = asyncio.create_task(database.read(script()))
        await between.wait()
        await other.execute_async(ADD, {"event_id": "1"})
        written.set()
        assert await reading == (0, 0)
    assert await ids(database) == ["1"]


async def test_a_read_cannot_write(database: DatabaseManager) -> None:
    with pytest.raises(DatabaseReadOnly):
        await database.read(added("1"))
    assert await ids(database) == []
    assert await database.run(added("1")) == 1


async def test_a_read_in_memory_cannot_write_either() -> None:
    async with DatabaseManager("sqlite:///:memory:") as database:
        with pytest.raises(DatabaseReadOnly):
            await database.read(added("1"))
        assert await database.run(added("1")) == 1


async def test_a_script_may_not_end_its_transaction(database: DatabaseManager) -> None:
    def script() -> Script[None]:
        yield from added("1")
        yield Statement("ROLLBACK")
        yield from added("2")

    with pytest.raises(InvalidQuery, match="begins or ends a transaction"):
        await database.run(script())
    assert await ids(database) == []


async def test_many_scripts_at_once_all_succeed(database: DatabaseManager) -> None:
    await asyncio.gather(*(database.run(added(f"{number:03}")) for number in range(100)))
    assert len(await ids(database)) == 100


async def test_a_cancelled_run_is_whole_or_nothing_and_the_database_stays_usable(database: DatabaseManager) -> None:
    """Cancelled after ever more turns of the loop: at the start, between statements, while committing."""
    for turns in range(40):
        running = asyncio.create_task(database.run(added(f"{turns:02}a", f"{turns:02}b")))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    found = await ids(database)
    assert [event_id[:2] for event_id in found[::2]] == [event_id[:2] for event_id in found[1::2]]
    assert await database.run(added("z")) == 1


@pytest.mark.parametrize("verb", ["run", "read"])
async def test_cancelling_stops_what_runs_in_the_database(
    database: DatabaseManager, dialect: Dialect, verb: str
) -> None:
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def script() -> Script[None]:
        yield Statement(IDS)
        loop.call_soon_threadsafe(started.set)
        yield Statement(SLOW[dialect])

    running = asyncio.create_task(getattr(database, verb)(script()))
    await started.wait()
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(60):
        await asyncio.gather(*(database.run(added(str(number))) for number in range(12)))
        assert len(await ids(database)) == 12


async def test_a_timeout_around_a_read_works(database: DatabaseManager, dialect: Dialect) -> None:
    def script() -> Script[None]:
        yield Statement(SLOW[dialect])

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await database.read(script())


async def test_a_script_that_never_ran_is_closed(database_url: str) -> None:
    database = DatabaseManager(database_url)
    await database.close()
    with pytest.raises(Exception, match="was closed here"):
        await database.run(added("1"))
