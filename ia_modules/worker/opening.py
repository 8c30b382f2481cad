"""Opening a database that may be away when a worker starts: it waits, and says so."""

import asyncio
from collections.abc import Callable

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseRefused, DatabaseUnavailable

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 5.0


async def open_when_reachable(database: DatabaseManager, tell: Callable[[str], None]) -> None:
    """Open a database, and migrate its schema; a server that cannot be reached is tried until it can.

    Args:
        tell: is given a line for people whenever the reason for waiting is another one, and when the waiting is over.

    Raises:
        DatabaseRefused: a wrong password, name or folder, which waiting does not mend.
        DatabaseUnavailable: a SQLite file cannot be opened, which waiting does not mend either.
        DatabaseError: it can be reached, but not be used.
    """
    waits_for, pause_seconds = "", _FIRST_PAUSE_SECONDS
    while True:
        try:
            await database.initialize()
        except DatabaseRefused:
            raise
        except DatabaseUnavailable as error:
            if database.dialect == "sqlite":
                raise
            if str(error) != waits_for:
                waits_for = str(error)
                tell(f"Waiting for the database: {waits_for}")
        else:
            if waits_for:
                tell(f"The database {database.safe_url} can be reached.")
            return
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
