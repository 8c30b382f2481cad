"""How messages name values."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.pipeline.document.wording import LONGEST, did_you_mean, kind_of, misspelled, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("größe", '"größe"'),
        ([1, "a"], '[1, "a"]'),
        (list(range(100)), "a list of 100"),
        ({str(n): n for n in range(100)}, "a mapping of 100"),
        ("x" * 100, f'"{"x" * (LONGEST - 2)}…'),
        ({1, 2}, "{1, 2}"),
    ],
)
def test_a_value_is_shown_as_json_and_a_large_one_by_its_size(value: Any, text: str) -> None:
    assert shown(value) == text


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_no_value_is_shown_longer_than_a_message_can_carry(value: Any) -> None:
    assert len(shown(value)) <= LONGEST


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "a boolean"), (1.5, "a number"), ("", "a text"), ((), "a list"), ({}, "a mapping")],
)
def test_a_kind_has_its_article(value: Any, kind: str) -> None:
    assert kind_of(value) == kind


def test_what_is_not_json_is_named_by_its_type() -> None:
    assert kind_of(object()) == "a value of type object"


def test_the_nearest_word_is_meant_and_a_far_one_is_not() -> None:
    assert did_you_mean("expresion", ["expression", "always"]) == "Did you mean 'expression'?"
    assert did_you_mean("zzz", ["expression", "always"]) == ""
    assert did_you_mean(None, ["expression"]) == ""


def test_a_long_word_is_like_none_and_only_so_many_known_ones_are_looked_at() -> None:
    assert did_you_mean("a" * 101, ["a" * 101]) == ""
    looked_at: list[int] = []

    def known() -> Iterator[str]:
        for number in range(100_000):
            looked_at.append(number)
            yield f"step-{number}"

    assert did_you_mean("step", known()) == "Did you mean 'step-9'?"
    assert len(looked_at) == 500


@pytest.mark.parametrize("word", ["laod_data", "lod_data", "load_datta", "lood_data", "LOAD-DATA", "loaddata"])
def test_a_slip_of_the_pen_is_noticed(word: str) -> None:
    assert misspelled(word, ["other", "load_data"]) == "load_data"


@pytest.mark.parametrize("word", ["load", "data", "load_data_2", "loaded_data", "reload_data", "x" * 1000])
def test_a_word_of_its_own_is_no_slip(word: str) -> None:
    assert misspelled(word, ["other", "load_data"]) is None
