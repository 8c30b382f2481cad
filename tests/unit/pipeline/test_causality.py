"""What a step run follows from, and in which order results are laid over each other."""

from itertools import pairwise
from typing import Any

from ia_modules.pipeline.causality import causal_ancestors, causal_order
from ia_modules.pipeline.tokens import GraphState, StepRunKey, ready
from tests.unit.pipeline.factories import graph
from tests.unit.pipeline.test_tokens import Play


def named(keys: list[StepRunKey]) -> list[str]:
    return [f"{key.step_id}{key.iteration}" for key in keys]


def ancestors_of_next(play: Play, step_id: str) -> list[str]:
    return named(causal_ancestors(play.state, play.next(step_id).parents))


def test_nothing_led_to_the_first_step() -> None:
    play = Play(graph("a"))
    assert ancestors_of_next(play, "a") == []


def test_a_chain_is_in_its_order() -> None:
    play = Play(graph("c", "b", "a", paths=[("c", "b"), ("b", "a")]))
    play.does("c", to="b")
    play.does("b", to="a")
    assert ancestors_of_next(play, "a") == ["c1", "b1"]


def test_what_a_parallel_branch_did_is_not_visible_before_the_join() -> None:
    play = Play(graph("a", "b", "c", "b2", "d", paths=[("a", "b"), ("a", "c"), ("b", "b2"), ("b2", "d"), ("c", "d")]))
    play.does("a", to="b c")
    play.does("c", to="d")
    play.does("b", to="b2")
    assert ancestors_of_next(play, "b2") == ["a1", "b1"]


def test_branches_join_in_file_order_of_their_paths_whatever_ended_first() -> None:
    paths: list[Any] = [("a", "b"), ("a", "c"), ("c", "c2"), ("c2", "d"), ("b", "d")]
    for first, second in (("b", "c"), ("c", "b")):
        play = Play(graph("a", "b", "c", "c2", "d", paths=paths))
        play.does("a", to="b c")
        for step_id in (first, second):
            play.does(step_id, to="d c2")
        play.does("c2", to="d")
        assert ancestors_of_next(play, "d") == ["a1", "c1", "c21", "b1"]


def test_what_is_before_a_branch_stays_below_it() -> None:
    """The second path joins a branch that started from the first: cause goes before the order of the paths."""
    play = Play(graph("a", "b", "d", paths=[("a", "b"), ("b", "d"), ("a", "d")]))
    play.does("a", to="b d")
    play.does("b", to="d")
    assert ancestors_of_next(play, "d") == ["a1", "b1"]


def test_a_later_iteration_lies_over_an_earlier_one() -> None:
    play = Play(graph("a", "b", paths=[("a", "b"), ("b", "a", "parameter:x")]))
    for _ in range(2):
        play.does("a", to="b")
        play.does("b", to="a")
    assert ancestors_of_next(play, "a") == ["a1", "b1", "a2", "b2"]


def test_a_later_iteration_lies_over_an_earlier_one_that_did_not_lead_to_it() -> None:
    """B and c wait for each other; b1 goes on to x, c1 alone leads to b2, whose path joins that of x first."""
    may: Any = "parameter:x"
    paths = [("a", "b"), ("a", "c"), ("b", "join", may), ("b", "x", may), ("x", "join"), ("c", "b", may)]
    paths += [("b", "c", may)]
    play = Play(graph("a", "b", "c", "x", "join", paths=paths))
    play.does("a", to="b c")
    play.does("b", to="x")
    play.does("c", to="b")
    play.does("b", to="join")
    play.does("x", to="join")
    assert play.next("join").parents == (("b", 2), ("x", 1))
    assert ancestors_of_next(play, "join") == ["a1", "c1", "b1", "b2", "x1"]


def test_all_runs_are_ordered_by_cause_and_then_by_file() -> None:
    play = Play(graph("a", "c", "b", "e", paths=[("a", "b"), ("a", "c"), ("b", "e")]))
    play.does("a", to="b c")
    play.does("b", to="e")
    play.does("e")
    play.does("c")
    assert named(causal_order(play.state)) == ["a1", "c1", "b1", "e1"]


def test_a_chain_may_be_longer_than_pythons_stack() -> None:
    ids = [f"s{number}" for number in range(3000)]
    play = Play(graph(*ids, paths=list(pairwise(ids))))
    for step_id, following in pairwise(ids):
        play.does(step_id, to=following)
    [start] = ready(play.state)
    assert len(causal_ancestors(play.state, start.parents)) == 2999
    assert len(causal_order(GraphState(play.state.graph, play.state.runs.values()))) == 2999
