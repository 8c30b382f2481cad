"""Whether the services work, asked of the database itself, each time."""

import asyncio
from dataclasses import dataclass

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import refuse_unusable
from ia_modules.errors import DatabaseError, SchemaError
from showcase_app.backend.services.container import Services

_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is wrong, in words; None = nothing.

    Attributes:
        database: it does not answer.
        tracker, pipelines, metrics: it cannot record or read: the database is away, or its schema is not the one this
            program needs.
        worker: the worker in this server does not beat; a server without one has none to complain of.
    """

    database: str | None
    tracker: str | None
    pipelines: str | None
    metrics: str | None
    worker: str | None

    @property
    def problem(self) -> str | None:
        """The first thing that is wrong; None = nothing."""
        return self.database or self.tracker or self.pipelines or self.metrics or self.worker


async def check_health(services: Services) -> Health:
    """Ask the database for an answer and for its schema; takes three seconds at most."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            schema = await _schema_problem(services.database)
            worker = schema or await _worker_problem(services)
    except TimeoutError:
        away = f"The database {services.database.safe_url} did not answer within {_PATIENCE_SECONDS:.0f} seconds."
        return _nothing_works(away)
    except DatabaseError as error:
        return _nothing_works(str(error))
    return Health(database=None, tracker=schema, pipelines=schema, metrics=schema, worker=worker)


def _nothing_works(why: str) -> Health:
    return Health(database=why, tracker=why, pipelines=why, metrics=why, worker=why)


async def _schema_problem(database: DatabaseManager) -> str | None:
    statuses = await database.migration_status()
    try:
        refuse_unusable(statuses)
    except SchemaError as error:
        return str(error)
    pending = [f"V{status.version:03}__{status.name}" for status in statuses if status.state == "pending"]
    if not pending:
        return None
    found = ", ".join(f"{name} is pending" for name in pending)
    return f"The schema of {database.safe_url} is not current: {found}. Run: ia-modules db migrate."


async def _worker_problem(services: Services) -> str | None:
    worker = services.worker
    if worker is None or services.database.is_in_memory:  # in memory nobody could see it beat
        return None
    liveness = await services.execution_tracker.liveness(worker.worker_id)
    if liveness is None or liveness.state == "stopped":
        return f"The worker {worker.worker_id} of this server is not at work."
    if liveness.is_gone:
        ago = liveness.last_heard_seconds
        return f"The worker {worker.worker_id} of this server does not beat: the last time was {ago:.0f} seconds ago."
    return worker.problem
