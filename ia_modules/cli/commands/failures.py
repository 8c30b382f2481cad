"""``ia-modules failures``: what failed alike, and what people say of it."""

from datetime import datetime
from typing import Annotated

import typer

from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of
from ia_modules.cli.options.time import past
from ia_modules.cli.output.terminal import AsJson, ago, moment, plain, print_json, print_table, run
from ia_modules.tracker.failures import FAILURE_STATES, MOST_GROUPS, FailurePage, FailureState, FailureSummary

app = typer.Typer(
    name="failures",
    help="Failures in groups: what failed alike, how often and where; mute, mark as mended.",
    epilog="Example: ia-modules failures list --since 24h",
    rich_markup_mode=None,
    add_completion=False,
)


OneGroup = Annotated[str, typer.Argument(metavar="ID", help="As the list has it: SLUG.GROUP.")]
FailedSince = Annotated[
    datetime | None,
    typer.Option(metavar="TIME", parser=past, help="What failed since; 24h = a day ago. Default: 7 days."),
]


@app.command("list", epilog="Example: ia-modules failures list --pipeline nightly --since 30d --state open")
def list_failures(
    pipeline: Annotated[
        str | None, typer.Option("--pipeline", metavar="SLUG", help="Only of this pipeline (slug or id).")
    ] = None,
    since: FailedSince = None,
    state: Annotated[
        FailureState | None,
        typer.Option(metavar="STATE", help=f"Only these: {', '.join(FAILURE_STATES)}. Default: all."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_GROUPS, help="At most this many.")] = 20,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List what failed alike, the group that failed last first, with how often each failed since."""

    async def work() -> FailurePage:
        async with client_of(database_url) as client:
            return await client.failures(pipeline=pipeline, since=since, state=state, limit=limit)

    page = run(work())
    if as_json:
        print_json({"items": [item.to_dict() for item in page.items], "more": page.more})
    elif not page.items:
        typer.echo(f"No failures since {moment(page.since)}.")
    else:
        header = ("COUNT", "LAST", "STATE", "ID", "STEP", "ERROR")
        print_table(header, ([*_cells(item)] for item in page.items))
        if page.more:
            typer.echo(f"There are others: --limit, {MOST_GROUPS} at most.", err=True)


@app.command(epilog="Example: ia-modules failures show nightly.0f3a9c2b7d4e1856")
def show(
    failure_id: OneGroup, since: FailedSince = None, database_url: Database = DEFAULT_DATABASE, as_json: AsJson = False
) -> None:
    """Show one group of failures: when it failed, on which versions, and an execution as an example.

    Exit status: 0 shown, 1 no such group.
    """

    async def work() -> FailureSummary:
        async with client_of(database_url) as client:
            return await client.failure(failure_id, since=since)

    found = run(work())
    if as_json:
        print_json(found.to_dict())
        return
    for name, text in _facts(found):
        typer.echo(f"{name:<9} {plain(text)}")


@app.command(epilog="Example: ia-modules failures mute nightly.0f3a9c2b7d4e1856")
def mute(failure_id: OneGroup, database_url: Database = DEFAULT_DATABASE) -> None:
    """Say that a group of failures is known and needs nobody, until it is unmuted.

    Exit status: 0 muted, 1 no such group.
    """

    async def work() -> None:
        async with client_of(database_url) as client:
            await client.mute_failure(failure_id)

    run(work())
    typer.echo(f"{plain(failure_id)} is muted.")


@app.command(epilog="Example: ia-modules failures unmute nightly.0f3a9c2b7d4e1856")
def unmute(failure_id: OneGroup, database_url: Database = DEFAULT_DATABASE) -> None:
    """Say that a group of failures is open, whatever was said of it before.

    Exit status: 0 open, 1 no such group.
    """

    async def work() -> None:
        async with client_of(database_url) as client:
            await client.unmute_failure(failure_id)

    run(work())
    typer.echo(f"{plain(failure_id)} is open.")


@app.command(epilog="Example: ia-modules failures mended nightly.0f3a9c2b7d4e1856 4")
def mended(
    failure_id: OneGroup,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Of the pipeline.")],
    database_url: Database = DEFAULT_DATABASE,
) -> None:
    """Say which version mends a group of failures. It is open again when that or a later one fails so.

    Exit status: 0 marked, 1 no such group or version.
    """

    async def work() -> None:
        async with client_of(database_url) as client:
            await client.mend_failure(failure_id, version)

    run(work())
    typer.echo(f"{plain(failure_id)} is mended by version {version}.")


def _cells(failure: FailureSummary) -> tuple[str, ...]:
    return (
        str(failure.count),
        ago(failure.last_at),
        _state(failure),
        failure.id,
        failure.step_id or "-",
        _error(failure),
    )


def _error(failure: FailureSummary) -> str:
    return ": ".join(part for part in (failure.error_type, failure.message) if part) or "-"


def _state(failure: FailureSummary) -> str:
    return f"mended by {failure.mended_in_version}" if failure.state == "mended" else failure.state


def _facts(failure: FailureSummary) -> list[tuple[str, str]]:
    versions = ", ".join("none" if version is None else str(version) for version in failure.versions)
    marked = "" if failure.marked_by is None else f", said {failure.marked_by} {ago(failure.marked_at)}"
    again = "" if failure.reopened_at is None else f"; failed again {ago(failure.reopened_at)}"
    since = moment(failure.trend[0].start)
    return [
        ("failure", failure.id),
        ("pipeline", f"{failure.slug}: {failure.pipeline_name}"),
        ("step", failure.step_id or "none"),
        ("error", _error(failure)),
        ("state", f"{_state(failure)}{marked}{again}"),
        ("first", moment(failure.first_at)),
        ("last", moment(failure.last_at)),
        ("count", f"{failure.count} since {since}"),
        ("versions", versions or "none in this time"),
        ("trend", " ".join(str(part.failures) for part in failure.trend)),
        ("example", "deleted" if failure.execution_id is None else failure.execution_id),
    ]
