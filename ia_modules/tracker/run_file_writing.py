"""Writes run files: the rows of one execution, as of one moment, into a file of their own."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ia_modules.database.driver import Rows
from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.database.new_file import NewFile
from ia_modules.models import NO_ID, ExecutionId, Row, format_time, parse_time
from ia_modules.tracker.alias import row_id
from ia_modules.tracker.audit import audit_row
from ia_modules.tracker.batch import Query
from ia_modules.tracker.run_file import (
    LINKS,
    TABLES,
    Part,
    PortableRows,
    RowDigest,
    RunFileContents,
    RunFilePlan,
    row_of_file,
)
from ia_modules.version import __version__

_BYTES_AT_ONCE, _STEPS_AT_ONCE, _LINES_AT_ONCE = 8 * 2**20, 200, 500
_MOST_ORIGINS = 10_000
_TABLES = {table.name: table for table in TABLES}


async def write_run_file(
    database: DatabaseManager,
    execution_id: str,
    path: Path,
    *,
    lineage: bool = False,
    left_out: Sequence[Part] = (),
    actor: str,
) -> RunFileContents:
    """Write an execution as a run file; a file of that name is replaced, and is there whole or not at all.

    Args:
        execution_id: its id, or its caller's.
        path: where to; only its owner may read it.
        lineage: the executions too that it comes from: re-run, and started by.
        left_out: parts that the file has not; it says so.
        actor: in whose name the audit log keeps that it was exported.

    Raises:
        ExecutionNotFound
        DatabaseError: the file cannot be written, or the database is away; there is no file then.
    """

    def read() -> Script[RunFileContents]:
        return (yield from _copied(database.query, execution_id, new, lineage=lineage, left_out=tuple(left_out)))

    new = NewFile(path)
    await asyncio.to_thread(new.__enter__)
    try:
        contents = await database.read(read())
        detail = {
            "rows_sha256": contents.rows_sha256,
            "runs": contents.rows["pipeline_executions"],
            "left_out": list(contents.left_out),
        }
        deed = audit_row(database.query, actor, "execution.export", contents.execution_id, detail)
        await database.execute_many_async(deed.sql, deed.rows)
    except BaseException as error:
        await asyncio.to_thread(new.__exit__, type(error), error, None)
        raise
    await asyncio.to_thread(new.__exit__, None, None, None)
    return contents


async def plan_run_file(
    database: DatabaseManager, execution_id: str, *, lineage: bool = False, left_out: Sequence[Part] = ()
) -> RunFilePlan:
    """What :func:`write_run_file` would write now. Nothing is written.

    Raises:
        ExecutionNotFound
        DatabaseError
    """
    query = database.query

    def read() -> Script[RunFilePlan]:
        found = yield from row_id(query, execution_id)
        ids = (yield from _with_origins(query, found)) if lineage else {found}
        each = [{"execution_id": id_} for id_ in sorted(ids)]
        lines = [] if "logs" in left_out else (yield Statement(query("count_execution_logs"), each))
        questions = yield Statement(query("count_interactions"), each)
        rows = {
            "pipeline_executions": len(ids),
            "execution_logs": sum(row["log_lines"] for row in lines),
            "interactions": sum(row["questions"] for row in questions),
        }
        return RunFilePlan(execution_id=found, left_out=tuple(left_out), rows=rows)

    return await database.read(read())


def _copied(
    query: Query, execution_id: str, new: NewFile, *, lineage: bool, left_out: tuple[Part, ...]
) -> Script[RunFileContents]:
    found = yield from row_id(query, execution_id)
    ids = sorted((yield from _with_origins(query, found)) if lineage else [found])
    executions = yield Statement(query("read_rows_of_pipeline_executions"), [{"execution_id": each} for each in ids])
    writing = _Writing(new, left_out)
    yield from _pipelines(query, executions, writing)
    for execution in executions:
        writing.add("pipeline_executions", [{name: _within(ids, name, value) for name, value in execution.items()}])
    writing.link()
    for name in ("execution_aliases", "execution_attributes"):
        for each in ids:
            writing.add(name, (yield Statement(query(f"read_rows_of_{name}"), [{"execution_id": each}])))
    for each in ids:
        yield from _steps(query, each, writing)
    for each in ids if "logs" not in left_out else ():
        yield from _lines(query, each, writing)
    yield from _questions(query, ids, writing)
    [clock] = yield Statement(query("clock"))
    return writing.end(found, format_time(parse_time(clock["now"])))


def _with_origins(query: Query, execution_id: ExecutionId) -> Script[set[ExecutionId]]:
    """The execution and all that it goes back to."""
    found, unread = {execution_id}, [execution_id]
    while unread and len(found) < _MOST_ORIGINS:
        for row in (yield Statement(query("read_origins"), [{"execution_id": unread.pop()}])):
            fresh = {row[name] for name in LINKS if row[name] is not None} - found
            found |= fresh
            unread += fresh
    return found


def _within(ids: Sequence[str], name: str, value: Any) -> Any:
    """A column of an execution; it refers to no execution that the file does not have."""
    return None if name in LINKS and value not in ids else value


def _pipelines(query: Query, executions: Rows, writing: "_Writing") -> Script[None]:
    versions: dict[str, set[int]] = {}
    for each in executions:
        of_pipeline = versions.setdefault(each["pipeline_id"], set())
        of_pipeline |= set() if each["pipeline_version"] is None else {each["pipeline_version"]}
    for pipeline_id in sorted(versions):
        [pipeline] = yield Statement(query("read_rows_of_pipelines"), [{"pipeline_id": pipeline_id}])
        writing.add("pipelines", [{**pipeline, "current_version": max(versions[pipeline_id], default=None)}])
    for pipeline_id in sorted(versions):
        for version in sorted(versions[pipeline_id]):
            params = {"pipeline_id": pipeline_id, "version": version}
            writing.add("pipeline_versions", (yield Statement(query("read_rows_of_pipeline_versions"), [params])))


def _steps(query: Query, execution_id: str, writing: "_Writing") -> Script[None]:
    sizes = yield Statement(query("read_step_sizes"), [{"execution_id": execution_id}])
    cursor = NO_ID
    for page in _pages(sizes):
        params = {"execution_id": execution_id, "cursor": cursor, "limit": len(page)}
        writing.add("step_executions", (yield Statement(query("read_rows_of_step_executions"), [params])))
        cursor = page[-1]


def _pages(sizes: Rows) -> Iterator[list[str]]:
    """Ids of attempts, so many at once that their payloads are bounded together."""
    page: list[str] = []
    payload_bytes = 0
    for row in sizes:
        if page and (len(page) == _STEPS_AT_ONCE or payload_bytes + row["payload_bytes"] > _BYTES_AT_ONCE):
            yield page
            page, payload_bytes = [], 0
        page.append(row["step_execution_id"])
        payload_bytes += row["payload_bytes"]
    if page:
        yield page


def _lines(query: Query, execution_id: str, writing: "_Writing") -> Script[None]:
    params: dict[str, Any] = {"within": "", "sequence": 0, "log_id": NO_ID}
    while True:
        page = {**params, "execution_id": execution_id, "limit": _LINES_AT_ONCE}
        rows = yield Statement(query("read_rows_of_execution_logs"), [page])
        writing.add("execution_logs", rows)
        if len(rows) < _LINES_AT_ONCE:
            return
        params = {name: rows[-1][name] for name in params}


def _questions(query: Query, ids: Sequence[str], writing: "_Writing") -> Script[None]:
    subjects: dict[str, list[str]] = {}
    for each in ids:
        questions = yield Statement(query("read_rows_of_interactions"), [{"execution_id": each}])
        writing.add("interactions", questions)
        subjects[each] = [each, *(question["interaction_id"] for question in questions)]
    for each in ids:
        for interaction_id in subjects[each][1:]:
            answers = yield Statement(query("read_rows_of_interaction_responses"), [{"interaction_id": interaction_id}])
            writing.add("interaction_responses", sorted(answers, key=lambda row: (row["actor"], row["revision"])))
    for each in ids:
        deeds = yield Statement(query("read_rows_of_audit_log"), [{"subject": subject} for subject in subjects[each]])
        writing.add("audit_log", sorted(deeds, key=lambda row: row["audit_id"]))


@dataclass(slots=True)
class _Writing:
    """A file that is being written: its rows, counted, and their digests."""

    file: NewFile
    left_out: tuple[Part, ...]
    portable: PortableRows = field(default_factory=PortableRows)
    as_written: RowDigest = field(default_factory=RowDigest)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_TABLES, 0))
    linked: Rows = field(default_factory=list[dict[str, Any]])

    def add(self, table: str, rows: Sequence[Row]) -> None:
        """Write the next rows of a table, in the order of their keys."""
        written = [row for each in rows if (row := row_of_file(_TABLES[table], each, self.left_out)) is not None]
        for row in written:
            self.portable.add(table, row)
            self.as_written.add(table, row)
        self.counts[table] += len(written)
        self.file.perform(f"copy_into_{table}", written)
        if table == "pipeline_executions":
            self.linked += written

    def link(self) -> None:
        """All executions are there: say which goes back to which."""
        self.file.perform("link_copied_execution", self.linked)

    def end(self, execution_id: ExecutionId, exported_at: str) -> RunFileContents:
        """Write what the file says of itself."""
        head: dict[str, Any] = {
            "execution_id": execution_id,
            "program": __version__,
            "left_out": ",".join(self.left_out),
            "exported_at": exported_at,
            "rows_sha256": self.portable.digest.hexdigest(),
        }
        for row in self.file.perform("applied_migrations"):
            self.as_written.add("ia_migrations", row)
        self.as_written.add("run_file", head)
        self.file.perform("write_run_file", [{**head, "file_sha256": self.as_written.hexdigest()}])
        return RunFileContents.of(head, self.counts)
