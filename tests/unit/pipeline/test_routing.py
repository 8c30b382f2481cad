"""Which paths are taken, and what is recorded of those that are not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.pipeline.document.conditions import FunctionCall, Verdict
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.routing import functions_asked, next_function, route
from ia_modules.pipeline.tokens import Route
from tests.unit.pipeline.factories import graph, path, task


def no_function(call: FunctionCall) -> Verdict:
    raise AssertionError(call)


def targets(graph: Graph, result: dict[str, Any], step_id: str = "a") -> list[str]:
    routes = route(graph, step_id, Scope.of({}).after(step_id, result), no_function)
    return [each.to_step for each in routes if each.taken]


SCORE: Any = {"type": "field_greater_than", "field": "score", "value": 3}
GOOD: Any = {"type": "field_equals", "field": "good", "value": True}


@pytest.mark.parametrize(
    ("result", "taken"),
    [
        ({"score": 5, "good": True}, ["b", "c", "d"]),
        ({"score": 5}, ["b", "d"]),
        ({"good": True}, ["c", "d"]),
        ({}, ["d"]),
    ],
)
def test_all_paths_whose_condition_holds_are_taken(result: dict[str, Any], taken: list[str]) -> None:
    paths = [("a", "b", SCORE), ("a", "c", GOOD), ("a", "d")]
    assert targets(graph("a", "b", "c", "d", paths=paths), result) == taken


@pytest.mark.parametrize(("result", "taken"), [({"score": 5}, ["b"]), ({"score": 1}, ["c", "d"])])
def test_else_is_taken_when_no_sibling_held_wherever_it_stands(result: dict[str, Any], taken: list[str]) -> None:
    paths = [("a", "c", "else"), ("a", "b", SCORE), ("a", "d", "default")]
    written = graph("a", "b", "c", "d", paths=paths)
    assert sorted(targets(written, result)) == taken


def test_every_path_is_on_record_with_its_reason() -> None:
    written = graph("z", "a", "b", "c", paths=[("z", "a"), ("a", "b", SCORE), ("a", "end", GOOD), ("a", "c", "else")])
    routes = route(written, "a", Scope.of({}).after("a", {"score": 5}), no_function)
    assert routes == (
        Route(1, "b", True, "score is 5 > 3"),
        Route(2, "end", False, "good is missing: there is no such field (the state has no 'good') ≠ true"),
        Route(3, "c", False, "another path was taken: to b"),
    )
    otherwise = route(written, "a", Scope.of({}).after("a", {"score": 1}), no_function)
    assert otherwise[2] == Route(3, "c", True, "no other path was taken")


def test_a_step_without_paths_has_no_routes() -> None:
    assert route(graph("a"), "a", Scope.of({}), no_function) == ()


@pytest.mark.parametrize(
    ("result", "taken"), [({"status": "go", "score": 5}, ["b"]), ({"status": "go"}, ["c"]), ({}, ["c"])]
)
def test_the_paths_of_a_condition_step_follow_its_conditions(result: dict[str, Any], taken: list[str]) -> None:
    go = {"field": "status", "operator": "equals", "value": "go"}
    check = {"id": "a", "type": "condition", "conditions": [go, {"field": "score", "operator": ">", "value": 3}]}
    paths = [("a", "b", {"type": "condition"}), ("a", "c", {"type": "else"})]
    assert targets(graph(check, "b", "c", paths=paths), result) == taken


def function(name: str) -> dict[str, Any]:
    return {"type": "function", "module_path": "checks", "function_name": name}


def answered(written: Graph, scope: Scope, **answers: bool) -> dict[FunctionCall, Verdict]:
    """The functions that are called after step ``a``, one after the other, with their answers."""
    called: dict[FunctionCall, Verdict] = {}
    while (call := next_function(written, "a", scope, called)) is not None:
        assert call not in called
        called[call] = Verdict(answers[call.function_name], f"{call} said {answers[call.function_name]}")
    return called


def test_functions_are_asked_beforehand_and_their_answers_recorded() -> None:
    check = function("is_good")
    written = graph("a", "b", "c", paths=[("a", "b", check), ("a", "c", {"type": "not", "condition": check})])
    answers = {call: Verdict(True, "checks.is_good said true") for call in functions_asked(written, "a")}
    assert len(answers) == 1
    assert answered(written, Scope.of({}), is_good=True).keys() == answers.keys()
    routes = route(written, "a", Scope.of({}).after("a", {}), answers.__getitem__)
    assert [(each.to_step, each.taken, each.why) for each in routes] == [
        ("b", True, "checks.is_good said true"),
        ("c", False, "not: checks.is_good said true"),
    ]


FIRST = task("a", route="first")


@pytest.mark.parametrize(
    ("result", "routes"),
    [
        (
            {"score": 5, "good": True},
            [
                ("c", False, "another path was taken: to b"),
                ("b", True, "score is 5 > 3"),
                ("end", False, "an earlier path was taken: to b"),
            ],
        ),
        (
            {"score": 1, "good": True},
            [
                ("c", False, "another path was taken: to end"),
                ("b", False, "score is 1 ≤ 3"),
                ("end", True, "good is true = true"),
            ],
        ),
        (
            {"score": 1, "good": False},
            [
                ("c", True, "no other path was taken"),
                ("b", False, "score is 1 ≤ 3"),
                ("end", False, "good is false ≠ true"),
            ],
        ),
    ],
)
def test_the_first_path_that_holds_is_taken_and_else_stands_anywhere(result: dict[str, Any], routes: list[Any]) -> None:
    written = graph(FIRST, "b", "c", paths=[("a", "c", "else"), ("a", "b", SCORE), ("a", "end", GOOD)])
    found = route(written, "a", Scope.of({}).after("a", result), no_function)
    assert [(each.to_step, each.taken, each.why) for each in found] == routes


def test_a_file_says_for_all_steps_how_many_paths_are_taken_and_a_step_for_itself() -> None:
    paths = [("a", "b", SCORE), ("a", "c"), ("b", "c", SCORE), ("b", "end")]
    flow = {"start_at": "a", "route": "first", "paths": [path(*each) for each in paths]}
    written = graph("a", task("b", route="all"), "c", flow=flow)
    assert targets(written, {"score": 5}) == ["b"]
    assert targets(written, {"score": 5}, "b") == ["c", "end"]


def test_no_function_behind_the_path_that_is_taken_is_called() -> None:
    paths = [("a", "b", function("one")), ("a", "c", SCORE), ("a", "end", function("two"))]
    first, every = (graph(step, "b", "c", paths=paths) for step in (FIRST, "a"))
    scope, answers = Scope.of({}).after("a", {"score": 5}), {"one": False, "two": True}
    assert [call.function_name for call in answered(first, scope, **answers)] == ["one"]
    assert [call.function_name for call in answered(every, scope, **answers)] == ["one", "two"]
    assert [call.function_name for call in answered(first, scope, one=True)] == ["one"]


def compares(draw: st.DrawFn) -> Any:
    source, operator = draw(st.sampled_from(["result.n", "result.m"])), draw(st.sampled_from(["==", ">", "exists"]))
    return {"type": "expression", "source": source, "operator": operator, "value": draw(st.integers(0, 2))}


@st.composite
def conditions(draw: st.DrawFn) -> list[Any]:
    """Of the paths of one step, one ``else`` at most."""
    drawn = [draw(st.sampled_from(["always", "success", compares(draw), compares(draw)])) for _ in range(4)]
    return draw(st.permutations([*drawn, *draw(st.sampled_from([[], ["else"]]))]))


@given(conditions(), st.dictionaries(st.sampled_from("nm"), st.integers(0, 2)), st.booleans())
def test_first_is_all_with_each_condition_made_exclusive(
    written: list[Any], result: dict[str, Any], succeeded: bool
) -> None:
    exclusive: list[Any] = []
    for place, each in enumerate(written):
        earlier = [{"type": "not", "condition": one} for one in written[:place] if one != "else"]
        exclusive.append(each if each == "else" else {"type": "all", "conditions": [each, *earlier]})
    scope = Scope.of({}).after("a", result, succeeded=succeeded)
    first = graph(FIRST, "b", paths=[("a", f"end_{n}", each) for n, each in enumerate(written)])
    every = graph("a", "b", paths=[("a", f"end_{n}", each) for n, each in enumerate(exclusive)])
    taken = [[each.to_step for each in route(form, "a", scope, no_function) if each.taken] for form in (first, every)]
    assert taken[0] == taken[1]
    assert len(taken[0]) <= 1


def test_the_reason_of_a_path_that_ends_the_execution_says_so() -> None:
    ends: dict[str, Any] = {"from": "a", "to": "end", "condition": SCORE, "ends": "execution"}
    for score, why in ((5, "score is 5 > 3; this ends the execution"), (1, "score is 1 ≤ 3")):
        [found] = route(graph("a", paths=[ends]), "a", Scope.of({}).after("a", {"score": score}), no_function)
        assert found.why == why
