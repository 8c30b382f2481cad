"""``ia-modules run``: a pipeline, from a file or by its slug, in this process or queued for a worker."""

from typing import Annotated

import typer

from ia_modules.cli.foreground import ExitStatus, carry_out, end_at_once
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, reading, recording, same_database
from ia_modules.cli.options.input import Input, read_input
from ia_modules.cli.options.pipeline import NOT_STARTED, is_file, pipeline_of_file, pipeline_of_version, version_of_slug
from ia_modules.cli.output.run_result import tell_ending
from ia_modules.cli.output.terminal import AsJson, fail, print_json
from ia_modules.cli.output.terminal import run as do
from ia_modules.cli.output.view import view_of
from ia_modules.errors import PipelineConflict
from ia_modules.models import ExecutionId
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import ExecutionContext
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.inputs import prepare_input
from ia_modules.pipeline.runner import TRACKER_SERVICE, Runner, StartedExecution
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.reader import ExecutionReader

EXAMPLE = """Example: ia-modules run pipelines/nightly.json --input '{"day": 24}'"""

NewVersion = Annotated[
    bool, typer.Option("--new-version", help="The slug stands for another definition: make this its next version.")
]


def run(
    context: typer.Context,
    pipeline: Annotated[str, typer.Argument(metavar="FILE|SLUG", help="A pipeline file, or what is registered.")],
    given: Input = None,
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
    input_data = read_input(given)
    executor = LocalExecutor()

    async def work() -> None:
        loaded = await _pipeline(pipeline, database_url)
        prepare_input(loaded.definition, input_data)  # before there is anything, even a database
        async with recording(database_url) as tracker:
            runner = runner_of(tracker, executor)
            said = ExecutionContext(trigger="cli")
            try:
                started = await runner.start(loaded, input_data, said, new_version=new_version, queued=detach)
            except PipelineConflict as conflict:
                raise refused(conflict) from None
            if detach:
                _say_queued(await _summary(tracker, started.execution_id), same_database(context), as_json=as_json)
                return
            status = await run_in_view(tracker, started, same_database(context), as_json=as_json)
        leave(status, executor)

    do(work(), status=NOT_STARTED)


def runner_of(tracker: ExecutionTracker, executor: LocalExecutor) -> Runner:
    return Runner(tracker, services=ServiceRegistry({TRACKER_SERVICE: tracker}), executor=executor)


async def run_in_view(
    tracker: ExecutionTracker, started: StartedExecution, same_database: str, *, as_json: bool, after: int = 0
) -> ExitStatus:
    """Bring a started execution to its end in front of somebody, and say how it ended.

    Args:
        after: the sequence of the last change that is not news; a picture shows the whole all the same.
    """
    with view_of(started.pipeline.graph, as_json=as_json) as view:
        ending = await carry_out(tracker, started, view, after=0 if view.is_whole else after)
    if not as_json:
        tell_ending(ending, same_database)
    elif ending.error is not None:
        raise fail(str(ending.error))
    return ending.exit_status


def leave(status: ExitStatus, executor: LocalExecutor) -> None:
    """End with this status, also when a step that did not stop still runs: the loop would wait for it."""
    if executor.abandoned:
        end_at_once(status)
    raise typer.Exit(status)


async def _pipeline(source: str, database_url: str) -> LoadedPipeline:
    if is_file(source):
        return pipeline_of_file(source)
    async with reading(database_url) as database:
        return pipeline_of_version(await version_of_slug(ExecutionReader(database), source))


def refused(conflict: PipelineConflict) -> typer.Exit:
    return fail(
        f"Pipeline {conflict.slug!r} exists with another definition (version {conflict.current_version}). "
        "Add --new-version to make this one its next version, or give it a slug of its own.",
        status=NOT_STARTED,
    )


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
