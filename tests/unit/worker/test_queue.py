import asyncio

import pytest

from ia_modules.errors import IdempotencyConflict, PipelineInputError
from ia_modules.models import ExecutionStatus
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.queue import enqueue
from tests.unit.worker.queue import Place


async def test_what_is_queued_is_pending_and_nobodys(tracker: ExecutionTracker, place: Place) -> None:
    stored = await place.stored(tracker)
    queued = await enqueue(tracker, stored, {"n": 1}, trigger="api", priority=7, metadata={"by": "ann"})
    assert queued.created
    record = await tracker.get_execution(queued.execution_id)
    assert record is not None
    assert (record.status, record.owner, record.managed) == (ExecutionStatus.PENDING, None, True)
    assert (record.priority, record.trigger, record.total_steps, record.pipeline_version) == (7, "api", 3, 1)
    assert (record.input_data, record.metadata) == ({"n": 1}, {"by": "ann"})
    again = await enqueue(tracker, stored, {"n": 1}, trigger="rerun", rerun_of=queued.execution_id)
    summary = await tracker.get_execution_summary(again.execution_id)
    assert summary is not None
    assert summary.rerun_of == queued.execution_id


async def test_a_request_that_comes_twice_is_queued_once_also_when_both_come_at_once(
    tracker: ExecutionTracker, place: Place
) -> None:
    stored = await place.stored(tracker)
    at_once = [enqueue(tracker, stored, {"n": 1, "m": 2}, trigger="api", idempotency_key="k") for _ in range(8)]
    answers = await asyncio.gather(*at_once)
    answers.append(await enqueue(tracker, stored, {"m": 2, "n": 1}, trigger="api", idempotency_key="k"))
    assert len({answer.execution_id for answer in answers}) == 1
    assert [answer.created for answer in answers].count(True) == 1
    assert len((await tracker.list_executions()).items) == 1


async def test_a_key_of_another_request_is_refused_and_names_the_first(tracker: ExecutionTracker, place: Place) -> None:
    stored = await place.stored(tracker)
    first = await enqueue(tracker, stored, {"n": 1}, trigger="api", idempotency_key="k")
    with pytest.raises(IdempotencyConflict, match="a key of its own") as refused:
        await enqueue(tracker, stored, {"n": 2}, trigger="api", idempotency_key="k")
    assert refused.value.execution_id == first.execution_id


async def test_a_wrong_input_is_refused_before_anything_is_recorded(tracker: ExecutionTracker) -> None:
    definition = {
        "name": "Strict",
        "parameters": [{"name": "day", "required": True, "schema": {"type": "integer"}}],
        "steps": [{"id": "one", "class": "Missing", "module": "nowhere"}],
        "flow": {"start_at": "one", "paths": []},
    }
    registered = await tracker.register_version("strict", "Strict", definition)
    stored = await tracker.get_pipeline_version(registered.pipeline_id)
    assert stored is not None
    with pytest.raises(PipelineInputError, match="day"):
        await enqueue(tracker, stored, {"day": "monday"}, trigger="api")
    assert (await tracker.list_executions()).items == []
    assert (await enqueue(tracker, stored, {"day": 24}, trigger="api")).created  # its code is not asked for here
