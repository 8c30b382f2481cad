"""``ia-modules interactions list|show|respond|assign``: questions to people, and their answers."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from ia_modules.answering import names_in
from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of, same_database
from ia_modules.cli.options.execution import PipelineOf, find_execution
from ia_modules.cli.options.input import Response, read_response
from ia_modules.cli.output.terminal import (
    AsJson,
    ago,
    json_text,
    moment,
    one_line,
    plain,
    print_json,
    print_table,
    run,
    status_text,
)
from ia_modules.client import Client
from ia_modules.errors import InteractionNotFound
from ia_modules.models import InteractionSummary, InteractionWithInput, PipelineId, ResponseRecord, ids_beginning
from ia_modules.tracker.inbox import InteractionFilters, InteractionPage

app = typer.Typer(
    name="interactions",
    help="Questions to people: list and show them, answer them, assign them to others.",
    epilog="Example: ia-modules interactions list",
    rich_markup_mode=None,
    add_completion=False,
)


class _QuestionStatus(StrEnum):
    PENDING = "pending"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    ANY = "any"


_EXAMPLE = """Example: ia-modules interactions respond 01996f1e-8c1a-7 --as ann --response '{"approved": true}'"""
_OneQuestion = Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.")]
_As = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="In whose name; on record as not verified. Your own when left out."),
]


@app.command("list", epilog="Example: ia-modules interactions list --assigned-to ann")
def list_interactions(
    status: Annotated[
        _QuestionStatus, typer.Option(metavar="STATUS", help=f"Only these: {', '.join(_QuestionStatus)}.")
    ] = _QuestionStatus.PENDING,
    assigned_to: Annotated[
        str | None, typer.Option("--assigned-to", metavar="NAME", help="Only those that are assigned to this name.")
    ] = None,
    pipeline: PipelineOf = None,
    execution: Annotated[
        str | None, typer.Option("--execution", metavar="ID", help="Only those of this execution.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="ID", help="Only those below this one.")] = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List questions to people, newest first; those that are open, unless another status is named."""

    async def work() -> InteractionPage:
        async with client_of(database_url) as client:
            filters = InteractionFilters(
                status=None if status is _QuestionStatus.ANY else status.value,
                assigned_to=assigned_to,
                pipeline_id=None if pipeline is None else await _id_of(client, pipeline),
                execution_id=None if execution is None else (await find_execution(client, execution)).execution_id,
            )
            return await client.interactions(filters, cursor=cursor, limit=limit)

    page = run(work())
    if as_json:
        print_json({"items": [item.to_dict() for item in page.items], "next_cursor": page.next_cursor})
    else:
        _print_page(page)


@app.command(epilog="Example: ia-modules interactions show 01996f1e-8c1a-7")
def show(
    context: typer.Context,
    interaction_id: _OneQuestion,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Show a question: what led to it, what an answer looks like, who may give it, and the answers so far."""

    async def work() -> InteractionWithInput:
        async with client_of(database_url) as client:
            return await _find(client, interaction_id)

    question = run(work())
    if as_json:
        print_json(question.to_dict())
    else:
        _print_question(question, same_database(context))


@app.command(epilog=_EXAMPLE)
def respond(
    context: typer.Context,
    interaction_id: _OneQuestion,
    response: Response,
    actor: _As = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Answer a question. What is not as its schema says, or from somebody that it is not assigned to, is refused.

    The same answer may be given again. Another one, while the question is open, is kept beside the first, and counts.

    Exit status: 0 taken, 1 refused or too late; says who was first, and when.
    """
    answer = read_response(response)

    async def work() -> tuple[InteractionWithInput, bool]:
        async with client_of(database_url) as client:
            question = await _find(client, interaction_id)
            await client.answer(question.interaction_id, answer, actor=actor)
            execution = await client.summary(question.execution_id)
            return await client.interaction(question.interaction_id), execution.managed

    question, managed = run(work())
    if as_json:
        print_json(question.to_dict())
    elif question.status == "pending":
        typer.echo(f"Kept. {_progress(question)}; it goes on when that is decided.")
    elif managed:
        typer.echo(f"Answered; a worker goes on with execution {question.execution_id}.")
    else:
        go_on = f"ia-modules executions resume {question.execution_id}{same_database(context)}"
        typer.echo(f"Answered. Go on with its execution: {go_on}")


@app.command(epilog="Example: ia-modules interactions assign 01996f1e-8c1a-7 ann bob")
def assign(
    interaction_id: _OneQuestion,
    users: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Who may answer; nobody: it is assigned to nobody.")
    ] = None,
    actor: _As = None,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Let others answer a question. Answers so far stay on record, and may decide it now.

    Exit status: 0 assigned, 1 refused or too late.
    """

    async def work() -> InteractionWithInput:
        async with client_of(database_url) as client:
            question = await _find(client, interaction_id)
            return await client.assign(question.interaction_id, users or [], actor=actor)

    question = run(work())
    if as_json:
        print_json(question.to_dict())
    else:
        typer.echo(f"Assigned to {_assigned(question)}. {_progress(question)}.")


async def _id_of(client: Client, pipeline: str) -> PipelineId:
    """The id of a pipeline; one that is unknown has no questions."""
    known = await client.tracker.get_pipeline(pipeline)
    return PipelineId(pipeline) if known is None else known.id


async def _find(client: Client, wanted: str) -> InteractionWithInput:
    """The question with this id, or the only one whose id begins so.

    Raises:
        InteractionNotFound
        BadParameter: several begin so.
    """
    question = await client.tracker.get_interaction(wanted)
    if question is not None:
        return question
    ids = ids_beginning(wanted)
    if ids is None:
        raise InteractionNotFound(wanted)
    lowest, highest = ids
    after = UUID(int=min(UUID(highest).int + 1, 2**128 - 1))
    page = await client.interactions(cursor=str(after), limit=2)
    found = [item.interaction_id for item in page.items if item.interaction_id >= lowest]
    if len(found) > 1:
        raise typer.BadParameter(f"Several ids begin with {wanted!r}, such as {found[0]} and {found[1]}.")
    return await client.interaction(found[0] if found else wanted)


def _print_page(page: InteractionPage) -> None:
    if not page.items:
        typer.echo("No questions.")
        return
    rows = (
        (
            item.interaction_id,
            status_text(item.status),
            f"{item.pipeline_name} / {item.step_id}",
            ago(item.created_at),
            moment(item.deadline_at),
            _assigned(item),
            one_line(item.prompt or ""),
        )
        for item in page.items
    )
    print_table(("ID", "STATUS", "PIPELINE / STEP", "ASKED", "DEADLINE", "ASSIGNED TO", "QUESTION"), rows)
    if page.next_cursor is not None:
        typer.echo(f"More: --cursor {page.next_cursor}")


def _print_question(question: InteractionWithInput, same_database: str) -> None:
    typer.echo(plain(question.prompt or "A question without words"))
    version = "" if question.pipeline_version is None else f" v{question.pipeline_version}"
    lines = [
        ("id", question.interaction_id),
        ("status", question.status),
        ("pipeline", f"{question.pipeline_name}{version}, step {question.step_id}"),
        ("execution", question.execution_id),
        ("asked", moment(question.created_at)),
        ("deadline", moment(question.deadline_at)),
        ("assigned to", _assigned(question)),
        ("answers", _progress(question)),
        ("answer", json_text(question.ui_schema)),
        ("led to it", json_text(question.data if question.input_data is None else question.input_data)),
    ]
    for name, value in lines:
        typer.echo(f"  {name:<12} {one_line(value)}")
    for each in question.responses:
        typer.echo(f"  {moment(each.answered_at)}  {plain(_name(each))}: {json_text(each.response)}")
    if question.status == "pending":
        respond = f"ia-modules interactions respond {question.interaction_id}{same_database} --as NAME --response JSON"
        typer.echo(f"\nAnswer it: {respond}")


def _name(response: ResponseRecord) -> str:
    return response.actor if response.verified else f"{response.actor} (not verified)"


def _assigned(question: InteractionSummary) -> str:
    users = [*names_in(question.assigned_users)]
    if question.assigned_role is not None:
        users.append(f"anybody who is {question.assigned_role}")
    return ", ".join(users) or "nobody"


def _progress(question: InteractionSummary) -> str:
    needed = question.answers or len(names_in(question.assigned_users))
    agree = "" if question.decided_by is None else f" that agree on {question.decided_by}"
    return f"{question.answered_by} of {needed}{agree}"
