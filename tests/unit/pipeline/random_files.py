"""Random pipeline files: one strategy, to which each new capability adds a line."""

import os
from typing import Any

from hypothesis import strategies as st

from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.loader import load
from tests.unit.pipeline.factories import document, task

TIMES = int(os.environ.get("IA_TEST_TIMES", "1"))
"""So many times as many examples as usual."""

AGAIN_CONDITIONS: list[Any] = [
    {"type": "field_less_than", "field": "result.iteration", "value": 3},
    {"type": "field_less_than", "field": "run.iteration", "value": 3},
]

CONDITIONS: list[Any] = [
    *("always",) * 5,
    "success",
    "else",
    *({"type": "field_equals", "field": "result.coin", "value": value} for value in range(2)),
    {"type": "not", "condition": {"type": "field_equals", "field": "coin", "value": 0}},
    {"type": "threshold_condition", "field": "step0.coin", "operator": ">", "value": 0},
    {"type": "threshold_condition", "field": "run.iteration", "operator": ">=", "value": 2},
]

RULES = {"log": "append", "names": "extend", "cost": "sum", "facts": "update", "draft": "error"}
"""How the keys that the steps of random files contribute to may be merged; ``*`` comes beside them."""

ROWS: list[list[Any]] = [[1, 2, 3, 4], [2, "two", {"n": 3, "coin": 1}], [7, 8, 9], [1, 2, 1], []]
"""Lists to run for, as a parameter; one has two entries that are the same, and so no keys of their own."""

ITEM_FAILURES: list[Any] = [{"at_most": 1}, "continue", {"at_most": "40%"}, "fail"]
COLLECTED: list[Any] = ["{result}", "{result.coin}", {"key": "{run.key}", "gave": ["{result}", "{item.n}"]}, False]
ITEM_INPUTS: list[Any] = (
    [None] * 3 + [{"it": "{item}", "at": "{run.index}", "one": "{run.key}"}] * 2 + [{"n": "{item.n}"}]
)

RETRY = {"max_attempts": 2, "initial_delay": 0.004, "retry_on": ["ConnectionError"]}


LOSES_AN_UPDATE: dict[str, Any] = {
    **document(*"abcd", paths=[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]),
    "error_handling": {"continue_on_error": True},
    "merge": {"draft": "error"},
}
"""What random files rarely meet: branches that write one key and join."""


@st.composite
def files(draw: st.DrawFn, *, may_end: bool = False, maps: bool = True, goes_on: bool = True) -> dict[str, Any]:
    """Up to eight steps, all within reach, with branches, joins, loops and conditions, in no helpful order.

    Args:
        may_end: paths may end the execution.
        maps: steps may run for each entry of a list.
        goes_on: after a failure it may go on all the same, as three files in four do.
    """
    levels = draw(st.permutations([f"step{number}" for number in range(draw(st.integers(2, 8)))]))
    routes, limits = st.sampled_from([None, None, "all", "first"]), st.sampled_from([None] * 6 + [1, 2])
    steps = [
        task(
            step_id,
            **_written(route=draw(routes), max_iterations=draw(limits)),
            **(draw(_maps(levels[: levels.index(step_id)])) if maps else {}),
        )
        for step_id in sorted(levels)
    ]
    flow = {"start_at": levels[0], "paths": draw(_paths(levels, may_end=may_end))} | _written(route=draw(routes))
    loops = _written(max_iterations=draw(limits), iteration_delay_seconds=draw(st.sampled_from([None, 0.0005, 0.01])))
    rules = {key: st.sampled_from([rule, rule, "last"]) for key, rule in RULES.items()}
    others = {"*": st.sampled_from(["last", "error"])}
    merge = draw(st.fixed_dictionaries(rules, optional=others)) if draw(st.integers(0, 3)) else None
    handling = {"retry": RETRY, "continue_on_error": draw(st.sampled_from([goes_on] * 3 + [False]))}
    rows = [{"name": "rows", "default": draw(st.sampled_from(ROWS))}]
    keys = {"error_handling": handling, "loop_config": loops, "parameters": rows, **_written(merge=merge)}
    return {"name": "random", "steps": steps, "flow": flow, **keys}


@st.composite
def _maps(draw: st.DrawFn, earlier: list[str]) -> dict[str, Any]:
    """One step in four has a map: over a parameter, or over what an earlier step found, if it has run."""
    if draw(st.integers(0, 3)):
        return {}
    found = [f"{{steps.{step_id}.output.{name}}}" for step_id in earlier for name in ("found", "found", "items")]
    over = draw(st.sampled_from(found)) if found and draw(st.integers(0, 2)) else "{parameters.rows}"
    rule = _written(
        over=over,
        key=None if over.endswith(".items}") else draw(st.sampled_from([None, "{run.index}", "{item}"])),
        max_concurrency=draw(st.integers(1, 3)),
        on_item_failure=draw(st.sampled_from(ITEM_FAILURES)),
        collect=draw(st.sampled_from(COLLECTED)),
    )
    return {"map": rule, **_written(inputs=draw(st.sampled_from(ITEM_INPUTS)))}


@st.composite
def _paths(draw: st.DrawFn, levels: list[str], *, may_end: bool) -> list[dict[str, Any]]:
    """Paths that reach every step from the first one, one ``else`` for each step at most."""
    tree = [(draw(st.integers(0, level - 1)), level) for level in range(1, len(levels))]
    place = st.integers(0, len(levels) - 1)
    more = draw(st.lists(st.tuples(place, place), min_size=len(levels) // 2, max_size=2 * len(levels)))
    ends = [(source, None) for source in draw(st.sets(place))]
    paths: list[dict[str, Any]] = []
    with_else: set[int] = set()
    for source, target in draw(st.permutations(tree + more + ends)):
        condition = draw(st.sampled_from(CONDITIONS))
        if condition == "else" and (source in with_else or (target is not None and target <= source)):
            condition = "always"
        with_else |= {source} if condition == "else" else set()
        if target is not None and target <= source:
            condition = _at_most_twice(condition, draw(st.sampled_from(AGAIN_CONDITIONS)))
        to_step = "end_here" if target is None else levels[target]
        ending = {"ends": "execution"} if target is None and may_end and draw(st.booleans()) else {}
        paths.append({"from_step": levels[source], "to_step": to_step, "condition": condition, **ending})
    return paths


def _at_most_twice(condition: Any, again: Any) -> dict[str, Any]:
    """Keeps loops finite: every cycle has a path that leads up, and such a path is taken at most twice."""
    return {"type": "all", "conditions": [condition, again]}


def _written(**keys: Any) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}


def graph_of(file: dict[str, Any]) -> Graph:
    return Graph(load(file, strict=False).definition)


def graphs() -> st.SearchStrategy[Graph]:
    """The graphs of such files, without a way to end the execution; to a graph, a map is a step as any other."""
    return files(maps=False).map(graph_of)
