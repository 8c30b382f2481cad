"""Whether the services work, read from the database each time."""

import asyncio

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import refuse_unusable
from ia_modules.errors import DatabaseError, SchemaError
from showcase_app.backend.schemas.system import ServicesOut
from showcase_app.backend.services.container import Services

_PATIENCE_SECONDS = 3.0


async def check_health(services: Services) -> tuple[ServicesOut, str | None]:
    """Which services work, and the first thing that is wrong in words; None: nothing. Takes three seconds at most.

    Recording and reading need the database and its current schema; the worker must beat where this server has one.
    """
    away = schema = worker = None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            schema = await _schema_problem(services.database)
            worker = await _worker_problem(services) if schema is None else None
    except TimeoutError:
        away = f"The database {services.database.safe_url} did not answer within {_PATIENCE_SECONDS:.0f} seconds."
    except DatabaseError as error:
        away = str(error)
    stored = (away or schema) is None
    problem = away or schema or worker
    services_out = ServicesOut(
        database=away is None, tracker=stored, pipelines=stored, metrics=stored, worker=problem is None
    )
    return services_out, problem


async def _schema_problem(database: DatabaseManager) -> str | None:
    statuses = await database.migration_status()
    try:
        refuse_unusable(database.safe_url, statuses)
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
