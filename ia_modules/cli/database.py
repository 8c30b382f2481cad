"""Which database a command works on: the same option, default and rule everywhere."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import SchemaError

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
        SchemaError: the schema is not there, or not current.
    """
    database = DatabaseManager(database_url)
    try:
        states = {step.state for step in await database.migration_status()}
        if "pending" in states:
            found = "an older schema" if "applied" in states else "no schema yet, so nothing is on record there"
            raise SchemaError(f"{database.safe_url} has {found}. Bring it up to date: ia-modules db migrate.")
        yield database
    finally:
        await database.close()
