"""A clock of records that tests set: in this process, or in a PostgreSQL database."""

from datetime import UTC, datetime

from ia_modules.database.manager import DatabaseManager


class Clock:
    """Goes as the machine's does until it is set; then it stands."""

    def __init__(self) -> None:
        self._at: datetime | None = None

    def __call__(self) -> datetime:
        return self._at or datetime.now(UTC)

    async def set(self, at: datetime) -> None:
        self._at = at


async def set_clock_of(database: DatabaseManager, at: datetime) -> None:
    """Set the clock of a PostgreSQL database."""
    body = f"RETURN timestamptz '{at.isoformat()}'"
    await database.execute_async(f"CREATE OR REPLACE FUNCTION ia_now() RETURNS timestamptz LANGUAGE sql {body}")
