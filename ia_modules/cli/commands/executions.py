"""``ia-modules executions``: the group, and what reads: ``list``, ``show``, ``logs``, ``items``."""

import sys
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from ia_modules.cli.commands import executions_bulk, executions_rerun
from ia_modules.cli.commands.executions_diff import diff
from ia_modules.cli.commands.executions_files import export, import_run
from ia_modules.cli.commands.executions_items import items
from ia_modules.cli.commands.executions_run import resume, watch
from ia_modules.cli.foreground import watch as follow_to_end
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of, same_database
from ia_modules.cli.options.execution import OneOrNewest, find_execution, liveness_of, version_of
from ia_modules.cli.options.filters import NO_FILTERS, FilterOptions, with_filters
from ia_modules.cli.output.execution_report import ExecutionReport, print_report
from ia_modules.cli.output.level_report import MOST_FAILURES
from ia_modules.cli.output.step_runs import ReportedRun
from ia_modules.cli.output.terminal import (
    AsJson,
    ExitStatus,
    ago,
    elapsed,
    moment,
    print_json,
    print_table,
    run,
    status_text,
)
from ia_modules.cli.output.usage_text import cost_text, tokens_text
from ia_modules.cli.output.view import LogLines
from ia_modules.client import Client
from ia_modules.models import SEVERITIES, ExecutionId, ExecutionSummary, LogLevel, RunPath, StepStatus, format_time
from ia_modules.tracker.levels import RunFilters, RunPage
from ia_modules.tracker.lines import LogFilters
from ia_modules.tracker.lists import ExecutionPage
from ia_modules.usage import installation_currency

app = typer.Typer(
    name="executions",
    help="Executions on record: look at them, watch, compare, cancel, resume, rerun, export, import, delete.",
    epilog="Example: ia-modules executions list --status failed",
    rich_markup_mode=None,
    add_completion=False,
)
app.command("items", epilog="Example: ia-modules executions items 01996f1e-8c1a-7 work --failed")(items)
app.command("watch", epilog="Example: ia-modules executions watch 01996f1e-8c1a-7 --json")(watch)
app.command("follow", epilog="Example: ia-modules executions follow 01996f1e-8c1a-7 --output")(watch)
app.command("resume", epilog="Example: ia-modules executions resume 01996f1e-8c1a-7")(resume)
app.command("diff", epilog="Example: ia-modules executions diff 01996f1e-8c1a-7")(diff)
app.command("export", epilog="Example: ia-modules executions export 01996f1e-8c1a-7 -o nightly-failed.iarun")(export)
app.command("import", epilog="Example: ia-modules executions import nightly-failed.iarun")(import_run)
executions_bulk.add_commands(app)
executions_rerun.add_command(app)


class SortBy(StrEnum):
    """The order of a list."""

    NEWEST = "newest"
    COST = "cost"


_LINES_AT_ONCE = 500
_EXCERPT_BYTES = 2_000  # a payload beyond this is not read for one line of it,
_MOST_BYTES = 1_000_000  # unless all of them are small enough to rebuild the input of each step


@app.command("list", epilog="Example: ia-modules executions list --pipeline nightly --status failed --after 7d")
@with_filters
def list_executions(
    filters: FilterOptions = NO_FILTERS,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="ID", help="Only those below this one.")] = None,
    sort: Annotated[
        SortBy, typer.Option(help="newest; or cost: the dearest first, without those of which no cost is known.")
    ] = SortBy.NEWEST,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first or dearest first; of those that failed, why and in which step.

    Errors, versions, triggers, workers and times are looked for in the newest executions only; it says how far back.
    """
    filters.check()

    async def work() -> ExecutionPage:
        async with client_of(database_url) as client:
            return await client.executions(await filters.resolve(client), cursor=cursor, limit=limit, sort=sort.value)

    page = run(work())
    if as_json:
        looked_back_to = None if page.looked_back_to is None else format_time(page.looked_back_to)
        items = [item.to_dict() | {"cause": item.cause} for item in page.items]
        print_json({"items": items, "next_cursor": page.next_cursor, "looked_back_to": looked_back_to})
    else:
        _print_page(page, filters)


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
    report = run(_read_report(database_url, execution_id, everything=everything, whole=as_json))
    if as_json:
        print_json(report.to_dict())
    else:
        print_report(report, same_database(context))


@app.command(epilog="Example: ia-modules executions logs 01996f1e-8c1a-7 --follow --level warning")
def logs(
    execution_id: OneOrNewest = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until it has ended.")] = False,
    level: Annotated[
        LogLevel,
        typer.Option(
            metavar="LEVEL",
            help=f"Only this one or more severe: {', '.join(SEVERITIES)}. Or output: what steps gave as it came.",
        ),
    ] = LogLevel.DEBUG,
    text: Annotated[str | None, typer.Option("--text", help="Only lines with this in them.")] = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Print the log lines of an execution, oldest first. Ctrl-C only ends the printing.

    Where lines were left out of the record, a line says how many, whatever --text is. With --json: one line of JSON
    for each.

    Exit status: 0 printed, 1 no such execution, 130 no longer followed.
    """

    async def work() -> ExitStatus:
        async with client_of(database_url) as client:
            record = await find_execution(client, execution_id)
            view = LogLines(sys.stdout, level, text, as_json=as_json)
            if follow:
                ending = await follow_to_end(client, record.execution_id, view)
                return ExitStatus.COMPLETED if ending is not None else ExitStatus.INTERRUPTED
            await _print_lines(client, record.execution_id, LogFilters(level=level, text=text), view)
            return ExitStatus.COMPLETED

    raise typer.Exit(run(work()))


async def _print_lines(client: Client, execution_id: ExecutionId, filters: LogFilters, view: LogLines) -> None:
    names = {step.step_execution_id: step.step_id for step in await client.tracker.get_attempts(execution_id)}
    page = await client.log_page(execution_id, filters, limit=_LINES_AT_ONCE)
    left_out = page.left_out or 0
    view.show_lines(page.items, names)
    while page.next_cursor is not None:
        page = await client.log_page(execution_id, filters, cursor=page.next_cursor, limit=_LINES_AT_ONCE)
        view.show_lines(page.items, {})
    if left_out:
        view.say(f"{left_out:,} lines were left out of the record, where the lines say so: an attempt keeps its ends.")


async def _read_report(database_url: str, wanted: str | None, *, everything: bool, whole: bool) -> ExecutionReport:
    async with client_of(database_url) as client:
        execution, tracker = await find_execution(client, wanted), client.tracker
        steps = await tracker.get_execution_steps(execution.execution_id, inline_bytes=_EXCERPT_BYTES)
        if whole or sum(step.input_bytes + step.output_bytes for step in steps) <= _MOST_BYTES:
            steps = await client.steps(execution.execution_id)
        report = ExecutionReport(
            execution=execution,
            steps=steps,
            logs=[line async for line in client.logs(execution.execution_id)],
            interactions=await tracker.get_interactions(execution.execution_id),
            version=await version_of(client, execution),
            liveness=await liveness_of(client, execution),
            everything=everything,
            usage=await client.usage(execution.execution_id) if execution.input_tokens is not None else None,
        )
        return replace(report, levels=await _levels_of(client, report))


async def _levels_of(client: Client, report: ExecutionReport) -> dict[RunPath, RunPage]:
    """Of the runs that a report shows and that have something within them: the first that failed there, and counts."""
    execution_id = report.execution.execution_id
    within = set(await client.tracker.list_levels(execution_id))
    shown = [run.path for run in report.runs() if isinstance(run, ReportedRun) and run.path in within]
    failed = (RunFilters(within=path, status=StepStatus.FAILED) for path in shown)
    return {each.within: await client.runs(execution_id, each, limit=MOST_FAILURES) for each in failed}


def _print_page(page: ExecutionPage, filters: FilterOptions) -> None:
    if not page.items:
        typer.echo("No executions." if page.looked_back_to is None else "None so far.")
    else:
        _print_items(page)
    if page.looked_back_to is not None:
        back_to = moment(page.looked_back_to)
        typer.echo(f"Looked at the newest {filters.look_back:,}, back to {back_to}.{filters.further}")


def _print_items(page: ExecutionPage) -> None:
    has_usage = any(item.input_tokens is not None for item in page.items)
    rows = (
        (
            item.execution_id,
            status_text(item.status),
            item.pipeline_name,
            _steps(item),
            ago(item.started_at),
            elapsed(item.started_at, item.completed_at),
            *(_used(item) if has_usage else ()),
            _why(item),
        )
        for item in page.items
    )
    used = ("TOKENS", f"COST ({installation_currency()})") if has_usage else ()
    print_table(("ID", "STATUS", "PIPELINE", "STEPS", "STARTED", "TOOK", *used, "WHY"), rows)
    if page.next_cursor is not None:
        typer.echo(f"More: --cursor {page.next_cursor}")


def _used(item: ExecutionSummary) -> tuple[str, str]:
    """What went in and came out, and what it cost; with a plus where some calls have no price."""
    if item.input_tokens is None:
        return "", ""
    more = " + ?" if item.unpriced_calls and item.cost_micros is not None else ""
    return tokens_text(item.input_tokens, item.output_tokens), f"{cost_text(item.cost_micros)}{more}"


def _why(item: ExecutionSummary) -> str:
    """The cause first, then the step."""
    return " ".join([item.cause or "", *([] if item.failed_step is None else [f"[{item.failed_step}]"])])


def _steps(item: ExecutionSummary) -> str:
    done, total = item.completed_steps, item.total_steps
    return f"{done}/{total}" if done <= total else str(done)  # a loop runs its steps more often than there are
