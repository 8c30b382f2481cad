"""The services of one server: opened together, closed together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ia_modules.database.manager import DatabaseManager
from ia_modules.web.execution_tracker import ExecutionTracker
from showcase_app.backend.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    database: DatabaseManager
    execution_tracker: ExecutionTracker


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services]:
    """The services over the database of the settings, whose schema is brought up to date.

    Raises:
        DatabaseError: the database cannot be reached, or its schema needs another program.
    """
    async with DatabaseManager(settings.database_url) as database, ExecutionTracker(database) as tracker:
        yield Services(database=database, execution_tracker=tracker)
