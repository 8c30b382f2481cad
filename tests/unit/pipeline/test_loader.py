"""From a text to a definition: everything that is wrong at once, with its place."""

import json
from typing import Any

import pytest

from ia_modules.errors import FORMAT_HINT, PipelineDefinitionError
from ia_modules.pipeline.document.marks import MOST_VALUES
from ia_modules.pipeline.loader import MOST_PROBLEMS, document_of, examine, load, load_text, syntax_of
from tests.unit.pipeline.factories import document, task


def test_every_problem_is_reported_not_only_the_first() -> None:
    written = document(
        task("a", timeout_seconds=0, colour="red"), {"id": "b", "type": "tsk"}, paths=[("a", "b", "allways")], slug=""
    )
    assert [problem.where for problem in examine(written).errors] == [
        "$.slug",
        "$.steps[0].colour",
        "$.steps[0].timeout_seconds",
        "$.steps[1].type",
        "$.flow.paths[0].condition",
    ]


def test_an_unknown_key_hides_nothing_of_what_else_is_wrong() -> None:
    examined = examine(document("a", paths=[("a", "nobody")]) | {"surprise": 1})
    assert [problem.where for problem in examined.errors] == ["$.surprise", "$.flow.paths[0].to_step"]


def test_the_error_carries_its_facts() -> None:
    with pytest.raises(PipelineDefinitionError) as wrong:
        load(document("a", "a", stepz=1))
    assert str(wrong.value).startswith("The pipeline definition is wrong:\n- $.stepz: found the unknown key")
    assert wrong.value.where == "$.stepz"
    assert wrong.value.hint == f"Did you mean 'steps'? {FORMAT_HINT}"
    assert [problem.where for problem in wrong.value.problems] == ["$.stepz", "$.steps[1].id"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "$.metadata.x: found nan; expected a finite number."),
        (object, "$.metadata.x: found a value of type type; expected a JSON value."),
        (
            {1: 2},
            "$.metadata.x: found the key 1; expected keys that are texts, without NUL and half surrogate pairs.",
        ),
        (
            {"a\0": 2},
            (
                '$.metadata.x: found the key "a\\u0000"; '
                "expected keys that are texts, without NUL and half surrogate pairs."
            ),
        ),
        (["a\0"], "$.metadata.x[0]: found a text with NUL or half a surrogate pair; expected one without."),
        (["\ud800"], "$.metadata.x[0]: found a text with NUL or half a surrogate pair; expected one without."),
        (2**64, "$.metadata.x: found a number beyond 64 bits; expected a smaller one."),
    ],
)
def test_a_definition_is_json(value: Any, message: str) -> None:
    assert [str(problem) for problem in examine(document("a", metadata={"x": value})).errors] == [message]


def test_a_definition_has_limits() -> None:
    deep: Any = []
    for _ in range(150):
        deep = [deep]
    assert "expected at most 100" in str(examine(document("a", metadata={"x": deep})).errors[0])
    wide = document("a", metadata={"x": [0] * (MOST_VALUES + 1)})
    assert "expected fewer" in str(examine(wide).errors[0])


@pytest.mark.parametrize(
    ("syntax", "text", "message"),
    [
        ("json", '{"name": }', "line 1, column 10: found what is not JSON (Expecting value); expected JSON."),
        (
            "json",
            '{\n"a": 1\n"b"}',
            "line 3, column 1: found what is not JSON (Expecting ',' delimiter); expected JSON.",
        ),
        (
            "json",
            '{"a": 1, "a": 2}',
            "line 1, column 10: found the key 'a' twice in one mapping; expected each key once.",
        ),
        ("json", "[" * 50_000, "line 1, column 102: found too many levels; expected at most 100."),
        (
            "yaml",
            "a: [1,\nb: {",
            (
                "line 2, column 5: found what is not YAML (expected the node content, but found '<stream end>'); "
                "expected YAML."
            ),
        ),
        (
            "yaml",
            "a: 1\nb: 2\na: 3",
            "line 3, column 1: found the key 'a' twice in one mapping; expected each key once.",
        ),
    ],
)
def test_a_text_that_is_no_document_is_refused_with_its_place(syntax: Any, text: str, message: str) -> None:
    for read in (document_of, load_text):
        with pytest.raises(PipelineDefinitionError) as wrong:
            read(text, syntax)
        assert str(wrong.value) == f"The pipeline definition is wrong:\n- {message}"


@pytest.mark.parametrize(("name", "syntax"), [("a.json", "json"), ("a.YAML", "yaml"), ("a.yml", "yaml"), ("a", "json")])
def test_the_syntax_follows_from_the_name(name: str, syntax: str) -> None:
    assert syntax_of(name) == syntax


def test_a_byte_order_mark_is_no_problem() -> None:
    assert load_text("\ufeff" + json.dumps(document("a"))).definition.name == "test"


@pytest.mark.parametrize(
    "keys",
    [
        {f"key{number}": 1 for number in range(20_000)},
        {"paths": [("a", f"b{number}") for number in range(20_000)]},
        {
            "parameters": [{"name": f"p{number}"} for number in range(20_000)],
            "outputs": {f"o{number}": f"{{parameters.q{number}}}" for number in range(20_000)},
        },
    ],
    ids=["keys", "targets", "parameters"],
)
def test_a_document_with_more_problems_than_anybody_reads_is_refused_with_the_first_of_them(keys: Any) -> None:
    """To look for what each of them may mean would take longer than a test may."""
    errors = examine(document("a", **keys)).errors
    assert len(errors) == MOST_PROBLEMS
    assert max(len(str(problem)) for problem in errors) < 1000
