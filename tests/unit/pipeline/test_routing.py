"""Which paths are taken, and what is recorded of those that are not."""

from typing import Any

import pytest

from ia_modules.pipeline.document.conditions import FunctionCall, Verdict
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.routing import functions_asked, route
from ia_modules.pipeline.tokens import Route
from tests.unit.pipeline.factories import graph


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


def test_functions_are_asked_beforehand_and_their_answers_recorded() -> None:
    check: Any = {"type": "function", "module_path": "checks", "function_name": "is_good"}
    written = graph("a", "b", "c", paths=[("a", "b", check), ("a", "c", {"type": "not", "condition": check})])
    answers = {call: Verdict(True, "checks.is_good said true") for call in functions_asked(written, "a")}
    assert len(answers) == 1
    routes = route(written, "a", Scope.of({}).after("a", {}), answers.__getitem__)
    assert [(each.to_step, each.taken, each.why) for each in routes] == [
        ("b", True, "checks.is_good said true"),
        ("c", False, "not: checks.is_good said true"),
    ]
