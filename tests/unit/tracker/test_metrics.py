"""Numbers of histories that were recorded as programs and pipelines record them: each is known beforehand, exactly."""

import itertools
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ReadTooLong
from ia_modules.models import ExecutionId, ExecutionStatus, PipelineId, new_id, parse_time
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.runner import Runner
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.metrics import Bucket, MetricsReader, Times, bucket_edges, bucket_seconds
from tests.scale import generate
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import nothing, started

DAY = timedelta(days=1)


@pytest.fixture
async def tracker(database: DatabaseManager) -> AsyncGenerator[ExecutionTracker]:
    async with ExecutionTracker(database) as tracker:
        yield tracker


@pytest.fixture
async def pipeline_id(tracker: ExecutionTracker) -> PipelineId:
    return await tracker.register_pipeline("nightly", "Nightly import")


class History:
    """Makes executions that began a while ago and took as long as is said."""

    def __init__(self, database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
        self._database, self._tracker, self._pipeline_id = database, tracker, pipeline_id

    async def execution(
        self,
        status: str = "completed",
        *,
        seconds: float = 1.0,
        ago: timedelta = timedelta(minutes=10),
        pipeline_id: PipelineId | None = None,
    ) -> ExecutionId:
        execution_id = await self._tracker.start_execution(pipeline_id or self._pipeline_id)
        if status != "running":
            await self._tracker.update_execution_status(execution_id, status)
        start = await self.now() - ago
        times = {"execution_id": execution_id, "start": start, "end": start + timedelta(seconds=seconds)}
        change = "UPDATE pipeline_executions SET {} WHERE execution_id = :execution_id"
        await self._database.execute_async(change.format("started_at = :start"), times)
        if status != "running":
            await self._database.execute_async(change.format("completed_at = :end"), times)
        return execution_id

    async def now(self) -> datetime:
        row = await self._database.fetch_one_async("SELECT ia_now() AS now")
        assert row is not None
        return parse_time(row["now"])


@pytest.fixture
def history(database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId) -> History:
    return History(database, tracker, pipeline_id)


async def test_nothing_is_told_of_nothing(database: DatabaseManager) -> None:
    measured = await MetricsReader(database).measure(DAY)
    assert (measured.executions, measured.ended, measured.first_start) == (0, 0, None)
    assert measured.by_status == dict.fromkeys(ExecutionStatus, 0)
    assert measured.times == Times()
    assert (measured.throughput_per_hour, measured.sampled) == (None, False)
    assert (measured.steps, measured.pipelines) == ([], [])
    assert [bucket.started for bucket in (await MetricsReader(database).history()).buckets] == [0]


async def test_executions_count_by_status_where_they_started_in_the_window(
    database: DatabaseManager, history: History
) -> None:
    for status, count in {"completed": 4, "failed": 1, "cancelled": 2, "running": 3}.items():
        for _ in range(count):
            await history.execution(status)
    await history.execution("failed", ago=timedelta(hours=3))

    measured = await MetricsReader(database).measure(timedelta(hours=2))
    assert (measured.executions, measured.ended, measured.completed, measured.failed) == (10, 7, 4, 1)
    assert measured.by_status[ExecutionStatus.RUNNING] == 3
    assert measured.throughput_per_hour == 3.5
    [pipeline] = measured.pipelines
    assert (pipeline.pipeline_name, pipeline.executions, pipeline.success_rate) == ("Nightly import", 10, 4 / 5)

    everything = await MetricsReader(database).measure()
    assert (everything.executions, everything.failed, everything.since) == (11, 2, None)
    assert everything.throughput_per_hour == pytest.approx(8 / 3, rel=0.02)  # since the first start, 3 hours ago


async def test_percentiles_are_by_nearest_rank(database: DatabaseManager, history: History) -> None:
    for seconds in range(1, 101):
        await history.execution(seconds=seconds)
    await history.execution("failed", seconds=1000)  # only what completed has a completion time

    times = (await MetricsReader(database).measure(DAY)).times
    assert times == Times(count=100, mean_seconds=50.5, p50_seconds=50, p95_seconds=95, p99_seconds=99)


async def test_microseconds_count_and_a_clock_that_was_set_back_makes_nothing_negative(
    database: DatabaseManager, history: History
) -> None:
    await history.execution(seconds=-5)
    times = (await MetricsReader(database).measure(DAY)).times
    assert (times.count, times.p50_seconds, times.mean_seconds) == (1, 0, 0)

    await history.execution(seconds=0.000_017)
    assert (await MetricsReader(database).measure(DAY)).times.p95_seconds == pytest.approx(0.000_017, abs=1e-9)


async def test_each_pipeline_has_its_own_numbers(
    database: DatabaseManager, tracker: ExecutionTracker, history: History
) -> None:
    other = await tracker.register_pipeline("hourly", "Hourly import")
    for seconds in (1, 2, 3):
        await history.execution(seconds=seconds)
    await history.execution("failed", pipeline_id=other)
    await history.execution(seconds=60, pipeline_id=other)

    measured = await MetricsReader(database).measure(DAY)
    assert [(it.pipeline_name, it.executions, it.success_rate, it.times.p50_seconds) for it in measured.pipelines] == [
        ("Nightly import", 3, 1.0, 2),
        ("Hourly import", 2, 0.5, 60),
    ]
    alone = await MetricsReader(database).measure(DAY, other)
    assert (alone.executions, alone.times.p50_seconds, len(alone.pipelines)) == (2, 60, 1)
    for nobody in (new_id(), "nobody", "a\0b"):
        assert (await MetricsReader(database).measure(DAY, nobody)).executions == 0


async def test_an_attempt_after_one_that_failed_is_a_retry_and_one_after_a_lost_one_is_not(
    database: DatabaseManager, tracker: ExecutionTracker, history: History, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    for status in ("failed", "failed", "lost", "completed"):
        step = await tracker.start_step_execution(execution_id, "load", "Load", "task")
        await tracker.complete_step_execution(step, status)
    own = await tracker.start_step_execution(execution_id, "send", "Send", "task")
    await tracker.complete_step_execution(own, "completed", retry_count=5)  # tried by itself inside the attempt
    again = await tracker.start_step_execution(execution_id, "send", "Send", "task")  # the next iteration is no retry
    await tracker.complete_step_execution(again, "failed")

    assert (await MetricsReader(database).measure(DAY)).retries == 0  # it has not ended yet
    await tracker.update_execution_status(execution_id, "completed")
    measured = await MetricsReader(database).measure(DAY)
    assert measured.retries == 2 + 5
    steps = {step.step_id: step for step in measured.steps}
    load, send = steps["load"], steps["send"]
    assert (load.runs, load.failed, load.retries, load.made_good) == (1, 0, 2, 0)
    assert (send.runs, send.failed, send.retries) == (2, 1, 5)


async def test_what_fell_back_or_went_on_is_made_good_for(database: DatabaseManager, tracker: ExecutionTracker) -> None:
    class Careful(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            raise OSError("no answer")

        async def fallback(self, data: dict[str, Any], error: Exception) -> dict[str, Any]:
            return {"from": "cache"}

    async def fail(data: dict[str, Any]) -> None:
        raise OSError("no answer")

    calls = itertools.count(1)

    async def flaky(data: dict[str, Any]) -> None:
        if next(calls) == 1:
            raise OSError("no answer")

    written = document(
        task("careful", error_handling={"enable_fallback": True}),
        task("lenient", error_handling={"continue_on_error": True}),
        task("flaky", error_handling={"retry": {"max_attempts": 2, "initial_delay": 0.0}}),
        "strict",
        paths=[("careful", "lenient"), ("lenient", "flaky"), ("flaky", "strict")],
    )
    run = await started(tracker, written, careful=Careful, lenient=fail, flaky=flaky, strict=fail)
    with pytest.raises(Exception, match="no answer"):
        await run.to_end()

    measured = await MetricsReader(database).measure(DAY)
    found = {step.step_id: (step.runs, step.failed, step.made_good, step.retries) for step in measured.steps}
    assert found == {
        "careful": (1, 0, 1, 0),
        "lenient": (1, 1, 1, 0),
        "flaky": (1, 0, 0, 1),
        "strict": (1, 1, 0, 0),
    }
    assert (measured.failed, measured.retries) == (1, 1)


async def test_an_execution_that_asked_a_person_counts_once_it_has_ended(
    database: DatabaseManager, tracker: ExecutionTracker
) -> None:
    ask = [{"id": step_id, "type": "human_input", "config": {"prompt": "Good?"}} for step_id in ("ask", "insist")]
    run = await started(tracker, document(*ask, "ship", paths=[("ask", "insist"), ("insist", "ship")]), ship=nothing)
    await run.to_end()
    assert (await MetricsReader(database).measure(DAY)).interventions == 0
    for number in range(2):
        question = (await tracker.get_interactions(run.execution_id))[number]
        await tracker.answer_interaction(question.interaction_id, {"yes": True}, actor="ann")
        await (await Runner(tracker).resume(run.pipeline, run.execution_id)).to_end()
    await (await started(tracker, document("ship", slug="other"), ship=nothing)).to_end()

    measured = await MetricsReader(database).measure(DAY)
    assert (measured.interventions, measured.ended) == (1, 2)
    history = await MetricsReader(database).history(DAY)
    assert sum(bucket.human_interventions for bucket in history.buckets) == 1


async def test_a_history_puts_each_execution_where_it_started(database: DatabaseManager, history: History) -> None:
    minutes = {3: "completed", 4: "failed", 40: "cancelled", 55: "completed", 200: "completed"}
    for ago, status in minutes.items():
        await history.execution(status, seconds=ago, ago=timedelta(minutes=ago))

    found = await MetricsReader(database).history(timedelta(hours=1))
    assert found.bucket_seconds == 60
    assert 60 <= len(found.buckets) <= 62
    assert all(one.end == two.start for one, two in itertools.pairwise(found.buckets))
    assert found.buckets[-1].start <= await history.now() < found.buckets[-1].end + timedelta(minutes=1)
    shown = [bucket for bucket in found.buckets if bucket.started]
    assert [(it.completed, it.failed, it.cancelled, it.p50_seconds, it.success_rate) for it in shown] == [
        (1, 0, 0, 55, 1.0),
        (0, 0, 1, None, None),
        (0, 1, 0, None, 0.0),
        (1, 0, 0, 3, 1.0),
    ]

    everything = await MetricsReader(database).history()
    assert everything.bucket_seconds == 300  # 200 minutes in 60 parts would be 200 seconds each
    assert sum(bucket.started for bucket in everything.buckets) == 5


async def test_what_is_more_than_the_sample_is_said_to_be_sampled(database: DatabaseManager) -> None:
    until_ms = int(datetime.now(UTC).timestamp() * 1000)
    await generate(database, 3_000, with_steps=0, until_ms=until_ms)
    measured = await MetricsReader(database).measure()
    assert (measured.executions, measured.sample, measured.sampled) == (3_000 - 40, 2_000, True)  # 40 never started
    assert measured.times.count < 2_000
    assert not (await MetricsReader(database).measure(DAY)).sampled


async def test_what_takes_too_long_is_given_up_with_advice(database: DatabaseManager) -> None:
    with pytest.raises(ReadTooLong, match="shorter window"):
        await MetricsReader(database, patience_seconds=0).measure(DAY)


def test_the_parts_of_a_history_are_round_and_about_sixty_at_most() -> None:
    spans = {1 / 24: 60, 0.25: 600, 1: 1_800, 7: 14_400, 30: 43_200, 90: 7 * 86_400, 0: 60}
    assert {days: bucket_seconds(timedelta(days=days)) for days in spans} == spans
    assert bucket_seconds(timedelta(days=10_000)) % 86_400 == 0


def test_the_parts_are_aligned_and_hold_both_ends() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert [edge.minute for edge in bucket_edges(noon, noon + timedelta(minutes=10), 300)] == [0, 5, 10, 15]
    assert [edge.minute for edge in bucket_edges(noon + timedelta(minutes=4), noon + timedelta(minutes=6), 300)] == [
        0,
        5,
        10,
    ]


def test_no_success_rate_without_an_end() -> None:
    times = {"start": datetime.now(UTC), "end": datetime.now(UTC), "p50_seconds": None, "p95_seconds": None}
    counts = dict.fromkeys(("started", "completed", "failed", "cancelled", "retries", "human_interventions"), 0)
    assert Bucket(**times, **counts).success_rate is None
