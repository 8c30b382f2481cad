"""Loops that go on beside their way out, and branches that race for the end: warned of, and never refused."""

from typing import Any

import pytest

from ia_modules.pipeline.loader import examine, load
from tests.unit.pipeline.factories import document, path, task

OVER = {"type": "expression", "source": "result.used", "operator": ">", "value": "{parameters.budget}"}
WITHIN = {**OVER, "operator": "<="}
MORE = {"type": "field_exists", "field": "result.more"}


def agent(*paths: Any, **keys: Any) -> dict[str, Any]:
    """A loop of think and act."""
    written = document(task("think", **keys), "act", "stop", paths=[*paths, ("act", "think")], parameters={"budget": 5})
    return written | {"loop_config": {"max_iterations": 9}}


GOES_ON = (
    "$.flow.paths[0]: found paths of 'think' to 'stop' and 'act' can both hold: the loop then goes on beside the way "
    "out; expected one of them at a time. Say route: first, or ends: execution."
)


@pytest.mark.parametrize("strict", [True, False])
def test_a_loop_that_can_go_on_beside_its_way_out_is_warned_of(strict: bool) -> None:
    examined = examine(agent(("think", "stop", OVER), ("think", "act", MORE), ("think", "end", "else")), strict=strict)
    assert [str(problem) for problem in examined.warnings] == [GOES_ON]
    assert (examined.errors, examined.definition is not None) == ((), True)


@pytest.mark.parametrize(
    ("paths", "keys"),
    [
        ([("think", "stop", OVER), ("think", "act", MORE), ("think", "end", "else")], {"route": "first"}),
        ([("think", "stop", OVER), ("think", "act", "else")], {}),
        ([("think", "stop", OVER), ("think", "act", WITHIN)], {}),
        ([("think", "stop", MORE), ("think", "act", {"type": "not", "condition": MORE})], {}),
        ([("think", "stop", {"type": "all", "conditions": [OVER, MORE]}), ("think", "act", WITHIN)], {}),
        ([{**path("think", "end", OVER), "ends": "execution"}, ("think", "act", MORE), ("think", "stop", "else")], {}),
    ],
)
def test_a_loop_whose_ways_exclude_each_other_is_fine(paths: list[Any], keys: dict[str, Any]) -> None:
    assert load(agent(*paths, **keys)).warnings == ()


def test_a_step_with_several_ways_out_is_named_once() -> None:
    paths = [("think", "stop", OVER), ("think", "act", MORE), ("think", "end", "always")]
    assert [str(problem) for problem in load(agent(*paths)).warnings] == [GOES_ON]


@pytest.mark.parametrize(
    ("paths", "keys", "never"),
    [
        ([("a", "b"), ("a", "c", MORE), ("a", "end", "else")], {"route": "first"}, [("c", 1), ("end", 2)]),
        ([("a", "c", MORE), ("a", "b"), ("a", "end", OVER)], {"route": "first"}, [("end", 2)]),
        ([("a", "end", "else"), ("a", "b"), ("a", "c", MORE)], {}, [("end", 0)]),
        ([("a", "c", MORE), ("a", "b")], {"route": "first"}, []),
        ([("a", "b"), ("a", "c", MORE)], {}, []),
    ],
)
def test_a_path_that_nothing_can_come_to_is_warned_of(
    paths: list[Any], keys: dict[str, Any], never: list[tuple[str, int]]
) -> None:
    written = document(task("a", **keys), "b", "c", paths=paths, parameters={"budget": 5})
    assert [str(problem) for problem in load(written).warnings] == [
        f"$.flow.paths[{place}]: found the path of 'a' to {target!r} is never taken: that to 'b' always holds; "
        "expected a path that can be taken. Give the other one a condition."
        for target, place in never
    ]


def ending(step_id: str, condition: Any = "always") -> dict[str, Any]:
    return {**path(step_id, "end", condition), "ends": "execution"}


RACES = (
    "found 'b' and 'c' can both end the execution, on branches that part at 'a'; expected one branch that can. "
    "The first on record does. Let the branches join, and one step after them end it."
)


@pytest.mark.parametrize(
    "paths",
    [
        [("a", "b"), ("a", "c"), ending("b"), ending("c")],
        [("a", "b"), ("a", "d"), ("d", "c"), ending("b", MORE), ending("c", OVER)],
        [("a", "d"), ("a", "c"), ("d", "b"), ("d", "c"), ("c", "b"), ending("b"), ending("c")],
    ],
)
def test_two_branches_that_can_both_end_the_execution_are_warned_of(paths: list[Any]) -> None:
    examined = examine(document("a", "b", "c", "d", paths=paths, parameters={"budget": 1}), strict=False)
    assert [problem.text for problem in examined.warnings if "both" in str(problem)] == [RACES]
    assert examined.errors == ()


@pytest.mark.parametrize(
    ("paths", "first"),
    [
        ([("a", "b"), ("a", "c"), ending("b"), ending("c")], {"route": "first"}),
        ([("a", "b", MORE), ("a", "c", "else"), ending("b"), ending("c")], {}),
        ([("a", "b"), ("a", "c"), ("c", "b"), ending("b")], {}),
        (
            [
                ("a", "d"),
                ("a", "e"),
                ("d", "f"),
                ("e", "f"),
                ("f", "b", MORE),
                ("f", "c", "else"),
                ending("b"),
                ending("c"),
            ],
            {},
        ),
        ([("a", "b"), ("b", "c", MORE), ending("b", {"type": "not", "condition": MORE}), ending("c")], {}),
    ],
)
def test_branches_of_which_one_alone_can_end_it_are_fine(paths: list[Any], first: dict[str, Any]) -> None:
    written = document(task("a", **first), "b", "c", "d", "e", "f", paths=paths)
    assert [str(problem) for problem in examine(written, strict=False).warnings if "both" in str(problem)] == []


def test_a_condition_too_long_to_be_compared_is_not_warned_of() -> None:
    long = {"type": "any", "conditions": [MORE] * 50}
    assert load(agent(("think", "stop", long), ("think", "act", MORE))).warnings == ()
