"""``--db``: which database a command works on, and how it is opened."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from shlex import quote
from typing import Annotated

import typer

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import refuse_unusable
from ia_modules.database.url import parse_url
from ia_modules.errors import SchemaError
from ia_modules.tracker.execution_tracker import ExecutionTracker

DEFAULT_DATABASE = "sqlite:///ia_modules.db"

Database = Annotated[
    str,
    typer.Option(
        "--db", metavar="URL", envvar="DATABASE_URL", help="sqlite:///file.db or postgresql://user@host/name."
    ),
]


@asynccontextmanager
async def reading(database_url: str) -> AsyncGenerator[DatabaseManager]:
    """A database to read from. Nothing is created or changed by looking.

    Raises:
        SchemaError: the schema is not there or not current, was changed, or needs a newer program.
    """
    database = DatabaseManager(database_url)
    try:
        steps = await database.migration_status()
        refuse_unusable(steps)
        states = {step.state for step in steps}
        if "pending" in states:
            found = "an older schema" if "applied" in states else "no schema yet, so nothing is on record there"
            raise SchemaError(f"{database.safe_url} has {found}. Bring it up to date: ia-modules db migrate.")
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def recording(database_url: str) -> AsyncGenerator[ExecutionTracker]:
    """A tracker that records; the schema is made current first, and a SQLite file when there is none."""
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        yield tracker


@asynccontextmanager
async def steering(database_url: str) -> AsyncGenerator[ExecutionTracker]:
    """A tracker of what is on record already: it may change that, but a database is not made.

    Raises:
        SchemaError: the schema is not there, or not current.
    """
    async with reading(database_url) as database, ExecutionTracker(database) as tracker:
        yield tracker


def same_database(context: typer.Context) -> str:
    """What a suggested command needs for the same database: `` --db URL``, or nothing without that option."""
    source = context.get_parameter_source("database_url")
    if source is None or source.name != "COMMANDLINE":
        return ""
    return f" --db {quote(parse_url(context.params['database_url']).safe)}"
