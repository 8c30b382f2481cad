"""Errors of PostgreSQL and asyncpg, translated into ours."""

import asyncpg

from ia_modules.database.driver import shortened
from ia_modules.errors import (
    ConstraintViolated,
    DatabaseBusy,
    DatabaseError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseRefused,
    DatabaseUnavailable,
    InvalidDatabaseUrl,
    InvalidQuery,
)

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # also TimeoutError
    TypeError,
    ValueError,
    OverflowError,
)
"""Errors of asyncpg for a connection or a statement."""

IMPOSSIBLE_TEXT = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError, asyncpg.DataError)
"""Errors of asyncpg for text that PostgreSQL cannot store, among other reasons."""

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
)
"""Errors of asyncpg for a connection that ended during a statement, whose outcome is unknown."""

_BUSY = {
    "25P03": "the transaction stood idle for too long and the server ended it",
    "25P04": "the transaction lasted too long and the server ended it",
    "40001": "another transaction changed the same rows",
    "40P01": "two transactions waited for each other",
    "55006": "somebody else is using it",
    "55P03": "another connection held a lock for too long",
    "57014": "the statement was cancelled, by its time limit or by hand",
}
_REFUSED_CLASSES = ("28", "3D")
_UNAVAILABLE_CLASSES = ("08", "53", "57", "58", "XX")
_WRONG_QUERY_CLASSES = ("0A", "21", "22", "26", "34", "42")


def never_sent(error: BaseException | None) -> bool:
    """Whether the connection had ended before the statement, which the server never received."""
    return isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError) and (
        "cannot switch to state" in str(error) or "connection is closed" in str(error)
    )


def was_lost(error: BaseException | None) -> bool:
    """Whether the connection ended, before the statement or during it."""
    return isinstance(error, LOST) or never_sent(error)


def translated(error: Exception, place: str, sql: str | None = None) -> DatabaseError:
    """The error to raise ``from error``.

    Args:
        place: host and port.
        sql: the statement; None while connecting.
    """
    what = f" The SQL: {shortened(sql)}" if sql else ""
    match error:
        case asyncpg.InvalidCachedStatementError() | asyncpg.OutdatedSchemaCacheError():
            return DatabaseBusy(f"The schema at {place} changed meanwhile; try again.{what}")
        case asyncpg.ClientConfigurationError():
            return InvalidDatabaseUrl(f"The URL of PostgreSQL at {place} cannot be used: {error}.")
        case asyncpg.ProtocolViolationError() if "startup parameter" in str(error):
            return DatabaseRefused(
                f"The pooler at {place} refuses: {error}. Move the setting from the URL's options= or the service file "
                "into an option of its own, as ?search_path=flows, which is set in each transaction."
            )
        case asyncpg.InvalidSQLStatementNameError() | asyncpg.DuplicatePreparedStatementError() if "__asyncpg_" in str(
            error
        ):
            return DatabaseRefused(
                f"What was prepared on a connection to PostgreSQL at {place} is not there ({error}): a pooler gives "
                f"each transaction another session. Add pooler=transaction to the options of the URL.{what}"
            )
        case _ if was_lost(error):
            return DatabaseUnavailable(
                f"The connection to PostgreSQL at {place} was lost ({error}). Was the server stopped or started again?"
                f"{what}"
            )
        case asyncpg.PostgresError():
            return _by_state(error, place, what)
        case asyncpg.DataError() | asyncpg.UnsupportedClientFeatureError():
            return InvalidQuery(f"The statement cannot be sent to PostgreSQL: {error}.{what}")
        case TimeoutError():
            return DatabaseUnavailable(
                f"PostgreSQL at {place} did not answer in time. Is it running and reachable? A statement that takes so "
                f"long needs a larger statement_timeout_seconds= of the DatabaseManager.{what}"
                if sql
                else f"PostgreSQL at {place} did not answer in time. Is it running and reachable?"
            )
        case asyncpg.InterfaceError() | asyncpg.InternalClientError() | OSError():
            return DatabaseUnavailable(f"PostgreSQL at {place} cannot be reached: {error}. Is it running?{what}")
        case _ if sql is None:
            return InvalidDatabaseUrl(
                f"The URL of PostgreSQL at {place} cannot be used by asyncpg; is all of it quoted?"
            )
        case _:  # Python's own error, for a value that cannot be sent
            return InvalidQuery(f"The statement cannot be sent to PostgreSQL: {error}.{what}")


def _by_state(error: asyncpg.PostgresError, place: str, what: str) -> DatabaseError:
    state = str(error.sqlstate or "")
    message = str(error.args[0] if error.args else error)
    if state in _BUSY:
        return DatabaseBusy(f"PostgreSQL at {place}: {_BUSY[state]} ({message}). Try again.{what}")
    if state == "53100":
        return DatabaseFull(f"PostgreSQL at {place} has no room left on its disk: {message}. Make room there.{what}")
    if state == "25006":
        return DatabaseReadOnly(f"PostgreSQL at {place} can be read here but not written ({message}).{what}")
    if state.startswith("23"):
        return ConstraintViolated(f"{message}.{what}", constraint=error.constraint_name)
    if state == "42501":
        return DatabaseError(f"PostgreSQL at {place} does not allow it: {message}. GRANT it to this user.{what}")
    if state.startswith(_REFUSED_CLASSES):
        return DatabaseRefused(f"PostgreSQL at {place} does not let us in: {message}. Look at the URL.{what}")
    if state.startswith(_UNAVAILABLE_CLASSES):
        return DatabaseUnavailable(f"PostgreSQL at {place} cannot be used: {message}.{what}")
    if not what and state.startswith("42"):  # while connecting: an option of the URL
        return InvalidDatabaseUrl(f"The URL has an option that PostgreSQL at {place} does not accept: {message}.")
    if state.startswith(_WRONG_QUERY_CLASSES):
        hint = " Was the schema created? await database.initialize()." if state == "42P01" else ""
        return InvalidQuery(f"PostgreSQL refused the SQL: {message}.{hint}{what}")
    return DatabaseError(f"PostgreSQL at {place} failed: {message} ({state}).{what}")
