"""``ia-modules executions diff``: two executions beside each other."""

from typing import Annotated

import typer

from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, client_of
from ia_modules.cli.options.execution import OneExecution, find_execution
from ia_modules.cli.output.comparison_report import print_comparison
from ia_modules.cli.output.terminal import AsJson, ExitStatus, print_json, run
from ia_modules.pipeline.comparing.comparison import Comparison

Other = Annotated[
    str | None,
    typer.Argument(
        metavar="[B]",
        help="The other one, named in the same way; left out, the last good one: the newest of the same pipeline that "
        "was made before A and completed.",
    ),
]


def diff(
    a: OneExecution,
    b: Other = None,
    everything: Annotated[bool, typer.Option("--all", help="Every run, also those in which nothing differs.")] = False,
    database_url: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Compare two executions: where they first went different ways, and what differs in each run.

    Runs are aligned by step and iteration. Numbers are compared as they are stored: 1 and 1.0 are not the same.
    Payloads over 1 MiB are compared by their hashes.

    Exit status: 0 nothing differs, 1 something does, 2 they could not be compared.
    """
    comparison = run(_compare(database_url, a, b), status=ExitStatus.NOT_STARTED)
    if as_json:
        print_json(comparison.to_dict())
    else:
        print_comparison(comparison, everything=everything)
    raise typer.Exit(ExitStatus.FAILED if comparison.differs else ExitStatus.COMPLETED)


async def _compare(database_url: str, a: str, b: str | None) -> Comparison:
    async with client_of(database_url) as client:
        ids = [(await find_execution(client, each)).execution_id for each in (a, b) if each is not None]
        return await client.compare(*ids)
