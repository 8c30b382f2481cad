"""Random pipeline files: one strategy, to which each new capability adds a line."""

from typing import Any

from hypothesis import strategies as st

from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.loader import load
from tests.unit.pipeline.factories import document, task

CONDITIONS: list[Any] = [
    *("always",) * 5,
    "success",
    "else",
    *({"type": "field_equals", "field": "result.coin", "value": value} for value in range(2)),
    {"type": "not", "condition": {"type": "field_equals", "field": "coin", "value": 0}},
    {"type": "threshold_condition", "field": "step0.coin", "operator": ">", "value": 0},
]

HANDLING = {
    "retry": {"max_attempts": 2, "initial_delay": 0.0005, "retry_on": ["ConnectionError"]},
    "continue_on_error": True,
}


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Up to eight steps, all within reach, with branches, joins, loops and conditions, in no helpful order."""
    levels = draw(st.permutations([f"step{number}" for number in range(draw(st.integers(2, 8)))]))
    tree = [(draw(st.integers(0, level - 1)), level) for level in range(1, len(levels))]
    place = st.integers(0, len(levels) - 1)
    more = draw(st.lists(st.tuples(place, place), min_size=len(levels) // 2, max_size=2 * len(levels)))
    paths: list[Any] = []
    for source, target in draw(st.permutations(tree + more)):
        condition = draw(st.sampled_from(CONDITIONS))
        if target <= source:
            condition = _at_most_twice(condition)
        paths.append({"from_step": levels[source], "to_step": levels[target], "condition": condition})
    for step_id in draw(st.sets(st.sampled_from(levels))):
        out = {"from_step": step_id, "to_step": "end_here", "condition": draw(st.sampled_from(CONDITIONS))}
        paths.insert(draw(st.integers(0, len(paths))), out)
    delay = draw(st.sampled_from([0.0, 0.0005]))
    steps = [task(step_id) for step_id in sorted(levels)]
    loops = {"iteration_delay_seconds": delay}
    file = document(*steps, paths=paths, error_handling=HANDLING, loop_config=loops)
    file["flow"]["start_at"] = levels[0]
    return file


def _at_most_twice(condition: Any) -> dict[str, Any]:
    """Keeps loops finite: every cycle has a path that leads up, and such a path is taken at most twice."""
    again = {"type": "field_less_than", "field": "result.iteration", "value": 3}
    return {"type": "all", "conditions": ["always" if condition == "else" else condition, again]}


def graph_of(file: dict[str, Any]) -> Graph:
    return Graph(load(file, strict=False).definition)


def graphs() -> st.SearchStrategy[Graph]:
    """The graphs of such files."""
    return files().map(graph_of)
