"""The interface of a database, and the sans-I/O scripts that run on it."""

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

Plan = Mapping[str, Sequence[tuple[Any, ...]]]
"""Rows for sentences of ``sql/plans``, by the sentence's name; the values of a row in the order that it names them."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL sentence, run once for each row of parameters; it returns one list, in the order of the rows.

    Attributes:
        sql: one sentence; parameters are ``:name``.
        rows: parameters; keys that the SQL does not name are ignored. Without a row nothing is run.
        whole_file: ``sql`` may be many sentences, has no parameters, and returns no rows.
    """

    sql: str
    rows: Sequence[Params] = (NO_PARAMS,)
    whole_file: bool = False


Script = Generator[Statement, Rows, T]
"""A transaction as a generator: it yields statements, is sent their rows, and returns its result.

It never touches a connection, so the same generator runs on every database, inside one transaction, possibly in another
thread than its caller's. The error of a failed statement is raised in it; it may clean up or raise another error, but
not go on: the transaction is rolled back.
"""


class Session(Protocol):
    """Runs statements: each in its own transaction, or all in one open transaction."""

    async def execute(self, sql: str, params: Params) -> int:
        """Run one statement; how many rows it inserted, updated or deleted."""
        ...

    async def perform(self, statement: Statement) -> Rows:
        """Run one statement for each of its rows, for all of them or none; all rows returned."""
        ...


class Driver(Session, Protocol):
    """One database. Opens at first use; raises errors of :mod:`ia_modules.errors`, with the driver's as the cause."""

    async def open(self) -> None:
        """Connect once, to raise connection errors now."""
        ...

    async def close(self) -> None:
        """Wait for running statements, then close every connection, also those of other event loops."""
        ...

    def exists(self) -> bool:
        """Whether the database exists; False only where opening it would create it."""
        ...

    async def run(
        self,
        script: Script[T],
        lock_timeout_seconds: float | None = None,
        statement_timeout_seconds: float | None = None,
    ) -> T:
        """Run a script in one read-write transaction: committed when it returns, rolled back when anything raises."""
        ...

    @property
    def writes_plans(self) -> bool:
        """Whether :meth:`write_plan` can be used; may change with the first connection."""
        ...

    async def write_plan(
        self,
        plan: Plan,
        lock_timeout_seconds: float | None = None,
        statement_timeout_seconds: float | None = None,
    ) -> bool:
        """Write a plan in one transaction and at once; False: a swap missed its row, and nothing was written."""
        ...

    async def read(self, script: Script[T]) -> T:
        """Run a script in one read-only snapshot."""
        ...

    def transaction(self, timeout_seconds: float) -> AbstractAsyncContextManager[Session]:
        """One transaction: committed when the block ends, rolled back when it raises or lasts too long."""
        ...

    async def notify(self, payload: str) -> None:
        """Send a payload to every listener in every process."""
        ...

    async def has_listeners(self) -> bool:
        """Whether :meth:`notify` would be heard."""
        ...

    def signals(self) -> AsyncGenerator[str | None]:
        """Payloads of :meth:`notify`; None = something may have changed."""
        ...


def advance(script: Script[T], rows: Rows | None) -> Statement:
    """The script's next statement. ``rows``: the last one's; None before the first.

    Raises:
        StopIteration: the script has returned; ``value`` is its result.
    """
    return next(script) if rows is None else script.send(rows)


def abandon(script: Script[Any], error: DatabaseError) -> DatabaseError:
    """Raise a failed statement's error in its script; returns the error to raise when the script raises none.

    Raises:
        Exception: raised by the script instead.
    """
    try:
        script.throw(error)
    except StopIteration:
        return error
    script.close()
    return error


def shortened(sql: str) -> str:
    """SQL for an error message: one line of at most 200 characters, without values."""
    line = " ".join(sql.split())
    return line if len(line) <= 200 else f"{line[:197]}..."


def begins_or_ends_message(sql: str) -> str:
    """The message for a BEGIN or COMMIT in the caller's SQL."""
    return f"{shortened(sql)} begins or ends a transaction; use: async with database.transaction() as handle."


def closed_message(safe_url: str) -> str:
    """The message for a use after close()."""
    return f"The database {safe_url} was closed here; make a new DatabaseManager."


def time_limit_message(timeout_seconds: float) -> str:
    """The message for a transaction that reached its time limit."""
    return (
        f"The transaction was rolled back: it lasted longer than its limit of {timeout_seconds:g} s. "
        "Do slow work before it or after it, or pass timeout_seconds=."
    )
