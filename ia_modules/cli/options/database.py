"""``--db``: which database a command works on, and how it is opened."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from getpass import getuser
from shlex import quote
from typing import Annotated

import typer

from ia_modules.cli.output.terminal import warn
from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MigrationStatus, refuse_unusable
from ia_modules.database.url import DEFAULT_URL, URL_VARIABLE, parse_url
from ia_modules.errors import SchemaError
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.runner import TRACKER_SERVICE
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.tracing import TraceWriter
from ia_modules.worker.opening import open_when_reachable

DEFAULT_DATABASE = DEFAULT_URL

Database = Annotated[
    str,
    typer.Option("--db", metavar="URL", envvar=URL_VARIABLE, help="sqlite:///file.db or postgresql://user@host/name."),
]


@asynccontextmanager
async def client_of(
    database_url: str,
    *,
    may_create: bool = False,
    executor: LocalExecutor | None = None,
    allowed: AllowedCode | None = None,
    services: ServiceRegistry | None = None,
    traces: TraceWriter | None = None,
) -> AsyncGenerator[Client]:
    """A client of a database; the audit log keeps what it does under the user's name.

    Args:
        may_create: make the schema current first, and a SQLite file when there is none. Otherwise nothing is created.
        executor: of the steps that run here.
        allowed: the code that stored versions may use; only for commands that load it.
        services: those of the steps that run here, which get the tracker too; None: that alone.
        traces: what the executions that run here are written to as spans; None: nothing.

    Raises:
        SchemaError: the schema was changed, or needs a newer program; without ``may_create``, is not there or current.
    """
    database = DatabaseManager(database_url)
    try:
        if may_create:
            await database.initialize()
        else:
            refuse_outdated(database.safe_url, await database.migration_status())
        actor = f"cli:{_user()}"
        async with (
            ExecutionTracker(database, traces=traces) as tracker,
            Client(
                database, tracker=tracker, services=services, executor=executor, allowed=allowed, actor=actor
            ) as client,
        ):
            if services is not None:
                services.register(TRACKER_SERVICE, tracker)
            yield client
    finally:
        await database.close()


def refuse_outdated(safe_url: str, steps: Sequence[MigrationStatus]) -> None:
    """Raises SchemaError: the schema is not there or not current, was changed, or needs a newer program."""
    refuse_unusable(safe_url, steps)
    states = {step.state for step in steps}
    if "pending" in states:
        found = "an older schema" if "applied" in states else "no schema yet, so nothing is on record there"
        raise SchemaError(f"{safe_url} has {found}. Bring it up to date: ia-modules db migrate.")


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a number without a name, as in containers
        return str(os.getuid())


async def open_unless_stopped(database: DatabaseManager, stop: asyncio.Event) -> bool:
    """Open a database, however long it is away; False when ``stop`` was set first."""
    opening = asyncio.create_task(open_when_reachable(database, warn), name="open the database")
    stopping = asyncio.create_task(stop.wait(), name="told to stop")
    try:
        await asyncio.wait([opening, stopping], return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            opening.result()
        return opening.done()
    finally:
        opening.cancel()
        stopping.cancel()
        await asyncio.gather(opening, stopping, return_exceptions=True)


def same_database(context: typer.Context) -> str:
    """What a suggested command needs for the same database: `` --db URL``, or nothing without that option."""
    source = context.get_parameter_source("database_url")
    if source is None or source.name != "COMMANDLINE":
        return ""
    return f" --db {quote(parse_url(context.params['database_url']).safe)}"
