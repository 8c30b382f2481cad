"""``ia-modules db``: the schema of a database."""

import typer

from ia_modules.cli.options.database import DEFAULT_DATABASE, Database
from ia_modules.cli.output.terminal import AsJson, moment, print_json, print_table, run, status_text
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import refuse_unusable
from ia_modules.models import format_time

app = typer.Typer(
    name="db",
    help="The schema of a database.",
    epilog="Example: ia-modules db status",
    rich_markup_mode=None,
    add_completion=False,
)


@app.command(epilog="Example: ia-modules db migrate --db postgresql://me@localhost/ia")
def migrate(database_url: Database = DEFAULT_DATABASE) -> None:
    """Create the schema, or bring it up to date; the data stays. A new SQLite file is made when there is none."""
    run(_migrate(database_url))


@app.command(epilog="Example: ia-modules db status --json")
def status(database_url: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Show which changes of the schema the database has. Nothing is created by looking."""
    run(_status(database_url, as_json=as_json))


async def _migrate(database_url: str) -> None:
    database = DatabaseManager(database_url)
    try:
        before = {step.version for step in await database.migration_status() if step.state != "pending"}
        await database.initialize()
        applied = [step for step in await database.migration_status() if step.version not in before]
    finally:
        await database.close()
    for step in applied:
        typer.echo(f"V{step.version:03} {step.name}: applied")
    typer.echo(f"{database.safe_url} is current.")


async def _status(database_url: str, *, as_json: bool) -> None:
    database = DatabaseManager(database_url)
    try:
        steps = await database.migration_status()
    finally:
        await database.close()
    current = all(step.state in ("applied", "unknown") for step in steps)
    if as_json:
        found = [
            {
                "version": step.version,
                "name": step.name,
                "state": step.state,
                "applied_at": None if step.applied_at is None else format_time(step.applied_at),
            }
            for step in steps
        ]
        print_json({"database": database.safe_url, "current": current, "migrations": found})
        refuse_unusable(database.safe_url, steps)
        return
    rows = ((f"V{step.version:03}", status_text(step.state), moment(step.applied_at), step.name) for step in steps)
    print_table(("VERSION", "STATE", "APPLIED", "NAME"), rows)
    refuse_unusable(database.safe_url, steps)
    typer.echo(f"{database.safe_url} {'is current.' if current else 'is not current: ia-modules db migrate'}")
