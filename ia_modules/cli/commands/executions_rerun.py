"""``ia-modules executions rerun``: executions once more, whole or from a step, and what that would run."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ia_modules.cli.commands.executions_bulk import (
    MANY,
    Ids,
    KeyOption,
    LimitOption,
    TokenOption,
    Verb,
    Which,
    change_many,
    token_in,
)
from ia_modules.cli.options.confirmation import DryRun, Yes
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of, same_database
from ia_modules.cli.options.execution import find_execution
from ia_modules.cli.options.filters import NO_FILTERS, FilterOptions, with_filters
from ia_modules.cli.options.input import Input, StepInputOption, StepOutputOption, read_object, read_result
from ia_modules.cli.output.ahead_report import effects_in_one_line, items_text, print_ahead
from ia_modules.cli.output.ending import print_queued
from ia_modules.cli.output.terminal import AsJson, print_json
from ia_modules.cli.output.terminal import run as do
from ia_modules.pipeline.overrides import ItemsAgain
from ia_modules.tracker.bulk import BULK_LIMIT
from ia_modules.tracker.rerunning import RerunFrom

FromStepOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="STEP", help="Begin with this step: what does not depend on it is copied, with its results."
    ),
]
IterationOption = Annotated[
    int | None, typer.Option(min=1, help="With --from: of that step; its last one when left out.")
]
ItemsOption = Annotated[
    ItemsAgain | None,
    typer.Option(
        "--items", help="With --from, of a step with a map: only the items that have not completed; the rest is kept."
    ),
]
VersionOption = Annotated[
    int | None, typer.Option("--version", min=1, help="Of its pipeline; the one that it ran when left out.")
]


def add_command(app: typer.Typer) -> None:
    """Add ``rerun`` to the group."""
    what = (
        "Queue executions anew: whole, with the same input or another, or from a step. They stay as they are.\n\n"
        "With --dry-run it only says what would be kept and what would run, and what that does outside. Found by "
        "filters, those that have a re-run under way or completed are left out; named by id, they are not."
    )
    example = "Example: ia-modules executions rerun 01996f1e-8c1a-7 --from score --dry-run"
    app.command("rerun", help=f"{what}{MANY}", epilog=example)(rerun)


@with_filters
def rerun(
    context: typer.Context,
    execution_ids: Ids = None,
    from_step: FromStepOption = None,
    iteration: IterationOption = None,
    step_input: StepInputOption = None,
    step_output: StepOutputOption = None,
    items: ItemsOption = None,
    input_text: Input = None,
    version: VersionOption = None,
    filters: FilterOptions = NO_FILTERS,
    limit: LimitOption = BULK_LIMIT,
    token: TokenOption = None,
    idempotency_key: KeyOption = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    which = Which(ids=execution_ids or [], filters=filters, token=token_in(token), limit=limit)
    which.check()
    begin = _begin(from_step, iteration, step_input, step_output, items)
    if begin is not None and input_text is not None:
        raise typer.BadParameter("--input is of a whole one; with --from: --step-input.")
    what = {"input_data": read_object(input_text, "--input"), "begin": begin, "version": version}
    if which.only_id is not None:
        one = _plan_one if dry_run else _rerun_one
        do(one(context, database_url, which.only_id, what, idempotency_key, as_json=as_json))
        return
    verb = Verb(
        action="rerun",
        question="Run {} again?",
        outcome="queued again",
        options={**what, "idempotency_key": idempotency_key},
    )
    change_many(verb, which, dry_run=dry_run, yes=yes, database_url=database_url, as_json=as_json)


def _begin(
    from_step: str | None,
    iteration: int | None,
    step_input: str | None,
    step_output: str | None,
    items: ItemsAgain | None,
) -> RerunFrom | None:
    if from_step is None:
        if (iteration, step_input, step_output, items) != (None, None, None, None):
            options = "--iteration, --step-input, --step-output and --items"
            raise typer.BadParameter(f"{options} are of a step; expected --from too.")
        return None
    if step_input is not None and step_output is not None:
        raise typer.BadParameter("--step-input and --step-output: a step whose result is given does not run.")
    if items is not None and (step_input, step_output) != (None, None):
        raise typer.BadParameter("--items beside --step-input or --step-output: what is kept had the old input.")
    return RerunFrom(
        step_id=from_step,
        iteration=iteration,
        step_input=read_object(step_input, "--step-input"),
        step_output=read_result(step_output, "--step-output"),
        items=items,
    )


async def _rerun_one(
    context: typer.Context,
    database_url: str,
    wanted: str,
    what: Mapping[str, Any],
    idempotency_key: str | None,
    *,
    as_json: bool,
) -> None:
    async with client_of(database_url) as client:
        execution_id = (await find_execution(client, wanted)).execution_id
        plan = await client.plan_rerun(execution_id, **what)
        summary = await client.summary(await client.rerun(execution_id, **what, idempotency_key=idempotency_key))
    print_queued(summary, same_database(context), as_json=as_json)
    if not as_json and what["begin"] is not None:
        typer.echo(f"It runs, or may: {effects_in_one_line(plan.steps)}.")
    if not as_json and plan.items is not None:
        typer.echo(f"Of {plan.items.step_id}: {items_text(plan.items)}.")


async def _plan_one(
    context: typer.Context,
    database_url: str,
    wanted: str,
    what: Mapping[str, Any],
    idempotency_key: str | None,
    *,
    as_json: bool,
) -> None:
    del context, idempotency_key
    async with client_of(database_url) as client:
        execution_id = (await find_execution(client, wanted)).execution_id
        plan = await client.plan_rerun(execution_id, **what)
    if as_json:
        print_json(plan.to_dict())
        return
    print_ahead(plan)
    typer.echo("Nothing was started: without --dry-run it is queued.")
