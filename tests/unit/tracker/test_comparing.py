"""What a comparison reads: of one moment, both executions alike, and no more of payloads than is looked into."""

import hashlib
from typing import Any

import pytest

from ia_modules import Client, Flow
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ExecutionNotFound, NothingToCompareWith
from ia_modules.models import ExecutionId, PipelineId, StepExecutionId, new_id
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.comparing.comparison import compare
from ia_modules.pipeline.comparing.contrast import LOOKED_INTO_BYTES, NOTHING, Payload
from ia_modules.tracker import comparing
from ia_modules.tracker.comparing import last_good, read_both
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import StepStart, Transition


async def record(tracker: ExecutionTracker, pipeline_id: PipelineId, *outputs: Any, input_data: Any = None) -> str:
    """An execution that completed, with a step for each output."""
    async with tracker.execution(pipeline_id, input_data=input_data) as execution:
        for number, output in enumerate(outputs):
            async with execution.step(f"step {number}", input_data={"number": number}) as step:
                step.output = output
        execution.output = {"steps": len(outputs)}
    return execution.id


async def test_the_last_good_one_is_the_newest_before_that_completed(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    other = await tracker.register_pipeline("weekly", "Weekly")
    first = await record(tracker, pipeline_id)
    with pytest.raises(NothingToCompareWith, match="completed before"):
        await last_good(tracker, first)
    good = await record(tracker, pipeline_id)
    await record(tracker, other)
    await tracker.start_execution(pipeline_id)
    asked_for = await record(tracker, pipeline_id)
    await record(tracker, pipeline_id)
    assert (await last_good(tracker, asked_for)).execution_id == good
    with pytest.raises(ExecutionNotFound):
        await last_good(tracker, "nobody")


async def test_what_came_from_a_run_file_is_no_last_good_one_of_what_runs_here(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    good, *copies = [await record(tracker, pipeline_id) for _ in range(3)]
    for copy in copies:
        params = {"execution_id": copy, "rows_sha256": "0", "went_on": False}
        await database.execute_async(database.query("insert_imported_execution"), params)
    runs_here = await record(tracker, pipeline_id)
    assert (await last_good(tracker, runs_here)).execution_id == good
    assert (await last_good(tracker, copies[1])).execution_id == copies[0]
    assert (await last_good(tracker, await record(tracker, pipeline_id))).execution_id == runs_here


async def test_payloads_come_whole_or_by_size_or_by_hash(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    large, other, longer = "x" * LOOKED_INTO_BYTES, "y" * LOOKED_INTO_BYTES, "x" * (LOOKED_INTO_BYTES + 1)
    a = await record(tracker, pipeline_id, {"n": 2**53 + 1}, large, large, longer, input_data=large)
    b = await record(tracker, pipeline_id, {"n": 2**53}, large, other, large, input_data=other)
    (one, two), now = await read_both(database, a, b)
    contents = [list(each.contents.values()) for each in (one, two)]
    assert [content.text for content, _ in contents[0]] == [
        '{"number":0}',
        '{"number":1}',
        '{"number":2}',
        '{"number":3}',
    ]
    assert contents[0][0][1] == Payload(22, text=contents[0][0][1].text)
    assert contents[0][0][1].value == {"n": 2**53 + 1}
    size, digest = LOOKED_INTO_BYTES + 2, hashlib.sha256(f'"{large}"'.encode()).hexdigest()
    assert contents[0][1][1] == contents[1][1][1] == Payload(size, digest=digest)
    assert not contents[0][2][1].is_same_as(contents[1][2][1])
    assert (contents[0][3][1], contents[1][3][1]) == (Payload(size + 1), Payload(size))
    assert one.input == Payload(size, digest=digest)
    assert not one.input.is_same_as(two.input)
    assert one.output == Payload.of(one.output.text) != NOTHING
    assert now >= two.execution.created_at


async def test_beyond_what_is_kept_only_hashes_are_read_of_both(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "KEPT_BYTES", 100)
    a, b = [await record(tracker, pipeline_id, "first", last, "x") for last in ("a" * 50, "b" * 50)]
    (one, two), now = await read_both(database, a, b)
    kept = [[output.is_at_hand for _, output in each.contents.values()] for each in (one, two)]
    assert kept[0] == kept[1]
    assert kept[0][:2] == [True, False]
    found = compare(one, two, now=now)
    assert [pair.output.same for pair in found.steps if pair.output] == [True, False, True]
    assert found.divergence is not None
    assert found.divergence.step_id == "step 1"


async def test_many_attempts_are_read_in_parts_and_too_many_are_said(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_AT_ONCE", 2)
    a = await record(tracker, pipeline_id, *range(5))
    (one, two), now = await read_both(database, a, a)
    assert [output.value for _, output in one.contents.values()] == [*range(5)]
    assert not compare(one, two, now=now).differs
    monkeypatch.setattr(comparing, "ATTEMPTS_LIMIT", 3)
    (one, _), _ = await read_both(database, a, a)
    assert (len(one.steps), one.more_steps) == (3, True)


async def test_levels_are_read_and_aligned_by_their_address(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    within, ids = run_path(GRAPH, "work", 1), list[ExecutionId]()
    for _ in range(2):
        execution_id = ExecutionId(await tracker.start_execution(pipeline_id))
        for step_id, level in (("work", GRAPH), ("item", within)):
            start = StepStart(
                step_execution_id=StepExecutionId(new_id()),
                step_id=step_id,
                step_name="S",
                step_type="task",
                within=level,
            )
            await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, starts=(start,)))
        ids.append(execution_id)
    (one, two), now = await read_both(database, *ids)
    found = compare(one, two, now=now)
    assert [(pair.within, pair.step_id) for pair in found.steps] == [(within, "item"), (GRAPH, "work")]
    assert found.as_of == now


async def test_states_and_outputs_that_are_not_stored_are_made_again(database: DatabaseManager) -> None:
    flow = Flow("Chain")

    @flow.step
    def first(data: dict[str, int]) -> dict[str, int]:
        return {"doubled": 2 * data["n"], "fixed": 1}

    @flow.step
    def second(data: dict[str, int]) -> dict[str, int]:
        return {"sum": data["doubled"] + data["n"]}

    first >> second  # pyright: ignore[reportUnusedExpression]
    async with Client(database) as client:
        a, again, b = [(await client.run(flow, {"n": n}))["execution_id"] for n in (1, 1, 2)]
        same, other = await client.compare(again), await client.compare(b, a)
    assert (same.b.execution_id, same.differs) == (a, False)
    assert other.divergence is not None
    assert (other.divergence.kind, other.divergence.step_id) == ("input", "first")
    first_pair, second_pair = other.steps
    assert first_pair.input is not None
    assert second_pair.input is not None
    assert [(change.path, change.a, change.b) for change in first_pair.input.changes] == [("$.n", "2", "1")]
    assert [change.path for change in second_pair.input.changes] == ["$.doubled", "$.n"]
    assert [change.path for change in other.output.changes][:2] == ["$.doubled", "$.first.doubled"]


async def test_an_id_that_names_nothing_is_not_found(
    database: DatabaseManager, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    known = await record(tracker, pipeline_id)
    for pair in ((known, "nobody"), ("nobody", known)):
        with pytest.raises(ExecutionNotFound, match="nobody"):
            await read_both(database, *pair)
