"""The tree of errors: drawn as it is, and each error says what was found and what to do."""

import inspect
import pickle
import re
from typing import Any

import pytest

from ia_modules import PipelineError, errors
from ia_modules.errors import IAModulesError, InvalidValue, PipelineDefinitionError, Problem, StepInputError

BRANCH = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+)")


def drawn() -> dict[str, str]:
    """Each error of the drawing with the one above it."""
    parents: dict[str, str] = {}
    trail = ["IAModulesError"]
    for line in (errors.__doc__ or "").splitlines():
        if branch := BRANCH.match(line):
            depth = len(branch["indent"]) // 4 + 1
            trail[depth:] = [branch["name"]]
            parents[branch["name"]] = trail[depth - 1]
    return parents


def public_errors() -> dict[str, type[Exception]]:
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    return {name: each for name, each in classes.items() if issubclass(each, Exception) and not name.startswith("_")}


def test_the_first_page_of_the_module_draws_every_error_below_the_one_it_derives_from() -> None:
    tree = drawn()
    assert sorted([*tree, "IAModulesError"]) == sorted(public_errors())
    assert [name for name, above in tree.items() if not issubclass(public_errors()[name], public_errors()[above])] == []


def test_everything_that_is_raised_on_purpose_can_be_caught_by_the_root() -> None:
    assert [name for name, each in public_errors().items() if not issubclass(each, IAModulesError)] == []


def test_a_problem_says_where_what_and_what_to_do() -> None:
    problem = Problem("$.steps[0].id", "5", "a text", "Quote it.")
    assert str(problem) == "$.steps[0].id: found 5; expected a text. Quote it."
    assert str(Problem("$", "5", "a text")) == "$: found 5; expected a text."


@pytest.mark.parametrize("make", [PipelineDefinitionError, lambda problems: StepInputError("s", problems)])
def test_an_error_of_many_problems_lists_each_on_its_line(make: Any) -> None:
    problems = [Problem("$.a", "1", "2", "Do so."), Problem("$.b", "3", "4")]
    error = make(problems)
    assert str(error).splitlines()[1:] == [f"- {problem}" for problem in problems]
    assert error.problems == tuple(problems)


@pytest.mark.parametrize(
    "error",
    [
        errors.PipelineInputError("p", [Problem("$", "1", "2")]),
        errors.PipelineOutputError("p", [Problem("$", "1", "2")]),
        errors.ExecutionCancelled("e"),
        errors.StepError("s", "so"),
        errors.StepTimeout("s", 1.0),
        errors.StepConflict("s", recorded="one", replayed="another"),
    ],
)
def test_an_error_of_a_run_is_one_kind_and_names_the_step_where_one_is_to_blame(error: errors.PipelineError) -> None:
    assert isinstance(error, PipelineError)
    assert error.step_id == ("s" if "Step 's'" in str(error) else None)


def test_the_first_problem_stands_for_all() -> None:
    error = PipelineDefinitionError([Problem("$.a", "1", "2", "Do so."), Problem("$.b", "3", "4")])
    assert (error.where, error.found, error.expected, error.hint) == ("$.a", "1", "2", "Do so.")


def test_an_invalid_value_keeps_the_way_down_to_the_culprit() -> None:
    error = InvalidValue("5", "a text", "Quote it.", inside=("a", 0))
    assert (str(error), error.hint, error.inside) == ("found 5; expected a text.", "Quote it.", ("a", 0))
    assert isinstance(error, ValueError)


def test_a_problem_can_be_sent_to_another_process() -> None:
    problem = Problem("$", "5", "a text")
    assert pickle.loads(pickle.dumps(problem)) == problem  # noqa: S301 - our own
