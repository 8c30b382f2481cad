"""An execution whose one step has 100,000 parts: who reads or writes the graph's own steps reads none of them."""

import asyncio
import re
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from ia_modules.database.driver import Params
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, ExecutionStatus, StepExecutionId, StepStatus, new_id
from ia_modules.paths import GRAPH, run_path
from ia_modules.payload import encode
from ia_modules.pipeline.recorded import refs_json
from ia_modules.tracker.details import read_execution, read_steps
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.levels import RunFilters
from ia_modules.tracker.lines import LogFilters
from ia_modules.tracker.metrics import MetricsReader
from ia_modules.transitions import StepStart, StepUpdate, Transition
from tests.acceptance.test_query_plans import Listening
from tests.conftest import new_name, postgresql_database
from tests.scale import analyze

PARTS, FEW = 100_000, 50
WORK = run_path(GRAPH, "work", 1)
ID = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}

NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :parts) "
INSERT_PARTS = (
    """INSERT INTO step_executions (
        step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status,
        sequence, created_at, started_at, completed_at) """
    + NUMBERS
    + """SELECT {id}, :execution_id, :within, 'work', 'Work', 'task', n, 1, n % 2, 'completed', 2, ia_now(), ia_now(),
                ia_now()
           FROM numbers"""
)
INSERT_LINES = (
    "INSERT INTO execution_logs (log_id, execution_id, within, level, message, sequence, logged_at) "
    + NUMBERS
    + "SELECT {id}, :execution_id, :within, 'info', 'a line', 2, ia_now() FROM numbers"
)

Ask = Callable[[Listening, ExecutionTracker, ExecutionId], Awaitable[object]]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a database with the execution and all its parts, to be copied."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('crowd') / 'ia.db'}"
        asyncio.run(_fill(url))
        yield url
        return
    server, template = (request.getfixturevalue(f"postgresql_{name}") for name in ("server", "template"))
    with postgresql_database(server, new_name(), template=template) as url:
        asyncio.run(_fill(url))
        yield url


async def _fill(url: str) -> None:
    async with DatabaseManager(url) as database, ExecutionTracker(database, lease_seconds=None) as tracker:
        execution_id = await tracker.start_execution(await tracker.register_pipeline("p", "P"))
        refs = encode(refs_json((), is_state=False, items=PARTS), "refs")
        for step_id in ("work", "other"):
            start = StepStart(
                step_execution_id=StepExecutionId(new_id()),
                step_id=step_id,
                step_name="S",
                step_type="task",
                input_refs=refs,
            )
            await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, starts=(start,)))
            await tracker.log(execution_id, "a line", step_execution_id=start.step_execution_id)
        params = {"execution_id": execution_id, "within": WORK, "parts": PARTS}
        for sql in (INSERT_PARTS, INSERT_LINES):
            await database.execute_async(sql.format(id=ID[database.dialect]), params)
        if database.dialect == "postgresql":
            await analyze(database)


@pytest.fixture
def own_crowd(crowd: str, request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """The URL of this test's own copy."""
    if crowd.startswith("sqlite:"):
        shutil.copy(crowd.removeprefix("sqlite:///"), tmp_path / "ia.db")
        yield f"sqlite:///{tmp_path / 'ia.db'}"
        return
    template = urlsplit(crowd).path.removeprefix("/")
    with postgresql_database(request.getfixturevalue("postgresql_server"), new_name(), template=template) as url:
        yield url


@pytest.fixture
async def crowded(own_crowd: str) -> AsyncGenerator[tuple[Listening, ExecutionTracker, ExecutionId]]:
    async with (
        Listening(own_crowd) as database,
        ExecutionTracker(database, lease_seconds=None, known_executions=0) as tracker,  # so that it reads what it needs
    ):
        await database.execute_async("UPDATE pipeline_executions SET owner = :owner", {"owner": tracker.owner})
        row = await database.fetch_one_async("SELECT execution_id FROM pipeline_executions")
        database.statements.clear()
        yield database, tracker, (row or {})["execution_id"]


async def _read(database: Listening, tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    stored = await read_execution(database, execution_id, step_limit=1_000, rerun_limit=20)
    assert [each.record.step_id for each in stored.steps.items] == ["work", "other"]
    await read_steps(database, execution_id, cursor=None, limit=50)
    assert len(await tracker.get_execution_steps(execution_id)) == 2
    assert [each.step_id for each in await tracker.get_attempts(execution_id)] == ["work", "other"]
    assert [len((await tracker.changes(execution_id, after)).rows) for after in (0, 2)] == [4, 3]
    attempt = stored.steps.items[0].record.step_execution_id
    for filters in (LogFilters(), LogFilters(text="line"), LogFilters(step_execution_id=attempt)):
        assert (await tracker.list_logs(execution_id, filters)).items


async def _measure(database: Listening, tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    reader = MetricsReader(database)
    await reader.measure(timedelta(days=1), None)
    await reader.history(timedelta(days=1), None)


async def _record(database: Listening, tracker: ExecutionTracker, execution_id: ExecutionId) -> None:
    """A step of the graph that begins, with a number of its own or without, fails and is made again, and ends."""
    step = await tracker.start_step_execution(execution_id, "more", "More", "task")
    await tracker.complete_step_execution(step, "failed")
    again = StepStart(
        step_execution_id=StepExecutionId(new_id()),
        step_id="more",
        step_name="More",
        step_type="task",
        iteration=1,
        attempt=2,
    )
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, starts=(again,)))
    end = StepUpdate(step_execution_id=again.step_execution_id, status=StepStatus.COMPLETED)
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, updates=(end,)))


ASKED: dict[str, Ask] = {"reading": _read, "measuring": _measure, "recording": _record}


@pytest.mark.parametrize("subject", ASKED)
async def test_the_graphs_own_steps_are_found_beside_100_000_parts_of_one(
    crowded: tuple[Listening, ExecutionTracker, ExecutionId], subject: str
) -> None:
    database, tracker, execution_id = crowded
    await ASKED[subject](database, tracker, execution_id)
    executed = {sql: params for sql, params in database.statements if re.search("step_|execution_logs", sql)}
    assert executed
    read = {sql: found for sql, params in executed.items() if (found := await _parts_read(database, sql, params))}
    assert not read, "\n\n".join(f"{sql}\n→ {found}" for sql, found in read.items())


async def test_a_level_that_is_named_is_read_by_pages(
    crowded: tuple[Listening, ExecutionTracker, ExecutionId],
) -> None:
    database, tracker, execution_id = crowded
    await database.execute_async(
        "UPDATE step_executions SET sequence = iteration WHERE execution_id = :id AND within = :within",
        {"id": execution_id, "within": WORK},
    )
    await database.execute_async(
        "UPDATE pipeline_executions SET sequence = :parts WHERE execution_id = :id",
        {"id": execution_id, "parts": PARTS},
    )
    changes = await tracker.changes(execution_id, PARTS - 10, within=WORK)
    assert [each.iteration for each in changes.steps] == list(range(PARTS - 9, PARTS + 1))
    found = [(sql, params) for sql, params in database.statements if "changed_" in sql or "FROM step_executions" in sql]
    assert found
    assert [found for sql, params in found if (found := await _parts_read(database, sql, params))] == []


@pytest.mark.parametrize("status", [None, StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.RUNNING])
async def test_a_page_of_its_runs_and_those_that_did_not_complete_are_found_by_an_index(
    crowded: tuple[Listening, ExecutionTracker, ExecutionId], status: StepStatus | None
) -> None:
    database, tracker, execution_id = crowded
    failed = "UPDATE step_executions SET status = 'failed' WHERE within = :within AND iteration IN (7, 99000)"
    await database.execute_async(failed, {"within": WORK})
    if database.dialect == "postgresql":
        await analyze(database)
    database.statements.clear()
    page = await tracker.list_runs(execution_id, RunFilters(within=WORK, status=status), limit=10)
    assert page.by_status == {StepStatus.COMPLETED: PARTS - 2, StepStatus.FAILED: 2}
    assert len(page.items) == {StepStatus.FAILED: 2, StepStatus.RUNNING: 0}.get(status or StepStatus.COMPLETED, 10)
    assert await tracker.list_levels(execution_id) == [WORK]
    grid = await tracker.item_grid(execution_id, "work")
    assert (grid.per_square, grid.by_status) == (PARTS // 2_000, page.by_status)
    worse = {place for place, status in enumerate(grid.squares) if status is not StepStatus.COMPLETED}
    assert worse == {6 // grid.per_square, 98_999 // grid.per_square}
    found = [(sql, params) for sql, params in database.statements if re.search(r"AS run\b|level\.within", sql)]
    assert len(found) == 4
    assert [read for sql, params in found if (read := await _parts_read(database, sql, params))] == []


async def test_the_end_of_the_one_step_closes_all_that_is_open_in_it(
    crowded: tuple[Listening, ExecutionTracker, ExecutionId],
) -> None:
    database, tracker, execution_id = crowded
    opened = (
        "UPDATE step_executions SET status = 'running', completed_at = NULL WHERE within = :within AND iteration > :n"
    )
    await database.execute_async(opened, {"within": WORK, "n": PARTS - 1_000})
    [work, other] = await tracker.get_execution_steps(execution_id)
    await tracker.complete_step_execution(work.step_execution_id, "completed")
    count = "SELECT status, COUNT(*) AS steps FROM step_executions WHERE within = :within GROUP BY status"
    rows = await database.fetch_all_async(count, {"within": WORK})
    assert {row["status"]: row["steps"] for row in rows} == {"completed": PARTS - 1_000, "cancelled": 1_000}
    assert (await tracker.get_execution_steps(execution_id))[1].status == other.status
    await tracker.update_execution_status(execution_id, ExecutionStatus.COMPLETED)


async def _parts_read(database: DatabaseManager, sql: str, params: Params) -> list[str]:
    """The places of a plan that read parts and lines of the one step: by what they look for, or by what they found."""
    if database.dialect == "sqlite":
        rows = await database.fetch_all_async(f"EXPLAIN QUERY PLAN {sql}", params)
        is_one_look = "MAX(within)" in sql  # into the end of the index, which the plan does not say
        return [row["detail"] for row in rows if not is_one_look and _reads_other_levels(row["detail"])]
    analyzed = "ANALYZE, " if sql.lstrip().startswith(("SELECT", "WITH", "--")) and "INSERT" not in sql else ""
    [row] = await database.fetch_all_async(f"EXPLAIN ({analyzed}FORMAT JSON) {sql}", params)
    return [
        f"{node['Node Type']} {node.get('Index Cond', '')}"
        for node in _scans(orjson.loads(row["QUERY PLAN"])[0]["Plan"])
        if node["Node Type"] == "Seq Scan"
        or node.get("Actual Rows", node["Plan Rows"]) + node.get("Rows Removed by Filter", 0) > FEW
    ]


def _reads_other_levels(detail: str) -> bool:
    looked_up = re.match(r"(?:SCAN|SEARCH) (step_executions|execution_logs|again|before|asker|run|later)\b(.*)", detail)
    if looked_up is None:
        return False
    by_level = re.search(r"within[=><]|steps_retried|\((?:step_execution|log)_id=\?", looked_up[2])
    return by_level is None


def _scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [scan for part in plan.get("Plans", []) for scan in _scans(part)]
    is_scan = plan.get("Relation Name") in ("step_executions", "execution_logs")
    return [plan, *inner] if is_scan else inner
