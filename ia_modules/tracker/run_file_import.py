"""Takes the runs of a run file into a database, in one transaction: as copies, of which nothing is open."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.database.untrusted_file import UntrustedFile
from ia_modules.errors import ConstraintViolated, FileRefused, InvalidQuery
from ia_modules.models import ExecutionId, Json, JsonText, Row, VersionOrigin, new_id
from ia_modules.payload import check_id, check_name
from ia_modules.tracker.audit import deed_row, done_before
from ia_modules.tracker.batch import Query
from ia_modules.tracker.registration import Registration, register
from ia_modules.tracker.run_file import AROUND, LINKS, RunFileContents, as_copy, row_of_database
from ia_modules.tracker.run_file_reading import OpenedRunFile
from ia_modules.transitions import Deed

_ROWS_AT_ONCE, _CHARACTERS_AT_ONCE = 200, 8 * 2**20

Folders = Mapping[tuple[str, str], Path]
"""Where the modules of versions lie here, by slug and hash of the content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRun:
    """What came of taking in a run file.

    Attributes:
        execution_id: the run that it is the file of.
        imported: the executions that are new here; none where all were here already.
        already_here: those that were, and are left as they are.
        went_on: of the imported ones, those that had not ended: copies of runs that went on elsewhere.
        lost_aliases: their callers' ids that stand for other executions here, and so were left out.
    """

    execution_id: ExecutionId
    imported: list[ExecutionId]
    already_here: list[ExecutionId]
    went_on: list[ExecutionId]
    lost_aliases: list[str]
    contents: RunFileContents


async def import_run_file(
    database: DatabaseManager, run: OpenedRunFile, *, folders: Folders, deed: Deed
) -> ImportedRun:
    """Take in the runs that are not here yet. Their definitions must have passed the door.

    Args:
        folders: where the modules of versions lie that are new here, where they have a folder.
        deed: whose request it is; what one with the same key brought before is returned, and brought no more.

    Raises:
        FileRefused: its rows cannot be stored here; nothing was.
        PayloadError: a slug or a name in it cannot be.
        DatabaseError
    """
    name = str(run.file)

    def write(file: UntrustedFile) -> Script[ImportedRun]:
        return (yield from _import(database.query, _Importing(file, run.contents, folders=folders), deed))

    file = await asyncio.to_thread(UntrustedFile(run.file).__enter__)
    try:
        return await database.run(write(file))
    except ConstraintViolated as error:
        found = f"its rows do not go together with those that are here ({error.constraint or error})"
        raise FileRefused(name, found) from error
    except InvalidQuery as error:
        raise FileRefused(name, "it has a value that this database cannot store") from error
    finally:
        await asyncio.to_thread(file.__exit__, None, None, None)


@dataclass(slots=True)
class _Importing:
    """A file whose rows are written, and what is known of them by then.

    Attributes:
        pipelines: ids here, by those in the file.
        versions: versions here, by ids and versions in the file.
        fresh: executions and questions of the file that are new here.
        folders: of versions that are new here.
    """

    file: UntrustedFile
    contents: RunFileContents
    pipelines: dict[str, str] = field(default_factory=dict[str, str])
    versions: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    fresh: set[str] = field(default_factory=set[str])
    folders: Folders = field(default_factory=dict[tuple[str, str], Path])

    def rows(self, table: str, owner: str) -> Iterator[dict[str, Any]]:
        """The rows of a table that belong to what is new here, as the database takes them.

        Args:
            owner: the column that says to what a row belongs.
        """
        for row in self.file.rows_of(table):
            if row[owner] in self.fresh:
                yield row_of_database(as_copy(table, row, self.contents))


def _import(query: Query, importing: _Importing, deed: Deed) -> Script[ImportedRun]:
    contents = importing.contents
    yield from _pipelines(query, importing, deed.actor)
    executions = list(importing.file.rows_of("pipeline_executions"))
    ids = [ExecutionId(row["execution_id"]) for row in executions]
    known = yield Statement(query("find_execution"), [{"execution_id": each} for each in ids])
    already_here = {row["execution_id"] for row in known}
    fresh = [row for row in executions if row["execution_id"] not in already_here]
    importing.fresh = {row["execution_id"] for row in fresh}
    copies = {row["execution_id"]: as_copy("pipeline_executions", row, contents) for row in fresh}
    went_on = [ExecutionId(row["execution_id"]) for row in fresh if copies[row["execution_id"]] != row]
    lost_aliases: list[str] = []
    done = yield from done_before(query, deed, contents.execution_id)
    if done is not None and done["rows_sha256"] == contents.rows_sha256:
        return _brought_before(contents, ids, done)
    if fresh:
        yield from _executions(query, importing, list(copies.values()))
        lost_aliases = yield from _aliases(query, importing)
        yield from _belongings(query, importing)
        marks = [
            {"execution_id": each, "rows_sha256": contents.rows_sha256, "went_on": each in went_on} for each in copies
        ]
        yield Statement(query("insert_imported_execution"), marks)
        new = [row["execution_id"] for row in fresh]
        brought: dict[str, Json] = {"imported": new, "went_on": [*went_on], "lost_aliases": [*lost_aliases]}
        facts: dict[str, Json] = {"rows_sha256": contents.rows_sha256, "runs": len(fresh)}
        kept = facts if deed.detail is None else facts | brought
        yield deed_row(query, deed, contents.execution_id, **kept)
    return ImportedRun(
        execution_id=contents.execution_id,
        imported=[each for each in ids if each not in already_here],
        already_here=[each for each in ids if each in already_here],
        went_on=went_on,
        lost_aliases=lost_aliases,
        contents=contents,
    )


def _brought_before(contents: RunFileContents, ids: Sequence[ExecutionId], done: Mapping[str, Any]) -> ImportedRun:
    """What a request brought that comes again; ``done``: what is on record of it."""
    return ImportedRun(
        execution_id=contents.execution_id,
        imported=[each for each in ids if each in done["imported"]],
        already_here=[each for each in ids if each not in done["imported"]],
        went_on=[each for each in ids if each in done["went_on"]],
        lost_aliases=done["lost_aliases"],
        contents=contents,
    )


def _pipelines(query: Query, importing: _Importing, actor: str) -> Script[None]:
    """The pipelines and versions of the file as they are here; what is missing is made, and no current version moves.

    Who has the row of a pipeline keeps everybody else's import of it out until the commit.
    """
    versions: dict[str, list[Row]] = {}
    for row in importing.file.rows_of("pipeline_versions"):
        versions.setdefault(row["pipeline_id"], []).append(row)
    for pipeline in sorted(importing.file.rows_of("pipelines"), key=lambda row: row["slug"]):
        slug = check_id(pipeline["slug"], "slug of the pipeline")
        name = check_name(pipeline["name"], f"name of pipeline {slug!r}")
        params = {"id": new_id(), "slug": slug, "name": name}
        [here] = yield Statement(query("lock_pipeline"), [params])
        importing.pipelines[pipeline["id"]] = here["id"]
        for version in versions.get(pipeline["id"], ()):
            folder = importing.folders.get((slug, version["content_hash"]))
            registration = Registration(
                slug=slug,
                name=name,
                description=pipeline["description"],
                definition=JsonText(version["definition"]),
                source_folder=None if folder is None else str(folder),
                file=None,
                origin=version["origin"] if version["origin"] in get_args(VersionOrigin) else None,
                author=version["author"],
                note=version["note"],
                actor=actor,
            )
            is_first = here["current_version"] is None
            registered = yield from register(
                query, registration, new_version=True, base_version=None, make_current=is_first
            )
            if registered.version is not None:
                importing.versions[pipeline["id"], version["version"]] = registered.version


def _executions(query: Query, importing: _Importing, copies: Sequence[Row]) -> Script[None]:
    rows = [row_of_database(_mapped(importing, row)) for row in copies]
    yield from _written(query("copy_into_pipeline_executions"), rows)
    yield Statement(
        query("link_copied_execution"), [{name: row[name] for name in ("execution_id", *LINKS)} for row in rows]
    )


def _mapped(importing: _Importing, row: Row) -> dict[str, Any]:
    """An execution under the pipeline and version that are the same here; what ran here gets no child from a file."""
    pipeline_id, version = row["pipeline_id"], row["pipeline_version"]
    here = None if version is None else importing.versions[pipeline_id, version]
    around = {name: row[name] if row[name] in importing.fresh else None for name in AROUND}
    return {**row, **around, "pipeline_id": importing.pipelines[pipeline_id], "pipeline_version": here}


def _aliases(query: Query, importing: _Importing) -> Script[list[str]]:
    """Give the executions their callers' ids, where those are free; returns the others."""
    lost: list[str] = []
    for row in importing.rows("execution_aliases", "execution_id"):
        if (yield Statement(query("find_alias"), [row])):
            lost.append(row["alias"])
        else:
            yield Statement(query("insert_alias"), [row])
    return lost


def _belongings(query: Query, importing: _Importing) -> Script[None]:
    for table in ("execution_attributes", "step_executions", "execution_logs", "interactions"):
        yield from _written(query(f"copy_into_{table}"), importing.rows(table, "execution_id"))
    questions = {row["interaction_id"] for row in importing.rows("interactions", "execution_id")}
    importing.fresh |= questions
    for table, owner in (("interaction_responses", "interaction_id"), ("audit_log", "subject")):
        yield from _written(query(f"copy_into_{table}"), importing.rows(table, owner))


def _written(sql: str, rows: Iterable[Mapping[str, Any]]) -> Script[None]:
    batch: list[dict[str, Any]] = []
    characters = 0
    for row in rows:
        batch.append(dict(row))
        characters += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(batch) == _ROWS_AT_ONCE or characters > _CHARACTERS_AT_ONCE:
            yield Statement(sql, batch)
            batch, characters = [], 0
    if batch:
        yield Statement(sql, batch)
