"""What it would bring to cut PostgreSQL's tables of executions, steps and lines into parts by time, and what it costs.

    python -m benchmarks.partitions [--executions 60000]

Ids are UUIDv7s, so a range of ids is a span of time: here weeks, of ninety days. The present schema is measured against
itself with parts. What parts do not allow is changed for it: a unique key has the id of the execution in it, what names
an attempt alone has no foreign key any more, and that a run has one child only is not held.
"""

import argparse
import asyncio
import re
import time

from benchmarks.databases import POSTGRESQL, new_databases
from benchmarks.figures import Figure, as_table
from benchmarks.sampling import Work, milliseconds, repeat_times
from ia_modules.database.driver import Script, Statement
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MIGRATIONS_FOLDER, find_migrations
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.scale import DAYS, analyze, generate

CUT = ("pipeline_executions", "step_executions", "execution_logs")
WEEK_MS = 7 * 86_400_000
OLD_WEEKS = 4


def with_parts(sql: str, until_ms: int) -> str:
    """The schema with its large tables in weekly parts."""
    sql = sql.replace("step_execution_id UUID NOT NULL PRIMARY KEY", "step_execution_id UUID NOT NULL")
    sql = re.sub(r"log_id( +)UUID NOT NULL PRIMARY KEY", r"log_id\1UUID NOT NULL", sql)
    sql = re.sub(r" REFERENCES step_executions \(step_execution_id\) ON DELETE CASCADE", "", sql)
    sql = sql.replace("CREATE UNIQUE INDEX children_by_run", "CREATE INDEX children_by_run")
    for table in CUT:
        key = {"step_executions": "step_execution_id", "execution_logs": "log_id"}.get(table)
        body = re.search(rf"CREATE TABLE {table} \(\n(.*?)\n\)( WITH \(fillfactor = \d+\))?;", sql, re.DOTALL)
        assert body is not None, table
        primary = f",\n    PRIMARY KEY (execution_id, {key})" if key else ""
        parts = "".join(
            f"\nCREATE TABLE {table}_{week} PARTITION OF {table}"
            f" FOR VALUES FROM ('{first_id(until_ms, week)}') TO ('{first_id(until_ms, week - 1)}'){body[2] or ''};"
            for week in range(DAYS // 7 + 2)
        )
        cut = f"CREATE TABLE {table} (\n{body[1]}{primary}\n) PARTITION BY RANGE (execution_id);{parts}"
        sql = sql.replace(body[0], cut)
    return sql


def first_id(until_ms: int, weeks_ago: int) -> str:
    """The lowest id of a week; 0 is the one that is on."""
    ms = until_ms - weeks_ago * WEEK_MS
    return f"{ms >> 16:08x}-{ms & 65535:04x}-0000-0000-000000000000"


async def record(database: DatabaseManager, executions: int) -> None:
    """So many executions of five steps, 50 at a time."""
    async with ExecutionTracker(database) as tracker:

        async def one() -> None:
            async with tracker.execution(of) as execution:
                for number in range(5):
                    async with execution.step(f"step {number}"):
                        pass

        of = await tracker.register_pipeline("measured", "Measured")
        await repeat_times(one, at_once=50, times=executions)


async def claim(database: DatabaseManager) -> None:
    """One claim, which is taken back."""
    params = {"owner": "w", "limit": 1, "unusable": "[]", "here": ""}
    async with database.transaction() as handle:
        assert await handle.fetch_all(database.query("claim"), params)
        await handle.execute("UPDATE pipeline_executions SET status = 'pending' WHERE owner = 'w'")


async def end_step_by_id(database: DatabaseManager, step: str) -> None:
    """Look an attempt up by its own id, as every end of a step does."""
    assert await database.fetch_all_async(database.query("read_step_state"), {"step_execution_id": step})


async def delete_old(database: DatabaseManager, below: str) -> None:
    """Delete what is older, as the program does: a thousand executions at a time, with what belongs to them."""
    sql = (
        "DELETE FROM pipeline_executions WHERE execution_id IN (SELECT execution_id FROM pipeline_executions"
        " WHERE execution_id < :below ORDER BY execution_id LIMIT 1000)"
    )
    while await database.execute_async(sql, {"below": below}):
        pass


async def drop_old(database: DatabaseManager, weeks: range, below: str) -> None:
    """Delete what would keep old parts from being detached, then detach and drop them, lines first."""
    await database.execute_async("DELETE FROM interactions WHERE execution_id < :below", {"below": below})
    for table in reversed(CUT):
        for week in weeks:
            await database.execute_async(f"ALTER TABLE {table} DETACH PARTITION {table}_{week}")
            await database.execute_async(f"DROP TABLE {table}_{week}")


async def repeated(work: Work, times: int) -> list[float]:
    """Milliseconds for each of so many times."""
    return [await milliseconds(work) for _ in range(times)]


async def measure(url: str, executions: int, until_ms: int, *, parts: bool) -> dict[str, list[float]]:
    schema = "".join(migration.sql for migration in find_migrations(MIGRATIONS_FOLDER / "postgresql"))
    database = DatabaseManager(url, statement_timeout_seconds=600)

    def make() -> Script[None]:
        yield Statement(with_parts(schema, until_ms) if parts else schema, whole_file=True)

    await database.run(make())
    await generate(database, executions, with_steps=executions, until_ms=until_ms)
    await analyze(database)
    some = await database.fetch_one_async("SELECT step_execution_id AS id FROM step_executions LIMIT 1")
    assert some is not None
    oldest = range(DAYS // 7 + 1, DAYS // 7 + 1 - OLD_WEEKS, -1)
    below = first_id(until_ms, oldest[-1] - 1)
    found = {
        "record an execution of 5 steps, 50 at a time": [await milliseconds(lambda: record(database, 300)) / 300],
        "claim one": await repeated(lambda: claim(database), 200),
        "find an attempt by its id": await repeated(lambda: end_step_by_id(database, some["id"]), 200),
        f"delete the oldest {OLD_WEEKS} weeks": await repeated(
            lambda: drop_old(database, oldest, below) if parts else delete_old(database, below), 1
        ),
    }
    await database.close()
    return found


def main(executions: int) -> None:
    until_ms, figures = int(time.time() * 1000), list[Figure]()
    with new_databases() as new_database:
        for name in ("whole", "in parts"):
            url = new_database(POSTGRESQL)
            found = asyncio.run(measure(url, executions, until_ms, parts=name == "in parts"))
            figures += [Figure(POSTGRESQL, what, f"{name}, ms", tuple(taken)) for what, taken in found.items()]
    print(as_table(figures))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=60_000, help="of ninety days, each with its steps and lines")
    main(parser.parse_args().executions)
