"""The reference does what the pages about the format say, case by case."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from ia_modules.testing.reference import CodeRun, Expected, Failed, RunKey, interpret

Results = Mapping[str, Any]


def path(from_step: str, to_step: str, condition: Any = "always", **keys: Any) -> dict[str, Any]:
    return {"from_step": from_step, "to_step": to_step, "condition": condition, **keys}


def field(name: str, value: Any, kind: str = "field_equals") -> dict[str, Any]:
    return {"type": kind, "field": name, "value": value}


def written(ids: str, *paths: Any, steps: Mapping[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """A file whose steps have one letter each; it starts at the first."""
    ways = [each if isinstance(each, dict) else path(*each) for each in paths]
    flow = {"start_at": ids[0], "paths": ways} | keys.pop("flow", {})
    return {
        "name": "test",
        "steps": [{"id": each, **(steps or {}).get(each, {})} for each in ids],
        "flow": flow,
        **keys,
    }


def outcome(document: Mapping[str, Any], input_data: Results | None = None, /, **results: Any) -> Expected:
    """What comes of it where each step returns this, or what a function makes of its iteration and data."""

    def code(run: CodeRun, data: Results) -> Results | Failed:
        result: Any = results.get(run.key.step_id, {})
        return cast(Results | Failed, result(run.key.iteration, data) if callable(result) else result)

    return interpret(document, input_data or {}, code)


def runs_of(expected: Expected) -> list[str]:
    return [f"{key.step_id}{key.iteration}" for key in expected.runs]


def test_a_join_waits_for_every_branch_that_was_taken_and_for_none_that_was_not() -> None:
    file = written(
        "abcdz", ("a", "b"), ("a", "c"), ("a", "d", field("result.go", 1)), ("b", "z"), ("c", "z"), ("d", "z")
    )
    expected = outcome(file, b={"by": "b"}, c={"by": "c"})
    assert runs_of(expected) == ["a1", "b1", "c1", "z1"]
    assert expected.runs[RunKey("z", 1)].parents == (("b", 1), ("c", 1))
    assert expected.output == {"by": "c", "a": {}, "b": {"by": "b"}, "c": {"by": "c"}, "z": {}}


def test_branches_are_laid_over_each_other_in_the_order_of_their_paths() -> None:
    file = written("abcz", ("a", "b"), ("a", "c"), ("c", "z"), ("b", "z"))
    seen: list[Any] = []
    outcome(file, b={"by": "b"}, c={"by": "c"}, z=lambda _, data: seen.append(data["by"]) or {})
    assert seen == ["b"]


def test_what_a_parallel_branch_did_is_not_seen() -> None:
    seen: list[Any] = []
    outcome(written("abc", ("a", "b"), ("a", "c")), b={"by": "b"}, c=lambda _, data: seen.append(dict(data)) or {})
    assert seen == [{}]


def test_a_loops_head_does_not_wait_for_its_own_back_edge() -> None:
    file = written("ab", ("a", "b"), ("b", "a", field("result.n", 3, "field_less_than")))
    expected = outcome(file, b=lambda iteration, _: {"n": iteration})
    assert runs_of(expected) == ["a1", "b1", "a2", "b2", "a3", "b3"]
    assert expected.output == {"n": 3, "a": {}, "b": {"n": 3}}


def test_branches_inside_a_loop_meet_at_its_join() -> None:
    again = field("run.iteration", 2, "field_less_than")
    file = written("abcz", ("a", "b"), ("a", "c"), ("b", "z"), ("c", "z"), ("z", "a", again))
    assert runs_of(outcome(file)) == ["a1", "b1", "c1", "z1", "a2", "b2", "c2", "z2"]


def test_the_first_path_that_holds_is_taken_and_else_only_where_none_did() -> None:
    paths = [("a", "d", "else"), ("a", "b", field("go", 1)), ("a", "c", field("go", 1))]
    assert runs_of(outcome(written("abcd", *paths), {"go": 1})) == ["a1", "b1", "c1"]
    assert runs_of(outcome(written("abcd", *paths, flow={"route": "first"}), {"go": 1})) == ["a1", "b1"]
    assert runs_of(outcome(written("abcd", *paths, flow={"route": "first"}))) == ["a1", "d1"]
    own = written("abcd", *paths, flow={"route": "first"}, steps={"a": {"route": "all"}})
    assert runs_of(outcome(own, {"go": 1})) == ["a1", "b1", "c1"]


def test_a_field_of_the_state_called_run_means_what_it_meant() -> None:
    file = written("ab", ("a", "b", field("run.iteration", 7)))
    assert runs_of(outcome(file)) == ["a1"]
    assert runs_of(outcome(file, {"run": {"iteration": 7}})) == ["a1", "b1"]


def test_the_output_at_an_end_knows_the_ending_run_and_its_ancestors_alone() -> None:
    file = written("abc", ("a", "b"), ("a", "c"), path("b", "end", ends="execution"))
    expected = outcome(file, a={"n": 1}, b={"by": "b"}, c={"by": "c"})
    assert expected.endings == {("b", 1): {"n": 1, "by": "b", "a": {"n": 1}, "b": {"by": "b"}}}


def test_each_result_contributes_to_a_key_that_is_folded() -> None:
    rules = {"log": "append", "items": "extend", "cost": "sum", "notes": "update"}
    file = written("abcz", ("a", "b"), ("a", "c"), ("b", "z"), ("c", "z"), merge=rules)
    a, b = {"log": 1, "items": [1], "cost": 1, "notes": {"a": 1}}, {"log": 2, "items": [2, 3], "cost": 2}
    expected = outcome(file, {"log": [0], "cost": 10}, a=a, b=b, c={"notes": {"c": 1}, "items": []})
    folded = {key: expected.output[key] for key in rules}
    assert folded == {"log": [0, 1, 2], "items": [1, 2, 3], "cost": 13, "notes": {"a": 1, "c": 1}}
    assert expected.output["b"] == b


@pytest.mark.parametrize(("rule", "value"), [("extend", "text"), ("sum", "1"), ("sum", True), ("update", [])])
def test_a_contribution_of_the_wrong_type_fails_the_step_that_gave_it(rule: str, value: Any) -> None:
    expected = outcome(written("ab", ("a", "b"), merge={"key": rule}), a={"key": value})
    assert (expected.failures, runs_of(expected)) == ({("a", 1)}, ["a1"])


def test_two_branches_that_write_a_key_of_the_rule_error_fail_the_step_that_joins_them() -> None:
    file = written("abcz", ("a", "b"), ("a", "c"), ("b", "z"), ("c", "z"), merge={"draft": "error"})
    assert outcome(file, a={"draft": 0}, b={"draft": 1}).failures == set()
    assert outcome(file, b={"draft": 1}, c={"draft": 2}).failures == {("z", 1)}


def test_a_step_that_runs_too_often_fails_and_the_flow_goes_on_once_where_that_is_allowed() -> None:
    file = written("a", ("a", "a", "success"), steps={"a": {"max_iterations": 2}}, loop_config={"max_iterations": 9})
    assert outcome(file).failures == {("a", 3)}
    goes_on = file | {"error_handling": {"continue_on_error": True}}
    assert (outcome(goes_on).failures, runs_of(outcome(goes_on))) == (set(), ["a1", "a2", "a3"])
    for_ever = goes_on | {"flow": {"start_at": "a", "paths": [path("a", "a")]}}
    assert outcome(for_ever).failures == {("a", 4)}


def test_a_failure_ends_the_execution_or_is_a_result() -> None:
    file = written("ab", ("a", "b"))
    assert runs_of(outcome(file, a=lambda *_: Failed("ValueError", "no"))) == ["a1"]
    goes_on = outcome(file | {"error_handling": {"continue_on_error": True}}, a=lambda *_: Failed("ValueError", "no"))
    assert goes_on.output["a"] == {"step_error": True, "error_message": "no", "error_type": "ValueError"}


def mapped(rule: Any, code: Any, **keys: Any) -> Expected:
    """What comes of a map over ``rows``, whose code gets the number of the item and its data, and one step after it."""
    file = written("ab", ("a", "b"), steps={"a": {"map": {"over": "{parameters.rows}", **rule}, **keys}})
    file["parameters"] = [{"name": "rows", "default": [1, 5, {"n": 7}]}]

    def by_item(run: CodeRun, data: Results) -> Any:
        return {} if run.item is None else code(run.item, data)

    return interpret(file, {}, by_item)


def echo(_: int, data: Results) -> Results:
    return data


def fails_at(*numbers: int) -> Any:
    return lambda number, _: Failed("ValueError", "no") if number in numbers else number * 10


def test_a_map_gives_what_its_code_gives_for_each_entry_of_the_list() -> None:
    expected = mapped({}, echo)
    items = [{"item": 1}, {"item": 5}, {"n": 7}]
    result = {"items": items, "count": 3, "failed": 0, "errors": []}
    assert expected.output == {"rows": [1, 5, {"n": 7}], **result, "a": result, "b": {}}
    assert expected.inside == {f"a#1/a#{number}": each for number, each in enumerate(items, 1)}


def test_an_item_gets_its_inputs_alone_and_contributes_what_is_collected() -> None:
    inputs = {"it": "{item}", "at": ["{run.index}", "{run.key}"], "all": "{parameters.rows}"}
    expected = mapped(
        {"key": "{run.index}", "collect": ["{result.it}", "{result.nope}", "{item.n}"]}, echo, inputs=inputs
    )
    assert expected.inside["a#1/a#2"] == {"it": 5, "at": [1, "1"], "all": [1, 5, {"n": 7}]}
    assert expected.output["a"]["items"] == [[1, None, None], [5, None, None], [{"n": 7}, None, 7]]
    assert "items" not in mapped({"collect": False}, echo).output["a"]


def test_an_item_without_what_its_inputs_read_fails_and_no_code_is_called() -> None:
    expected = mapped({"on_item_failure": "continue"}, echo, inputs={"n": "{item.n}"})
    assert expected.output["a"]["items"] == [None, None, {"n": 7}]
    assert [error["error_type"] for error in expected.output["a"]["errors"]] == ["StepInputError"] * 2


@pytest.mark.parametrize(
    ("rule", "most"), [("fail", 0), ("continue", 3), ({"at_most": 1}, 1), ({"at_most": "70%"}, 2), ({"at_most": 0}, 0)]
)
def test_so_many_items_may_fail_and_one_more_fails_the_map(rule: Any, most: int) -> None:
    for failing in range(4):
        expected = mapped({"on_item_failure": rule}, fails_at(*range(1, failing + 1)))
        assert (expected.failures == {("a", 1)}) is (failing > most)
        assert len(expected.inside) == 3
        if failing <= most:
            result = expected.output["a"]
            errors = [{"item": n, "key": str(n), "error_type": "ValueError"} for n in range(1, failing + 1)]
            assert (result["failed"], result["errors"]) == (failing, errors)
            assert result["items"] == [*[None] * failing, *(number * 10 for number in range(failing + 1, 4))]


@pytest.mark.parametrize("rule", [{"over": "{steps.b.output.n}"}, {"over": "{parameters.rows.n}"}, {"key": "same"}])
def test_a_map_without_a_list_or_with_keys_that_are_equal_fails_before_any_item(rule: Any) -> None:
    expected = mapped(rule, echo)
    assert (expected.failures, expected.inside) == ({("a", 1)}, {})


def test_a_call_is_known_by_its_name_and_number_or_by_its_key_within_the_run_that_makes_it() -> None:
    def code(run: CodeRun, data: Results) -> Any:
        first = run.call("ask", lambda _: 1)
        run.call("ask", lambda within: within.call("deep", lambda _: 2))
        return {"first": first, "failed": isinstance(run.call("ask", lambda _: Failed("ValueError"), key="k"), Failed)}

    file = written("a", steps={"a": {"map": {"over": [0]}}})
    inside = {"ask#1": 1, "ask#2": 2, "ask#2/deep#1": 2, "ask[k]#1": Failed("ValueError")}
    plain = interpret(written("a"), {}, code)
    assert plain.output["a"] == {"first": 1, "failed": True}
    assert plain.inside == {f"a#1/{path}": result for path, result in inside.items()}
    in_items = interpret(file, {}, code)
    assert in_items.inside == {f"a#1/a#1/{path}": result for path, result in inside.items()} | {
        "a#1/a#1": plain.output["a"]
    }


def test_what_never_ends_is_named() -> None:
    file = written("a", ("a", "a"), loop_config={"max_iterations": 1_000})
    with pytest.raises(AssertionError, match="more than 50 step runs"):
        interpret(file, {}, lambda _key, _data: {}, most_runs=50)
