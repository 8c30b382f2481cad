"""``ia-modules run``: a pipeline, from a file or by its slug, in this process or queued for a worker."""

from typing import Annotated

import typer

from ia_modules.cli.commands.executions_run import watch_in_view
from ia_modules.cli.foreground import leave, run_in_view
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of, same_database
from ia_modules.cli.options.input import Input, read_input
from ia_modules.cli.options.pipeline import FileFormat, FileOrSlug, NewVersion, is_file, pipeline_of_file, refusals
from ia_modules.cli.options.pipeline_folders import PipelineFolders, allowed_below
from ia_modules.cli.options.project import Project, use_project
from ia_modules.cli.options.ray import RayAddress, RayIsolated, RayNamespace, joined, ray_of
from ia_modules.cli.options.services import StepServices, factory_named, opened_services
from ia_modules.cli.options.time import future
from ia_modules.cli.options.traces import BegunIn, PageUrl, TracePayloads, TracesTo, opened_traces, trace_options
from ia_modules.cli.output.ending import print_queued
from ia_modules.cli.output.terminal import AsJson, ExitStatus, warn
from ia_modules.cli.output.terminal import run as do
from ia_modules.client import Client
from ia_modules.errors import AlreadyStarted
from ia_modules.models import ExecutionId, ExecutionSummary
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import ExecutionContext
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.inputs import prepare_input
from ia_modules.traces.running import begun_in

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="""Example: ia-modules run pipelines/nightly.json --input '{"day": 24}'""")
def run(
    context: typer.Context,
    pipeline: FileOrSlug,
    input_text: Input = None,
    detach: Annotated[bool, typer.Option("--detach", help="Only queue it, for a worker to run.")] = False,
    priority: Annotated[
        int, typer.Option(min=-(2**31), max=2**31 - 1, help="With --detach: the highest is taken first.")
    ] = 0,
    run_at: Annotated[
        str | None,
        typer.Option(
            "--at",
            "--run-at",
            metavar="TIME",
            help="With --detach: not before this time, with its offset; 2h = in 2 hours, by the database's clock.",
        ),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="With --detach: the same request with this key is queued once.")
    ] = None,
    execution_id: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="An id of your own: with it, the same input begins no second execution."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="With --execution-id: go on with one that failed, was cancelled or left behind."),
    ] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print what steps give as it comes, and nothing else on stdout.")
    ] = False,
    new_version: NewVersion = False,
    pipelines: PipelineFolders = None,
    project: Project = None,
    services: StepServices = None,
    ray: RayAddress = None,
    ray_namespace: RayNamespace = None,
    ray_isolated: RayIsolated = False,
    traces_to: TracesTo = None,
    trace_payloads: TracePayloads = False,
    page_url: PageUrl = None,
    traceparent: BegunIn = None,
    file_format: FileFormat = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline and watch it. Ctrl-C cancels the execution, on record.

    With --json: one line of JSON for each change, {"type", "sequence", "data"}, the whole result as the last. What
    steps print themselves goes to stderr then, and in a pipe. With --stream: {"type": "output", ...} for each piece.

    Exit status: 0 completed, 1 failed or cancelled, 2 could not start (nothing is recorded), 3 waits for a person.
    """
    use_project(project)
    input_data = read_input(input_text)
    if not detach and (priority or run_at is not None or idempotency_key is not None):
        raise typer.BadParameter("--priority, --at and --idempotency-key are for the queue; expected --detach too.")
    if resume and (detach or execution_id is None):
        raise typer.BadParameter("--resume is for --execution-id without --detach; expected that.")
    if file_format is not None and not is_file(pipeline):
        raise typer.BadParameter("--format is how a file is read; expected a file, or a slug without it.")
    if stream and detach:
        raise typer.BadParameter("--stream is for what runs here; of what is queued: ia-modules executions follow.")
    starts_at = None if run_at is None else future(run_at)
    source = pipeline_of_file(pipeline, file_format=file_format) if is_file(pipeline) else pipeline
    cluster = None if detach else ray_of(ray, ray_namespace)
    executor = LocalExecutor(cluster=cluster, moves_isolated=ray_isolated, falls_back=True)
    factory = None if detach else factory_named(services)
    traces = None if detach else trace_options(traces_to, payloads=trace_payloads, page_url=page_url)

    async def work() -> None:
        if isinstance(source, LoadedPipeline):
            prepare_input(source.definition, input_data)  # before there is anything, even a database
        async with (
            opened_services(services, factory) as made,
            opened_traces(traces) as written,
            client_of(
                database_url,
                may_create=isinstance(source, LoadedPipeline),
                executor=executor,
                allowed=allowed_below(pipelines),
                services=made,
                traces=written,
            ) as client,
            joined(cluster, client.tracker.ownership),
            refusals(client, pipeline if isinstance(source, str) else source.definition.slug),
        ):
            if detach:
                queued = await client.queue(
                    source,
                    input_data,
                    new_version=new_version,
                    execution_id=execution_id,
                    trigger="cli",
                    priority=priority,
                    run_at=starts_at,
                    idempotency_key=idempotency_key,
                )
                summary = await _summary(client, queued.execution_id)
                print_queued(summary, same_database(context), as_json=as_json, created=queued.created)
                return
            own = ExecutionContext(trigger="cli", execution_id=execution_id)
            try:
                started = await client.start(source, input_data, own, new_version=new_version, resume=resume)
            except AlreadyStarted as before:
                warn(f"Execution {before.execution_id} has this id and this input. No second one is begun.")
                record = await client.execution(before.execution_id)
                raise typer.Exit(
                    await watch_in_view(
                        client, record, same_database(context), as_json=as_json, to_rest=True, output=stream
                    )
                ) from None
            await _summary(client, started.execution_id)
            status = await run_in_view(client, started, same_database(context), as_json=as_json, output=stream)
        leave(status, executor)

    with begun_in(traceparent):
        do(work(), status=ExitStatus.NOT_STARTED)


async def _summary(client: Client, execution_id: ExecutionId) -> ExecutionSummary:
    """The execution as it begins; says so when it runs another version than the current one."""
    summary = await client.summary(execution_id)
    pipeline = await client.pipeline(summary.pipeline_id)
    if summary.pipeline_version != pipeline.current_version:
        runs = f"This runs version {summary.pipeline_version} of {pipeline.slug}"
        warn(f"{runs}; version {pipeline.current_version} stays the current one.")
    return summary
