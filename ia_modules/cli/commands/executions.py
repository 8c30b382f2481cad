"""``ia-modules executions``: what ran, and what runs."""

from typing import Annotated

import typer

from ia_modules.cli.commands.executions_end import cancel
from ia_modules.cli.commands.executions_run import resume, watch
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, reading, same_database
from ia_modules.cli.options.execution import (
    OneOrNewest,
    find_execution,
    find_pipeline,
    liveness_of,
    logs_of,
    version_of,
)
from ia_modules.cli.output.execution_report import ExecutionReport, print_report
from ia_modules.cli.output.terminal import AsJson, ago, elapsed, print_json, print_table, run, status_text
from ia_modules.models import ExecutionStatus, ExecutionSummary, PipelineId
from ia_modules.tracker.lists import ExecutionFilters, ExecutionPage
from ia_modules.tracker.reader import ExecutionReader

app = typer.Typer(
    name="executions",
    help="What ran, and what runs: look at it, watch it, cancel it, go on with it.",
    epilog="Example: ia-modules executions list --status failed",
    rich_markup_mode=None,
)
app.command("watch", epilog="Example: ia-modules executions watch 01996f1e-8c1a-7 --json")(watch)
app.command("cancel", epilog="Example: ia-modules executions cancel 01996f1e-8c1a-7")(cancel)
app.command("resume", epilog="Example: ia-modules executions resume 01996f1e-8c1a-7")(resume)

_EXCERPT_BYTES = 2_000  # a payload beyond this is not read for one line of it,
_MOST_BYTES = 1_000_000  # unless all of them are small enough to rebuild what each step was given


@app.command("list", epilog="Example: ia-modules executions list --pipeline nightly --status failed --limit 10")
def list_executions(
    status: Annotated[
        ExecutionStatus | None, typer.Option(metavar="STATUS", help=f"Only these: {', '.join(ExecutionStatus)}.")
    ] = None,
    pipeline: Annotated[str | None, typer.Option(metavar="SLUG", help="Only of this pipeline (slug or id).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="ID", help="Only those below this one.")] = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    page = run(_read_page(database_url, status, pipeline, cursor, limit))
    if as_json:
        print_json({"items": [item.to_dict() for item in page.items], "next_cursor": page.next_cursor})
    else:
        _print_page(page)


@app.command(epilog="Example: ia-modules executions show 01996f1e-8c1a-7")
def show(
    context: typer.Context,
    execution_id: OneOrNewest = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every iteration of every loop, and every line of the log.")
    ] = False,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Show one execution: what ran, in which order and why, what went wrong, how to go on."""
    run(_show(database_url, execution_id, same_database(context), everything=everything, as_json=as_json))


async def _read_page(
    database_url: str, status: ExecutionStatus | None, pipeline: str | None, cursor: str | None, limit: int
) -> ExecutionPage:
    async with reading(database_url) as database:
        reader = ExecutionReader(database)
        pipeline_id: PipelineId | None = None if pipeline is None else await find_pipeline(reader, pipeline)
        return await reader.list_executions(ExecutionFilters(status=status, pipeline_id=pipeline_id), cursor, limit)


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
    done, total = item.completed_steps, item.total_steps
    return f"{done}/{total}" if done <= total else str(done)  # a loop runs its steps more often than there are


async def _show(database_url: str, wanted: str | None, same_database: str, *, everything: bool, as_json: bool) -> None:
    async with reading(database_url) as database:
        reader = ExecutionReader(database)
        execution = await find_execution(reader, wanted)
        steps = await reader.get_execution_steps(execution.execution_id, inline_bytes=_EXCERPT_BYTES)
        if as_json or sum(step.input_bytes + step.output_bytes for step in steps) <= _MOST_BYTES:
            steps = await reader.get_execution_steps(execution.execution_id)
        logs = await logs_of(reader, execution)
        interactions = await reader.get_interactions(execution.execution_id)
        version = await version_of(reader, execution)
        liveness = await liveness_of(reader, execution)
    if as_json:
        found = {"steps": steps, "logs": logs, "interactions": interactions}
        rows = {name: [row.to_dict() for row in records] for name, records in found.items()}
        print_json(execution.to_dict() | rows)
    else:
        print_report(
            ExecutionReport(execution, steps, logs, interactions, version, liveness, everything), same_database
        )
