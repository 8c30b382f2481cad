"""Values against a JSON Schema, and which schemas are taken at all."""

from typing import Any

import pytest

from ia_modules.errors import InvalidValue
from ia_modules.pipeline.document.json_schema import (
    LONGEST_MESSAGE,
    as_property,
    checked_schema,
    path_text,
    problems_of,
)

PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "mail": {"type": "string", "format": "email"}},
}


def test_every_problem_has_its_place_and_a_missing_key_its_own() -> None:
    problems = problems_of({"mail": "nobody"}, PERSON, root="input")
    assert sorted(problem.where for problem in problems) == ["input.mail", "input.name"]
    assert problems_of({"name": "ann", "mail": "ann@example.org"}, PERSON) == []


def test_a_long_message_is_cut() -> None:
    [problem] = problems_of("x" * 1000, {"type": "integer"})
    assert len(problem.found) == LONGEST_MESSAGE
    assert problem.found.endswith("…")


@pytest.mark.parametrize("schema", [True, False, {}, PERSON, {"$defs": {"n": {"type": "number"}}, "$ref": "#/$defs/n"}])
def test_a_schema_that_stands_alone_is_taken(schema: Any) -> None:
    assert checked_schema(schema) == schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strng"},
        {"$ref": "https://example.org/person.json"},
        {"$ref": "#/$defs/nobody"},
        {"pattern": "(a)\\1"},
        {"pattern": "("},
        "object",
        None,
        [PERSON],
    ],
)
def test_what_is_no_schema_or_needs_something_else_is_refused(schema: Any) -> None:
    with pytest.raises(InvalidValue):
        checked_schema(schema)


def test_a_pattern_cannot_run_away() -> None:
    """An engine that goes back over what it has read would take longer than the world has been there."""
    assert len(problems_of("a" * 50_000 + "!", {"pattern": "^(a+)+$"})) == 1


def test_a_path_names_plain_keys_bare_and_others_in_quotes() -> None:
    assert path_text(["steps", 2, "id", "a b", 'say "hi"', "größe"]) == '.steps[2].id["a b"]["say \\"hi\\""].größe'


@pytest.mark.parametrize("name", ["x", "a/b", "a~b", "größe", "a%b c", "$ref", "default"])
@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}},
        {"$ref": "#/$defs/$ref", "$defs": {"$ref": {"$ref": "#/$defs/default"}, "default": {"type": "integer"}}},
        {"anyOf": [{"$ref": "#/properties/default"}], "properties": {"default": {"type": "integer"}}},
        {"anyOf": [{"type": "integer"}, {"type": "array", "minItems": 1, "items": {"$ref": "#"}}]},
        {"$id": "urn:other", "$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}},
        {
            "$anchor": "here",
            "anyOf": [{"type": "integer"}, {"type": "array", "minItems": 1, "items": {"$ref": "#here"}}],
        },
    ],
)
def test_a_schema_that_refers_to_itself_means_the_same_as_a_property_of_another(name: str, schema: Any) -> None:
    embedded = {"properties": {name: as_property(name, schema)}}
    checked_schema(embedded)
    for value in (1, "one", [1], [[]], [["one"]]):
        assert bool(problems_of({name: value}, embedded)) == bool(problems_of(value, schema)), value


def test_data_in_a_schema_is_no_reference() -> None:
    data = {"$ref": "#/x"}
    schema: dict[str, Any] = {
        "default": data,
        "const": data,
        "enum": [data],
        "examples": [data],
        "$ref": "https://a/#/b",
    }
    assert as_property("x", schema) == schema
    assert as_property("x", True) is True


def test_schemas_that_python_takes_for_equal_are_told_apart() -> None:
    schemas: list[dict[str, Any]] = [{"const": True}, {"const": 1}, {"type": ["boolean", "integer"]}]
    for _ in range(2):
        assert [bool(problems_of(True, schema)) for schema in schemas] == [False, True, False]
        assert [bool(problems_of(1, schema)) for schema in schemas] == [True, False, False]
    schema = schemas[0]
    schema["const"] = "changed"
    assert problems_of("changed", schema) == []
