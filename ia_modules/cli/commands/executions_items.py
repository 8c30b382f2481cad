"""``ia-modules executions items``: what is within a step: the items of a map, the calls of a step, each a run."""

import shlex
from typing import Annotated

import typer

from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of
from ia_modules.cli.options.execution import OneExecution, find_execution
from ia_modules.cli.output.level_report import counts_text
from ia_modules.cli.output.terminal import (
    AsJson,
    elapsed,
    error_line,
    fail,
    one_line,
    print_json,
    print_line,
    print_table,
    run,
    status_text,
)
from ia_modules.client import Client
from ia_modules.models import ExecutionId, RunPath, StepStatus
from ia_modules.paths import GRAPH, named, path_of
from ia_modules.tracker.levels import RunFilters, RunPage


def items(
    execution_id: OneExecution,
    step: Annotated[
        str, typer.Argument(metavar="STEP", help="A step, or the path of a run within one: work#1/work#17.")
    ],
    iteration: Annotated[
        int | None, typer.Option(min=1, help="Which iteration of the step; the newest when left out.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    text: Annotated[str | None, typer.Option("--text", help="Only those with this in their name, or key.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 50,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Only those after this one.")] = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List what is within a step: the items of a map, and the calls and steps that it put on record.

    Each is shown as its latest attempt stands. RUN is its path: give it as STEP to see what is within that.
    """

    async def work() -> tuple[RunPath, RunPage]:
        async with client_of(database_url) as client:
            record = await find_execution(client, execution_id)
            within = await _level(client, record.execution_id, step, iteration)
            filters = RunFilters(within=within, status=StepStatus.FAILED if failed else None, text=text)
            return within, await client.runs(record.execution_id, filters, cursor=after, limit=limit)

    within, page = run(work())
    if as_json:
        print_json({"within": within} | page.to_dict())
    else:
        _print_page(within, page)


async def _level(client: Client, execution_id: ExecutionId, step: str, iteration: int | None) -> RunPath:
    """The path of the run that the words mean. Raises Exit: the execution has no such step."""
    attempts = await client.tracker.get_attempts(execution_id)
    iterations = {each.iteration for each in attempts if each.step_id == step}
    if not iterations and "#" in step and iteration is None:
        return named(step)
    if not iterations:
        steps = ", ".join(dict.fromkeys(each.step_id for each in attempts)) or "none so far"
        raise fail(f"Execution {execution_id} has no step {step!r} on record; it has: {steps}.")
    if iteration is not None and iteration not in iterations:
        raise fail(f"Step {step!r} has no iteration {iteration} on record; its newest is {max(iterations)}.")
    return path_of(GRAPH, step, max(iterations) if iteration is None else iteration)


def _print_page(within: RunPath, page: RunPage) -> None:
    if page.by_status is not None:
        counts = counts_text(page.by_status) if page.by_status else "nothing"
        print_line(("Within ", "bold"), (one_line(within), "bold"), f": {counts}")
    if not page.items:
        if page.by_status != {}:
            typer.echo("None of them is like that.")
        return
    rows = (
        (
            path_of(run.within, run.step_id, run.iteration),
            status_text(run.status),
            "" if run.step_name == run.step_id else run.step_name,
            str(run.attempt),
            elapsed(run.started_at, run.completed_at),
            error_line(run.error_type, run.error_message),
        )
        for run in page.items
    )
    print_table(("RUN", "STATUS", "NAME", "ATTEMPTS", "TOOK", "WHY"), rows)
    if page.next_cursor is not None:
        typer.echo(f"More: --after {shlex.quote(one_line(page.next_cursor))}")
