"""What the calls within a step have put on record."""

from ia_modules import Client
from ia_modules.models import ExecutionId, RunPath, StepSummary
from ia_modules.tracker.levels import RunFilters


async def calls_of(client: Client, execution_id: str, path: str = "think#1") -> list[StepSummary]:
    page = await client.runs(ExecutionId(execution_id), RunFilters(within=RunPath(path)))
    return list(page.items)
