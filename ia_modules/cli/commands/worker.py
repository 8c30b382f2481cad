"""``ia-modules worker``: runs queued executions, without a server."""

import asyncio
from typing import Annotated

import typer

from ia_modules.cli.interrupt import end_at_once, interrupted_by
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database
from ia_modules.cli.output.terminal import one_line, run
from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.worker import Worker

DEFAULT_LEASE_SECONDS, DEFAULT_GRACE_SECONDS = 15.0, 10.0

Lease = Annotated[
    float,
    typer.Option(min=0.5, help="After so long without a heartbeat it counts as dead, and others take over."),
]
Grace = Annotated[float, typer.Option(min=0, help="How long running executions may go on after a stop signal.")]

EXAMPLE = "Example: ia-modules worker --slots 8 --db postgresql://me@localhost/ia"


def worker(
    slots: Annotated[int, typer.Option(min=1, max=1000, help="How many executions run at once.")] = 4,
    lease_seconds: Lease = DEFAULT_LEASE_SECONDS,
    grace_seconds: Grace = DEFAULT_GRACE_SECONDS,
    database_url: Database = DEFAULT_DATABASE,
) -> None:
    """Run queued executions until Ctrl-C or SIGTERM; those that have not ended by then are handed to other workers.

    A second Ctrl-C ends it at once; others take over what it leaves when its lease is over.
    """
    executor = LocalExecutor()
    run(_work(database_url, executor, slots=slots, lease_seconds=lease_seconds, grace_seconds=grace_seconds))


async def _work(
    database_url: str, executor: LocalExecutor, *, slots: int, lease_seconds: float, grace_seconds: float
) -> None:
    async with (
        DatabaseManager(database_url) as database,
        ExecutionTracker(database, lease_seconds=lease_seconds) as tracker,
    ):
        stop = asyncio.Event()

        def stopped() -> None:
            _tell(f"Stopping: executions may end within {grace_seconds:g} s. Once more ends this process at once.")
            stop.set()

        working = Worker(database, tracker, slots=slots, executor=executor, grace_seconds=grace_seconds, tell=_tell)
        with interrupted_by(stopped):
            async with working:
                _tell(f"Worker {working.worker_id} on {database.safe_url}, {slots} slots  (Ctrl-C stops it)")
                await stop.wait()
    if executor.abandoned:  # the loop would wait for steps that do not stop
        end_at_once(0)


def _tell(line: str) -> None:
    typer.echo(one_line(line))
