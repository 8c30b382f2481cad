import re

import pytest

from ia_modules.database.parameters import has_nul, impossible_text


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("a\0", r"The parameter :wrong .* a NUL character \(U\+0000\) at position 1 of 2"),
        ("\ud800", r"The parameter :wrong .* a lone surrogate \(U\+D800\) at position 0 of 1"),
        ("ä\U0001f600\x01", "None"),
        (0, "None"),
        (None, "None"),
    ],
)
def test_text_that_one_database_cannot_store_is_named(value: object, problem: str) -> None:
    error = impossible_text("SELECT :right, :wrong", [{"right": "text", "wrong": value}])
    assert re.match(problem, str(error))


def test_parameters_that_the_sql_does_not_name_may_be_anything_but_are_searched_for_nul() -> None:
    assert impossible_text("SELECT :one", [{"one": 1, "other": "\0"}]) is None
    assert has_nul([{"one": 1}, {"other": "\0"}])
    assert not has_nul([{"one": "text", "two": 0}])
