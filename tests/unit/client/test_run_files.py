from pathlib import Path

import pytest

from ia_modules import Client, DatabaseManager
from ia_modules.errors import ExecutionNotFound, FileRefused, SlugMismatch
from ia_modules.tracker.run_file import PARTS, Part
from ia_modules.tracker.run_file_reading import checked
from tests.unit.run_files import record_run


async def test_a_run_is_exported_in_the_name_of_who_does_it(client: Client, file: Path, tmp_path: Path) -> None:
    queued = await client.queue(file, {"n": 2}, execution_id="order-17")
    contents = await client.export_run("order-17", tmp_path / "run.iarun", left_out=("logs",))
    assert contents.execution_id == queued.execution_id
    assert checked(tmp_path / "run.iarun") == (contents, True)
    with pytest.raises(ExecutionNotFound):
        await client.export_run("nobody", tmp_path / "none.iarun")


async def test_what_an_export_would_write_is_said_before_and_is_what_it_writes(
    client: Client, database: DatabaseManager, file: Path, tmp_path: Path
) -> None:
    first = await client.queue(file, {"n": 2}, execution_id="order-17")
    again = await client.rerun(first.execution_id)
    recorded = await record_run(database, tmp_path)
    choices: list[tuple[Part, ...]] = [(), ("payloads",), ("logs",), PARTS]
    for execution_id in (again, recorded):
        for lineage in (False, True):
            for left_out in choices:
                plan = await client.plan_export(execution_id, lineage=lineage, left_out=left_out)
                contents = await client.export_run(
                    execution_id, tmp_path / "run.iarun", lineage=lineage, left_out=left_out
                )
                assert (plan.runs, plan.inside) == (contents.runs, contents.inside)
    assert (await client.plan_export("order-17")).execution_id == first.execution_id
    assert (await client.plan_export(again, lineage=True)).runs == "1 run and 1 that it comes from"
    deeds = await database.fetch_all_async("SELECT action FROM audit_log WHERE action = 'execution.export'")
    assert len(deeds) == 16
    with pytest.raises(ExecutionNotFound):
        await client.plan_export("nobody")


async def test_an_import_is_told_to_those_who_follow(client: Client, file: Path, tmp_path: Path) -> None:
    queued = await client.queue(file, {"n": 2})
    await client.export_run(queued.execution_id, tmp_path / "run.iarun")
    await client.cancel(queued.execution_id)
    await client.delete(queued.execution_id)
    async with client.tracker.live.watching(queued.execution_id) as look:
        look.clear()
        assert (await client.import_run(tmp_path / "run.iarun")).imported == [queued.execution_id]
        assert look.is_set()


async def test_what_is_no_run_file_is_refused(client: Client, file: Path) -> None:
    with pytest.raises(FileRefused, match="it is no SQLite file"):
        await client.import_run(file)


async def test_a_definition_belongs_to_the_pipeline_that_it_names(
    client: Client, database: DatabaseManager, tmp_path: Path
) -> None:
    ask = {"name": "Ask", "steps": [{"id": "ask", "type": "human_input"}], "flow": {"start_at": "ask"}}
    await client.register(ask)
    queued = await client.queue("ask")
    await database.execute_async("UPDATE pipelines SET slug = 'other'")
    await client.export_run(queued.execution_id, tmp_path / "run.iarun")
    await database.execute_async("UPDATE pipelines SET slug = 'third'")
    with pytest.raises(SlugMismatch):
        await client.import_run(tmp_path / "run.iarun")
