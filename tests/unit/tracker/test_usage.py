"""What was used by model and over time, and lists in the order of what it cost; on both databases."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ExecutionNotFound, InvalidArgument, ReadTooLong
from ia_modules.models import ExecutionStatus, PipelineId, StepStatus, new_id
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters
from ia_modules.tracker.usage import UsageOfModel, UsageReader, UsageSums
from tests.unit.tracker.used import call, execution_that_used

HOUR = timedelta(hours=1)


async def test_an_execution_is_summed_by_model_the_dearest_first(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await execution_that_used(
        tracker,
        pipeline_id,
        [call("small", 100, 5), call("new", 10), call("small", 50, provider="p")],
        [call("large", 1_000, 900, cached=300), call("small", 20, 5)],
        status=StepStatus.FAILED,
    )
    await execution_that_used(tracker, pipeline_id, [call("other", 7, 7)])
    by_model = await UsageReader(database).of_execution(execution_id)
    assert by_model.currency == "USD"
    assert by_model.models == [
        UsageOfModel(
            model="large",
            provider=None,
            calls=1,
            input_tokens=1_000,
            output_tokens=100,
            cached_tokens=300,
            reasoning_tokens=0,
            cost_micros=900,
            unpriced_calls=0,
        ),
        UsageOfModel(
            model="small",
            provider=None,
            calls=2,
            input_tokens=120,
            output_tokens=12,
            cached_tokens=0,
            reasoning_tokens=0,
            cost_micros=10,
            unpriced_calls=0,
        ),
        UsageOfModel(
            model="new",
            provider=None,
            calls=1,
            input_tokens=10,
            output_tokens=1,
            cached_tokens=0,
            reasoning_tokens=0,
            cost_micros=None,
            unpriced_calls=1,
        ),
        UsageOfModel(
            model="small",
            provider="p",
            calls=1,
            input_tokens=50,
            output_tokens=5,
            cached_tokens=0,
            reasoning_tokens=0,
            cost_micros=None,
            unpriced_calls=1,
        ),
    ]
    with pytest.raises(ExecutionNotFound):
        await UsageReader(database).of_execution(new_id())


async def test_a_window_has_what_began_in_it_and_its_parts_are_the_whole(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    other = await tracker.register_pipeline("weekly", "Weekly")
    await execution_that_used(tracker, pipeline_id, [call("m", 100, 5)], [call("n", 10)])
    await execution_that_used(tracker, other, [call("m", 1_000, 7)])
    copy = await execution_that_used(tracker, pipeline_id, [call("m", 5_000, 50)])
    await database.execute_async(
        "INSERT INTO imported_executions (execution_id, rows_sha256, went_on, imported_at)"
        " VALUES (:execution_id, '0', :went_on, ia_now())",
        {"execution_id": copy, "went_on": False},
    )
    reader = UsageReader(database)
    for window in (HOUR, None):
        usage = await reader.of_window(window)
        assert usage.total == UsageSums(input_tokens=1_110, output_tokens=111, cost_micros=12, unpriced_calls=1)
        assert [(each.model, each.input_tokens, each.cost_micros) for each in usage.models] == [
            ("m", 1_100, 12),
            ("n", 10, None),
        ]
        assert sum(bucket.input_tokens for bucket in usage.buckets) == 1_110
        assert sum(bucket.cost_micros or 0 for bucket in usage.buckets) == 12
        assert [one.end for one in usage.buckets[:-1]] == [other.start for other in usage.buckets[1:]]
    of_one = await reader.of_window(HOUR, other)
    assert (of_one.total.input_tokens, of_one.total.unpriced_calls) == (1_000, 0)
    nothing = await reader.of_window(HOUR, "nobody")
    assert (nothing.total, nothing.models) == (UsageSums(), [])
    with pytest.raises(ReadTooLong, match="shorter window"):
        await UsageReader(database, patience_seconds=0).of_window()


COSTS = st.lists(st.none() | st.integers(0, 4), max_size=9)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(costs=COSTS, limit=st.integers(1, 4))
async def test_a_list_in_the_order_of_cost_has_each_that_has_one_once(
    database: DatabaseManager, tracker: ExecutionTracker, costs: list[int | None], limit: int
) -> None:
    pipeline_id = await tracker.register_pipeline(new_id(), "By cost")
    ids = [await execution_that_used(tracker, pipeline_id, [call("m", 1, cost)]) for cost in costs]
    expected = sorted(((cost, id_) for cost, id_ in zip(costs, ids, strict=True) if cost is not None), reverse=True)
    for filters in (
        ExecutionFilters(pipeline_id=pipeline_id),
        ExecutionFilters(pipeline_id=pipeline_id, status=(ExecutionStatus.RUNNING, ExecutionStatus.FAILED)),
    ):
        found: list[tuple[int | None, str]] = []
        cursor: str | None = None
        while True:
            page = await tracker.list_executions(filters, cursor, limit, sort="cost")
            assert len(page.items) <= limit
            found += [(item.cost_micros, item.execution_id) for item in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == expected


async def test_filters_and_texts_narrow_a_list_in_the_order_of_cost(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    other = await tracker.register_pipeline("weekly", "Weekly")
    cheap = await execution_that_used(tracker, pipeline_id, [call("m", 1, 5)])
    dear = await execution_that_used(tracker, other, [call("m", 1, 50)])
    await execution_that_used(tracker, other, [call("m", 1)])
    async with Client(database) as client:

        async def listed(filters: ExecutionFilters) -> list[str]:
            return [item.execution_id for item in (await client.executions(filters, sort="cost")).items]

        now = (await client.execution(cheap)).created_at
        assert await listed(ExecutionFilters()) == [dear, cheap]
        assert await listed(ExecutionFilters(text="weekly")) == [dear]
        assert await listed(ExecutionFilters(started_after=now - HOUR)) == [dear, cheap]
        assert await listed(ExecutionFilters(started_before=now - HOUR)) == []
        assert await listed(ExecutionFilters(trigger="program", look_back=10)) == [dear, cheap]
        for cursor in (dear, "5", "5:x", f"-1:{dear}", f"{'9' * 19}:{dear}"):
            with pytest.raises(InvalidArgument, match="in order of their cost"):
                await client.executions(cursor=cursor, sort="cost")
        with pytest.raises(InvalidArgument, match="cursor"):
            await client.executions(cursor=f"5:{dear}")
