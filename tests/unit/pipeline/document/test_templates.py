"""Placeholders: what they mean, what they keep, and what they are not."""

import json
import re
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ia_modules.errors import InvalidValue
from ia_modules.pipeline.document.scope import Scope, Unresolved
from ia_modules.pipeline.document.templates import Notation, parse, read_path, split_at_bars

SCOPE = Scope.of(
    {"topic": "bees", "limit": 3, "tags": ["a", "b"], "none": None, "deep": {"x": [{"y": True}]}},
    (("draft-1", {"text": "old"}), ("review", {"score": 0.5, "ok": False}), ("draft-1", {"text": "new", "items": [1]})),
)

RESOLVED: list[tuple[Notation, Any, Any]] = [
    ("source", "{parameters.limit}", 3),
    ("source", "{{ parameters.limit }}", 3),
    ("source", "{{parameters.limit}}", 3),
    ("source", " {parameters.limit} ", 3),
    ("source", "{pipeline_input.tags}", ["a", "b"]),
    ("source", "{pipeline_input}", SCOPE.input),
    ("source", "{parameters.none}", None),
    ("source", "{parameters.deep.x.0.y}", True),
    ("source", "{{ pipeline_input.deep.x[0].y }}", True),
    ("source", "{steps.draft-1.output.text}", "new"),
    ("source", "{steps.draft-1.output}", {"text": "new", "items": [1]}),
    ("source", "{steps.draft-1.output.items.0}", 1),
    ("source", "{{ draft-1.text }}", "new"),
    ("source", "{{ review.ok }}", False),
    ("source", "{parameters.nope}|{parameters.limit}", 3),
    ("source", "{parameters.none}|{parameters.limit}", None),
    ("source", "{parameters.nope}|{steps.later.output.x}|by hand", "by hand"),
    ("source", "{{ later.x || review.score }}", 0.5),
    ("source", "{parameters.nope}|about {parameters.topic}", "about bees"),
    ("source", "{parameters.nope}|", ""),
    ("source", "Write about {parameters.topic} and {{ review.score }}.", "Write about bees and 0.5."),
    ("source", "ok: {{ review.ok }}, none: {parameters.none}, {parameters.tags}", 'ok: false, none: null, ["a", "b"]'),
    ("source", "either {{ later.x | parameters.topic }}!", "either bees!"),
    ("source", "no placeholder", "no placeholder"),
    ("source", 'a {name}, {} and {"json": 1}', 'a {name}, {} and {"json": 1}'),
    ("source", "a|b", "a|b"),
    ("source", 5, 5),
    ("source", None, None),
    ("source", {"a": ["{parameters.limit}", {"b": "{{ review.ok }}"}], "c": 1}, {"a": [3, {"b": False}], "c": 1}),
    ("config", "{{ parameters.limit }}", 3),
    ("config", "about {{ parameters.topic }}", "about bees"),
    ("config", "{parameters.limit}", "{parameters.limit}"),
    ("config", "{{ parameters.nope }} | {{ parameters.topic }}", Unresolved),
    ("config", "{{ parameters.limit }} | {{ parameters.topic }}", "3 | bees"),
    ("config", "{{ parameters.nope | parameters.topic }}", "bees"),
    ("config", '{{"json": {"a": 1}}} and {text} and {{}}', '{{"json": {"a": 1}}} and {text} and {{}}'),
]


@pytest.mark.parametrize(("notation", "written", "value"), RESOLVED, ids=lambda value: str(value)[:50])
def test_a_template_gives(notation: Notation, written: Any, value: Any) -> None:
    resolved = parse(written, notation).resolve(SCOPE)
    if value is Unresolved:
        assert isinstance(resolved, Unresolved)
    else:
        assert json.dumps(resolved) == json.dumps(value)  # true is not 1


@pytest.mark.parametrize(("notation", "written", "value"), RESOLVED, ids=lambda value: str(value)[:50])
def test_the_one_spelling_of_a_template_means_the_same(notation: Notation, written: Any, value: Any) -> None:
    template = parse(written, notation)
    again = parse(template.json, notation)
    assert again == template
    assert again.resolve(SCOPE) == template.resolve(SCOPE)
    del value


@pytest.mark.parametrize(
    ("written", "placeholder", "why"),
    [
        ("{parameters.nope}", "parameters.nope", "the input has no 'nope'"),
        ("{pipeline_input.deep.z.y}", "pipeline_input.deep.z.y", "the input has no 'deep.z'"),
        ("{parameters.limit.x}", "parameters.limit.x", "the input has no 'limit.x' ('x' of a number)"),
        ("{parameters.tags.2}", "parameters.tags.2", "the input has no 'tags.2' ('2' of a list)"),
        ("{parameters.tags.-1}", "parameters.tags.-1", "the input has no 'tags.-1' ('-1' of a list)"),
        ("{parameters.topic.0}", "parameters.topic.0", "the input has no 'topic.0' ('0' of a text)"),
        ("{{ review.nope }}", "steps.review.output.nope", "the output of step 'review' has no 'nope'"),
        ("{{ later.x }}", "steps.later.output.x", "step 'later' is not among the steps that led here"),
        ("text {{ later.x }}", "steps.later.output.x", "step 'later' is not among the steps that led here"),
        (["{parameters.nope}"], "parameters.nope", "the input has no 'nope'"),
        (
            "{parameters.a}|{steps.later.output.x}",
            "parameters.a | steps.later.output.x",
            "the input has no 'a'; step 'later' is not among the steps that led here",
        ),
    ],
)
def test_what_does_not_resolve_says_why(written: Any, placeholder: str, why: str) -> None:
    assert parse(written, "source").resolve(SCOPE) == Unresolved(placeholder, why)


def test_what_does_not_resolve_can_be_null_where_it_stands() -> None:
    template = parse({"a": "{parameters.nope}", "b": ["x {{ later.x }}", "{parameters.limit}"]}, "source")
    assert template.resolve_or_null(SCOPE) == {"a": None, "b": [None, 3]}


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("{{ draft-1.text }}", "{steps.draft-1.output.text}"),
        ("{{parameters.x}} || {{ a.b }}||c", "{parameters.x}|{steps.a.output.b}|c"),
        ("{{ a.b || c.d }}", "{steps.a.output.b}|{steps.c.output.d}"),
        ("x {{ a.b || c.d }} y", "x {steps.a.output.b|steps.c.output.d} y"),
        ("{pipeline_input.a[0][1].b}", "{pipeline_input.a.0.1.b}"),
    ],
)
def test_sources_have_one_spelling(written: str, spelled: str) -> None:
    assert parse(written, "source").json == spelled


@pytest.mark.parametrize(
    ("written", "inside"),
    [("{foo}", ()), ({"a": ["x", "{steps.a}"]}, ("a", 1)), ("{{ a..b }}", ()), ("{steps.output.x}", ())],
)
def test_a_placeholder_that_is_no_known_form_is_refused_where_it_stands(written: Any, inside: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse(written, "source")
    assert refused.value.inside == inside


def test_references_are_named_with_their_places() -> None:
    template = parse({"a": ["{parameters.x}|{{ s.y }}"], "b": "no", "c": "to {{ t.z }}"}, "source")
    assert [(where, str(reference)) for where, reference in template.references()] == [
        (("a", 0), "parameters.x"),
        (("a", 0), "steps.s.output.y"),
        (("c",), "steps.t.output.z"),
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("limit", 3),
        ("score", 0.5),
        ("text", "new"),
        ("deep.x.0.y", True),
        ("draft-1.text", "new"),
        ("review.score", 0.5),
        ("result.text", "new"),
        ("{parameters.limit}", 3),
        ("{{ steps.review.output.ok }}", False),
    ],
)
def test_a_condition_reads(path: str, value: Any) -> None:
    scope = replace(SCOPE, result={"text": "new"})
    assert read_path(path).resolve(scope) == value


def test_result_alone_is_a_field_of_the_state() -> None:
    after = Scope.of({}).after("count", {"result": 5})
    assert read_path("result").resolve(after) == 5
    assert read_path("result.result").resolve(after) == 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab{}| .\"'", max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["source", "config"]))
def test_any_json_is_either_refused_or_has_one_stable_spelling(value: Any, notation: Notation) -> None:
    try:
        template = parse(value, notation)
    except InvalidValue:
        return
    again = parse(template.json, notation)
    assert again.json == template.json
    if template.is_literal:
        assert template.resolve(Scope.of({})) == value


def test_alternatives_are_parted_at_bars_that_stand_in_no_braces() -> None:
    """As an expression says it that looks ahead from each bar: right, and far too slow for a long text."""
    for length in range(8):
        for text in map("".join, product("{}| a", repeat=length)):
            assert list(split_at_bars(text)) == re.split(r"\|\|?(?![^{}]*\})", text), text


@pytest.mark.parametrize("text", ["|", "||{", "{{a|", "{", "a}", "{parameters.limit}|", "{a|b}{", "{{", "| "])
@pytest.mark.parametrize("notation", ["source", "config"])
def test_a_text_of_any_length_is_read_in_one_pass(text: str, notation: Notation) -> None:
    """What looks ahead from each sign would need days for these, and the limit of a test is two minutes."""
    long = text * (500_000 // len(text))
    with suppress(InvalidValue):  # an answer as well
        parse(long, notation)
