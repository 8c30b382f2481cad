"""Filters of executions on the command line: one set of options, which every command has that finds executions."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Annotated, Any, get_type_hints

import typer

from ia_modules.cli.options.execution import PipelineOf
from ia_modules.cli.options.time import length, past
from ia_modules.client import Client
from ia_modules.models import ExecutionStatus, PipelineId
from ia_modules.tracker.lists import LOOK_BACK, MOST_LOOK_BACK, ExecutionFilters


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterOptions:
    """What a command line says of the executions that are meant; each option narrows further."""

    status: Annotated[
        list[ExecutionStatus] | None,
        typer.Option(metavar="STATUS", help=f"Only these: {', '.join(ExecutionStatus)}. May be given several times."),
    ] = None
    pipeline: PipelineOf = None
    after: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", parser=past, help="Only those that started since; 7d = 7 days ago."),
    ] = None
    before: Annotated[
        datetime | None, typer.Option(metavar="TIME", parser=past, help="Only those that started before.")
    ] = None
    text: Annotated[str | None, typer.Option(help="Only with this in the pipeline's name or in the error.")] = None
    failure: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only of this group of failures, as ia-modules failures list has it."),
    ] = None
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Only with this value, as searchable in the file names it: input.customer=acme. May be repeated.",
        ),
    ] = None
    of_version: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="Only of this version of the pipeline.")
    ] = None
    trigger: Annotated[str | None, typer.Option(help="Only what this started, such as api, cli or rerun.")] = None
    worker: Annotated[
        str | None, typer.Option(help="Only with this in the name of the process that runs them, or ran them.")
    ] = None
    longer: Annotated[
        timedelta | None,
        typer.Option(metavar="TIME", parser=length, help="Only what took, or runs for, so long; 90s, 5min, 2h."),
    ] = None
    shorter: Annotated[
        timedelta | None,
        typer.Option(metavar="TIME", parser=length, help="Only what took no longer, or has not so far."),
    ] = None
    look_back: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_LOOK_BACK,
            help="Errors, versions, triggers, workers and times are looked for in so many of the newest.",
        ),
    ] = LOOK_BACK

    @property
    def narrow(self) -> bool:
        """Whether any is given that leaves executions out."""
        values = (getattr(self, each.name) for each in fields(self) if each.name != "look_back")
        return any(value not in (None, []) for value in values)

    @property
    def further(self) -> str:
        """How to look further back, to follow a sentence; empty: it goes no further."""
        further = min(10 * self.look_back, MOST_LOOK_BACK)
        return "" if further == self.look_back else f" Further: --look-back {further}"

    def check(self) -> None:
        """Raises BadParameter: an attribute has no ``=``."""
        for each in self.attribute or ():
            if "=" not in each.strip("="):
                found = f"found the attribute {each!r}"
                raise typer.BadParameter(f"{found}; expected KEY=VALUE, such as input.customer=acme.")

    async def resolve(self, client: Client) -> ExecutionFilters:
        """The filters that are meant; a pipeline that is unknown has no executions.

        Raises:
            BadParameter: an attribute has no ``=``, or ``failure`` is no id of a group, or one of another pipeline.
        """
        self.check()
        slug, failure_group = _pipeline_and_group(self.pipeline, self.failure)
        known = None if slug is None else await client.tracker.get_pipeline(slug)
        return ExecutionFilters(
            status=tuple(self.status or ()) or None,
            pipeline_id=PipelineId(slug) if slug is not None and known is None else known and known.id,
            failure_group=failure_group,
            started_after=self.after,
            started_before=self.before,
            text=self.text,
            attributes=dict(each.split("=", 1) for each in self.attribute or ()),
            version=self.of_version,
            trigger=self.trigger,
            worker=self.worker,
            min_seconds=None if self.longer is None else self.longer.total_seconds(),
            max_seconds=None if self.shorter is None else self.shorter.total_seconds(),
            look_back=self.look_back,
        )


NO_FILTERS = FilterOptions()


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each filter in the place of its parameter ``filters``."""
    signature = inspect.signature(command, eval_str=True)
    hints = get_type_hints(FilterOptions, include_extras=True)
    options = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(NO_FILTERS, each.name),
            annotation=hints[each.name],
        )
        for each in fields(FilterOptions)
    ]

    @functools.wraps(command)
    def call(**values: Any) -> None:
        filters = FilterOptions(**{each.name: values.pop(each.name) for each in options})
        command(**values, filters=filters)

    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature.parameters.values()]
    place = list(signature.parameters).index("filters")
    parameters = [*own[:place], *options, *own[place + 1 :]]
    call.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue] - which typer reads
    return call


def _pipeline_and_group(pipeline: str | None, failure: str | None) -> tuple[str | None, str | None]:
    """The slug and the group of failures; raises BadParameter: ``failure`` names none, or one of another pipeline."""
    if failure is None:
        return pipeline, None
    slug, _, failure_group = failure.rpartition(".")
    if not slug or pipeline not in (None, slug):
        expected = "SLUG.GROUP" if pipeline is None else f"one of pipeline {pipeline!r}"
        raise typer.BadParameter(f"found the group of failures {failure!r}; expected {expected}.")
    return slug, failure_group
