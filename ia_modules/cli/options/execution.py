"""Which execution an id on the command line means, and the records that commands read of it."""

from datetime import datetime, timedelta
from typing import Annotated, TypedDict, Unpack
from uuid import UUID

import typer

from ia_modules.cli.options.time import length, past
from ia_modules.cli.output.terminal import fail
from ia_modules.client import Client
from ia_modules.errors import ExecutionNotFound
from ia_modules.models import (
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    ExecutionSummary,
    PipelineId,
    PipelineVersionRecord,
    ids_beginning,
)
from ia_modules.tracker.lists import MOST_LOOK_BACK, ExecutionFilters
from ia_modules.tracker.liveness import Liveness

OneExecution = Annotated[str, typer.Argument(metavar="ID", help="Its id, how that begins, or the id that you gave it.")]
OneOrNewest = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]", help="Its id, how that begins, or the id that you gave it; the newest when left out."
    ),
]
Status = Annotated[
    list[ExecutionStatus] | None,
    typer.Option(metavar="STATUS", help=f"Only these: {', '.join(ExecutionStatus)}. May be given several times."),
]
PipelineOf = Annotated[
    str | None, typer.Option("--pipeline", metavar="SLUG", help="Only of this pipeline (slug or id).")
]
After = Annotated[
    datetime | None, typer.Option(metavar="TIME", parser=past, help="Only those that started since; 7d = 7 days ago.")
]
Before = Annotated[datetime | None, typer.Option(metavar="TIME", parser=past, help="Only those that started before.")]
SearchedText = Annotated[
    str | None, typer.Option("--text", help="Only with this in the pipeline's name or in the error.")
]
VersionOf = Annotated[
    int | None, typer.Option("--version", min=1, max=2**31 - 1, help="Only of this version of the pipeline.")
]
TriggerOf = Annotated[str | None, typer.Option("--trigger", help="Only what this started, such as api, cli or rerun.")]
WorkerOf = Annotated[
    str | None, typer.Option("--worker", help="Only with this in the name of the process that runs them, or ran them.")
]
AttributeOf = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        metavar="KEY=VALUE",
        help="Only with this value, as searchable in the file names it: input.customer=acme. May be repeated.",
    ),
]
Longer = Annotated[
    timedelta | None,
    typer.Option(
        "--longer", metavar="TIME", parser=length, help="Only what took, or runs for, so long; 90s, 5min, 2h."
    ),
]
Shorter = Annotated[
    timedelta | None,
    typer.Option("--shorter", metavar="TIME", parser=length, help="Only what took no longer, or has not so far."),
]
LookBack = Annotated[
    int,
    typer.Option(
        min=1,
        max=MOST_LOOK_BACK,
        help="Errors, versions, triggers, workers and times are looked for in so many of the newest.",
    ),
]

FailedAlike = Annotated[
    str | None,
    typer.Option("--failure", metavar="ID", help="Only of this group of failures, as ia-modules failures list has it."),
]


class LookedFor(TypedDict, total=False):
    """The filters of the list alone, as the tracker takes them."""

    attributes: dict[str, str]
    version: int | None
    trigger: str | None
    worker: str | None
    min_seconds: float | None
    max_seconds: float | None
    look_back: int


def looked_for(
    attribute: list[str] | None,
    version: int | None,
    trigger: str | None,
    worker: str | None,
    longer: timedelta | None,
    shorter: timedelta | None,
    look_back: int,
) -> LookedFor:
    """What the options of the list alone mean. Raises BadParameter: an attribute has no ``=``."""
    for each in attribute or ():
        if "=" not in each.strip("="):
            raise typer.BadParameter(f"found the attribute {each!r}; expected KEY=VALUE, such as input.customer=acme.")
    return LookedFor(
        attributes=dict(each.split("=", 1) for each in attribute or ()),
        version=version,
        trigger=trigger,
        worker=worker,
        min_seconds=None if longer is None else longer.total_seconds(),
        max_seconds=None if shorter is None else shorter.total_seconds(),
        look_back=look_back,
    )


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


async def filters_of(
    client: Client,
    status: list[ExecutionStatus] | None,
    pipeline: str | None,
    after: datetime | None,
    before: datetime | None,
    text: str | None,
    failure: str | None,
    **others: Unpack[LookedFor],
) -> ExecutionFilters:
    """The filters that the options mean; a pipeline that is unknown has no executions.

    Raises:
        BadParameter: ``failure`` is no id of a group, or one of another pipeline.
    """
    pipeline_id: PipelineId | None = None
    failure_group: str | None = None
    if failure is not None:
        slug, _, failure_group = failure.rpartition(".")
        if not slug or pipeline not in (None, slug):
            expected = "SLUG.GROUP" if pipeline is None else f"one of pipeline {pipeline!r}"
            raise typer.BadParameter(f"found the group of failures {failure!r}; expected {expected}.")
        pipeline = slug
    if pipeline is not None:
        known = await client.tracker.get_pipeline(pipeline)
        pipeline_id = PipelineId(pipeline) if known is None else known.id
    return ExecutionFilters(
        status=tuple(status or ()) or None,
        pipeline_id=pipeline_id,
        failure_group=failure_group,
        started_after=after,
        started_before=before,
        text=text,
        **others,
    )


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
