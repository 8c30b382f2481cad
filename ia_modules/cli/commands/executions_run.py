"""``ia-modules executions watch|resume``: follow an execution, or go on with it."""

from typing import Annotated

import typer

from ia_modules.cli.foreground import leave, run_in_view, runner_of
from ia_modules.cli.foreground import watch as follow
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, reading, same_database, steering
from ia_modules.cli.options.execution import (
    OneExecution,
    OneOrNewest,
    find_execution,
    graph_of,
    is_gone,
    runnable_version_of,
    version_of,
)
from ia_modules.cli.options.pipeline import pipeline_of_file, pipeline_of_version
from ia_modules.cli.output.ending import print_ending
from ia_modules.cli.output.terminal import AsJson, ExitStatus, not_started, warn
from ia_modules.cli.output.terminal import run as do
from ia_modules.cli.output.view import view_of
from ia_modules.models import ExecutionRecord, ExecutionStatus, PipelineVersionRecord
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.tracker.reader import ExecutionReader


def watch(
    context: typer.Context,
    execution_id: OneOrNewest = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Watch an execution that any process runs, until it ends. Ctrl-C only ends the watching.

    With --json: one line of JSON for each change, {"type", "sequence", "data"}, the whole result as the last.

    Exit status: 0 completed, 1 failed or cancelled, 130 no longer watched.
    """

    async def work() -> ExitStatus:
        async with steering(database_url) as tracker:
            record = await find_execution(tracker, execution_id)
            with view_of(await _graph_of(tracker, record), as_json=as_json) as view:
                ending = await follow(tracker, record.execution_id, view)
        if ending is None:
            warn(f"No longer watched; execution {record.execution_id} goes on.")
            return ExitStatus.INTERRUPTED
        if not as_json:
            print_ending(ending, same_database(context))
        return ending.exit_status

    raise typer.Exit(do(work()))


def resume(
    context: typer.Context,
    execution_id: OneExecution,
    file: Annotated[
        str | None, typer.Option("--file", metavar="FILE", help="Where the pipeline is now; the same definition.")
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Also when another process seems to run it: that one stops.")
    ] = False,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Go on with an execution that failed, was cancelled, or was left behind. What has completed is not run again.

    It goes on with the version of the pipeline that it began with, in this process.

    Exit status: 0 completed, 1 failed or cancelled, 2 could not start (nothing is recorded), 3 waits for a person.
    """
    executor = LocalExecutor()

    async def work() -> None:
        async with reading(database_url) as database:
            reader = ExecutionReader(database)
            record = await find_execution(reader, execution_id)
            _refuse_what_is_over_or_runs(record, take_over=take_over)
            loaded = _loaded(await runnable_version_of(reader, record), file)
        async with steering(database_url) as tracker:
            started = await runner_of(tracker, executor).resume(loaded, record.execution_id)
            seen = record.sequence
            status = await run_in_view(tracker, started, same_database(context), as_json=as_json, after=seen)
        leave(status, executor)

    do(work(), status=ExitStatus.NOT_STARTED)


async def _graph_of(reader: ExecutionReader, record: ExecutionRecord) -> Graph | None:
    stored = await version_of(reader, record)
    return None if stored is None else graph_of(stored)


def _loaded(stored: PipelineVersionRecord, file: str | None) -> LoadedPipeline:
    if file is None:
        return pipeline_of_version(stored)
    loaded, began_with = pipeline_of_file(file), graph_of(stored)
    if began_with is None or loaded.definition.content_hash != began_with.definition.content_hash:
        found = f"{file} is not what the execution began with, version {stored.version}"
        raise not_started(f"{found}: it would not fit what is on record. Run it anew instead.")
    return loaded


def _refuse_what_is_over_or_runs(record: ExecutionRecord, *, take_over: bool) -> None:
    if record.status is ExecutionStatus.COMPLETED:
        raise not_started(f"Execution {record.execution_id} has completed; there is nothing to go on with.")
    if record.status is ExecutionStatus.RUNNING and not take_over and not is_gone(record.owner):
        found = f"Execution {record.execution_id} runs in {record.owner}."
        raise not_started(f"{found} If that process is gone, or shall stop: --take-over.")
