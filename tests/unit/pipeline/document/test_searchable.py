import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.models import Attribute
from ia_modules.pipeline.document.searchable import attributes_of
from ia_modules.pipeline.loader import load
from tests.unit.pipeline.factories import document

KEYS = ("input.customer", "input.order.id", "metadata.team")


def test_texts_numbers_and_truth_values_are_found_by_their_text() -> None:
    input_data = {"customer": "acme", "order": {"id": 17}, "other": "x"}
    assert attributes_of(KEYS, input_data, {"team": True}) == (
        Attribute(key="input.customer", value="acme"),
        Attribute(key="input.order.id", value="17"),
        Attribute(key="metadata.team", value="true"),
    )
    assert [each.value for each in attributes_of(KEYS[:1] * 3, {"customer": 2.5}, None)] == ["2.5"] * 3
    assert [each.value for each in attributes_of(KEYS[:1], {"customer": 3.0}, None)] == ["3"]


@pytest.mark.parametrize("value", [None, {}, {"id": 1}, [], ["acme"], "", "x" * 401])
def test_what_cannot_be_found_is_left_out(value: object) -> None:
    assert attributes_of(KEYS, {"customer": value, "order": value and "text"}, None) == ()


def test_what_is_not_there_is_left_out() -> None:
    assert attributes_of(KEYS, {"order": 17}, None) == ()
    assert attributes_of(KEYS, {}, {"customer": "acme"}) == ()
    assert attributes_of((), {"customer": "acme"}, None) == ()


@pytest.mark.parametrize(
    ("searchable", "words"),
    [
        (["customer"], "'customer'; expected a path such as input.customer"),
        (["output.total"], "Only the input and the metadata are there when it starts"),
        (["input"], "Name a value"),
        (["input."], "Name a value"),
        (["input..id"], "Name a value"),
        (["input.a=b"], "without ="),
        (["input." + "x" * 200], "a path of 206 characters"),
        (["input.a", "input.a"], "a second 'input.a'"),
        ([f"input.x{number}" for number in range(21)], "20"),
        ("input.a", "list"),
        ([17], "text"),
    ],
)
def test_a_wrong_path_is_said_with_its_place(searchable: object, words: str) -> None:
    with pytest.raises(PipelineDefinitionError) as refused:
        load(document("a", searchable=searchable))
    assert words in str(refused.value)
    assert "searchable" in str(refused.value)


def test_a_path_of_the_input_is_one_of_its_parameters_where_there_are_any() -> None:
    parameters = [{"name": "customer"}]
    with pytest.raises(PipelineDefinitionError, match="there is no parameter 'custmer'"):
        load(document("a", parameters=parameters, searchable=["input.custmer"]))
    loaded = load(document("a", parameters=parameters, searchable=["input.customer.id", "metadata.team"])).definition
    assert loaded.searchable == ("input.customer.id", "metadata.team")
    assert loaded.to_json()["searchable"] == ["input.customer.id", "metadata.team"]
    assert "searchable" not in load(document("a")).definition.to_json(), "older versions keep their hash"
