"""``ia-modules executions export`` and ``import``: an execution as JSON, or as a file that opens anywhere."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer

from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of
from ia_modules.cli.options.execution import OneOrNewest, find_execution
from ia_modules.cli.options.pipeline_folders import PipelineFolders, allowed_below
from ia_modules.cli.options.project import Project, use_project
from ia_modules.cli.output.terminal import AsJson, escaped, fail, one_line, print_json, run
from ia_modules.errors import InvalidArgument
from ia_modules.tracker.run_file import PARTS, Part, RunFileContents, parts_in
from ia_modules.tracker.run_file_import import ImportedRun

RUN_FILE_SUFFIX = ".iarun"


def export(
    execution_id: OneOrNewest = None,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; stdout when left out.")
    ] = None,
    lineage: Annotated[
        bool, typer.Option("--lineage", help="Of a run file: the executions too that this one comes from.")
    ] = False,
    without: Annotated[
        str,
        typer.Option(
            metavar="PARTS", help=f"Of a run file: what is left out of it: {', '.join(PARTS)}, or both with a comma."
        ),
    ] = "",
    database_url: Database = DEFAULT_DATABASE,
) -> None:
    """Write everything on record about an execution: its definition, steps, questions and log lines.

    To NAME.iarun: a run file, which ia-modules serve NAME.iarun shows anywhere and ia-modules executions import takes
    in. It has all payloads and log lines, unless they are left out, and nothing of the hosts and processes that ran
    it; only its owner may read it. What is inside is printed, with the hash of its rows.

    To anything else, as JSON: {"execution", "definition", "steps", "interactions", "logs"}, every payload whole.

    A file is there whole or not at all. Exit status: 0 written, 1 no such execution, or the file cannot be written.
    """
    is_run_file = file is not None and file.suffix == RUN_FILE_SUFFIX
    if (lineage or without) and not is_run_file:
        raise typer.BadParameter("--lineage and --without are of run files; write to one: -o NAME.iarun")
    if file is not None and is_run_file:
        left_out = _left_out(without)
        contents = run(_write_run_file(database_url, execution_id, file, lineage=lineage, left_out=left_out))
        typer.echo(f"Written to {file}: {contents.runs}; {contents.inside}.", err=True)
        typer.echo(f"SHA-256 of its rows: {contents.rows_sha256}", err=True)
        return
    run(_write_json(database_url, execution_id, file))
    if file is not None:
        typer.echo(f"Written to {file}.", err=True)


def import_run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A run file, as executions export writes it.")],
    pipelines: PipelineFolders = None,
    project: Project = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Take the executions of a run file into the database, as copies: to read, compare and run again.

    All of them or none. Those that are here already are left as they are. A copy is never gone on with: what had not
    ended says that it went on elsewhere. A definition that is new here may only use code that is allowed here: what
    lies beside a pipeline file is, once that file was imported (ia-modules pipelines import). A new database is made.

    Exit status: 0 all of them are here, 1 the file was refused.
    """
    use_project(project)

    async def work() -> ImportedRun:
        async with client_of(database_url, may_create=True, allowed=allowed_below(pipelines)) as client:
            return await client.import_run(file)

    imported = run(work())
    if as_json:
        print_json(
            {
                "execution_id": imported.execution_id,
                "imported": imported.imported,
                "already_here": imported.already_here,
                "went_on": imported.went_on,
                "lost_aliases": imported.lost_aliases,
                "rows_sha256": imported.contents.rows_sha256,
            }
        )
        return
    typer.echo(f"{file}: {imported.contents.runs}; {imported.contents.inside}.")
    typer.echo(
        f"Imported: {len(imported.imported):,}. Here already, and left as they are: {len(imported.already_here):,}."
    )
    for execution_id in imported.went_on:
        typer.echo(f"{execution_id} had not ended: a copy of a run that went on elsewhere.")
    for alias in imported.lost_aliases:
        typer.echo(f"The id {one_line(alias)!r} stands for another execution here, and was left out.")
    typer.echo(f"Look: ia-modules executions show {imported.execution_id}")


def _left_out(text: str) -> tuple[Part, ...]:
    try:
        return parts_in(text)
    except InvalidArgument as error:
        raise typer.BadParameter(str(error)) from None


async def _write_run_file(
    database_url: str, wanted: str | None, file: Path, *, lineage: bool, left_out: tuple[Part, ...]
) -> RunFileContents:
    async with client_of(database_url) as client:
        record = await find_execution(client, wanted)
        return await client.export_run(record.execution_id, file, lineage=lineage, left_out=left_out)


async def _write_json(database_url: str, wanted: str | None, file: Path | None) -> None:
    async with client_of(database_url) as client:
        record = await find_execution(client, wanted)
        parts = await client.export(record.execution_id)
        if file is not None:
            await _write(file, parts)
            return
        async for part in parts:
            typer.echo(escaped(part.decode()), nl=False)
        typer.echo()


async def _write(file: Path, parts: AsyncIterator[bytes]) -> None:
    unfinished = file.with_name(f"{file.name}.part")
    try:
        with unfinished.open("wb") as out:
            async for part in parts:
                out.write(part)
        unfinished.replace(file)
    except OSError as error:
        raise fail(f"{str(file)!r} cannot be written: {error.strerror or error}.") from None
    finally:
        unfinished.unlink(missing_ok=True)
