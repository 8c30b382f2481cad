from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.reads import reads_of
from ia_modules.pipeline.routing import functions_asked, route
from ia_modules.pipeline.standing import standing_facts
from tests.unit.pipeline.factories import graph
from tests.unit.pipeline.random_files import files, graph_of

READS: dict[str, Any] = {"type": "field_equals", "field": "n", "value": 1}
ASKS = {"type": "function", "config": {"module_path": "m", "function_name": "f"}}


def never(call: object) -> Any:
    raise AssertionError(f"{call} was asked")


def test_the_routes_of_a_step_stand_where_no_condition_reads_anything() -> None:
    standing = standing_facts(
        graph("a", "b", "c", paths=[("a", "b"), ("a", "c", "success"), ("a", "end", "else")]), "a"
    )
    assert standing.routes is not None
    assert [(each.to_step, each.taken) for each in standing.routes.routes] == [("b", True), ("c", True), ("end", False)]
    for condition in (READS, "parameter:n", ASKS):
        facts = standing_facts(graph("a", "b", paths=[("a", "b", condition)]), "a")
        assert (facts.routes, facts.asks_functions) == (None, condition is ASKS)


@given(files(may_end=True), st.dictionaries(st.sampled_from(["coin", "iteration"]), st.integers(0, 3)))
def test_what_stands_still_is_what_each_attempt_would_find(file: dict[str, Any], result: dict[str, Any]) -> None:
    random = graph_of(file)
    for step_id in random.step_ids:
        facts = standing_facts(random, step_id)
        assert facts.definition is random.step(step_id)
        assert facts.handling == random.definition.error_handling_of(facts.definition)
        assert facts.reads == reads_of(random, step_id)
        assert facts.asks_functions == bool(list(functions_asked(random, step_id)))
        assert facts.is_in_loop == random.reaches(step_id, step_id)
        if facts.routes is not None:
            after = Scope.of({"input": 1}).after(step_id, result)
            assert facts.routes.routes == route(random, step_id, after, never)
