"""Which execution an id on the command line means, and the records that commands read of it."""

from typing import Annotated

import typer

from ia_modules.cli.output.terminal import fail, not_started
from ia_modules.errors import ExecutionNotFound, PipelineDefinitionError
from ia_modules.models import ExecutionRecord, ExecutionStatus, LogRecord, PipelineId, PipelineVersionRecord
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.loader import load
from ia_modules.tracker.liveness import Liveness
from ia_modules.tracker.reader import ExecutionReader

OneExecution = Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.")]
OneOrNewest = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="Its id, or how that begins; the newest when left out.")
]


async def find_execution(reader: ExecutionReader, wanted: str | None) -> ExecutionRecord:
    """The execution with this id, or the only one whose id begins so; None = the newest.

    Raises:
        ExecutionNotFound
        BadParameter: several begin so.
        Exit: there are none at all.
    """
    if wanted is not None and (execution := await reader.get_execution(wanted)):
        return execution
    # Ids are hexadecimal: those that begin with `wanted` are the first ones below `wanted` + "g".
    below = None if wanted is None else f"{wanted}g"
    page = await reader.list_executions(cursor=below, limit=2 if wanted else 1)
    found = [item.execution_id for item in page.items if item.execution_id.startswith(wanted or "")]
    if len(found) > 1:
        raise typer.BadParameter(f"Several ids begin with {wanted!r}, such as {found[0]} and {found[1]}.")
    execution = await reader.get_execution(found[0]) if found else None
    if execution is None:
        raise fail("There are no executions yet.") if wanted is None else ExecutionNotFound(wanted)
    return execution


async def find_pipeline(reader: ExecutionReader, slug_or_id: str) -> PipelineId:
    """The id of a pipeline; what is unknown is taken for one, of which there is nothing."""
    pipeline = await reader.get_pipeline(slug_or_id)
    return PipelineId(slug_or_id) if pipeline is None else pipeline.id


async def version_of(reader: ExecutionReader, execution: ExecutionRecord) -> PipelineVersionRecord | None:
    """The definition that an execution runs; None for a program that only records itself."""
    if execution.pipeline_version is None:
        return None
    return await reader.get_pipeline_version(execution.pipeline_id, execution.pipeline_version)


async def runnable_version_of(reader: ExecutionReader, execution: ExecutionRecord) -> PipelineVersionRecord:
    """The definition that an execution runs, for a command that runs it.

    Raises:
        Exit: a program of its own runs it.
    """
    stored = await version_of(reader, execution)
    if stored is None:
        found = (
            f"Execution {execution.execution_id} was recorded by a program of its own, which alone can go on with it"
        )
        raise not_started(f"{found}: there is no pipeline definition.")
    return stored


async def logs_of(reader: ExecutionReader, execution: ExecutionRecord) -> list[LogRecord]:
    """Everything that was logged, in order."""
    lines: list[LogRecord] = []
    after, more = 0, True
    while more:
        changes = await reader.changes(execution.execution_id, after)
        lines.extend(changes.logs)
        after, more = changes.upto, changes.more
    return lines


def graph_of(stored: PipelineVersionRecord) -> Graph | None:
    """The graph of a stored definition; None when this program cannot read it (a newer one wrote it)."""
    if not isinstance(stored.definition, dict):
        return None
    try:
        return Graph(load(stored.definition, strict=False).definition)
    except PipelineDefinitionError:
        return None


async def liveness_of(reader: ExecutionReader, execution: ExecutionRecord) -> Liveness | None:
    """Of the process that runs an execution; None when none does, or it has never given a sign of life."""
    if execution.status is not ExecutionStatus.RUNNING or execution.owner is None:
        return None
    return await reader.liveness(execution.owner)
