"""``ia-modules executions cancel|delete``, and what they share with ``rerun`` and ``resume``: one, several, filters."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any

import typer

from ia_modules.cli.options.confirmation import DryRun, Yes, confirm
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of
from ia_modules.cli.options.execution import find_execution, liveness_of
from ia_modules.cli.options.filters import NO_FILTERS, FilterOptions, with_filters
from ia_modules.cli.options.input import read_text
from ia_modules.cli.output.ahead_report import print_steps_of_many
from ia_modules.cli.output.terminal import AsJson, ExitStatus, fail, last_heard, moment, print_json, warn
from ia_modules.cli.output.terminal import run as do
from ia_modules.client import Client
from ia_modules.errors import AlreadyFinished
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.bulk import BULK_LIMIT, BulkAction, BulkResult

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Their ids, how these begin, or the ids that you gave them.")
]

LimitOption = Annotated[int, typer.Option(min=1, max=BULK_LIMIT, help="Of filters: at most this many.")]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TEXT|@FILE|-",
        help="Instead of ids and filters: the token that --dry-run --json printed; those that it found, and no others.",
    ),
]
KeyOption = Annotated[
    str | None, typer.Option("--idempotency-key", metavar="TEXT", help="The same command with it does nothing twice.")
]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Why, for the audit log.")]

_ENDED = {"completed": "completed", "failed": "failed", "cancelled": "was cancelled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which executions a command is for.

    Attributes:
        token: of a dry run.
    """

    ids: list[str]
    filters: FilterOptions
    token: str | None = None
    limit: int = BULK_LIMIT

    @property
    def only_id(self) -> str | None:
        """The one that is named; None: there may be others."""
        return self.ids[0] if len(self.ids) == 1 else None

    def check(self) -> None:
        """Raises BadParameter: the options say nothing, or several things."""
        if [bool(self.ids), self.filters.narrow, self.token is not None].count(True) != 1:
            raise typer.BadParameter("Expected ids, or else filters such as --status failed.")
        self.filters.check()

    async def change(self, client: Client, action: BulkAction, **options: Any) -> BulkResult:
        """Change them, or only count."""
        if self.token is not None:
            return await client.bulk(action, token=self.token, **options)
        if self.ids:
            found: list[str] = [(await find_execution(client, each)).execution_id for each in self.ids]
            return await client.bulk(action, found, **options)
        filters = await self.filters.resolve(client)
        return await client.bulk(action, filters=filters, limit=self.limit, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One of the commands.

    Attributes:
        question: to a person, before many are changed; ``{}`` is how many.
        outcome: what became of those that were changed.
        options: further arguments of the client's verb.
        allowed: the code that counts as there; None: what the environment says.
    """

    action: BulkAction
    question: str
    outcome: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    allowed: AllowedCode | None = None


MANY = """

Several ids, or filters instead of ids, are counted and confirmed first.

Exit status: 0 done, 1 some were left as they are, 2 nothing was changed."""


@with_filters
def cancel(
    execution_ids: Ids = None,
    reason: ReasonOption = None,
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
    options = {"reason": reason, "idempotency_key": idempotency_key}
    if which.only_id is not None and not dry_run:
        do(_cancel_one(database_url, which.only_id, options, as_json=as_json))
        return
    verb = Verb(
        action="cancel",
        question="Cancel {}?",
        outcome="cancelled, or told to stop where a process runs them",
        options=options,
    )
    change_many(verb, which, dry_run=dry_run, yes=yes, database_url=database_url, as_json=as_json)


@with_filters
def delete(
    execution_ids: Ids = None,
    filters: FilterOptions = NO_FILTERS,
    limit: LimitOption = BULK_LIMIT,
    token: TokenOption = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    which = Which(ids=execution_ids or [], filters=filters, token=token_in(token), limit=limit)
    which.check()
    verb = Verb(
        action="delete",
        question="Delete {} with all steps, log lines and questions? They cannot be brought back.",
        outcome="deleted",
    )
    change_many(verb, which, dry_run=dry_run, yes=yes, database_url=database_url, as_json=as_json)


def add_commands(app: typer.Typer) -> None:
    """Add ``cancel`` and ``delete`` to the group."""
    what = "Cancel executions, whichever process runs them: what runs is stopped, what has completed stays."
    app.command("cancel", help=f"{what}{MANY}", epilog=example_of("cancel"))(cancel)
    what = "Delete executions that have ended, with their steps, log lines and questions. Pinned ones stay."
    app.command("delete", help=f"{what}{MANY}", epilog=example_of("delete"))(delete)


def example_of(action: BulkAction) -> str:
    return f"Example: ia-modules executions {action} --pipeline nightly --before 30d --dry-run"


def token_in(written: str | None) -> str | None:
    """The token of the option; None without it. Raises BadParameter: it cannot be read."""
    return None if written is None else read_text(written, "--token")


def change_many(verb: Verb, which: Which, *, dry_run: bool, yes: bool, database_url: str, as_json: bool) -> None:
    """Count, ask, and change those that were counted; prints what came of it.

    Raises:
        Exit: always, with the status.
    """

    async def change(which: Which, *, only_count: bool) -> BulkResult:
        async with client_of(database_url, allowed=verb.allowed) as client:
            return await which.change(client, verb.action, dry_run=only_count, **verb.options)

    result = counted = do(change(which, only_count=True), status=ExitStatus.NOT_STARTED)
    if not dry_run and (able := _able(counted)):
        confirm(verb.question.format(count_text(able)), yes=yes)
        those = which if counted.token is None else replace(which, filters=NO_FILTERS, token=counted.token)
        result = replace(do(change(those, only_count=False)), matched_capped=counted.matched_capped)
    if as_json:
        print_json(asdict(result))
    else:
        _print_result(verb, which, result, dry_run=dry_run)
    raise typer.Exit(ExitStatus.FAILED if result.refused else ExitStatus.COMPLETED)


async def _cancel_one(database_url: str, wanted: str, options: Mapping[str, Any], *, as_json: bool) -> None:
    async with client_of(database_url) as client:
        await _cancel(client, (await find_execution(client, wanted)).execution_id, options, as_json=as_json)


async def _cancel(client: Client, execution_id: str, options: Mapping[str, Any], *, as_json: bool) -> None:
    try:
        summary = await client.cancel(execution_id, **options)
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


def _able(result: BulkResult) -> int:
    return result.matched - len(result.refused) - len(result.left_out)


def _print_result(verb: Verb, which: Which, result: BulkResult, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    typer.echo(f"{count_text(_able(result))} {would}{verb.outcome}.")
    if result.matched_capped:
        typer.echo(_more_text(which, result.matched))
    print_steps_of_many(result.steps)
    if result.left_out:
        has = "One has" if len(result.left_out) == 1 else f"{len(result.left_out):,} have"
        typer.echo(f"{has} a re-run already, under way, completed or among these: named by id, they run again.")
    if result.refused:
        warn(f"{count_text(len(result.refused))} {would}left alone:")
    for each in result.refused:
        warn(f"- {each.reason}")


def _more_text(which: Which, matched: int) -> str:
    if matched == which.limit:
        return "The filters find more: call it again for the next ones."
    filters = which.filters
    return f"The filters may find more: they looked at the newest {filters.look_back:,} only.{filters.further}"


def count_text(number: int) -> str:
    return f"{number} execution{'' if number == 1 else 's'}"
