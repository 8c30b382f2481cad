"""What a placeholder finds in a scope, and why it finds nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ia_modules.pipeline.document.scope import Reference, RunFacts, Scope, Unresolved

SCOPE = Scope.of({"topic": "bees", "n": 1}, (("a", {"n": 2, "rows": [{"x": True}]}), ("b", {"n": 3})))
NAMES = st.text("abcxyz", min_size=1, max_size=3)
RESULTS = st.lists(st.tuples(NAMES, st.dictionaries(NAMES, st.integers(), max_size=3)), max_size=5)


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        (Reference("parameters", ("n",)), 1),
        (Reference("pipeline_input"), {"topic": "bees", "n": 1}),
        (Reference("steps", ("n",), "a"), 2),
        (Reference("steps", (), "b"), {"n": 3}),
        (Reference("state", ("n",)), 3),
        (Reference("state", ("a", "n")), 2),
        (Reference("state", ("a", "rows", "0", "x")), True),
        (Reference("state", ("topic",)), "bees"),
    ],
)
def test_a_reference_leads_to_its_value(reference: Reference, value: Any) -> None:
    assert reference.resolve(SCOPE) == value


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (Reference("parameters", ("x",)), "the input has no 'x'"),
        (Reference("steps", ("x",), "later"), "step 'later' is not among the steps that led here"),
        (Reference("steps", ("rows", "7"), "a"), "the output of step 'a' has no 'rows.7' ('7' of a list)"),
        (Reference("steps", ("rows", "-1"), "a"), "the output of step 'a' has no 'rows.-1' ('-1' of a list)"),
        (Reference("state", ("topic", "x")), "the state has no 'topic.x' ('x' of a text)"),
        (Reference("result", ("n",)), "the result has no 'n'"),
    ],
)
def test_what_leads_nowhere_says_why(reference: Reference, why: str) -> None:
    unresolved = reference.resolve(SCOPE)
    assert isinstance(unresolved, Unresolved)
    assert (unresolved.why, str(unresolved)) == (why, f"{reference} does not resolve: {why}")


def test_after_a_step_its_result_is_known_and_before_the_next_one_it_is_part_of_the_state() -> None:
    after = SCOPE.after("c", {"n": 4}, succeeded=False)
    assert (after.result, after.succeeded, after.state["n"]) == ({"n": 4}, False, 4)
    following = SCOPE.with_results([("c", {"n": 4})])
    assert (following.result, following.succeeded, following.state["n"], following.steps["c"]) == (
        None,
        True,
        4,
        {"n": 4},
    )
    assert SCOPE.state["n"] == 3, "a scope itself never changes"


@given(st.dictionaries(NAMES, st.integers(), max_size=3), RESULTS)
def test_a_scope_built_step_by_step_is_the_scope_built_at_once(
    input_data: dict[str, int], results: list[tuple[str, dict[str, int]]]
) -> None:
    scope = Scope.of(input_data)
    for step_id, result in results:
        scope = scope.with_results([(step_id, result)])
    assert scope == Scope.of(input_data, results)
    assert scope.input == input_data


FACTS = RunFacts(iteration=3, attempt=2, execution_id="e1")
BARE = Reference("state", ("run", "iteration"))


@pytest.mark.parametrize(("field", "value"), [("iteration", 3), ("attempt", 2), ("execution_id", "e1")])
def test_the_step_run_is_read_with_braces_and_without(field: str, value: Any) -> None:
    after = replace(Scope.of({}), run=FACTS).after("think", {})
    assert Reference("run", (field,)).resolve(after) == Reference("state", ("run", field)).resolve(after) == value


@pytest.mark.parametrize(
    ("scope", "bare"),
    [
        (replace(Scope.of({"run": {"iteration": 7}}), run=FACTS), 7),
        (replace(Scope.of({}, [("think", {"run": {"iteration": 8}})]), run=FACTS), 8),
        (replace(Scope.of({}, [("run", {"iteration": 9})]), run=FACTS), 9),
        (replace(Scope.of({"run": 5}), run=FACTS), "the state has no 'run.iteration' ('iteration' of a number)"),
        (replace(Scope.of({}), run=replace(FACTS, is_bare=False)), "the state has no 'run'"),
        (Scope.of({}), "the state has no 'run'"),
    ],
)
def test_whatever_else_is_called_run_keeps_its_name_and_braces_mean_the_step_run(scope: Scope, bare: Any) -> None:
    found = BARE.resolve(scope)
    assert (found.why if isinstance(found, Unresolved) else found) == bare
    braced = Reference("run", ("iteration",)).resolve(scope)
    assert isinstance(braced, Unresolved) if scope.run is None else braced == 3


def test_the_step_run_is_not_part_of_the_scope_of_what_follows() -> None:
    after = replace(Scope.of({}), run=FACTS).after("think", {})
    assert after.with_results([]).run is None


def test_a_folded_field_is_read_as_any_other_and_the_result_of_a_step_stays_its_own() -> None:
    scope = Scope.of(
        {"cost": 1}, [("a", {"cost": 2, "log": ["x"]}), ("b", {"log": ["y"]})], {"cost": "sum", "log": "extend"}
    )
    references = [Reference("state", ("cost",)), Reference("state", ("log", "1")), Reference("steps", ("log",), "b")]
    assert [each.resolve(scope) for each in references] == [3, "y", ["y"]]
    assert Reference("state", ("a", "cost")).resolve(scope) == 2
    assert scope.after("c", {"cost": 4}).state["cost"] == 7
    assert (scope.state["cost"], "log" in scope.state, len(scope.state)) == (3, True, 2)
