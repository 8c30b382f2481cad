"""What every database must be able to do, and the sans-I/O scripts that run on it."""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from ia_modules.errors import DatabaseError

T = TypeVar("T")

Dialect = Literal["sqlite", "postgresql"]
Params = Mapping[str, Any]
Rows = list[dict[str, Any]]

NO_PARAMS: Params = {}


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL sentence, run once for every row of parameters; what it returns is one list, in the order of the rows.

    Attributes:
        sql: one sentence; parameters are ``:name``.
        rows: parameters; keys that the SQL does not name are ignored. No row: nothing is run.
        whole_file: ``sql`` may be many sentences, sent in one go, and has no parameters; it returns no rows.
    """

    sql: str
    rows: Sequence[Params] = (NO_PARAMS,)
    whole_file: bool = False


Script = Generator[Statement, Rows, T]
"""A story told in statements: it yields what is to be run, is sent the rows, and returns what it found out.

It never touches a connection, so the same generator runs on every database, inside one transaction. It may run in
another thread than its caller's. A failed statement is raised in it, as one of our errors; it may tidy up or raise
another error, but not go on: the transaction is rolled back.
"""


class Session(Protocol):
    """Where statements run: the database (each on its own), or one open transaction."""

    async def execute(self, sql: str, params: Params) -> int:
        """Run one statement; how many rows it inserted, updated or deleted."""
        ...

    async def perform(self, statement: Statement) -> Rows:
        """Run one statement for each of its rows, all of them or none; what it returned."""
        ...


class Driver(Session, Protocol):
    """One database. Opens at first use; every error it raises is one of ours, with the driver's as its cause."""

    async def open(self) -> None:
        """Connect once, so that what is wrong shows now."""
        ...

    async def close(self) -> None:
        """Let what runs end, then close every connection, also those of other event loops."""
        ...

    def exists(self) -> bool:
        """Whether there is a database to look into; False only where opening it would create it."""
        ...

    async def run(self, script: Script[T], lock_timeout_seconds: float | None = None) -> T:
        """Run a script in one read-write transaction: committed when it returns, rolled back when anything raises."""
        ...

    async def read(self, script: Script[T]) -> T:
        """Run a script in one read-only snapshot."""
        ...

    def transaction(self, timeout_seconds: float) -> AbstractAsyncContextManager[Session]:
        """One transaction: committed when the block ends, rolled back when it raises or lasts too long."""
        ...

    async def notify(self, payload: str) -> None:
        """Tell every listener, in every process, to look."""
        ...

    def signals(self) -> AsyncGenerator[str | None]:
        """What others tell; None = something may have changed."""
        ...


def advance(script: Script[T], rows: Rows | None) -> Statement:
    """The script's next statement, given what the last one returned (None: it has not begun).

    Raises:
        StopIteration: the script has returned; ``value`` is its result.
    """
    return next(script) if rows is None else script.send(rows)


def abandon(script: Script[Any], error: DatabaseError) -> DatabaseError:
    """Raise a failed statement's error in its script; returns the error to raise when the script kept silent.

    Raises:
        Exception: whatever the script raises instead.
    """
    try:
        script.throw(error)
    except StopIteration:
        return error
    script.close()
    return error


def shortened(sql: str) -> str:
    """SQL for an error message: on one line, at most 200 characters. Values are never part of it."""
    line = " ".join(sql.split())
    return line if len(line) <= 200 else f"{line[:197]}..."


def begins_or_ends_message(sql: str) -> str:
    """What to say of a BEGIN or COMMIT in somebody's SQL."""
    return f"{shortened(sql)} begins or ends a transaction; use: async with database.transaction() as handle."


def closed_message(safe_url: str) -> str:
    """What to say to who uses a database after its end."""
    return f"The database {safe_url} was closed here; make a new DatabaseManager."


def time_limit_message(timeout_seconds: float) -> str:
    """What to say of a transaction that lasted too long."""
    return (
        f"The transaction was rolled back: it lasted longer than its limit of {timeout_seconds:g} s. "
        "Do slow work before it or after it, or pass timeout_seconds=."
    )
