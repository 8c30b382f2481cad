"""What is within a run is read in pages, each run as its latest attempt stands, and counted by status."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ExecutionNotFound, InvalidArgument
from ia_modules.models import ExecutionId, PipelineId, RunPath, StepExecutionId, StepStatus, new_id
from ia_modules.paths import GRAPH, run_path
from ia_modules.payload import encode
from ia_modules.pipeline.recorded import refs_json
from ia_modules.tracker import levels
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.levels import RunFilters, RunPage, run_params
from ia_modules.transitions import Failure, StepStart, StepUpdate, Transition

WORK = run_path(GRAPH, "work", 1)
ENDS = (StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.CANCELLED)
Attempts = tuple[StepStatus, ...]


async def level_of(
    tracker: ExecutionTracker, pipeline_id: PipelineId, runs: dict[tuple[str, int], Attempts], within: RunPath = WORK
) -> ExecutionId:
    """An execution with one level of runs, each of which has attempts that ended so; the last may run."""
    execution_id = ExecutionId(await tracker.start_execution(pipeline_id))
    await tracker.start_step_execution(execution_id, "work", "Work", "task")
    await record_level(tracker, execution_id, runs, within)
    return execution_id


async def record_level(
    tracker: ExecutionTracker, execution_id: ExecutionId, runs: dict[tuple[str, int], Attempts], within: RunPath
) -> None:
    for (step_id, iteration), attempts in runs.items():
        for attempt, status in enumerate(attempts, start=1):
            start = StepStart(
                step_execution_id=StepExecutionId(new_id()),
                step_id=step_id,
                step_name=f"{step_id}-{iteration}",
                step_type="inner",
                within=within,
                iteration=iteration,
                attempt=attempt,
            )
            failure = Failure(type="OSError", message="no answer") if status is StepStatus.FAILED else None
            end = StepUpdate(step_execution_id=start.step_execution_id, status=status, failure=failure)
            updates = () if status is StepStatus.RUNNING else (end,)
            transition = Transition(execution_id=execution_id, writer=tracker.owner, starts=(start,))
            await tracker.record(transition)
            if updates:
                await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, updates=updates))


def keys(page: RunPage) -> list[tuple[str, int, int, StepStatus]]:
    return [(run.step_id, run.iteration, run.attempt, run.status) for run in page.items]


async def every_page(tracker: ExecutionTracker, execution_id: ExecutionId, filters: RunFilters, limit: int) -> RunPage:
    """All pages as one, of which the first alone is counted."""
    first = page = await tracker.list_runs(execution_id, filters, limit=limit)
    items = [*page.items]
    while page.next_cursor is not None:
        assert len(page.items) == limit
        page = await tracker.list_runs(execution_id, filters, page.next_cursor, limit)
        assert page.by_status is None
        items += page.items
    return RunPage(items=items, next_cursor=None, by_status=first.by_status)


async def test_a_run_is_listed_once_as_its_latest_attempt_stands(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    failed, done, runs = StepStatus.FAILED, StepStatus.COMPLETED, StepStatus.RUNNING
    level: dict[tuple[str, int], Attempts] = {
        ("ask", 1): (failed, done),
        ("ask", 2): (failed, failed),
        ("ask", 10): (runs,),
        ("find", 1): (done,),
    }
    execution_id = await level_of(tracker, pipeline_id, level)
    page = await tracker.list_runs(execution_id, RunFilters(within=WORK))
    assert keys(page) == [("ask", 1, 2, done), ("ask", 2, 2, failed), ("ask", 10, 1, runs), ("find", 1, 1, done)]
    assert page.by_status == {runs: 1, done: 2, failed: 1}
    only = await tracker.list_runs(execution_id, RunFilters(within=WORK, status=failed))
    assert keys(only) == [("ask", 2, 2, failed)]
    assert only.by_status == page.by_status  # of the level, whatever is looked for
    assert keys(await tracker.list_runs(execution_id, RunFilters(within=WORK, text="ASK-1"))) == [
        ("ask", 1, 2, done),
        ("ask", 10, 1, runs),
    ]
    assert keys(await tracker.list_runs(execution_id, RunFilters(within=WORK, text="%"))) == []
    of_graph = await tracker.list_runs(execution_id)
    assert (keys(of_graph), of_graph.by_status) == ([("work", 1, 1, runs)], {runs: 1})
    assert (await tracker.list_runs(execution_id, RunFilters(status=runs))).items == of_graph.items
    empty = await tracker.list_runs(execution_id, RunFilters(within=run_path(WORK, "ask", 1)))
    assert (empty.items, empty.next_cursor, empty.by_status) == ([], None, {})


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "b:1", "b"]), st.integers(1, 12)),
        st.lists(st.sampled_from(ENDS), min_size=1, max_size=3).map(tuple),
        max_size=8,
    ),
    st.sampled_from([None, *ENDS]),
    st.sampled_from([None, "b", "1"]),
    st.integers(1, 3),
)
async def test_pages_of_any_size_have_each_run_once(
    tracker: ExecutionTracker,
    pipeline_id: PipelineId,
    runs: dict[tuple[str, int], Attempts],
    status: StepStatus | None,
    text: str | None,
    limit: int,
) -> None:
    execution_id = await level_of(tracker, pipeline_id, runs)
    page = await every_page(tracker, execution_id, RunFilters(within=WORK, status=status, text=text), limit)
    latest = {key: (len(attempts), attempts[-1]) for key, attempts in runs.items()}
    expected = {
        (step_id, iteration, *standing)
        for (step_id, iteration), standing in latest.items()
        if status in (None, standing[1]) and (text is None or text in f"{step_id}-{iteration}")
    }
    assert (set(keys(page)), len(page.items)) == (expected, len(expected))
    counted = {each: sum(last is each for _, last in latest.values()) for each in ENDS}
    assert page.by_status == {each: count for each, count in counted.items() if count}


async def test_pages_stay_put_while_runs_begin_and_end(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    done = (StepStatus.COMPLETED,)
    execution_id = await level_of(tracker, pipeline_id, {("work", n): done for n in (2, 4, 6)})
    page = await tracker.list_runs(execution_id, RunFilters(within=WORK), limit=2)
    await record_level(tracker, execution_id, {("work", n): done for n in (1, 5, 7)}, WORK)
    more = await tracker.list_runs(execution_id, RunFilters(within=WORK), page.next_cursor)
    assert [run.iteration for run in (*page.items, *more.items)] == [2, 4, 5, 6, 7]


async def map_of(
    tracker: ExecutionTracker, pipeline_id: PipelineId, items: int | None, runs: dict[int, Attempts]
) -> ExecutionId:
    """An execution with a map of so many items, of which these have begun; None: its list is not known."""
    execution_id = ExecutionId(await tracker.start_execution(pipeline_id))
    refs = encode(refs_json((), is_state=False, items=items), "refs")
    start = StepStart(
        step_execution_id=StepExecutionId(new_id()),
        step_id="work",
        step_name="Work",
        step_type="task",
        input_refs=refs,
    )
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, starts=(start,)))
    await record_level(tracker, execution_id, {("work", number): attempts for number, attempts in runs.items()}, WORK)
    return execution_id


async def test_the_items_of_a_map_are_squares_in_the_order_of_its_list(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    failed, done, runs = StepStatus.FAILED, StepStatus.COMPLETED, StepStatus.RUNNING
    begun: dict[int, Attempts] = {1: (done,), 2: (failed, done), 3: (failed,), 5: (done, runs)}
    execution_id = await map_of(tracker, pipeline_id, 6, begun)
    grid = await tracker.item_grid(execution_id, "work")
    assert (grid.items, grid.per_square) == (6, 1)
    assert grid.squares == (done, done, failed, None, runs, None)
    assert grid.by_status == {runs: 1, done: 2, failed: 1}
    summary = await tracker.get_execution_summary(execution_id)
    assert summary is not None
    assert grid.sequence == summary.sequence
    # What else is within the run is no item.
    await record_level(tracker, execution_id, {("other", 4): (failed,)}, WORK)
    assert (await tracker.item_grid(execution_id, "work")).squares == grid.squares


@pytest.mark.parametrize("items", [None, 0])
async def test_what_has_no_items_has_no_squares(
    tracker: ExecutionTracker, pipeline_id: PipelineId, items: int | None
) -> None:
    execution_id = await map_of(tracker, pipeline_id, items, {})
    for step_id, iteration in (("work", 1), ("work", 2), ("nobody's", 1), ("/" * 255, 2**31 - 1)):
        grid = await tracker.item_grid(execution_id, step_id, iteration)
        assert (grid.items, grid.per_square, grid.squares, grid.by_status) == (0, 1, (), {})
    with pytest.raises(ExecutionNotFound):
        await tracker.item_grid(new_id(), "work")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 11),
    st.integers(1, 4),
    st.dictionaries(st.integers(1, 11), st.lists(st.sampled_from(ENDS), min_size=1, max_size=2).map(tuple)),
)
async def test_a_square_of_several_items_has_the_worst_status_in_it(
    tracker: ExecutionTracker, pipeline_id: PipelineId, items: int, most: int, runs: dict[int, Attempts]
) -> None:
    begun = {number: attempts for number, attempts in runs.items() if number <= items}
    execution_id = await map_of(tracker, pipeline_id, items, begun)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levels, "MOST_SQUARES", most)
        grid = await tracker.item_grid(execution_id, "work")
    latest = [begun[number][-1] if number in begun else None for number in range(1, items + 1)]
    assert len(grid.squares) <= most
    worst_first = [StepStatus.FAILED, StepStatus.CANCELLED, None, StepStatus.COMPLETED]
    shared = [latest[first : first + grid.per_square] for first in range(0, items, grid.per_square)]
    assert list(grid.squares) == [min(square, key=worst_first.index) for square in shared]
    counted = {each: latest.count(each) for each in ENDS}
    assert grid.by_status == {each: count for each, count in counted.items() if count}


async def test_the_runs_of_the_graph_that_have_something_within_them_are_known(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    done = {("x", 1): (StepStatus.COMPLETED,)}
    execution_id = ExecutionId(await tracker.start_execution(pipeline_id))
    assert await tracker.list_levels(execution_id) == []
    paths = [run_path(GRAPH, step_id, n) for step_id in ("a", "a/b", "work", "wörk") for n in (1, 2, 11)]
    for path in paths:
        await record_level(tracker, execution_id, done, path)
        await record_level(tracker, execution_id, done, run_path(path, "x", 1))
    assert sorted(await tracker.list_levels(execution_id)) == sorted(paths)


async def test_what_is_no_execution_and_no_cursor_is_refused(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    with pytest.raises(ExecutionNotFound):
        await tracker.list_runs(new_id())
    with pytest.raises(ExecutionNotFound):
        await tracker.list_levels("nobody's")
    execution_id = await tracker.start_execution(pipeline_id)
    for cursor in ("", "work", "x:work", "-1:work", f"{2**31}:work", "1:a\0", "1" * 11 + ":a"):
        with pytest.raises(InvalidArgument, match="next_cursor"):
            await tracker.list_runs(execution_id, cursor=cursor)
    with pytest.raises(InvalidArgument, match="limit"):
        await tracker.list_runs(execution_id, limit=0)
    assert run_params(RunFilters(), "3:a:b\nc") == {"within": "", "step_id": "a:b\nc", "iteration": 3}


async def test_the_client_has_the_same_door(database: DatabaseManager) -> None:
    async with Client(database) as client:
        pipeline_id = await client.tracker.register_pipeline("nightly", "Nightly")
        execution_id = await level_of(client.tracker, pipeline_id, {("ask", 1): (StepStatus.COMPLETED,)})
        by_id = await client.runs(execution_id, RunFilters(within=WORK))
        assert [run.step_id for run in by_id.items] == ["ask"]
        assert by_id.to_dict()["by_status"] == {"completed": 1}
        mapped = await map_of(client.tracker, pipeline_id, 2, {2: (StepStatus.COMPLETED,)})
        assert (await client.item_grid(mapped, "work")).squares == (None, StepStatus.COMPLETED)
