import os
import re
import stat
from pathlib import Path

import orjson
import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MIGRATIONS_FOLDER
from ia_modules.database.named_params import to_positional
from ia_modules.database.new_file import run_file_queries
from ia_modules.database.untrusted_file import UntrustedFile
from ia_modules.errors import DatabaseError, ExecutionNotFound
from ia_modules.tracker import run_file_writing
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.run_file import PARTS, TABLES
from ia_modules.tracker.run_file_reading import checked
from ia_modules.tracker.run_file_writing import write_run_file
from ia_modules.transitions import ELSEWHERE, StepUpdate, Transition
from tests.unit.run_files import CODE, record_run


def rows_of(path: Path, table: str) -> list[dict[str, object]]:
    with UntrustedFile(path) as file:
        return list(file.rows_of(table))


def run_files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if "iarun" in path.name]


async def test_a_file_does_not_say_on_which_cluster_a_step_runs(database: DatabaseManager, tmp_path: Path) -> None:
    path = tmp_path / "run.iarun"
    async with ExecutionTracker(database) as tracker:
        jobs = await tracker.register_pipeline("jobs", "Jobs")
        async with tracker.execution(jobs) as execution, execution.step("train") as step:
            mark = StepUpdate(step_execution_id=step.id, awaits=f"{ELSEWHERE}cluster-of-ann")
            await tracker.record(Transition(execution_id=execution.id, writer=tracker.owner, updates=(mark,)))
            await write_run_file(database, execution.id, path, actor="ann")
    [train] = rows_of(path, "step_executions")
    assert (train["status"], train["awaits"]) == ("running", None)
    assert b"cluster-of-ann" not in path.read_bytes()


async def test_a_file_has_everything_on_record_of_an_execution_and_nothing_of_where_it_ran(
    database: DatabaseManager, tmp_path: Path
) -> None:
    other = await record_run(database, tmp_path)
    execution_id = await record_run(database, tmp_path)
    path = tmp_path / "run.iarun"
    contents = await write_run_file(database, execution_id, path, actor="ann")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert contents.inside == "inputs, outputs and 1 log line, in full; 1 question with who answered"
    assert (contents.runs, contents.left_out, contents.execution_id) == ("1 run", (), execution_id)
    assert contents.rows["step_executions"] == 5  # score twice
    content = path.read_bytes()
    for hidden in (other, os.uname().nodename, CODE.splitlines()[4]):
        assert hidden.encode() not in content, hidden
    [version] = rows_of(path, "pipeline_versions")
    assert (version["source_folder"], version["version"]) == (None, 1)
    [execution] = rows_of(path, "pipeline_executions")
    steps = {row["step_id"]: row for row in rows_of(path, "step_executions")}
    stored = await database.fetch_one_async(
        "SELECT input_data FROM pipeline_executions WHERE execution_id = :id", {"id": execution_id}
    )
    assert stored is not None
    assert execution["input_data"] == stored["input_data"]
    assert orjson.loads(str(steps["fetch"]["output_data"]))["text"] == "ü\n\\u0041"
    assert [row["actor"] for row in rows_of(path, "interaction_responses")] == ["bob"]
    assert [row["action"] for row in rows_of(path, "audit_log")] == ["execution.start", "interaction.answer"]


async def test_that_it_was_exported_is_on_record_and_no_part_of_what_is_exported(
    database: DatabaseManager, tmp_path: Path
) -> None:
    execution_id = await record_run(database, tmp_path)
    first = await write_run_file(database, execution_id, tmp_path / "a.iarun", left_out=("logs",), actor="ann")
    second = await write_run_file(database, execution_id, tmp_path / "b.iarun", left_out=("logs",), actor="ann")
    assert first.rows_sha256 == second.rows_sha256
    deeds = await database.fetch_all_async("SELECT * FROM audit_log WHERE action = 'execution.export'")
    assert [(deed["actor"], deed["subject"]) for deed in deeds] == [("ann", execution_id)] * 2
    detail = {"rows_sha256": first.rows_sha256, "runs": 1, "left_out": ["logs"]}
    assert orjson.loads(deeds[0]["detail"]) == detail


async def test_parts_are_left_out_and_the_file_says_so(database: DatabaseManager, tmp_path: Path) -> None:
    execution_id = await record_run(database, tmp_path)
    path = tmp_path / "run.iarun"
    await write_run_file(database, execution_id, path, left_out=PARTS, actor="ann")
    contents, _ = checked(path)
    assert contents.left_out == PARTS
    assert contents.inside == "no inputs, outputs or log lines; 1 question with who answered"
    assert rows_of(path, "execution_logs") == []
    for row in rows_of(path, "step_executions"):
        assert (row["input_data"], row["output_data"]) == (None, None)
    assert b"2026-11-24" not in path.read_bytes()  # the input


async def test_the_lineage_of_an_execution_is_what_it_comes_from(database: DatabaseManager, tmp_path: Path) -> None:
    first = await record_run(database, tmp_path)
    async with Client(database) as client:
        second = await client.rerun(first)
        third = await client.rerun(second)
    path = tmp_path / "run.iarun"
    contents = await write_run_file(database, third, path, lineage=True, actor="ann")
    assert contents.runs == "1 run and 2 that it comes from"
    links = {row["execution_id"]: row["rerun_of"] for row in rows_of(path, "pipeline_executions")}
    assert links == {first: None, second: first, third: second}
    await write_run_file(database, third, path, actor="ann")
    assert [row["rerun_of"] for row in rows_of(path, "pipeline_executions")] == [None]


async def test_many_attempts_and_lines_come_in_parts(
    database: DatabaseManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("by-hand", "By hand")
        async with tracker.execution(pipeline_id, input_data={"x": "y" * 5_000}) as execution:
            for number in range(7):
                async with execution.step(f"step-{number}", input_data={"x": "y" * 1_000}) as step:
                    await step.log(f"line {number}")
                await tracker.log(execution.id, f"after {number}")
    whole = await write_run_file(database, execution.id, tmp_path / "a.iarun", actor="ann")
    monkeypatch.setattr(run_file_writing, "_BYTES_AT_ONCE", 2_500)
    monkeypatch.setattr(run_file_writing, "_LINES_AT_ONCE", 2)
    in_parts = await write_run_file(database, execution.id, tmp_path / "b.iarun", actor="ann")
    assert in_parts.rows == whole.rows
    assert in_parts.rows_sha256 == whole.rows_sha256
    assert (whole.rows["step_executions"], whole.rows["execution_logs"]) == (7, 14)
    assert whole.rows["pipeline_versions"] == 0


async def test_of_nothing_there_is_no_file(database: DatabaseManager, tmp_path: Path) -> None:
    with pytest.raises(ExecutionNotFound):
        await write_run_file(database, "nobody", tmp_path / "run.iarun", actor="ann")
    execution_id = await record_run(database, tmp_path)
    with pytest.raises(DatabaseError, match="nowhere"):
        await write_run_file(database, execution_id, tmp_path / "nowhere" / "run.iarun", actor="ann")
    assert run_files_in(tmp_path) == []


def columns(table: str) -> set[str]:
    found: set[str] = set()
    for path in sorted((MIGRATIONS_FOLDER / "sqlite").glob("*.sql")):
        sql = path.read_text("utf-8")
        if body := re.search(rf"^CREATE TABLE {table} \(\n(.*?)^\)", sql, re.MULTILINE | re.DOTALL):
            found |= set(re.findall(r"^    ([a-z]\w*) ", body[1], re.MULTILINE))
        found |= set(re.findall(rf"^ALTER TABLE {table} ADD COLUMN (\w+)", sql, re.MULTILINE))
    return found


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_every_column_is_copied(table: str) -> None:
    queries = run_file_queries()
    written = set(to_positional(queries[f"copy_into_{table}"]).names)
    if table == "pipeline_executions":
        written |= set(to_positional(queries["link_copied_execution"]).names)
    assert written == columns(table)
