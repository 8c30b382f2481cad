import asyncio
from pathlib import Path

import apsw
import pytest

from benchmarks.conflicts import changed_of_100
from benchmarks.contestants import CONTESTANTS
from benchmarks.databases import BOTH
from benchmarks.limit import Batch, SqliteGroupCommit, by_kind, statement_of
from benchmarks.sampling import repeat_times, sample
from benchmarks.work import STEPS
from benchmarks.writes import PLACES, count
from ia_modules import DatabaseManager

SIZES = {"limit": 6, "payload": 2_000, "chain": 7, "fan-out": 6, "loop": 4}
STEPS_OF = {"chain": 7, "fan-out": 8, "loop": 5}


@pytest.mark.parametrize("name", [name for name in CONTESTANTS if name != "limit"])
async def test_what_is_counted_was_recorded_as_completed(
    name: str, database: DatabaseManager, database_url: str
) -> None:
    async with CONTESTANTS[name](database_url, SIZES.get(name, 0)) as work:
        taken = await sample(work, at_once=2, seconds=0.0)
    assert taken.executions == 2
    states = await database.fetch_all_async("SELECT status, completed_steps FROM pipeline_executions")
    assert [(row["status"], row["completed_steps"]) for row in states] == [("completed", STEPS_OF.get(name, STEPS))] * 2


async def test_another_process_changes_some_of_what_runs(database: DatabaseManager, database_url: str) -> None:
    async with CONTESTANTS["disturbed"](database_url, 0) as work:
        await repeat_times(work, at_once=20, times=500)
    row = await database.fetch_one_async("SELECT count(*) AS ended FROM pipeline_executions WHERE status <> 'running'")
    assert row == {"ended": 500}
    assert 0 < await changed_of_100(database) <= 1


async def test_steps_that_log_leave_ten_lines_each(database: DatabaseManager, database_url: str) -> None:
    async with CONTESTANTS["logs"](database_url, 0) as work:
        await work()
    row = await database.fetch_one_async("SELECT count(*) AS lines FROM execution_logs")
    assert row == {"lines": 10 * STEPS}


@pytest.mark.parametrize("commits", [6, 12])
async def test_the_limit_keeps_the_same_records(commits: int, empty_database_url: str) -> None:
    async with CONTESTANTS["limit"](empty_database_url, commits) as work:
        taken = await sample(work, at_once=7, seconds=0.0)
    database = DatabaseManager(empty_database_url)
    executions = await database.fetch_all_async("SELECT * FROM executions")
    steps = await database.fetch_all_async("SELECT * FROM steps ORDER BY execution_id, name")
    await database.close()
    assert taken.executions == len(executions) == 7
    assert [step["name"] for step in steps] == [f"step-{number}" for number in range(STEPS)] * 7
    for row in [*executions, *steps]:
        assert row["status"] == "completed"
        assert row["input"] == row["output"]
        assert row["started_at"] <= row["completed_at"]


@pytest.mark.timeout(300)  # starts a server that flushes
@pytest.mark.parametrize("kind", BOTH)
def test_the_limit_makes_as_many_commits_as_it_says_and_flushes_each(kind: str) -> None:
    with PLACES[kind]() as (new_database, read):
        found = {
            name: asyncio.run(count(new_database(kind), name, 1, 3, read)) for name in ("limit:6", "limit:12", "runner")
        }
    for commits in (6, 12):
        counts = found[f"limit:{commits}"]
        assert {counts[each] for each in ("commits", "flushes", "round trips") if each in counts} == {commits}
    assert found["runner"]["commits"] >= STEPS
    assert found["runner"]["WAL bytes"] > 0


async def test_a_batch_that_cannot_be_written_fails_for_all_in_it_and_for_no_other(tmp_path: Path) -> None:
    group = SqliteGroupCommit(str(tmp_path / "limit.db"))
    row = ("begin_execution", ("e1", "{}", "now"))
    try:
        await group.commit([row])
        same, other = group.commit([row]), group.commit([("begin_execution", ("e2", "{}", "now"))])
        for failed in (same, other):
            with pytest.raises(apsw.ConstraintError):
                await failed
        await group.commit([("begin_execution", ("e2", "{}", "now"))])
    finally:
        group.close()


def test_a_statement_has_a_part_for_each_kind_and_numbers_its_parameters() -> None:
    sql = statement_of(["end_step", "begin_step"])
    assert sql.startswith("WITH end_step AS (UPDATE steps")
    assert ", begin_step AS (INSERT INTO steps" in sql
    assert [f"${number}" in sql for number in range(1, 10)] == [True] * 8 + [False]


async def test_rows_of_a_batch_are_put_together_by_kind() -> None:
    future = asyncio.get_running_loop().create_future()
    batch: Batch = [([("begin_step", (1,)), ("end_step", (2,))], future), ([("begin_step", (3,))], future)]
    assert by_kind(batch) == [("end_step", [(2,)]), ("begin_step", [(1,), (3,)])]
