"""``ia-modules worker``: runs queued executions, without a server."""

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ia_modules.cli.interrupt import end_at_once, interrupted_by
from ia_modules.cli.long_running import collect_garbage_seldom, loop_factory
from ia_modules.cli.options.capture import StepLogs, StepPrints, capture_of
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, open_unless_stopped
from ia_modules.cli.options.pipeline_folders import PipelineFolders, allowed_below
from ia_modules.cli.options.project import Project, use_project
from ia_modules.cli.options.ray import (
    RayAddress,
    RayFallback,
    RayIsolated,
    RayNamespace,
    RayRuntimeEnv,
    RayWait,
    joined,
    ray_of,
)
from ia_modules.cli.options.secrets import secrets_of
from ia_modules.cli.options.services import StepServices, factory_named, opened_services
from ia_modules.cli.options.traces import PageUrl, TracePayloads, TracesTo, opened_traces, trace_options
from ia_modules.cli.output.terminal import one_line, run
from ia_modules.database.manager import DatabaseManager
from ia_modules.engines.ray import RayCluster
from ia_modules.models import LogLevel
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.runner import TRACKER_SERVICE
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.worker import Worker

if TYPE_CHECKING:
    from ia_modules.traces.otel import Traces

DEFAULT_LEASE_SECONDS, DEFAULT_GRACE_SECONDS, DEFAULT_LOAD_LIMIT_SECONDS = 15.0, 10.0, 60.0
_END_SECONDS = 15.0  # after the grace period, whatever the database and the steps do

LeaseSeconds = Annotated[
    float,
    typer.Option(min=0.5, help="After so long without a heartbeat it counts as dead, and others take over."),
]
Grace = Annotated[float, typer.Option(min=0, help="How long running executions may go on after a stop signal.")]
BlockedLimit = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        show_default="ten leases",
        help="How long a step may block the event loop before running executions go to other workers.",
    ),
]
LoadLimit = Annotated[
    float, typer.Option(min=0.5, help="How long the code of a pipeline may take to load before it is left to others.")
]

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="Example: ia-modules worker --slots 8 --db postgresql://me@localhost/ia")
def worker(
    context: typer.Context,
    slots: Annotated[int, typer.Option(min=1, max=1000, help="How many executions run at once.")] = 4,
    lease_seconds: LeaseSeconds = DEFAULT_LEASE_SECONDS,
    grace_seconds: Grace = DEFAULT_GRACE_SECONDS,
    blocked_limit_seconds: BlockedLimit = None,
    load_limit_seconds: LoadLimit = DEFAULT_LOAD_LIMIT_SECONDS,
    step_logs: StepLogs = LogLevel.INFO,
    step_prints: StepPrints = True,
    pipelines: PipelineFolders = None,
    project: Project = None,
    services: StepServices = None,
    ray: RayAddress = None,
    ray_namespace: RayNamespace = None,
    ray_isolated: RayIsolated = False,
    ray_wait_seconds: RayWait = 0.0,
    ray_fallback: RayFallback = False,
    ray_runtime_env: RayRuntimeEnv = None,
    traces_to: TracesTo = None,
    trace_payloads: TracePayloads = False,
    page_url: PageUrl = None,
    database_url: Database = DEFAULT_DATABASE,
) -> None:
    """Run queued executions until Ctrl-C, SIGTERM or SIGHUP; what has not ended by then is handed to other workers.

    The database's password and IA_MODULES_API_KEYS are kept from the code of steps. A second Ctrl-C ends it at once;
    others take over what it leaves when its lease is over.
    """
    use_project(project)
    database_url = secrets_of(context).full_url(database_url)
    cluster = ray_of(ray, ray_namespace, wait_seconds=ray_wait_seconds, runtime_env=ray_runtime_env)
    executor = LocalExecutor(processes=slots, cluster=cluster, moves_isolated=ray_isolated, falls_back=ray_fallback)
    options: dict[str, Any] = {
        "slots": slots,
        "grace_seconds": grace_seconds,
        "blocked_limit_seconds": blocked_limit_seconds,
        "load_limit_seconds": load_limit_seconds,
        "allowed": allowed_below(pipelines),
        "capture": capture_of(step_logs, step_prints=step_prints),
    }
    made = opened_services(services, factory_named(services))
    traces = opened_traces(trace_options(traces_to, payloads=trace_payloads, page_url=page_url))
    working = _work(
        database_url,
        executor,
        cluster,
        made,
        traces,
        lease_seconds=lease_seconds,
        grace_seconds=grace_seconds,
        options=options,
    )
    run(working, loop_factory=loop_factory())


async def _work(
    database_url: str,
    executor: LocalExecutor,
    cluster: RayCluster | None,
    made: AbstractAsyncContextManager[ServiceRegistry | None],
    traces: "AbstractAsyncContextManager[Traces | None]",
    *,
    lease_seconds: float,
    grace_seconds: float,
    options: dict[str, Any],
) -> None:
    stop = asyncio.Event()

    def stopped() -> None:
        stop.set()
        _tell(f"Stopping: executions may end within {grace_seconds:g} s. Once more ends this process at once.")

    database = DatabaseManager(database_url)
    with interrupted_by(stopped, ends_within_seconds=grace_seconds + _END_SECONDS):
        try:
            if await open_unless_stopped(database, stop):
                collect_garbage_seldom()
                async with (
                    traces as written,
                    ExecutionTracker(database, lease_seconds=lease_seconds, traces=written) as tracker,
                    joined(cluster, tracker.ownership),
                    made as services,
                ):
                    if services is not None:
                        services.register(TRACKER_SERVICE, tracker)
                    working = Worker(database, tracker, services=services, executor=executor, tell=_tell, **options)
                    async with working:
                        shown = f"Worker {working.worker_id} on {database.safe_url}, {options['slots']} slots"
                        _tell(f"{shown}  (Ctrl-C stops it)")
                        await stop.wait()
        finally:
            await database.close()
    if executor.abandoned:  # the loop would wait for steps that do not stop
        end_at_once(0)


def _tell(line: str) -> None:
    with suppress(OSError):  # the terminal, or who reads the pipe, may be gone
        typer.echo(one_line(line))
