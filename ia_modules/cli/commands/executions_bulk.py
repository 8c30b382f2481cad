"""``ia-modules executions cancel|rerun|delete``: one execution, several, or those that filters find."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from ia_modules.cli.options.confirmation import DryRun, Yes, confirm
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of, same_database
from ia_modules.cli.options.execution import (
    After,
    Before,
    FailedAlike,
    PipelineOf,
    SearchedText,
    Status,
    filters_of,
    find_execution,
    liveness_of,
)
from ia_modules.cli.output.ending import print_queued
from ia_modules.cli.output.terminal import AsJson, ExitStatus, fail, last_heard, moment, print_json, warn
from ia_modules.cli.output.terminal import run as do
from ia_modules.client import Client
from ia_modules.errors import AlreadyFinished
from ia_modules.models import ExecutionStatus
from ia_modules.tracker.bulk import BULK_LIMIT, BulkAction, BulkResult

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Their ids, how these begin, or the ids that you gave them.")
]

_ChangeOne = Callable[[Client, str, typer.Context, bool], Awaitable[None]]

_ENDED = {"completed": "completed", "failed": "failed", "cancelled": "was cancelled"}


@dataclass(frozen=True, slots=True)
class _Verb:
    """One of the commands.

    Attributes:
        change_one: does it to one execution that is named, at once, and prints it; None: also one is confirmed first.
        question: to a person, before many are changed; ``{}`` is how many.
        outcome: what became of those that were changed.
    """

    action: BulkAction
    change_one: _ChangeOne | None
    question: str
    outcome: str
    help: str


async def _cancel_one(client: Client, execution_id: str, context: typer.Context, as_json: bool) -> None:
    del context
    try:
        summary = await client.cancel(execution_id)
    except AlreadyFinished:
        over = await client.summary(execution_id)
        ended = f"{_ENDED[over.status]} at {moment(over.completed_at)}"
        raise fail(f"Too late: execution {execution_id} {ended}. Nothing was cancelled.") from None
    if as_json:
        print_json(summary.to_dict())
    elif summary.status is ExecutionStatus.CANCELLED:
        typer.echo(f"Execution {execution_id} is cancelled.")
    elif (liveness := await liveness_of(client, summary)) is not None and liveness.is_gone:
        gone = f"{summary.owner}, which ran it, is gone: it was {last_heard(liveness)}"
        typer.echo(f"Execution {execution_id} is to be cancelled; {gone}. The next worker ends it.")
    else:
        typer.echo(f"Execution {execution_id} will be cancelled by {summary.owner}, which runs it.")


async def _rerun_one(client: Client, execution_id: str, context: typer.Context, as_json: bool) -> None:
    summary = await client.summary(await client.rerun(execution_id))
    print_queued(summary, same_database(context), as_json=as_json)


_MANY = """

Several ids, or filters instead of ids, are counted and confirmed first.

Exit status: 0 done, 1 some were left as they are, 2 nothing was changed."""

_VERBS = (
    _Verb(
        "cancel",
        _cancel_one,
        question="Cancel {}?",
        outcome="cancelled, or told to stop where a process runs them",
        help=f"Cancel executions, whichever process runs them: what runs is stopped, what has completed stays.{_MANY}",
    ),
    _Verb(
        "rerun",
        _rerun_one,
        question="Run {} again?",
        outcome="queued again",
        help=f"Queue executions anew, with the same version and the same input.{_MANY}",
    ),
    _Verb(
        "delete",
        None,
        question="Delete {} with all steps, log lines and questions? They cannot be brought back.",
        outcome="deleted",
        help=f"Delete executions that have ended, with their steps, log lines and questions. Pinned ones stay.{_MANY}",
    ),
)


def add_commands(app: typer.Typer) -> None:
    """Add ``cancel``, ``rerun`` and ``delete`` to the group."""
    for verb in _VERBS:
        example = f"Example: ia-modules executions {verb.action} --pipeline nightly --before 30d --dry-run"
        app.command(verb.action, help=verb.help, epilog=example)(_command(verb))


def _command(verb: _Verb) -> Callable[..., None]:
    def command(
        context: typer.Context,
        execution_ids: Ids = None,
        status: Status = None,
        pipeline: PipelineOf = None,
        after: After = None,
        before: Before = None,
        text: SearchedText = None,
        failure: FailedAlike = None,
        limit: Annotated[int, typer.Option(min=1, max=BULK_LIMIT, help="Of filters: at most this many.")] = BULK_LIMIT,
        dry_run: DryRun = False,
        yes: Yes = False,
        database_url: Database = DEFAULT_DATABASE,
        as_json: AsJson = False,
    ) -> None:
        ids, filters = execution_ids or [], (status, pipeline, after, before, text, failure)
        if bool(ids) == any(each is not None for each in filters):
            raise typer.BadParameter("Expected ids, or else filters such as --status failed.")
        if len(ids) == 1 and verb.change_one is not None and not dry_run:
            do(_change_one(database_url, verb.change_one, ids[0], context, as_json))
            return

        async def change(*, only_count: bool) -> BulkResult:
            async with client_of(database_url) as client:
                found: list[str] = [(await find_execution(client, each)).execution_id for each in ids]
                by_filter = None if ids else await filters_of(client, *filters)
                return await client.bulk(verb.action, found, filters=by_filter, limit=limit, dry_run=only_count)

        result = do(change(only_count=True), status=ExitStatus.NOT_STARTED)
        if not dry_run and len(result.refused) < result.matched:
            confirm(verb.question.format(_count(result.matched - len(result.refused))), yes=yes)
            result = do(change(only_count=False))
        if as_json:
            print_json(asdict(result))
        else:
            _print_result(verb, result, dry_run=dry_run)
        raise typer.Exit(ExitStatus.FAILED if result.refused else ExitStatus.COMPLETED)

    return command


async def _change_one(
    database_url: str, change: _ChangeOne, wanted: str, context: typer.Context, as_json: bool
) -> None:
    async with client_of(database_url) as client:
        await change(client, (await find_execution(client, wanted)).execution_id, context, as_json)


def _print_result(verb: _Verb, result: BulkResult, *, dry_run: bool) -> None:
    done = result.matched - len(result.refused)
    typer.echo(f"{_count(done)} {'would be ' if dry_run else ''}{verb.outcome}.")
    if result.matched_capped:
        typer.echo("The filters find more: call it again for the next ones.")
    if result.refused:
        warn(f"{_count(len(result.refused))} {'would be ' if dry_run else ''}left alone:")
    for each in result.refused:
        warn(f"- {each.reason}")


def _count(number: int) -> str:
    return f"{number} execution{'' if number == 1 else 's'}"
