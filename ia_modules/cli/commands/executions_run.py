"""``ia-modules executions watch|resume``: follow an execution, or go on with one, several, or what filters find."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ia_modules.cli.commands.executions_bulk import (
    Ids,
    LimitOption,
    TokenOption,
    Verb,
    Which,
    change_many,
    token_in,
)
from ia_modules.cli.foreground import leave, run_in_view
from ia_modules.cli.foreground import watch as follow
from ia_modules.cli.options.confirmation import DryRun, Yes
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of, same_database
from ia_modules.cli.options.execution import OneOrNewest, find_execution, liveness_of, version_of
from ia_modules.cli.options.filters import NO_FILTERS, FilterOptions, with_filters
from ia_modules.cli.options.pipeline import flow_of, listed, pipeline_of_file, refusals
from ia_modules.cli.options.pipeline_folders import PipelineFolders, allowed_below
from ia_modules.cli.options.project import Project, use_project
from ia_modules.cli.options.ray import RayAddress, RayIsolated, RayNamespace, joined, ray_of
from ia_modules.cli.output.ahead_report import effects_in_one_line, print_ahead
from ia_modules.cli.output.ending import print_ending
from ia_modules.cli.output.step_table import graph_of
from ia_modules.cli.output.terminal import AsJson, ExitStatus, last_heard, not_started, print_json, warn
from ia_modules.cli.output.terminal import run as do
from ia_modules.cli.output.view import view_of
from ia_modules.client import Client
from ia_modules.errors import InvalidArgument, PipelineDefinitionError, RunsElsewhere, TrackerError
from ia_modules.models import ExecutionRecord, ExecutionStatus, PipelineVersionRecord, WorkerId
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.runner import StartedExecution
from ia_modules.tracker.bulk import BULK_LIMIT
from ia_modules.tracker.liveness import Beat, BeatWatch, Liveness

_LOOK_EVERY_SECONDS = 0.5


def watch(
    context: typer.Context,
    execution_id: OneOrNewest = None,
    output: Annotated[
        bool, typer.Option("--output", help="Print what steps give as it comes, and nothing else on stdout.")
    ] = False,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Watch (or follow) an execution until it ends, whichever process runs it. Ctrl-C only ends the watching.

    With --json: one line of JSON for each change, {"type", "sequence", "data"}, the whole result as the last; with
    --output, {"type": "output", ...} for each piece.

    Exit status: 0 completed, 1 failed or cancelled, 130 no longer watched.
    """

    async def work() -> ExitStatus:
        async with client_of(database_url) as client:
            record = await find_execution(client, execution_id)
            return await watch_in_view(client, record, same_database(context), as_json=as_json, output=output)

    raise typer.Exit(do(work()))


async def watch_in_view(
    client: Client,
    record: ExecutionRecord,
    same_database: str,
    *,
    as_json: bool,
    to_rest: bool = False,
    output: bool = False,
) -> ExitStatus:
    """Show an execution until it ends, whichever process runs it, and print how it ended.

    Args:
        to_rest: ends also when it waits for a person.
        output: what its steps give as it comes is shown, and nothing else on stdout.
    """
    with view_of(await _graph_of(client, record), as_json=as_json, output=output) as view:
        ending = await follow(client, record.execution_id, view, to_rest=to_rest)
    if ending is None:
        warn(f"No longer watched; execution {record.execution_id} goes on.")
        return ExitStatus.INTERRUPTED
    if not as_json:
        print_ending(ending, same_database, is_output=output)
    return ending.exit_status


@with_filters
def resume(
    context: typer.Context,
    execution_ids: Ids = None,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="FILE", help="Where the file is now; with the same definition."),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            "--code", metavar="MODULE:FLOW", help="The flow in a program, such as app:flow; with the same definition."
        ),
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take it from a process that runs it: that one stops.")
    ] = False,
    give_up_remote: Annotated[
        bool,
        typer.Option(
            "--give-up-remote",
            help="Make attempts again that run on a Ray cluster which nobody here can ask; nothing stops them there.",
        ),
    ] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Let a worker go on with it, where workers find its code; only put it back.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="With --queue, and of several: why, for the audit log.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="TEXT",
            help="With --queue, and of several: the same command with it resumes nothing twice.",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Whether to wait until a silent process counts as gone.")
    ] = True,
    filters: FilterOptions = NO_FILTERS,
    limit: LimitOption = BULK_LIMIT,
    token: TokenOption = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    ray: RayAddress = None,
    ray_namespace: RayNamespace = None,
    ray_isolated: RayIsolated = False,
    pipelines: PipelineFolders = None,
    project: Project = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Go on with an execution that failed, was cancelled, or lost its process. Completed steps are not run again.

    It goes on in this process, with the version of the pipeline that it began with. If another process seems to run it,
    the command waits until that one counts as gone: silent for longer than its lease. If that one turns out to live,
    nothing is changed.

    Several ids, or filters instead of ids, are counted and confirmed first, and left to workers, as one with --queue.

    With --dry-run it only says what would run, and what that does outside.

    Exit status: 0 completed, 1 failed or cancelled, 2 could not start (nothing is recorded), 3 waits for a person. Of
    several: 0 done, 1 some were left as they are, 2 nothing was changed.
    """
    which = Which(ids=execution_ids or [], filters=filters, token=token_in(token), limit=limit)
    which.check()
    execution_id = which.only_id
    if execution_id is None:
        if file is not None or code is not None or take_over or give_up_remote:
            of_one = "--file, --code, --take-over and --give-up-remote are of one execution"
            raise typer.BadParameter(f"{of_one}; workers go on with several.")
        verb = Verb(
            action="resume",
            question="Let workers go on with {}?",
            outcome="put back into the queue",
            options={"reason": reason, "idempotency_key": idempotency_key},
            allowed=allowed_below(pipelines),
        )
        change_many(verb, which, dry_run=dry_run, yes=yes, database_url=database_url, as_json=as_json)
        return
    if file is not None and code is not None:
        raise typer.BadParameter("--file and --code both say where its code is; expected one of them.")
    if queue and (file is not None or code is not None or take_over or give_up_remote):
        without = "--file, --code, --take-over or --give-up-remote"
        raise typer.BadParameter(f"--queue leaves it to workers, and takes no {without}.")
    if (reason is not None or idempotency_key is not None) and not queue:
        raise typer.BadParameter("--reason and --idempotency-key are for --queue.")
    if dry_run:
        do(_plan(database_url, execution_id, as_json=as_json), status=ExitStatus.NOT_STARTED)
        return
    use_project(project)
    cluster = None if queue else ray_of(ray, ray_namespace)
    executor = LocalExecutor(cluster=cluster, moves_isolated=ray_isolated, falls_back=True)

    async def work() -> None:
        async with (
            client_of(database_url, executor=executor, allowed=allowed_below(pipelines)) as client,
            joined(cluster, client.tracker.ownership),
        ):
            if queue:
                options = {"reason": reason, "idempotency_key": idempotency_key}
                await _put_back(client, execution_id, options, as_json=as_json)
                return
            record = await _resumable(client, execution_id, take_over=take_over, wait=wait)
            stored = await version_of(client, record)
            if stored is None:
                found = f"Execution {record.execution_id} was recorded by a program of its own"
                raise not_started(f"{found}, which alone can go on with it: there is no pipeline definition.")
            loaded = _named(file, code, stored)
            if not as_json:
                plan = await client.plan_resume(record.execution_id)
                warn(f"It runs, or may: {effects_in_one_line(plan.steps)}.")
            async with refusals(client, record.pipeline_id, stored.version):
                started = await _resumed(
                    client, record, loaded, named=file or code, version=stored.version, give_up_remote=give_up_remote
                )
            seen = record.sequence
            status = await run_in_view(client, started, same_database(context), as_json=as_json, after=seen)
        leave(status, executor)

    do(work(), status=ExitStatus.NOT_STARTED)


async def _resumed(
    client: Client,
    record: ExecutionRecord,
    loaded: LoadedPipeline | None,
    *,
    named: str | None,
    version: int,
    give_up_remote: bool,
) -> StartedExecution:
    """The execution, which is this process's to run from here on; ends the command where it cannot be.

    Args:
        named: what was said of where its code is.
    """
    try:
        return await client.resume(record.execution_id, pipeline=loaded, give_up_remote=give_up_remote)
    except RunsElsewhere as elsewhere:
        raise not_started(str(elsewhere)) from None
    except InvalidArgument:
        found = f"{named} is not what the execution began with, version {version}"
        raise not_started(f"{found}: it would not fit what is on record. {_ANOTHER}") from None


async def _plan(database_url: str, wanted: str, *, as_json: bool) -> None:
    async with client_of(database_url) as client:
        plan = await client.plan_resume((await find_execution(client, wanted)).execution_id)
    if as_json:
        print_json(plan.to_dict())
        return
    print_ahead(plan)
    typer.echo("Nothing was changed: without --dry-run it goes on.")


async def _put_back(client: Client, wanted: str, options: Mapping[str, Any], *, as_json: bool) -> None:
    record = await find_execution(client, wanted)
    try:
        summary = await client.requeue(record.execution_id, **options)
    except (TrackerError, PipelineDefinitionError) as refused:
        raise not_started(str(refused)) from None
    if as_json:
        print_json(summary.to_dict())
    else:
        typer.echo(f"Execution {summary.execution_id} is {summary.status}: the next worker goes on with it.")
        if summary.status is ExecutionStatus.PENDING:
            plan = await client.plan_resume(record.execution_id)
            typer.echo(f"It runs, or may: {effects_in_one_line(plan.steps)}.")


async def _graph_of(client: Client, record: ExecutionRecord) -> Graph | None:
    stored = await version_of(client, record)
    return None if stored is None else graph_of(stored)


_ANOTHER = "Name the code as it was then, or run it anew instead."


def _named(file: str | None, code: str | None, stored: PipelineVersionRecord) -> LoadedPipeline | None:
    """What ``--file`` or ``--code`` names; None: neither does."""
    if file is not None:
        began_with = graph_of(stored)
        return pipeline_of_file(file, file_format=began_with and began_with.definition.format)
    if code is None:
        return None
    try:
        return flow_of(code).load()
    except PipelineDefinitionError as wrong:
        raise not_started("\n".join([f"{code} cannot be run:", *listed(wrong.problems)])) from None


async def _resumable(client: Client, wanted: str, *, take_over: bool, wait: bool) -> ExecutionRecord:
    """The execution, once it has no other process; waits until a silent one counts as gone.

    Raises:
        Exit: it has completed, or another process runs it.
    """
    first: Liveness | None = None
    beats, clock = BeatWatch(), asyncio.get_running_loop().time
    while True:
        record = await find_execution(client, wanted)
        if record.status is ExecutionStatus.COMPLETED:
            raise not_started(f"Execution {record.execution_id} has completed; there is nothing to go on with.")
        if record.status is not ExecutionStatus.RUNNING or take_over:
            return record
        runs = f"Execution {record.execution_id} runs in {record.owner}"
        liveness = await liveness_of(client, record)
        if liveness is None:
            raise not_started(f"{runs}, which gives no sign of life. If it is gone, or is to stop: --take-over.")
        beat = Beat(WorkerId(record.owner or ""), liveness.heartbeat_at, liveness.lease_seconds)
        if liveness.is_gone or beats.look([beat], now=clock()):
            return record
        if not wait:
            raise not_started(f"{runs}, {last_heard(liveness)}. Wait for that, or stop that process: --take-over.")
        if first is None:
            first = liveness
            warn(f"{runs}, {last_heard(liveness)}. Waiting for that; with --take-over it stops now.")
        if liveness.heartbeat_at != first.heartbeat_at:
            raise not_started(f"{runs}, which was heard of again: it lives. If it is to stop: --take-over.")
        await asyncio.sleep(min(_LOOK_EVERY_SECONDS, liveness.counts_as_gone_in_seconds))
