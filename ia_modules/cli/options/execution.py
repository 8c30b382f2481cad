"""Which execution an id on the command line means, and the records that commands read of it."""

from typing import Annotated
from uuid import UUID

import typer

from ia_modules.cli.output.terminal import fail
from ia_modules.client import Client
from ia_modules.errors import ExecutionNotFound
from ia_modules.models import (
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    ExecutionSummary,
    PipelineVersionRecord,
    ids_beginning,
)
from ia_modules.tracker.liveness import Liveness

OneExecution = Annotated[str, typer.Argument(metavar="ID", help="Its id, how that begins, or the id that you gave it.")]
OneOrNewest = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]", help="Its id, how that begins, or the id that you gave it; the newest when left out."
    ),
]
PipelineOf = Annotated[
    str | None, typer.Option("--pipeline", metavar="SLUG", help="Only of this pipeline (slug or id).")
]


async def find_execution(client: Client, wanted: str | None) -> ExecutionRecord:
    """The execution with this id (its own or its caller's), or the only one whose id begins so; None = the newest.

    Raises:
        ExecutionNotFound
        BadParameter: several begin so.
        Exit: there are none at all.
    """
    if wanted is not None and (execution := await client.tracker.get_execution(wanted)):
        return execution
    found = await (_newest(client) if wanted is None else _beginning(client, wanted))
    if len(found) > 1:
        raise typer.BadParameter(f"Several ids begin with {wanted!r}, such as {found[0]} and {found[1]}.")
    execution = await client.tracker.get_execution(found[0]) if found else None
    if execution is None:
        raise fail("There are no executions yet.") if wanted is None else ExecutionNotFound(wanted)
    return execution


async def _newest(client: Client) -> list[ExecutionId]:
    return [item.execution_id for item in (await client.executions(limit=1)).items]


async def _beginning(client: Client, wanted: str) -> list[ExecutionId]:
    """The two newest executions whose ids begin so."""
    if (ids := ids_beginning(wanted)) is None:
        return []
    lowest, highest = ids
    after = UUID(int=min(UUID(highest).int + 1, 2**128 - 1))
    page = await client.executions(cursor=str(after), limit=2)
    return [item.execution_id for item in page.items if item.execution_id >= lowest]


async def version_of(client: Client, execution: ExecutionRecord) -> PipelineVersionRecord | None:
    """The definition that an execution runs; None for a program that only records itself."""
    if execution.pipeline_version is None:
        return None
    return await client.tracker.get_pipeline_version(execution.pipeline_id, execution.pipeline_version)


async def liveness_of(client: Client, execution: ExecutionSummary) -> Liveness | None:
    """Of the process that runs an execution; None when none does, or it has never given a sign of life."""
    if execution.status is not ExecutionStatus.RUNNING or execution.owner is None:
        return None
    return await client.tracker.liveness(execution.owner)
