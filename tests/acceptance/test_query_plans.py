"""No question that is asked all the time reads a whole table: every plan is looked at, with 20,000 executions there.

What is asked is recorded while the program's own functions ask it. A *walk* along an index, without narrowing it, is
accepted where the sentence has a LIMIT: that is how a page of a list in order is read. SQLite is looked at with what it
knows of the tables (ANALYZE), with what it knew when they were small, and without: it learns only at times.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import apsw
import orjson
import pytest

from ia_modules.client import Client
from ia_modules.database.driver import Params, Rows, Script, advance
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, ExecutionStatus, LogLevel, new_id
from ia_modules.tracker.details import read_execution, read_payloads, read_step, read_steps
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.failures import Failures
from ia_modules.tracker.inbox import InteractionFilters, Person
from ia_modules.tracker.lines import LogFilters
from ia_modules.tracker.lists import ExecutionFilters, ExecutionPage
from ia_modules.tracker.metrics import MetricsReader
from ia_modules.tracker.reader import ExecutionReader
from ia_modules.tracker.system import SystemReader
from ia_modules.transitions import Failure, Recovery
from showcase_app.backend.schemas.metrics import Window
from showcase_app.backend.services.pipeline_service import PipelineService
from tests.conftest import new_name, postgresql_database
from tests.scale import analyze, execution_id, failure_group, generate, pipeline_id

EXECUTIONS, WITH_STEPS = 20_000, 4_000
KNOWN = "known.db"  # beside a SQLite database: the one of which it knows how much there is of what, instead of itself
LARGE = ("pipeline_executions", "execution_attributes", "step_executions", "execution_logs")
UNTIL_MS = int(time.time() * 1000)

T = TypeVar("T")


class Listening(DatabaseManager):
    """A database that keeps what it is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.statements: list[tuple[str, Params]] = []

    async def run(self, script: Script[T], **limits: float | None) -> T:
        return await super().run(self._overhear(script), **limits)

    async def read(self, script: Script[T]) -> T:
        return await super().read(self._overhear(script))

    async def fetch_one_async(self, sql: str, params: Params | None = None) -> dict[str, Any] | None:
        self.statements.append((sql, params or {}))
        return await super().fetch_one_async(sql, params)

    async def fetch_all_async(self, sql: str, params: Params | None = None) -> Rows:
        self.statements.append((sql, params or {}))
        return await super().fetch_all_async(sql, params)

    async def execute_async(self, sql: str, params: Params | None = None) -> int:
        self.statements.append((sql, params or {}))
        return await super().execute_async(sql, params)

    def _overhear(self, script: Script[T]) -> Script[T]:
        rows: Rows | None = None
        while True:
            try:
                statement = advance(script, rows)
            except StopIteration as end:
                return end.value
            if statement.rows:
                self.statements.append((statement.sql, statement.rows[0]))
            rows = yield statement


@pytest.fixture(scope="module", params=["sqlite", "sqlite, analyzed", "sqlite, analyzed when small", "postgresql"])
def large_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A database with 20,000 executions."""
    if request.param == "postgresql":
        server, template = (request.getfixturevalue(f"postgresql_{name}") for name in ("server", "template"))
        with postgresql_database(server, new_name(), template=template) as url:
            asyncio.run(_fill(url))
            yield url
        return
    folder: Path = tmp_path_factory.mktemp("large")
    asyncio.run(_fill(f"sqlite:///{folder / 'ia.db'}"))
    if request.param != "sqlite, analyzed":
        asyncio.run(_fill(f"sqlite:///{folder / KNOWN}", 100 if "small" in request.param else 0))
    yield f"sqlite:///{folder / 'ia.db'}"


async def _fill(url: str, executions: int = EXECUTIONS) -> None:
    async with DatabaseManager(url) as database:
        if executions:
            await generate(database, executions, with_steps=min(executions, WITH_STEPS), until_ms=UNTIL_MS)
        await analyze(database)


@pytest.fixture
async def large(large_url: str) -> AsyncGenerator[Listening]:
    path = Path(large_url.removeprefix("sqlite:///"))
    if (known := path.with_name(KNOWN)).exists():
        with closing(apsw.Connection(str(path))) as connection:  # each time: what closes it may have looked again
            connection.execute("ATTACH :known AS known", {"known": str(known)})
            connection.execute("DELETE FROM sqlite_stat4; DELETE FROM sqlite_stat1")
            connection.execute("INSERT INTO sqlite_stat1 SELECT * FROM known.sqlite_stat1")
    async with Listening(large_url) as database:
        yield database


def id_of(number: int) -> ExecutionId:
    return ExecutionId(execution_id(number, EXECUTIONS, until_ms=UNTIL_MS))


NEWEST, SOME = id_of(EXECUTIONS - 81), id_of(EXECUTIONS // 2)
NOW = datetime.fromtimestamp(UNTIL_MS / 1000, UTC)
DAY, RARE, FREQUENT = NOW - timedelta(days=1), pipeline_id(1), pipeline_id(20)

FILTERS = {
    "all": ExecutionFilters(),
    "completed": ExecutionFilters(status=ExecutionStatus.COMPLETED),
    "running": ExecutionFilters(status=ExecutionStatus.RUNNING),
    "rare_pipeline": ExecutionFilters(pipeline_id=RARE),
    "frequent_pipeline_failed": ExecutionFilters(pipeline_id=FREQUENT, status=ExecutionStatus.FAILED),
    "last_day": ExecutionFilters(started_after=DAY),
    "an_old_day_failed": ExecutionFilters(
        started_after=NOW - timedelta(days=50), started_before=NOW - timedelta(days=49), status=ExecutionStatus.FAILED
    ),
    "last_day_of_rare_pipeline": ExecutionFilters(started_after=DAY, pipeline_id=RARE),
    "last_day_pending": ExecutionFilters(started_after=DAY, status=ExecutionStatus.PENDING),
    "before_the_last_day": ExecutionFilters(started_before=DAY),
    "before_the_last_day_of_rare_pipeline": ExecutionFilters(started_before=DAY, pipeline_id=RARE),
    "id": ExecutionFilters(text=SOME[:13]),
    "pipeline_name": ExecutionFilters(text="Pipeline 7"),
    "failed_alike": ExecutionFilters(failure_group=failure_group(0)),
    "failed_alike_of_a_pipeline": ExecutionFilters(failure_group=failure_group(1), pipeline_id=FREQUENT),
    "failed_alike_lately": ExecutionFilters(failure_group=failure_group(0), failed_after=DAY),
    "error_of_last_day": ExecutionFilters(text="number 7", started_after=DAY),
    "error": ExecutionFilters(text="number 7", look_back=100),
    "error_of_a_pipeline": ExecutionFilters(text="no answer", pipeline_id=FREQUENT, look_back=100),
    "customer": ExecutionFilters(attributes={"input.customer": "customer-7"}),
    "team_failed": ExecutionFilters(attributes={"metadata.team": "blue"}, status=ExecutionStatus.FAILED, look_back=100),
    "error_of_customer": ExecutionFilters(attributes={"input.customer": "customer-7"}, text="Pipeline"),
    "several": ExecutionFilters(status=(ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)),
    "trigger": ExecutionFilters(trigger="api", look_back=1_000),
    "worker": ExecutionFilters(worker="worker-1", status=ExecutionStatus.RUNNING),
    "long_ones": ExecutionFilters(min_seconds=30.0, pipeline_id=FREQUENT, look_back=1_000),
    "short_ones_of_last_day": ExecutionFilters(max_seconds=30.0, started_after=DAY),
}


FAILED_ONE = next(id_of(n) for n in range(EXECUTIONS // 2, EXECUTIONS) if 880 <= n * 7919 % 1000 < 960)

Ask = Callable[[Listening, ExecutionTracker], Awaitable[object]]


async def _list(database: Listening, tracker: ExecutionTracker) -> None:
    for filters in FILTERS.values():
        page = await tracker.list_executions(filters)
        assert page.items, filters
        await tracker.list_executions(filters, cursor=SOME)
    newest = await tracker.get_execution_summary(NEWEST)
    assert newest is not None
    await tracker.get_last_good(newest)


async def _count(database: Listening, tracker: ExecutionTracker) -> None:
    for filters in FILTERS.values():
        await tracker.get_execution_statistics(filters)


async def _read_one(database: Listening, tracker: ExecutionTracker) -> None:
    stored = await read_execution(database, NEWEST, step_limit=1_000, rerun_limit=20)
    step_id = stored.steps.items[0].record.step_execution_id
    await read_steps(database, NEWEST, cursor=None, limit=50)
    await read_payloads(database, NEWEST)
    await read_step(database, NEWEST, step_id)
    await tracker.get_execution(NEWEST)
    await tracker.get_execution_steps(NEWEST)
    await tracker.get_interactions(NEWEST)
    await tracker.changes(NEWEST)
    await tracker.changes(NEWEST, 3, limit=2)
    for filters in (
        LogFilters(),
        LogFilters(level=LogLevel.WARNING, text="Line"),
        LogFilters(step_execution_id=step_id),
    ):
        await tracker.list_logs(NEWEST, filters)
    params = {"ids": orjson.dumps([NEWEST, SOME]).decode()}
    assert len(await database.fetch_all_async(database.query("hints"), params)) == 2


async def _list_questions(database: Listening, tracker: ExecutionTracker) -> None:
    """Of a pipeline, or of those that are answered, a page is read in the order of the list."""
    for filters in (
        InteractionFilters(),
        InteractionFilters(status="pending"),
        InteractionFilters(status="pending", assigned_to="ann", pipeline_id=FREQUENT),
        InteractionFilters(status="answered"),
        InteractionFilters(answerable_by=Person(name="ann", role="approver")),
    ):
        await tracker.list_interactions(filters)
    page = await tracker.list_interactions(InteractionFilters(status="answered"), limit=2)
    await tracker.list_interactions(InteractionFilters(status="answered"), page.next_cursor)
    await tracker.get_interaction(page.items[0].interaction_id)
    for person in (None, Person(name="ann", role="approver")):
        await tracker.count_open_interactions(person)
    await tracker.mark_of_inbox(Person(name="ann", role="approver"))


async def _list_pipelines(database: Listening, tracker: ExecutionTracker) -> None:
    await tracker.list_pipelines()
    pipelines = PipelineService(database, Client(database, tracker=tracker))
    page = await pipelines.list_pipelines(search=None, archived=False, cursor=None, limit=50)
    assert page.items
    await pipelines.get(FREQUENT)


async def _measure(database: Listening, tracker: ExecutionTracker) -> None:
    reader = MetricsReader(database)
    for of_pipeline in (None, FREQUENT):
        await reader.measure(Window.DAY.span, of_pipeline)
        await reader.history(Window.DAY.span, of_pipeline)
    await reader.count(Window.HOUR.span or timedelta())
    system = SystemReader(database)
    await system.measure_queue()
    await system.measure_database()
    await system.list_workers()


async def _record(database: Listening, tracker: ExecutionTracker) -> None:
    execution = await tracker.start_execution(RARE, input_data={"a": 1})
    for status in ("failed", "completed"):
        step = await tracker.start_step_execution(execution, "work", "Work", "task", {"a": 1})
        await tracker.log(execution, "a line", step_execution_id=step)
        await tracker.complete_step_execution(step, status)
    await tracker.update_execution_status(execution, ExecutionStatus.COMPLETED)
    await tracker.request_cancel(id_of(EXECUTIONS - 20 - 1))
    await tracker.take_over(id_of(EXECUTIONS))
    await tracker.take_over(FAILED_ONE, reopen=True)


async def _work(database: Listening, tracker: ExecutionTracker) -> None:
    ownership = tracker.ownership
    claimed = await ownership.claim(4, unusable=[f"{RARE}:0"])
    assert claimed
    owned = await ownership.owned()
    assert {execution.execution_id for execution in owned} >= {claim.execution_id for claim in claimed}
    await ownership.recover(owned[0], Recovery(status=ExecutionStatus.PENDING))
    await ownership.recover(
        owned[1], Recovery(status=ExecutionStatus.FAILED, failure=Failure(type="Lost", message="lost"))
    )
    await ownership.stalled()
    await ownership.wake_due()
    await ownership.forget_the_dead()
    await database.fetch_all_async(database.query("cancel_requests"), {"owner": tracker.owner})


async def _failures(database: Listening, tracker: ExecutionTracker) -> None:
    failures = Failures(database)
    for of_pipeline in (None, FREQUENT):
        page = await failures.page(pipeline_id=of_pipeline)
        assert page.items
    key = (page.items[0].pipeline_id, page.items[0].failure_group)
    assert await failures.group(*key)
    found = await failures.group(*key, since=timedelta())
    assert found
    assert found.count == 0
    await failures.mark(*key, "mended", version=1, actor="ann")
    failing = await tracker.start_execution(RARE)
    await tracker.update_execution_status(failing, "failed", error_message="no")


QUESTIONS: dict[str, Ask] = {
    "lists": _list,
    "counts": _count,
    "one execution": _read_one,
    "pipelines": _list_pipelines,
    "questions": _list_questions,
    "metrics and system": _measure,
    "failures": _failures,
    "recording": _record,
    "workers": _work,
}


@pytest.mark.parametrize("subject", QUESTIONS)
async def test_nothing_that_is_asked_reads_a_whole_table(large: Listening, subject: str) -> None:
    async with ExecutionTracker(large) as tracker:
        large.statements.clear()
        await QUESTIONS[subject](large, tracker)
    executed = {sql: params for sql, params in large.statements if not sql.startswith("PRAGMA")}
    assert executed

    found = {sql: scans for sql, params in executed.items() if (scans := await whole_reads(large, sql, params))}
    assert not found, "\n\n".join(f"{sql}\n→ {'; '.join(scans)}" for sql, scans in found.items())


@pytest.mark.parametrize("of_pipeline", [None, FREQUENT])
async def test_failures_are_found_by_their_time_and_by_nothing_else(large: Listening, of_pipeline: str | None) -> None:
    large.statements.clear()
    await Failures(large).page(pipeline_id=of_pipeline)
    executed = {sql: params for sql, params in large.statements if "counted_group" in sql}
    assert len(executed) == 1
    for sql, params in executed.items():
        assert await indexes_of_executions(large, sql, params) == {"failures_by_time"}, sql


@pytest.mark.parametrize("of_pipeline", [None, FREQUENT])
async def test_a_window_is_found_by_its_start_and_by_nothing_else(large: Listening, of_pipeline: str | None) -> None:
    reader = MetricsReader(large)
    large.statements.clear()
    await reader.measure(Window.DAY.span, of_pipeline)
    await reader.history(Window.DAY.span, of_pipeline)
    executed = {
        sql: params for sql, params in large.statements if "pipeline_executions" in sql or "execution_times" in sql
    }
    assert len(executed) == 7
    for sql, params in executed.items():
        assert await indexes_of_executions(large, sql, params) == {"executions_by_start"}, sql


async def test_a_page_by_an_own_value_looks_at_no_more_where_more_have_it(large: Listening, large_url: str) -> None:
    looked: list[int] = []
    for key, value in (("input.customer", "customer-7"), ("metadata.team", "blue")):  # 40 and 2,000 have it
        filters = ExecutionFilters(attributes={key: value})
        large.statements.clear()
        page = await large_page(large, filters)
        executed = list(large.statements)
        looked.append(sum([await effort(large, large_url, sql, params) for sql, params in executed]))
        below = await large_page(large, filters, page.next_cursor)
        assert below.items[0].execution_id < page.items[-1].execution_id
    few, many = looked
    assert many <= 1.2 * few, looked


async def large_page(database: Listening, filters: ExecutionFilters, cursor: str | None = None) -> ExecutionPage:
    page = await ExecutionReader(database).list_executions(filters, cursor, 2)
    assert len(page.items) == 2
    return page


async def effort(database: DatabaseManager, url: str, sql: str, params: Params) -> int:
    """How much a sentence looks at: rows of indexes on PostgreSQL, steps of its program on SQLite."""
    if database.dialect == "postgresql":
        (row,) = await database.fetch_all_async(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        scans = (node for node in _nodes_of(row["QUERY PLAN"]) if "Scan" in node["Node Type"])
        return sum(int(node["Actual Rows"] * node["Actual Loops"]) for node in scans)
    steps: list[int] = []
    with closing(apsw.Connection(url.removeprefix("sqlite:///"))) as connection:
        connection.trace_v2(
            apsw.SQLITE_TRACE_PROFILE,
            lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]),
        )
        connection.execute(sql, dict(params)).fetchall()
    return steps[-1]


async def test_a_missing_index_would_be_seen(large: Listening, large_url: str) -> None:
    """The looking itself: without its index, a question reads the table."""
    statement = (large.query("count_window"), {"since": DAY, "pipeline_id": None})
    assert await whole_reads(large, *statement) == []

    restore = await _index(large, "executions_by_start")
    await large.execute_async("DROP INDEX executions_by_start")
    try:
        async with DatabaseManager(large_url) as another:  # SQLite would explain with the plan that it still has
            [scan] = await whole_reads(another, *statement)
    finally:
        await large.execute_async(restore)
    assert "pipeline_executions" in scan


async def whole_reads(database: DatabaseManager, sql: str, params: Params) -> list[str]:
    """The steps of the plan that read all of a large table."""
    is_page = "LIMIT" in sql
    if database.dialect == "sqlite":
        rows = await database.fetch_all_async(f"EXPLAIN QUERY PLAN {sql}", params)
        return [row["detail"] for row in rows if _reads_all_on_sqlite(row["detail"], _names(sql), is_page=is_page)]
    [row] = await database.fetch_all_async(f"EXPLAIN (FORMAT JSON) {sql}", params)
    return [
        f"{node['Node Type']} on {node['Relation Name']}"
        for node in _nodes_of(row["QUERY PLAN"])
        if node.get("Relation Name") in LARGE
        and (
            node["Node Type"] == "Seq Scan"
            or (node["Node Type"].startswith("Index") and "Index Cond" not in node and not is_page)
        )
    ]


async def indexes_of_executions(database: DatabaseManager, sql: str, params: Params) -> set[str]:
    """The indexes by which a plan finds executions."""
    if database.dialect == "sqlite":
        rows = await database.fetch_all_async(f"EXPLAIN QUERY PLAN {sql}", params)
        used = (re.match(r"\w+ (?:pipeline_executions|execution) .*INDEX (\w+)", row["detail"]) for row in rows)
        return {found[1] for found in used if found}
    [row] = await database.fetch_all_async(f"EXPLAIN (FORMAT JSON) {sql}", params)
    found = {node.get("Index Name", "") for node in _nodes_of(row["QUERY PLAN"])}
    return {name for name in found if name.startswith(("executions_", "failures_", "pipeline_executions_"))}


def _reads_all_on_sqlite(detail: str, names: set[str], *, is_page: bool) -> bool:
    scanned = re.match(r"SCAN (\w+)(.*)", detail)
    if scanned is None or scanned[1] not in names:
        return False
    return not (is_page and "INDEX" in scanned[2])


def _names(sql: str) -> set[str]:
    """What the large tables are called in a sentence: SQLite's plans have their other names."""
    others = re.findall(rf"\b({'|'.join(LARGE)}|execution_times|step_times) AS (\w+)", sql)
    return {*LARGE, *(other for _, other in others)}


def _nodes_of(explained: str) -> Iterator[dict[str, Any]]:
    return _nodes(orjson.loads(explained)[0]["Plan"])


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)


async def _index(database: DatabaseManager, name: str) -> str:
    """The sentence that makes an index."""
    sql = {
        "sqlite": "SELECT sql FROM sqlite_schema WHERE name = :name",
        "postgresql": "SELECT pg_get_indexdef(CAST(:name AS regclass)) AS sql",
    }[database.dialect]
    row = await database.fetch_one_async(sql, {"name": name})
    assert row is not None
    return row["sql"]


DELAYED = 10_000


async def test_ten_thousand_delayed_executions_cost_a_claim_nothing(database_url: str) -> None:
    async with Listening(database_url) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        rows = [
            {"id": new_id(), "pipeline_id": pipeline_id, "offset": 60.0 + number, "priority": number % 9}
            for number in range(DELAYED)
        ]
        await database.execute_many_async(_INSERT_DELAYED, rows)
        await analyze(database)
        database.statements.clear()
        assert await tracker.ownership.claim(4) == []
        seconds = await tracker.ownership.wake_due()
        assert seconds is not None
        assert seconds > 0
        executed = list(database.statements)
        read = [await rows_read(database, sql, params) for sql, params in executed]
    assert read == [0, 1], "a claim reads none of them; who asks for the next time reads one"


_INSERT_DELAYED = """
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, status, managed, trigger, sequence, created_at, run_at, priority)
VALUES (:id, :pipeline_id, 'Nightly', 'waiting', TRUE, 'test', 1, ia_now(), ia_now(:offset), :priority)"""


async def rows_read(database: DatabaseManager, sql: str, params: Params) -> int:
    """How many rows a sentence with a LIMIT looks at: of those that its index holds."""
    if database.dialect == "postgresql":
        (row,) = await database.fetch_all_async(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        scans = [node for node in _nodes_of(row["QUERY PLAN"]) if "Index Name" in node]
        assert scans, row
        return sum(int(node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) for node in scans)
    plan = await database.fetch_all_async(f"EXPLAIN QUERY PLAN {sql}", params)
    (name,) = {found for step in plan for found in re.findall(r"INDEX (executions_\w+)", step["detail"])}
    _, held = (await _index(database, name)).split("WHERE")
    rows = f"SELECT 1 FROM pipeline_executions INDEXED BY {name} WHERE {held} LIMIT 1"
    return len(await database.fetch_all_async(rows, {}))
