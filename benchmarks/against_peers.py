"""A race against other libraries that keep what a program does, each installed from PyPI beside the checkout."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases import POSTGRESQL, SQLITE
from benchmarks.figures import ROOT, Figure
from benchmarks.race import Bench, Program, race, reason, started
from benchmarks.rates import LIMIT, RUNNER
from ia_modules import DatabaseManager

ENVIRONMENTS = ROOT / ".peers"
PROGRAMS = ROOT / "benchmarks" / "peers"
INSTALL_SECONDS = 900

TABLES = {
    SQLITE: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    POSTGRESQL: "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name"
    " FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    " AND table_schema NOT IN ('information_schema', 'pg_catalog')",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Another library.

    Attributes:
        module: of its program in ``benchmarks/peers``, and of its pinned requirements beside it.
        keeps: what it writes of the work, and when, as its source and its tables show.
    """

    name: str
    module: str
    keeps: str

    @property
    def pins(self) -> Path:
        return PROGRAMS / f"{self.module}.txt"

    @property
    def version(self) -> str:
        return self.pins.read_text(encoding="utf-8").split()[0]


PEERS = (
    Peer(
        "LangGraph",
        "langgraph",
        "a checkpoint with the whole state for the input, before the first node and after each, and what each node"
        ' gave (`durability="sync"`: the next node waits for it); no start and no times of a node, no owner',
    ),
    Peer(
        "DBOS",
        "dbos",
        "the workflow with its input when it starts and its output when it ends, and each step with its output and both"
        " times when it has ended; that a step has begun is not on record, nor its input",
    ),
    Peer(
        "Burr",
        "burr",
        "the whole state after each action; no start of anything, no end of the execution, no owner, so that two"
        " processes may go on with the same one",
    ),
)


def measure_peers(bench: Bench) -> list[Figure]:
    """Rates of those that can be installed here, of the runner and of the limit; and rows for each execution."""
    programs = [LIMIT, RUNNER]
    for peer in PEERS:
        try:
            python = install(peer, ENVIRONMENTS)
        except (OSError, subprocess.SubprocessError) as error:
            bench.missing.append(f"{peer.name} could not be installed: {reason(error)}")
        else:
            programs.append(
                Program(
                    peer.name, (str(python), "-m", f"benchmarks.peers.{peer.module}"), {RUNNER.name: "of the runner"}
                )
            )
    if len(programs) == 2:
        return []
    return race(bench, programs) + [
        rows_of(bench, database, each) for database in bench.databases for each in programs[1:]
    ]


def install(peer: Peer, environments: Path) -> Path:
    """The interpreter of a peer's own environment, made where it is missing or its pins have changed.

    Raises:
        OSError, subprocess.SubprocessError: it could not be made, for want of a network for example.
    """
    folder, pins = environments / peer.module, peer.pins.read_text(encoding="utf-8")
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == pins:
        return python
    print(f"Installing {peer.name} in {folder.relative_to(environments.parent)}", flush=True)
    pip = (str(python), "-m", "pip", "install", "--quiet", "--retries", "1", "--requirement", str(peer.pins))
    for command in ((sys.executable, "-m", "venv", "--clear", str(folder)), pip):
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    stamp.write_text(pins, encoding="utf-8")
    return python


def rows_of(bench: Bench, database: str, program: Program) -> Figure:
    """How many rows are there for an execution, in whatever tables."""
    url = bench.new_database(database)
    with started(program.command, url) as take, managed(url) as manager:
        take(1, 0.1)
        before = rows_in(manager, database)
        executions = take(1, 0.2).executions
        rows = (rows_in(manager, database) - before) / executions
    return Figure(database, f"{program.name}, 1 at a time", "rows each", (rows,))


def rows_in(manager: DatabaseManager, database: str) -> int:
    """Of all tables together."""
    names = [row["name"] for row in manager.fetch_all(TABLES[database])]
    counts = [manager.fetch_one(f"SELECT count(*) AS n FROM {name}") for name in names]  # noqa: S608 - names of tables
    return sum(row["n"] for row in counts if row is not None)


@contextmanager
def managed(url: str) -> Generator[DatabaseManager]:
    """A manager that brings no schema."""
    manager = DatabaseManager(url, pool_size=1)
    try:
        yield manager
    finally:
        manager.close_sync()
