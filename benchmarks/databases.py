"""The databases that are measured: new ones that flush at every commit, as in production."""

import itertools
import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import apsw

from ia_modules.database.manager import DatabaseManager
from tests.postgres import database_on, embedded_server

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
BOTH = (SQLITE, POSTGRESQL)

NewDatabase = Callable[[str], str]
"""The URL of a new, empty database of this kind, ``SQLite`` or ``PostgreSQL``."""


@contextmanager
def new_databases(*, server: str | None = None) -> Generator[NewDatabase]:
    """Databases in one folder and on one server, which are gone after the block.

    SQLite files are in WAL mode already, for programs that would not choose it.

    Args:
        server: where databases may be created; None: IA_TEST_POSTGRES_URL, or the server from the wheel, started when
            it is first needed.
    """
    numbers, lasting = itertools.count(1), os.environ.get("IA_TEST_POSTGRES_URL")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ia_bench_")))
        servers: list[str] = []

        def new_file() -> str:
            path = folder / f"{next(numbers)}.db"
            connection: Any = apsw.Connection(str(path))
            connection.pragma("journal_mode", "wal")
            connection.close()
            return f"sqlite:///{path}"

        def new_on_server() -> str:
            if not servers:
                servers.append(server or lasting or stack.enter_context(embedded_server(durable=True)))
            name = f"ia_bench_{os.getpid()}_{next(numbers)}"
            _on_server(servers[0], f"CREATE DATABASE {name}")
            if (
                lasting is not None and servers[0] == lasting
            ):  # the other ends with its databases; dropping one writes a checkpoint
                stack.callback(_on_server, lasting, f"DROP DATABASE {name} WITH (FORCE)")
            return database_on(servers[0], name)

        yield lambda kind: new_file() if kind == SQLITE else new_on_server()


def _on_server(server: str, sql: str) -> None:
    admin = DatabaseManager(server, pool_size=1)
    try:
        admin.execute(sql)
    finally:
        admin.close_sync()
