"""Scenes from PIPELINE_FORMAT.md: what starts, what waits, and where an execution stands."""

import sys
from collections.abc import Callable
from itertools import pairwise
from types import FrameType
from typing import Any

import pytest
from msgspec.structs import replace

from ia_modules.errors import StepConflict
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.routing import timeout_route
from ia_modules.pipeline.tokens import GraphState, Route, Start, StepRun, StepRunKey, loop_limit, ready, verdict
from tests.unit.pipeline.factories import graph, task

COMPLETED, FAILED, RUNNING = StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.RUNNING


class Play:
    """An execution by hand: ``does("a", to="b")`` starts a step, completes it and takes the paths to these steps."""

    def __init__(self, graph: Graph) -> None:
        self.state = GraphState(graph)

    def ready(self) -> list[str]:
        return [f"{start.key.step_id}#{start.key.iteration}" for start in ready(self.state)]

    def next(self, step_id: str) -> Start:
        return next(start for start in ready(self.state) if start.key.step_id == step_id)

    def starts(self, step_id: str, status: StepStatus = RUNNING) -> StepRun:
        start = self.next(step_id)
        run = StepRun(start.key, status, start.parents)
        self.state.record(run)
        return run

    def ends(self, run: StepRun, to: str = "", status: StepStatus = COMPLETED) -> StepRun:
        routes = tuple(
            Route(index, path.to_step, path.to_step in to.split(), "said so")
            for index, path in self.state.graph.paths_of(run.key.step_id)
        )
        ended = replace(run, status=status, routes=routes)
        self.state.record(ended)
        return ended

    def does(self, step_id: str, to: str = "") -> StepRun:
        return self.ends(self.starts(step_id), to)


DIAMOND: list[Any] = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]
LOOP: list[Any] = [("a", "b"), ("b", "a", "parameter:again"), ("b", "c", "else")]


def test_the_first_step_starts_without_parents() -> None:
    play = Play(graph("a", "b", paths=[("a", "b")]))
    assert ready(play.state) == [Start(StepRunKey("a", 1), (), closes_loop=False)]
    assert verdict(play.state) is ExecutionStatus.RUNNING


def test_all_taken_paths_start_at_once() -> None:
    play = Play(graph("a", "b", "c", "d", paths=DIAMOND))
    play.does("a", to="b c")
    assert play.ready() == ["b#1", "c#1"]


def test_a_join_waits_for_every_branch_that_was_taken() -> None:
    play = Play(graph("a", "b", "c", "d", paths=DIAMOND))
    play.does("a", to="b c")
    slow = play.starts("c")
    play.does("b", to="d")
    assert play.ready() == []
    play.ends(slow, to="d")
    assert play.next("d").parents == (("b", 1), ("c", 1))


def test_a_join_does_not_wait_for_a_branch_that_was_not_taken() -> None:
    play = Play(graph("a", "b", "c", "d", paths=DIAMOND))
    play.does("a", to="b")
    play.does("b", to="d")
    assert play.next("d").parents == (("b", 1),)


def test_a_join_goes_on_when_a_branch_ends_before_it() -> None:
    play = Play(graph("a", "b", "c", "d", paths=DIAMOND))
    play.does("a", to="b c")
    play.does("b", to="d")
    play.does("c")
    assert play.ready() == ["d#1"]


def test_a_join_waits_for_a_branch_that_waits_for_a_person() -> None:
    play = Play(graph("a", "b", "c", "d", paths=DIAMOND))
    play.does("a", to="b c")
    waiting = play.starts("c", StepStatus.WAITING)
    play.does("b", to="d")
    assert play.ready() == []
    assert verdict(play.state) is ExecutionStatus.WAITING_FOR_HUMAN
    play.ends(waiting, to="d")
    assert play.ready() == ["d#1"]


def test_an_execution_runs_while_anything_but_a_question_is_open() -> None:
    play = Play(graph("a", "b", "c", "d", paths=DIAMOND))
    play.does("a", to="b c")
    play.starts("c", StepStatus.WAITING)
    assert verdict(play.state) is ExecutionStatus.RUNNING
    play.starts("b")
    assert verdict(play.state) is ExecutionStatus.RUNNING


def test_parents_stand_in_the_order_of_the_joining_paths_in_the_file() -> None:
    play = Play(graph("a", "b", "c", "d", paths=[("a", "b"), ("a", "c"), ("c", "d"), ("b", "d")]))
    play.does("a", to="b c")
    play.does("b", to="d")
    play.does("c", to="d")
    assert play.next("d").parents == (("c", 1), ("b", 1))


def test_two_paths_to_the_same_step_are_one_start() -> None:
    play = Play(graph("a", "b", paths=[("a", "b"), ("a", "b")]))
    play.does("a", to="b")
    assert play.next("b").parents == (("a", 1),)
    play.does("b")
    assert play.ready() == []


def test_a_parent_with_two_paths_stands_where_the_first_of_them_does() -> None:
    paths = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("b", "d")]
    play = Play(graph("a", "b", "c", "d", paths=paths))
    play.does("a", to="b c")
    play.does("b", to="d")
    play.does("c", to="d")
    assert play.next("d").parents == (("b", 1), ("c", 1))


def test_a_loop_head_does_not_wait_for_its_own_way_back() -> None:
    play = Play(graph("a", "b", "c", paths=LOOP))
    assert play.ready() == ["a#1"]
    play.does("a", to="b")
    play.does("b", to="a")
    assert ready(play.state) == [Start(StepRunKey("a", 2), (StepRunKey("b", 1),), closes_loop=True)]
    play.does("a", to="b")
    assert play.next("b") == Start(StepRunKey("b", 2), (StepRunKey("a", 2),), closes_loop=False)
    play.does("b", to="c")
    play.does("c")
    assert verdict(play.state) is ExecutionStatus.COMPLETED


def test_a_step_that_leads_to_itself_runs_again() -> None:
    play = Play(graph("a", paths=[("a", "a", "parameter:again")]))
    play.does("a", to="a")
    assert ready(play.state) == [Start(StepRunKey("a", 2), (StepRunKey("a", 1),), closes_loop=True)]


def test_of_tokens_that_wait_for_each_other_the_first_in_file_order_starts() -> None:
    paths = [("a", "c"), ("a", "b"), ("b", "c", "parameter:x"), ("c", "b", "parameter:x")]
    play = Play(graph("a", "b", "c", paths=paths))
    play.does("a", to="b c")
    assert play.ready() == ["b#1"]
    running = play.starts("b")
    assert play.ready() == []
    play.ends(running)
    assert play.ready() == ["c#1"]


def test_tokens_that_wait_for_each_other_first_wait_for_what_can_still_reach_them() -> None:
    """B and c wait for each other, but the question at d may still send them another token."""
    either = "parameter:x"
    paths = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c", either), ("c", "b", either), ("d", "b", either)]
    play = Play(graph("a", "b", "c", "d", paths=paths))
    play.does("a", to="b c d")
    waiting = play.starts("d", StepStatus.WAITING)
    assert play.ready() == []
    play.ends(waiting, to="b")
    assert play.next("b").parents == (("a", 1), ("d", 1))


def test_tokens_that_wait_for_each_other_do_not_wait_for_what_cannot_reach_them() -> None:
    either = "parameter:x"
    paths = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c", either), ("c", "b", either)]
    play = Play(graph("a", "b", "c", "d", paths=paths))
    play.does("a", to="b c d")
    play.starts("d", StepStatus.WAITING)
    assert play.ready() == ["b#1"]


@pytest.mark.parametrize("target", ["end", "end_with_success"])
def test_end_ends_the_branch_and_not_the_others(target: str) -> None:
    play = Play(graph("a", "b", "c", paths=[("a", "b"), ("a", "c"), ("b", target)]))
    play.does("a", to="b c")
    play.does("b", to=target)
    assert play.ready() == ["c#1"]
    play.does("c")
    assert verdict(play.state) is ExecutionStatus.COMPLETED


def test_a_branch_ends_where_no_path_holds() -> None:
    play = Play(graph("a", "b", paths=[("a", "b", "parameter:x")]))
    play.does("a")
    assert verdict(play.state) is ExecutionStatus.COMPLETED


def test_nothing_starts_once_a_step_has_failed_for_good() -> None:
    play = Play(graph("a", "b", "c", "d", paths=DIAMOND))
    play.does("a", to="b c")
    failing = play.starts("b")
    play.state.record(replace(failing, status=FAILED))
    assert play.ready() == []
    assert verdict(play.state) is ExecutionStatus.FAILED


def test_a_failure_with_routes_lets_the_flow_go_on() -> None:
    play = Play(graph("a", "b", paths=[("a", "b")]))
    play.ends(play.starts("a"), to="b", status=FAILED)
    assert play.ready() == ["b#1"]
    play.does("b")
    assert verdict(play.state) is ExecutionStatus.COMPLETED


def test_failed_stands_although_siblings_were_cancelled() -> None:
    play = Play(graph("a", "b", "c", "d", paths=DIAMOND))
    play.does("a", to="b c")
    sibling, failing = play.starts("c"), play.starts("b")
    play.state.record(replace(sibling, status=StepStatus.CANCELLED))
    assert verdict(play.state) is ExecutionStatus.CANCELLED
    play.state.record(replace(failing, status=FAILED))
    assert verdict(play.state) is ExecutionStatus.FAILED


@pytest.mark.parametrize("status", [StepStatus.PENDING, StepStatus.RUNNING, StepStatus.LOST])
def test_what_is_between_two_attempts_is_still_active(status: StepStatus) -> None:
    play = Play(graph("a", "b", paths=[("a", "b")]))
    run = replace(play.starts("a"), status=status)
    play.state.record(run)
    assert play.state.active() == [run]
    assert play.ready() == []
    assert verdict(play.state) is ExecutionStatus.RUNNING


def test_without_an_answer_the_step_that_on_timeout_names_goes_on() -> None:
    ask = {"id": "ask", "type": "human_input", "config": {"on_timeout": "remind", "timeout_seconds": 5}}
    play = Play(graph(ask, "use", "remind", paths=[("ask", "use")]))
    waiting = play.starts("ask", StepStatus.WAITING)
    routes = timeout_route(play.state.graph, "ask")
    assert [(route.path, route.to_step, route.taken) for route in routes] == [(0, "use", False), (None, "remind", True)]
    play.state.record(replace(waiting, status=COMPLETED, routes=routes))
    assert play.next("remind").parents == (("ask", 1),)


def test_a_join_waits_for_the_step_that_on_timeout_might_name() -> None:
    ask = {"id": "ask", "type": "human_input", "config": {"on_timeout": "join"}}
    play = Play(graph("a", ask, "b", "join", paths=[("a", "ask"), ("a", "b"), ("b", "join"), ("ask", "end")]))
    play.does("a", to="ask b")
    play.starts("ask", StepStatus.WAITING)
    play.does("b", to="join")
    assert play.ready() == []


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (StepRun(StepRunKey("b", 1), RUNNING, (StepRunKey("x", 1),)), "iteration 1, following from x#1"),
        (StepRun(StepRunKey("b", 2), RUNNING, (StepRunKey("a", 1),)), "iteration 2, following from a#1"),
        (StepRun(StepRunKey("c", 1), RUNNING, (StepRunKey("a", 1),)), "following from nothing"),
        (StepRun(StepRunKey("a", 2), RUNNING), "iteration 2, following from the start"),
        (StepRun(StepRunKey("a", 1), COMPLETED), "completed without routes"),
        (StepRun(StepRunKey("a", 1), COMPLETED, (), (Route(0, "c", True, ""),)), "leading to 'c'"),
        (StepRun(StepRunKey("a", 1), COMPLETED, (), (Route(9, "b", True, ""),)), "leading to None"),
        (StepRun(StepRunKey("a", 1), RUNNING, ()), "recorded as StepRun"),
    ],
)
def test_a_record_that_does_not_follow_is_refused(run: StepRun, message: str) -> None:
    play = Play(graph("a", "b", "c", paths=[("a", "b")]))
    if run.key.step_id != "a" or run.status is RUNNING:
        play.does("a", to="b")
    with pytest.raises(StepConflict) as refused:
        play.state.record(run)
    assert message in str(refused.value)


def test_a_route_survives_its_record() -> None:
    route = Route(3, "b", True, "score is 1")
    assert Route.from_json(route.to_json()) == route


@pytest.mark.parametrize(
    ("iteration", "seconds", "limit"),
    [(1, 1e9, None), (3, 10.0, None), (4, 0.0, "max_iterations"), (2, 10.5, "max_loop_time_seconds")],
)
def test_a_loop_ends_at_its_limits(iteration: int, seconds: float, limit: str | None) -> None:
    limited = graph("a", "b", loop_config={"max_iterations": 3, "max_loop_time_seconds": 10})
    start = Start(StepRunKey("a", iteration), (), closes_loop=True)
    error = loop_limit(limited, start, loop_seconds=seconds)
    assert (error and error.limit) == limit


def test_the_limit_of_a_step_stands_in_place_of_that_of_all() -> None:
    limited = graph(task("a", max_iterations=5), "b", loop_config={"max_iterations": 3})
    starts = {(step, n): Start(StepRunKey(step, n), (), closes_loop=True) for step, n in (("a", 5), ("a", 6), ("b", 4))}
    errors = {place: loop_limit(limited, start, loop_seconds=0) for place, start in starts.items()}
    assert {place: str(error) for place, error in errors.items() if error is not None} == {
        ("a", 6): "Step 'a' failed: it has run 5 times, and its max_iterations allows 5. "
        "Give the loop a way out, or raise the limit.",
        ("b", 4): "Step 'b' failed: it has run 3 times, and loop_config.max_iterations allows 3. "
        "Give the loop a way out, or raise the limit.",
    }


ENDS: list[Any] = [
    ("a", "b"),
    ("a", "c"),
    {"from": "b", "to": "end", "ends": "execution"},
    ("b", "d"),
    ("c", "d"),
]


def test_a_path_that_ends_the_execution_leaves_nothing_to_start_and_nothing_to_wait_for() -> None:
    play = Play(graph("a", "b", "c", "d", paths=ENDS))
    play.does("a", to="b c")
    waiting = play.starts("c", StepStatus.WAITING)
    play.does("b", to="end d")
    assert play.state.ended == StepRunKey("b", 1)
    assert (play.ready(), verdict(play.state)) == ([], ExecutionStatus.COMPLETED)
    assert [run.key.step_id for run in play.state.active()] == ["c"]
    play.state.record(replace(waiting, status=StepStatus.CANCELLED))
    assert verdict(play.state) is ExecutionStatus.COMPLETED, "what was stopped beside it does not make it fail"


def test_a_plain_end_ends_its_branch_alone() -> None:
    play = Play(graph("a", "b", "c", "d", paths=ENDS))
    play.does("a", to="b c")
    play.does("b", to="d")
    assert (play.state.ended, verdict(play.state)) == (None, ExecutionStatus.RUNNING)


def test_the_first_that_ended_it_stands_also_when_all_is_replayed_in_another_order() -> None:
    written = graph("a", "b", "c", paths=[("a", "b"), ("a", "c"), {"from": "c", "to": "end", "ends": "execution"}])
    play = Play(written)
    play.does("a", to="b c")
    play.starts("b")
    play.does("c", to="end")
    a, b, c = (play.state.runs[StepRunKey(step_id, 1)] for step_id in "abc")
    replayed = GraphState(written, [a, c, b])
    assert (replayed.ended, verdict(replayed)) == (StepRunKey("c", 1), ExecutionStatus.COMPLETED)


def run_through(shape: str, count: int) -> None:
    ids = [f"s{number}" for number in range(count)]
    chain = ids if shape == "chain" else ["s0", *reversed(ids[1:])]
    edges = list(pairwise(chain))
    if shape == "fan":
        edges = [("s0", step_id) for step_id in ids[1:-1]] + [(step_id, ids[-1]) for step_id in ids[1:-1]]
    written = graph(*ids, paths=edges)
    state = GraphState(Graph(written.definition))
    while starts := ready(state):
        for start in starts:
            state.record(StepRun(start.key, RUNNING, start.parents))
        for run in state.active():
            routes = tuple(Route(index, path.to_step, True, "") for index, path in written.paths_of(run.key.step_id))
            state.record(replace(run, status=COMPLETED, routes=routes))
            assert ready(state) is not None
    assert len(state.runs) == count
    assert verdict(state) is ExecutionStatus.COMPLETED


def lines_run(code: Callable[[], None]) -> int:
    """How many lines of Python a call runs, each as often as it does: its work, on any machine."""
    lines = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        code()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("shape", ["chain", "chain upwards", "fan"])
def test_the_work_grows_with_the_number_of_steps_and_not_with_its_square(shape: str) -> None:
    few, many = (lines_run(lambda count=count: run_through(shape, count)) for count in (100, 400))
    assert many < 6 * few, "four times the steps, with the square it were sixteen times the work"
