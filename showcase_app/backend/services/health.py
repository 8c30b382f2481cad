"""Whether the services work, asked of the database itself, each time."""

import asyncio
from dataclasses import dataclass

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import refuse_unusable
from ia_modules.errors import DatabaseError, SchemaError
from showcase_app.backend.services.container import Services

_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is wrong, in words; None = nothing.

    Attributes:
        database: it does not answer.
        tracker: it cannot record or read: the database is away, or its schema is not the one this program needs.
    """

    database: str | None
    tracker: str | None


async def check_health(services: Services) -> Health:
    """Ask the database for an answer and for its schema; takes three seconds at most."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            schema = await _schema_problem(services.database)
    except TimeoutError:
        away = f"The database {services.database.safe_url} did not answer within {_PATIENCE_SECONDS:.0f} seconds."
        return Health(database=away, tracker=away)
    except DatabaseError as error:
        return Health(database=str(error), tracker=str(error))
    return Health(database=None, tracker=schema)


async def _schema_problem(database: DatabaseManager) -> str | None:
    statuses = await database.migration_status()
    try:
        refuse_unusable(statuses)
    except SchemaError as error:
        return str(error)
    pending = [f"V{status.version:03}__{status.name}" for status in statuses if status.state == "pending"]
    if not pending:
        return None
    found = ", ".join(f"{name} is pending" for name in pending)
    return f"The schema of {database.safe_url} is not current: {found}. Run: ia-modules db migrate."
