import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.new_file import NewFile
from ia_modules.database.untrusted_file import UntrustedFile
from ia_modules.errors import DatabaseReadOnly, FileRefused
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.reader import ExecutionReader
from ia_modules.tracker.run_file import TABLES, PortableRows, RowDigest
from ia_modules.tracker.run_file_reading import checked, open_run_file, opened_run_file
from ia_modules.tracker.run_file_writing import write_run_file
from tests.unit.run_files import first_migrations, record_run

EXECUTION, PIPELINE = "0199c3f2-0000-7000-8000-000000000010", "0199c3f2-0000-7000-8000-000000000001"
TIME = "2026-11-29T07:00:00.000000Z"


@pytest.fixture
def dialect() -> str:
    """A file is one of SQLite; what comes from PostgreSQL is tested where it is taken in."""
    return "sqlite"


@pytest.fixture
async def file(database: DatabaseManager, tmp_path: Path) -> Path:
    execution_id = await record_run(database, tmp_path)
    await write_run_file(database, execution_id, tmp_path / "run.iarun", actor="ann")
    return tmp_path / "run.iarun"


def change(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    for statement in statements:
        connection.execute(statement)
    connection.close()


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def names_beside(path: Path) -> list[str]:
    return [each.name for each in path.parent.iterdir() if each.name.startswith(f"{path.name}-")]


def everything_in(path: Path) -> dict[str, list[dict[str, Any]]]:
    with UntrustedFile(path) as file:
        return {table.name: list(file.rows_of(table.name)) for table in TABLES}


async def test_a_file_is_read_and_cannot_be_written_and_its_bytes_stay(file: Path) -> None:
    before = bytes_of(file)
    async with opened_run_file(file) as run:
        assert run.file == file
        async with run.database() as database:
            execution = await ExecutionReader(database).get_execution(run.contents.execution_id)
            assert execution is not None
            assert execution.input_data == {"day": "2026-11-24", "exact": 1.0}
            for statement in ("DELETE FROM pipelines", "CREATE TABLE t (a)", "PRAGMA user_version = 7"):
                with pytest.raises(DatabaseReadOnly):
                    await database.execute_async(statement)
        assert [slug for slug, _, _ in run.definitions()] == ["nightly"]
    assert bytes_of(file) == before
    assert names_beside(file) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE pipeline_executions SET output_data = '{}'", "its rows are not those that it was written with"),
        ("UPDATE pipelines SET name = 'Other'", "its rows are not those that it was written with"),
        ("DELETE FROM execution_logs", "its rows are not those that it was written with"),
        ("UPDATE run_file SET left_out = 'logs'", "its rows are not those that it was written with"),
        ("UPDATE run_file SET rows_sha256 = 'x'", "its rows are not those that it was written with"),
        ("UPDATE run_file SET file_sha256 = 'x'", "its rows are not those that it was written with"),
        ("DELETE FROM run_file", "it says 0 times what is in it; expected once"),
        ("UPDATE step_executions SET created_at = 'now'", "a row of step_executions is not as ia_modules writes it"),
        ("UPDATE step_executions SET input_data = '{'", "input_data is no JSON"),
        ("UPDATE pipeline_versions SET definition = '{}'", "the definition is not the one that its hash is of"),
    ],
)
def test_rows_that_were_changed_are_refused_in_words(file: Path, statement: str, found: str) -> None:
    change(file, statement)
    with pytest.raises(FileRefused, match="cannot be used") as refused, open_run_file(file):
        pass
    assert found in refused.value.found


async def test_a_line_of_an_attempt_of_another_execution_is_refused(database: DatabaseManager, tmp_path: Path) -> None:
    async with Client(database, allowed=AllowedCode()) as client:
        again = await client.rerun(await record_run(database, tmp_path))
        await client.export_run(again, tmp_path / "run.iarun", lineage=True)
    change(tmp_path / "run.iarun", f"UPDATE execution_logs SET execution_id = '{again}'")
    with pytest.raises(FileRefused, match="it is of an attempt of another execution"):
        checked(tmp_path / "run.iarun")


def test_a_definition_of_any_size_is_refused_without_being_read_as_one(file: Path) -> None:
    change(file, "UPDATE pipeline_versions SET definition = '\"' || hex(zeroblob(60 * 1024 * 1024)) || '\"'")
    with pytest.raises(FileRefused, match="it is damaged"):
        checked(file)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_byte_that_was_flipped_is_noticed_or_changes_nothing(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    """There are bytes that nothing is read from: free space in pages, and some of the header."""
    content, expected = bytearray(file.read_bytes()), everything_in(file)
    place = data.draw(st.integers(0, len(content) - 1) | st.integers(0, 200))
    content[place] ^= data.draw(st.integers(1, 255))
    flipped = tmp_path / "flipped.iarun"
    flipped.write_bytes(content)
    try:
        checked(flipped)
    except FileRefused:
        return
    assert everything_in(flipped) == expected


def written_before(path: Path, migrations: Path) -> None:
    """A file of a program that has only the first migration: an execution of a pipeline without a definition."""
    pipeline = {
        "id": PIPELINE, "slug": "old", "name": "Old", "description": None, "current_version": None, "is_active": 1,
        "created_at": TIME, "updated_at": TIME,
    }  # fmt: skip
    execution = {
        "execution_id": EXECUTION, "pipeline_id": PIPELINE, "pipeline_name": "Old", "pipeline_version": None,
        "status": "completed", "managed": 0, "trigger": "program", "priority": 0, "queue_key": "", "epoch": 0,
        "recoveries": 0, "sequence": 1, "cancel_requested": 0, "depth": 0, "detached": 0, "pinned": 0, "what_if": 0,
        "total_steps": 0, "completed_steps": 0, "failed_steps": 0, "input_data": '{"a": 1.0}', "created_at": TIME,
        "started_at": TIME, "completed_at": TIME,
    }  # fmt: skip
    head = {"execution_id": EXECUTION, "program": "0.0.1", "left_out": "", "exported_at": TIME}
    with NewFile(path, migrations=migrations) as new:
        portable, as_written = PortableRows(), RowDigest()
        for table, row in (("pipelines", pipeline), ("pipeline_executions", execution)):
            portable.add(table, row)
            as_written.add(table, row)
        for row in new.perform("applied_migrations"):
            as_written.add("ia_migrations", row)
        head["rows_sha256"] = portable.digest.hexdigest()
        as_written.add("run_file", head)
    insert = "INSERT INTO {} ({}) VALUES ({})"
    connection = apsw.Connection(str(path))
    rows = {"pipelines": pipeline, "pipeline_executions": execution}
    for table, row in {**rows, "run_file": {**head, "file_sha256": as_written.hexdigest()}}.items():
        connection.execute(insert.format(table, ", ".join(row), ", ".join(f":{name}" for name in row)), row)
    connection.close()


async def test_a_file_of_an_older_program_is_brought_up_to_date_in_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "run.iarun"
    written_before(path, first_migrations(tmp_path))
    before = bytes_of(path)
    async with opened_run_file(path) as run:
        assert run.file != path
        assert (run.contents.program, run.contents.execution_id) == ("0.0.1", EXECUTION)
        async with run.database() as database:
            assert {step.state for step in await database.migration_status()} == {"applied"}
            execution = await ExecutionReader(database).get_execution(EXECUTION)
            assert execution is not None
            assert execution.input_data == {"a": 1.0}
        copy = run.file
    assert bytes_of(path) == before
    assert not copy.exists()


def test_an_older_file_that_was_changed_is_refused_before_it_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "run.iarun"
    written_before(path, first_migrations(tmp_path))
    change(path, "UPDATE pipelines SET name = 'Other'")
    with pytest.raises(FileRefused, match="its rows are not those"), open_run_file(path):
        pass


def test_a_copy_of_the_file_is_as_good(file: Path, tmp_path: Path) -> None:
    shutil.copy(file, tmp_path / "copy.iarun")
    assert checked(tmp_path / "copy.iarun") == checked(file)
