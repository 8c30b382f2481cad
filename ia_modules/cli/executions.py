"""``ia-modules executions``: what ran, and what runs."""

from typing import Annotated

import typer

from ia_modules.cli.database import DEFAULT_DATABASE, Database, reading
from ia_modules.cli.story import tell
from ia_modules.cli.terminal import AsJson, ago, elapsed, fail, print_json, print_table, run, status_text
from ia_modules.errors import ExecutionNotFound
from ia_modules.models import ExecutionRecord, ExecutionStatus, ExecutionSummary, LogRecord, PipelineId
from ia_modules.web.reading import ExecutionFilters, ExecutionPage, ExecutionReader

app = typer.Typer(
    name="executions",
    help="What ran, and what runs.",
    epilog="Example: ia-modules executions list --status failed",
    rich_markup_mode=None,
)

_EXCERPT_BYTES = 2_000  # a payload beyond this is not read for one line of it


@app.command("list", epilog="Example: ia-modules executions list --status failed --limit 10")
def list_executions(
    status: Annotated[
        ExecutionStatus | None, typer.Option(metavar="STATUS", help=f"Only these: {', '.join(ExecutionStatus)}.")
    ] = None,
    pipeline: Annotated[str | None, typer.Option(metavar="ID", help="Only of the pipeline with this id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="ID", help="Only those below this one.")] = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    filters = ExecutionFilters(status=status, pipeline_id=None if pipeline is None else PipelineId(pipeline))
    page = run(_read_page(database_url, filters, cursor, limit))
    if as_json:
        print_json({"items": [item.to_dict() for item in page.items], "next_cursor": page.next_cursor})
    else:
        _print_page(page)


@app.command(epilog="Example: ia-modules executions show 01996f1e-8c1a-7")
def show(
    execution_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Its id, or how that begins; the newest when left out.")
    ] = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Tell the story of one execution: how it went, each step, what was logged."""
    run(_show(database_url, execution_id, as_json=as_json))


async def _read_page(database_url: str, filters: ExecutionFilters, cursor: str | None, limit: int) -> ExecutionPage:
    async with reading(database_url) as database:
        return await ExecutionReader(database).list_executions(filters, cursor, limit)


def _print_page(page: ExecutionPage) -> None:
    if not page.items:
        typer.echo("No executions.")
        return
    rows = (
        (
            item.execution_id,
            status_text(item.status),
            item.pipeline_name,
            _steps(item),
            ago(item.started_at),
            elapsed(item.started_at, item.completed_at),
        )
        for item in page.items
    )
    print_table(("ID", "STATUS", "PIPELINE", "STEPS", "STARTED", "TOOK"), rows)
    if page.next_cursor is not None:
        typer.echo(f"More: --cursor {page.next_cursor}")


def _steps(item: ExecutionSummary) -> str:
    return f"{item.completed_steps}/{item.total_steps}" if item.total_steps else str(item.completed_steps)


async def _show(database_url: str, wanted: str | None, *, as_json: bool) -> None:
    async with reading(database_url) as database:
        reader = ExecutionReader(database)
        execution = await _find(reader, wanted)
        lines = await _logs(reader, execution)
        if not as_json:
            tell(
                execution, await reader.get_execution_steps(execution.execution_id, inline_bytes=_EXCERPT_BYTES), lines
            )
            return
        steps = await reader.get_execution_steps(execution.execution_id)
    found = {"steps": [step.to_dict() for step in steps], "logs": [line.to_dict() for line in lines]}
    print_json(execution.to_dict() | found)


async def _find(reader: ExecutionReader, wanted: str | None) -> ExecutionRecord:
    """The execution with this id, or the only one whose id begins so; None = the newest.

    Raises:
        ExecutionNotFound
        BadParameter: several begin so.
        Exit: there are none at all.
    """
    if wanted is not None and (execution := await reader.get_execution(wanted)):
        return execution
    # Ids are hexadecimal: those that begin with `wanted` are the first ones below `wanted` + "g".
    below = None if wanted is None else f"{wanted}g"
    page = await reader.list_executions(cursor=below, limit=2 if wanted else 1)
    found = [item.execution_id for item in page.items if item.execution_id.startswith(wanted or "")]
    if len(found) > 1:
        raise typer.BadParameter(f"Several ids begin with {wanted!r}, such as {found[0]} and {found[1]}.")
    execution = await reader.get_execution(found[0]) if found else None
    if execution is None:
        raise fail("There are no executions yet.") if wanted is None else ExecutionNotFound(wanted)
    return execution


async def _logs(reader: ExecutionReader, execution: ExecutionRecord) -> list[LogRecord]:
    lines: list[LogRecord] = []
    after, more = 0, True
    while more:
        changes = await reader.changes(execution.execution_id, after)
        lines.extend(changes.logs)
        after, more = changes.upto, changes.more
    return lines
