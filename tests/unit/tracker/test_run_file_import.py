import asyncio
import sys
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ExecutionIsCopy, FileRefused, PipelineDefinitionError
from ia_modules.models import ExecutionId, ExecutionStatus, JsonText
from ia_modules.payload import content_hash
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.metrics import MetricsReader
from ia_modules.tracker.run_file import TABLES, PortableRows, RowDigest, RunFileContents
from ia_modules.tracker.run_file_writing import write_run_file
from tests.unit.run_files import MODULE, document, pipeline_file, queue_run, record_run, record_waiting_run

PIPELINE = "0199c3f2-0000-7000-8000-000000000001"


@pytest.fixture
async def other(tmp_path: Path) -> AsyncGenerator[DatabaseManager]:
    """The database that a run comes to; that it came from is either."""
    async with DatabaseManager(f"sqlite:///{tmp_path / 'other.db'}") as manager:
        yield manager


@pytest.fixture
async def here(other: DatabaseManager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncGenerator[Client]:
    """Where it comes to; the code of the pipelines may be used."""
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    async with Client(other, allowed=AllowedCode((MODULE,)), actor="eve") as client:
        yield client


def digests(path: Path) -> tuple[str, str]:
    """What a file of these rows should say of itself."""
    connection = apsw.Connection(str(path))
    portable, as_written = PortableRows(), RowDigest()

    def rows(sql: str) -> list[dict[str, Any]]:
        connection.row_trace = lambda cursor, row: {
            name: value for (name, *_), value in zip(cursor.get_description(), row, strict=True)
        }
        return list(connection.execute(sql))

    for table in TABLES:
        for row in rows(f"SELECT * FROM {table.name} ORDER BY rowid"):
            portable.add(table.name, row)
            as_written.add(table.name, row)
    for row in rows("SELECT version, name, checksum, requires_program, applied_at FROM ia_migrations ORDER BY version"):
        as_written.add("ia_migrations", row)
    [head] = rows("SELECT execution_id, program, left_out, exported_at FROM run_file")
    head["rows_sha256"] = portable.digest.hexdigest()
    as_written.add("run_file", head)
    connection.close()
    return portable.digest.hexdigest(), as_written.hexdigest()


def forge(path: Path, *statements: str) -> None:
    """Change a file as somebody does who knows how its hashes are made."""
    connection = apsw.Connection(str(path))
    for statement in statements:
        connection.execute(statement)
    connection.close()
    rows_sha256, file_sha256 = digests(path)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE run_file SET rows_sha256 = ?, file_sha256 = ?", (rows_sha256, file_sha256))
    connection.close()


async def export(database: DatabaseManager, execution_id: ExecutionId, path: Path) -> RunFileContents:
    return await write_run_file(database, execution_id, path, lineage=True, actor="ann")


async def test_a_run_goes_from_database_to_file_to_database_to_file_with_the_same_hash(
    database: DatabaseManager, here: Client, other: DatabaseManager, tmp_path: Path
) -> None:
    execution_id = await record_run(database, tmp_path)
    first = await export(database, execution_id, tmp_path / "a.iarun")
    imported = await here.import_run(tmp_path / "a.iarun")
    assert (imported.imported, imported.already_here, imported.went_on) == ([execution_id], [], [])
    second = await export(other, execution_id, tmp_path / "b.iarun")
    assert second.rows_sha256 == first.rows_sha256
    assert second.rows == first.rows
    payloads = "SELECT step_execution_id, input_data, output_data, routes FROM step_executions ORDER BY 1"
    assert await other.fetch_all_async(payloads) == await database.fetch_all_async(payloads)
    deeds = await other.fetch_all_async(
        "SELECT actor, subject, detail FROM audit_log WHERE action = 'execution.import'"
    )
    assert [(deed["actor"], deed["subject"]) for deed in deeds] == [("eve", execution_id)]
    assert orjson.loads(deeds[0]["detail"]) == {"rows_sha256": first.rows_sha256, "runs": 1}


async def test_a_run_comes_to_either_database(
    database: DatabaseManager, other: DatabaseManager, tmp_path: Path
) -> None:
    execution_id = await record_run(other, tmp_path)
    first = await export(other, execution_id, tmp_path / "a.iarun")
    async with Client(database, allowed=AllowedCode((f"{MODULE}.none",))) as strict:
        with pytest.raises(PipelineDefinitionError, match="not among the modules that may be used here"):
            await strict.import_run(tmp_path / "a.iarun")
        for table in ("pipelines", "pipeline_executions", "audit_log"):
            assert await database.fetch_all_async(f"SELECT * FROM {table}") == []
        await strict.register(pipeline_file(tmp_path))  # now the version is here: its code may lie where it does
        await strict.import_run(tmp_path / "a.iarun")
        came = await strict.summary(execution_id)
        assert (came.rows_sha256, came.went_on) == (first.rows_sha256, False)
        assert came.imported_at is not None
        assert came.completed_at is not None
        assert came.imported_at >= came.completed_at
    second = await export(database, execution_id, tmp_path / "b.iarun")
    assert second.rows_sha256 == first.rows_sha256


async def test_a_file_that_comes_twice_brings_nothing_new(
    database: DatabaseManager, here: Client, other: DatabaseManager, tmp_path: Path
) -> None:
    execution_id = await record_run(database, tmp_path)
    await export(database, execution_id, tmp_path / "a.iarun")
    await here.import_run(tmp_path / "a.iarun")
    before = await other.fetch_all_async("SELECT * FROM pipeline_executions, step_executions, audit_log")
    again = await here.import_run(tmp_path / "a.iarun")
    assert (again.imported, again.already_here) == ([], [execution_id])
    assert await other.fetch_all_async("SELECT * FROM pipeline_executions, step_executions, audit_log") == before


async def test_a_file_that_comes_twice_at_once_is_taken_in_once(
    database: DatabaseManager, other: DatabaseManager, tmp_path: Path
) -> None:
    """Into the database of either kind, by two programs."""
    execution_id = await record_run(other, tmp_path)
    await export(other, execution_id, tmp_path / "a.iarun")
    async with Client(database, allowed=AllowedCode()) as one, Client(database, allowed=AllowedCode()) as two:
        await one.register(pipeline_file(tmp_path))
        results = await asyncio.gather(*(client.import_run(tmp_path / "a.iarun") for client in (one, two)))
    assert sorted(len(result.imported) for result in results) == [0, 1]
    [count] = await database.fetch_all_async("SELECT count(*) AS runs FROM imported_executions")
    assert count["runs"] == 1


async def test_its_own_database_has_it_already(database: DatabaseManager, tmp_path: Path) -> None:
    execution_id = await record_run(database, tmp_path)
    await export(database, execution_id, tmp_path / "a.iarun")
    async with Client(database, allowed=AllowedCode()) as client:
        assert (await client.import_run(tmp_path / "a.iarun")).already_here == [execution_id]
        ran_here = await client.execution(execution_id)
        assert (ran_here.imported_at, ran_here.rows_sha256, ran_here.went_on) == (None, None, None)
        assert not await client.tracker.is_copy(execution_id)


async def test_what_had_not_ended_is_a_copy_that_nobody_claims_or_goes_on_with(
    database: DatabaseManager, here: Client, other: DatabaseManager, tmp_path: Path
) -> None:
    waiting, queued = await record_waiting_run(database, tmp_path), await queue_run(database, tmp_path)
    for execution_id in (waiting, queued):
        await export(database, execution_id, tmp_path / f"{execution_id}.iarun")
        imported = await here.import_run(tmp_path / f"{execution_id}.iarun")
        assert imported.went_on == [execution_id]
        copy = await here.execution(execution_id)
        assert (copy.status, copy.error_type) == (ExecutionStatus.CANCELLED, "WentOnElsewhere")
        assert copy.failure_group is None
        assert (copy.went_on, copy.rows_sha256) == (True, imported.contents.rows_sha256)
        assert "went on elsewhere" in (copy.error_message or "")
        with pytest.raises(ExecutionIsCopy, match="came from a run file"):
            await here.requeue(execution_id)
        with pytest.raises(ExecutionIsCopy, match="came from a run file"):
            await here.resume(execution_id, pipeline=pipeline_file(tmp_path))
    assert (await here.interactions()).items[0].status == "cancelled"
    open_rows = "SELECT * FROM step_executions WHERE status IN ('pending', 'running', 'waiting')"
    assert await other.fetch_all_async(open_rows) == []
    assert await here.tracker.ownership.claim(10) == []
    assert await here.tracker.ownership.stalled() == []
    assert await here.tracker.ownership.wake_due() is None
    listed = (await here.executions()).items
    assert [each.went_on for each in listed] == [True, True]
    again = await here.rerun(waiting)
    assert (await here.summary(again)).imported_at is None
    [claimed] = await here.tracker.ownership.claim(10)
    assert claimed.execution_id == again


async def test_what_failed_elsewhere_is_not_taken_over_and_is_in_no_group_of_failures(
    database: DatabaseManager, here: Client, tmp_path: Path
) -> None:
    async with Client(database, allowed=AllowedCode()) as client:
        failing = {"error_handling": {"retry": {"max_attempts": 1}}}
        definition = document(name="Failing", slug="failing")
        steps = [{**step, **failing} if step["id"] == "score" else step for step in definition["steps"]]
        file = pipeline_file(tmp_path, name="Failing", slug="failing", steps=steps)
        started = await client.start(file, {})
        with pytest.raises(Exception, match="bad row"):
            await started.to_end()
    lost = "UPDATE pipeline_executions SET error_type = 'ProcessLost'"
    await database.execute_async(lost)
    await export(database, started.execution_id, tmp_path / "a.iarun")
    await here.import_run(tmp_path / "a.iarun")
    assert (await here.execution(started.execution_id)).status is ExecutionStatus.FAILED
    assert not (await here.failures()).items
    assert [left async for left in here.tracker.left_behind("failing")] == []
    with pytest.raises(ExecutionIsCopy):
        await here.tracker.take_over(started.execution_id, reopen=True)
    await here.delete(started.execution_id)
    assert (await here.import_run(tmp_path / "a.iarun")).imported == [started.execution_id]


async def test_a_version_is_the_one_with_the_same_content_whatever_its_number(
    database: DatabaseManager, here: Client, tmp_path: Path
) -> None:
    execution_id = await record_run(database, tmp_path)
    first = await export(database, execution_id, tmp_path / "a.iarun")
    await here.register(pipeline_file(tmp_path, description="another"))
    await here.register(pipeline_file(tmp_path, description="and another"), new_version=True)
    await here.import_run(tmp_path / "a.iarun")
    assert (await here.execution(execution_id)).pipeline_version == 3
    assert (await here.pipeline("nightly")).current_version == 2
    second = await here.export_run(execution_id, tmp_path / "b.iarun")
    assert second.rows_sha256 == first.rows_sha256


async def test_the_lineage_comes_with_its_links_and_an_id_that_is_taken_is_left_out(
    database: DatabaseManager, here: Client, tmp_path: Path
) -> None:
    async with Client(database, allowed=AllowedCode()) as client:
        queued = await client.queue(pipeline_file(tmp_path), {}, execution_id="order-17")
        again = await client.rerun(queued.execution_id)
    await here.queue(pipeline_file(tmp_path), {"other": 1}, execution_id="order-17")
    await export(database, again, tmp_path / "a.iarun")
    imported = await here.import_run(tmp_path / "a.iarun")
    assert (imported.imported, imported.lost_aliases) == ([queued.execution_id, again], ["order-17"])
    assert (await here.execution(again)).rerun_of == queued.execution_id


FORGED = JsonText(
    '{"name":"Evil","slug":"nightly","steps":[{"id":"a","module":"os","step_class":"abort"}],"flow":{"start_at":"a"}}'
)


@pytest.mark.parametrize(
    ("statements", "error", "found"),
    [
        (
            [f"UPDATE pipeline_versions SET definition = '{FORGED}', content_hash = '{content_hash(FORGED)}'"],
            PipelineDefinitionError,
            "not among the modules that may be used here",
        ),
        (
            [
                "UPDATE pipeline_versions SET definition = '[]', content_hash = '{}'".format(
                    content_hash(JsonText("[]"))
                )
            ],
            PipelineDefinitionError,
            "expected",
        ),
    ],
)
async def test_a_definition_passes_the_door_that_definitions_from_outside_pass(
    other: DatabaseManager, tmp_path: Path, statements: list[str], error: type[Exception], found: str
) -> None:
    async with DatabaseManager("sqlite:///:memory:") as source:
        await export(source, await record_run(source, tmp_path), tmp_path / "a.iarun")
    forge(tmp_path / "a.iarun", *statements)
    async with Client(other, allowed=AllowedCode()) as client:
        with pytest.raises(error, match=found):
            await client.import_run(tmp_path / "a.iarun")
    assert await other.fetch_all_async("SELECT * FROM pipelines") == []


async def test_rows_that_are_of_others_here_are_refused_and_nothing_is_stored(
    database: DatabaseManager, tmp_path: Path
) -> None:
    async with DatabaseManager(f"sqlite:///{tmp_path / 'source.db'}") as source:
        await export(source, await record_run(source, tmp_path), tmp_path / "a.iarun")
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("own", "Own")
        async with tracker.execution(pipeline_id) as own, own.step("a") as step:
            await step.log("mine")
    [line] = await database.fetch_all_async("SELECT log_id FROM execution_logs")
    [first] = apsw.Connection(str(tmp_path / "a.iarun")).execute("SELECT min(log_id) FROM execution_logs")
    forge(
        tmp_path / "a.iarun",
        f"UPDATE execution_logs SET log_id = '{line['log_id']}' WHERE log_id = '{first[0]}'",
    )
    async with Client(database, allowed=AllowedCode()) as client:
        await client.register(pipeline_file(tmp_path))
        with pytest.raises(FileRefused, match="do not go together with those that are here"):
            await client.import_run(tmp_path / "a.iarun")
        assert (await client.executions()).items[0].execution_id == own.id
        assert len((await client.executions()).items) == 1


async def test_audit_rows_of_anything_else_are_not_taken(here: Client, other: DatabaseManager, tmp_path: Path) -> None:
    async with DatabaseManager(f"sqlite:///{tmp_path / 'source.db'}") as source:
        await export(source, await record_run(source, tmp_path), tmp_path / "a.iarun")
    forge(
        tmp_path / "a.iarun",
        "INSERT INTO audit_log VALUES ('0199c3f2-0000-7000-8000-0000000000ff', 'root', 'pipeline.delete', "
        f"'{PIPELINE}', NULL, '2026-11-29T07:00:00.000000Z')",
    )
    await here.import_run(tmp_path / "a.iarun")
    assert await other.fetch_all_async("SELECT * FROM audit_log WHERE actor = 'root'") == []


async def test_a_copy_counts_in_no_metrics(
    database: DatabaseManager, here: Client, other: DatabaseManager, tmp_path: Path
) -> None:
    for execution_id in (await record_run(database, tmp_path), await record_waiting_run(database, tmp_path)):
        await export(database, execution_id, tmp_path / f"{execution_id}.iarun")
        await here.import_run(tmp_path / f"{execution_id}.iarun")
    ours, theirs = MetricsReader(database), MetricsReader(other)
    assert sum((await ours.count(timedelta(days=1))).values()) == 2
    assert sum((await theirs.count(timedelta(days=1))).values()) == 0
    assert sum(bucket.started for bucket in (await theirs.history()).buckets) == 0
    assert (await theirs.measure()).first_start is None
