"""What is wrong with a document: each problem with its place and what to do, and all of them at once."""

import pickle
from typing import Any

import pytest

from ia_modules.errors import InvalidValue, PipelineDefinitionError, Problem, StepInputError


def test_a_problem_says_where_what_and_what_to_do() -> None:
    problem = Problem("$.steps[0].id", "5", "a text", "Quote it.")
    assert str(problem) == "$.steps[0].id: found 5; expected a text. Quote it."
    assert str(Problem("$", "5", "a text")) == "$: found 5; expected a text."


def test_a_problem_can_be_sent_to_another_process() -> None:
    problem = Problem("$", "5", "a text")
    assert pickle.loads(pickle.dumps(problem)) == problem  # noqa: S301 - our own


@pytest.mark.parametrize("make", [PipelineDefinitionError, lambda problems: StepInputError("s", problems)])
def test_an_error_of_many_problems_lists_each_on_its_line(make: Any) -> None:
    problems = [Problem("$.a", "1", "2", "Do so."), Problem("$.b", "3", "4")]
    error = make(problems)
    assert str(error).splitlines()[1:] == [f"- {problem}" for problem in problems]
    assert error.problems == tuple(problems)


def test_the_first_problem_stands_for_all() -> None:
    error = PipelineDefinitionError([Problem("$.a", "1", "2", "Do so."), Problem("$.b", "3", "4")])
    assert (error.where, error.found, error.expected, error.hint) == ("$.a", "1", "2", "Do so.")


def test_an_invalid_value_keeps_the_way_down_to_the_culprit() -> None:
    error = InvalidValue("5", "a text", "Quote it.", inside=("a", 0))
    assert (str(error), error.hint, error.inside) == ("found 5; expected a text.", "Quote it.", ("a", 0))
    assert isinstance(error, ValueError)
