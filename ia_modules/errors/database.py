"""What a database or a file of records cannot do, and whether trying again may help."""

from ia_modules.errors.base import DatabaseError


class InvalidDatabaseUrl(DatabaseError, ValueError):
    """The database URL cannot be understood. No password is ever in the message."""


class DatabaseUnavailable(DatabaseError):
    """The server or the file cannot be reached; trying again may help."""


class DatabaseRefused(DatabaseUnavailable):
    """The user, the password, the database's name, the folder or the file is wrong; waiting does not help."""


class DatabaseClosed(DatabaseUnavailable):
    """The manager was closed here; trying again never helps, a new manager does."""


class DatabaseBusy(DatabaseError):
    """Others blocked this one, and nothing was written; trying again may help.

    They held a lock or all connections for too long, or two transactions collided (a deadlock, a serialization failure)
    and the server ended this one.
    """


class ReadTooLong(DatabaseError):
    """A read of very many rows took longer than its limit and was stopped; the rows are intact."""

    def __init__(self, what: str, limit_seconds: float, advice: str) -> None:
        super().__init__(f"Reading {what} took longer than its limit of {limit_seconds:g} seconds. {advice}")
        self.limit_seconds = limit_seconds


class DatabaseFull(DatabaseError):
    """There is no room on the database's disk; nothing was written. Trying again helps when somebody has made room."""


class DatabaseReadOnly(DatabaseError):
    """The database may be read but not written."""


PASSING_DATABASE_ERRORS = (DatabaseUnavailable, DatabaseBusy, DatabaseFull, DatabaseReadOnly)
"""What a write may meet and what may end by itself: it is tried again for a limited time."""


class ConstraintViolated(DatabaseError):
    """A constraint of the schema was violated.

    Attributes:
        constraint: its name, None when the database does not name it.
    """

    def __init__(self, message: str, *, constraint: str | None = None) -> None:
        super().__init__(message)
        self.constraint = constraint


class InvalidQuery(DatabaseError):
    """The SQL or its parameters are wrong."""


class FileRefused(DatabaseError):
    """A run file is damaged, was changed, or is none; nothing of it was used.

    Attributes:
        file: its name.
        found: what is wrong, and what to do.
    """

    def __init__(self, file: str, found: str) -> None:
        super().__init__(f"The file {file} cannot be used: {found.removesuffix('.')}.")
        self.file, self.found = file, found


class TransactionMisuse(DatabaseError):
    """A transaction's rules were broken; everything in it was rolled back.

    The manager was used inside it, its handle after its end or after a failed statement, or it took too long.
    """


class SchemaError(DatabaseError):
    """The schema is missing, was changed, or needs a newer program."""
