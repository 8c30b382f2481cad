"""``ia-modules serve``: the API over a database or a run file, on this machine."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ia_modules.cli.commands.worker import (
    DEFAULT_GRACE_SECONDS,
    DEFAULT_LEASE_SECONDS,
    DEFAULT_LOAD_LIMIT_SECONDS,
    BlockedLimit,
    Grace,
    LeaseSeconds,
    LoadLimit,
)
from ia_modules.cli.interrupt import interrupted_by, stop_signals
from ia_modules.cli.long_running import collect_garbage_seldom, loop_factory
from ia_modules.cli.options.capture import StepLogs, StepPrints, capture_of
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, open_unless_stopped
from ia_modules.cli.options.pipeline_folders import allowed_below
from ia_modules.cli.options.project import Project, use_project
from ia_modules.cli.options.ray import (
    RayAddress,
    RayFallback,
    RayIsolated,
    RayNamespace,
    RayRuntimeEnv,
    RayWait,
    ray_of,
)
from ia_modules.cli.options.secrets import secrets_of
from ia_modules.cli.options.services import StepServices, factory_named, opened_services
from ia_modules.cli.options.traces import (
    PageUrl,
    TracePayloads,
    TracesTo,
    TraceUrl,
    opened_traces,
    trace_options,
    trace_template,
)
from ia_modules.cli.output.terminal import fail, run
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import IAModulesError
from ia_modules.models import LogLevel
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE, AllowedCode
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.run_file_reading import OpenedRunFile, open_run_file

if TYPE_CHECKING:
    from uvicorn import Config, Server

    from ia_modules.traces.otel import Traces

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_PATIENCE_SECONDS = 3  # for requests that run when the server stops
_TAKES_NOTHING_SECONDS = 60


@app.command(epilog="Example: ia-modules serve --port 8080 --db postgresql://me@localhost/ia")
def serve(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="A run file: it alone is shown, and nothing is written or run; no database is used."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen at; without keys this machine's own.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one.")] = 5555,
    root_path: Annotated[
        str,
        typer.Option(
            metavar="PATH", help="The path below which a proxy has the server, such as /flows; taken off or left on."
        ),
    ] = "",
    slots: Annotated[
        int, typer.Option(min=0, max=1000, help="How many executions the server runs at once; 0 = only workers do.")
    ] = 4,
    lease_seconds: LeaseSeconds = DEFAULT_LEASE_SECONDS,
    grace_seconds: Grace = DEFAULT_GRACE_SECONDS,
    blocked_limit_seconds: BlockedLimit = None,
    load_limit_seconds: LoadLimit = DEFAULT_LOAD_LIMIT_SECONDS,
    step_logs: StepLogs = LogLevel.INFO,
    step_prints: StepPrints = True,
    pipelines: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            envvar=FOLDERS_VARIABLE,
            help="Register the pipeline files in it and one level below. Code of registered pipelines is only used in "
            "and below these folders; without any, in and below the current one. May be repeated.",
        ),
    ] = None,
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
    trace_url: TraceUrl = None,
    database_url: Database = DEFAULT_DATABASE,
) -> None:
    """Serve the API until Ctrl-C: executions, their steps, and what happens, live. Makes the schema current first.

    With a run file (NAME.iarun, as executions export writes it): all pages of that run, read-only, without its code.

    IA_MODULES_API_KEYS=name[:role]=key,... says who may use it (roles: viewer, operator; keys of 16 characters at
    least); without, only this machine. It and the database's password are kept from the code of steps.
    IA_MODULES_HOSTS=name,... are further host names under which it answers.
    IA_MODULES_TARGETS=success_rate=0.99,plan_churn=1 sets what the metrics should be.
    """
    use_project(project)
    try:
        from uvicorn import Server

        from showcase_app.backend.main import create_app
        from showcase_app.backend.settings import Settings, parse_hosts, parse_keys
        from showcase_app.backend.targets import Targets
    except ModuleNotFoundError as missing:
        raise fail(
            f"{missing.name} is not installed, which serving needs. Install: pip install 'ia_modules[showcase]'"
        ) from None
    secrets = secrets_of(context)
    database_url = secrets.full_url(database_url)
    with ExitStack() as opened:
        try:
            served = None if file is None else opened.enter_context(open_run_file(file))
            settings = Settings(
                database_url=database_url if served is None else f"sqlite:///{served.file.absolute()}",
                run_file=served is not None,
                host=host,
                port=port,
                root_path=root_path.rstrip("/"),
                slots=slots if served is None else 0,
                lease_seconds=lease_seconds,
                grace_seconds=grace_seconds,
                blocked_limit_seconds=blocked_limit_seconds,
                load_limit_seconds=load_limit_seconds,
                capture=capture_of(step_logs, step_prints=step_prints),
                pipeline_folders=tuple(pipelines or ()) if served is None else (),
                allowed=allowed_below(pipelines) if served is None else AllowedCode(roots=()),
                keys=parse_keys(secrets.api_keys),
                hosts=parse_hosts(os.environ.get("IA_MODULES_HOSTS", "")),
                targets=Targets.parse(os.environ.get("IA_MODULES_TARGETS", "")),
                trace_url=trace_template(trace_url),
                ray=None
                if served is not None
                else ray_of(ray, ray_namespace, wait_seconds=ray_wait_seconds, runtime_env=ray_runtime_env),
                ray_isolated=ray_isolated,
                ray_fallback=ray_fallback,
            )
            shown = run(_prepare(database_url)) if served is None else _in_words(file, served)
            if shown is None:
                return
            made = opened_services(services, factory_named(services) if served is None else None)
            to = traces_to if served is None else None
            traces = opened_traces(trace_options(to, payloads=trace_payloads, page_url=page_url))
            listener = opened.enter_context(listen(host, port))
        except (IAModulesError, OSError) as error:
            raise fail(str(error)) from None
        address = f"{address_of(listener)}{settings.root_path}"

        def server_with(made: ServiceRegistry | None, written: "Traces | None") -> Server:
            return Server(server_config(create_app(replace(settings, services=made, traces=written))))

        _serve(server_with, made, traces, f"{shown} at {address}", listener)


def _in_words(file: Path | None, served: OpenedRunFile) -> str:
    return f"{file} read-only ({served.contents.runs}; {served.contents.inside})"


def _serve(
    server_with: Callable[[ServiceRegistry | None, "Traces | None"], "Server"],
    made: AbstractAsyncContextManager[ServiceRegistry | None],
    traces: "AbstractAsyncContextManager[Traces | None]",
    shown: str,
    listener: socket.socket,
) -> None:
    """Serve until the process is told to stop.

    Args:
        server_with: makes the server that has these services and writes these traces.
        made: the services of steps, which are open meanwhile.
        traces: what executions are written to as spans, open meanwhile, too.
    """
    server: Server | None = None
    is_stopped = False

    def end_well(number: int, frame: FrameType | None) -> None:
        """Before uvicorn handles signals, and when it raises them again at its end: being stopped is no failure."""
        nonlocal is_stopped
        is_stopped = True
        if server is not None:
            server.should_exit = True

    async def serve_with_them() -> None:
        nonlocal server
        async with traces as written, made as services:
            typer.echo(f"ia_modules serves {shown}  (Ctrl-C ends it)")
            collect_garbage_seldom()
            server = server_with(services, written)
            server.should_exit = is_stopped
            await server.serve(sockets=[listener])

    for number in stop_signals():
        signal.signal(number, end_well)
    run(serve_with_them(), loop_factory=loop_factory())


async def _prepare(database_url: str) -> str | None:
    """Open the database before anything listens, so that its errors come first; waits for it while it is away.

    Returns its URL without a password; None when this was told to stop meanwhile.
    """
    database, stop = DatabaseManager(database_url), asyncio.Event()
    try:
        with interrupted_by(stop.set):
            return database.safe_url if await open_unless_stopped(database, stop) else None
    finally:
        await database.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: the address is not available; the message says which, and what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host, port, family)
        listener = socket.create_server((host, port), family=family)
    except socket.gaierror as error:
        raise OSError(f"Cannot listen at {host}: {error.strerror}. Expected an address of this machine.") from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise OSError(f"Cannot listen at {host} port {port}: {reason}. Choose another: --port 0 takes any.") from error
    if sys.platform == "linux":  # cuts off a client that reads nothing for so long, even if its kernel answers
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _TAKES_NOTHING_SECONDS * 1000)
    return listener


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_config(app: Any) -> "Config":
    """How uvicorn serves the application, the same from the command line and in tests.

    On uvloop where it is installed, which uvicorn looks for itself. Sockets without compression, which halves the rate
    for small JSON, and through the implementation that replaces the deprecated one. What a client sends on a socket is
    not read, so little of it is taken.
    """
    from uvicorn import Config

    from showcase_app.backend.api.connection import LimitedConnection

    return Config(
        app,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        http=LimitedConnection,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=4096,
        timeout_graceful_shutdown=_PATIENCE_SECONDS,
    )
