import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    FailureGroupNotFound,
    InvalidArgument,
    PipelineNotFound,
    PipelineOutputError,
    PipelineVersionNotFound,
    StepError,
)
from ia_modules.failure_groups import group_of
from ia_modules.models import ExecutionId, ExecutionStatus, PipelineId, RegisteredVersion
from ia_modules.pipeline.authoring import Flow
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.failures import Failures, part_seconds
from ia_modules.tracker.lists import ExecutionFilters
from ia_modules.transitions import ExecutionUpdate, FailedStep, Failure, Transition
from tests.unit.pipeline.programs import pipeline_of

BEFORE = datetime.now(UTC) - timedelta(days=1)
DEFINITION: dict[str, Any] = {
    "name": "Nightly",
    "steps": [{"id": "load", "step_class": "S", "module": "m"}],
    "flow": {"start_at": "load"},
}
WAYS = (
    ("KeyError", "no order {n} of customer {n}"),
    ("KeyError", "no invoice {n} of customer {n}"),
    ("TimeoutError", "no answer from https://api.example.com/orders/{n} since 2026-11-28T12:00:{s:02}Z"),
    ("OSError", "cannot read /data/{n}/in.csv"),
    ("OSError", "cannot write /data/{n}/in.csv"),
    ("ValueError", "found '{n}' at line {n}"),
)


async def version_of(tracker: ExecutionTracker, number: int, slug: str = "nightly") -> RegisteredVersion:
    definition = {**DEFINITION, "slug": slug, "version": str(number)}
    return await tracker.register_version(slug, "Nightly", definition, new_version=True)


async def fails(
    tracker: ExecutionTracker, of: RegisteredVersion | PipelineId, way: int = 0, number: int = 0
) -> ExecutionId:
    """An execution that fails in its step, as a runner writes it: that is planned where it can be."""
    pipeline_id, version = (of.pipeline_id, of.version) if isinstance(of, RegisteredVersion) else (of, None)
    execution_id = await tracker.start_execution(pipeline_id, pipeline_version=version)
    step = await tracker.start_step_execution(execution_id, "load", "Load", "task")
    kind, message = WAYS[way]
    failure = Failure(type=kind, message=message.format(n=number, s=number % 60))
    await tracker.complete_step_execution(step, "failed", failure=failure)
    change = ExecutionUpdate(
        status=ExecutionStatus.FAILED,
        failure=Failure(type="StepError", message=f"Step 'load' failed: {failure.message}"),
        failed_step=FailedStep(step_id="load", failure=failure),
    )
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, change=change))
    return execution_id


@pytest.fixture
async def client(database: DatabaseManager, tracker: ExecutionTracker) -> Client:
    return Client(database, tracker=tracker, actor="ann")


async def test_two_hundred_executions_that_failed_in_six_ways_are_six_groups(
    client: Client, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    ids = await asyncio.gather(*(fails(tracker, pipeline_id, number % 6, number) for number in range(200)))
    page = await client.failures()
    assert (len(page.items), page.more) == (6, False)
    assert sorted(item.count for item in page.items) == [33, 33, 33, 33, 34, 34]
    assert {item.message for item in page.items} == {
        "no order <n> of customer <n>",
        "no invoice <n> of customer <n>",
        "no answer from <address> since <time>",
        "cannot read <path>",
        "cannot write <path>",
        "found <value> at line <n>",
    }
    for item in page.items:
        assert (item.slug, item.step_id, item.state, item.versions) == ("nightly", "load", "open", (None,))
        assert sum(part.failures for part in item.trend) == item.count
        alike = ExecutionFilters(pipeline_id=item.pipeline_id, failure_group=item.failure_group)
        listed = (await client.executions(alike, limit=1000)).items
        assert {each.failed_step for each in listed} == {"load"}
        assert not any("Step" in (each.cause or "") for each in listed), "the cause alone"
        found = [each.execution_id for each in listed]
        assert len(found) == item.count
        assert found[0] == item.execution_id
        assert set(found) <= set(ids)
        for name in (item.id, f"{pipeline_id}.{item.failure_group}"):
            assert await client.failure(name, since=page.since) == item


async def test_groups_are_of_one_pipeline_and_the_last_to_fail_comes_first(
    client: Client, tracker: ExecutionTracker
) -> None:
    nightly = [await version_of(tracker, number) for number in (1, 2, 3)]
    weekly = await version_of(tracker, 1, "weekly")
    await fails(tracker, nightly[0], 0)
    await fails(tracker, nightly[2], 1)
    await fails(tracker, weekly, 0)
    last = await fails(tracker, nightly[1], 0)
    page = await client.failures()
    shown = [(item.slug, item.error_type, item.message[:8], item.count, item.versions) for item in page.items]
    assert shown == [
        ("nightly", "KeyError", "no order", 2, (1, 2)),
        ("weekly", "KeyError", "no order", 1, (1,)),
        ("nightly", "KeyError", "no invoi", 1, (3,)),
    ]
    assert [item.first_version for item in page.items] == [1, 1, 3]
    assert page.items[0].execution_id == last
    assert page.items[0].failure_group == page.items[1].failure_group
    for pipeline in ("weekly", weekly.pipeline_id):
        assert [item.slug for item in (await client.failures(pipeline=pipeline)).items] == ["weekly"]
    first = await client.failures(limit=1, since=page.since)
    assert (first.items, first.more) == (page.items[:1], True)
    with pytest.raises(PipelineNotFound):
        await client.failures(pipeline="hourly")
    with pytest.raises(InvalidArgument, match="limit"):
        await client.failures(limit=201)


async def test_only_what_failed_in_the_window_is_counted(
    client: Client, database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    old, new = await fails(tracker, pipeline_id), await fails(tracker, pipeline_id)
    await database.execute_async(
        "UPDATE pipeline_executions SET completed_at = ia_now(-864000) WHERE execution_id = :id", {"id": old}
    )
    page = await client.failures()
    (week,) = page.items
    assert (week.count, week.execution_id) == (1, new)
    month, second = timedelta(days=30), timedelta(seconds=1)
    for since, listed in ((page.since, [new]), (page.since - month, [new, old]), (page.until + second, [])):
        alike = ExecutionFilters(pipeline_id=pipeline_id, failure_group=week.failure_group, failed_after=since)
        assert [each.execution_id for each in (await client.executions(alike)).items] == listed
        assert (await client.statistics(alike)).by_status["failed"] == len(listed)
    with pytest.raises(InvalidArgument, match="failed_after"):
        await client.executions(ExecutionFilters(failed_after=page.since))
    assert [part.failures for part in week.trend][-1] == 1
    for since in (timedelta(days=30), datetime.now(UTC) - timedelta(days=30)):
        (month,) = (await client.failures(since=since)).items
        assert month.count == sum(part.failures for part in month.trend) == 2
        assert len(month.trend) in (30, 31)
    assert (await client.failures(since=datetime.now(UTC) + timedelta(days=1))).items == ()
    nothing = await client.failure(week.id, since=timedelta())
    assert (nothing.count, nothing.versions, nothing.execution_id) == (0, (), new)
    assert nothing.last_at == week.last_at
    await client.delete(new)
    await client.delete(old)
    gone = await client.failure(week.id)
    assert (gone.count, gone.last_at, gone.execution_id, gone.first_at) == (0, None, None, week.first_at)


async def test_a_muted_group_stays_muted_until_somebody_says_otherwise(
    client: Client, tracker: ExecutionTracker
) -> None:
    version = await version_of(tracker, 1)
    await fails(tracker, version)
    (item,) = (await client.failures()).items
    await client.mute_failure(item.id, actor="bob")
    await fails(tracker, version)
    muted = await client.failure(item.id, since=BEFORE)
    assert (muted.state, muted.marked_by, muted.count) == ("muted", "bob", 2)
    assert muted.marked_at is not None
    assert [(await client.failures(state=state)).items for state in ("open", "mended")] == [(), ()]
    assert (await client.failures(state="muted", since=BEFORE)).items == (muted,)
    await client.unmute_failure(item.id)
    opened = await client.failure(item.id)
    assert (opened.state, opened.marked_by) == ("open", "ann")


@pytest.mark.parametrize("known_executions", [100, 0], ids=["planned", "read first"])
async def test_a_mended_group_is_open_again_when_that_version_or_a_later_one_fails_so_after_the_mark(
    database: DatabaseManager, known_executions: int
) -> None:
    async with ExecutionTracker(database, known_executions=known_executions) as tracker:
        client = Client(database, tracker=tracker)
        one, two, three = [await version_of(tracker, number) for number in (1, 2, 3)]
        await fails(tracker, three)
        (item,) = (await client.failures()).items
        for worse in (two, three):
            await client.mend_failure(item.id, 2)
            await fails(tracker, one)
            await fails(tracker, two, way=1)
            mended = await client.failure(item.id)
            assert (mended.state, mended.mended_in_version, mended.reopened_at) == ("mended", 2, None)
            await fails(tracker, worse)
            opened = await client.failure(item.id)
            assert (opened.state, opened.mended_in_version) == ("open", 2)
            assert opened.reopened_at is not None
            assert opened.marked_at is not None
            assert opened.reopened_at >= opened.marked_at


async def test_what_is_said_of_a_group_is_audited(
    client: Client, database: DatabaseManager, tracker: ExecutionTracker
) -> None:
    version = await version_of(tracker, 1)
    await fails(tracker, version)
    (item,) = (await client.failures()).items
    await client.mute_failure(item.id, actor="bob")
    await client.mend_failure(item.id, 1)
    await client.unmute_failure(item.id)
    sql = "SELECT actor, action, subject FROM audit_log WHERE action LIKE 'failure.%' ORDER BY audit_id"
    assert [tuple(row.values()) for row in await database.fetch_all_async(sql)] == [
        (actor, action, f"{item.pipeline_id}.{item.failure_group}")
        for actor, action in (("bob", "failure.mute"), ("ann", "failure.mend"), ("ann", "failure.unmute"))
    ]


@pytest.mark.parametrize("failure_id", ["", "nightly", "nightly.", "nightly.0", "weekly.0", "nightly.\0", ".0"])
async def test_a_group_that_is_not_known_is_refused(client: Client, tracker: ExecutionTracker, failure_id: str) -> None:
    await version_of(tracker, 1)
    for ask in (client.failure, client.mute_failure, client.unmute_failure):
        with pytest.raises(FailureGroupNotFound):
            await ask(failure_id)
    with pytest.raises(FailureGroupNotFound):
        await client.mend_failure(failure_id, 1)


async def test_only_a_version_that_there_is_mends_anything(client: Client, tracker: ExecutionTracker) -> None:
    await fails(tracker, await version_of(tracker, 1))
    (item,) = (await client.failures()).items
    with pytest.raises(PipelineVersionNotFound):
        await client.mend_failure(item.id, 2)
    assert (await client.failure(item.id)).state == "open"


async def test_a_program_that_records_itself_fails_for_its_first_failed_step(
    client: Client, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution = tracker.execution(pipeline_id)
    with pytest.raises(ValueError, match="row 17"):
        async with execution:
            for attempt in (1, 2):  # a failure that was made good for is none
                try:
                    async with execution.step("fetch"):
                        if attempt == 1:
                            raise OSError("no answer")
                except OSError:
                    continue
            async with execution.step("load"):
                raise ValueError("row 17 is empty")
    (item,) = (await client.failures()).items
    assert (item.step_id, item.error_type, item.message) == ("load", "ValueError", "row <n> is empty")
    record = await client.execution(execution.id)
    assert record.failure_group == group_of("load", "ValueError", "row 18 is empty").id


async def test_what_fails_without_a_failed_step_has_a_group_too(
    client: Client, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    await tracker.update_execution_status(execution_id, "failed", error_message="no space left on /dev/sda1")
    (item,) = (await client.failures()).items
    assert (item.step_id, item.error_type, item.message) == ("", "", "no space left on <path>")


async def test_a_run_fails_for_the_step_that_stopped_it_and_for_its_output_alone(
    client: Client, tracker: ExecutionTracker
) -> None:
    flow = Flow("Both", parameters={"n": 1})

    @flow.step(continue_on_error=True)
    def count(data: dict[str, Any]) -> None:
        raise KeyError("goes on")

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0.01})
    def check(data: dict[str, Any]) -> None:
        raise ValueError(f"found {data['n']} rows")

    flow.connect("count", "check")
    for number in (1, 2):
        with pytest.raises(StepError, match="rows"):
            await client.run(flow, {"n": number})
    (item,) = (await client.failures()).items
    assert (item.step_id, item.error_type, item.message, item.count) == ("check", "ValueError", "found <n> rows", 2)

    wanted = {"type": "object", "required": ["report"]}
    pipeline = pipeline_of({**DEFINITION, "output_schema": wanted}, {"load": lambda data: {"n": data["n"]}})
    with pytest.raises(PipelineOutputError):
        await client.run(pipeline, {"n": 3})
    unkept = (await client.failures()).items[0]
    assert (unkept.slug, unkept.step_id, unkept.error_type) == ("nightly", "", "PipelineOutputError")


async def test_what_was_reopened_has_no_group_until_it_fails_again(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    failed = await fails(tracker, pipeline_id)
    await tracker.take_over(failed, reopen=True)
    record = await tracker.get_execution(failed)
    assert record is not None
    assert record.failure_group is None


async def test_a_list_reads_as_many_groups_as_it_must(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    words = [f"{first}{second}" for first in "abcdefghijkl" for second in "abcdefghijkl"]
    for word in words:
        execution_id = await tracker.start_execution(pipeline_id)
        await tracker.update_execution_status(execution_id, "failed", error_message=word)
    failures = Failures(database)
    page = await failures.page(limit=200)
    assert [item.message for item in page.items] == words[::-1]
    await failures.mark(pipeline_id, page.items[-1].failure_group, "muted", version=None, actor="ann")
    muted = await failures.page(state="muted", limit=1)
    assert ([item.message for item in muted.items], muted.more) == (words[:1], False)


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        (timedelta(), 3_600),
        (timedelta(hours=24), 3_600),
        (timedelta(hours=60), 3_600),
        (timedelta(days=7), 86_400),
        (timedelta(days=60), 86_400),
        (timedelta(days=90), 604_800),
        (timedelta(days=3_650), 9 * 604_800),
    ],
)
def test_the_parts_of_a_trend_are_hours_days_or_weeks(span: timedelta, seconds: int) -> None:
    assert part_seconds(span) == seconds
