import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.database.migrator import MIGRATIONS_FOLDER
from ia_modules.errors import InvalidArgument
from ia_modules.models import ExecutionId, format_time
from ia_modules.tracker.run_file import (
    BOOLEANS,
    IDS,
    JSON_COLUMNS,
    NOT_COPIED,
    PARTS,
    TABLES,
    Part,
    PortableRows,
    RowDigest,
    RunFileContents,
    as_copy,
    parts_in,
    problem_of,
    row_of_database,
    row_of_file,
)

EXECUTIONS, STEPS = TABLES[2], TABLES[5]
ID, OTHER_ID = "0199c3f2-0000-7000-8000-000000000010", "0199c3f2-0000-7000-8000-000000000011"
NOW = datetime(2026, 11, 29, 7, tzinfo=UTC)

times = st.datetimes(timezones=st.just(UTC))
rows = st.fixed_dictionaries(
    {
        "execution_id": st.uuids().map(str),
        "managed": st.booleans(),
        "created_at": times,
        "completed_at": st.none() | times,
        "sequence": st.integers(1, 2**62),
        "progress": st.none() | st.floats(0, 1),
        "input_data": st.none() | st.sampled_from(['{"a": 1.0}', '{"a":1.0}', '"ü"', "[1e5, 100000]"]),
        "error_message": st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    }
)


def contents(left_out: tuple[Part, ...] = (), **counts: int) -> RunFileContents:
    return RunFileContents(
        execution_id=ExecutionId(ID),
        program="0.1.0",
        left_out=left_out,
        exported_at=NOW,
        rows_sha256="5f2b",
        rows={table.name: 0 for table in TABLES} | {"pipeline_executions": 1} | counts,
    )


def as_sqlite_has_it(row: dict[str, Any]) -> dict[str, Any]:
    def value(of: Any) -> Any:
        return format_time(of) if isinstance(of, datetime) else int(of) if isinstance(of, bool) else of

    return {name: value(of) for name, of in row.items()}


def digest_of(*of_table: dict[str, Any]) -> str:
    digest = RowDigest()
    for row in of_table:
        digest.add("pipeline_executions", row)
    return digest.hexdigest()


@given(rows)
def test_a_row_of_either_database_has_one_form_and_one_digest(row: dict[str, Any]) -> None:
    ours, theirs = row_of_file(EXECUTIONS, as_sqlite_has_it(row)), row_of_file(EXECUTIONS, row)
    assert ours is not None
    assert theirs is not None
    assert ours == theirs
    assert digest_of(ours) == digest_of(theirs)
    assert problem_of("pipeline_executions", ours) is None


@given(rows)
def test_a_row_goes_through_a_file_unchanged(row: dict[str, Any]) -> None:
    copied = row_of_file(EXECUTIONS, row)
    assert copied is not None
    del copied["pinned"]
    assert row_of_database(copied) == row


@given(rows, rows)
def test_other_rows_have_another_digest_and_columns_without_a_value_do_not_count(
    row: dict[str, Any], other: dict[str, Any]
) -> None:
    ours, theirs = as_sqlite_has_it(row), as_sqlite_has_it(other)
    assert (digest_of(ours) == digest_of(theirs)) == (ours == theirs)
    assert digest_of(ours) == digest_of({"new_column": None, **ours})
    assert (digest_of(ours, theirs) == digest_of(theirs, ours)) == (ours == theirs)


def of_type(kind: str) -> dict[str, set[str]]:
    """Columns of a type in PostgreSQL's migrations, by table."""
    found: dict[str, set[str]] = {}
    for path in sorted((MIGRATIONS_FOLDER / "postgresql").glob("*.sql")):
        sql = path.read_text("utf-8")
        for table, body in re.findall(r"^CREATE TABLE (\w+) \(\n(.*?)^\)", sql, re.MULTILINE | re.DOTALL):
            for name in re.findall(rf"^    (\w+) +{kind}\b", body, re.MULTILINE):
                found.setdefault(table, set()).add(name)
        for table, name in re.findall(rf"^ALTER TABLE (\w+) ADD COLUMN (\w+) {kind}\b", sql, re.MULTILINE):
            found.setdefault(table, set()).add(name)
    return found


def test_what_a_column_is_follows_from_its_name() -> None:
    names = {table.name for table in TABLES}
    assert {name for table, found in of_type("BOOLEAN").items() if table in names for name in found} == BOOLEANS
    assert {table: found for table, found in of_type("UUID").items() if table in names} == dict(IDS)
    assert {table: found for table, found in of_type("JSON").items() if table in names} == dict(JSON_COLUMNS)


def test_each_table_is_copied_or_left_out_for_a_reason() -> None:
    every = {
        name
        for path in (MIGRATIONS_FOLDER / "sqlite").glob("*.sql")
        for name in re.findall(r"^CREATE TABLE (\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert every | {"ia_migrations"} == {table.name for table in TABLES} | NOT_COPIED.keys()
    assert not {table.name for table in TABLES} & NOT_COPIED.keys()


def test_nothing_of_where_it_ran_is_in_a_file() -> None:
    row = {"execution_id": ID, "owner": "host:1", "failure_group": "1.a", "pinned": True, "status": "failed"}
    assert row_of_file(EXECUTIONS, row) == {
        "execution_id": ID,
        "owner": None,
        "failure_group": None,
        "pinned": 0,
        "status": "failed",
    }
    assert row_of_file(STEPS, {"worker": "host:1", "step_id": "a"}) == {"worker": None, "step_id": "a"}
    assert row_of_file(STEPS, {"awaits": "ray:ann-s-cluster"}) == {"awaits": None}
    assert row_of_file(STEPS, {"awaits": "answer"}) == {"awaits": "answer"}
    assert row_of_file(TABLES[1], {"source_folder": "/home/ann", "version": 1}) == {"source_folder": None, "version": 1}


def test_payloads_that_are_left_out_leave_their_rows() -> None:
    row = {"step_id": "a", "input_data": "{}", "output_data": "{}", "metadata": "{}", "input_bytes": 2}
    left = row_of_file(STEPS, row, ("payloads",))
    assert left == {"step_id": "a", "input_data": None, "output_data": None, "metadata": None, "input_bytes": 2}
    assert row_of_file(TABLES[4], {"key": "customer", "value": "7", "execution_id": ID}, ("payloads",)) is None
    answer = row_of_file(TABLES[8], {"actor": "bob", "response": '{"a": 1}'}, ("payloads",))
    assert answer == {"actor": "bob", "response": "null"}


@pytest.mark.parametrize(
    ("left_out", "counts", "words"),
    [
        ((), {"execution_logs": 912}, "inputs, outputs and 912 log lines, in full"),
        ((), {"execution_logs": 1}, "inputs, outputs and 1 log line, in full"),
        (("logs",), {}, "inputs and outputs, in full, and no log lines"),
        (("payloads",), {"execution_logs": 1_912}, "1,912 log lines, in full, and no inputs or outputs"),
        (PARTS, {}, "no inputs, outputs or log lines"),
        (PARTS, {"interactions": 2}, "no inputs, outputs or log lines; 2 questions with who answered"),
    ],
)
def test_what_is_inside_is_said_in_words(left_out: tuple[Part, ...], counts: dict[str, int], words: str) -> None:
    assert contents(left_out, **counts).inside == words


def test_how_many_runs_it_has_is_said_in_words() -> None:
    assert contents().runs == "1 run"
    assert contents(pipeline_executions=3).runs == "1 run and 2 that it comes from"


@pytest.mark.parametrize(
    ("text", "parts"), [("", ()), ("logs", ("logs",)), ("logs, payloads", ("payloads", "logs")), (",logs,", ("logs",))]
)
def test_parts_are_named_with_commas_between(text: str, parts: tuple[Part, ...]) -> None:
    assert parts_in(text) == parts


def test_a_part_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="found 'outputs'; expected payloads or logs"):
        parts_in("logs,outputs")


@pytest.mark.parametrize("status", ["pending", "running", "waiting", "waiting_for_human"])
def test_what_had_not_ended_is_a_copy_of_a_run_that_went_on_elsewhere(status: str) -> None:
    row = {"execution_id": ID, "status": status, "completed_at": None, "run_at": format_time(NOW)}
    copy = as_copy("pipeline_executions", row, contents())
    assert copy == {
        "execution_id": ID,
        "status": "cancelled",
        "completed_at": format_time(NOW),
        "run_at": None,
        "error_type": "WentOnElsewhere",
        "error_message": f"A copy of a run that went on elsewhere: it was {status} when its run file was made.",
    }


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_what_had_ended_stays_as_it_is(status: str) -> None:
    row = {"execution_id": ID, "status": status, "completed_at": format_time(NOW), "error_type": "ValueError"}
    assert as_copy("pipeline_executions", row, contents()) == row


def test_open_attempts_and_questions_are_closed() -> None:
    step = as_copy("step_executions", {"status": "waiting", "completed_at": None, "awaits": "answer"}, contents())
    assert (step["status"], step["error_type"], step["awaits"]) == ("cancelled", "WentOnElsewhere", "answer")
    question = as_copy("interactions", {"status": "pending", "completed_at": None}, contents())
    assert question == {"status": "cancelled", "completed_at": format_time(NOW)}
    assert as_copy("interactions", {"status": "answered"}, contents()) == {"status": "answered"}
    assert as_copy("execution_logs", {"status": "pending"}, contents()) == {"status": "pending"}


@pytest.mark.parametrize(
    ("table", "row", "problem"),
    [
        ("step_executions", {"execution_id": "../../etc"}, "execution_id is no id"),
        ("step_executions", {"execution_id": 7}, "execution_id is no id"),
        ("step_executions", {"created_at": "yesterday"}, "created_at is no time"),
        ("step_executions", {"created_at": "2026-11-29T07:00:00Z"}, "created_at is no time"),
        ("step_executions", {"created_at": 7}, "created_at is no time"),
        ("step_executions", {"input_data": "{"}, "input_data is no JSON"),
        ("step_executions", {"input_data": "NaN"}, "input_data is no JSON"),
        ("step_executions", {"error_message": "a\0b"}, "error_message has a NUL character"),
        ("step_executions", {"execution_id": ID, "created_at": format_time(NOW), "input_data": "{}"}, None),
        ("step_executions", {"execution_id": ID, "copied_from": None}, None),
    ],
)
def test_a_row_that_no_program_wrote_is_told(table: str, row: dict[str, Any], problem: str | None) -> None:
    assert problem_of(table, row) == problem


def portable(pipeline_id: str, version: int, *, slug: str = "nightly", definition: str = "{}") -> str:
    rows = PortableRows()
    rows.add("pipelines", {"id": pipeline_id, "slug": slug, "name": "any"})
    rows.add(
        "pipeline_versions",
        {"pipeline_id": pipeline_id, "version": version, "content_hash": "5f", "definition": definition},
    )
    rows.add("pipeline_executions", {"execution_id": ID, "pipeline_id": pipeline_id, "pipeline_version": version})
    return rows.digest.hexdigest()


def test_ids_of_pipelines_and_numbers_of_versions_are_of_one_database() -> None:
    assert portable(ID, 1) == portable(OTHER_ID, 7)
    assert portable(ID, 1) != portable(ID, 1, slug="weekly")
    assert portable(ID, 1) != portable(ID, 1, definition='{"name": "x"}')
