"""Errors of SQLite, translated into ours."""

import os
import re
from pathlib import Path

import apsw

from ia_modules.database.apsw_types import ApswConnection
from ia_modules.database.driver import shortened
from ia_modules.errors import (
    ConstraintViolated,
    DatabaseBusy,
    DatabaseError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseRefused,
    DatabaseUnavailable,
    InvalidQuery,
    TransactionMisuse,
)

_UNAVAILABLE = (
    apsw.CantOpenError,
    apsw.NotADBError,
    apsw.CorruptError,
    apsw.IOError,
    apsw.PermissionsError,
    apsw.ProtocolError,
)
_WRONG_QUERY = (
    apsw.SQLError,
    apsw.BindingsError,
    apsw.MismatchError,
    apsw.MisuseError,
    apsw.RangeError,
    apsw.TooBigError,
    TypeError,
    ValueError,  # also lone surrogates
    OverflowError,
)
_UNUSABLE_READ_ONLY = (
    apsw.SQLITE_READONLY_CANTINIT,
    apsw.SQLITE_READONLY_CANTLOCK,
    apsw.SQLITE_READONLY_DIRECTORY,
    apsw.SQLITE_READONLY_RECOVERY,
)
DRIVER_ERRORS = (apsw.Error, KeyError, TypeError, ValueError, OverflowError)
"""Errors of apsw for a statement: SQLite's, and Python's for a parameter that cannot be bound."""


def translated(
    error: Exception, sql: str | None, path: str, busy_timeout_seconds: float, connection: ApswConnection | None
) -> DatabaseError:
    """The error to raise ``from error``.

    Args:
        sql: the statement; None while opening.
        connection: for the names in its schema; None while opening.
    """
    what = f" The SQL: {shortened(sql)}" if sql else ""
    match error:
        case apsw.BusyError() | apsw.LockedError() | apsw.SchemaChangeError():
            return DatabaseBusy(
                f"Another connection held the lock of {path} for more than {busy_timeout_seconds:g} s. Try again; if "
                f"that does not help, look for a program that keeps a write transaction open.{what}"
            )
        case apsw.ReadOnlyError() if getattr(error, "extendedresult", None) in _UNUSABLE_READ_ONLY:
            return DatabaseUnavailable(
                f"The SQLite file {path} cannot even be read: there is no -shm file beside it, and this user cannot "
                "make one. Let the user write in that folder, or let a process that may write keep the database open."
            )
        case apsw.ReadOnlyError():
            return DatabaseReadOnly(f"{path} can be read here but not written ({error}).{what}")
        case apsw.FullError():
            return DatabaseFull(f"There is no room left for {path} ({error}). Make room on its disk.{what}")
        case apsw.ConstraintError():
            return ConstraintViolated(f"{error}.{what}", constraint=_constraint(str(error), connection))
        case apsw.InterruptError():
            return TransactionMisuse(
                f"A statement ran into the time limit of its transaction and was interrupted.{what}"
            )
        case KeyError():
            return InvalidQuery(f"The parameter :{error.args[0]} is missing; expected a value for every name.{what}")
        case _ if isinstance(error, _UNAVAILABLE):
            return _unavailable(error, path)
        case _ if isinstance(error, _WRONG_QUERY):
            hint = " Was the schema created? await database.initialize()." if "no such table" in str(error) else ""
            return InvalidQuery(f"SQLite refused the SQL: {error}.{hint}{what}")
        case _:
            return DatabaseError(f"SQLite failed: {error}.{what}")


def _unavailable(error: Exception, path: str) -> DatabaseUnavailable:
    """DatabaseRefused where waiting does not help."""
    match error:
        case apsw.CantOpenError() if not os.access(Path(path).parent, os.W_OK | os.X_OK):
            advice = "Its folder must exist, and this user must be able to write in it."
        case apsw.NotADBError():
            advice = "It is no SQLite database; choose another file."
        case apsw.CorruptError():
            advice = "Restore it from a backup, or see what the sqlite3 command .recover saves."
        case _:
            return DatabaseUnavailable(f"The SQLite file {path} cannot be used: {error}.")
    return DatabaseRefused(f"The SQLite file {path} cannot be used: {error}. {advice}")


def _constraint(message: str, connection: ApswConnection | None) -> str | None:
    """The violated constraint's name, as PostgreSQL has it; None when SQLite does not say."""
    kind, _, culprit = message.partition(" constraint failed: ")
    if kind == "CHECK":
        return culprit
    if kind != "UNIQUE" or connection is None:
        return None
    if index := re.fullmatch(r"index '(.*)'", culprit):
        return index[1]
    table = culprit.partition(".")[0]
    columns = [column.partition(".")[2] for column in culprit.split(", ")]
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchall()
    for name, listed in re.findall(r"CONSTRAINT\s+(\w+)\s+UNIQUE\s*\(([^)]*)\)", rows[0][0] if rows else ""):
        if [column.strip() for column in listed.split(",")] == columns:
            return name
    return f"{table}_pkey" if _primary_key(connection, table) == columns else None


def _primary_key(connection: ApswConnection, table: str) -> list[str]:
    rows = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table,)).fetchall()
    return [str(row[0]) for row in rows]
