"""``ia-modules executions cancel``: end what is under way."""

import typer

from ia_modules.cli.options.database import DEFAULT_DATABASE, Database, steering
from ia_modules.cli.options.execution import OneExecution, find_execution
from ia_modules.cli.output.terminal import AsJson, fail, print_json
from ia_modules.cli.output.terminal import run as do
from ia_modules.errors import AlreadyFinished
from ia_modules.models import ExecutionRecord, ExecutionStatus

_ENDS = {"completed": "completed", "failed": "failed", "cancelled": "been cancelled"}


def cancel(execution_id: OneExecution, database_url: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Cancel an execution, whichever process runs it: what runs is stopped, what has completed stays on record."""

    async def work() -> ExecutionRecord:
        async with steering(database_url) as tracker:
            record = await find_execution(tracker, execution_id)
            try:
                await tracker.request_cancel(record.execution_id)
            except AlreadyFinished as over:
                raise fail(
                    f"Execution {record.execution_id} has {_ENDS[over.status]}; nothing is to be cancelled."
                ) from None
            return await find_execution(tracker, record.execution_id)

    record = do(work())
    if as_json:
        print_json(record.to_dict())
    elif record.status is ExecutionStatus.CANCELLED:
        typer.echo(f"Execution {record.execution_id} is cancelled.")
    else:
        typer.echo(f"Execution {record.execution_id} will be cancelled by {record.owner}, which runs it.")
