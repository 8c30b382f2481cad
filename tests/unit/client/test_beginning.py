import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ia_modules import Client, DatabaseManager, Worker
from ia_modules.errors import (
    IdempotencyConflict,
    PayloadError,
    PipelineDefinitionError,
)
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.authoring import Flow
from tests.unit.client.doubling import audit, change


async def test_what_is_queued_is_run_by_a_worker_in_the_order_of_priority(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    low = await client.queue(file, {"n": 1}, priority=-1, trigger="test", metadata={"by": "ann"})
    high = await client.queue("double", {"n": 2}, priority=5)
    record = await client.execution(low.execution_id)
    assert (record.status, record.managed, record.priority) == (ExecutionStatus.PENDING, True, -1)
    assert (record.trigger, record.metadata, record.total_steps) == ("test", {"by": "ann"}, 1)
    async with Worker(database, client.tracker, slots=1):
        ended = [await client.wait(queued.execution_id, timeout_seconds=60) for queued in (low, high)]
    assert {record.status for record in ended} == {ExecutionStatus.COMPLETED}
    assert ended[1].started_at is not None
    assert ended[0].started_at is not None
    assert ended[1].started_at < ended[0].started_at


async def test_no_worker_takes_what_is_to_run_later(client: Client, file: Path, database: DatabaseManager) -> None:
    later = datetime.now(UTC).replace(microsecond=5) + timedelta(hours=1)
    queued = await client.queue(file, {"n": 1}, run_at=later)
    now = await client.queue("double", {"n": 2}, run_at=datetime.now(UTC) - timedelta(hours=1), priority=-1)
    async with Worker(database, client.tracker):
        assert (await client.wait(now.execution_id, timeout_seconds=60)).status is ExecutionStatus.COMPLETED
    summary = await client.summary(queued.execution_id)
    assert (summary.status, summary.run_at) == (ExecutionStatus.WAITING, later)


async def test_queueing_a_file_leaves_the_current_version(client: Client, file: Path) -> None:
    await client.register(file)
    change(file)
    queued = await client.queue(file, {"n": 1}, new_version=True)
    assert (await client.execution(queued.execution_id)).pipeline_version == 2
    assert (await client.pipeline("double")).current_version == 1


async def test_a_request_sent_twice_with_one_key_is_queued_once_whatever_has_become_of_the_pipeline(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    await client.register(file)
    answers = await asyncio.gather(*(client.queue("double", {"n": 1}, idempotency_key="k") for _ in range(4)))
    assert {answer.execution_id for answer in answers} == {answers[0].execution_id}
    assert [answer.created for answer in answers].count(True) == 1
    change(file)
    await client.register(file, new_version=True)
    await client.archive("double")
    again = await client.queue("double", {"n": 1}, idempotency_key="k")
    assert again == (answers[0].execution_id, False)
    with pytest.raises(IdempotencyConflict):
        await client.queue("double", {"n": 2}, idempotency_key="k")
    starts = [row for row in await audit(database) if row[1] == "execution.start"]
    assert starts == [("ann", "execution.start", again.execution_id, None)]


async def test_ids_of_200_characters_run_and_longer_ones_are_refused_before_anything_is_recorded(
    client: Client,
) -> None:
    longest = "\U0001f600" * 200
    flow = Flow("Long", slug=longest)

    def copy(data: dict[str, Any]) -> dict[str, Any]:
        return data

    flow.add(copy, id=longest)
    assert (await client.run(flow, {"n": 1}))["steps"][0]["step_name"] == longest
    flow.add(copy, id="x" * 3000)
    with pytest.raises(PipelineDefinitionError, match="a text of 3,000 characters; expected at most 200"):
        await client.run(flow)
    with pytest.raises(PayloadError, match="201 characters; expected 1 to 200"):
        await client.queue(longest, idempotency_key="x" * 201)
    assert len((await client.executions()).items) == 1
