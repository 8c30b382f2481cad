import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.document.json_text import mark_json, read_json
from ia_modules.pipeline.document.marks import Mark

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def check_marks(value: Any, mark: Mark, lines: list[str]) -> None:
    written = "\n".join([lines[mark.line - 1][mark.column - 1 :], *lines[mark.line :]])
    assert json.JSONDecoder().raw_decode(written)[0] == value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    expected = dict(items)
    assert mark.inner.keys() == expected.keys()
    for key, inner in expected.items():
        check_marks(inner, mark.inner[key], lines)


@given(VALUES, st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_every_value_stands_where_its_mark_says(value: Any, indent: Any, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    check_marks(read_json(text), mark_json(text), text.split("\n"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1, column 1: found what is not JSON (Expecting value)"),
        ('{"a": [\n 1,\n 2 // two\n]}', "line 3, column 4: found what is not JSON"),
        ('{"a": 1 # one\n}', "JSON has no comments; YAML has."),
        ('{"a": 1 /* one */}', "JSON has no comments; YAML has."),
        ('{"a": 1}\n{"b": 2}', "line 2, column 1: found what is not JSON (Extra data)"),
        (
            '{"a": {"b": 1,\n "b": 2}}',
            "line 2, column 2: found the key 'b' twice in one mapping; expected each key once.",
        ),
        ('[{"a": 1}, {"a": 1, "\\u0061": 1}]', "line 1, column 21: found the key 'a' twice"),
        ("[" * 100_000, "line 1, column 102: found too many levels; expected at most 100."),
        ('{"a":\n' * 5_000, "line 102, column 1: found too many levels"),
        ('{"a": "\0"}', "line 1, column 8: found what is not JSON (Invalid control character at)"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(PipelineDefinitionError) as wrong:
        read_json(text)
    assert problem in str(wrong.value.problems[0])


@pytest.mark.parametrize("text", ['{"a": [1,]}', '{"a": 1,}'])
def test_a_comma_too_many_is_called_one(text: str) -> None:
    with pytest.raises(PipelineDefinitionError, match="comma"):
        read_json(text)


def test_a_number_of_any_length_is_read_and_still_beyond_64_bits() -> None:
    assert read_json("9" * 5000) >= 2**64
    assert read_json("-" + "9" * 5000) < -(2**63)
    assert read_json("18446744073709551615") == 2**64 - 1
