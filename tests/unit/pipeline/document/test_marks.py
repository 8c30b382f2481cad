import pytest

from ia_modules.errors import Problem
from ia_modules.pipeline.document.marks import Mark, TextLines, marked, wrong_text

ROOT = Mark(1, 1, {"a b": Mark(2, 3, {0: Mark(4, 5, {"c": Mark(6, 7, {})})}), "d": Mark(8, 9, {})})


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("$", (1, 1)),
        ("$.d", (8, 9)),
        ('$["a b"]', (2, 3)),
        ('$["a b"][0].c', (6, 7)),
        ('$["a b"][0].not_there.c', (4, 5)),
        ("$.d[3]", (8, 9)),
    ],
)
def test_a_problem_has_the_place_of_its_value_or_of_what_is_around_it(where: str, place: tuple[int, int]) -> None:
    (problem,) = marked([Problem(where, "x", "y", "Do z.")], ROOT)
    assert (problem.line, problem.column) == place
    assert str(problem) == f"{where}, line {place[0]}, column {place[1]}: found x; expected y. Do z."


def test_what_has_its_place_or_lies_in_no_document_stays() -> None:
    (problem,) = wrong_text(3, 4, "x", "y").problems
    assert str(problem) == "line 3, column 4: found x; expected y."
    file = Problem("the file", "x", "y")
    assert marked([problem, file], ROOT) == (problem, file)


@pytest.mark.parametrize(
    ("offset", "place"), [(0, (1, 1)), (1, (1, 2)), (2, (1, 3)), (3, (2, 1)), (4, (3, 1)), (5, (3, 2))]
)
def test_lines_and_columns_count_from_one(offset: int, place: tuple[int, int]) -> None:
    assert TextLines("ab\n\ncd").place(offset) == place
