"""``ia-modules run``: a pipeline, from a file or by its slug, in this process or queued for a worker."""

from typing import Annotated

import typer

from ia_modules.cli.foreground import leave, run_in_view, runner_of
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, reading, recording, same_database
from ia_modules.cli.options.input import Input, read_input
from ia_modules.cli.options.pipeline import (
    NewVersion,
    is_file,
    pipeline_of_file,
    pipeline_of_version,
    refused,
    version_of_slug,
)
from ia_modules.cli.output.terminal import AsJson, ExitStatus, print_json
from ia_modules.cli.output.terminal import run as do
from ia_modules.errors import PipelineConflict
from ia_modules.models import ExecutionId
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import ExecutionContext
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.inputs import prepare_input
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.reader import ExecutionReader

EXAMPLE = """Example: ia-modules run pipelines/nightly.json --input '{"day": 24}'"""


def run(
    context: typer.Context,
    pipeline: Annotated[str, typer.Argument(metavar="FILE|SLUG", help="A pipeline file, or what is registered.")],
    input_text: Input = None,
    detach: Annotated[bool, typer.Option("--detach", help="Only queue it; a worker runs it.")] = False,
    new_version: NewVersion = False,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline and watch it. Ctrl-C cancels it, on record.

    With --json: one line of JSON for each change, {"type", "sequence", "data"}, the whole result as the last. What
    steps print themselves goes to stderr then, and in a pipe.

    Exit status: 0 completed, 1 failed or cancelled, 2 could not start (nothing is recorded), 3 waits for a person.
    """
    input_data = read_input(input_text)
    executor = LocalExecutor()

    async def work() -> None:
        loaded = await _pipeline(pipeline, database_url)
        prepare_input(loaded.definition, input_data)  # before there is anything, even a database
        async with recording(database_url) as tracker:
            runner = runner_of(tracker, executor)
            try:
                started = await runner.start(
                    loaded, input_data, ExecutionContext(trigger="cli"), new_version=new_version, queued=detach
                )
            except PipelineConflict as conflict:
                raise refused(conflict) from None
            if detach:
                _say_queued(await _summary(tracker, started.execution_id), same_database(context), as_json=as_json)
                return
            status = await run_in_view(tracker, started, same_database(context), as_json=as_json)
        leave(status, executor)

    do(work(), status=ExitStatus.NOT_STARTED)


async def _pipeline(source: str, database_url: str) -> LoadedPipeline:
    if is_file(source):
        return pipeline_of_file(source)
    async with reading(database_url) as database:
        return pipeline_of_version(await version_of_slug(ExecutionReader(database), source))


async def _summary(tracker: ExecutionTracker, execution_id: ExecutionId) -> dict[str, object]:
    summary = await tracker.get_execution_summary(execution_id)
    assert summary is not None
    return summary.to_dict()


def _say_queued(execution: dict[str, object], same_database: str, *, as_json: bool) -> None:
    if as_json:
        print_json(execution)
        return
    typer.echo(f"Queued as {execution['execution_id']}; a worker runs it.")
    typer.echo(f"Watch it: ia-modules executions watch {execution['execution_id']}{same_database}")
