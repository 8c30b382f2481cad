# pyright: reportUnknownParameterType=false, reportMissingParameterType=false
"""Schemas made from annotations: of a step's input and result, and of a pipeline's parameters."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Any, Optional

import pytest
from pydantic import BaseModel, Field, RootModel
from typing_extensions import TypedDict

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import PipelineDefinitionError, PipelineInputError, StepOutputError
from ia_modules.pipeline.authoring import Flow, when
from ia_modules.pipeline.binding import binding_of
from ia_modules.pipeline.code import load_pipeline
from ia_modules.pipeline.contracts import input_schema_of, names_of, parameters_of, schemas_of
from ia_modules.pipeline.core import ServiceRegistry, Step, StepContext
from ia_modules.pipeline.document.json_schema import problems_of
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.step_modules import StepModules
from ia_modules.tracker.execution_tracker import ExecutionTracker


class Colour(Enum):
    RED = "red"


class Line(BaseModel):
    price: Decimal = Field(gt=0)
    colour: Colour = Colour.RED


class Order(BaseModel):
    """What somebody wants."""

    customer: str = Field(min_length=1, description="who pays")
    lines: list[Line] = []
    inner: Optional["Order"] = None
    made: datetime | None = None


@dataclass
class Shop:
    name: str
    open: bool = True
    notes: list[str] = field(default_factory=list[str])


class Answer(TypedDict):
    text: str
    sure: float


# Of a step


def schemas(function: Callable[..., Any], inputs: tuple[str, ...] | None = None, *parameters: str) -> dict[str, Any]:
    return dict(schemas_of(function, inputs, parameters))


def untyped(text, context, limit=5):
    return text


def whole(data: dict[str, Any]) -> dict[str, Any]:
    return data


def a_state(data: Answer) -> Any:
    return data


def of_its_own(context: StepContext, services: ServiceRegistry) -> None:
    return None


def loose(data: Any) -> dict[str, int] | None:
    return data


def a_root(data: Any) -> RootModel[list[int]]:
    return data


@pytest.mark.parametrize("function", [untyped, whole, a_state, of_its_own, loose, a_root, lambda text, *, limit: text])
def test_where_annotations_say_nothing_there_is_no_schema(function: Callable[..., Any]) -> None:
    assert schemas(function) == {}


def by_name(text: str, day: date | None, limit: int = 5, *, context: StepContext, **rest: int) -> str:
    return text


def test_an_input_is_an_object_of_the_parameters() -> None:
    assert schemas(by_name)["input_schema"] == {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "day": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "limit": {"type": "integer"},
        },
        "required": ["text", "day"],
    }


def one(order: Order) -> Order:
    return order


def all_of_it(data: Order) -> Answer:
    return {"text": data.customer, "sure": 1.0}


@pytest.mark.parametrize(
    ("function", "value", "fits"),
    [
        (one, {"order": {"customer": "a"}}, True),
        (one, {"customer": "a", "lines": [{"price": "1.5"}, {"price": 2}], "made": "2026-11-29T10:00:00"}, True),
        (one, {"order": {"customer": ""}}, False),
        (one, {"customer": "a", "inner": {"customer": 1}}, False),
        (all_of_it, {"customer": "a"}, True),
        (all_of_it, {"order": {"customer": "a"}}, False),
    ],
)
def test_one_parameter_may_be_all_of_the_input(function: Callable[..., Any], value: Any, fits: bool) -> None:
    assert (problems_of(value, schemas(function)["input_schema"]) == []) is fits


def one_day(day: date) -> Any:
    return day


def test_what_no_mapping_can_be_is_only_looked_for_by_its_name() -> None:
    assert schemas(one_day)["input_schema"] == {
        "type": "object",
        "properties": {"day": {"type": "string", "format": "date"}},
        "required": ["day"],
    }


def number(data: Any) -> int:
    return 1


def maybe(data: Any) -> Order | None:
    return None


async def times(data: Any) -> tuple[datetime, time, timedelta, Decimal]:
    raise NotImplementedError


def shop(data: Any) -> "Shop":
    return Shop("corner")


@pytest.mark.parametrize(
    ("function", "result", "fits"),
    [
        (number, {"result": 1}, True),
        (number, {"result": "1"}, False),
        (maybe, {"result": None}, True),
        (maybe, {"customer": "a", "lines": [{"price": "1.5", "colour": "red"}]}, True),
        (maybe, {"customer": 1}, False),
        (times, {"result": ["2026-11-29T10:00:00", "10:00:00", "-P1D", "1.50"]}, True),
        (times, {"result": ["2026-11-29T10:00:00", "10:00:00"]}, False),
        (shop, {"name": "corner", "open": True, "notes": []}, True),
        (shop, {"name": "corner", "open": "yes"}, False),
        (all_of_it, {"text": "a", "sure": 1}, True),
        (all_of_it, {"text": "a"}, False),
    ],
)
def test_a_result_is_the_object_that_is_stored(function: Callable[..., Any], result: Any, fits: bool) -> None:
    schema = schemas(function)["output_schema"]
    assert (problems_of(result, schema) == []) is fits
    assert "title" not in schema or schema["title"] in ("Order", "Shop", "Answer")


def test_what_has_no_schema_that_stands_alone_has_none() -> None:
    def called(text: str, call: Callable[..., Any]) -> Callable[..., Any]:
        return call

    assert schemas(called) == {}
    assert schemas(by_name, ("text",)) == {}  # it lacks an input, which is said when it is loaded


def test_unhashable_code_has_its_schemas_too() -> None:
    class Counting(dict[str, int]):
        def __call__(self, text: str, limit: int) -> int:
            return limit

    assert set(schemas(Counting())) == {"input_schema", "output_schema"}


# In a flow


def flow_of(*functions: Callable[..., Any], **keys: Any) -> Flow:
    flow = Flow("Contract", **keys)
    nodes = [flow.add(each) for each in functions]
    for before, after in pairwise(nodes):
        _ = before >> after
    return flow


def test_a_definition_without_annotations_is_the_same_as_before() -> None:
    [first, second, third] = flow_of(untyped, whole, a_state, parameters={"text": 1}).to_json()["steps"]
    for step in (first, second, third):
        assert not {"input_schema", "output_schema"} & step.keys()


def test_a_definition_has_the_schemas_of_its_functions_unless_it_has_its_own() -> None:
    flow = Flow("Contract")
    mine = flow.add(one, output_schema={"type": "object"})
    its = flow.add(number, input_schema={"type": "object"})

    class Class(Step):
        def run(self, data: dict[str, Any]) -> Any:
            return 1

    _ = mine >> its >> flow.add(Class, id="class")
    [first, second, third] = flow.definition.to_json()["steps"]
    assert (first["input_schema"], first["output_schema"]) == (schemas(one)["input_schema"], {"type": "object"})
    assert (second["input_schema"], second["output_schema"]) == ({"type": "object"}, schemas(number)["output_schema"])
    assert not {"input_schema", "output_schema"} & third.keys()


async def test_a_changed_contract_is_a_new_version(database: DatabaseManager) -> None:
    def before(text: str, limit: int = 1) -> int:
        return limit

    def after(text: str, limit: float = 1) -> int:
        return int(limit)

    async with ExecutionTracker(database) as tracker:
        services = ServiceRegistry({"execution_tracker": tracker})
        versions: list[Any] = []
        for code in (before, before, after):
            flow = Flow("Contract", parameters={"text": "a"})
            code.__qualname__ = code.__name__ = "cut"
            flow.add(code)
            ran = await flow.run(services=services)
            record = await tracker.get_execution(ran["execution_id"])
            assert record is not None
            versions.append(record.pipeline_version)
    assert versions == [1, 1, 2]


async def test_what_the_function_makes_of_its_input_is_not_asked_of_the_schema_too() -> None:
    def take(text: str, limit: int) -> int:
        return limit

    assert problems_of({"text": "a", "limit": "5"}, schemas(take)["input_schema"])
    assert (await flow_of(take, parameters={"text": "a", "limit": "5"}).run())["output"]["take"] == {"result": 5}


async def test_another_schema_than_the_functions_own_is_asked() -> None:
    def take(text: str, limit: int) -> int:
        return limit

    flow = Flow("Contract", parameters={"text": "a", "limit": 5})
    flow.add(take, input_schema={"properties": {"limit": {"maximum": 4}}}, continue_on_error=True)
    assert "input.limit" in (await flow.run())["output"]["take"]["error_message"]


async def test_a_result_that_is_not_what_the_function_says_is_refused() -> None:
    def lie(data: Any) -> int:
        return data["text"]

    with pytest.raises(StepOutputError, match=r"\$\.result: found \"a\" is not of type \"integer\""):
        await flow_of(lie, parameters={"text": "a"}).run()


def test_a_field_that_a_typed_dict_does_not_have_is_still_refused() -> None:
    flow = Flow("Contract", parameters={"customer": "a"})
    first, second = flow.add(all_of_it), flow.add(whole)
    _ = first >> when("result.txt", "==", 1) >> second
    with pytest.raises(PipelineDefinitionError, match="txt"):
        flow.load()


def test_a_file_that_was_written_so_is_bound_the_same_way() -> None:
    flow = flow_of(one)
    definition = load(flow.definition.to_json()).definition
    loaded = load_pipeline(definition, StepModules())
    assert loaded.bindings["one"].is_contract
    assert definition.to_json() == flow.definition.to_json()


def test_the_schema_of_a_binding_is_that_of_its_definition() -> None:
    assert input_schema_of(binding_of(one, inputs=None, parameters=())) == schemas(one)["input_schema"]
    assert input_schema_of(None) is None


# Of a pipeline


async def test_the_fields_of_a_model_are_the_parameters() -> None:
    flow = Flow("Contract", parameters=Order)

    @flow.step
    def greet(order: Order) -> dict[str, Any]:
        return {"greeting": f"{order.customer}: {sum(line.price for line in order.lines)}"}

    ran = await flow.run({"customer": "Ada", "lines": [{"price": "1.50"}]})
    assert ran["output"]["greet"] == {"greeting": "Ada: 1.50"}
    order = Order.model_validate(ran["input"])
    assert (await flow.run(order))["input"] == order.model_dump(mode="json")
    parameters = {each.name: each for each in flow.definition.parameters}
    assert [*parameters] == ["customer", "lines", "inner", "made"]
    assert (parameters["customer"].required, parameters["customer"].description) == (True, "who pays")
    assert (parameters["lines"].default, parameters["made"].has_default) == ([], True)
    with pytest.raises(PipelineInputError) as refused:
        await flow.run({"customer": "", "lines": [{"price": 0}], "inner": {}})
    assert {each.where.split(".")[1] for each in refused.value.problems} == {"customer", "lines[0]", "inner"}
    with pytest.raises(PipelineInputError, match=r"\$\.customer"):
        await flow.run()


async def test_the_fields_of_a_dataclass_are_the_parameters() -> None:
    flow = Flow("Contract", parameters=Shop)
    flow.add(shop, id="shop")
    assert [(each.name, each.required, each.has_default) for each in flow.definition.parameters] == [
        ("name", True, False),
        ("open", False, True),
        ("notes", False, False),
    ]
    for corner in ({"name": "corner"}, Shop("corner")):
        assert (await flow.run(corner))["output"]["shop"] == {"name": "corner", "open": True, "notes": []}
    for wrong in (Shop, 3, ["corner"]):
        with pytest.raises(PipelineInputError, match="expected a mapping, a pydantic model or a dataclass"):
            await flow.run(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, "a JSON Schema of n, whose keys would be"),
        ({"properties": {}, "required": []}, "a JSON Schema of nothing"),
        (int, "the class int; expected names with their defaults, a pydantic model or a dataclass"),
        (RootModel[list[int]], "whose fields have no JSON Schema"),
    ],
)
def test_what_is_no_list_of_parameters_is_refused_with_what_to_write(parameters: Any, message: str) -> None:
    with pytest.raises(PipelineDefinitionError, match=r"\$\.parameters") as refused:
        flow_of(whole, parameters=parameters).load()
    assert message in str(refused.value)


def test_a_schema_by_mistake_is_told_what_to_write() -> None:
    with pytest.raises(PipelineDefinitionError) as refused:
        parameters_of({"type": "object", "properties": {"n": {"type": "integer"}}})
    assert 'parameters=[{"name": "n", "schema": {…}}]' in refused.value.hint
    assert "parameters=Order" in refused.value.hint


@pytest.mark.parametrize(
    "parameters", [{"type": "invoice", "properties": 3}, {"properties": {}, "limit": 3}, {"type": "object"}, [], None]
)
def test_parameters_with_the_names_of_a_schema_are_parameters(parameters: Any) -> None:
    assert parameters_of(parameters) == parameters


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ({"a": 1, "b": 2}, ("a", "b")),
        ([{"name": "a", "source": "x"}, {"name": "b"}], ("a", "b")),
        (["a"], ("a",)),
    ],
)
def test_names_are_those_of_the_file_however_they_are_written(listed: Any, names: Any) -> None:
    assert names_of(listed) == names


# Of the items of a map


class Score(BaseModel):
    value: float
    why: str | None = None


def shout(word: str) -> str:
    return word.upper()


def rate(word: str, limit: int = 5) -> Score | None:
    return None if word == "nothing" else Score(value=min(len(word), limit))


def test_the_schemas_of_a_mapped_function_are_those_of_an_item() -> None:
    flow = Flow("Words", parameters={"words": []})
    flow.add(shout, map="{parameters.words}")
    flow.add(rate, map="{parameters.words}", inputs={"word": "{item}"})
    flow.connect("shout", "rate")
    written_shout, written_rate = flow.to_json()["steps"]
    assert written_shout["output_schema"] == {"type": "string"}
    assert "input_schema" not in written_shout
    assert written_rate["input_schema"]["properties"]["word"] == {"type": "string"}
    assert [each.get("type") or each["$ref"] for each in written_rate["output_schema"]["anyOf"]] == [
        "#/$defs/Score",
        "null",
    ]
    assert load(flow.to_json()).definition == flow.definition


async def test_an_item_that_gives_what_its_function_does_not_say_fails_alone() -> None:
    flow = Flow("Words", parameters={"words": ["a", "b"]})

    def lie(word: str) -> int:
        return 1 if word == "a" else "no number"  # type: ignore[return-value]

    flow.add(lie, id="lie", map="{parameters.words}", on_item_failure="continue")
    flow.add(rate, id="rate", map="{parameters.words}", inputs={"word": "{item}"})
    flow.connect("lie", "rate")
    output = (await flow.run())["output"]
    assert (output["lie"]["items"], output["lie"]["errors"][0]["error_type"]) == ([1, None], "StepOutputError")
    assert output["rate"]["items"] == [{"value": 1.0, "why": None}] * 2
