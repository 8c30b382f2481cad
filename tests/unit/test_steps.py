import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.pipeline.admission import admit
from ia_modules.pipeline.allowed_code import allowed_modules
from ia_modules.steps import read_table, sum_up, write_table
from tests.unit.pipeline.factories import document, task

SALES = 'region, amount\nNorth, 120\n"South, far", 80.5\n\nNorth, 30\n'

words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P"), exclude_characters="\r\n"), min_size=1).map(
    lambda word: f"x{word}"
)
cells = words | st.integers(-(10**17), 10**17)


def test_a_text_becomes_rows_whose_numbers_can_be_added() -> None:
    table = read_table({"text": SALES})
    assert table == {
        "columns": ["region", "amount"],
        "rows": [
            {"region": "North", "amount": 120},
            {"region": "South, far", "amount": 80.5},
            {"region": "North", "amount": 30},
        ],
        "count": 3,
    }
    assert sum_up({"rows": table["rows"], "by": "region", "of": "amount"}) == {
        "groups": [{"value": "North", "count": 2, "sum": 150}, {"value": "South, far", "count": 1, "sum": 80.5}],
        "count": 3,
        "total": 230.5,
    }


def test_what_is_written_otherwise_than_json_writes_numbers_stays_a_text() -> None:
    rows = read_table({"text": "a;b\n007;1e5\n-0;+1\n99999999999999999999;.5", "separator": ";"})["rows"]
    assert rows == [{"a": "007", "b": "1e5"}, {"a": 0, "b": "+1"}, {"a": "99999999999999999999", "b": ".5"}]


@given(rows=st.lists(st.tuples(cells, cells), max_size=8))
def test_every_table_comes_back_from_its_text(rows: list[tuple[Any, Any]]) -> None:
    written = io.StringIO()
    csv.writer(written).writerows([("a", "b"), *rows])
    assert read_table({"text": written.getvalue()})["rows"] == [{"a": one, "b": two} for one, two in rows]


@given(numbers=st.lists(st.tuples(st.sampled_from("xyz"), st.integers(-1000, 1000)), min_size=1))
def test_the_sums_of_groups_come_to_the_total(numbers: list[tuple[str, int]]) -> None:
    summed = sum_up({"rows": [{"key": key, "number": number} for key, number in numbers], "by": "key", "of": "number"})
    assert sum(group["sum"] for group in summed["groups"]) == summed["total"] == sum(number for _, number in numbers)
    assert sum(group["count"] for group in summed["groups"]) == summed["count"] == len(numbers)
    sums = [group["sum"] for group in summed["groups"]]
    assert sums == sorted(sums, reverse=True)


def test_rows_are_written_as_a_table() -> None:
    rows = [{"value": "a|b", "sum": 3}, {"value": "two\nlines", "count": 1}]
    assert write_table({"rows": rows, "title": "By region"})["markdown"].split("\n") == [
        "## By region",
        "",
        "| value | sum | count |",
        "| --- | --- | --- |",
        r"| a\|b | 3 |  |",
        "| two lines |  | 1 |",
    ]
    assert write_table({"rows": []})["markdown"] == "There are no rows."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n", "the text is empty"),
        ("a,a\n1,2", "a name of its own for each column"),
        ("a,b\n1,2\n3", "line 3 has 1 values; expected 2: a, b"),
        ("a\n" + "x" * 200_000, "cannot be read"),
        (None, "expected a text"),
    ],
)
def test_a_text_that_is_no_table_says_what_is_wrong(text: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_table({"text": text})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"key": 1}], "row 1 has no 'number'; it has key"),
        ([{"key": 1, "number": True}], "'number' of row 1 is True; expected a number"),
        ([1], "expected a list of mappings"),
        (None, "expected a list of mappings"),
    ],
)
def test_rows_that_cannot_be_added_up_say_what_is_wrong(rows: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sum_up({"rows": rows, "by": "key", "of": "number"})


def test_a_separator_is_one_character() -> None:
    with pytest.raises(ValueError, match="expected one character"):
        read_table({"text": "a", "separator": "--"})


def test_a_definition_from_outside_may_always_name_them_and_fields_that_they_have() -> None:
    step = task("a", module="ia_modules.steps", step_class="read_table")
    admitted = admit(document(step), folder=None, allowed=allowed_modules({}))
    assert admitted.definition.steps[0].module == "ia_modules.steps"
