"""What an execution on record has come to, on every journal."""

import asyncio
from typing import Any

import pytest

from ia_modules.errors import ExecutionCancelled, ExecutionFailed, IAModulesError
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.journal import Journal, OperatorJournal
from ia_modules.pipeline.outcome import recorded_end
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import nothing, recorded, started


async def test_the_output_of_a_run_that_waits_is_what_the_waiting_step_returned(journal: Journal) -> None:
    schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}}

    async def draft(data: dict[str, Any]) -> dict[str, Any]:
        return {"status": "human_input_required", "prompt": "Ship it?", "ui_schema": schema, "draft": "…"}

    run = await started(journal, document("draft"), draft=draft)
    result = await run.to_end()
    assert result["output"] == result["output"] | {"prompt": "Ship it?", "ui_schema": schema, "draft": "…"}
    form = {"title": "Ship?", "fields": [{"name": "yes", "type": "boolean"}]}
    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Ship?", "ui_schema": form}}
    run = await started(journal, document(ask, slug="ask"))
    result = await run.to_end()
    assert (result["status"], result["output"]["prompt"]) == ("waiting_for_human", "Ship?")
    assert result["output"]["ui_schema"]["properties"] == {"yes": {"type": "boolean"}}
    execution, _ = await recorded(journal, run.execution_id)
    assert await recorded_end(journal, execution) == result


@pytest.mark.parametrize("status", [ExecutionStatus.FAILED, ExecutionStatus.CANCELLED])
async def test_what_did_not_complete_is_its_error_and_says_which_step_failed(
    journal: OperatorJournal, status: ExecutionStatus
) -> None:
    async def broken(data: dict[str, Any]) -> dict[str, Any]:
        if status is ExecutionStatus.CANCELLED:
            await journal.request_cancel(run.execution_id)
            await asyncio.Event().wait()
        raise LookupError("no stock")

    run = await started(journal, document("one", "two", paths=[("one", "two")]), one=nothing, two=broken)
    with pytest.raises(IAModulesError):
        await run.to_end()
    execution, _ = await recorded(journal, run.execution_id)
    assert execution.status is status
    with pytest.raises((ExecutionFailed, ExecutionCancelled)) as ended:
        await recorded_end(journal, execution)
    if isinstance(ended.value, ExecutionFailed):
        assert (ended.value.error_type, ended.value.step_id) == ("StepError", "two")
        assert "no stock" in str(ended.value)
    else:
        assert status is ExecutionStatus.CANCELLED
