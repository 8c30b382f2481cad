"""YAML with the values of JSON, and nothing that runs or explodes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.document.marks import MOST_VALUES
from ia_modules.pipeline.document.yaml_core import read_yaml
from ia_modules.pipeline.loader import document_of, examine


def refusal(text: str) -> str:
    with pytest.raises(PipelineDefinitionError) as wrong:
        read_yaml(text)
    return str(wrong.value.problems[0])


def test_aliases_cannot_make_a_small_text_a_large_document() -> None:
    levels = [f"x{level}: &x{level} [{','.join([f'*x{level - 1}'] * 10)}]" for level in range(1, 9)]
    assert "expected fewer" in str(examine(document_of("\n".join(["x0: &x0 [1]", *levels]), "yaml")).errors[0])
    many = ", ".join(f"k{number}: 1" for number in range(1000))
    merges = "\n".join(f"- <<: *many\n  x{number}: 1" for number in range(MOST_VALUES // 1000))
    assert "more than 200000 values; expected fewer" in refusal(f"- &many {{{many}}}\n{merges}")
    chain = "\n".join(["- &a0 [1]", *(f"- &a{number} [*a{number - 1}]" for number in range(1, 150))])
    assert "expected at most 100" in str(examine(document_of(chain, "yaml")).errors[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("2024-01-01", "2024-01-01"),
        ("010", "010"),
        ("12", 12),
        ("-1.5e3", -1500.0),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ("", None),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("<<", "<<"),
        ("!!str 12", "12"),
        ('!!int "12"', 12),
        ("{a}", {"a": None}),
        ("{parameters.x: 1}", {"parameters.x": 1}),
        ("'{parameters.x}'", "{parameters.x}"),
        ('"{{ parameters.x }}"', "{{ parameters.x }}"),
    ],
)
def test_yaml_has_the_values_of_json(text: str, value: Any) -> None:
    assert document_of(f"key: {text}", "yaml") == {"key": value}


@pytest.mark.parametrize("text", ["", "# nothing", "---", "--- ~"])
def test_an_empty_text_is_null(text: str) -> None:
    assert document_of(text, "yaml") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n  p: {{ parameters.topic }}", 'line 2, column 6: found "{{ parameters.topic }}" without quotes'),
        ("- {{a}}", 'line 1, column 3: found "{{a}}" without quotes'),
        ("{{ a }}: 1", 'line 1, column 1: found "{{ a }}" without quotes'),
        ("a: {{ b }} and more", "Quote a text that begins with a brace."),
        ("a: {parameters.x}", 'Quote it: "{parameters.x}".'),
        ("a: [{parameters.x | steps.a.output.b}]", 'Quote it: "{parameters.x | steps.a.output.b}".'),
        ("a: {pipeline_input}", "line 1, column 4: found"),
        ("a: {steps.go.output.n: }", 'Quote it: "{steps.go.output.n: }".'),
        ("? [a]\n: 1", "line 1, column 3: found a list as a key; expected a key that is a text."),
        ("? {a: 1}\n: 1", "line 1, column 3: found a mapping as a key"),
        ("a:\n  404: x", 'line 2, column 3: found the key 404; expected a key that is a text. Quote it: "404".'),
        ("true: x", "found the key true"),
        ("~: x", "found the key null"),
        ("1.5: x", "found the key 1.5"),
        ("a: !foo b", 'line 1, column 4: found the tag "!foo"; expected a value of JSON'),
        ("!!python/object/apply:os.getcwd []", 'line 1, column 1: found the tag "!!python/object/apply:os.getcwd"'),
        ("a: !!set {b}", 'line 1, column 4: found the tag "!!set"'),
        ("a: !!timestamp now", 'found the tag "!!timestamp"'),
        ("a: !!binary x", 'found the tag "!!binary"'),
        ("a: !!int x", 'found "x" with the tag !!int'),
        ("a: !!map [b]", 'found the tag "!!map"'),
        ("a: !e!b c", "found undefined tag handle"),
        ("a: &a [*a]", "line 1, column 4: found a value that holds itself, by an alias"),
        ("a: &a {b: {<<: *a}}", "found a value that holds itself"),
        ("a: *nothing", "line 1, column 4: found what is not YAML (found undefined alias 'nothing')"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: found the key 'a' twice in one mapping; expected each key once."),
        ("x: {<<: {a: 1}, <<: {b: 1}}", "Several are merged in a list: <<: [*a, *b]."),
        ("a: {<<: 1}", "line 1, column 9: found 1 under <<; expected a mapping"),
        ("a: {<<: [{}, b]}", 'line 1, column 14: found "b" under <<'),
        ("a: 1\n--- \nb: 2", "line 2, column 1: found what is not YAML (but found another document)"),
        ("a:\n\tb: 1", "line 2, column 1: found what is not YAML (found character '\\t'"),
        ("a: b\0", 'line 1, column 5: found the character "\\u0000"; expected text that YAML can hold.'),
        ("a: 1\nb: \ud800", "line 2, column 4: found the character"),
        ('a: "\\U00110000"', "line 1, column 7: found what is not YAML"),
        ('a: "\\UFFFFFFFF"', "line 1, column 7: found what is not YAML"),
        ("[" * 2000, "line 1, column 102: found too many levels; expected at most 100."),
        ("%YAML 2.0\n---\na", "line 1, column 1: found what is not YAML (found incompatible YAML document"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(text: str, problem: str) -> None:
    assert problem in refusal(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (".nan", "NaN"),
        ("-.inf", "-Infinity"),
        ("1e999", "Infinity"),
        ("9" * 5000, "a number beyond 64 bits"),
        ('"\\ud800"', "a text with NUL or half a surrogate pair"),
        ('"\\0"', "a text with NUL or half a surrogate pair"),
    ],
)
def test_values_that_cannot_be_stored_are_named_with_their_place(text: str, found: str) -> None:
    value, mark = read_yaml(f"a:\n  - {text}")
    (problem,) = examine(value).errors
    assert (problem.where, mark.inner["a"].inner[0][:2]) == ("$.a[0]", (2, 5))
    assert problem.found.lower().replace("inf", "infinity").startswith(found.lower()) or problem.found == found


MERGES = """
deep:
  deeper:
    base: &base {attempts: 1, delay: 2, order: [1]}
    slower: &slower
      <<: *base
      delay: 9
other: &other {delay: 5, more: true}
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{<<: *base, name: a}", {"attempts": 1, "delay": 2, "order": [1], "name": "a"}),
        ("{<<: *slower, name: a}", {"attempts": 1, "delay": 9, "order": [1], "name": "a"}),
        ("{name: a, delay: 0, <<: *slower}", {"attempts": 1, "delay": 0, "order": [1], "name": "a"}),
        ("{<<: [*other, *slower]}", {"attempts": 1, "delay": 5, "order": [1], "more": True}),
        ("{<<: [*slower, *other]}", {"attempts": 1, "delay": 9, "order": [1], "more": True}),
        ("{<<: [*base, *base, *slower], x: 1}", {"attempts": 1, "delay": 2, "order": [1], "x": 1}),
        ("{<<: {<<: {a: 1, b: 1}, b: 2}, c: 3}", {"a": 1, "b": 2, "c": 3}),
        ("{<<: []}", {}),
        ('{"<<": 1}', {"<<": 1}),
    ],
)
def test_what_a_mapping_has_comes_before_what_it_merges_and_earlier_merges_before_later(text: str, value: Any) -> None:
    read = document_of(f"{MERGES}step: {text}", "yaml")
    assert read["step"] == value
    assert read["deep"]["deeper"]["base"] == {"attempts": 1, "delay": 2, "order": [1]}, "what is merged stays"


KEYS = st.sampled_from("abcd")
LEVELS = st.lists(st.tuples(st.dictionaries(KEYS, st.integers(0, 9)), st.lists(st.integers(0, 9), max_size=3)))


@given(LEVELS)
def test_merges_of_merges_are_what_python_makes_of_them(levels: list[tuple[dict[str, int], list[int]]]) -> None:
    """Each level merges levels before it, and has keys of its own."""
    expected: list[dict[str, int]] = []
    lines: list[str] = []
    for number, (own, wanted) in enumerate(levels):
        merged = [each for each in wanted if each < number]
        both: dict[str, int] = {}
        for each in reversed(merged):
            both |= expected[each]
        expected.append(both | own)
        aliases = ", ".join(f"*m{each}" for each in merged)
        keys = [f"<<: [{aliases}]", *(f"{key}: {value}" for key, value in own.items())]
        lines.append(f"- &m{number} {{{', '.join(keys)}}}")
    assert document_of("\n".join(lines) or "[]", "yaml") == expected


def test_the_place_of_a_merged_value_is_where_it_is_written() -> None:
    _, mark = read_yaml(f"{MERGES}step: {{<<: *slower}}")
    assert mark.inner["step"].inner["delay"][:2] == (7, 14)
    assert mark.inner["step"].inner["order"].inner[0][:2] == (4, 49)
